"""What the mutants of MultiPaxos are put to: clusters of a replicated list, their clients, and what must hold.

The list is a state machine over the log, so that one history says it all: an append that took effect twice, a command lost or out of
order, a read of what is old. What the programs are comes from the caller, who may have edited them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from bloompy import Bloom, agg, interface, rule, scratch, table
from bloompy.errors import CallTimeout, SimulationError
from bloompy.sim import Simulation
from bloompy.testing.histories import Recorder, linearizable, models
from bloompy_paxos.membership import UNDERTAKING_S
from bloompy_paxos.protocol import Service

LOWEST = (0, "")
MEMBERS = ("a", "b", "c")
FIVE = ("a", "b", "c", "d", "e")
WINDOW, KEEP = 3, 4
PULSE_S, ELECTION_S = 0.05, 0.15
RETRY_S = 0.3
SMALL_BYTES = 128
"""Frames so small that what is said together does not fit into one."""


class Client(Service):
    """Says requests, and hears the first of each reply."""

    ask = interface.input("session: str, number: int -> replica: str, acked: int, kind: str, command")
    done = interface.output("session: str, number: int -> code: str, result")

    @rule
    def talk(self):
        self.request <~ ((a.replica, self.me, a.session, a.number, a.acked, a.kind, a.command) for a in self.ask)
        self.done <= ((r.session, r.number, r.code, r.result) for r in self.reply)


def replica_of(programs: Any) -> type[Bloom]:
    """The replicated list: appends result in the index of the command, reads in the values in order."""
    made: type[Bloom] | None = getattr(programs, "replica", None)
    if made is None:

        class List(programs.ReplicatedState, state=("item",)):  # type: ignore[misc, name-defined, call-arg]
            item = table("request: int -> value", durable=True)
            whole = scratch("-> values")

            @rule
            def append(self):
                self.item <+ ((c.request, c.command[1]) for c in self.command)
                self.result <= ((c.request, c.request) for c in self.command)
                self.whole <= (agg.collect((i.request, i.value)) for i in self.item)
                self.result <= ((q.request, tuple(value for _, value in self.whole.get((), ((),)).values)) for q in self.query)

        made = programs.replica = List
    return made


# --- what must hold ----------------------------------------------------------------------------------------------


class Observer:
    """Looks at what replicas commit.

    Properties, by the names that the failures have:
        agreement: nodes learn one value for a slot.
        backed by a majority: what is decided was voted for in one ballot by a majority of the members of that slot.
        promises kept: what a node has promised only grows, over crashes, too.
        in order: a node applies slots in order, none again while it runs.
        state identity: after the same slot the state is the same.
        window: nobody proposes further ahead of what it has applied.
    """

    def __init__(self, sim: Simulation, members: Sequence[str]) -> None:
        self.sim, self.members = sim, tuple(members)
        self.promised: dict[str, Any] = {}
        self.votes: dict[int, dict[Any, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.values: dict[int, Any] = {}
        self.states: dict[int, Any] = {}
        self.applied: dict[str, tuple[int, int]] = {}
        self.broken = ""
        sim.always(self.check, "the observer")

    def listen(self, node: Any) -> None:
        """To a node that starts."""
        log = node.program.log
        log.promised.on_insert(lambda row: self.promise(node, row.ballot))
        log.vote.on_insert(lambda row: self.votes[row.slot][row.ballot, row.value].add(node.address))
        log.decided.on_insert(lambda row: self.decide(node, row.slot, row.value))
        log.applied.on_insert(lambda row: self.apply(node))
        log.proposal.on_insert(lambda row: self.propose(node, row.slot))

    def check(self) -> None:
        """What was seen so far is right."""
        assert not self.broken, self.broken

    def promise(self, node: Any, ballot: Any) -> None:
        """A node promises."""
        if ballot < self.promised.get(node.address, LOWEST):
            self.broken = f"promises kept: {node.address} had promised {self.promised[node.address]} and promises {ballot}"
        self.promised[node.address] = ballot

    def decide(self, node: Any, slot: int, value: Any) -> None:
        """A node learns what is decided."""
        if slot not in self.values:
            self.values[slot] = value
            members = self.members_of(slot)
            if not any(voted == value and 2 * len(voters & members) > len(members) for (_, voted), voters in self.votes[slot].items()):
                self.broken = f"backed by a majority: {node.address} decides in slot {slot} what had no majority"
        elif self.values[slot] != value:
            self.broken = f"agreement: in slot {slot} {node.address} learns {value} and others {self.values[slot]}"

    def members_of(self, slot: int) -> set[str]:
        """Those whose votes count in a slot: a change counts a window after its slot; one that is decided until then is none."""
        members, since = list(self.members), 0
        for at in range(1, slot - WINDOW + 1):
            if at in self.values and (change := self.values[at][3]) and at >= since:
                since = at + WINDOW
                members = [one for one in members if one != change[1]] + [change[1]] * (change[0] == "add")
        return set(members)

    def apply(self, node: Any) -> None:
        """A node has applied a slot, or more."""
        row = node.program.log.applied.get(())  # ticks share a synchronisation: what is seen now may be of a later one
        start, slot = self.applied.get(node.address, (0, 0))
        if start == node.incarnation and row.slot < slot:
            self.broken = f"in order: {node.address} was at slot {slot} and is at {row.slot}"
        self.applied[node.address] = (node.incarnation, row.slot)
        found = (row.index, node.program.item.rows(), node.program.answered.rows(), node.program.session.rows())
        if self.states.setdefault(row.slot, found) != found:
            self.broken = f"state identity: after slot {row.slot} {node.address} has another state than others"

    def propose(self, node: Any, slot: int) -> None:
        """A node proposes in a slot."""
        row = node.program.log.applied.get(())
        if slot > row.slot + WINDOW:
            self.broken = f"window: {node.address} has applied {row.slot} and proposes in slot {slot}"


# --- clients -----------------------------------------------------------------------------------------------------


class Session:
    """A client node with the numbers of its requests."""

    def __init__(self, sim: Simulation, address: str, replicas: Sequence[str], recorder: Recorder | None = None) -> None:
        self.sim, self.address, self.replicas = sim, address, tuple(replicas)
        self.recorder = recorder or Recorder(lambda: sim.now)
        self.node = sim.add(Client, address)
        self.waiting: set[int] = set()
        self.next = 0

    async def ask(self, kind: str, command: Any, replicas: Sequence[str] = ()) -> Any:
        """A request, repeated until it is answered, at one replica after the other."""
        number, self.next = self.next, self.next + 1
        self.waiting.add(number)
        replicas = replicas or self.replicas
        place = self.sim.integer(0, len(replicas) - 1)
        while True:
            row = (self.address, number, replicas[place % len(replicas)], min(self.waiting), kind, command)
            try:
                answer = await self.node.call("ask", row, reply="done", timeout_s=RETRY_S)
            except CallTimeout:
                place += 1
                continue
            self.waiting.discard(number)
            assert answer.code == "", f"refused: {answer}"
            return answer.result

    async def do(self, process: str, kind: str, value: Any = None, replicas: Sequence[str] = ()) -> Any:
        """The same, in the history."""
        with self.recorder.operation(process, "read" if kind == "read" else "append", value) as operation:
            result = await self.ask(kind, ("append", value) if kind == "write" else ("read",), replicas)
            operation.ok(tuple(result) if kind == "read" else None)
            return result


def cluster(programs: Any, sim: Simulation, members: Sequence[str] = MEMBERS, **params: Any) -> Observer:
    """Replicas, observed."""
    observer = Observer(sim, members)
    given = {"window": WINDOW, "keep": KEEP, "pulse_s": PULSE_S, "election_s": ELECTION_S} | params
    for member in members:
        sim.add(replica_of(programs), member, members=tuple(members), setup=observer.listen, **given)
    return observer


def within(sim: Simulation, condition: Any, limit_s: float, name: str) -> None:
    """Run until a condition holds; an AssertionError with the property's name if it does not within the limit."""
    try:
        sim.run_until(condition, limit_s)
    except SimulationError:
        raise AssertionError(f"{name}: not within {limit_s:g} s") from None


