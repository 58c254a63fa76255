"""Reads at one replica, tick by tick: what it keeps of them, and when it forgets."""

from __future__ import annotations

from typing import Any

from .replicas import Replica


def stepped() -> tuple[Replica, Any]:
    """The only member of its group, and a function that lets time pass."""
    node = Replica("n0", members=("n0",), safe_share=0.0, session_sweep_s=5.0)
    now = [1_000.0]

    def tick(seconds: float = 0.0) -> Any:
        now[0] += seconds
        return node.tick(now[0])

    for _ in range(40):
        tick(0.05)
    assert len(node.leads)
    return node, tick


def ask(node: Replica, reqid: int, op: str, path: str, *args: Any) -> None:
    node.request.insert(("n0", "c:1", "s", reqid, 1, op, path, args))


def test_a_read_is_answered_once_and_nothing_of_it_is_kept() -> None:
    node, tick = stepped()
    ask(node, 1, "exists", "/")
    answers = [row for _ in range(10) for row in tick(0.01).sent.get("response", ())]
    assert answers == [("c:1", "n0", "s", 1, "", (True,))]
    assert (len(node.looking), len(node.held)) == (0, 0)


def test_a_read_sees_all_writes_that_were_answered_before_it_though_others_wait() -> None:
    node, tick = stepped()
    for reqid, path in enumerate(("/a", "/a/b", "/a/b/c"), 1):
        ask(node, reqid, "mkdir", path)
    tick()
    ask(node, 9, "exists", "/a/b/c")
    answers = {row[3]: row[4:] for _ in range(20) for row in tick(0.01).sent.get("response", ())}
    assert sorted(answers) == [1, 2, 3, 9]
    assert answers[9] == ("", (True,))


def test_who_leads_no_more_forgets_the_reads_that_it_has_not_answered() -> None:
    node, tick = stepped()
    node.looking.insert(("s", 1, "exists", "/", (), -5, -1))
    node.held.insert(("s", 1, "c:1", 1_000.0))
    tick()
    tick()
    assert len(node.looking) == 1
    tick(6.0)  # nobody asks for it any more: the sweep
    tick()
    tick()
    assert (len(node.looking), len(node.held)) == (0, 0)
