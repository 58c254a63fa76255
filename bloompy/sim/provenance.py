"""`why` and `why_not` over a simulated cluster: the trace of a run has the batches of all nodes, and who sent what to whom.

Each incarnation of each node is replayed from its batches when it is asked about (`engine.provenance.proving`); the trace joins them at
messages and at what a restart found on its disk.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from attrs import define, field

from bloompy.engine.provenance import asking, lacking
from bloompy.engine.provenance.answers import Derivation, Fact, Message, Why, WhyNot
from bloompy.engine.provenance.guided import pattern_text
from bloompy.engine.provenance.proving import Prover
from bloompy.engine.provenance.replay import Replay
from bloompy.engine.tick import Batch, PlainRow, Tick
from bloompy.errors import UsageError
from bloompy.program import machine_of
from bloompy.sim.trace import Event

if TYPE_CHECKING:
    from bloompy.sim.simulation import Simulation

_SHOWN = 4


def why(
    sim: Simulation,
    node: str,
    collection: str,
    row: Any,
    time: float | None = None,
    *,
    tick: int | None = None,
    limit: int = asking.FOLLOWED,
) -> Why:
    """Why a row holds, or held, at a node: its derivation across ticks and nodes.

    Args:
        sim: the simulation, with its trace.
        node: address.
        collection: full name.
        row: the row, or its key.
        time: seconds, after which it held; by default the last time at which it did.
        tick: of the present incarnation, instead of a time.
        limit: follow at most so many rows.

    Raises:
        UsageError: if it did not hold, or the run was not traced.
    """
    cluster = cluster_of(sim)
    runs = cluster.runs_of(node)
    if tick is None and time is None:
        for run in reversed(runs):
            found = asking.holding(cluster.prover(node, run.incarnation), collection, row, None) if run.batches else None
            if found is not None:
                return asking.graph(cluster.prover(node, run.incarnation), found, limit)
    run, at = cluster.moment(node, time, tick)
    return asking.why(cluster.prover(node, run.incarnation), collection, row, at, limit)


def why_not(sim: Simulation, node: str, collection: str, row: Any, time: float | None = None, *, tick: int | None = None) -> WhyNot:
    """Why a row does not hold at a node: which rule came nearest, and what it lacked; of a message, what became of it.

    Args:
        sim, node, collection, time, tick: as of `why`; by default the end of the run.
        row: the row, or its key; `...` in place of a value that does not matter.

    Raises:
        UsageError: if it does hold, or the run was not traced.
    """
    cluster = cluster_of(sim)
    run, at = cluster.moment(node, time, tick)
    return lacking.why_not(cluster.prover(node, run.incarnation), collection, row, at, cluster)


@define
class Run:
    """One incarnation of one node, as the trace tells it.

    Attributes:
        node, incarnation: which.
        batches, ticks, times: of its ticks.
        blank: it began with an empty disk.
        ended: its crash or stop.
        delayed: the program has delayed tables, of whose last changes a crash may leave nothing.
    """

    node: str
    incarnation: int
    batches: list[Batch] = field(factory=list)
    ticks: list[Tick] = field(factory=list)
    times: list[float] = field(factory=list)
    blank: bool = False
    ended: Event | None = None
    delayed: bool = False

    @property
    def stored(self) -> int:
        """Number of the last tick whose durable changes the next incarnation found."""
        last = len(self.batches)
        return min(self.ended.stored, last) if self.delayed and self.ended is not None else last


@define
class Letter:
    """A frame: its sending, and what became of it and of its copies."""

    sent: Event
    fate: list[Event] = field(factory=list)


class Cluster:
    """The `World` of a simulation, and its `Post`; follows the trace as it grows."""

    def __init__(self, sim: Simulation) -> None:
        self._events, self._nodes, self._read = sim.trace.events, sim.nodes, 0
        self.runs: dict[tuple[str, int], Run] = {}
        self.letters: dict[int, Letter] = {}
        self._provers: dict[tuple[str, int], Prover] = {}
        self._waiting: dict[str, dict[tuple[str, PlainRow], list[Event]]] = {}
        self._arrived: dict[tuple[str, int, int, str, PlainRow], list[Event]] = {}
        self._wiped: set[str] = set()

    # -- reading the trace

    def read(self) -> None:
        """Take in the events since the last time."""
        while self._read < len(self._events):
            event = self._events[self._read]
            self._read += 1
            self._take(event)

    def _take(self, event: Event) -> None:
        match event.kind:
            case "start" | "restart":
                blank, delayed = event.node in self._wiped, self._has_delayed(event.node)
                self.runs[event.node, event.incarnation] = Run(event.node, event.incarnation, blank=blank, delayed=delayed)
                self._wiped.discard(event.node)
                self._waiting[event.node] = {}
            case "tick":
                self._ticked(event)
            case "send":
                self.letters[event.frame] = Letter(event)
            case "deliver":
                self._fate(event)
                waiting = self._waiting.setdefault(event.node, {})
                for channel, rows in event.rows.items():
                    for row in rows:
                        waiting.setdefault((channel, row), []).append(event)
            case "drop" | "refuse" | "hold" | "release" | "duplicate":
                self._fate(event)
            case "crash" | "stop" | "fault":
                if "disk" in event.text and "lost" in event.text:
                    self._wiped.add(event.node)
                run = self.runs.get((event.node, event.incarnation))
                if run is not None and event.kind != "fault":
                    run.ended = event

    def _has_delayed(self, node: str) -> bool:
        return any(one.delayed for one in machine_of(self._nodes[node].program).program.collections)

    def _fate(self, event: Event) -> None:
        letter = self.letters.get(event.frame)
        if letter is not None:
            letter.fate.append(event)

    def _ticked(self, event: Event) -> None:
        assert event.batch is not None
        assert event.tick is not None
        run = self.runs[event.node, event.incarnation]
        run.batches.append(event.batch)
        run.ticks.append(event.tick)
        run.times.append(event.time)
        waiting = self._waiting.setdefault(event.node, {})
        for channel, rows in event.batch.events.items():
            for row in dict.fromkeys(rows):
                came = waiting.pop((channel, row), None)
                if came is not None:
                    self._arrived[event.node, event.incarnation, len(run.batches), channel, row] = came

    # -- moments

    def runs_of(self, node: str) -> list[Run]:
        """The incarnations of a node.

        Raises:
            UsageError: if there is no such node, or it never ticked.
        """
        found = [run for (name, _), run in self.runs.items() if name == node]
        if node not in self._nodes:
            raise UsageError(f"there is no node {node!r}", hint=f"there are {', '.join(self._nodes) or 'none'}")
        if not any(run.batches for run in found):
            raise UsageError(f"the trace has no tick of {node!r}", hint="run the simulation first, with trace=True")
        return found

    def moment(self, node: str, time: float | None, tick: int | None) -> tuple[Run, int]:
        """The incarnation and the number of the last tick at a time."""
        runs = [run for run in self.runs_of(node) if run.batches]
        if time is None:
            return runs[-1], len(runs[-1].batches) if tick is None else tick
        for run in reversed(runs):
            before = sum(one <= time for one in run.times)
            if before:
                return run, before
        raise UsageError(f"{node} has not ticked at {time:g} s", hint=f"its first tick is at {runs[0].times[0]:g} s")

    # -- the world

    def prover(self, node: str, incarnation: int) -> Prover:
        """Of an incarnation of a node."""
        found = self._provers.get((node, incarnation))
        if found is None:
            machine = machine_of(self._nodes[node].program)
            run = self.runs[node, incarnation]
            replay = Replay(machine.program, machine.environment, self._restored(run), run.batches)
            found = self._provers[node, incarnation] = Prover(replay, node, incarnation, self)
        return found

    def _restored(self, run: Run) -> Mapping[str, list[PlainRow]]:
        """What it found on its disk: what the incarnation before it had put there."""
        if run.incarnation == 1 or run.blank or self._nodes[run.node].disk is None:
            return {}
        before = self.runs[run.node, run.incarnation - 1]
        replay = self.prover(run.node, before.incarnation).replay
        if before.stored < replay.last:
            replay = Replay(replay.program, replay.environment, replay.restored, before.batches[: before.stored])
        replay.at(replay.last)
        return {name: list(rows.values()) for name, rows in replay.stored.items()}

    def messages(self, prover: Prover, fact: Fact) -> list[Message]:
        """The frames that brought a row, or what the node sent to itself."""
        came = self._arrived.get((fact.node, fact.incarnation, fact.tick, fact.collection, fact.row), ())
        if came:
            return [self._message(event, fact) for event in came]
        return list(self._own(fact))

    def _message(self, event: Event, fact: Fact) -> Message:
        letter = self.letters[event.frame]
        sent = letter.sent
        ticks = self.runs[sent.node, sent.incarnation].ticks
        tick = next((i for i in range(min(sent.step, len(ticks)), 0, -1) if fact.row in ticks[i - 1].sent.get(fact.collection, ())), 0)
        return Message(sent.node, fact.node, event.frame, sent.ordinal, sent.time, event.time, sent.incarnation, tick)

    def _own(self, fact: Fact) -> Iterator[Message]:
        run = self.runs[fact.node, fact.incarnation]
        address = machine_of(self._nodes[fact.node].program).program.schemas[fact.collection].address
        if address is None or fact.row[address] == fact.node:
            for i in range(fact.tick - 1, 0, -1):
                if fact.row in run.ticks[i - 1].sent.get(fact.collection, ()):
                    yield Message(fact.node, fact.node, 0, 0, run.times[i - 1], fact.time, fact.incarnation, i)
                    return

    def stored(self, prover: Prover, fact: Fact) -> list[Derivation]:
        """A restored row held in the incarnation before, or was asked for in its last tick."""
        if fact.incarnation == 1:
            return [Derivation(fact, "restored")]
        before = self.prover(fact.node, fact.incarnation - 1)
        last = self.runs[fact.node, fact.incarnation - 1].stored
        stretch = before.replay.timeline(fact.collection).last(fact.row, last)
        if stretch is not None:
            until = last if stretch.until is None else min(stretch.until, last)
            return [Derivation(fact, "restored", premises=(before.fact(until, fact.collection, fact.row),))]
        return list(before.asked_for(fact, last)) or [Derivation(fact, "restored")]

    def time(self, prover: Prover, tick: int) -> float:
        """Of the simulation."""
        return self.runs[prover.node, prover.incarnation].times[tick - 1]

    # -- the post

    def undelivered(self, prover: Prover, channel: str, known: Mapping[int, Any], tick: int) -> tuple[list[str], list[tuple[Prover, int]]]:
        """What became of such messages; where none was sent, who could have sent one."""
        times = self.runs[prover.node, prover.incarnation].times
        now = times[tick] if tick < len(times) else math.inf  # until its next tick it could still have arrived
        found = [
            letter
            for letter in self.letters.values()
            if letter.sent.peer == prover.node
            and letter.sent.time <= now
            and any(all(row[i] == value for i, value in known.items()) for row in letter.sent.rows.get(channel, ()))
        ]
        if found:
            more = [f"and {len(found) - _SHOWN:,} more before"] if len(found) > _SHOWN else []
            return [self._told(letter, channel, known, prover, now) for letter in found[-_SHOWN:]] + more, []
        kept = list(self._unsent(channel, prover.node, known, now))
        if kept:
            return kept[:_SHOWN], []
        senders = [one for one in self._senders(channel, prover, now) if one[1] > 0]
        return ["no such message was sent to it by then"], senders

    def _unsent(self, channel: str, node: str, known: Mapping[int, Any], now: float) -> Iterator[str]:
        """Ticks that had such a row to send, of nodes that crashed before they sent it."""
        for run in self.runs.values():
            for i, (tick, time) in enumerate(zip(run.ticks, run.times, strict=True), 1):
                rows = [row for row in tick.sent.get(channel, ()) if all(row[at] == value for at, value in known.items())]
                if rows and time <= now and run.node != node and run.ended is not None:
                    down = run.ended.time
                    yield f"tick {i} of {run.node} was to send it at {time:.6g} s, and {run.node} went down before, at {down:.6g} s"

    def _told(self, letter: Letter, channel: str, known: Mapping[int, Any], prover: Prover, now: float) -> str:
        sent = letter.sent
        row = next(row for row in sent.rows[channel] if all(row[i] == value for i, value in known.items()))
        text = f"{pattern_text(prover.program, channel, dict(enumerate(row)))} was sent by {sent.node} at {sent.time:.6g} s"
        fate = [event for event in letter.fate if event.time <= now]
        last = next((event for event in reversed(fate) if event.kind in ("deliver", "drop", "refuse", "hold")), None)
        if last is None:
            return f"{text} and was still on its way"
        why_so = f": {last.text}" if last.text and last.text != "lost" else ""
        if last.kind != "deliver":
            return f"{text} and {_FATES[last.kind]} at {last.time:.6g} s{why_so}"
        arrivals = self._arrived.items()
        at = next((key[2] for key, came in arrivals if key[0] == prover.node and key[3:] == (channel, row) and last in came), None)
        return f"{text} and arrived at {last.time:.6g} s" + (f", in tick {at}" if at is not None else ", but took part in no tick")

    def _senders(self, channel: str, prover: Prover, now: float) -> Iterator[tuple[Prover, int]]:
        for (node, incarnation), run in self.runs.items():
            if (node, incarnation + 1) not in self.runs and run.batches:
                other = self.prover(node, incarnation)
                if any(rule.operator == "<~" for rule in other.rules.get(channel, ())):
                    yield other, sum(one <= now for one in run.times)


_FATES = {"drop": "was lost", "refuse": "was refused as damaged", "hold": "was held back"}

_CLUSTERS: WeakKeyDictionary[Simulation, Cluster] = WeakKeyDictionary()


def cluster_of(sim: Simulation) -> Cluster:
    """The past of a simulation, as far as it has come."""
    found = _CLUSTERS.get(sim)
    if found is None:
        found = _CLUSTERS[sim] = Cluster(sim)
    found.read()
    return found
