"""Members that come and go."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy.sim import Simulation
from bloompy_paxos.membership import UNDERTAKING_S
from tests.paxos.groups import Customer, Store, applied, eventually, group, leader, leaders, one
from tests.paxos.judge import Judge

pytestmark = pytest.mark.bloompy(trace=False)


def members_of(node: Any) -> tuple[str, ...]:
    """The members of now, where no change is under way."""
    row = one(node.program.log.config)
    return tuple(sorted(row.members)) if row.members == row.coming else ()


def change(sim: Simulation, x: Customer, head: Any, verb: str, address: str) -> None:
    """Add or remove a member, and wait for the answer."""
    answer = x.send(head.address, "member", (f"{verb}-member", address))
    sim.run_until(answer.done, limit_s=5)
    assert answer.result().code == ""


def start(sim: Simulation, names: str = "abc", **parameters: Any) -> tuple[list[Any], Any, Customer, Judge]:
    judge = Judge(sim)
    nodes = group(sim, names, **parameters)
    x = Customer(sim, "x", "abcdef")
    head = leader(sim, nodes)
    for number in range(6):
        assert x.now(head.address, "write", ("put", "k", number)) == number
    sim.run(for_s=0.2)
    return nodes, head, x, judge


def newcomer(sim: Simulation, name: str = "d", **parameters: Any) -> Any:
    return sim.add(Store, name, members=(), **parameters)


def test_a_new_member_gets_a_snapshot_and_then_counts(sim: Simulation) -> None:
    nodes, head, x, _ = start(sim)
    d = newcomer(sim)
    sim.run(for_s=0.2)
    assert applied(d) == -1
    change(sim, x, head, "add", "d")
    assert applied(d) >= 6, "it has everything before it is a member"
    eventually(sim, lambda: all(members_of(node) == ("a", "b", "c", "d") for node in (*nodes, d)), 1, "all know")
    a, b = (node for node in nodes if node is not head)
    a.crash()
    assert x.now(head.address, "write", ("put", "k", "three of four")) == "three of four"
    b.crash()
    assert x.now(head.address, "write", ("put", "k", "two of four"), within_s=0.2) is None
    b.restart()
    a.restart()
    sim.run(for_s=1)
    assert d.program.kvs.store.rows() == b.program.kvs.store.rows()


def test_a_newcomer_that_has_nothing_yet_does_not_count(sim: Simulation) -> None:
    """Also where there is little to have."""
    judge = Judge(sim)
    nodes = group(sim)
    x = Customer(sim, "x", "abc")
    head = leader(sim, nodes)
    d = newcomer(sim)
    for name in "abc":
        sim.link(name, "d").drop = 1.0
    answer = x.send(head.address, "member", ("add-member", "d"))
    sim.run(for_s=0.5)
    assert not answer.done()
    assert {members_of(node) for node in nodes} == {("a", "b", "c")}
    for name in "abc":
        sim.link(name, "d").drop = 0.0
    sim.run_until(answer.done, limit_s=1)
    assert applied(d) >= 0
    assert max(judge.members) > 0


def test_a_removed_member_falls_silent(sim: Simulation) -> None:
    nodes, head, x, _ = start(sim)
    gone = next(node for node in nodes if node is not head)
    change(sim, x, head, "remove", gone.address)
    sim.run(for_s=1)
    before = gone.send_count
    sim.run(for_s=5)
    assert gone.send_count == before
    assert members_of(head) == tuple(sorted({"a", "b", "c"} - {gone.address}))


def test_a_member_that_was_removed_while_it_was_away_falls_silent_when_it_comes_back(sim: Simulation) -> None:
    nodes, head, x, _ = start(sim, keep=3)
    gone = next(node for node in nodes if node is not head)
    gone.crash()
    change(sim, x, head, "remove", gone.address)
    for number in range(10):
        x.now(head.address, "write", ("put", "k", number))
    ballot = one(head.program.log.leads).ballot
    gone.restart()
    sim.run(for_s=3)
    before = gone.send_count
    sim.run(for_s=5)
    assert gone.send_count == before
    assert one(head.program.log.leads).ballot == ballot


def test_a_removed_leader_steps_down_and_another_leads(sim: Simulation) -> None:
    nodes, head, x, _ = start(sim)
    change(sim, x, head, "remove", head.address)
    others = [node for node in nodes if node is not head]
    eventually(sim, lambda: leaders(nodes) and leaders(nodes)[0] in others and len(leaders(nodes)) == 1, 1, "another leads")
    assert x.now(leaders(others)[0].address, "write", ("put", "k", "on")) == "on"
    sim.run(for_s=1)
    before = head.send_count
    sim.run(for_s=2)
    assert head.send_count == before


def test_of_two_changes_at_once_one_comes_after_the_other(sim: Simulation) -> None:
    nodes, head, x, judge = start(sim)
    y = Customer(sim, "y", "abc")
    d, e = newcomer(sim, "d"), newcomer(sim, "e")
    done = []

    async def add(customer: Customer, name: str) -> None:
        reply = await customer.ask("member", ("add-member", name))
        assert reply.code == ""
        done.append((name, members_of_coming(head)))

    sim.spawn(add, x, "d")
    sim.spawn(add, y, "e")
    sim.run_until(lambda: len(done) == 2, limit_s=10)
    assert all(name in there for name, there in done), "whoever is answered is a member, or about to be"
    eventually(sim, lambda: all(members_of(node) == tuple("abcde") for node in (*nodes, d, e)), 2, "all know")
    counts = [len(names) for _, names in sorted(judge.members.items())]
    assert counts == [3, 4, 5]


def test_a_newcomer_that_never_comes_up_is_in_nobodys_way(sim: Simulation) -> None:
    nodes, head, x, _ = start(sim)
    sim.add(Store, "ghost", members=()).crash()
    lost = x.send(head.address, "member", ("add-member", "ghost"))
    sim.run(for_s=0.3)
    d = newcomer(sim)
    change(sim, x, head, "add", "d")
    assert not lost.done()
    eventually(sim, lambda: all(members_of(node) == tuple("abcd") for node in (*nodes, d)), 1, "all know")


def members_of_coming(node: Any) -> tuple[str, ...]:
    return tuple(one(node.program.log.config).coming)


def test_all_members_are_replaced_one_by_one(sim: Simulation) -> None:
    nodes, head, x, judge = start(sim, keep=3)
    fresh = {}
    for old, new in zip("abc", "def", strict=True):
        fresh[new] = newcomer(sim, new, keep=3)
        everyone = [*nodes, *fresh.values()]
        change(sim, x, leader(sim, everyone), "add", new)
        eventually(sim, lambda everyone=everyone: members_of(leader(sim, everyone)), 2, "the change is over")
        answer = x.send(leader(sim, everyone).address, "member", ("remove-member", old))
        sim.run_until(answer.done, limit_s=5)
        sim[old].crash() if old != "c" else None
        eventually(sim, lambda everyone=everyone: len(leaders(everyone)) == 1 and members_of(leaders(everyone)[0]), 3, "and the other")
    sim["c"].crash()
    head = leader(sim, fresh.values())
    assert members_of(head) == ("d", "e", "f")
    assert x.now(head.address, "read", ("get", "k")) == 5
    assert x.now(head.address, "write", ("put", "k", "new")) == "new"
    judge.check_once()


def test_the_last_member_stays(sim: Simulation) -> None:
    [alone], head, x, _ = start(sim, "a")
    x.send("a", "member", ("remove-member", "a"))
    sim.run(for_s=0.5)
    assert x.now("a", "write", ("put", "k", "still here")) == "still here"


@pytest.mark.parametrize("window", [1, 2, 5])
def test_a_change_counts_from_its_slot_and_the_window_on(window: int) -> None:
    sim = Simulation(window, trace=False)
    nodes, head, x, judge = start(sim, window=window)
    at = applied(head)
    change(sim, x, head, "remove", next(node.address for node in nodes if node is not head))
    assert sorted(judge.members) == [0, at + 1 + window]
    sim.run(for_s=0.2)
    assert applied(head) == at + window, "no-ops bring it about, without any command"


def test_a_leader_of_before_does_not_decide_what_new_members_have_decided(sim: Simulation) -> None:
    """It was away while members changed: a ballot of its own needs those that count where it proposes."""
    nodes, head, x, judge = start(sim, "abc", keep=3)
    away = next(node for node in nodes if node is not head)
    for name in "de":
        newcomer(sim, name, keep=3)
    sim.partition({away.address})
    for name in "de":
        change(sim, x, head, "add", name)
        eventually(sim, lambda: members_of(head), 1, "the change is over")
    other = next(node for node in nodes if node not in (head, away))
    change(sim, x, head, "remove", other.address)
    for number in range(20):
        x.now(head.address, "write", ("put", "k", number))
    sim.run(for_s=0.2)
    head.crash()
    sim.heal()
    eventually(sim, lambda: any(sim[name].up and len(sim[name].program.log.leads) for name in ("d", "e", away.address)), 5, "a new leader")
    new = next(sim[name] for name in ("d", "e", away.address) if len(sim[name].program.log.leads))
    assert x.now(new.address, "read", ("get", "k"), within_s=5) == 19
    judge.check_once()


@pytest.mark.parametrize("command", [("add-member", 7), ("add-member",), ("swap-member", "d"), "s", 5, None])
def test_a_change_that_is_none_is_refused(sim: Simulation, command: Any) -> None:
    nodes, head, x, _ = start(sim)
    answer = x.send(head.address, "member", command)
    sim.run_until(answer.done, limit_s=1)
    assert answer.result().code == "EINVAL"
    assert x.now(head.address, "write", ("put", "k", "on")) == "on"


def test_a_newcomer_that_is_killed_when_it_has_just_caught_up_counts_when_it_comes_back(sim: Simulation) -> None:
    """What made it a member, its snapshot, has to be on its disk: it gives no promise without a configuration."""
    nodes, head, x, _ = start(sim)
    next(node for node in nodes if node is not head).crash()
    d = newcomer(sim)
    added = x.send(head.address, "member", ("add-member", "d"))
    sim.run_until(lambda: len(head.program.log.change), limit_s=5)
    d.crash()
    sim.run(for_s=1)
    d.restart()
    head.crash()
    sim.run(for_s=0.5)
    head.restart()
    eventually(sim, lambda: leaders([*nodes, d]), 5, "three of four lead")
    eventually(sim, added.done, 10, "the change is answered")
    assert x.now(leader(sim, [*nodes, d]).address, "write", ("put", "k", "on")) == "on"


def test_one_that_was_heard_long_ago_is_not_near(sim: Simulation) -> None:
    nodes, head, x, _ = start(sim)
    gone = next(node for node in nodes if node is not head)
    change(sim, x, head, "remove", gone.address)
    gone.crash()
    sim.run(for_s=20)
    added = x.send(head.address, "member", ("add-member", gone.address))
    sim.run(for_s=3)
    assert not added.done()
    assert gone.address not in members_of(head)
    assert x.now(head.address, "write", ("put", "k", "on")) == "on"


def test_a_change_that_would_leave_no_majority_is_not_made(sim: Simulation) -> None:
    nodes, head, x, _ = start(sim)
    dead, live = (node for node in nodes if node is not head)
    dead.crash()
    sim.run(for_s=1)
    removed = x.send(head.address, "member", ("remove-member", live.address))
    sim.run(for_s=3)
    assert members_of(head) == ("a", "b", "c")
    sim.run_until(removed.done, limit_s=UNDERTAKING_S)
    assert removed.result().code == "EAGAIN"
    change(sim, x, head, "remove", dead.address)


def test_a_change_that_could_not_begin_is_declined_and_never_made(sim: Simulation) -> None:
    nodes, head, x, _ = start(sim)
    added = x.send(head.address, "member", ("add-member", "ghost"))
    sim.run_until(added.done, limit_s=UNDERTAKING_S + 1)
    assert added.result().code == "EAGAIN"
    newcomer(sim, "ghost")
    sim.run(for_s=3)
    assert {members_of(node) for node in nodes} == {("a", "b", "c")}
