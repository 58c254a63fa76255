"""Two-phase commit of the standard library, with crashes at every point: it is atomic, and nobody stays in doubt while timers fire."""

from __future__ import annotations

import pytest

from bloompy.sim.exploring import Model
from bloompy.std.two_phase_commit import Coordinator, Participant

COORDINATOR, FIRST, SECOND = "c", "p1", "p2"


def commit(network: str, *participants: str, crash: str | None, timers: bool) -> Model:
    """One transaction on which all vote yes when they are asked."""
    model = Model(network)
    model.add(Coordinator, COORDINATOR)
    for name in participants:
        model.add(Participant, name)
        model.input(name, "vote", (COORDINATOR, 1, True), when=lambda node: len(node.asked) > 0)
    model.input(COORDINATOR, "submit", *((1, name, "work") for name in participants))
    for name in (COORDINATOR, *participants):
        if timers:
            model.timer(name, "beat")
    if crash is not None:
        model.crash(crash)
    return model


@pytest.mark.parametrize(("crash", "states"), [(None, 183), (COORDINATOR, 647), (FIRST, 571)])
def test_all_decide_alike_whoever_crashes_and_wherever(crash: str | None, states: int) -> None:
    model = commit("bag", FIRST, SECOND, crash=crash, timers=False)
    model.always("atomic", lambda view: len({row.commit for _, row in view.all("decided")}) < 2)
    model.sometimes("both have committed", lambda view: [row.commit for _, row in view.all("decided")] == [True, True])
    found = model.explore()
    found.raise_if_failed()
    assert found.states == states


@pytest.mark.parametrize(("crash", "states"), [(None, 39), (COORDINATOR, 123), (FIRST, 113)])
def test_who_is_in_doubt_learns_what_was_decided_while_timers_fire(crash: str | None, states: int) -> None:
    found = in_doubt(commit("set", FIRST, crash=crash, timers=True)).explore()
    found.raise_if_failed()
    assert found.states == states


def test_without_timers_a_crash_can_leave_it_in_doubt_for_ever() -> None:
    found = in_doubt(commit("bag", FIRST, crash=COORDINATOR, timers=False)).explore()
    assert found.counterexample is not None
    assert found.counterexample.what == "who is prepared decides: it need not come"
    assert any("c crashes" in step.text or "c gets" in step.text and "crashes after the commit" in step.text for step in found.counterexample.steps)


def in_doubt(model: Model) -> Model:
    model.leads_to(
        "who is prepared decides",
        lambda view: view[FIRST].up and len(view[FIRST].prepared) > 0,
        lambda view: len(view[FIRST].decided) > 0,
    )
    return model
