"""Best effort, reliable, FIFO and causal delivery: what each promises, what the weaker ones do not, and that they are swapped by name."""

from __future__ import annotations

from functools import cache, partial

import anyio
import pytest

from bloompy import Bloom, Node, interface, module, rule, table
from bloompy.errors import KeyConflict
from bloompy.sim import Faults, Simulation
from bloompy.std import BestEffortDelivery, CausalDelivery, Delivery, FifoDelivery, ReliableDelivery
from tests.runtime.waiting import until
from tests.std.scenarios import campaign, causal, deliver_once, exactly_once, fifo, finds, told
from tests.std.stepping import Stepped

MIX = Faults.mix(crashes=2)
RELIABLE = [ReliableDelivery, FifoDelivery, CausalDelivery]


def received(sim: Simulation | Stepped, node: str = "b") -> list:
    """What a node received, in order."""
    if isinstance(sim, Stepped):
        return [(row[1], row[2]) for row in sim.out("received", node)]
    return [one.row[1:] for one in told(sim, "received", node)]


# --- best effort ------------------------------------------------------------------------------------------------


def test_best_effort_sends_once_and_is_done() -> None:
    cluster = Stepped(BestEffortDelivery, "ab")
    cluster["a"].send.insert(("b", 1, "hello"))
    tick = cluster.tick("a")
    assert tick.sent["message"] == [("b", "a", 1, "hello")]
    assert cluster.out("sent", "a") == [("b", 1, "hello")]
    cluster.run(2)
    assert cluster.out("received", "b") == [("a", 1, "hello")]
    assert cluster.sent == {"message": 1}


def test_best_effort_does_not_notice_a_loss() -> None:
    cluster = Stepped(BestEffortDelivery, "ab")
    cluster.lose("message")
    cluster["a"].send.insert(("b", 1, "hello"))
    cluster.run(1)
    cluster.lose()
    cluster.run(5)
    assert (cluster.out("received"), cluster.out("sent")) == ([], [("b", 1, "hello")])


@pytest.mark.parametrize("broken", [Faults(drop=0.2), Faults(duplicate=0.2), Faults(crashes=2)], ids=["loss", "repetition", "crash"])
def test_best_effort_is_not_reliable(broken: Faults) -> None:
    class Silent(BestEffortDelivery):
        """Takes the parameter of the others."""

        retry_s = ReliableDelivery.retry_s

    assert finds(partial(deliver_once, protocol=Silent), 20, broken) is not None


# --- reliable ---------------------------------------------------------------------------------------------------


def test_a_message_is_sent_again_until_it_is_acknowledged() -> None:
    cluster = Stepped(partial(ReliableDelivery, retry_s=0.5), "ab")
    cluster["a"].send.insert(("b", 1, "hello"))
    cluster.lose("message")
    cluster.run(2.2)
    assert cluster.sent["message"] == 5  # at once, then every half second
    assert cluster["a"].pending.rows() == {("b", 1, "hello")}
    cluster.lose("ack")
    cluster.run(1)
    assert received(cluster) == [(1, "hello")]
    assert cluster.out("sent") == []
    cluster.lose()
    cluster.run(1)
    assert received(cluster) == [(1, "hello")]
    assert cluster.out("sent") == [("b", 1, "hello")]
    before = cluster.sent.copy()
    cluster.run(3)
    assert (cluster.sent, len(cluster["a"].pending)) == (before, 0)


def test_a_sender_that_crashed_goes_on_at_its_start() -> None:
    cluster = Stepped(ReliableDelivery, "ab")
    cluster.lose("message")
    cluster["a"].send.insert(("b", 1, "hello"))
    cluster.run(0.2)
    cluster.crash("a")
    cluster.lose()
    cluster.run(2)
    assert received(cluster) == []
    cluster.start("a")
    cluster.run(0.3)
    assert received(cluster) == [(1, "hello")]


def test_a_receiver_that_crashed_knows_what_it_has_received() -> None:
    cluster = Stepped(ReliableDelivery, "ab")
    cluster["a"].send.insert(("b", 1, "hello"))
    cluster.lose("ack")
    cluster.run(1)
    cluster.crash("b")
    cluster.start("b")
    cluster.run(1)
    assert received(cluster) == [(1, "hello")]
    cluster.lose()
    cluster.run(1)
    assert received(cluster) == [(1, "hello")]
    assert cluster.out("sent") == [("b", 1, "hello")]


