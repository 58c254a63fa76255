"""Random requests, in batches, from several clients, with retries: the same as one by one in a plain Python file system."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .model import Fault, Model
from .ticks import Stepped

NAMES = st.sampled_from("ab")
PATHS = st.lists(NAMES, max_size=3).map(lambda names: "/" + "/".join(names))
FILES = st.sampled_from(["/a/b", "/a/b", "/b", "/b/a"])
REQUESTS = st.one_of(
    st.tuples(st.just("mkdir"), PATHS),
    st.tuples(st.just("mkdir"), PATHS),
    st.tuples(st.just("create"), PATHS, st.integers(1, 3)),
    st.tuples(st.just("rm"), PATHS, st.booleans()),
    st.tuples(st.just("rename"), PATHS, PATHS, st.booleans(), st.booleans()),
    st.tuples(st.just("addchunk"), FILES, st.just("h"), st.just(())),
    st.tuples(st.just("commit"), FILES, st.integers(5, 7), st.integers(1, 2), st.just(("d0",))),
    st.tuples(st.just("abandon"), FILES, st.integers(5, 7)),
    st.tuples(st.sampled_from(["stat", "exists"]), PATHS),
    st.tuples(st.just("ls"), PATHS, st.sampled_from(["", "a"]), st.integers(1, 3)),
    st.tuples(st.just("chunks"), PATHS, st.integers(0, 1), st.integers(1, 3)),
)
BATCHES = st.lists(st.lists(st.tuples(st.sampled_from(["s", "t"]), REQUESTS), max_size=8), max_size=3)
BEGINNING = [
    [
        ("s", ("mkdir", "/a")),
        ("s", ("mkdir", "/a/a")),
        ("s", ("create", "/a/b", 1)),
        ("s", ("mkdir", "/b")),
        ("s", ("addchunk", "/a/b", "h", ())),
        ("s", ("create", "/f", 1)),
    ]
]
READS = ("ls", "stat", "exists", "chunks")


def shown(op: str, result: Any) -> Any:
    """The part of an answer that the model knows."""
    if op == "ls":
        return [(name, is_dir, size, replication) for name, _, is_dir, size, replication, _ in result]
    if op == "stat":
        _, is_dir, size, replication, _ = result
        return (is_dir, size, replication)
    if op == "exists":
        return result[0]
    if op == "chunks":
        return [(seq, chunk, length) for seq, chunk, length, _ in result]
    return None


def expected(model: Model, op: str, path: str, args: tuple[Any, ...], new_id: int) -> tuple[str, Any]:
    try:
        return "", model.apply(op, path, args, new_id)
    except Fault as fault:
        return str(fault), None


def check(batches: list[list[tuple[str, tuple[Any, ...]]]], repeat: bool, evaluator: str) -> None:
    stepped, model, index = Stepped(datanodes=2, evaluator=evaluator), Model(), 0
    for batch in batches:
        sent = [(session, stepped.send(session, op, path, *args), op, path, args) for session, (op, path, *args) in batch]
        done = 0
        for i in range(40):
            if repeat and i == 1:
                for session, reqid, op, path, args in sent:
                    if op not in READS:
                        stepped.send(session, op, path, *args, reqid=reqid)
            stepped.tick()
            done = done + 1 if not len(stepped.namenode.waiting) else 0
            if done > 2:
                break
        answers = stepped.answers()
        # Reads are answered in the tick they come in, before its writes; writes apply in the order of the log.
        for session, reqid, op, path, args in sorted(sent, key=lambda one: (one[2] not in READS, one[0], one[1])):
            index += op not in READS
            code, result = answers[session, reqid]
            wanted = expected(model, op, path, tuple(args), index)
            assert (code, shown(op, result) if not code else None) == wanted, (op, path, args)
        assert stepped.tree() == model.tree()
    if not repeat:
        assert len(stepped.responses) == sum(map(len, batches))
    assert not len(stepped.namenode.held)
    assert not len(stepped.namenode.dead_letter)


PAIRED = [
    ("mkdir", "/a"),
    ("mkdir", "/c"),
    ("mkdir", "/a/c"),
    ("create", "/a/a/a", 1),
    ("create", "/a/c", 2),
    ("create", "/c/a", 2),
    ("rm", "/a", True),
    ("rm", "/a/a", False),
    ("rm", "/a/b", False),
    ("rm", "/b", False),
    ("rename", "/a", "/c", False, False),
    ("rename", "/a", "/b", True, False),
    ("rename", "/b", "/a/a/b", False, False),
    ("rename", "/a/a", "/b/a", False, False),
    ("rename", "/a/b", "/f", False, True),
    ("rename", "/a", "/a/a/a", False, False),
    ("rename", "/a/b", "/c", True, False),
    ("addchunk", "/a/b", "h", ()),
    ("addchunk", "/f", "h", ()),
    ("commit", "/a/b", 5, 7, ("d0",)),
    ("commit", "/a/b", 5, 8, ("d1",)),
    ("abandon", "/a/b", 5),
    ("ls", "/a", "", 10),
    ("chunks", "/a/b", 0, 10),
]


def moved(request: tuple[Any, ...], directory: str, chunk: int) -> tuple[str, tuple[Any, ...]]:
    """A request of the list above as it is below a directory, where the chunk is another."""
    op, path, *args = request
    if op == "rename":
        args[0] = directory + args[0]
    if op in ("commit", "abandon"):
        args[0] = chunk
    return "s", (op, directory + path, *args)


@pytest.mark.parametrize("first", PAIRED, ids=lambda request: " ".join(map(str, request)))
def test_every_two_requests_in_one_tick_are_applied_in_order(first: Any) -> None:
    batches: list[Any] = []
    for i, second in enumerate(PAIRED):
        writes = sum(op not in READS for batch in batches for _, (op, *_) in batch)
        here = f"/{i}"
        chunk = writes + 6
        batches.append([("s", ("mkdir", here)), *(moved(request, here, chunk) for _, request in BEGINNING[0])])
        batches.append([moved(first, here, chunk), moved(second, here, chunk)])
    check(batches, repeat=False, evaluator="codegen")


@settings(max_examples=25, deadline=None)
@given(BATCHES, st.booleans())
def test_batches_of_requests_are_applied_as_one_by_one_in_order(batches: Any, repeat: bool) -> None:
    check(BEGINNING + batches, repeat, "codegen")


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None)
@given(BATCHES, st.booleans())
def test_many_batches_of_requests_are_applied_as_one_by_one_in_order(batches: Any, repeat: bool) -> None:
    check(BEGINNING + batches, repeat, "codegen")


@settings(max_examples=5, deadline=None)
@given(BATCHES, st.booleans())
def test_so_they_are_by_the_naive_evaluator(batches: Any, repeat: bool) -> None:
    check(BEGINNING + batches, repeat, "naive")