def leading(sim: Simulation, members: Sequence[str]) -> list[str]:
    """Who leads."""
    return [one for one in members if sim[one].up and len(sim[one].program.log.leads)]


def finish(sim: Simulation, sessions: Sequence[Session], members: Sequence[str], tasks: Sequence[Any], limit_s: float = 20.0) -> None:
    """The faults end: all is answered, one leads, all are equal, and the history is that of one list."""
    sim.calm()
    within(sim, lambda: all(task.done() for task in tasks), limit_s, "progress")
    for ask in [(session, "write", "z") for session in sessions], [(sessions[0], "read", None)]:
        last = [sim.spawn(session.do, f"{session.address} at last", kind, value) for session, kind, value in ask]
        within(sim, lambda last=last: all(task.done() for task in last), limit_s, "progress")  # type: ignore[misc]

    def equal() -> bool:
        slots = {row.slot for one in members for row in sim[one].program.log.applied}
        return len(slots) == 1 and len(leading(sim, members)) == 1 and all(len(sim[one].program.log.applied) for one in members)

    within(sim, equal, 15.0, "caught up")
    found = linearizable(sessions[0].recorder.history(), models.append_list())
    assert found, f"linearizable: {found}"


def store(members: Sequence[str] = MEMBERS, clients: int = 2, count: int = 6, until_s: float = 1.5, **params: Any) -> Any:
    """The test: clients append and read while faults go on."""

    def test(programs: Any, sim: Simulation) -> None:
        cluster(programs, sim, members, **params)
        recorder = Recorder(lambda: sim.now)
        sessions = [Session(sim, f"client{i}", members, recorder) for i in range(clients)]
        tasks = []

        async def work(session: Session, process: str) -> None:
            for _ in range(count):
                kind = "read" if sim.chance(0.3) else "write"
                await session.do(process, kind, sim.choose("xy") if kind == "write" else None)
                await sim.sleep(sim.choose([0.0, 0.02, 0.1]))

        for session in sessions:
            for lane in (1, 2):
                tasks.append(sim.spawn(work, session, f"{session.address}.{lane}"))
        sim.run(until=until_s)
        finish(sim, sessions, members, tasks)

    return test


