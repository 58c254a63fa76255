"""A run as what a picture of it shows: moments at nodes, and the messages between them.

    events --tell--> Story (moments, arrows, partitions, operations) --choose--> the lines worth showing --> SVG or text
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import Factory, define, frozen

from bloompy.pictures.words import number, one_line, row_text, rows_text

if TYPE_CHECKING:
    from bloompy.ir.nodes import Program
    from bloompy.sim.network import Partition
    from bloompy.sim.trace import Event

Fate: TypeAlias = Literal["arrived", "lost", "refused", "held", "under way"]
Kind: TypeAlias = Literal["tick", "arrival", "lost", "send", "start", "crash", "restart", "stop", "fault", "operation", "failure"]

SHOWN_CHANGES = 4
"""How many changes of tables are told beside a tick."""

SHOWN_FACTS = 40
"""How many rows a tooltip tells."""


@define(eq=False)
class Arrow:
    """One copy of a frame.

    Attributes:
        frame: what the copies have in common.
        source, target: addresses.
        rows: by channel.
        begin: where it was sent; None where the trace does not say.
        end: where it arrived or was lost; None while under way.
        fate: what became of it.
        again: a second copy.
        was_held: somebody held it back for a while.
        why: of its loss, in words.
    """

    frame: int
    source: str
    target: str
    rows: Mapping[str, Sequence[Any]]
    begin: Moment | None = None
    end: Moment | None = None
    fate: Fate = "under way"
    again: bool = False
    was_held: bool = False
    why: str = ""


@define(eq=False)
class Moment:
    """What happens at one node at one time.

    Attributes:
        index: its place in the story.
        no: number of its (last) event.
        time: in seconds.
        node: "" where it concerns the network or all.
        arrivals: messages that come, in the order in which they do.
        sends: messages that leave.
        text: what is said beside it.
        before: the moment before it at the same node.
        changes: what a tick changed in tables, as facts with + or -.
    """

    index: int
    no: int
    time: float
    node: str
    kind: Kind
    step: int = 0
    incarnation: int = 0
    arrivals: list[Arrow] = Factory(list)
    sends: list[Arrow] = Factory(list)
    text: str = ""
    before: Moment | None = None
    changes: list[str] = Factory(list)

    @property
    def note(self) -> str:
        """What is said beside it: its text, or the first changes of a tick."""
        if self.text or not self.changes:
            return self.text
        more = len(self.changes) - SHOWN_CHANGES
        return "  ".join(self.changes[:SHOWN_CHANGES]) + (f"  and {number(more, 'more change')}" if more > 0 else "")

    @property
    def idle(self) -> bool:
        """A tick that nothing came of."""
        return self.kind == "tick" and not (self.arrivals or self.sends or self.changes)


@frozen(eq=False)
class Cut:
    """A partition: two groups that do not reach each other for a time.

    Attributes:
        begin, end: seconds; the end is None where it lasts.
        one_way: only the first does not reach the second.
    """

    groups: tuple[tuple[str, ...], tuple[str, ...]]
    one_way: bool
    begin: float
    end: float | None = None

    @property
    def text(self) -> str:
        """In words."""
        one, other = (", ".join(map(one_line, group)) for group in self.groups)
        what = f"{one} does not reach {other}" if self.one_way else f"{one} and {other} are apart"
        return f"{what} from {seconds(self.begin)}" + ("" if self.end is None else f" to {seconds(self.end)}")


@define(eq=False)
class Operation:
    """What a client did, from its call to its reply.

    Attributes:
        end: None where it never ended.
        outcome: how it ended.
    """

    client: str
    text: str
    begin: Moment
    end: Moment | None = None
    outcome: Literal["ok", "failed", "unknown"] = "unknown"


@define(eq=False)
class Story:
    """A run, ready to be drawn.

    Attributes:
        lanes: the nodes (and clients) in the order in which they appear.
        moments: in order of time, causes before effects.
        addresses: by channel the index of the address column, as far as it is known.
    """

    lanes: list[str]
    moments: list[Moment]
    arrows: list[Arrow]
    cuts: list[Cut]
    operations: list[Operation]
    addresses: Mapping[str, int | None]

    @property
    def failures(self) -> list[Moment]:
        """Where something was found to be wrong."""
        return [one for one in self.moments if one.kind == "failure"]

    def facts(self, arrow: Arrow) -> list[str]:
        """The rows that a message carries."""
        found = {name: _address(rows, arrow.target) for name, rows in arrow.rows.items() if name not in self.addresses}
        return rows_text(arrow.rows, {**found, **self.addresses})

    def label(self, arrow: Arrow) -> str:
        """A message in short: its first row, without the module that it belongs to, and how many more there are."""
        facts = self.facts(arrow)
        shown = _MODULES.sub("", facts[0]) if facts else f"frame {arrow.frame}"
        more = f" +{len(facts) - 1}" if len(facts) > 1 else ""
        return f"{'again ' if arrow.again else ''}{shown}{more}"

    def about(self, moment: Moment) -> str:
        """All about a moment, for a tooltip."""
        what = f"tick {moment.step}" if moment.kind == "tick" else moment.kind
        again = f", incarnation {moment.incarnation}" if moment.incarnation > 1 else ""
        head = f"{one_line(moment.node)}: {what} at {seconds(moment.time)}{again}, event {moment.no}"
        facts = [f"takes {fact}" for arrow in moment.arrivals for fact in self.facts(arrow)]
        facts += moment.changes
        facts += [f"sends {fact} to {one_line(arrow.target)}" for arrow in moment.sends for fact in self.facts(arrow)]
        told = [one for one in (moment.text, *facts[:SHOWN_FACTS]) if one]
        return "\n".join([head, *told, *([f"and {number(len(facts) - SHOWN_FACTS, 'more row')}"] if len(facts) > SHOWN_FACTS else [])])

    def told(self, arrow: Arrow) -> str:
        """All about a message, for a tooltip."""
        sent = f"sent at {seconds(arrow.begin.time)}" + (f" in tick {arrow.begin.step}" if arrow.begin.step else "") if arrow.begin else ""
        end = f" at {seconds(arrow.end.time)}" if arrow.end is not None else ""
        copy = "a second copy, " if arrow.again else ""
        held = " after having been held back" if arrow.was_held and arrow.fate == "arrived" else ""
        why = f" ({one_line(arrow.why)})" if arrow.why else ""
        way = f"{one_line(arrow.source)} → {one_line(arrow.target)}"
        head = f"{way}: {copy}{sent}{', ' if sent else ''}{_FATES[arrow.fate]}{end}{held}{why}"
        return "\n".join([head, *self.facts(arrow)[:SHOWN_FACTS]])


_FAILED = re.compile(r"\w*(Timeout|Error|Stopped|Exception)\w*")
_MODULES = re.compile(r"^(\w+\.)+(?=\w+\()")
_FATES = {
    "arrived": "arrives",
    "lost": "is lost",
    "refused": "is refused as damaged",
    "held": "is held back",
    "under way": "is still under way",
}
_LIFE = {"start": "{} starts", "crash": "{} crashes", "restart": "{} restarts", "stop": "{} ends"}


def seconds(time: float) -> str:
    """A time of the simulation with its unit; what is finer than a microsecond is left out."""
    return f"{round(time, 6):g} s"


def tell(
    events: Iterable[Event],
    programs: Mapping[str, Program] | None = None,
    without: Iterable[str] = (),
    failure: str | None = None,
    partitions: Iterable[Partition] = (),
) -> Story:
    """The story of a run.

    Args:
        events: of its trace, or a stretch of them.
        programs: of the nodes by address; with them the story knows which columns are addresses and which collections are tables.
        without: channels whose messages are of no interest (heartbeats).
        failure: what ended the run, if the trace does not say.
        partitions: that there were.
    """
    teller = _Teller(programs or {}, frozenset(without))
    for event in events:
        teller.take(event)
    cuts = [Cut((tuple(sorted(one.group)), tuple(sorted(one.other))), one.one_way, one.start, one.end) for one in partitions]
    return teller.story(failure, cuts)


class _Teller:
    """Takes events one by one."""

    def __init__(self, programs: Mapping[str, Program], without: frozenset[str]) -> None:
        self.without = without
        self.lanes: dict[str, None] = dict.fromkeys(programs)
        self.moments: list[Moment | None] = []
        self.last: dict[str, Moment] = {}
        self.arrows: list[Arrow] = []
        self.open: dict[int, list[Arrow]] = {}
        self.arrived: dict[str, list[Moment]] = {}
        self.operations: list[Operation] = []
        collections = [one for program in programs.values() for one in program.collections]
        self.addresses = {one.name: one.schema.address for one in collections if one.kind == "channel"}
        self.tables = {(node, one.name) for node, program in programs.items() for one in program.collections if one.kind == "table"}

    def story(self, failure: str | None, cuts: list[Cut]) -> Story:
        """What was told so far, with what is still under way."""
        moments = [one for one in self.moments if one is not None]
        for moment in moments:
            while moment.before is not None and self.moments[moment.before.index] is None:
                moment.before = moment.before.before
        if failure and not any(one.kind == "failure" for one in moments):
            no, time = (moments[-1].no, moments[-1].time) if moments else (0, 0.0)
            first = next((line for line in failure.splitlines() if line.strip()), failure)
            moments.append(Moment(0, no, time, "", "failure", text=one_line(first)))
        for cut in cuts:
            _tell_cut(moments, cut)
        for index, moment in enumerate(moments):
            moment.index = index
        return Story(list(self.lanes), moments, self.arrows, cuts, self.operations, self.addresses)

    def take(self, event: Event) -> None:
        """One more event."""
        for name in (event.node, event.peer):
            if name:
                self.lanes.setdefault(name)
        match event.kind:
            case "tick":
                self.tick(event)
            case "send":
                self.send(event)
            case "deliver" | "refuse":
                self.deliver(event)
            case "drop":
                self.drop(event)
            case "duplicate":
                self.duplicate(event)
            case "hold" | "release":
                self.hold(event)
            case "operation":
                self.operation(event)
            case "start":
                if event.incarnation > 1 or event.time > 0:
                    self.moment(event, "start", _LIFE["start"].format(event.node) + (f": {event.text}" if event.text else ""))
            case "fault":
                self.fault(event)
            case _:
                self.moment(event, event.kind, _LIFE[event.kind].format(event.node) + (f": {event.text}" if event.text else ""))

    def moment(self, event: Event, kind: Kind, text: str = "", node: str | None = None) -> Moment:
        """A moment for an event, behind all others."""
        where = event.node if node is None else node
        made = Moment(len(self.moments), event.no, event.time, where, kind, event.step, event.incarnation, text=one_line(text))
        self.moments.append(made)
        if where:
            made.before = self.last.get(where)
            self.last[where] = made
        return made

    # -- ticks

    def tick(self, event: Event) -> None:
        """A tick, with what arrived for it at the same time."""
        made = self.moment(event, "tick")
        for arrival in self.arrived.pop(event.node, []):
            if arrival.time == event.time and arrival.incarnation in (0, event.incarnation):
                self.absorb(made, arrival)
        made.changes = self.changes(event)

    def absorb(self, tick: Moment, arrival: Moment) -> None:
        """What arrived becomes a part of the tick that takes it."""
        self.moments[arrival.index] = None
        for arrow in arrival.arrivals:
            arrow.end = tick
        tick.arrivals += arrival.arrivals

    def changes(self, event: Event) -> list[str]:
        """What a tick changed in tables, or in everything where nobody told which collections are tables."""
        if event.tick is None:
            return []

        def of_interest(name: str) -> bool:
            return (event.node, name) in self.tables if self.tables else True

        new = [f"+{row_text(name, row)}" for name, rows in event.tick.inserted.items() if of_interest(name) for row in rows]
        return [f"-{row_text(name, row)}" for name, rows in event.tick.deleted.items() if of_interest(name) for row in rows] + new

    # -- messages

    def rows(self, event: Event) -> dict[str, Sequence[Any]]:
        """The rows of a frame that are of interest."""
        return {name: rows for name, rows in event.rows.items() if name not in self.without}

    def send(self, event: Event) -> None:
        """A frame leaves."""
        rows = self.rows(event)
        if event.rows and not rows:
            return
        begin = self.last.get(event.node)
        if begin is None or begin.time != event.time or begin.kind not in ("tick", "send", "operation"):
            begin = self.moment(event, "send")
        arrow = Arrow(event.frame, event.node, event.peer, rows, begin)
        begin.sends.append(arrow)
        begin.no = event.no
        self.arrows.append(arrow)
        self.open.setdefault(event.frame, []).append(arrow)

    def duplicate(self, event: Event) -> None:
        """A second copy leaves."""
        first = self.known(event)
        if first is not None:
            copy = Arrow(event.frame, event.node, event.peer, first.rows, first.begin, again=True)
            self.arrows.append(copy)
            if copy.begin is not None:
                copy.begin.sends.append(copy)
            self.open[event.frame].append(copy)

    def known(self, event: Event) -> Arrow | None:
        """The first copy of a frame that did not end yet, else the first."""
        copies = self.open.get(event.frame, [])
        return next((one for one in copies if one.end is None), copies[0] if copies else None)

    def copy(self, event: Event, source: str, target: str) -> Arrow | None:
        """The copy that an event ends; a new one where the trace told of none; None if it is of no interest."""
        rows = self.rows(event)
        if event.rows and not rows:
            return None
        known = self.known(event)
        if known is not None and known.end is None:
            return known
        again = known is not None
        if known is None and not event.rows and self.without:
            return None  # of a frame that was left out
        arrow = Arrow(event.frame, source, target, rows or (known.rows if known else {}), known.begin if known else None, again=again)
        self.arrows.append(arrow)
        self.open.setdefault(event.frame, []).append(arrow)
        return arrow

    def deliver(self, event: Event) -> None:
        """A frame arrives, or is refused."""
        arrow = self.copy(event, event.peer, event.node)
        if arrow is None:
            return
        arrow.fate = "arrived" if event.kind == "deliver" else "refused"
        arrow.why = event.text if event.kind == "refuse" else ""
        made = self.moment(event, "arrival")
        arrow.end = made
        made.arrivals.append(arrow)
        self.arrived.setdefault(event.node, []).append(made)

    def drop(self, event: Event) -> None:
        """A frame is lost."""
        arrow = self.copy(event, event.node, event.peer)
        if arrow is None:
            return
        arrow.fate, arrow.why = "lost", event.text
        arrow.end = self.moment(event, "lost", "" if event.text == "lost" else event.text, node="")
        arrow.end.arrivals.append(arrow)

    def hold(self, event: Event) -> None:
        """A frame is held back, or no longer."""
        arrow = self.known(event)
        if arrow is not None and arrow.end is None:
            arrow.was_held = True
            arrow.fate = "held" if event.kind == "hold" else "under way"

    # -- faults and operations

    def fault(self, event: Event) -> None:
        """A fault, in words; what ended the run is one that failed it."""
        self.moment(event, "failure" if "failure" in event.rows else "fault", event.text)

    def operation(self, event: Event) -> None:
        """A client's call begins, or ends: then it is told again, with "->" and what came of it."""
        made, text = self.moment(event, "operation", event.text), one_line(event.text)
        for known in self.operations:
            if known.end is None and known.client == event.node and text.startswith(f"{known.text} -> "):
                known.end = made
                known.outcome = "failed" if _FAILED.fullmatch(text.removeprefix(f"{known.text} -> ")) else "ok"
                return
        self.operations.append(Operation(event.node, text, made))


def _tell_cut(moments: list[Moment], cut: Cut) -> None:
    """A partition that was drawn or scheduled begins without an event: it is told before the first moment in it."""
    at = next((i for i, one in enumerate(moments) if one.time >= cut.begin), None)
    by_hand = any(one.kind == "fault" and one.time == cut.begin and one.text.startswith("partition: ") for one in moments)
    if at is not None and not by_hand and (cut.end is None or moments[at].time < cut.end):
        moments.insert(at, Moment(0, moments[at].no, cut.begin, "", "fault", text=cut.text))


def _address(rows: Iterable[Sequence[Any]], target: str) -> int | None:
    """The column that holds the receiver in every row, where nobody told which one is the address."""
    for column in zip(*rows, strict=False):
        if column and all(isinstance(value, str) and value == target for value in column):
            return 0
        break
    return None
