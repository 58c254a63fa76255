"""Single-decree Paxos: tick by tick, under faults, and in every order that three acceptors and two proposers allow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from bloompy.errors import CounterexampleFound, InvariantViolation
from bloompy.sim import Faults, Simulation
from bloompy.testing import random_faults
from bloompy_paxos.quorums import LOWEST
from bloompy_paxos.synod import Acceptor, Learner, PatientSynod, Proposer, Synod
from tests.mutants.mutant import Mutant
from tests.mutants.paxos import MUTANTS, Observer
from tests.paxos.synod_model import ACCEPTORS, PROPOSERS, agents, nodes

MEMBERS = ("a", "b", "c")


def proposer(me: str = "p") -> Proposer:
    return Proposer(me=me, acceptors=MEMBERS)


def acceptor() -> Acceptor:
    return Acceptor(me="a", acceptors=MEMBERS, learners=("l",))


def learner() -> Learner:
    return Learner(me="l", acceptors=MEMBERS)


def promises(*rows: tuple[str, Any, Any, Any]) -> Iterable[tuple[Any, ...]]:
    """Promises to the proposer p, as rows (acceptor, ballot, accepted, value)."""
    return [("p", *row) for row in rows]


def proposed(program: Proposer, *rows: tuple[str, Any, Any, Any]) -> set[Any]:
    """What it proposes when these promises come."""
    program.promise.insert(*promises(*rows))
    return {(ballot, value) for _, ballot, value in program.tick().sent.get("accept", ())}


def asked(program: Proposer) -> set[Any]:
    """The ballots in which it asks for promises now."""
    return {ballot for _, _, ballot in program.tick().sent.get("prepare", ())}


def trying(value: str = "own") -> Proposer:
    """A proposer that has begun the ballot (1, p)."""
    program = proposer()
    program.attempt.insert((1, value))
    program.tick()
    return program


# -- Phase 1a


def test_a_ballot_begins_with_a_request_to_every_acceptor() -> None:
    program = proposer()
    program.attempt.insert((3, "x"))
    tick = program.tick()
    assert set(tick.sent["prepare"]) == {(member, "p", (3, "p")) for member in MEMBERS}
    program.tick()
    assert program.tried.value == (3, "p")


@pytest.mark.parametrize("round", [1, 2, 3])
def test_a_round_is_not_tried_again_nor_one_below(round: int) -> None:
    program = proposer()
    program.attempt.insert((3, "x"))
    program.tick()
    program.attempt.insert((round, "y"))
    assert asked(program) == set()
    program.attempt.insert((4, "y"))
    assert asked(program) == {(4, "p")}


def test_of_two_rounds_in_one_tick_the_higher_is_begun_with_its_value() -> None:
    program = proposer()
    program.attempt.insert((2, "low"), (5, "high"))
    assert asked(program) == {(5, "p")}
    program.tick()
    assert list(program.trying) == [((5, "p"), "high")]


def test_no_two_proposers_have_a_ballot_in_common_and_ballots_have_an_order() -> None:
    p, q = proposer("p"), proposer("q")
    for program in (p, q):
        program.attempt.insert((1, "x"))
        program.tick()
        program.tick()
    assert LOWEST < p.tried.value < q.tried.value


# -- Phase 1b


def test_an_acceptor_promises_and_has_nothing_to_report() -> None:
    program = acceptor()
    program.prepare.insert(("a", "p", (1, "p")))
    assert program.tick().sent["promise"] == [("p", "a", (1, "p"), LOWEST, None)]
    assert program.promised.value == (1, "p")


def test_what_was_accepted_is_reported_with_its_own_ballot() -> None:
    program = acceptor()
    program.accept.insert(("a", (1, "p"), "x"))
    program.tick()
    program.prepare.insert(("a", "q", (2, "q")))
    assert program.tick().sent["promise"] == [("q", "a", (2, "q"), (1, "p"), "x")]


def test_who_asks_in_a_lower_ballot_than_promised_is_not_answered() -> None:
    program = acceptor()
    program.prepare.insert(("a", "q", (2, "q")))
    program.tick()
    program.prepare.insert(("a", "p", (1, "p")))
    assert "promise" not in program.tick().sent
    assert program.promised.value == (2, "q")


def test_of_those_who_ask_in_one_tick_the_highest_is_answered() -> None:
    program = acceptor()
    program.prepare.insert(("a", "p", (1, "p")), ("a", "q", (1, "q")))
    assert program.tick().sent["promise"] == [("q", "a", (1, "q"), LOWEST, None)]


# -- Phase 2a


def test_a_quorum_of_promises_makes_it_propose_its_own_value_once() -> None:
    program = trying()
    assert proposed(program, ("a", (1, "p"), LOWEST, None)) == set()
    assert proposed(program, ("b", (1, "p"), LOWEST, None)) == {((1, "p"), "own")}
    assert proposed(program, ("c", (1, "p"), (0, "z"), "late")) == set()


def test_the_value_of_the_highest_ballot_reported_is_proposed_in_its_place() -> None:
    low, high = ("a", (9, "p"), (2, "q"), "z of the lower"), ("b", (9, "p"), (3, "r"), "a of the higher")
    for rows in ([low, high], [high, low]):
        program = proposer()
        program.attempt.insert((9, "own"))
        program.tick()
        assert proposed(program, rows[0]) == set()
        assert proposed(program, rows[1]) == {((9, "p"), "a of the higher")}


def test_an_acceptor_counts_once_however_often_it_promises() -> None:
    program = trying()
    assert proposed(program, ("a", (1, "p"), LOWEST, None), ("a", (1, "p"), LOWEST, None)) == set()
    assert proposed(program, ("a", (1, "p"), (1, "p"), "own")) == set()


def test_promises_of_another_ballot_do_not_count() -> None:
    program = trying()
    program.attempt.insert((2, "own"))
    program.tick()
    assert proposed(program, ("a", (1, "p"), LOWEST, None), ("b", (1, "p"), LOWEST, None), ("c", (2, "p"), LOWEST, None)) == set()
    assert proposed(program, ("a", (2, "p"), LOWEST, None)) == {((2, "p"), "own")}


# -- Phase 2b


def test_an_acceptor_tells_all_learners_what_it_accepts() -> None:
    program = Acceptor(me="a", acceptors=MEMBERS, learners=("l", "m"))
    program.accept.insert(("a", (1, "p"), "x"))
    assert set(program.tick().sent["voted"]) == {("l", "a", (1, "p"), "x"), ("m", "a", (1, "p"), "x")}
    program.tick()
    assert list(program.accepted) == [((1, "p"), "x")]


def test_what_it_has_promised_away_it_does_not_accept() -> None:
    program = acceptor()
    program.prepare.insert(("a", "q", (2, "q")))
    program.tick()
    program.accept.insert(("a", (1, "p"), "x"))
    assert "voted" not in program.tick().sent
    program.accept.insert(("a", (2, "q"), "y"))
    assert "voted" in program.tick().sent
    program.tick()
    assert list(program.accepted) == [((2, "q"), "y")]


def test_a_promise_binds_in_the_tick_that_gives_it() -> None:
    program = acceptor()
    program.prepare.insert(("a", "q", (2, "q")))
    program.accept.insert(("a", (1, "p"), "x"))
    tick = program.tick()
    assert ("voted" in tick.sent, "promise" in tick.sent) == (False, True)


def test_who_accepts_promises() -> None:
    program = acceptor()
    program.accept.insert(("a", (2, "q"), "x"))
    program.tick()
    program.accept.insert(("a", (1, "p"), "y"))
    assert "voted" not in program.tick().sent
    assert program.promised.value == (2, "q")


# -- Learning


def votes(program: Learner, *rows: tuple[str, Any, str]) -> list[str]:
    """What is chosen after these votes (acceptor, ballot, value), one a tick."""
    for row in rows:
        program.voted.insert(("l", *row))
        program.tick()
    return [row.value for row in program.chosen]


def test_a_majority_of_votes_in_one_ballot_decides() -> None:
    program = learner()
    assert votes(program, ("a", (1, "p"), "x")) == []
    assert votes(program, ("b", (1, "p"), "x")) == ["x"]


def test_votes_of_different_ballots_are_not_counted_together() -> None:
    assert votes(learner(), ("a", (1, "p"), "x"), ("b", (2, "q"), "x")) == []


def test_an_acceptor_has_one_vote() -> None:
    assert votes(learner(), ("a", (1, "p"), "x"), ("a", (1, "p"), "x")) == []


# -- Watchdogs: each finds the state that it is there for


def test_a_second_value_in_a_ballot_is_found_by_an_acceptor() -> None:
    program = acceptor()
    program.accept.insert(("a", (1, "p"), "x"))
    program.tick()
    program.accept.insert(("a", (1, "p"), "y"))
    with pytest.raises(InvariantViolation, match="one_value_a_ballot"):
        program.tick()


def test_an_acceptance_above_the_promise_is_found() -> None:
    program = acceptor()
    program.accepted.insert(((7, "p"), "x"))
    with pytest.raises(InvariantViolation, match="accepted_within_promise"):
        program.tick()


def test_votes_for_two_values_in_a_ballot_are_found() -> None:
    with pytest.raises(InvariantViolation, match="votes_of_a_ballot_agree"):
        votes(learner(), ("a", (1, "p"), "x"), ("b", (1, "p"), "y"))


def test_a_second_chosen_value_is_found() -> None:
    with pytest.raises(InvariantViolation, match="one_value_is_chosen"):
        votes(learner(), *((name, (1, "p"), "x") for name in "ab"), *((name, (2, "p"), "y") for name in "bc"))


def test_a_value_out_of_nowhere_is_found() -> None:
    program = trying()
    program.proposal.insert(((1, "p"), "invented"))
    with pytest.raises(InvariantViolation, match="values_come_from_somewhere"):
        program.tick()


def synod() -> Simulation:
    """Three nodes, one of which has just begun a ballot."""
    sim = Simulation()
    for name in MEMBERS:
        sim.add(Synod, name, acceptors=MEMBERS, learners=MEMBERS)
    sim["a"].attempt.insert((1, "x"))
    return sim


def restarted() -> Simulation:
    """Three nodes that have decided, and of which only what is durable is left."""
    sim = synod()
    sim.settle()
    assert [list(node.chosen) for node in sim] == [[("x",)]] * 3
    for node in sim:
        node.restart()
    sim.settle()
    return sim


def test_two_decisions_are_found() -> None:
    sim = restarted()
    sim["c"].chosen.delete(("x",))
    sim["c"].chosen.insert(("y",))
    with pytest.raises(InvariantViolation, match="Synod.agreement"):
        sim.settle()


def test_a_decision_without_a_quorum_behind_it_is_found() -> None:
    sim = restarted()
    for name in "ab":
        sim[name].accepted.upsert(((1, "a"), "other"))
    with pytest.raises(InvariantViolation, match="a_quorum_stands_behind_it"):
        sim.settle()


def test_a_promise_that_is_lost_with_a_disk_is_found() -> None:
    sim = synod()
    sim.run_until(lambda: len(sim["a"].promises) == 3)
    sim["c"].wipe()
    sim["c"].restart()
    with pytest.raises(InvariantViolation, match="promises_are_kept"):
        sim.settle()


def test_a_vote_that_is_lost_with_a_disk_is_found() -> None:
    sim = synod()
    sim.settle()
    sim["a"].restart()  # it has heard promises
    sim["c"].wipe()
    sim["c"].restart()
    with pytest.raises(InvariantViolation, match="votes_are_kept"):
        sim.settle()


# -- Faults

FAULTS = Faults.mix(drop=0.2, crashes=2, power_loss=0.5)


def decide(sim: Simulation, members: tuple[str, ...], proposers: tuple[str, ...]) -> None:
    """Some propose while all kinds of things go wrong; when that ends all learn one value, which a majority accepted in one ballot."""
    observer = Observer(sim, members)
    for member in members:
        setup = observer.propose if member in proposers else observer.listen
        sim.add(PatientSynod, member, acceptors=members, learners=members, setup=setup)
    sim.always(observer.agreement, "agreement")
    sim.always(observer.kept, "promises kept")
    sim.always(observer.one_value, "one value a ballot")
    sim.run(until=0.8)
    sim.sometimes("a ballot was overtaken", len({row.ballot for node in sim.up for row in node.votes}) > 1)
    sim.sometimes("a decision came under faults", any(len(node.chosen) for node in sim.up))
    sim.must(lambda: all(len(sim[member].chosen) for member in members), within_s=20, name="all learn")
    assert observer.agreement()
    assert observer.backed()
    assert observer.chosen <= observer.proposed


@random_faults(runs=60, faults=FAULTS)
def test_three_nodes_agree(sim: Simulation) -> None:
    decide(sim, MEMBERS, ("a", "b"))


@random_faults(runs=20, faults=FAULTS)
def test_five_nodes_agree(sim: Simulation) -> None:
    decide(sim, ("a", "b", "c", "d", "e"), ("a", "b", "c"))


@pytest.mark.slow
@random_faults(runs=5_000, faults=FAULTS)
def test_three_nodes_agree_in_many_runs(sim: Simulation) -> None:
    decide(sim, MEMBERS, ("a", "b", "c"))


# -- Every order


@pytest.mark.slow  # 5 s
def test_every_order_with_one_message_lost() -> None:
    found = agents("bag", loss=1).explore()
    found.raise_if_failed()
    assert found.states == 126_346


def test_every_order_with_all_messages_lost_and_repeated_at_will() -> None:
    model = agents("set")
    model.interchangeable(*ACCEPTORS)
    found = model.explore()
    found.raise_if_failed()
    assert found.states == 38_933


@pytest.mark.slow  # 12 s
def test_the_same_with_acceptors_told_apart() -> None:
    found = agents("set").explore()
    found.raise_if_failed()
    assert found.states == 223_993


@pytest.mark.slow  # half a minute
def test_the_same_with_changes_that_wait_for_the_next_tick() -> None:
    found = agents("set", atomic=False).explore()
    found.raise_if_failed()
    assert found.states == 863_166


@pytest.mark.slow  # half a minute each
@pytest.mark.parametrize(("crash", "states"), [(ACCEPTORS, 391_347), (tuple(PROPOSERS), 242_192)])
def test_the_same_with_a_crash_of_each_at_any_point(crash: tuple[str, ...], states: int) -> None:
    model = agents("set")
    model.interchangeable(*ACCEPTORS)
    model.crash(*crash)
    found = model.explore()
    found.raise_if_failed()
    assert found.states == states


@pytest.mark.slow  # half a minute
def test_every_order_with_one_message_lost_and_one_repeated() -> None:
    model = agents("bag", loss=1, duplication=1)
    model.interchangeable(*ACCEPTORS)
    found = model.explore()
    found.raise_if_failed()
    assert found.states == 410_555


@pytest.mark.slow  # a minute
def test_every_order_of_three_nodes_that_are_all_in_one() -> None:
    found = nodes("bag").explore()
    found.raise_if_failed()
    assert found.states == 1_235_197


SHORTEST = {
    "acceptance does not count as a promise": (6, "accepted_within_promise"),
    "forgotten promise (not durable): it is sent before it is safe": (7, "accepted_within_promise"),
    "wrong quorum: half is enough": (10, "agreement"),
    "ballots of two proposers equal": (12, "one_value_a_ballot"),
    "nothing accepted is reported": (14, "agreement"),
    "own value always, whatever was accepted": (14, "agreement"),
    "value of the lowest ballot reported": (14, "agreement"),
    "promise not kept: nothing is recorded": (14, "agreement"),
    "acceptor accepts in any ballot": (14, "agreement"),
    "a ballot may have two proposals: it goes on when more promises come": (15, "one_value_a_ballot"),
}
"""Of each of these mistakes how many steps it takes until it shows, and in what."""


def mutant(name: str) -> Mutant:
    return next(row for row in MUTANTS if row.name == name)


@pytest.mark.parametrize("name", SHORTEST)
def test_a_mistake_is_caught_by_a_shortest_way(name: str) -> None:
    steps, what = SHORTEST[name]
    programs = mutant(name).programs()
    model = agents("set", acceptor=programs.Acceptor, proposer=programs.Proposer)
    model.interchangeable(*ACCEPTORS)
    if "durable" in name:
        model.crash(*ACCEPTORS)
    found = model.explore()
    with pytest.raises(CounterexampleFound, match=what):
        found.raise_if_failed()
    assert found.counterexample is not None
    assert len(found.counterexample) == steps


@pytest.mark.slow  # 16 steps
def test_a_vote_that_is_forgotten_is_caught_by_a_shortest_way() -> None:
    programs = mutant("forgotten acceptance (not durable): a vote is sent before it is safe").programs()
    model = agents("set", acceptor=programs.Acceptor)
    model.interchangeable(*ACCEPTORS)
    model.crash(*ACCEPTORS)
    found = model.explore()
    assert found.counterexample is not None
    assert (len(found.counterexample), found.counterexample.what) == (16, "agreement: it does not hold")