def test_what_is_settled_need_not_be_remembered() -> None:
    cluster = Stepped(ReliableDelivery, "b")
    node = cluster["b"]
    for no in (1, 2, 3):
        node.message.insert(("b", "a", no, f"m{no}"))
    cluster.run(0.2)
    assert node.delivered.rows() == {("a", 1), ("a", 2), ("a", 3)}
    node.settled.insert(("a", 3))
    cluster.run(0.3)
    assert node.delivered.rows() == {("a", 3)}
    for no in (1, 2, 3, 4):
        node.message.insert(("b", "a", no, f"m{no}"))
    cluster.run(0.2)
    assert [no for no, _ in received(cluster)] == [1, 2, 3, 4]


def test_one_name_for_two_messages_is_a_conflict() -> None:
    program = ReliableDelivery("a")
    program.send.insert(("b", 1, "one"))
    program.tick()
    program.send.insert(("b", 1, "other"))
    with pytest.raises(KeyConflict, match="two rows with one key in 'pending'"):
        program.tick()


@pytest.mark.parametrize(("protocol", "scenario"), [(ReliableDelivery, exactly_once), (FifoDelivery, fifo), (CausalDelivery, causal)])
@pytest.mark.parametrize("faults", [MIX, Faults.mix(drop=0.3, duplicate=0.3, delay=0.5, delay_s=(0.0, 1.0))], ids=["mix", "network"])
def test_promises_hold_under_faults(protocol: type[Delivery], scenario: object, faults: Faults) -> None:
    campaign(partial(scenario, protocol=protocol), 12, faults)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(("protocol", "scenario"), [(ReliableDelivery, exactly_once), (FifoDelivery, fifo), (CausalDelivery, causal)])
def test_promises_hold_under_faults_for_long(protocol: type[Delivery], scenario: object) -> None:
    campaign(partial(scenario, protocol=protocol, count=20), 100, Faults.mix(crashes=4, partitions=3, disk_errors=1), 1_000)  # type: ignore[arg-type]


# --- order ------------------------------------------------------------------------------------------------------


def held_back(protocol: type[Bloom]) -> Simulation:
    """Two messages from a to b, of which the first is held on the way."""
    sim = Simulation()
    a, _ = (sim.add(protocol, name) for name in "ab")
    sim.hold("a", "b")
    a.send.insert(("b", 1, "first"))
    sim.run(for_s=0.01)
    sim.link("a", "b").holds = False  # what comes later passes
    a.send.insert(("b", 2, "second"))
    sim.run(for_s=0.1)
    return sim


def test_reliable_delivery_keeps_no_order() -> None:
    assert received(held_back(ReliableDelivery)) == [(2, "second")]


@pytest.mark.parametrize("protocol", [FifoDelivery, CausalDelivery])
def test_a_message_that_came_early_waits(protocol: type[Bloom]) -> None:
    sim = held_back(protocol)
    assert received(sim) == []
    sim["b"].restart()  # what waits is on disk
    sim.run(for_s=2)  # the first is sent again
    assert received(sim) == [(1, "first"), (2, "second")]
    first, second = told(sim, "received", "b")
    assert first.tick < second.tick


def test_messages_of_one_tick_are_received_one_by_one_in_the_order_of_their_names() -> None:
    cluster = Stepped(FifoDelivery, "ab")
    cluster["a"].send.insert(("b", 5, "y"), ("b", 3, "x"), ("b", 7, "z"))
    cluster.tick("a")
    cluster.deliver()
    cluster.tick("b")
    assert received(cluster) == [(3, "x")]
    cluster.tick("b")
    cluster.tick("b")
    assert received(cluster) == [(3, "x"), (5, "y"), (7, "z")]


def test_fifo_remembers_one_number_a_peer() -> None:
    cluster = Stepped(FifoDelivery, "ab")
    for no in range(20):
        cluster["a"].send.insert(("b", no, "x"))
        cluster.round()
    cluster.run(1)
    b = cluster["b"]
    assert len(received(cluster)) == 20
    assert (b.next.rows(), len(b.early), len(b.net.delivered), b.net.floor.rows()) == ({("a", 21)}, 0, 0, {("a", 21)})


@pytest.mark.parametrize(("protocol", "kept"), [(FifoDelivery, False), (CausalDelivery, True)])
def test_only_causal_delivery_keeps_order_over_a_third_node(protocol: type[Bloom], kept: bool) -> None:
    """a tells c, then b; b, having heard, tells c, whose message from a is held."""
    sim = Simulation()
    a, b, _ = (sim.add(protocol, name) for name in "abc")
    hold = sim.hold("a", "c")
    a.send.insert(("c", 1, "cause"))
    sim.run(for_s=0.01)
    a.send.insert(("b", 2, "go"))
    sim.run_until(lambda: received(sim, "b"))
    b.send.insert(("c", 3, "effect"))
    sim.run(for_s=0.1)
    assert received(sim, "c") == ([] if kept else [(3, "effect")])
    hold.release()
    sim.run(for_s=1)
    assert [payload for _, payload in received(sim, "c")] == (["cause", "effect"] if kept else ["effect", "cause"])