# --- chosen faults -----------------------------------------------------------------------------------------------


class Script:
    """A group of replicas to which things happen one after the other; timers run out where they are told to.

    Args:
        programs: of the mutant.
        sim: the simulation.
        members: of the group; the first leads when it is made.
        **params: of the replicas.
    """

    def __init__(self, programs: Any, sim: Simulation, members: Sequence[str] = MEMBERS, *, leader: str = "a", **params: Any) -> None:
        self.sim, self.members, self.tasks = sim, tuple(members), []
        self.observer = cluster(programs, sim, members, **params)
        recorder = Recorder(lambda: sim.now)
        self.sessions = {name: Session(sim, name, members, recorder) for name in "xy"}
        self.said = 0
        sim.run(for_s=0.01)
        if leader:
            self.elect(leader)

    def log(self, node: str) -> Any:
        """The log of a node."""
        return self.sim[node].program.log

    def slot(self, node: str) -> int:
        """The last slot that a node has applied."""
        return int(self.log(node).applied[()].slot)

    def until(self, condition: Any, limit_s: float = 2.0, name: str = "progress") -> None:
        """Run until a condition holds."""
        within(self.sim, condition, limit_s, name)

    def stand(self, node: str, ballot: Any = None) -> Any:
        """A node has found support and begins a ballot, by default a new one; nobody else does for some time."""
        for one in self.members:
            if self.sim[one].up:
                now, log = self.sim[one].own_clock.now(), self.log(one)
                log.candidacy.delete(*log.candidacy)
                if len(log.following):
                    log.following.upsert((*log.following[()][:3], now + 10))
        now, log = self.sim[node].own_clock.now(), self.log(node)
        ballot = ballot or (max(self.log(one).promised.get((), (LOWEST,))[0][0] for one in self.members if self.sim[one].up) + 1, node)
        log.candidacy.upsert((ballot, 1, now, now + 10))
        log.supporter.insert(*((ballot, one) for one in self.members))
        return ballot

    def elect(self, node: str) -> None:
        """The same, until it leads."""
        ballot = self.stand(node)
        self.until(lambda: any(row.ballot == ballot for row in self.log(node).leads))

    def say(self, client: str, kind: str, value: Any = None, at: str = "a") -> Any:
        """A client asks one replica, again and again."""
        self.said += 1
        task = self.sim.spawn(self.sessions[client].do, f"{client}.{self.said}", kind, value, (at,))
        self.tasks.append(task)
        return task

    def write(self, value: Any, at: str = "a", client: str = "x") -> None:
        """A client appends, and is answered."""
        task = self.say(client, "write", value, at)
        self.until(task.done)

    def together(self, at: str = "a") -> None:
        """Two commands that get a slot each, both under way at once."""
        tasks = [self.say("x", "write", "second", at)]
        self.sim.run(for_s=0.0005)
        tasks.append(self.say("y", "write", "third", at))
        self.until(lambda: all(task.done() for task in tasks))

    def lose(self, *links: str, share: float = 1.0) -> None:
        """Frames of these links are lost, each told as two nodes: "ab" is that from a to b."""
        for source, destination in links:
            self.sim.link(source, destination).drop = share

    def cut(self, *nodes: str) -> None:
        """These replicas and the others hear nothing of each other any more, and all else is whole; clients reach all."""
        for source in self.members:
            for destination in self.members:
                if source != destination:
                    self.sim.link(source, destination).drop = float((source in nodes) != (destination in nodes))

    def heal(self) -> None:
        """No link loses frames any more."""
        self.cut()

    def finish(self) -> None:
        """All faults end."""
        finish(self.sim, list(self.sessions.values()), self.members, self.tasks)


def recovery(last: str, skew_s: float = 0.0) -> Any:
    """The test: `a` alone voted for one value, then `b` and `c` decided another; `a` and `c`, or `b` and `a`, find out which."""

    def test(programs: Any, sim: Simulation) -> None:
        sim.at(0.0, lambda: sim["a"].skew(skew_s)) if skew_s else None
        script = Script(programs, sim)
        script.write("first")
        sim.run(for_s=0.06)
        script.cut("a")
        script.say("x", "write", "lost?", at="a")
        script.until(lambda: 2 in script.log("a").vote)
        script.elect("b")
        script.write("second", at="b", client="y")
        if last == "a":
            sim["b"].crash()
        else:
            sim["c"].crash()
            sim["b"].restart()
            sim.run(for_s=0.001)
        script.heal()
        script.elect(last)
        script.write("third", at=last, client="y")
        script.finish()

    return test


def two_slots(before: int = 0) -> Any:
    """The test: `a` and `c` decide two slots, of which `c` knows no more than its votes; `b` goes on with `c`. Some slots before these
    are missing at `b`."""

    def test(programs: Any, sim: Simulation) -> None:
        script = Script(programs, sim)
        script.write("first")
        sim.run(for_s=0.06)
        script.cut("b")
        for _ in range(before):
            script.write("more")
            sim.run(for_s=0.06)
        script.together()
        sim["a"].crash()
        sim.run(for_s=PULSE_S)
        script.heal()
        script.stand("b")
        sim.run(for_s=0.001)
        script.say("y", "write", "fourth", at="c")
        script.until(lambda: len(script.log("b").leads))
        for _ in range(3):
            script.say("x", "write", "more", at="b")
            sim.run(for_s=0.0005)
        script.finish()

    return test


