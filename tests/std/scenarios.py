"""What the protocols of delivery, multicast, storage and carts promise, as runs of a simulation that raise if it does not hold.

Each scenario takes a simulation, whose seed, faults and schedule say what goes wrong, and the class that makes the promise. What
must hold is worked out from committed ticks alone: from the inputs that they took, and from the outputs that held in them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from attrs import frozen

from bloompy import Bloom, Tick, interface, module, rule, scratch, table
from bloompy.errors import CallTimeout, NodeStopped, SimulationError
from bloompy.lattices import Map
from bloompy.sim import Faults, Simulation
from bloompy.std.carts import changed
from bloompy.std.clocks import concurrent, happened_before
from bloompy.std.delivery import BestEffortDelivery
from bloompy.testing.histories import Recorder, linearizable, models

RETRY_S = 0.2
SETTLING_S = 3.0


@frozen
class Told:
    """A row of a collection that held in a committed tick.

    Attributes:
        tick: number of the tick among all ticks of the run.
        node: where.
        row: plain.
    """

    tick: int
    node: str
    row: tuple[Any, ...]


def watch(sim: Simulation) -> None:
    """From now on remember the ticks, so that a run needs no trace, which takes half its time."""
    log: list[tuple[int, str, Tick]] = []
    ticked = sim.ticked

    def remember(node: Any, batch: Any, tick: Tick) -> None:
        log.append((len(log), node.address, tick))
        ticked(node, batch, tick)

    sim.ticked, sim.log = remember, log  # type: ignore[method-assign, attr-defined]


def ticks(sim: Simulation) -> list[tuple[int, str, Tick]]:
    """Every committed tick of the run with a number and its node: as watched, or else from the trace."""
    found: list[tuple[int, str, Tick]] | None = getattr(sim, "log", None)
    if found is None:
        return [(event.no, event.node, event.tick) for event in sim.trace.events if event.tick is not None]
    return found


def told(sim: Simulation, collection: str, node: str | None = None) -> list[Told]:
    """Every row that began to hold in a collection, in the order of the ticks."""
    return [Told(no, at, row) for no, at, tick in ticks(sim) if node in (None, at) for row in tick.inserted.get(collection, ())]


def check_quiet(sim: Simulation, seconds: float) -> None:
    """Nothing is sent for so long."""
    before = sum(link.sent for link in sim.network.links)
    sim.run(for_s=seconds)
    assert sum(link.sent for link in sim.network.links) == before, "quiet: all is done, and yet something is sent"


def campaign(scenario: Callable[[Simulation], object], runs: int, faults: Faults, first: int = 0) -> Counter[str]:
    """Run a scenario with many seeds, and more until every kind of fault of the mix was met; a failure names its seed.

    Raises:
        AssertionError: if a kind of fault is not met in four times as many runs, since then nothing was tested.
    """
    counts: Counter[str] = Counter()
    for seed in range(first, first + 4 * runs):
        if seed >= first + runs and set(faults.kinds) <= set(counts):
            break
        sim = Simulation(seed, faults=faults)
        try:
            scenario(sim)
        except Exception as error:
            error.add_note(f"seed {seed} of {scenario}, {dict(sim.counts)}")
            raise
        counts += sim.counts
    assert set(faults.kinds) <= set(counts), (faults.kinds, counts)
    return counts


def finds(scenario: Callable[[Simulation], object], runs: int, faults: Faults) -> int | None:
    """The first seed with which a scenario does not hold, or None."""
    for seed in range(runs):
        try:
            scenario(Simulation(seed, faults=faults))
        except AssertionError:
            return seed
    return None


def settle(sim: Simulation, dead: Iterable[str] = (), seconds: float = SETTLING_S) -> None:
    """The faults end, all nodes but the dead are up again, and all that has to be sent again is."""
    sim.calm(restart=[address for address in sim.nodes if address not in set(dead)])
    sim.run(for_s=seconds)


# --- delivery ---------------------------------------------------------------------------------------------------


def send_some(sim: Simulation, nodes: Iterable[Any], count: int, payload: Callable[[int], Any] = lambda i: f"m{i}") -> None:
    """Stage sends between drawn nodes, with some time between them."""
    names = [node.address for node in nodes]
    numbers: Counter[str] = Counter()  # each sender counts for itself
    for i in sim.operations(count, lambda i: i):
        src, to = sim.integer(0, len(names) - 1), sim.integer(1, len(names) - 1)
        if sim[names[src]].up:
            numbers[names[src]] += 1
            sim[names[src]].send.insert((names[(src + to) % len(names)], numbers[names[src]], payload(i)))
        _pass(sim)


def _pass(sim: Simulation) -> None:
    """Some time, or none."""
    if wait_s := sim.choose([0.0, 0.001, 0.05, 0.4]):
        sim.run(for_s=wait_s)


def exactly_once(sim: Simulation, protocol: type[Bloom], count: int = 8) -> None:
    """Every message that was sent is received once; the sender is told so, once, and not before; then nothing is left to do."""
    deliver_once(sim, protocol, count)
    first = {(one.node, one.row[0], one.row[1]): one.tick for one in told(sim, "received")}
    for one in told(sim, "sent"):
        assert first[one.row[0], one.node, one.row[1]] < one.tick, "acknowledged too early: before it was received"


def deliver_once(sim: Simulation, protocol: type[Bloom], count: int = 8) -> None:
    """Every message that was sent is received once, and its sender is told once; then nothing is left to do."""
    watch(sim)
    nodes = [sim.add(protocol, name, retry_s=RETRY_S) for name in "abc"]
    send_some(sim, nodes, count)
    settle(sim)
    sent = {(one.row[0], one.node, *one.row[1:]) for one in told(sim, "send")}
    received = told(sim, "received")
    acknowledged = told(sim, "sent")
    assert Counter((one.node, *one.row) for one in received) == Counter(sent), "exactly once: what was sent and what was received differ"
    assert Counter((one.row[0], one.node, *one.row[1:]) for one in acknowledged) == Counter(sent), "acknowledged once: what was sent and what was acknowledged differ"
    check_quiet(sim, 4 * RETRY_S)


def fifo(sim: Simulation, protocol: type[Bloom], count: int = 10) -> None:
    """Exactly once, and from each sender in the order of sending, one in a tick."""
    deliver_once(sim, protocol, count)
    sent, received = defaultdict(list), defaultdict(list)
    for one in sorted(told(sim, "send"), key=lambda one: (one.tick, one.row[1])):
        sent[one.node, one.row[0]].append(one.row[1])
    for one in told(sim, "received"):
        received[one.row[0], one.node].append(one)
    for pair, found in received.items():
        assert [one.row[1] for one in found] == sent[pair], "order: not that of sending"
        assert len({one.tick for one in found}) == len(found), "one a tick: a tick received two messages of a sender"
    for node in sim.up:
        assert not len(getattr(node.program, "early", ())), "nothing waits: a message is kept that was received"


@cache
def chatter(protocol: type[Bloom]) -> type[Bloom]:
    """A program whose messages name where they go next."""

    class Chatter(protocol):  # type: ignore[misc, valid-type]
        @rule
        def pass_on(self) -> None:
            self.send <= ((r.payload[0], (*r.no, self.me), r.payload[1:]) for r in self.received if r.payload)

    return Chatter


def causal(sim: Simulation, protocol: type[Bloom], count: int = 8) -> None:
    """No message is received before one to the same node that happened before it, by the happened-before of the trace."""
    watch(sim)
    nodes = [sim.add(chatter(protocol), name, retry_s=RETRY_S) for name in "abc"]
    names = [node.address for node in nodes]
    for i in sim.operations(count, lambda i: i):
        src, to, route = sim.choose(names), sim.integer(1, 2), sim.choose(["", "a", "b", "ca", "bc", "cab"])
        if sim[src].up:
            dst = names[(names.index(src) + to) % 3]
            sim[src].send.insert((dst, (i,), tuple(hop for hop in route)))
        _pass(sim)
    settle(sim)
    sends, receipts = told(sim, "send"), told(sim, "received")
    check_causality(sends, receipts)
    sent = Counter((s.row[0], s.node, s.row[1]) for s in sends)
    assert Counter((r.node, r.row[0], r.row[1]) for r in receipts) == sent, "exactly once: what was sent and what was received differ"


Message = tuple[str, str, Any]
"""Destination, source and name."""


def check_causality(sends: list[Told], receipts: list[Told]) -> None:
    """Every receipt comes in a later tick than those of all its causes at that node."""
    by_tick: dict[int, tuple[list[Told], list[Told]]] = defaultdict(lambda: ([], []))
    for send in sends:
        by_tick[send.tick][1].append(send)
    for receipt in receipts:
        by_tick[receipt.tick][0].append(receipt)
    known: dict[str, set[Message]] = defaultdict(set)
    past: dict[Message, frozenset[Message]] = {}
    got: dict[str, set[Message]] = defaultdict(set)
    for _, (received, sent) in sorted(by_tick.items()):
        node = (received or sent)[0].node
        arrived = {(node, one.row[0], one.row[1]) for one in received}
        for message in arrived:
            missing = {cause for cause in past[message] if cause[0] == node} - got[node]
            assert not missing, f"causes first: {node} received {message} before {sorted(missing)}"
        got[node] |= arrived
        for message in arrived:
            known[node] |= {message, *past[message]}
        ahead: set[Message] = set()
        for one in sorted(sent, key=lambda one: one.row[1]):
            message = (one.row[0], node, one.row[1])
            past[message] = frozenset(known[node] | {other for other in ahead if other[0] == one.row[0]})
            ahead.add(message)
        known[node] |= ahead


# --- multicast --------------------------------------------------------------------------------------------------


def group(sim: Simulation, protocol: type[Bloom], names: str, **parameters: Any) -> list[Any]:
    """Members that know each other from their start."""
    return [sim.add(protocol, name, setup=lambda node: node.join.insert(*names), **parameters) for name in names]


def agreement(sim: Simulation, protocol: type[Bloom], count: int = 5, mortal: bool = True) -> None:
    """All members that live receive the same messages, once each; among them all that a living node cast."""
    watch(sim)
    nodes = group(sim, protocol, "abcd", retry_s=RETRY_S)
    sim.run_until(lambda: all(node.up and len(node.member) == 4 for node in nodes))
    dead = {"a"} if mortal and sim.chance(0.7) else set()
    death = sim.integer(0, count - 1)
    for i in sim.operations(count, lambda i: i):
        src = "a" if i == death else sim.choose("abcd")
        if sim[src].up:
            sim[src].cast.insert((i, f"m{i}"))
        sim.run(for_s=sim.choose([0.0005, 0.001, 0.002, 0.05]))
        if i == death and dead and nodes[0].up:
            nodes[0].crash()
    if dead and nodes[0].up:
        nodes[0].crash()
    settle(sim, dead)
    living = [node.address for node in nodes if node.address not in dead]
    received = told(sim, "received")
    by_node = {name: Counter(one.row for one in received if one.node == name) for name in "abcd"}
    for name in living:
        assert by_node[name] == by_node[living[0]], "agreement: the living have not received the same"
        assert all(times == 1 for times in by_node[name].values()), "once: a message was received again"
    for one in told(sim, "cast"):
        if one.node in living:
            assert (one.node, *one.row) in by_node[living[0]], "validity: what a living node cast was not received"


def total_order(sim: Simulation, protocol: type[Bloom], count: int = 6) -> None:
    """All members receive all messages, one in a tick, in one order that keeps that of each caster; c joins in the middle."""
    names = "abc"
    watch(sim)
    nodes = [sim.add(protocol, name, setup=lambda node: node.join.insert("a", "b"), retry_s=RETRY_S, sequencer="a") for name in names]
    for i in sim.operations(count, lambda i: i):
        if i == count // 2 and nodes[0].up:
            nodes[0].join.insert("c")
        src = sim.choose(names)
        if sim[src].up:
            sim[src].cast.insert((i, f"m{i}"))
        _pass(sim)
    settle(sim, seconds=0.1)
    nodes[0].join.insert("c")
    settle(sim, seconds=2 * SETTLING_S)
    cast = [(one.node, *one.row) for one in sorted(told(sim, "cast"), key=lambda one: (one.tick, one.row[0]))]
    orders = {node.address: told(sim, "received", node.address) for node in nodes}
    for found in orders.values():
        assert len({one.tick for one in found}) == len(found), "one a tick: a tick received two messages"
        assert [one.row for one in found] == [one.row for one in orders["a"]], "one order: two members received in different orders"
    order = [one.row for one in orders["a"]]
    assert Counter(order) == Counter(cast), "exactly once: what was cast and what was received differ"
    for name in names:
        assert [row for row in order if row[0] == name] == [row for row in cast if row[0] == name], "caster's order: it is not kept"


# --- clocks -----------------------------------------------------------------------------------------------------


ANSWER = 1_000


@cache
def stamping(ticking: type[Bloom]) -> type[Bloom]:
    """A program that stamps what it sends, takes the stamps of what it receives, and answers once, in the tick of receiving."""

    class Stamping(Bloom):
        send = interface.input("dst: str, no: int")
        stamps = interface.output("no -> stamp")
        witnessed = interface.output("no, src")
        clock = module(ticking)
        net = module(BestEffortDelivery)
        stamped = scratch("no -> stamp")
        outgoing = scratch("dst, no")
        answered = table("no", durable=True)

        @rule
        def answer(self) -> None:
            self.outgoing <= self.send
            self.outgoing <= ((r.src, r.no + ANSWER) for r in self.net.received if r.no < ANSWER and r.no not in self.answered)
            self.answered <+ ((r.no,) for r in self.net.received)

        @rule
        def stamp(self) -> None:
            self.stamped <= self.clock.stamped
            self.clock.event <= ((o.no,) for o in self.outgoing)
            self.net.send <= ((o.dst, o.no, x.stamp) for o in self.outgoing for x in self.stamped if x.no == o.no)
            self.clock.witnessed <= ((r.payload,) for r in self.net.received)
            self.witnessed <= ((r.no, r.src) for r in self.net.received)
            self.stamps <= self.stamped

    return Stamping


def stamped_events(sim: Simulation, clock: type[Bloom], count: int = 10) -> tuple[dict[int, Any], dict[int, set[int]]]:
    """Let nodes send; the stamp of every event, and the events that happened before it, by the trace."""
    watch(sim)
    nodes = [sim.add(stamping(clock), name) for name in "abc"]
    for i in sim.operations(count, lambda i: i):
        src, to = sim.choose("abc"), sim.choose("abc")
        if sim[src].up:
            sim[src].send.insert((to, i))
        _pass(sim)
    settle(sim, seconds=1)
    stamps: dict[int, Any] = {}
    past: dict[int, set[int]] = {}
    known: dict[str, set[int]] = {node.address: set() for node in nodes}
    for _, address, tick in ticks(sim):
        here = known[address]
        for no, _ in tick.inserted.get("witnessed", ()):
            here |= {no, *past[no]}
        for no, stamp in sorted(tick.inserted.get("stamps", ())):
            past[no] = set(here)
            here.add(no)
            stamps[no] = (stamp, address)
    return stamps, past


def lamport(sim: Simulation, clock: type[Bloom]) -> None:
    """An event's number is greater than those of all events that happened before it, and no two of a node are equal."""
    stamps, past = stamped_events(sim, clock)
    assert len(set(stamps.values())) == len(stamps), "unique: two events have one stamp"
    for no, causes in past.items():
        assert all(stamps[cause][0] < stamps[no][0] for cause in causes), "causes first: a cause has a stamp that is not less"


