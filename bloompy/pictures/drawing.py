"""A space-time diagram as SVG: where everything stands, and how it looks in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Iterator
from textwrap import wrap

from attrs import Factory, define, field, frozen

from bloompy.pictures.lines import Line, places
from bloompy.pictures.story import Arrow, Cut, Moment, Operation, Story
from bloompy.pictures.svg import document, element, label, text, text_width, title
from bloompy.pictures.words import cut, one_line

FONT = 11.0
LINE = 24.0
_TOP, _BOTTOM = 52.0, 16.0
_FIRST_LANE, _TIME = 140.0, 88.0
_NOTE_CHARACTERS = 62
_SHORT = 36.0  # how far before its goal a lost message ends

_LIGHT = {
    "back": "#ffffff", "text": "#1f2328", "dim": "#59636e", "life": "#9aa4af", "arrow": "#0969da", "bad": "#cf222e",
    "fault": "#bc4c00", "good": "#1a7f37", "one": "#8250df", "other": "#1b7c83",
}  # fmt: skip
_DARK = {
    "back": "#161b22", "text": "#e6edf3", "dim": "#9198a1", "life": "#565e67", "arrow": "#58a6ff", "bad": "#ff7b72",
    "fault": "#f0883e", "good": "#3fb950", "one": "#bc8cff", "other": "#39c5cf",
}  # fmt: skip


def _colours(named: dict[str, str]) -> str:
    rules = []
    for name, colour in named.items():
        rules.append(f".bloompy-st .{name}{{fill:{colour}}}.bloompy-st .{name}-line{{stroke:{colour};fill:none}}")
    rules.append(f".bloompy-st .halo{{stroke:{named['back']}}}.bloompy-st .pill{{fill:{named['back']};stroke:{named['text']}}}")
    return "".join(rules)


STYLE = (
    f".bloompy-st text{{font:{FONT:g}px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}}"
    ".bloompy-st .halo{paint-order:stroke;stroke-width:4px;stroke-linejoin:round}.bloompy-st .name{font-weight:bold}"
    ".bloompy-st .band{opacity:.14}.bloompy-st .faint{opacity:.45}"
    f"{_colours(_LIGHT)}@media (prefers-color-scheme:dark){{{_colours(_DARK)}}}"
)


@frozen
class Box:
    """What a label covers, in pixels."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


def draw(story: Story, lines: list[Line]) -> str:
    """The picture as an SVG document.

    Args:
        story: the run.
        lines: what of it is shown.
    """
    return Drawing(story, lines).svg()


