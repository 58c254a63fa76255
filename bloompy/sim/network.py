"""The network between simulated nodes: links with latency, loss, repetition, damage; partitions; frames held back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from random import Random
from typing import Any, TypeAlias
from zlib import crc32

from attrs import define, evolve, field, frozen

from bloompy.errors import UsageError
from bloompy.sim.clock import Agenda
from bloompy.sim.faults import Faults, between
from bloompy.sim.schedule import Decisions
from bloompy.sim.trace import EventKind

Told: TypeAlias = "Callable[[EventKind, Frame, str], None]"
"""Takes what happened to a frame, for the trace."""

_FRAME_FAULTS = ("drop", "duplicate", "delay", "corrupt")
_PCT_SPREAD = 8  # links differ in latency by up to 2 to this power
_PARTITION_CHANCE = 0.05


@frozen
class Frame:
    """A frame under way.

    Attributes:
        number: unique; its copies have the same.
        source, destination: addresses.
        ordinal: on its link, from 1.
        data: its bytes as they arrive.
        checksum: of the bytes as they were sent.
    """

    number: int
    source: str
    destination: str
    ordinal: int
    data: bytes
    checksum: int

    @property
    def whole(self) -> bool:
        """Whether the bytes are those that were sent."""
        return crc32(self.data) == self.checksum


def _share(link: object, attribute: Any, value: object) -> None:
    if attribute.name == "drop" and callable(value):
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        function = ", or a function of the number of the frame" if attribute.name == "drop" else ""
        raise UsageError(f"{attribute.name}={value!r:.80}", hint=f"give a share from 0 to 1{function}")


def _seconds(link: object, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise UsageError(f"{attribute.name}={value!r:.80}", hint="give seconds, 0 or more")


@define(eq=False)
class Link:
    """One direction between two nodes. Set its attributes to have faults by hand.

    Attributes:
        latency_s: seconds that a frame takes.
        drop: share of the frames that are lost, or a function of the frame's ordinal that says whether this one is.
        fifo: no frame overtakes another, as over one TCP connection.
        held: frames held back, oldest first, while `holds`.
    """

    source: str
    destination: str
    latency_s: float = field(validator=_seconds)
    drop: float | Callable[[int], bool] = field(default=0.0, validator=_share)
    duplicate: float = field(default=0.0, validator=_share)
    fifo: bool = False
    holds: bool = False
    held: list[HeldFrame] = field(factory=list)
    sent: int = 0
    last_s: float = 0.0


@define(eq=False)
class HeldFrame:
    """A frame held back by `Simulation.hold`."""

    frame: Frame
    network: Network
    link: Link

    def release(self) -> None:
        """Let it arrive now."""
        if self in self.link.held:
            self.link.held.remove(self)
            self.network.told("release", self.frame, "")
            self.network.arrive_at(self.network.agenda.now, self.frame)

    def drop(self) -> None:
        """Lose it."""
        if self in self.link.held:
            self.link.held.remove(self)
            self.network.lose(self.frame, "dropped while held")


class Hold:
    """What is held on some links, from `Simulation.hold`. Iterate it for the frames."""

    def __init__(self, network: Network, links: Iterable[Link]) -> None:
        self._network, self._links = network, list(links)
        for link in self._links:
            link.holds = True

    @property
    def frames(self) -> list[HeldFrame]:
        """Those held back now, oldest first."""
        return sorted((one for link in self._links for one in link.held), key=lambda held: held.frame.number)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> HeldFrame:
        return self.frames[index]

    def release(self) -> None:
        """Let all go on, in the order in which they were sent, and hold no more."""
        self._end()
        for held in self.frames:
            held.release()

    def drop(self) -> None:
        """Lose all, and hold no more."""
        self._end()
        for held in self.frames:
            held.drop()

    def _end(self) -> None:
        for link in self._links:
            link.holds = False


@frozen(eq=False)
class Partition:
    """Two groups of nodes that do not hear of each other for a time.

    Attributes:
        start, end: seconds; the end may be None.
        one_way: only frames from the first group to the second are lost.
    """

    start: float
    end: float | None
    group: frozenset[str]
    other: frozenset[str]
    one_way: bool

    def cuts(self, source: str, destination: str, now: float) -> bool:
        """Whether it keeps a frame from its destination."""
        if now < self.start or (self.end is not None and now >= self.end):
            return False
        if source in self.group and destination in self.other:
            return True
        return not self.one_way and source in self.other and destination in self.group


class Network:
    """All links.

    Args:
        agenda: virtual time.
        decisions: what goes wrong.
        faults: how much of it, where it is drawn.
        latency_s: of a link without any of its own.
        order: "latency" or "pct".
        pct: for "pct", depth and the number of frames expected (Burckhardt et al., ASPLOS 2010; for messages Ozkan et al., OOPSLA 2018).
        deliver: takes a frame that arrives.
        told: takes what happens to frames.
        counts: of faults by kind.
        members: the addresses of all nodes, for partitions.

    Attributes:
        partitions: those that still count.
        history: all there were, with the ends that they came to.
    """

    def __init__(
        self,
        agenda: Agenda,
        decisions: Decisions,
        faults: Faults,
        latency_s: float,
        order: str,
        pct: tuple[int, int],
        deliver: Callable[[Frame], None],
        told: Told,
        counts: Counter[str],
        members: Callable[[], Collection[str]],
    ) -> None:
        self.agenda, self.told, self.counts = agenda, told, counts
        self._decisions, self._faults, self._latency_s = decisions, faults, latency_s
        self._deliver, self._members = deliver, members
        self._links: dict[tuple[str, str], Link] = {}
        self.partitions: list[Partition] = []
        self.history: list[Partition] = []
        self._frames = 0
        self._pct = order == "pct"
        self._late = self._late_frames(pct) if self._pct else frozenset()
        self._left, self._calm = faults.partitions, False
        for one in decisions.given("partition"):
            start, end, group, other, one_way = one.value
            self._split(Partition(start, end, frozenset(group), frozenset(other), bool(one_way)))

    def link(self, source: str, destination: str) -> Link:
        """The link from one address to another."""
        found = self._links.get((source, destination))
        if found is None:
            rank = self._rank if self._pct else None
            latency = self._decisions.decide("link", (source, destination), rank) if not self._calm else None
            found = Link(source, destination, self._latency_s if latency is None else float(latency))
            self._links[source, destination] = found
        return found

    @property
    def links(self) -> list[Link]:
        """All that were used or asked for."""
        return list(self._links.values())

    def partition(self, group: Collection[str], other: Collection[str], one_way: bool, for_s: float | None) -> Partition:
        """Split two groups from now on."""
        now = self.agenda.now
        found = Partition(now, None if for_s is None else now + for_s, frozenset(group), frozenset(other), one_way)
        if found.group & found.other:
            raise UsageError(f"{', '.join(sorted(found.group & found.other))} would be on both sides of a partition")
        self._split(found)
        return found

    def heal(self) -> None:
        """End all partitions and holds."""
        now = self.agenda.now
        self.history[:] = [one if one.end is not None and one.end <= now else evolve(one, end=now) for one in self.history]
        self.partitions.clear()
        Hold(self, self._links.values()).release()

    def calm(self) -> None:
        """From now on, nothing is drawn to go wrong, and all links are as they are by default."""
        self._faults, self._left, self._late, self._calm = Faults(), 0, frozenset(), True
        for link in self._links.values():
            link.drop, link.duplicate, link.latency_s = 0.0, 0.0, self._latency_s
        self.heal()

    # -- frames

    def send(self, source: str, destination: str, data: bytes) -> None:
        """Have a frame arrive, or not."""
        link = self.link(source, destination)
        link.sent += 1
        self._frames += 1
        frame = Frame(self._frames, source, destination, link.sent, data, crc32(data))
        self.told("send", frame, "")
        now = self.agenda.now
        if self._cut(source, destination, now):
            self.lose(frame, "partition")
        elif self._decides("drop", frame, link):
            self.counts["drop"] += 1
            self.lose(frame, "lost")
        elif link.holds:
            link.held.append(HeldFrame(frame, self, link))
            self.told("hold", frame, "")
        else:
            self._carry(link, self._damaged(frame))
        if self._left and self._decisions.draws is not None:
            self._draw_partition(self._decisions.draws)

    def arrive_at(self, when: float, frame: Frame) -> None:
        """Have a frame arrive at a time."""
        self.agenda.at(when, lambda: self._arrive(frame))

    def lose(self, frame: Frame, why: str) -> None:
        """Lose a frame."""
        self.told("drop", frame, why)

    def _arrive(self, frame: Frame) -> None:
        if self._cut(frame.source, frame.destination, self.agenda.now):
            self.lose(frame, "partition")
        else:
            self._deliver(frame)

    def _carry(self, link: Link, frame: Frame) -> None:
        when = self.agenda.now + link.latency_s + self._delay(frame)
        if link.fifo:
            when = link.last_s = max(when, link.last_s)
        self.arrive_at(when, frame)
        again = self._decisions.decide("duplicate", self._point(frame), self._draw_duplicate(link))
        if again is not None:
            self.counts["duplicate"] += 1
            self.told("duplicate", frame, f"again {again:g} s later")
            self.arrive_at(when + float(again), frame)

    def _delay(self, frame: Frame) -> float:
        extra = self._decisions.decide("delay", self._point(frame), self._draw_delay)
        if extra is None:
            return 0.0
        if self._faults.delay or not self._pct:  # what comes late for the sake of rare orders is no fault
            self.counts["delay"] += 1
        return float(extra)

    def _damaged(self, frame: Frame) -> Frame:
        def draw(random: Random) -> int | None:
            return int(random.random() * 1000) if random.random() < self._faults.corrupt and self._active() else None

        position = self._decisions.decide("corrupt", self._point(frame), draw if self._faults.corrupt else None)
        if position is None or not frame.data:
            return frame
        self.counts["corrupt"] += 1
        data = bytearray(frame.data)
        data[int(position) % len(data)] ^= 0x20
        return Frame(frame.number, frame.source, frame.destination, frame.ordinal, bytes(data), frame.checksum)

    # -- draws

    @staticmethod
    def _point(frame: Frame) -> tuple[str, str, int]:
        return frame.source, frame.destination, frame.ordinal

    def _active(self) -> bool:
        return self._faults.until_s is None or self.agenda.now < self._faults.until_s

    def _decides(self, kind: str, frame: Frame, link: Link) -> bool:
        share = link.drop
        if callable(share):
            return share(frame.ordinal)
        share = max(share, self._faults.drop if self._active() else 0.0)
        draw = (lambda random: True if random.random() < share else None) if share else None
        return self._decisions.decide(kind, self._point(frame), draw) is not None

    def _draw_duplicate(self, link: Link) -> Callable[[Random], float | None] | None:
        share = max(link.duplicate, self._faults.duplicate if self._active() else 0.0)
        if not share:
            return None
        return lambda random: between(random, self._faults.delay_s) if random.random() < share else None

    def _draw_delay(self, random: Random) -> float | None:
        if self._frames in self._late:
            return round(self._latency_s * (1 << _PCT_SPREAD) * (1 + random.random()), 6)
        if self._faults.delay and self._active() and random.random() < self._faults.delay:
            return between(random, self._faults.delay_s)
        return None

    def _draw_partition(self, random: Random) -> None:
        if not self._active() or random.random() >= _PARTITION_CHANCE:
            return
        members = list(self._members())
        group = [one for one in members if random.random() < 0.5]
        other = [one for one in members if one not in group]
        if group and other:
            self._left -= 1
            start = round(self.agenda.now + 1e-6, 6)  # later than anything that is sent now
            end = round(start + between(random, self._faults.partition_s), 6)
            one_way = random.random() < self._faults.one_way
            self._decisions.note("partition", (len(self.partitions),), [start, end, group, other, one_way])
            self._split(Partition(start, end, frozenset(group), frozenset(other), one_way))

    def _split(self, partition: Partition) -> None:
        self.counts["partition"] += 1
        self.partitions.append(partition)
        self.history.append(partition)

    def _cut(self, source: str, destination: str, now: float) -> bool:
        return any(one.cuts(source, destination, now) for one in self.partitions) if self.partitions else False

    def _rank(self, random: Random) -> float:
        spread: float = 2.0 ** (_PCT_SPREAD * random.random())
        return round(self._latency_s * spread, 6)

    def _late_frames(self, pct: tuple[int, int]) -> frozenset[int]:
        depth, expected = pct
        random = self._decisions.draws
        return frozenset(1 + int(random.random() * expected) for _ in range(depth - 1)) if random is not None else frozenset()