def vector(sim: Simulation, clock: type[Bloom]) -> None:
    """One clock is before another exactly if its event happened before the other's."""
    stamps, past = stamped_events(sim, clock)
    for one in stamps:
        for other in stamps:
            before = happened_before(stamps[one][0], stamps[other][0])
            assert before == (one in past[other]), f"happened before: the clocks of {one} and {other} say {before}"
            apart = one != other and one not in past[other] and other not in past[one]
            assert concurrent(stamps[one][0], stamps[other][0]) == apart, f"concurrent: {one} and {other}"


# --- stores -----------------------------------------------------------------------------------------------------


def linearizable_store(sim: Simulation, server: type[Bloom], client: type[Bloom], operations: int = 5) -> None:
    """Clients over a network see one copy that does one operation after the other."""
    sim.add(server, "server", retry_s=RETRY_S)
    recorder = Recorder(lambda: sim.now)

    async def work(name: str) -> None:
        node = sim[name]
        for no in range(operations):
            op, key = sim.choose(["put", "get", "get", "delete"]), sim.choose("xy")
            value = f"{name}{no}" if op == "put" else None
            try:
                with recorder.operation(name, op, (key, value) if op == "put" else key) as operation:
                    reply = await node.call("request", (no, "server", op, key, value), reply="response", timeout_s=30)
                    operation.ok(reply.value if op == "get" else None)
            except CallTimeout:
                raise AssertionError("answered: a request was not") from None
            except NodeStopped:  # its own: nobody knows what became of the request
                return
            await sim.sleep(sim.choose([0.0, 0.01, 0.2]))

    for name in ("c1", "c2", "c3"):
        sim.add(client, name, retry_s=RETRY_S)
        sim.spawn(work(name))
    sim.run(for_s=2)
    settle(sim)
    try:
        sim.settle(limit_s=60)
    except SimulationError:
        raise AssertionError("answered: a client still waits") from None
    result = linearizable(recorder.history(), models.key_value())
    assert result, f"linearizable: {result}"


