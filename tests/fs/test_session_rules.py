"""Each request is answered once, each write is applied once, whatever is repeated, late, malformed or too early."""

from __future__ import annotations

from typing import Any

import pytest

from .ticks import Stepped


def test_a_retry_in_a_later_tick_gets_the_first_answer() -> None:
    stepped = Stepped()
    reqid = stepped.send("s", "create", "/f", 1)
    stepped.settle()
    assert stepped.send("s", "create", "/f", 1, reqid=reqid) == reqid
    stepped.settle()
    assert [response[4:] for response in stepped.responses] == [("", (1,)), ("", (1,))]
    assert stepped.outcome("create", "/f", 1)[0] == "EEXIST"


def test_a_retry_while_the_first_try_waits_is_applied_once_and_both_are_answered() -> None:
    stepped = Stepped()
    stepped.send("s", "mkdir", "/a")
    stepped.send("s", "mkdir", "/a/b")
    reqid = stepped.send("s", "create", "/a/b/f", 1)
    stepped.tick()
    stepped.tick()
    assert [row.reqid for row in stepped.namenode.waiting] == [2, 3]  # the first of them is being applied
    stepped.namenode.request.insert(("nn", "elsewhere:9", "s", reqid, 1, "create", "/a/b/f", (1,)))
    stepped.settle()
    assert sorted((client, code) for client, _, _, number, code, _ in stepped.responses if number == reqid) == [
        ("elsewhere:9", ""), ("s:1", "")
    ]  # fmt: skip
    assert len(stepped.namenode.inode) == 3


def test_a_retry_after_a_restart_gets_the_first_answer() -> None:
    stepped, restarted = Stepped(), Stepped()
    reqid = stepped.send("s", "create", "/f", 1)
    stepped.settle()
    for name in ("inode", "reached", "answered", "session"):
        getattr(restarted.namenode, name).upsert(*getattr(stepped.namenode, name))
    restarted.send("s", "create", "/f", 1, reqid=reqid)
    restarted.settle()
    assert restarted.answers() == stepped.answers()
    assert restarted.ask("create", "/g", 1, session="t") == (2,)


def test_answers_are_kept_until_the_client_has_them() -> None:
    stepped = Stepped()
    for i in range(5):
        stepped.ask("create", f"/{i}", 1)
    assert len(stepped.namenode.answered) == 5
    stepped.send("s", "mkdir", "/d", acked=5)
    stepped.settle()
    assert sorted(row.reqid for row in stepped.namenode.answered) == [5, 6]
    stepped.send("s", "create", "/0", 1, reqid=1)
    stepped.settle()
    assert stepped.responses[-1][3:] == (1, "ESTALE", ())


def test_sessions_of_silent_clients_are_forgotten() -> None:
    stepped = Stepped(session_retention_s=100.0, session_sweep_s=10.0)
    stepped.ask("mkdir", "/a", session="silent")
    stepped.tick(60.0)
    stepped.ask("mkdir", "/b", session="lively")
    stepped.tick(60.0)
    stepped.tick()
    assert {row.session for row in stepped.namenode.session} == {"lively"}
    assert {row.session for row in stepped.namenode.answered} == {"lively"}


def test_a_session_that_was_heard_since_is_not_forgotten() -> None:
    stepped = Stepped()
    stepped.ask("mkdir", "/a", session="s")
    (known,) = stepped.namenode.session
    stepped.namenode.decided.insert((2, "", 0, 0, "expire", "/", (("s", known.seen - 1.0),), stepped.now))
    stepped.settle()
    assert {row.session for row in stepped.namenode.session} == {"s"}
    stepped.namenode.decided.insert((3, "", 0, 0, "expire", "/", (("s", known.seen),), stepped.now))
    stepped.settle()
    assert (len(stepped.namenode.session), len(stepped.namenode.answered)) == (0, 0)


def test_what_is_decided_again_after_its_client_has_acknowledged_it_is_not_applied() -> None:
    stepped = Stepped()
    stepped.ask("mkdir", "/a")
    stepped.ask("rm", "/a", True)
    stepped.send("s", "create", "/f", 1, acked=3)
    stepped.settle()
    stepped.namenode.decided.insert((9, "s", 1, 1, "mkdir", "/a", (), stepped.now))
    stepped.settle()
    assert "/a" not in stepped.namenode.fqpath
    assert sorted(row.reqid for row in stepped.namenode.answered) == [3]


def test_of_different_requests_of_one_number_that_are_decided_together_the_first_counts() -> None:
    stepped = Stepped()
    rows = [(index, "s", 1, 1, "mkdir", path, (), stepped.now) for index, path in ((1, "/a"), (2, "/b"))]
    stepped.namenode.decided.insert(*rows)
    stepped.settle()
    assert {row.path for row in stepped.namenode.fqpath} == {"/", "/a"}
    assert [tuple(row) for row in stepped.namenode.answered] == [("s", 1, "", (1,))]


def test_a_request_that_came_too_early_does_not_change_what_is_applied() -> None:
    """A malformed request of the same number comes in the tick of the decree."""
    stepped = Stepped()
    stepped.namenode.decided.insert((1, "s", 1, 1, "mkdir", "/a", (), stepped.now))
    stepped.send("s", "mkdir", "no path", reqid=1)
    stepped.settle()
    assert "/a" in stepped.namenode.fqpath
    assert [tuple(row) for row in stepped.namenode.answered] == [("s", 1, "", (1,))]


