"""Why and why not over the nodes of a simulation: what became of messages, and questions that make no sense."""

from __future__ import annotations

import pytest

from bloompy.errors import UsageError
from bloompy.sim import Decision, EvaluatorPool, Schedule, Simulation
from bloompy.sim.provenance import cluster_of
from tests.sim.lineage.programs.broadcast import Redundant, Simple
from tests.sim.lineage.test_provenance_under_faults import Kept


def told(sim: Simulation, program=Simple, until_s: float = 2.0) -> Simulation:
    """a tells b and c at 0.5 s."""
    for name in "abc":
        sim.add(program, name).member.insert(("a",), ("b",), ("c",))
    sim.at(0.5, lambda: sim["a"].said.insert(("hello",)))
    sim.run(until=until_s)
    return sim


def reasons(sim: Simulation, node: str, **options) -> str:
    """All that is said about a row that a node lacks."""
    return str(sim.why_not(node, "log", "hello", **options))


def test_a_message_leads_to_its_sender():
    found = told(Simulation()).why("c", "log", "hello")
    assert [(fact.node, fact.collection) for fact in found.derivations][:2] == [("c", "log"), ("c", "message")]
    [message] = found.messages
    assert (message.source, message.target, message.ordinal, message.sent) == ("a", "c", 1, 0.5)
    assert "sent by a in tick 2 at 0.5 s, arrived at 0.501 s, Simple.broadcast, broadcast.py:" in str(found)


def test_copies_of_a_message_are_alternatives():
    sim = told(Simulation(schedule=Schedule((Decision("duplicate", ("a", "c", 1), 0.0),))))
    message = sim.why("c", "message", ("c", "hello")).root
    assert [one.message.ordinal for one in sim.why("c", "message", ("c", "hello")).derivations[message]] == [1]


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (Decision("drop", ("a", "c", 1), True), "was sent by a at 0.5 s and was lost at 0.5 s"),
        (Decision("delay", ("a", "c", 1), 60.0), "was sent by a at 0.5 s and was still on its way"),
        (Decision("corrupt", ("a", "c", 1), 3), "was sent by a at 0.5 s and was refused as damaged at 0.501 s"),
        (Decision("partition", (0,), [0.0, 9.0, ["a"], ["c"], False]), "was lost at 0.5 s: partition"),
    ],
    ids=lambda value: value.kind if isinstance(value, Decision) else "",
)
def test_what_became_of_a_message_is_told(decision, said):
    assert said in reasons(told(Simulation(schedule=Schedule((decision,)))), "c")


def test_a_message_that_came_to_a_node_that_was_down():
    sim = Simulation()
    sim.at(0.4, lambda: sim["c"].crash())
    sim.at(1.0, lambda: sim["c"].restart())
    assert "was lost at 0.501 s: the node is down" in reasons(told(sim), "c")


def test_a_message_whose_sender_crashed_before_it_left():
    sim = told(Simulation(schedule=Schedule((Decision("crash", ("a", "send", 2), [None, "crash"]),))))
    assert "tick 2 of a was to send it at 0.5 s, and a went down before, at 0.5 s" in reasons(sim, "c")
    assert "hello" in sim["b"].log


def test_a_message_that_is_held_back():
    sim = Simulation()
    for name in "abc":
        sim.add(Simple, name).member.insert(("a",), ("b",), ("c",))
    sim.hold("a", "c")
    sim["a"].said.insert(("hello",))
    sim.run(until=1)
    assert "was held back at 0 s" in reasons(sim, "c")


def test_a_message_that_was_never_sent_leads_to_who_could_have():
    found = told(Simulation()).why_not("c", "log", "bye")
    assert "no such message was sent to it by then" in str(found)
    assert any(attempt.how == "message" and "of a" in attempt.where for one in found.walk() for attempt in one.attempts)


def test_a_time_in_the_past_is_asked_about():
    sim = told(Simulation(), Redundant, until_s=4.0)
    assert sim.why("c", "log", "hello", time=3.0).root.time <= 3.0
    assert "arrived at 0.501 s, in tick 2" in reasons(sim, "c", time=0.5)
    with pytest.raises(UsageError, match=r"log\('hello'\) does not hold"):
        sim.why("c", "log", "hello", time=0.5)


@pytest.mark.parametrize(
    ("node", "collection", "options", "said"),
    [
        ("q", "log", {}, "there is no node 'q'"),
        ("c", "lag", {}, "has no collection 'lag'"),
        ("c", "log", {"time": -1.0}, "c has not ticked at -1 s"),
        ("c", "log", {"tick": 99}, "c has no tick 99"),
    ],
)
def test_questions_that_make_no_sense(node, collection, options, said):
    sim = told(Simulation())
    for ask in (sim.why, sim.why_not):
        with pytest.raises(UsageError, match=said):
            ask(node, collection, "hello", **options)


def test_a_run_without_a_trace_cannot_be_asked():
    sim = told(Simulation(trace=False))
    with pytest.raises(UsageError, match="the trace has no tick of 'c'"):
        sim.why("c", "log", "hello")


def test_a_closed_simulation_can_still_be_asked():
    sim = told(Simulation(pool=EvaluatorPool()))
    sim.close()
    assert sim.why("c", "log", "hello").root.node == "c"


@pytest.mark.parametrize("wiped", [False, True])
def test_a_restart_finds_what_is_on_the_disk(wiped):
    sim = Simulation()
    sim.at(0.8, lambda: sim["c"].wipe() if wiped else sim["c"].crash())
    sim.at(1.0, lambda: sim["c"].restart())
    told(sim, Kept, until_s=0.9)
    sim.partition("c")
    sim.run(until=3.0)
    assert ("hello" in sim["c"].log) is not wiped
    found = cluster_of(sim).prover("c", 2).replay.at(0)["log"]
    assert list(found) == ([] if wiped else ["hello"])
    if not wiped:
        assert "restored from the store" in str(sim.why("c", "log", "hello"))