def test_a_message_sent_in_the_tick_of_its_cause_depends_on_it() -> None:
    class Echo(CausalDelivery):
        @rule
        def tell_c(self) -> None:
            self.send <= (("c", ("echo", r.no), "effect") for r in self.received if self.me == "b")

    sim = Simulation()
    a, *_ = (sim.add(Echo, name) for name in "abc")
    hold = sim.hold("a", "c")
    a.send.insert(("c", 1, "cause"))
    sim.run(for_s=0.01)
    a.send.insert(("b", 2, "go"))
    sim.run(for_s=0.1)
    assert received(sim, "c") == []
    hold.release()
    sim.run(for_s=1)
    assert [payload for _, payload in received(sim, "c")] == ["cause", "effect"]


@pytest.mark.parametrize(("protocol", "scenario"), [(ReliableDelivery, fifo), (FifoDelivery, causal), (BestEffortDelivery, fifo)])
def test_the_next_weaker_protocol_is_found_out(protocol: type[Delivery], scenario: object) -> None:
    late = Faults(delay=0.5, delay_s=(0.0, 1.0))

    class Weak(protocol):  # type: ignore[misc, valid-type]
        retry_s = ReliableDelivery.retry_s

    assert finds(partial(scenario, protocol=Weak if protocol is BestEffortDelivery else protocol), 60, late) is not None  # type: ignore[arg-type]


# --- one interface ----------------------------------------------------------------------------------------------


@cache
def mailing(protocol: type[Delivery]) -> type[Bloom]:
    """A program that knows a delivery protocol by its name only."""

    class Mailing(Bloom):
        post = interface.input("to: str, no: int -> text: str")
        inbox = table("src: str, no: int -> text: str", durable=True)
        posted = table("to: str, no: int", durable=True)
        net = module(protocol)

        @rule
        def mail(self) -> None:
            self.net.send <= ((p.to, p.no, p.text) for p in self.post)
            self.posted <= ((s.dst, s.no) for s in self.net.sent)
            self.inbox <= ((r.src, r.no, r.payload) for r in self.net.received)

    return Mailing


@pytest.mark.parametrize("protocol", [BestEffortDelivery, *RELIABLE])
@pytest.mark.parametrize("evaluator", ["codegen", "naive"])
def test_protocols_are_swapped_by_the_name_of_a_module(protocol: type[Delivery], evaluator: str) -> None:
    sim = Simulation()
    a, b = (sim.add(mailing(protocol), name, evaluator=evaluator) for name in "ab")
    a.post.insert(("b", 1, "one"), ("b", 2, "two"), ("a", 3, "to myself"))
    b.post.insert(("a", 1, "answer"))
    sim.run(for_s=3)
    assert b.inbox.rows() == {("a", 1, "one"), ("a", 2, "two")}
    assert a.inbox.rows() == {("b", 1, "answer"), ("a", 3, "to myself")}
    assert a.posted.rows() == {("b", 1), ("b", 2), ("a", 3)}


@pytest.mark.parametrize("protocol", RELIABLE)
def test_what_is_derived_from_a_message_is_on_disk_with_it(protocol: type[Delivery]) -> None:
    def scenario(sim: Simulation) -> None:
        a, b = (sim.add(mailing(protocol), name) for name in "ab")
        for no in range(6):
            if a.up:
                a.post.insert(("b", no, "x"))
            sim.run(for_s=sim.choose([0.001, 0.3]))
        sim.calm()
        sim.run(for_s=5)
        assert b.inbox.rows() == {("a", one.row[1], "x") for one in told(sim, "post")}

    campaign(scenario, 15, Faults.mix(crashes=3, power_loss=0.8))


async def over_tcp(protocol: type[Delivery]) -> set:
    async with (
        Node(mailing(protocol)(), listen="127.0.0.1:0") as a,
        Node(mailing(protocol)(), listen="127.0.0.1:0") as b,
    ):
        a.program.post.insert((b.address, 1, "one"), (b.address, 2, "two"))
        await until(lambda: len(b.program.inbox) == 2 and len(a.program.posted) == 2)
        return {row[1:] for row in b.program.inbox.rows()}


@pytest.mark.parametrize("protocol", [ReliableDelivery, CausalDelivery])
def test_the_same_classes_run_over_tcp(protocol: type[Delivery]) -> None:
    assert anyio.run(over_tcp, protocol) == {(1, "one"), (2, "two")}