def hole(programs: Any, sim: Simulation) -> None:
    """The test: of two proposals of `a` only the later one reached anybody."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    held = sim.hold("a", "c")
    sim.link("a", "b").drop = 1.0
    script.say("x", "write", "second")
    script.until(lambda: 2 in script.log("a").vote)
    held.drop()
    script.say("y", "write", "third")
    script.until(lambda: 3 in script.log("c").vote)
    sim["a"].crash()
    sim.link("a", "b").drop = 0.0
    script.elect("b")
    script.write("fourth", at="b")
    script.finish()


def catching_up(after: int) -> Any:
    """The test: `c` misses all slots after some, which the others truncate in part; it catches up, and leads."""

    def test(programs: Any, sim: Simulation) -> None:
        script = Script(programs, sim)
        for number in range(8):
            if number == after:
                sim.run(for_s=0.06)
                script.cut("c")
            script.write(f"{number}", client="xy"[number % 2])
            sim.run(for_s=0.06)
        script.heal()
        script.until(lambda: script.slot("c") == script.slot("a"), 10.0, "caught up")
        sim["a"].crash()
        script.elect("c")
        script.write("last", at="c")
        script.finish()

    return test


def behind(programs: Any, sim: Simulation) -> None:
    """The test: `c` misses what the others truncate, and leads the next ballot before it has caught up."""
    script = Script(programs, sim)
    script.write("0")
    sim.run(for_s=0.06)
    script.cut("c")
    for number in range(8):
        script.write(f"{number}", client="xy"[number % 2])
        sim.run(for_s=0.06)
    sim["a"].crash()
    script.heal()
    script.elect("c")
    script.write("last", at="c")
    script.finish()


def another_vote(programs: Any, sim: Simulation) -> None:
    """The test: `c` alone voted for a value of `a`; `b` and `a`, which forgot that it proposed it, decide another."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    sim.link("a", "b").drop = 1.0
    held = sim.hold("a", "c")
    script.say("x", "write", "lost?")
    script.until(lambda: len(held))
    sim["a"].restart()
    held.release()
    script.until(lambda: 2 in script.log("c").vote)
    sim.link("a", "b").drop = 0.0
    script.cut("c")
    sim.run(for_s=0.002)
    script.elect("b")
    script.write("second", at="b", client="y")
    script.heal()
    script.finish()


def old_votes(programs: Any, sim: Simulation) -> None:
    """The test: a vote of `b` in the first ballot of `a` arrives when `a` counts those of another ballot."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    sim.link("a", "c").drop = 1.0
    held, back = sim.hold("a", "b"), sim.hold("b", "a")
    script.say("x", "write", "lost?")
    script.until(lambda: len(held))
    sim["a"].restart()
    held.release()
    script.until(lambda: 2 in script.log("b").vote)
    late = back[len(back) - 1]
    sim.link("a", "c").drop = 0.0
    sim.link("a", "b").drop = 1.0
    sim.run(for_s=0.002)
    script.elect("a")
    sim.link("a", "c").drop = 1.0
    script.say("y", "write", "second", at="a")
    script.until(lambda: any(vote.slot == 2 for vote in script.log("a").vote))
    late.release()
    sim.run(for_s=0.01)
    sim["a"].crash()
    back.drop()
    script.elect("b")
    script.write("third", at="b", client="y")
    script.finish()


def old_promise(programs: Any, sim: Simulation) -> None:
    """The test: a promise of `b` for the first ballot of `a` arrives when `a` counts those for another."""
    script = Script(programs, sim, leader="")
    back = sim.hold("b", "a")
    script.stand("a")
    script.until(lambda: len(script.log("b").promised))
    late = back[len(back) - 1]
    script.until(lambda: len(script.log("a").leads))
    script.write("first")
    script.cut("a")
    script.elect("b")
    script.write("second", at="b", client="y")
    script.heal()
    other = sim.hold("c", "a")
    script.stand("a")
    script.until(lambda: script.log("b").promised[()].ballot == (3, "a"))
    script.say("x", "write", "third", at="a")
    late.release()
    sim.run(for_s=0.06)
    other.release()
    back.release()
    script.finish()


def old_leader(programs: Any, sim: Simulation) -> None:
    """The test: `a` is asked for a read after the others, of whom it hears nothing, have another leader."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    script.cut("a")
    script.elect("b")
    script.write("second", at="b", client="y")
    script.say("x", "read", at="a")
    sim.run(for_s=0.3)
    script.finish()


