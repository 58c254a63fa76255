"""A space-time diagram as text: a column for each node, a line for each event, arrows from column to column."""

from __future__ import annotations

from textwrap import wrap

from attrs import define, field, frozen

from bloompy.pictures.lines import Line
from bloompy.pictures.story import Arrow, Story
from bloompy.pictures.words import cut, one_line, wide

_TIME_COLUMNS, _NOTE_COLUMNS = 12, 24
_NARROWEST, _WIDEST = 11, 28


@frozen
class Pens:
    """The characters to draw with."""

    life: str = "│"
    dead: str = "┊"
    dash: str = "─"
    dots: str = "╌"
    right: str = "▶"
    left: str = "◀"
    leave: str = "├"
    leave_left: str = "┤"
    cross: str = "✕"
    fault: str = "◆"
    up: str = "○"
    point: str = "●"
    gap: str = "⋮"
    more: str = "…"


UNICODE = Pens()
ASCII = Pens("|", ":", "-", ".", ">", "<", "+", "+", "X", "!", "o", "*", ":", "~")


@define(eq=False)
class Lanes:
    """Draws the lines of a run with characters.

    Args:
        story: the run.
        lines: what of it is shown.
        width: columns at most.
        ascii: with ASCII characters only.
    """

    story: Story
    lines: list[Line]
    width: int
    ascii: bool = False
    pens: Pens = field(init=False)
    spacing: int = field(init=False)
    _down: set[str] = field(init=False, factory=set)
    _seen: dict[str, int] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.pens = ASCII if self.ascii else UNICODE
        between = max(len(self.story.lanes) - 1, 1)
        room = self.width - _TIME_COLUMNS - 3 - _NOTE_COLUMNS
        longest = max((wide(self.story.label(line.arrow)) for line in self.lines if line.arrow is not None), default=0)
        wished = max(longest + 9, *(wide(one_line(node)) + 2 for node in self.story.lanes), _NARROWEST) if self.story.lanes else 1
        self.spacing = min(room // between, _WIDEST, wished)

    def text(self) -> str:
        """The diagram. Where the columns of all nodes do not fit, a line for each event instead."""
        drawn = self._columns() if self.spacing >= _NARROWEST else self._list()
        text = "\n".join(line.rstrip() for line in [*drawn, *self._failures(drawn)])
        return text.replace("…", "~") if self.ascii else text

    def _shown(self, text: str) -> str:
        """A text with the characters that may be used."""
        if not self.ascii:
            return text
        return text.replace("→", "->").replace("✗", "X").encode("ascii", "backslashreplace").decode()

    def _failures(self, drawn: list[str]) -> list[str]:
        """What went wrong, in full, where it was cut."""
        told = [self._shown(one.text) for one in self.story.failures]
        told = [text for text in told if not any(text in line for line in drawn)]
        return [part for text in told[:2] for part in wrap(text, self.width)[:6]]

    # -- columns

    def _columns(self) -> list[str]:
        names = _Canvas()
        for node in self.story.lanes:
            shown = cut(self._shown(one_line(node)), self.spacing - 2)
            names.write(max(self._x(node) - wide(shown) // 2, 0), shown)
        started_later = {line.moment.node for line in self.lines if line.moment is not None and line.moment.kind == "start"}
        self._down = set(started_later)
        return [str(names), *map(self._line, self.lines)]

    def _x(self, node: str) -> int:
        return _TIME_COLUMNS + 2 + self.spacing * self.story.lanes.index(node)

    def _line(self, line: Line) -> str:
        canvas = _Canvas()
        canvas.write(0, line.time.rjust(_TIME_COLUMNS - 1))
        for node in self.story.lanes:
            canvas.write(self._x(node), " " if line.gap or line.pause else self.pens.dead if node in self._down else self.pens.life)
        if line.gap is not None or line.pause:
            for node in self.story.lanes:
                canvas.write(self._x(node), self.pens.gap)
        if line.arrow is not None:
            self._arrow(canvas, line)
        if line.moment is not None and line.moment.node:
            self._mark(canvas, line)
        if line.note:
            start = self._x(self.story.lanes[-1]) + 4 if self.story.lanes else _TIME_COLUMNS
            canvas.write(start, cut(self._note(line), max(self.width - start, 8)))
        return str(canvas)

    def _arrow(self, canvas: _Canvas, line: Line) -> None:
        arrow = line.arrow
        assert arrow is not None
        begin, end = self._x(arrow.source), self._x(arrow.target)
        label = self._shown(self._label(arrow))
        if begin == end:
            canvas.write(begin + 2, cut(f"{self.pens.left}{self.pens.dash} {label}", self.spacing - 3))
            return
        toward = 1 if end > begin else -1
        stop = end - toward * (3 if arrow.fate in ("lost", "under way", "held") else 1)
        if toward < 0 and line.last and line.moment is not None and line.moment.kind == "tick":
            stop = end + len(str(line.moment.step))
        dash = self.pens.dash if arrow.fate in ("arrived", "lost", "refused") else self.pens.dots
        for x in range(begin + toward, stop, toward):
            canvas.write(x, dash)
        canvas.write(begin, self.pens.leave if toward > 0 else self.pens.leave_left)
        tip = {"lost": self.pens.cross, "refused": self.pens.cross, "arrived": self.pens.right if toward > 0 else self.pens.left}
        canvas.write(stop, tip.get(arrow.fate, self.pens.more))
        shown = cut(label, self.spacing - 7)
        free = self.spacing - 5 - wide(shown) - 2  # dashes that stay on both sides
        left = end - self.spacing + 2 if toward > 0 else max(end + 4, stop + 2)
        canvas.write(left + free // 2, f" {shown} ")

    def _label(self, arrow: Arrow) -> str:
        """The message; with the number of the tick that sent it in front, if that is not the last one shown of its sender."""
        begin = arrow.begin
        late = begin is not None and begin.step and self._seen.get(arrow.source, 0) not in (0, begin.step)
        return (f"#{begin.step} " if late and begin is not None else "") + self.story.label(arrow)

    def _mark(self, canvas: _Canvas, line: Line) -> None:
        moment = line.moment
        assert moment is not None
        x = self._x(moment.node)
        if not line.last:
            canvas.write(x, self.pens.point)
            return
        if moment.kind in ("crash", "stop"):
            self._down.add(moment.node)
        elif moment.kind in ("restart", "start"):
            self._down.discard(moment.node)
        if moment.kind == "tick":
            self._seen[moment.node] = moment.step
            canvas.write(x, str(moment.step))
        else:
            marks = {"crash": self.pens.cross, "stop": self.pens.cross, "restart": self.pens.up, "start": self.pens.up}
            marks |= {"fault": self.pens.fault, "failure": self.pens.cross}
            canvas.write(x, marks.get(moment.kind, self.pens.point))

    # -- where columns do not fit

    def _list(self) -> list[str]:
        """A line for each event."""
        return [cut(self._shown(one), self.width) for line in self.lines for one in self._listed(line)]

    def _note(self, line: Line) -> str:
        """What is said beside a line; its own "…" is one character in ASCII too."""
        return f"…{self._shown(line.note[1:])}" if line.note.startswith("…") else self._shown(line.note)

    def _listed(self, line: Line) -> list[str]:
        time, arrow, moment = line.time.rjust(_TIME_COLUMNS - 1), line.arrow, line.moment
        found = []
        if arrow is not None:
            words = {"lost": " is lost", "refused": " is refused", "held": " is held back", "under way": " is under way"}
            fact = f"{self.story.label(arrow)}{words.get(arrow.fate, '')}"
            found.append(f"{time}  {one_line(arrow.source)} → {one_line(arrow.target)}: {fact}")
            time = " " * (_TIME_COLUMNS - 1)
        if moment is not None and moment.kind == "tick" and line.last:
            found.append(f"{time}  {one_line(moment.node)}: tick {moment.step}  {line.note}")
        elif line.note:
            found.append(f"{time}  {line.note}")
        return found


class _Canvas:
    """A line of a terminal, written in any order."""

    def __init__(self) -> None:
        self.cells: list[str] = []

    def write(self, at: int, shown: str) -> None:
        """Write from a column on; a wide character takes two, the second of which is empty."""
        for one in shown:
            columns = wide(one)
            if not columns:
                if 0 < at <= len(self.cells):
                    self.cells[at - 1] += one
                continue
            if at + columns > len(self.cells):
                self.cells += [" "] * (at + columns - len(self.cells))
            self.cells[at : at + columns] = [one] + [""] * (columns - 1)
            at += columns

    def __str__(self) -> str:
        return "".join(self.cells)


