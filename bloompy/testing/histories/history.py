"""`History`: all operations of a run, in the order in which they began."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from bloompy.errors import HistoryError
from bloompy.testing.histories.operation import Event, Operation, Process

if TYPE_CHECKING:
    from bloompy.testing.histories.timeline import Timeline


def _placed(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Operations by invocation, with places from their times where they have none of their own.

    Of events at one time the invocations come first: operations that may have overlapped count as concurrent, which never makes
    a right history wrong.
    """
    given = tuple(operations)
    if any(operation.invoked < 0 for operation in given):
        given = _by_times(given)
    given = tuple(sorted(given, key=lambda operation: operation.invoked))
    for operation in given:
        if operation.completed is None and operation.status != "info":
            raise HistoryError(f"{operation} has no end", hint='give end_s, or status="info"')
        if operation.completed is not None and operation.completed <= operation.invoked:
            raise HistoryError(f"{operation} ended before it began")
    return given


def _by_times(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    events: list[tuple[float, int, int]] = []
    for i, operation in enumerate(operations):
        events.append((operation.start_s, 0, i))
        if operation.end_s is not None:
            if operation.end_s < operation.start_s:
                raise HistoryError(f"{operation} ended before it began")
            events.append((operation.end_s, 1, i))
    places = {(i, end): place for place, (_, end, i) in enumerate(sorted(events))}
    return tuple(evolve(each, invoked=places[i, 0], completed=places.get((i, 1))) for i, each in enumerate(operations))


@frozen(repr=False)
class History:
    """All operations of a run, in the order in which they began.

        History([Operation("a", "write", 1, start_s=0, end_s=2), Operation("b", "read", result=1, start_s=1, end_s=3)])

    Attributes:
        operations: with their places; operations without places get them from their times.

    Raises:
        HistoryError: for an operation that ended before it began, or that is `ok` or `fail` without an end.
    """

    operations: tuple[Operation, ...] = field(converter=_placed, factory=tuple)

    @classmethod
    def of_events(cls, events: Iterable[Event]) -> History:
        """A history from its events in their order.

        An operation without an end is `info`. An `info` event of a process that has nothing under way is left out: other
        systems write what their fault injector did so.

        Raises:
            HistoryError: for an end without a beginning, or a beginning while the process has an operation under way.
        """
        under_way: dict[Process, tuple[int, Event]] = {}
        found: list[Operation] = []
        for place, event in enumerate(events):
            if event.kind == "invoke":
                if event.process in under_way:
                    before = under_way[event.process][1].function
                    raise HistoryError(f"{event.process!r} began {event.function!r} before its {before!r} ended")
                under_way[event.process] = (place, event)
            elif event.process in under_way:
                began, invocation = under_way.pop(event.process)
                if event.function != invocation.function:
                    raise HistoryError(f"{event.process!r} began {invocation.function!r} and ended {event.function!r}")
                found.append(_operation(began, invocation, place, event))
            elif event.kind != "info":
                raise HistoryError(f"{event.process!r} ended {event.function!r} without having begun it")
        found.extend(_operation(began, invocation, None, None) for began, invocation in under_way.values())
        return cls(found)

    @property
    def events(self) -> tuple[Event, ...]:
        """Beginnings and ends in their order."""
        found: list[tuple[int, Event]] = []
        for each in self.operations:
            found.append((each.invoked, Event("invoke", each.process, each.function, each.argument, each.start_s)))
            if each.completed is not None:
                end_s = each.start_s if each.end_s is None else each.end_s
                result = each.result if each.ok else None
                found.append((each.completed, Event(each.status, each.process, each.function, result, end_s, each.error)))
        return tuple(event for _, event in sorted(found, key=lambda pair: pair[0]))

    def __iter__(self) -> Iterator[Operation]:
        """The operations in the order in which they began."""
        return iter(self.operations)

    def __len__(self) -> int:
        """The number of operations."""
        return len(self.operations)

    def __repr__(self) -> str:
        """How many operations of which status."""
        counts = {status: sum(each.status == status for each in self) for status in ("ok", "fail", "info")}
        return f"<History of {len(self):,} operations: {', '.join(f'{count:,} {status}' for status, count in counts.items())}>"

    def where(self, keep: Callable[[Operation], bool]) -> History:
        """The history of some operations."""
        return History(filter(keep, self.operations))

    def map(self, change: Callable[[Operation], Operation]) -> History:
        """The history with every operation changed, for instance to the names that a model uses."""
        return History(map(change, self.operations))

    def until(self, place: int) -> History:
        """The history up to and with the event at a place: what was under way there is `info`."""
        return History(cut(each, place) for each in self.operations if each.invoked <= place)

    def text(self) -> str:
        """One line for each event; `parse` reads it."""
        from bloompy.testing.histories import lines

        return lines.write(self.events)

    @classmethod
    def parse(cls, text: str) -> History:
        """A history from what `text` writes.

        Raises:
            HistoryError: for a line that cannot be read, with its number.
        """
        from bloompy.testing.histories import lines

        return cls.of_events(lines.read(text))

    def json_lines(self) -> str:
        """One JSON object for each event, with the keys of Jepsen's histories; `parse_json_lines` reads it."""
        from bloompy.testing.histories import json_lines

        return json_lines.write(self.events)

    @classmethod
    def parse_json_lines(cls, text: str) -> History:
        """A history from JSON lines `{"type": "invoke", "process": 0, "f": "write", "value": 1, "time": 12}`.

        Raises:
            HistoryError: for a line that cannot be read, with its number.
        """
        from bloompy.testing.histories import json_lines

        return cls.of_events(json_lines.read(text))

    def timeline(self, marked: Iterable[Operation] = ()) -> Timeline:
        """The operations as bars over time, as text, SVG or HTML.

        Args:
            marked: operations to be shown as wrong.
        """
        from bloompy.testing.histories.timeline import Timeline

        return Timeline(self.operations, tuple(marked))

    def _repr_html_(self) -> str:
        return self.timeline().html()


def cut(operation: Operation, place: int) -> Operation:
    """The operation as it was known right after the event at a place."""
    if operation.completed is None or operation.completed <= place:
        return operation
    return evolve(operation, status="info", result=None, end_s=None, completed=None, error="")


def _operation(began: int, invocation: Event, ended: int | None, end: Event | None) -> Operation:
    result: Any = end.value if end is not None and end.kind == "ok" else None
    return Operation(
        invocation.process,
        invocation.function,
        invocation.value,
        result,
        status=end.kind if end is not None and end.kind != "invoke" else "info",
        start_s=invocation.time_s,
        end_s=None if end is None else end.time_s,
        invoked=began,
        completed=ended,
        error="" if end is None else end.error,
    )