@define(eq=False)
class Drawing:
    """Places everything and draws it.

    Attributes:
        boxes: what the labels drawn so far cover.
    """

    story: Story
    lines: list[Line]
    boxes: list[Box] = Factory(list)
    _places: dict[int, int] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self._places = places(self.lines, self.story)

    def svg(self) -> str:
        """The document."""
        below = self.long_failures()
        height = self.bottom + _BOTTOM + 16 * len(below)
        children = [
            element("rect", class_="back", x=0.0, y=0.0, width=self.width, height=height),
            *(one for cut_ in self.story.cuts for one in self.partition(cut_)),
            *(one for line in self.lines for one in self.band(line)),
            *(one for lane in self.story.lanes for one in self.lifeline(lane)),
            *(one for operation in self.story.operations for one in self.operation(operation)),
            *(one for arrow in self.story.arrows for one in self.leaving(arrow)),
            *(one for line in self.lines for one in self.arriving(line)),
            *(one for line in self.lines for one in self.mark(line)),
            *(one for lane in self.story.lanes for one in self.name(lane)),
            *(one for line in self.lines for one in self.words(line)),
            *(self.label(one, 12, self.bottom + 16 * (i + 1), "bad") for i, one in enumerate(below)),
        ]
        about = f"Space-time diagram of {len(self.story.lanes)} nodes: {', '.join(map(one_line, self.story.lanes))}"
        return document(self.width, height, [element("g", *children, class_="bloompy-st")], style=STYLE, about=about)

    # -- where things stand

    @property
    def gap(self) -> float:
        """Between two lifelines."""
        lanes = len(self.story.lanes)
        return 200.0 if lanes <= 4 else 170.0 if lanes <= 7 else 140.0

    @property
    def notes(self) -> float:
        """Where what is said beside the lines begins."""
        return _FIRST_LANE + self.gap * max(len(self.story.lanes) - 1, 1) + 40

    @property
    def width(self) -> float:
        """Of the picture."""
        longest = max((len(line.note) for line in self.lines), default=0)
        return self.notes + 0.602 * FONT * min(longest, _NOTE_CHARACTERS) + 20

    @property
    def bottom(self) -> float:
        """Where the lifelines end."""
        return _TOP + LINE * len(self.lines) + 4

    def lane(self, node: str) -> float:
        """Where a node's lifeline is."""
        return _FIRST_LANE + self.gap * self.story.lanes.index(node)

    def y(self, index: int) -> float:
        """Where a line is."""
        return _TOP + LINE * (index + 0.5)

    def place(self, moment: Moment | None) -> float | None:
        """Where a moment is, or the gap into which it fell."""
        index = self._places.get(moment.index) if moment is not None else None
        return self.y(index) if index is not None else None

    def reach(self, moment: Moment | None) -> float:
        """How far the mark of a moment reaches to either side."""
        if moment is None or moment.kind != "tick":
            return 5.0
        return self.pill(moment) / 2 + 1

    def pill(self, moment: Moment) -> float:
        """How wide the mark of a tick is."""
        return text_width(str(moment.step), FONT) + 10

    # -- behind

    def partition(self, cut_: Cut) -> Iterator[str]:
        """Both groups shaded, each in its colour, while they are apart."""
        within = [one.index for one in self.lines if one.moment is not None and one.moment.time >= cut_.begin]
        after = [one.index for one in self.lines if one.moment is not None and cut_.end is not None and one.moment.time >= cut_.end]
        if not within or within[0] in after:
            return
        top, bottom = self.y(within[0]) - LINE / 2, self.y(after[0]) - LINE / 2 if after else self.bottom
        for group, colour in zip(cut_.groups, ("one", "other"), strict=True):
            for node in group:
                if node in self.story.lanes:
                    place = {"x": self.lane(node) - 22, "y": top, "width": 44.0, "height": bottom - top}
                    yield element("rect", title(cut_.text), class_=f"{colour} band", rx=6, **place)

    def band(self, line: Line) -> Iterator[str]:
        """What went wrong stands on red."""
        if line.moment is not None and line.moment.kind == "failure":
            yield element("rect", class_="bad band", x=0.0, y=self.y(line.index) - LINE / 2, width=self.width, height=LINE)
        if line.gap is not None or line.pause:
            y = self.y(line.index)
            yield element("path", class_="dim-line", d=f"M{_FIRST_LANE - 30:g} {y:g}H{self.notes - 12:g}", stroke_dasharray="1 5")

    def lifeline(self, node: str) -> Iterator[str]:
        """Solid while the node is up."""
        x, start = self.lane(node), _TOP - 14
        up: float | None = start
        for line in self.lines:
            moment = line.moment
            if moment is None or moment.node != node or not line.last:
                continue
            y = self.y(line.index)
            if moment.kind in ("crash", "stop") and up is not None:
                yield element("path", class_="life-line", d=f"M{x:g} {up:g}V{y:g}", stroke_width=1.5)
                up = None
            elif moment.kind in ("restart", "start"):
                if moment.kind == "start" and up == start:
                    pass  # it was not there before
                elif up is not None:
                    yield element("path", class_="life-line", d=f"M{x:g} {up:g}V{y:g}", stroke_width=1.5)
                up = y
        if up is not None:
            yield element("path", class_="life-line", d=f"M{x:g} {up:g}V{self.bottom:g}", stroke_width=1.5)

    def operation(self, operation: Operation) -> Iterator[str]:
        """A bar from call to reply."""
        top = self.place(operation.begin)
        if top is None:
            return
        bottom = self.place(operation.end) if operation.end is not None else self.bottom
        colour = {"ok": "good", "failed": "fault", "unknown": "dim"}[operation.outcome]
        told = operation.text + (f"\n{operation.end.text}" if operation.end is not None else "\nnever ended")
        place = {"x": self.lane(operation.client) - 6, "y": top - 6, "width": 12.0, "height": max((bottom or top) - top, 0.0) + 12}
        yield element("rect", title(told), class_=f"{colour} faint", rx=4, **place)

    # -- messages

    def leaving(self, arrow: Arrow) -> Iterator[str]:
        """A message whose end is left out."""
        shown = {line.moment.index for line in self.lines if line.moment is not None}
        if arrow.begin is None or arrow.end is None or arrow.begin.index not in shown or arrow.end.index in shown:
            return
        start, end = self.place(arrow.begin), self.place(arrow.end)
        if start is not None and end is not None:
            yield self.stroke(arrow, start, (self.lane(arrow.target), end), "arrow-line faint")

    def arriving(self, line: Line) -> Iterator[str]:
        """The message that ends in a line."""
        arrow = line.arrow
        if arrow is None:
            return
        y, reached = self.y(line.index), self.lane(arrow.target)
        start = self.place(arrow.begin)
        toward = self.toward(arrow)
        bad = arrow.fate in ("lost", "refused")
        end = reached - toward * (_SHORT if arrow.fate not in ("arrived", "refused") else self.reach(line.moment if line.last else None))
        if start is None:
            start = y - 8
        style = "bad-line" if bad else "fault-line" if arrow.again else "arrow-line"
        if arrow.source == arrow.target:
            side = self.lane(arrow.source) - toward * self.reach(arrow.begin)
            bend = side - toward * 36
            path = f"M{side:g} {start:g}C{bend:g} {start:g} {bend:g} {y:g} {end:g} {y:g}"
            yield element("path", title(self.story.told(arrow)), class_=style, d=path, stroke_width=1.3)
            yield head((bend, y), (end, y), style.replace("-line", ""))
            return
        yield self.stroke(arrow, start, (end, y), style)
        begin = (self.lane(arrow.source), start)
        if bad:
            yield cross((end, y))
        elif arrow.fate == "arrived":
            yield head(begin, (end, y), style.replace("-line", ""))
        else:
            yield element("circle", title(self.story.told(arrow)), class_="arrow", cx=end, cy=y, r=2.5)

    def stroke(self, arrow: Arrow, start: float, end: tuple[float, float], style: str) -> str:
        """The line of a message, with all about it as a tooltip."""
        x = self.lane(arrow.source) + self.toward(arrow) * self.reach(arrow.begin)
        dash = "5 3" if arrow.was_held else "2 3" if arrow.fate in ("under way", "held") else None
        points = {"x1": x, "y1": start, "x2": end[0], "y2": end[1]}
        return element("line", title(self.story.told(arrow)), class_=style, stroke_width=1.3, stroke_dasharray=dash, **points)

    def toward(self, arrow: Arrow) -> int:
        """1 if a message goes to the right. A message to oneself comes from the side on which there is room."""
        if arrow.source == arrow.target:
            return 1 if self.lane(arrow.source) > _FIRST_LANE else -1
        return 1 if self.lane(arrow.target) > self.lane(arrow.source) else -1

    # -- marks and words

    def mark(self, line: Line) -> Iterator[str]:
        """What stands on the lifeline."""
        moment, y = line.moment, self.y(line.index)
        if moment is None or not moment.node:
            return
        x, told = self.lane(moment.node), title(self.story.about(moment))
        if not line.last:
            yield element("circle", told, class_="arrow", cx=x, cy=y, r=3)
        elif moment.kind == "tick":
            width = self.pill(moment)
            yield element("rect", told, class_="pill", x=x - width / 2, y=y - 8, width=width, height=16, rx=8)
            yield label(moment.step, x, y + 4, class_="text", text_anchor="middle", pointer_events="none")
        elif moment.kind in ("crash", "stop"):
            yield cross((x, y), 7.0)
        elif moment.kind in ("restart", "start"):
            yield element("circle", told, class_="good-line", cx=x, cy=y, r=6, stroke_width=2)
        elif moment.kind in ("fault", "failure"):
            colour = "bad" if moment.kind == "failure" else "fault"
            yield element("path", told, class_=colour, d=f"M{x:g} {y - 7:g}L{x + 7:g} {y:g}L{x:g} {y + 7:g}L{x - 7:g} {y:g}Z")
        else:
            yield element("circle", told, class_="dim" if moment.kind == "operation" else "arrow", cx=x, cy=y, r=4)

    def name(self, node: str) -> Iterator[str]:
        """A node's name above its lifeline."""
        shown = cut(node, int((self.gap - 12) / (0.602 * FONT)))
        yield self.label(shown, self.lane(node), _TOP - 24, "text name", "middle", told=one_line(node))

    def words(self, line: Line) -> Iterator[str]:
        """What is said in a line: the time, the message, what is beside it."""
        y, moment = self.y(line.index), line.moment
        if line.time:
            yield self.label(line.time, _TIME, y + 4, "dim", "end")
        if line.arrow is not None:
            toward = self.toward(line.arrow)
            room = int((self.gap - 50) / (0.602 * FONT))
            x = self.lane(line.arrow.target) - toward * (_SHORT - 10)
            colour = "bad" if line.arrow.fate in ("lost", "refused") else "text"
            anchor = "end" if toward > 0 else "start"
            yield self.label(cut(self.story.label(line.arrow), room), x, y + 13, colour, anchor, told=self.story.told(line.arrow))
        if line.note:
            kinds = {"failure": "bad", "crash": "bad", "fault": "fault", "stop": "bad", "restart": "good"}
            colour = kinds.get(moment.kind, "dim") if moment is not None else "dim"
            yield self.label(cut(line.note, _NOTE_CHARACTERS), self.notes, y + 4, colour, told=line.note)

    def label(self, shown: str, x: float, y: float, style: str, anchor: str = "start", told: str = "") -> str:
        """A text, whose box is noted."""
        width = text_width(shown, FONT)
        left = x - (width if anchor == "end" else width / 2 if anchor == "middle" else 0)
        self.boxes.append(Box(shown, left, y - 0.8 * FONT, left + width, y + 0.2 * FONT))
        inner = (title(told),) if told and told != shown else ()
        given = {"class_": f"{style} halo", "text_anchor": anchor, "x": x, "y": y}
        return element("text", *inner, text(shown), **given)

    def long_failures(self) -> list[str]:
        """What went wrong, in full, where there is no room for it beside the line."""
        room = max(int((self.width - 24) / (0.602 * FONT)), 20)
        long = [one.text for one in self.story.failures if len(one.text) > _NOTE_CHARACTERS]
        return [part for told in long[:2] for part in wrap(told, room)[:6]]


def head(begin: tuple[float, float], end: tuple[float, float], style: str) -> str:
    """The head of an arrow."""
    angle = math.atan2(end[1] - begin[1], end[0] - begin[0])
    corners = [end] + [(end[0] - 9 * math.cos(angle + turn), end[1] - 9 * math.sin(angle + turn)) for turn in (0.42, -0.42)]
    return element("polygon", class_=style, points=" ".join(f"{x:.1f},{y:.1f}" for x, y in corners))


def cross(at: tuple[float, float], size: float = 5.0) -> str:
    """A cross."""
    x, y = at
    path = f"M{x - size:.1f} {y - size:.1f}L{x + size:.1f} {y + size:.1f}M{x - size:.1f} {y + size:.1f}L{x + size:.1f} {y - size:.1f}"
    return element("path", class_="bad-line", d=path, stroke_width=2)