def new_leader(programs: Any, sim: Simulation) -> None:
    """The test: `b` is asked for a read when it leads, and has not yet got the votes for what was decided before."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    script.cut("b")
    script.write("second")
    script.heal()
    sim["a"].crash()
    script.stand("b")
    script.until(lambda: script.log("c").promised[()].ballot[1] == "b")
    held = sim.hold("b", "c")
    script.until(lambda: len(held))
    held.drop()
    script.say("y", "read", at="b")
    sim.run(for_s=0.3)
    script.finish()


def leased(*, restart: bool = False, jump_s: float = 0.0, late_s: float = 0.0, rates: tuple[float, float] = (1.0, 1.0), **params: Any) -> Any:
    """The test: `a` answers reads by a lease; it is cut off, `b` begins a ballot at once, and both are asked.

    Args:
        restart: `b` and `c` restart before it.
        jump_s: the clock of `a` is set by so much.
        late_s: the last answers that `a` hears take so long.
        rates: of the clocks of `a`, and of the others.
        **params: of the replicas, times in seconds.
    """
    given = {"lease_s": 0.1} | params

    def test(programs: Any, sim: Simulation) -> None:
        script = Script(programs, sim, **given)
        for member in MEMBERS:
            if rates != (1.0, 1.0):
                sim[member].drift(rates[member != "a"])
        script.write("first")
        lease_s = given["lease_s"]
        sim.run(for_s=2 * PULSE_S)
        step = sim["a"].step
        heard = [script.log(one).following[()].heard for one in "bc"]
        back = [sim.hold(one, "a") for one in "bc"] if late_s else []
        script.until(lambda: all(script.log(one).following[()].heard != was for one, was in zip("bc", heard, strict=True)))
        sim.run(for_s=0.002)
        assert sim["a"].step > step
        script.cut("a")
        if late_s:
            sim.at(sim.now + late_s, lambda: [held.release() for held in back])
        if restart:
            for one in "bc":
                sim[one].restart()
            sim.run(for_s=0.0005)
        if jump_s:
            sim["a"].skew(jump_s)
        script.stand("b")
        written = None
        for _ in range(40):
            script.say("x", "read", at="a")
            if written is None and len(script.log("b").leads):
                written = script.say("y", "write", "second", at="b")
            sim.run(for_s=2 * lease_s / 40)
        sim.run(for_s=0.3)
        script.finish()

    return test


def one_way(programs: Any, sim: Simulation) -> None:
    """The test: the others hear `a`, and `a` hears nobody."""
    script = Script(programs, sim)
    script.write("first")
    sim.partition({"b", "c"}, {"a"}, one_way=True)
    script.until(script.say("y", "write", "second", at="b").done, 5.0)
    script.finish()


def deaf(programs: Any, sim: Simulation) -> None:
    """The test: `c` does not hear the leader, and the others do."""
    script = Script(programs, sim)
    script.write("first")
    sim["c"].skew(0.02)  # so that it does not ask others just when they hear the leader
    sim.link("a", "c").drop = 1.0
    sim.run(for_s=1.5)
    sim.link("a", "c").drop = 0.0
    sim.run(for_s=0.3)
    assert script.log("b").promised[()].ballot == (1, "a"), "undisturbed: a node that does not hear the leader deposed it"
    script.finish()


def join(script: Script, node: str, programs: Any) -> None:
    """A node starts that is to be added."""
    script.sim.add(replica_of(programs), node, members=(), setup=script.observer.listen, window=WINDOW, keep=KEEP, pulse_s=PULSE_S, election_s=ELECTION_S)


def change(script: Script, kind: str, node: str, client: str, at: Sequence[str]) -> Any:
    """A client asks for another member."""
    task = script.sim.spawn(script.sessions[client].ask, "member", (kind, node), at)
    script.tasks.append(task)
    return task


def members(programs: Any, sim: Simulation) -> None:
    """The test: a member is added, which has to have a snapshot; then the leader is removed."""
    script = Script(programs, sim)
    for number in range(8):
        script.write(f"{number}")
        sim.run(for_s=0.03)
    join(script, "d", programs)
    added = change(script, "add-member", "d", "y", ("a",))
    for number in range(8):
        script.write(f"more {number}")
    script.until(added.done)
    script.members = (*MEMBERS, "d")
    removed = change(script, "remove-member", "a", "y", ("b", "c"))
    for number in range(8):
        script.write(f"again {number}", at="bcd"[number % 3])
    script.until(removed.done)
    script.until(lambda: script.log("a").config[()].members == ("b", "c", "d"), 5.0, "who is removed learns of it")
    sim.run(for_s=0.2)
    sent = [sim.link("a", one).sent for one in "bcd"]
    sim.run(for_s=3.0)
    assert sent == [sim.link("a", one).sent for one in "bcd"], "silent: who was removed goes on"
    script.members = ("b", "c", "d")
    script.sessions["x"].replicas = script.sessions["y"].replicas = script.members
    script.finish()


def ghost(programs: Any, sim: Simulation) -> None:
    """The test: a member is to be added that does not run, and one of the others is lost."""
    script = Script(programs, sim)
    script.write("first")
    task = change(script, "add-member", "d", "y", ("a",))
    sim.run(for_s=0.3)
    sim["c"].crash()
    script.until(script.say("x", "write", "second").done, 5.0)
    script.tasks.remove(task)
    script.finish()


def offer(script: Script, kind: str, node: str) -> None:
    """A client asks `a` for another member, once, and does not wait."""
    session = script.sessions["y"]
    number, session.next = session.next, session.next + 1
    session.node.program.ask.insert((session.address, number, "a", number, "member", (kind, node)))


def late_ghost(programs: Any, sim: Simulation) -> None:
    """The test: what is to be added runs only long after."""
    script = Script(programs, sim)
    script.write("first")
    offer(script, "add-member", "d")
    sim.run(for_s=UNDERTAKING_S + 1.0)
    join(script, "d", programs)
    sim.run(for_s=3.0)
    assert set(script.log("a").config[()].members) == set(MEMBERS), "members: a change is made that nobody waits for"
    script.finish()


def newcomer_killed(programs: Any, sim: Simulation) -> None:
    """The test: what is to be added is killed when its change is proposed, and `c` is down."""
    script = Script(programs, sim)
    script.write("first")
    sim["c"].crash()
    join(script, "d", programs)
    change(script, "add-member", "d", "y", ("a",))
    script.until(lambda: len(script.log("a").change))
    sim["d"].crash()
    sim.run(for_s=1.0)
    sim["d"].restart()
    sim["a"].crash()
    sim.run(for_s=0.5)
    sim["a"].restart()
    script.until(lambda: leading(sim, ("a", "b", "d")), 5.0)
    script.members = (*MEMBERS, "d")
    script.finish()


def long_gone(programs: Any, sim: Simulation) -> None:
    """The test: `c` is removed and lost, and is to be added again."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.2)
    removed = change(script, "remove-member", "c", "y", ("a",))
    script.until(removed.done)
    sim.run(for_s=0.2)
    sim["c"].crash()
    sim.run(for_s=2.0)
    offer(script, "add-member", "c")
    sim.run(for_s=2.0)
    assert set(script.log("a").config[()].coming) == {"a", "b"}, "members: one counts that is not there"


