"""Exactly once, whoever leads and however often it is asked; sessions; results; stale requests."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy.sim import Simulation
from tests.paxos.groups import Customer, eventually, group, leader, leaders
from tests.paxos.judge import Judge

pytestmark = pytest.mark.bloompy(trace=False)


def wait(sim: Simulation, answer: Any, limit_s: float = 2.0) -> Any:
    """The reply row of an answer, once it is there."""
    sim.run_until(answer.done, limit_s=limit_s)
    return answer.result()


def test_a_request_reaches_the_leader_by_any_replica_and_the_leader_answers(sim: Simulation) -> None:
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    sim.run(for_s=0.1)
    for number, node in enumerate(nodes):
        reply = wait(sim, x.send(node.address, "write", ("put", "k", number)))
        assert (reply.replica, reply.code, reply.result) == (head.address, "", number)
    eventually(sim, lambda: {row for node in nodes for row in node.program.kvs.store} == {("k", 2)}, 1, "all have it")


def test_a_retry_gets_the_answer_of_the_first_try(sim: Simulation) -> None:
    judge = Judge(sim)
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    assert wait(sim, x.send(head.address, "write", ("put", "k", "mine"), number=1)).result == "mine"
    Customer(sim, "y").now(head.address, "write", ("put", "k", "other"))
    assert wait(sim, x.send(head.address, "write", ("put", "k", "mine"), number=1)).result == "mine"
    sim.run(for_s=0.1)
    assert {row.value for node in nodes for row in node.program.kvs.store} == {"other"}
    follower = next(node for node in nodes if node is not head)
    reply = wait(sim, x.send(follower.address, "write", ("put", "k", "mine"), number=1))
    assert (reply.result, reply.replica) == ("mine", follower.address), "whoever has the answer gives it"
    judge.check_once()


def test_many_tries_at_once_are_one(sim: Simulation) -> None:
    judge = Judge(sim)
    nodes = group(sim, batch_commands=2)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    for _ in range(5):
        for node in nodes:
            x.send(node.address, "write", ("put", "k", 1), number=1)
        sim.run(for_s=0.001)
    sim.run(for_s=0.2)
    judge.check_once()
    assert sorted(judge.commands.values()) == [("x", 1)]
    assert head.program.kvs.store["k"].value == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_retry_at_a_new_leader_is_applied_once(seed: int) -> None:
    """The old leader died when the command was decided, and before its client heard of it."""
    sim = Simulation(seed, trace=False)
    judge = Judge(sim)
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    sim.partition({head.address}, {"x"}, one_way=True)
    answer = x.send(head.address, "write", ("put", "k", "x's"), number=1)
    sim.run(for_s=0.05)
    assert not answer.done()
    Customer(sim, "y").now(head.address, "write", ("put", "k", "y's"))
    head.crash()
    sim.heal()
    others = [node for node in nodes if node is not head]
    eventually(sim, lambda: leaders(others), 1, "a new leader")
    assert wait(sim, x.send(others[0].address, "write", ("put", "k", "x's"), number=1)).result == "x's"
    head.restart()
    sim.run(for_s=0.5)
    assert {row.value for node in nodes for row in node.program.kvs.store} == {"y's"}
    judge.check_once()


def test_a_request_that_was_answered_and_confirmed_is_not_done_again(sim: Simulation) -> None:
    """A copy of it that was long under way comes when its result is forgotten."""
    judge = Judge(sim)
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    wait(sim, x.send(head.address, "write", ("put", "k", "first"), number=1))
    wait(sim, x.send(head.address, "write", ("put", "k", "second"), number=2, acked=2))
    sim.run(for_s=0.1)
    assert {(row.session, row.number) for row in head.program.answered} == {("x", 2)}
    x.send(head.address, "write", ("put", "k", "first"), number=1, acked=1)
    sim.run(for_s=0.2)
    assert head.program.kvs.store["k"].value == "second"
    judge.check_once()


def test_all_replicas_forget_a_silent_client_alike(sim: Simulation) -> None:
    judge = Judge(sim)
    nodes = group(sim, session_retention_s=1.0, sweep_s=0.25)
    nodes[0].skew(0.4)  # only the clock of the leader counts, and what it writes into decrees
    nodes[1].skew(-0.4)
    x, y = Customer(sim, "x"), Customer(sim, "y")
    head = leader(sim, nodes)
    x.now(head.address, "write", ("put", "k", 1))
    held = []
    for number in range(6):
        y.now(head.address, "write", ("put", "l", number))
        held.append("x" in {row.session for row in head.program.session})
        sim.run(for_s=0.3)
    assert held[0]
    assert not held[-1]
    assert held == sorted(held, reverse=True)
    assert {row.session for node in nodes for row in node.program.session} == {"y"}
    assert {row.session for node in nodes for row in node.program.answered} == {"y"}
    assert len(judge.states) > 5, "the judge has compared the states after each slot"


def test_reads_and_refused_requests_take_no_slot(sim: Simulation) -> None:
    nodes = group(sim)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    x.now(head.address, "write", ("put", "k", 1))
    before = head.program.log.applied.rows()
    for kind, command in (("read", ("get", "k")), ("stale", ("get", "k"))):
        assert wait(sim, x.send(head.address, kind, command)).code == ""
    bad = [("write", 5), ("write", ()), ("write", ("put", "k")), ("write", ("get", "k")), ("write", ("put", float("nan"), 1)),
           ("write", ("put", "k", float("nan"))), ("write", ("put", ((float("nan"),),), 1)), ("write", ("put", "k", frozenset({float("nan")}))),
           ("write", ("drop", "k")), ("read", ("put", "k", 1)), ("read", None), ("stale", ("get",)), ("bogus", ("get", "k"))]  # fmt: skip
    for kind, command in bad:
        assert wait(sim, x.send(head.address, kind, command)).code == "EINVAL", (kind, command)
    assert wait(sim, x.send(head.address, "write", ("put", "k", "x" * 1_000_001))).code == "E2BIG"
    assert head.program.log.applied.rows() == before
    assert not head.program.dead_letter


def test_commands_of_one_client_keep_their_order(sim: Simulation) -> None:
    judge = Judge(sim)
    nodes = group(sim, batch_commands=3, window=2)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    answers = [x.send(head.address, "write", ("put", "k", number), acked=1) for number in range(20)]
    for answer in answers:
        wait(sim, answer)
    assert [number for _, number in (judge.commands[index] for index in sorted(judge.commands))] == list(range(1, 21))
    assert head.program.kvs.store["k"].value == 19


def test_what_a_replica_says_of_itself(sim: Simulation) -> None:
    nodes = group(sim, keep=3)
    x = Customer(sim, "x")
    head = leader(sim, nodes)
    for number in range(8):
        x.now(head.address, "write", ("put", "k", number))
    sim.run(for_s=0.2)
    said = {}
    x.node.program.status.on_insert(lambda row: said.__setitem__(row.replica, row))
    for node in nodes:
        x.node.driver.outbox.add("status_request", ((node.address, "x", 1),))
    x.node.driver.wake()
    sim.run(for_s=0.01)
    assert {row.role for row in said.values()} == {"leader", "follower"}
    assert {row.leader for row in said.values()} == {head.address}
    assert len({row.ballot for row in said.values()}) == 1
    assert {(row.decided, row.applied, row.members) for row in said.values()} == {(8, 8, ("a", "b", "c"))}
    assert all(5 <= row.first <= 6 for row in said.values())
    peers = {address: (there, heard) for address, there, heard in said[head.address].peers}
    assert set(peers) == {"a", "b", "c"} - {head.address}
    assert all(there == 8 and 0 <= heard < 0.06 for there, heard in peers.values())
