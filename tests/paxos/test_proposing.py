"""What a leader may propose, by members who answer as they are told to: the safety rules one by one."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy.sim import Simulation
from bloompy_paxos.batches import NO_OP, commands_of, packed, value_of
from tests.paxos.groups import Customer, Store, applied, eventually, leaders, one
from tests.paxos.puppets import Puppet

pytestmark = pytest.mark.bloompy(trace=False)


def value(name: str) -> Any:
    """A value of one command."""
    return value_of(1.0, ((name, 1, packed((name, 1, "write", ("put", "k", name)))),), ())


def candidate(sim: Simulation, *puppets: str, answers: tuple[str, ...] = ("canvass",), **parameters: Any) -> tuple[Any, list[Puppet]]:
    """A real node, a, which has begun a ballot, and the other members of its group."""
    others = [Puppet(sim, name, answers) for name in puppets]
    node = sim.add(Store, "a", members=("a", *puppets), **parameters)
    eventually(sim, lambda: all(other.heard["p1a"] for other in others), 3, "a begins a ballot")
    return node, others


def ballot_of(puppet: Puppet) -> Any:
    return puppet.heard["p1a"][-1].ballot


def test_the_value_of_the_highest_ballot_is_proposed_whatever_comes_last(sim: Simulation) -> None:
    a, (b, c) = candidate(sim, "b", "c")
    sim.link("c", "a").latency_s = 0.0005
    ballot = ballot_of(b)
    c.promise("a", ballot, votes={1: ((0, "z"), value("high"))})  # it comes first
    b.promise("a", ballot, votes={1: ((0, "y"), value("low"))})
    sim.run(for_s=0.05)
    assert b.proposals() == {1: value("high")}


def test_the_highest_ballot_of_each_slot_counts_by_itself(sim: Simulation) -> None:
    a, (b, c, d, e) = candidate(sim, "b", "c", "d", "e")
    ballot = ballot_of(b)
    b.promise("a", ballot, votes={1: ((0, "x"), value("b1")), 2: ((0, "z"), value("b2"))})
    c.promise("a", ballot, votes={1: ((0, "y"), value("c1")), 2: ((0, "y"), value("c2"))})
    sim.run(for_s=0.05)
    assert b.proposals() == {1: value("c1"), 2: value("b2")}


def test_holes_are_filled_with_no_ops(sim: Simulation) -> None:
    a, (b, c) = candidate(sim, "b", "c")
    b.promise("a", ballot_of(b), votes={2: ((0, "y"), value("two")), 4: ((0, "z"), value("four"))})
    sim.run(for_s=0.05)
    assert b.proposals() == {1: NO_OP, 2: value("two"), 3: NO_OP, 4: value("four")}


def test_commands_wait_until_the_votes_of_others_are_seen_to(sim: Simulation) -> None:
    a, (b, c) = candidate(sim, "b", "c", answers=("canvass", "p2a", "heartbeat"), window=2)
    x = Customer(sim, "x", "a")
    b.promise("a", ballot_of(b), votes={5: ((0, "y"), value("five"))})
    sim.run(for_s=0.003)
    done = x.send("a", "write", ("put", "k", "new"))
    sim.run_until(done.done)
    proposed = b.proposals()
    assert [proposed[slot] for slot in range(1, 6)] == [NO_OP] * 4 + [value("five")]
    assert [name for name, _, _ in commands_of(proposed[6])] == ["x"]
    slots = [row.slot for row in b.heard["p2a"]]
    assert slots == sorted(slots)


def test_a_promise_counts_once_however_often_it_comes(sim: Simulation) -> None:
    a, (b, c, d, e) = candidate(sim, "b", "c", "d", "e")
    ballot = ballot_of(b)
    for applied_there in range(3):
        b.promise("a", ballot, applied=applied_there)
    sim.run(for_s=0.02)
    assert not leaders([a])
    c.promise("a", ballot)
    sim.run(for_s=0.02)
    assert leaders([a]) == [a]


def test_a_promise_counts_when_all_its_votes_are_there(sim: Simulation) -> None:
    a, (b, c) = candidate(sim, "b", "c")
    votes = {1: ((0, "y"), value("one")), 2: ((0, "y"), value("two"))}
    b.promise("a", ballot_of(b), votes=votes, whole=False)
    sim.run(for_s=0.02)
    assert not leaders([a])
    assert b.proposals() == {}
    b.say("report", "a", "b", 2, *votes[2])
    sim.run(for_s=0.02)
    assert b.proposals() == {1: value("one"), 2: value("two")}


def test_promises_of_another_ballot_and_of_strangers_do_not_count(sim: Simulation) -> None:
    a, (b, c) = candidate(sim, "b", "c")
    stranger = Puppet(sim, "stranger")
    number, name = ballot_of(b)
    b.promise("a", (number - 1, name))
    b.promise("a", (number + 1, name))
    stranger.promise("a", (number, name))
    sim.run(for_s=0.02)
    assert not leaders([a])


def test_what_a_promise_says_was_applied_is_not_proposed_again(sim: Simulation) -> None:
    """Its votes for it may be gone, and a no-op there would be another value."""
    a, (b, c) = candidate(sim, "b", "c", answers=("canvass", "heartbeat"), window=4)
    b.promise("a", ballot_of(b), applied=3, votes={4: ((0, "y"), value("four"))})
    sim.run(for_s=0.2)
    assert {row.node for row in b.heard["fetch"]} == {"b"}
    assert 0 < min(b.proposals()) == 4
    for slot in (1, 2, 3):
        b.say("learn", "a", slot, value(f"v{slot}"))
    sim.run(for_s=0.01)
    assert applied(a) == 3


def test_a_member_that_comes_later_and_is_ahead_is_believed(sim: Simulation) -> None:
    """The same when the promise comes after the first proposals of the ballot."""
    a, (b, c) = candidate(sim, "b", "c", answers=("canvass", "heartbeat"), window=8)
    b.promise("a", ballot_of(b), votes={1: ((0, "y"), value("one"))})
    sim.run(for_s=0.02)
    assert set(b.proposals()) == {1}
    c.promise("a", ballot_of(b), applied=5)
    sim.run(for_s=0.02)
    Customer(sim, "x", "a").send("a", "write", ("put", "k", "new"))
    sim.run(for_s=0.02)
    assert set(b.proposals()) == {1, 6}


def test_votes_of_different_ballots_and_slots_are_not_added_up(sim: Simulation) -> None:
    a, (b, c, d, e) = candidate(sim, "b", "c", "d", "e", answers=("canvass", "p1a", "heartbeat"))
    eventually(sim, lambda: leaders([a]), 1, "a leads")
    x = Customer(sim, "x", "a")
    x.send("a", "write", ("put", "k", 1))
    sim.run(for_s=0.01)
    [first] = {row.ballot for row in b.heard["p2a"]}
    b.say("p2b", "a", "b", (first[0] - 1, "a"), 1)
    c.say("p2b", "a", "c", first, 2)
    d.say("p2b", "a", "d", (first[0] + 1, "a"), 1)
    for _ in range(3):
        e.say("p2b", "a", "e", first, 1)
    sim.run(for_s=0.02)
    assert applied(a) == 0
    b.say("p2b", "a", "b", first, 1)
    sim.run(for_s=0.02)
    assert applied(a) == 1


def test_the_window_bounds_what_is_under_way_and_a_batch_what_is_in_a_slot(sim: Simulation) -> None:
    a, (b, c) = candidate(sim, "b", "c", answers=("canvass", "p1a", "heartbeat"), window=3, batch_commands=2)
    eventually(sim, lambda: leaders([a]), 1, "a leads")
    x = Customer(sim, "x", "a")
    answers = [x.send("a", "write", ("put", "k", number), acked=1) for number in range(12)]
    sim.run(for_s=0.1)
    assert set(b.proposals()) == {1, 2, 3}
    assert [len(commands_of(proposed)) for proposed in b.proposals().values()] == [2, 2, 2]
    b.vote(b.heard["p2a"][0])
    sim.run(for_s=0.01)
    assert set(b.proposals()) == {1, 2, 3, 4}
    assert [answer.done() for answer in answers] == [True] * 2 + [False] * 10
    b.faithful.add("p2a")
    for slot in (2, 3, 4):
        b.say("p2b", "a", "b", b.heard["p2a"][0].ballot, slot)
    sim.run(for_s=0.1)
    assert all(answer.done() for answer in answers)
    assert max(b.proposals()) == 6, "twelve commands, two in a slot"
    assert {answer.result().result for answer in answers} == set(range(12))


def test_slots_are_applied_in_order_whatever_order_they_are_decided_in(sim: Simulation) -> None:
    a, (b, c) = candidate(sim, "b", "c", answers=("canvass", "p1a", "heartbeat"), batch_commands=1)
    eventually(sim, lambda: leaders([a]), 1, "a leads")
    x = Customer(sim, "x", "a")
    for number in range(3):
        x.send("a", "write", ("put", "k", number), acked=1)
    sim.run(for_s=0.01)
    ballot = b.heard["p2a"][0].ballot
    for slot, expected in ((3, 0), (2, 0), (1, 3)):
        b.say("p2b", "a", "b", ballot, slot)
        sim.run(for_s=0.01)
        assert applied(a) == expected
    assert [row.number for row in sorted(a.program.journal)] == [1, 2, 3]


def test_an_acceptor_votes_for_nothing_below_its_promise(sim: Simulation) -> None:
    b, c = (Puppet(sim, name) for name in "bc")
    a = sim.add(Store, "a", members=("a", "b", "c"))
    sim.run(for_s=0.01)
    b.say("p1a", "a", "b", (5, "b"), 1)
    sim.run(for_s=0.01)
    c.say("p2a", "a", "c", (4, "c"), 1, value("low"))
    c.say("p1a", "a", "c", (4, "c"), 1)
    sim.run(for_s=0.01)
    assert not a.program.log.vote
    assert [row.promised for row in c.heard["nack"]] == [(5, "b"), (5, "b")] or [row.promised for row in c.heard["nack"]] == [(5, "b")]
    assert not c.heard["p1b"]
    b.say("p2a", "a", "b", (5, "b"), 1, value("high"))
    sim.run(for_s=0.01)
    assert one(a.program.log.vote) == (1, (5, "b"), value("high"))
    assert [row.slot for row in b.heard["p2b"]] == [1]


def test_promises_and_votes_outlive_a_power_failure(sim: Simulation) -> None:
    b, c = (Puppet(sim, name) for name in "bc")
    a = sim.add(Store, "a", members=("a", "b", "c"))
    sim.run(for_s=0.01)
    b.say("p1a", "a", "b", (5, "b"), 1)
    sim.run(for_s=0.01)
    b.say("p2a", "a", "b", (5, "b"), 1, value("high"))
    sim.run(for_s=0.01)
    a.power_loss()
    a.restart()
    sim.run(for_s=0.01)
    for number in (4, 6):
        c.say("p1a", "a", "c", (number, "c"), 1)
        sim.run(for_s=0.01)
    assert [(row.ballot, row.votes) for row in c.heard["p1b"]] == [((6, "c"), ((1, (5, "b")),))]


def test_what_a_leader_heard_of_another_ballot_it_does_not_tell_as_its_own(sim: Simulation) -> None:
    """Who voted in its ballot would take its vote for what was decided."""
    a, (b, c, d, e) = candidate(sim, "b", "c", "d", "e", answers=("canvass", "p1a", "heartbeat"))
    eventually(sim, lambda: leaders([a]), 1, "a leads")
    Customer(sim, "x", "a").send("a", "write", ("put", "k", "mine"))
    sim.run(for_s=0.01)
    b.vote(b.heard["p2a"][0])  # two of five
    c.say("learn", "a", 1, value("theirs"))  # an answer that was long under way, of a ballot that a has not heard of
    sim.run(for_s=0.2)
    ballot = b.heard["p2a"][0].ballot
    told = [row.slot for channel in ("decision", "heartbeat") for row in b.heard[channel] if row.ballot == ballot]
    assert max(told) == 0