def too_few(programs: Any, sim: Simulation) -> None:
    """The test: `c` is lost, and then `b` is to be removed."""
    script = Script(programs, sim)
    script.write("first")
    sim["c"].crash()
    sim.run(for_s=1.0)
    offer(script, "remove-member", "b")
    sim.run(for_s=UNDERTAKING_S + 1.0)
    script.until(script.say("x", "write", "second").done, 5.0)
    script.finish()


def quiet(programs: Any, sim: Simulation) -> None:
    """The test: two members are added at once, and nothing else is going on."""
    script = Script(programs, sim)
    script.write("first")
    for node, client in zip("de", "xy", strict=True):
        join(script, node, programs)
        change(script, "add-member", node, client, MEMBERS)
    script.members = (*MEMBERS, "d", "e")
    script.until(lambda: all(sorted(script.log(one).config[()].members) == list(FIVE) for one in FIVE if len(script.log(one).config)), 8.0, "members")
    script.finish()


def joint(kind: str) -> Any:
    """The test: while one change is under way, `a` gets votes of `b` only. Three members become four, or four three."""

    def test(programs: Any, sim: Simulation) -> None:
        script = Script(programs, sim, MEMBERS if kind == "add" else (*MEMBERS, "d"))
        script.write("first")
        if kind == "add":
            join(script, "d", programs)
        task = change(script, f"{kind}-member", "d", "y", ("a",))
        script.until(lambda: script.log("a").config[()].members != script.log("a").config[()].coming)
        script.members = (*MEMBERS, "d") if kind == "add" else MEMBERS
        script.lose("ac", "ad")
        held = sim.hold("b", "a")
        for _ in range(WINDOW):
            script.say("x", "write", "more")
            sim.run(for_s=0.0015)
        sim.run(for_s=0.002)
        held.release()
        sim.run(for_s=0.03)
        script.heal()
        script.until(task.done)
        script.finish()

    return test


def doubled_votes(programs: Any, sim: Simulation) -> None:
    """The test: of five, only `b` votes with `a`, and its vote arrives twice."""
    script = Script(programs, sim, FIVE)
    script.write("first")
    script.lose("ac", "ad", "ae")
    sim.link("b", "a").duplicate = 1.0
    script.say("x", "write", "second")
    sim.run(for_s=0.15)
    script.finish()


def doubled_promises(programs: Any, sim: Simulation) -> None:
    """The test: of five, only `b` promises `a` its ballot, and its promise arrives twice; the others had decided something."""
    script = Script(programs, sim, FIVE, leader="c")
    script.write("first", at="c")
    sim.run(for_s=0.06)
    script.cut("a", "b")
    script.write("second", at="c", client="y")
    sim["c"].restart()
    script.heal()
    script.lose("ca", "da", "ea")
    sim.link("b", "a").duplicate = 1.0
    script.stand("a")
    sim.run(for_s=0.08)
    script.say("x", "write", "third", at="a")
    sim.run(for_s=0.02)
    script.finish()