def convergence(sim: Simulation, store: type[Bloom], count: int = 12) -> None:
    """When the network is whole again all replicas hold every put; what a replica answers only grows."""
    watch(sim)
    nodes = group(sim, store, "abc", gossip_s=RETRY_S)
    for i in sim.operations(count, lambda i: i):
        node, key = sim.choose(nodes), sim.choose("xy")
        if node.up:
            node.put.insert((f"p{i}", key, frozenset({i})))
            node.get.insert((f"g{i}", key))
        _pass(sim)
    settle(sim)
    expected: dict[str, frozenset[int]] = defaultdict(frozenset)
    for one in told(sim, "put"):
        expected[one.row[1]] |= one.row[2]
    for node in nodes:
        assert {row.key: row.value for row in node.store} == expected, "every put: a replica lacks one"
        for key in "xy":
            answers = [one.row[2] or frozenset() for one in told(sim, "response", node.address) if one.row[0][0] == "g" and one.row[1] == key]
            assert all(a <= b for a, b in zip(answers, answers[1:], strict=False)), "growing: a replica answered less than before"
    check_quiet(sim, 4 * RETRY_S)


def no_lost_write(sim: Simulation, store: type[Bloom], write_copies: int = 1, read_copies: int = 1, rounds: int = 4) -> None:
    """Every accepted write is there until one that had read it replaces it; siblings are concurrent (an oracle by happened-before)."""
    watch(sim)
    nodes = group(sim, store, "abc", retry_s=RETRY_S, gossip_s=1.0, write_copies=write_copies, read_copies=read_copies)

    async def work(name: str) -> None:
        for no in range(rounds):
            context = Map()
            if sim.chance(0.7):
                up = [node for node in nodes if node.up]
                if not up:
                    break
                try:
                    reply = await sim.choose(up).call("get", ((name, no, "get"), "k"), reply="response", timeout_s=3)
                    context = reply.context
                except Exception:  # the replica is down or cut off: write without having read
                    context = Map()
            up = [node for node in nodes if node.up]
            if up:
                try:
                    await sim.choose(up).call("put", ((name, no, "put"), "k", (name, no), context), reply="response", timeout_s=3)
                except Exception:  # whether it is done is not known
                    await sim.sleep(0.1)
            await sim.sleep(sim.choose([0.0, 0.01, 0.3]))

    for name in ("c1", "c2"):
        sim.spawn(work(name))
    sim.run(for_s=6)
    settle(sim, seconds=6)
    for node in nodes:
        node.get.insert((("end", node.address, "get"), "k"))
    sim.run(for_s=2)
    check_siblings(sim, read_copies + write_copies > len(nodes))


