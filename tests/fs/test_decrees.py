"""What is applied depends on decrees alone: not on how they come together in ticks, on the clock, or on what a NameNode has heard."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .test_namespace_random import REQUESTS
from .ticks import Stepped

STATE = ("inode", "fchunk", "answered", "session", "reached")
SESSIONS = st.sampled_from(["s", "t"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), SESSIONS, REQUESTS, st.integers(0, 2)),
        st.tuples(st.just("repeat"), st.integers(0, 5)),
        st.tuples(st.just("tick"), st.sampled_from([0.0, 0.0, 30.0])),
    ),
    max_size=25,
)
BATCHES = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=6)
RETENTION_S = 50.0


def decrees_of(steps: list[tuple[Any, ...]]) -> tuple[list[Any], Stepped]:
    """What a NameNode that knows DataNodes decides when it is asked for these; some clients give up earlier requests."""
    first = Stepped(datanodes=3, session_retention_s=RETENTION_S, session_sweep_s=10.0)
    decided: list[Any] = []
    sent: list[tuple[Any, ...]] = []
    numbers = {"s": 0, "t": 0}
    for kind, *rest in [*steps, ("tick", 0.0), ("tick", 0.0)]:
        if kind == "ask":
            session, (op, path, *args), back = rest
            numbers[session] += 1
            sent.append((session, op, path, args, numbers[session], max(1, numbers[session] - back)))
        if kind == "repeat" and sent:
            sent.append(sent[-1 - rest[0] % len(sent)])
        if kind != "tick" and sent:
            session, op, path, args, reqid, acked = sent[-1]
            first.send(session, op, path, *args, reqid=reqid, acked=acked)
        if kind == "tick":
            decided += sorted(first.tick(rest[0]).inserted.get("decided", ()))
    first.settle()
    return decided, first


def check(steps: list[tuple[Any, ...]], batches: list[tuple[int, int]]) -> None:
    decided, first = decrees_of(steps)
    second = Stepped(session_retention_s=1.0, session_sweep_s=1e9)
    second.now = 5.0
    turn = 0
    while decided:
        count, pause = batches[turn % len(batches)]
        second.namenode.decided.insert(*decided[:count])
        del decided[:count]
        for _ in range(1 + pause):
            second.tick(1.0)
        turn += 1
    second.settle()
    for name in STATE:
        assert getattr(second.namenode, name).rows() == getattr(first.namenode, name).rows(), name


# A client gives up a request that waits behind another one, and acknowledges it before it is applied.
GIVEN_UP = [
    ("ask", "s", ("mkdir", "/a"), 0),
    ("ask", "s", ("create", "/a/b", 1), 0),
    ("ask", "s", ("create", "/b", 1), 0),
]
SILENT = [("ask", "s", ("mkdir", "/a"), 0), ("tick", 0.0), ("tick", 30.0), ("ask", "t", ("mkdir", "/b"), 0), ("tick", 30.0), ("tick", 0.0)]


@settings(max_examples=40, deadline=None)
@given(STEPS, BATCHES)
@example(GIVEN_UP, [(1, 0), (2, 1)])
@example(GIVEN_UP, [(3, 0)])
@example(SILENT, [(9, 0)])
def test_the_same_decrees_make_the_same_state(steps: list[tuple[Any, ...]], batches: list[tuple[int, int]]) -> None:
    check(steps, batches)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None)
@given(STEPS, BATCHES)
def test_the_same_decrees_make_the_same_state_in_many_runs(steps: list[tuple[Any, ...]], batches: list[tuple[int, int]]) -> None:
    check(steps, batches)