def late_proposal(programs: Any, sim: Simulation) -> None:
    """The test: a proposal of `a` reaches `c` when `b` and `c` have decided another in a higher ballot; `a` and `c` go on."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    script.lose("ab", "ba")
    held = sim.hold("a", "c")
    script.say("x", "write", "lost?")
    script.until(lambda: len(held))
    late = held[0]
    script.lose("ca")
    script.elect("b")
    script.write("second", at="b", client="y")
    sim["b"].crash()
    late.release()
    sim.run(for_s=0.002)
    sim["c"].restart()
    sim.run(for_s=0.001)
    held.drop()
    script.lose("ca", share=0.0)
    script.elect("a")
    script.write("third", at="a", client="y")
    script.finish()


def same_tick(programs: Any, sim: Simulation) -> None:
    """The test: the proposal of `a` and the ballot of `b` reach `c` in one tick."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    script.lose("ab", "ba")
    proposal, ballot = sim.hold("a", "c"), sim.hold("b", "c")
    script.say("x", "write", "lost?")
    script.until(lambda: len(proposal))
    script.stand("b")
    script.until(lambda: len(ballot))
    proposal.release()
    ballot.release()
    script.until(lambda: len(script.log("b").leads))
    script.write("second", at="b", client="y")
    script.heal()
    script.finish()