def check_siblings(sim: Simulation, quorums: bool) -> None:
    """Compare all answers at the end with the writes that no write had seen; with quorums also every answer with what was answered before."""
    seen: dict[Any, frozenset[Any]] = {}  # a write's value: what its writer had seen
    contexts: dict[Any, frozenset[Any]] = {Map(): frozenset()}  # a context: what whoever has it has seen
    answered: frozenset[Any] = frozenset()
    due: dict[Any, frozenset[Any]] = {}
    last: dict[Any, Any] = {}
    for _, _, tick in ticks(sim):
        for _, _, value, context in tick.inserted.get("put", ()):
            seen[value] = contexts[context]
        for request, _ in tick.inserted.get("get", ()):
            due[request] = answered
        for request, _, values, context in tick.inserted.get("response", ()):
            known = frozenset(values).union(*(seen[value] for value in values))
            assert contexts.setdefault(context, known) == known, "siblings: equal contexts have seen different writes"
            if quorums and request in due:
                assert due[request] <= known, f"quorum: {request} does not see {sorted(due[request] - known)}, answered before it began"
            if request[2] == "put":
                assert (request[0], request[1]) in known, "own write: the answer to a put does not cover it"
                answered |= {(request[0], request[1])}  # its siblings may not have their copies yet
            elif request[0] == "end":
                last[request[1]] = values
    expected = {value for value in seen if not any(value in other for other in seen.values())}
    assert len(last) == 3, "answered: a replica did not answer at the end"
    for address, values in last.items():
        assert set(values) == expected, f"siblings: {address} has {sorted(values)} in the place of {sorted(expected)}"
        assert len(set(values)) == len(values), f"siblings: {address} has one value twice"


