"""`Timeline`: operations as bars over time, as text, SVG or HTML. Every value is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from attrs import evolve, field, frozen

from bloompy.testing.histories.operation import Operation, printable

ROWS = 24
"""Most operations that `around` leaves."""
_BEFORE = 6
_BAR = 48
_LABEL = 48
_LEFT, _LINE, _STEP, _BOX = 90, 26, 46, 18


@frozen
class Timeline:
    """Operations as bars over the order of events: not to the scale of time, so that each can be seen.

    Attributes:
        operations: in the order in which they began.
        marked: those that are wrong.
        left_out: how many operations are not shown.
    """

    operations: tuple[Operation, ...]
    marked: tuple[Operation, ...] = ()
    left_out: int = field(default=0)

    def around(self, wanted: Iterable[Operation]) -> Timeline:
        """The operations that matter for some: those that ran beside them, what wrote the values they returned, and a few before."""
        wanted = tuple(wanted)
        if not wanted:
            return self
        first = min(each.invoked for each in wanted)
        last = max(each.invoked if each.completed is None else each.completed for each in wanted)
        kept = {each.invoked for each in (*wanted, *self._sources(wanted))}
        beside = [each for each in self.operations if each.invoked <= last and not _over(each, first)]
        before = [each for each in self.operations if _over(each, first)]
        for each in (*reversed(beside), *before[: -_BEFORE - 1 : -1]):
            if len(kept) >= ROWS:
                break
            kept.add(each.invoked)
        shown = tuple(each for each in self.operations if each.invoked in kept)
        return evolve(self, operations=shown, left_out=self.left_out + len(self.operations) - len(shown))

    def _sources(self, wanted: Sequence[Operation]) -> list[Operation]:
        """For each operation the last before its end that was given what it returned."""
        found = []
        for operation in wanted:
            if operation.ok and operation.result is not None and operation.completed is not None:
                writers = [each for each in self.operations if each.invoked < operation.completed and _gave(each, operation.result)]
                found += writers[-1:]
        return found

    def text(self) -> str:
        """A line for each operation: when it began, what it was, and its bar. Marked ones end with an arrow."""
        if not self.operations:
            return "no operations"
        columns = _Columns(self.operations, _BAR)
        times = [f"{each.start_s:.6g} s" for each in self.operations]
        width = max(map(len, times))
        labels = [_short(str(each)) for each in self.operations]
        wide = max(map(len, labels))
        lines = [
            f"{time:>{width}}  {label:<{wide}}  {columns.bar(each)}{'  <- here' if each in self.marked else ''}".rstrip()
            for time, label, each in zip(times, labels, self.operations, strict=True)
        ]
        return "\n".join([*([f"({self.left_out:,} more operations are not shown)"] if self.left_out else []), *lines])

    def svg(self) -> str:
        """A lane for each process."""
        places = sorted({place for each in self.operations for place in (each.invoked, each.completed) if place is not None})
        column = {place: i for i, place in enumerate(places)}
        lanes = {process: i for i, process in enumerate(dict.fromkeys(each.process for each in self.operations))}
        wide, high = _LEFT + _STEP * (len(places) + 1), _LINE * len(lanes) + 10
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" font-family="sans-serif" font-size="11">']
        for process, lane in lanes.items():
            y = lane * _LINE + 5
            parts.append(f'<text x="4" y="{y + 13}">{_markup(str(process), 13)}</text>')
            parts.append(f'<line x1="{_LEFT}" y1="{y + 9}" x2="{wide}" y2="{y + 9}" stroke="#ddd"/>')
        parts += [self._box(each, column, lanes[each.process] * _LINE + 5, wide) for each in self.operations]
        return "".join([*parts, "</svg>"])

    def html(self) -> str:
        """The SVG in a box that scrolls, with what is left out."""
        more = f"<p>{self.left_out:,} more operations are not shown</p>" if self.left_out else ""
        return f'<div style="overflow-x:auto">{self.svg()}{more}</div>'

    def _repr_html_(self) -> str:
        return self.html()

    def __str__(self) -> str:
        return self.text()

    def _box(self, operation: Operation, column: dict[int, int], y: int, wide: int) -> str:
        x = _LEFT + column[operation.invoked] * _STEP
        end = wide if operation.completed is None or operation.unknown else _LEFT + column[operation.completed] * _STEP
        fill = "#f8c4c4" if operation in self.marked else {"ok": "#cfe8cf", "fail": "#e4e4e4", "info": "#fbe7b8"}[operation.status]
        label = operation.name + (f" -> {operation.outcome}" if operation.outcome else "")
        return (
            f'<g><title>{_markup(str(operation), 500)}</title><rect x="{x}" y="{y}" width="{max(end - x, 4)}" height="{_BOX}" rx="3" '
            f'fill="{fill}" stroke="#666"/><text x="{x + 3}" y="{y + 13}">{_markup(label, max((end - x) // 6, 4))}</text></g>'
        )


def _over(operation: Operation, place: int) -> bool:
    """Whether it surely was over at a place."""
    return not operation.unknown and operation.completed is not None and operation.completed < place


def _gave(operation: Operation, value: object) -> bool:
    argument = operation.argument
    return bool(argument == value) or (type(argument) is tuple and any(bool(each == value) for each in argument[1:]))


def _short(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"


def _markup(text: str, most: int) -> str:
    text = printable(text)
    return escape(text if len(text) <= most else text[: most - 1] + "…")


class _Columns:
    """Where the events of some operations are on a line of characters."""

    def __init__(self, operations: Sequence[Operation], width: int) -> None:
        places = sorted({place for each in operations for place in (each.invoked, each.completed) if place is not None})
        self._last = len(places)
        self._step = max(1, min(3, width // (self._last + 1)))
        self._column = {place: i for i, place in enumerate(places)}

    def bar(self, operation: Operation) -> str:
        start = self._column[operation.invoked] * self._step
        if operation.completed is None or operation.unknown:
            return " " * start + "|" + "~" * max(self._last * self._step - start - 1, 1) + ">"
        end = self._column[operation.completed] * self._step
        return " " * start + "|" + "-" * (end - start - 1) + "|"