def begun_twice(programs: Any, sim: Simulation) -> None:
    """The test: `b` crashes when it begins a ballot, and forgets what it had learned from `a`; the promise for that ballot comes late."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    script.cut("b")
    script.together()
    script.heal()
    script.lose("ac", "bc")
    script.until(lambda: script.slot("b") == 3)
    sim["a"].crash()
    script.lose("bc", share=0.0)
    begin, back, ballot = sim.hold("b", "c"), sim.hold("c", "b"), (2, "b")
    script.stand("b")
    script.until(lambda: len(begin))
    sim["b"].crash()
    begin.release()
    script.until(lambda: script.log("c").promised[()].ballot == ballot)
    sim["b"].restart()
    sim.run(for_s=0.001)
    script.stand("b", ballot)
    sim.run(for_s=0.01)
    back[0].release()
    sim.run(for_s=0.001)
    script.say("y", "write", "fourth", at="b")
    sim.run(for_s=0.01)
    back.release()
    sim.run(for_s=0.05)
    script.finish()


def claims(programs: Any, sim: Simulation) -> None:
    """The test: `b` learns that another ballot decided a slot in which it has proposed itself, and in which `d` has voted for that."""
    sim.limits = evolve(sim.limits, frame_bytes=200)
    script = Script(programs, sim, FIVE)
    script.cut("b")
    script.write("first" * 18)
    sim.run(for_s=0.06)
    script.heal()
    script.lose("ba", "ab", "be", "eb", "ad", "da", "ed", "de", "cd", "dc")
    script.elect("b")
    held = sim.hold("b", "c")
    script.say("x", "write", "lost?", at="b")
    script.until(lambda: 2 in script.log("d").vote)
    script.lose("db")
    script.until(lambda: len(held) == 2)
    fetch = held[1]
    script.elect("a")
    script.write("second", client="y")
    script.until(lambda: script.slot("c") == 2)
    back = sim.hold("c", "b")
    fetch.release()
    sim.run(for_s=0.002)
    back[0].drop()  # which says that there is a higher ballot
    back.release()
    script.until(lambda: script.slot("b") == 2)
    sim.run(for_s=0.06)
    held.drop()
    script.finish()


def lost_proposal(programs: Any, sim: Simulation) -> None:
    """The test: a proposal is lost, and the leader stays."""
    script = Script(programs, sim)
    script.write("first")
    script.lose("ab", "ac")
    task = script.say("x", "write", "second")
    script.until(lambda: 2 in script.log("a").vote)
    script.heal()
    script.until(task.done, 2.0)
    script.finish()


def parted(programs: Any, sim: Simulation) -> None:
    """The test: the promise of `c` reaches `b` before the votes that it tells of."""
    sim.limits = evolve(sim.limits, frame_bytes=SMALL_BYTES)
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    script.cut("b")
    script.together()
    sim["a"].crash()
    script.heal()
    back = sim.hold("c", "b")
    script.stand("b")
    script.until(lambda: len(back))
    back[0].release()
    sim.run(for_s=0.002)
    script.say("x", "write", "fourth", at="b")
    sim.run(for_s=0.01)
    back.release()
    script.finish()


class Snapshots:
    """`c` missed what `a` has truncated; frames from `a` to `c` wait, and are small."""

    def __init__(self, programs: Any, sim: Simulation) -> None:
        sim.limits = evolve(sim.limits, frame_bytes=SMALL_BYTES)
        self.sim, self.script = sim, Script(programs, sim)
        self.script.write("0")
        sim.run(for_s=0.06)
        self.script.cut("c")
        for number in range(3):
            self.write(f"{number}")
        self.held = sim.hold("a", "c")
        self.script.heal()

    def write(self, value: str) -> None:
        """One more slot that `c` misses."""
        self.script.write(value)
        self.sim.run(for_s=0.06)

    def ask(self) -> list[Any]:
        """Have `c` hear that there is more; returns the frames of the answer, which have yet to arrive."""
        self.held.drop()
        self.held = self.sim.hold("a", "c")
        self.script.until(lambda: len(self.held))
        heartbeat, asked = self.held.frames, list[Any]()
        self.script.log("a").fetch.on_insert(asked.append)
        for one in heartbeat:
            one.release()
        self.script.until(lambda: asked)
        self.sim.run(for_s=0.0005)
        return self.held.frames

    def arrive(self, frames: Sequence[Any]) -> None:
        """Have frames arrive now, held or not any more."""
        for one in frames:
            self.sim.network.arrive_at(self.sim.now, one.frame)

    def finish(self) -> None:
        """All faults end."""
        self.held.drop()
        self.script.finish()


def missing_piece(programs: Any, sim: Simulation) -> None:
    """The test: one row of a snapshot is lost."""
    case = Snapshots(programs, sim)
    for number in range(4):
        case.write(f"more {number}")
    case.arrive(case.ask()[:-1])
    sim.run(for_s=0.1)
    case.finish()


def old_snapshot(programs: Any, sim: Simulation) -> None:
    """The test: an older snapshot arrives after a newer one."""
    case = Snapshots(programs, sim)
    for number in range(4):
        case.write(f"more {number}")
    old = case.ask()
    case.write("again")
    new = case.ask()
    case.arrive(new)
    case.script.until(lambda: case.script.slot("c") == 9)
    case.arrive(old)
    sim.run(for_s=0.01)
    case.finish()


def snapshot_and_slots(programs: Any, sim: Simulation) -> None:
    """The test: slots and a snapshot that contains them arrive together."""
    case = Snapshots(programs, sim)
    slots = case.ask()
    for number in range(4):
        case.write(f"more {number}")
    case.arrive([*slots, *case.ask()])
    sim.run(for_s=0.01)
    case.finish()


# --- requests sent again -----------------------------------------------------------------------------------------


def retried(programs: Any, sim: Simulation) -> None:
    """The test: a command is sent again to a new leader, which has not yet applied it, and does so before."""
    script = Script(programs, sim)
    script.write("first")
    sim.run(for_s=0.06)
    script.cut("b")
    script.lose("ax")
    task = script.say("x", "write", "second")
    script.until(lambda: script.slot("a") == 2)
    sim["a"].crash()
    script.heal()
    script.elect("b")
    held = sim.hold("c", "b")
    sim["x"].call("ask", ("x", 1, "b", 1, "write", ("append", "second")), reply="done")
    sim.run(for_s=0.01)
    held.release()
    script.until(task.done)
    script.finish()


def out_of_date(programs: Any, sim: Simulation) -> None:
    """The test: a request arrives once more when its client has long had the answer, and others after it."""
    script = Script(programs, sim)
    held = sim.hold("x", "b")
    sim["x"].call("ask", ("x", 0, "b", 0, "write", ("append", "first")), reply="done")
    sim.run(for_s=0.001)
    for value in ("first", "second", "third"):
        script.write(value)
    held.release()
    sim.run(for_s=0.06)
    script.finish()


def lost_replies(programs: Any, sim: Simulation) -> None:
    """The test: two commands of a client are applied, and the replies lost."""
    script = Script(programs, sim)
    script.write("first")
    script.lose("ax")
    tasks = [script.say("x", "write", "second")]
    sim.run(for_s=0.01)
    tasks.append(script.say("x", "write", "third"))
    script.until(lambda: script.slot("a") == 3)
    script.lose("ax", share=0.0)
    script.until(lambda: all(task.done() for task in tasks), 1.0)
    script.finish()


def one_batch(programs: Any, sim: Simulation) -> None:
    """The test: equal commands, and one that is sent twice, wait for the same slot."""
    script = Script(programs, sim)
    script.write("first")
    held = [sim.hold(one, "a") for one in "bc"]
    for value in range(WINDOW):
        script.say("y", "write", f"{value}")
        sim.run(for_s=0.001)
    script.say("x", "write", "same")
    script.say("x", "write", "same")
    sim.run(for_s=0.001)
    sim["x"].call("ask", ("x", 1, "a", 0, "write", ("append", "same")), reply="done")
    sim.run(for_s=0.002)
    for one in held:
        one.release()
    sim.run(for_s=0.06)
    script.finish()


def expiry(programs: Any, sim: Simulation) -> None:
    """The test: a client is silent for so long that it is forgotten, another is not yet; the clock of `c` is ahead."""
    script = Script(programs, sim, session_retention_s=0.3, sweep_s=0.1)
    sim["c"].skew(0.2)
    script.write("first")
    sim.run(until=0.2)
    script.write("second", client="y")
    sim.run(for_s=0.3)
    script.finish()


def two_changes(programs: Any, sim: Simulation) -> None:
    """The test: a member is to be removed while another is being added."""
    script = Script(programs, sim)
    script.write("first")
    join(script, "d", programs)
    tasks = [change(script, "add-member", "d", "y", ("a",))]
    script.until(lambda: any(row.value[3] for row in script.log("a").proposal))
    tasks.append(change(script, "remove-member", "c", "x", ("a",)))
    script.until(lambda: all(task.done() for task in tasks), 5.0)
    script.members = ("a", "b", "d")
    script.until(lambda: all(sorted(script.log(one).config[()].coming) == list("abd") for one in "abd"), 5.0, "members")
    script.sessions["x"].replicas = script.sessions["y"].replicas = script.members
    script.finish()