# --- carts ------------------------------------------------------------------------------------------------------

ACTIONS = [("book", 1), ("pen", 2), ("book", -1), ("pen", -1), ("book", 1)]


def same_receipts(sim: Simulation, cart: type[Bloom]) -> None:
    """Every replica writes the receipt of what the shopper did, and no other, ever."""
    watch(sim)
    shopper = sim.add(cart, "shopper", setup=lambda node: node.join.insert("r1", "r2"), retry_s=RETRY_S)
    for name in ("r1", "r2"):
        sim.add(cart, name, retry_s=RETRY_S)
    for no, (item, change) in enumerate(ACTIONS, 1):
        _when_ready(sim, shopper)
        shopper.act.insert(("s", no, item, change))
        sim.run(for_s=sim.choose([0.01, 0.02, 0.1]))
    _when_ready(sim, shopper)
    shopper.checkout.insert(("s", len(ACTIONS)))
    for name in ("r1", "r2"):
        sim.run(for_s=sim.choose([0.01, 0.1, 0.5]))
        if sim.chance(0.5):
            sim[name].restart()
    settle(sim)
    acted = tuple(sorted(one.row[1:] for one in told(sim, "act")))
    if len(acted) < len(ACTIONS) or not told(sim, "checkout"):
        return  # the shopper crashed before it had done what it was about to do
    receipts = sorted({(one.node, *one.row) for one in told(sim, "receipt")})
    expected = [(name, "s", changed((), acted)) for name in ("r1", "r2")]
    assert receipts == expected, f"receipts: {receipts} in the place of {expected}"
    assert all(set(sim[name].receipt) == {("s", changed((), acted))} for name in ("r1", "r2")), "receipts: one is gone"


def _when_ready(sim: Simulation, shopper: Any) -> None:
    sim.run_until(lambda: shopper.up and len(shopper.replica) == 2)
