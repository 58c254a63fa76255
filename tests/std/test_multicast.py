"""Best-effort and reliable multicast, and total order by a sequencer."""

from __future__ import annotations

from functools import partial

import pytest

from bloompy import Bloom, interface, module, rule
from bloompy.sim import Faults, Simulation
from bloompy.std import BestEffortMulticast, Multicast, ReliableMulticast, TotalOrderMulticast
from tests.std.scenarios import agreement, campaign, finds, group, told, total_order
from tests.std.stepping import Stepped

MIX = Faults.mix(crashes=2)


def received(sim: Simulation, node: str) -> list:
    """What a node received, in order."""
    return [one.row for one in told(sim, "received", node)]


@pytest.mark.parametrize("protocol", [BestEffortMulticast, ReliableMulticast, partial(TotalOrderMulticast, sequencer="a")])
def test_every_member_receives_what_one_casts(protocol: type[Multicast]) -> None:
    cluster = Stepped(protocol, "abcd")
    for name in "abcd":
        cluster[name].join.insert("a", "b", "c")
    cluster.run(0.3)
    cluster["b"].cast.insert((1, "hello"))
    cluster.run(3)
    for name in "abc":
        assert cluster.out("received", name) == [("b", 1, "hello")]
    assert cluster.out("received", "d") == []


@pytest.mark.parametrize("protocol", [BestEffortMulticast, ReliableMulticast])
def test_who_leaves_is_sent_nothing_more(protocol: type[Multicast]) -> None:
    cluster = Stepped(protocol, "ab")
    cluster["a"].join.insert("a", "b")
    cluster.run(0.2)
    cluster["a"].leave.insert("b")
    cluster.run(0.2)
    cluster["a"].cast.insert((1, "hello"))
    cluster.run(2)
    assert cluster.out("received") == [("a", 1, "hello")]


def test_who_leaves_and_joins_in_one_tick_is_a_member() -> None:
    program = ReliableMulticast("a")
    program.join.insert("b")
    program.leave.insert("b")
    program.tick()
    program.tick()
    assert program.member.rows() == {("b",)}


def killed_while_casting(protocol: type[Bloom]) -> Simulation:
    """a casts; only b is reached before a dies for ever."""
    sim = Simulation()
    a, *_ = group(sim, protocol, "abc")
    sim.run(for_s=0.01)
    sim.partition({"a"}, {"c"})
    a.cast.insert((1, "hello"))
    sim.run(for_s=0.01)
    a.crash()
    sim.heal()
    sim.run(for_s=5)
    return sim


def test_members_relay_what_its_caster_could_not_send() -> None:
    sim = killed_while_casting(ReliableMulticast)
    assert received(sim, "b") == received(sim, "c") == [("a", 1, "hello")]


def test_best_effort_leaves_members_that_do_not_agree() -> None:
    sim = killed_while_casting(BestEffortMulticast)
    assert (received(sim, "b"), received(sim, "c")) == ([("a", 1, "hello")], [])


def test_a_relay_that_crashes_goes_on_relaying() -> None:
    sim = Simulation()
    a, b, _ = group(sim, ReliableMulticast, "abc")
    sim.run(for_s=0.01)
    sim.partition({"c"}, {"a", "b"})
    a.cast.insert((1, "hello"))
    sim.run(for_s=0.01)
    a.crash()
    b.restart()
    sim.heal()
    sim.run(for_s=0.1)  # no retry is needed: what is pending is sent at the start
    assert received(sim, "c") == [("a", 1, "hello")]
    assert received(sim, "b") == [("a", 1, "hello")]


def test_the_living_agree_under_faults() -> None:
    campaign(partial(agreement, protocol=ReliableMulticast), 15, MIX)


def test_best_effort_multicast_does_not_agree() -> None:
    class Silent(BestEffortMulticast):
        """Takes the parameter of the other."""

        retry_s = ReliableMulticast.retry_s

    assert finds(partial(agreement, protocol=Silent), 20, MIX) is not None


# --- total order ------------------------------------------------------------------------------------------------


def test_messages_cast_at_once_are_received_in_one_order() -> None:
    sim = Simulation()
    nodes = group(sim, TotalOrderMulticast, "abc", sequencer="b")
    sim.run(for_s=0.01)
    for node in nodes:
        node.cast.insert((1, f"of {node.address}"))
    sim.run(for_s=2)
    assert received(sim, "a") == received(sim, "b") == received(sim, "c")
    assert len(received(sim, "a")) == 3
    assert [(row.place, row.src) for row in sorted(sim["b"].log)] == [(i, row[0]) for i, row in enumerate(received(sim, "a"))]


def test_nothing_is_received_while_the_sequencer_is_down_and_all_when_it_is_back() -> None:
    sim = Simulation()
    nodes = group(sim, TotalOrderMulticast, "abc", sequencer="a")
    sim.run(for_s=0.01)
    nodes[0].crash()
    nodes[1].cast.insert((1, "one"))
    nodes[2].cast.insert((1, "other"))
    sim.run(for_s=5)
    assert received(sim, "b") == received(sim, "c") == []
    nodes[0].restart()
    sim.run(for_s=2)
    assert received(sim, "b") == received(sim, "c")
    assert len(received(sim, "b")) == 2


def test_a_member_that_joins_later_receives_everything() -> None:
    sim = Simulation()
    a, *_ = group(sim, TotalOrderMulticast, "ab", sequencer="a")
    sim.run(for_s=0.01)
    for no in range(3):
        a.cast.insert((no, f"m{no}"))
    sim.run(for_s=0.5)
    sim.add(TotalOrderMulticast, "z", sequencer="a")
    a.join.insert("z")
    a.cast.insert((3, "m3"))
    sim.run(for_s=2)
    assert received(sim, "z") == received(sim, "b") == [("a", no, f"m{no}") for no in range(4)]


def test_total_order_holds_under_faults() -> None:
    campaign(partial(total_order, protocol=TotalOrderMulticast), 10, MIX)


def test_reliable_multicast_has_no_total_order() -> None:
    class Unordered(ReliableMulticast):
        """Takes the parameter of the other."""

        sequencer = TotalOrderMulticast.sequencer

    assert finds(partial(total_order, protocol=Unordered), 20, MIX) is not None


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "protocol"), [(agreement, ReliableMulticast), (total_order, TotalOrderMulticast)])
def test_multicast_under_faults_for_long(scenario: object, protocol: type[Bloom]) -> None:
    campaign(partial(scenario, protocol=protocol, count=10), 60, Faults.mix(crashes=4, partitions=3, disk_errors=1), 1_000)  # type: ignore[arg-type]


# --- one interface ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [BestEffortMulticast, ReliableMulticast])
def test_multicasts_are_swapped_by_the_name_of_a_module(protocol: type[Multicast]) -> None:
    class Chat(Bloom):
        say = interface.input("no: int -> text: str")
        heard = interface.output("src, text")
        members = interface.input("address: str")
        room = module(protocol)

        @rule
        def talk(self) -> None:
            self.room.join <= self.members
            self.room.cast <= self.say
            self.heard <= ((r.src, r.payload) for r in self.room.received)

    sim = Simulation()
    nodes = [sim.add(Chat, name) for name in "ab"]
    for node in nodes:
        node.members.insert("a", "b")
    sim.run(for_s=0.01)
    nodes[0].say.insert((1, "hello"))
    sim.run(for_s=2)
    assert [one.row for one in told(sim, "heard", "b")] == [("a", "hello")]