@pytest.mark.parametrize("op", ["expire", "found"])
def test_clients_cannot_ask_for_what_a_namenode_proposes_by_itself(op: str) -> None:
    assert Stepped().outcome(op, "/") == ("ENOSYS", ())


def test_who_was_never_answered_is_forgotten() -> None:
    stepped = Stepped(session_sweep_s=10.0)
    stepped.namenode.held.insert(("s", 1, "s:1", stepped.now))
    stepped.tick(9.0)
    stepped.tick()
    assert len(stepped.namenode.held) == 1
    stepped.tick(11.0)
    stepped.tick()
    assert not len(stepped.namenode.held)


@pytest.mark.parametrize(
    ("op", "path", "args", "code"),
    [
        ("format", "/", (), "ENOSYS"),
        ("mkdir", "/a", (1,), "EINVAL"),
        ("mkdir", "a", (), "EINVAL"),
        ("mkdir", "/a/", (), "EINVAL"),
        ("mkdir", "//a", (), "EINVAL"),
        ("mkdir", "/a/../b", (), "EINVAL"),
        ("mkdir", "/a\0b", (), "EINVAL"),
        ("mkdir", "/\ud800", (), "EINVAL"),
        ("mkdir", "", (), "EINVAL"),
        ("mkdir", "/" + "x" * 256, (), "ENAMETOOLONG"),
        ("mkdir", "/x" * 2_100, (), "ENAMETOOLONG"),
        ("create", "/a", (), "EINVAL"),
        ("create", "/a", ("3",), "EINVAL"),
        ("create", "/a", (True,), "EINVAL"),
        ("create", "/a", (0,), "EINVAL"),
        ("create", "/a", (513,), "EINVAL"),
        ("rename", "/a", ("b", False, False), "EINVAL"),
        ("addchunk", "/a", ("h", (1,)), "EINVAL"),
        ("commit", "/a", (1, 0, ("d0",)), "EINVAL"),
        ("commit", "/a", (1, 5, ()), "EINVAL"),
        ("commit", "/a", (1, 2**64, ("d0",)), "EINVAL"),
        ("commit", "/a", (1, 5, ("d" * 1_000,)), "EINVAL"),
        ("addchunk", "/a", ("h" * 1_000, ()), "EINVAL"),
        ("addchunk", "/a", ("h", ("d",) * 600), "EINVAL"),
        ("locations", "/a", ("1",), "EINVAL"),
    ],
)
def test_what_makes_no_sense_is_answered_and_changes_nothing(op: str, path: str, args: tuple[Any, ...], code: str) -> None:
    stepped = Stepped()
    assert stepped.outcome(op, path, *args) == (code, ())
    assert len(stepped.responses) == 1
    assert not len(stepped.namenode.inode)
    assert not len(stepped.namenode.reached)


def test_the_name_of_a_session_is_bounded() -> None:
    stepped = Stepped()
    assert stepped.outcome("mkdir", "/a", session="s" * 1_000) == ("EINVAL", ())
    assert not len(stepped.namenode.inode)


def test_a_request_that_acknowledges_itself_is_refused() -> None:
    stepped = Stepped()
    stepped.send("s", "mkdir", "/a", acked=2)
    stepped.settle()
    assert stepped.responses[-1][4] == "EINVAL"


def test_a_large_batch_that_can_commute_is_applied_in_one_tick() -> None:
    stepped = Stepped()
    for i in range(500):
        stepped.send("s", "create", f"/{i}", 1)
    stepped.tick()
    stepped.tick()
    assert len(stepped.responses) == 500
    assert len(stepped.namenode.inode) == 500
    assert sorted(row.fid for row in stepped.namenode.inode) == list(range(1, 501))


def test_a_chain_of_dependent_writes_in_one_batch_is_applied_in_order() -> None:
    stepped = Stepped()
    for depth in range(1, 20):
        stepped.send("s", "mkdir", "/d" * depth)
    stepped.settle()
    assert all(code == "" for code, _ in stepped.answers().values())
    assert ("/d" * 19) in stepped.namenode.fqpath


def test_a_write_depends_on_earlier_ones_only() -> None:
    stepped = Stepped()
    stepped.send("a", "create", "/d/f", 1)
    stepped.send("b", "mkdir", "/d")
    stepped.settle()
    assert {session: code for (session, _), (code, _) in stepped.answers().items()} == {"a": "ENOENT", "b": ""}


def test_a_directory_of_many_files_is_removed_whole() -> None:
    stepped = Stepped(datanodes=1)
    stepped.ask("mkdir", "/d")
    for i in range(50):
        stepped.send("s", "create", f"/d/{i}", 1)
    stepped.settle()
    stepped.ask("addchunk", "/d/7", "h", ())
    stepped.ask("rm", "/d", True)
    assert (len(stepped.namenode.inode), len(stepped.namenode.fchunk)) == (0, 0)
    assert {row.path for row in stepped.namenode.fqpath} == {"/"}
