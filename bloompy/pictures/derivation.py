"""The derivation graph of a row as a picture: causes above, the row asked for at the bottom, a column for each node.

Every fact is a box with its tick and the rule that derived it; an edge leads from each premise to what follows from it, and crosses
columns where a message did. Other derivations of the same row are dashed. What had to be absent stands in the box. `why_not` is a
tree: what is missing, the rules that could have derived it, their conditions met and not met.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import define, frozen

from bloompy.pictures.drawing import FONT, STYLE, head
from bloompy.pictures.spacetime import page
from bloompy.pictures.svg import document, element, text, text_width, title
from bloompy.pictures.words import cut, number, one_line

if TYPE_CHECKING:
    from bloompy.engine.provenance.answers import Attempt, Derivation, Fact, Why, WhyNot

SHOWN_FACTS = 60
"""How many facts a picture shows; those nearest to the row asked for."""

_CHARACTERS = 64
_LINE, _PAD, _BETWEEN = 15.0, 6.0, 14.0
_GUTTER, _MARGIN, _TOP = 58.0, 12.0, 40.0
_ALTERNATIVES = 3
_ABSENCES = 3
_STEP = 22.0


@define(eq=False)
class FactBox:
    """A fact with its place.

    Attributes:
        lines: pairs of style and text.
        x, y, width: of the box; its height follows from the lines.
    """

    fact: Fact
    lines: list[tuple[str, str]]
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0

    @property
    def height(self) -> float:
        """Of the box."""
        return _LINE * len(self.lines) + 2 * _PAD


class DerivationPicture:
    """The picture of why a row holds; in a notebook it shows itself.

    Args:
        why: what `why(…)` answered.
        limit: how many facts to show.
    """

    def __init__(self, why: Why, limit: int = SHOWN_FACTS) -> None:
        self.why = why
        self.shown = _nearest(why, limit)
        self.nodes = list(dict.fromkeys(sorted(fact.node for fact in self.shown)))
        self.boxes = {fact: FactBox(fact, self._lines(fact)) for fact in _in_order(why, self.shown)}
        self._place()

    def svg(self) -> str:
        """As an SVG document."""
        children = [
            element("rect", class_="back", x=0.0, y=0.0, width=self.width, height=self.height),
            *self._names(),
            *(one for fact in self.boxes for one in self._edges(fact)),
            *(self._box(box) for box in self.boxes.values()),
            *self._left_out(),
        ]
        about = f"Derivation of {one_line(self.why.root.text)}"
        return document(self.width, self.height, [element("g", *children, class_="bloompy-st")], style=STYLE, about=about)

    def page(self) -> str:
        """As an HTML page of its own."""
        return page(f"Why {one_line(self.why.root.text)}", self.svg(), number(len(self.why.facts), "fact"))

    def text(self) -> str:
        """As text: the tree that `why` prints."""
        return str(self.why)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<DerivationPicture of {one_line(self.why.root.text)}: {number(len(self.why.facts), 'fact')}>"

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.svg()}</div>'

    # -- where things stand

    def _lines(self, fact: Fact) -> list[tuple[str, str]]:
        lines = [("name text", fact.text), ("dim", fact.where + f", {fact.time:.6g} s")]
        several = self.why.derivations.get(fact, ())
        for i, one in enumerate(several[:_ALTERNATIVES]):
            lines.append(("dim", ("or " if i else "") + one.summary))
            lines += [("fault", f"while there is no {absence.text}") for absence in one.absences[:_ABSENCES]]
        if len(several) > _ALTERNATIVES:
            lines.append(("dim", f"and in {number(len(several) - _ALTERNATIVES, 'other way')}"))
        if fact not in self.why.derivations:
            lines.append(("dim", "… not followed any further"))
        return [(style, cut(line, _CHARACTERS)) for style, line in lines]

    def _place(self) -> None:
        widths = dict.fromkeys(self.nodes, 120.0)
        for box in self.boxes.values():
            widths[box.fact.node] = max([widths[box.fact.node], *(text_width(line, FONT) + 2 * _PAD for _, line in box.lines)])
        x, self.columns = _MARGIN, {}
        for node in self.nodes:
            x += _GUTTER
            self.columns[node] = (x, widths[node])
            x += widths[node]
        y = _TOP
        for box in self.boxes.values():
            box.x, box.width = self.columns[box.fact.node]
            box.y = y
            y += box.height + _BETWEEN
        left_out = len(self.why.facts) > len(self.boxes)
        self.width, self.height = x + _MARGIN, y + (_LINE + _PAD if left_out else 0)

    # -- what is drawn

    def _names(self) -> Iterator[str]:
        for node in self.nodes:
            x, width = self.columns[node]
            shown = cut(node, int(width / (0.602 * FONT)))
            place = {"x": x + width / 2, "y": _TOP - 16, "text_anchor": "middle"}
            yield element("text", title(one_line(node)), text(shown), class_="text name", **place)

    def _box(self, box: FactBox) -> str:
        root = box.fact == self.why.root
        outside = any(not one.premises for one in self.why.derivations.get(box.fact, ()))
        frame = "text-line" if root else "good-line" if outside else "life-line"
        rows = [
            element("text", text(line), class_=style, x=box.x + _PAD, y=box.y + _PAD + _LINE * (i + 0.75))
            for i, (style, line) in enumerate(box.lines)
        ]
        place = {"x": box.x, "y": box.y, "width": box.width, "height": box.height, "rx": 5}
        return element(
            "g",
            title(self._told(box.fact)),
            element("rect", class_="back", **place),
            element("rect", class_=frame, stroke_width=2 if root else 1.3, **place),
            *rows,
        )

    def _told(self, fact: Fact) -> str:
        named = [f"{one_line(name)} = {one_line(value)}" for name, value in zip(fact.columns, map(repr_of, fact.row), strict=False)]
        told = [fact.text, fact.where, *named]
        for one in self.why.derivations.get(fact, ()):
            told.append(one.summary)
            if one.rule is not None:
                told += [f"  {line}" for line in one.rule.text.splitlines()]
            told += [f"  {name} = {repr_of(value)}" for name, value in one.bindings]
        return "\n".join(one_line(line) for line in told)

    def _edges(self, fact: Fact) -> Iterator[str]:
        for i, one in enumerate(self.why.derivations.get(fact, ())[:_ALTERNATIVES]):
            for premise in one.premises:
                if premise in self.boxes:
                    yield from self._edge(self.boxes[premise], self.boxes[fact], one, i)

    def _edge(self, start: FactBox, end: FactBox, derivation: Derivation, alternative: int) -> Iterator[str]:
        style = "arrow-line" if derivation.message is not None else "dim-line"
        dash = "4 3" if alternative else None
        if start.x == end.x:
            x, y1, y2 = start.x, start.y + start.height / 2, end.y + _PAD + _LINE / 2 + 5 * alternative
            bend = x - min(_GUTTER - 8, 14 + abs(y2 - y1) / 8)
            path, tail, tip = f"M{x:g} {y1:g}C{bend:g} {y1:g} {bend:g} {y2:g} {x - 1:g} {y2:g}", (bend, y2), (x - 1, y2)
        else:
            right = end.x > start.x
            x1 = start.x + (start.width if right else 0)
            x2 = end.x - 1 if right else end.x + end.width + 1
            y1, y2 = start.y + start.height / 2, end.y + _PAD + _LINE / 2 + 5 * alternative
            path, tail, tip = f"M{x1:g} {y1:g}L{x2:g} {y2:g}", (x1, y1), (x2, y2)
        told = derivation.rule.text if derivation.rule is not None else derivation.summary
        told = "\n".join(one_line(line) for line in [derivation.summary, *told.splitlines()])
        yield element("path", title(told), class_=style, d=path, stroke_width=1.3, stroke_dasharray=dash)
        yield head(tail, tip, style.removesuffix("-line"))

    def _left_out(self) -> Iterator[str]:
        left = len(self.why.facts) - len(self.boxes)
        if left:
            yield element("text", text(f"… {number(left, 'fact')} left out"), class_="dim", x=_MARGIN, y=self.height - _PAD)


def repr_of(value: object) -> str:
    """A value for a tooltip."""
    from bloompy.engine.provenance.answers import value_text

    return value_text(value)


def _nearest(why: Why, limit: int) -> dict[Fact, None]:
    """The facts nearest to the root, breadth first."""
    shown: dict[Fact, None] = {why.root: None}
    waiting = [why.root]
    for fact in waiting:
        for one in why.derivations.get(fact, ()):
            for premise in one.premises:
                if premise not in shown and len(shown) < limit:
                    shown[premise] = None
                    waiting.append(premise)
    return shown


def _in_order(why: Why, shown: dict[Fact, None]) -> Iterator[Fact]:
    """Causes before what follows from them; what does not depend on each other by time."""
    numbers = {fact: i for i, fact in enumerate(reversed(shown))}
    needs = {fact: {p for one in why.derivations.get(fact, ()) for p in one.premises if p in shown} for fact in shown}
    follows: dict[Fact, list[Fact]] = {fact: [] for fact in shown}
    for fact, premises in needs.items():
        for premise in premises:
            follows[premise].append(fact)
    ready = [(fact.time, numbers[fact], fact) for fact in shown if not needs[fact]]
    heapq.heapify(ready)
    while ready:
        _, _, fact = heapq.heappop(ready)
        yield fact
        for one in sorted(follows[fact], key=numbers.__getitem__):
            needs[one].discard(fact)
            if not needs[one]:
                heapq.heappush(ready, (one.time, numbers[one], one))


# --- why not ------------------------------------------------------------------------------------------------------


@frozen
class TreeLine:
    """A line of a tree.

    Attributes:
        depth: how far it is moved to the right.
        style: class of the picture.
        shown: its text.
        told: its tooltip.
    """

    depth: int
    style: str
    shown: str
    told: str = ""


@define(repr=False)
class WhyNotPicture:
    """The picture of why a row does not hold; in a notebook it shows itself.

    Args:
        why_not: what `why_not(…)` answered.
        limit: how many lines to show.
    """

    why_not: WhyNot
    limit: int = 80

    @property
    def lines(self) -> list[TreeLine]:
        """What it says, line by line."""
        found = list(_missing(self.why_not, 0))
        more = len(found) - self.limit
        return found if more <= 0 else [*found[: self.limit], TreeLine(0, "dim", f"… {number(more, 'line')} left out")]

    def svg(self) -> str:
        """As an SVG document."""
        lines = self.lines
        width = max((24 + _STEP * one.depth + text_width(cut(one.shown, 110), FONT) for one in lines), default=100.0) + 24
        height = 20.0 * len(lines) + 20
        children = [element("rect", class_="back", x=0.0, y=0.0, width=width, height=height)]
        for i, line in enumerate(lines):
            x, y = 12 + _STEP * line.depth, 24.0 + 20 * i
            parent = next((j for j in range(i - 1, -1, -1) if lines[j].depth < line.depth), None)
            if parent is not None and line.depth:
                children.append(
                    element("path", class_="life-line", d=f"M{x - _STEP + 5:g} {30 + 20 * parent:g}V{y - 4:g}H{x - 2:g}", stroke_width=1)
                )
            children.append(element("text", title(line.told or line.shown), text(cut(line.shown, 110)), class_=line.style, x=x + 2, y=y))
        about = f"Why {one_line(self.why_not.pattern)} does not hold"
        return document(width, height, [element("g", *children, class_="bloompy-st")], style=STYLE, about=about)

    def page(self) -> str:
        """As an HTML page of its own."""
        return page(f"Why not {one_line(self.why_not.pattern)}", self.svg())

    def text(self) -> str:
        """As text."""
        return str(self.why_not)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<WhyNotPicture of {one_line(self.why_not.pattern)}>"

    def _repr_html_(self) -> str:
        return f'<div style="overflow-x: auto">{self.svg()}</div>'


def _missing(one: WhyNot, depth: int) -> Iterator[TreeLine]:
    where = f"at {one.node}, tick {one.tick}"
    yield TreeLine(depth, "bad name", one_line(f"✗ {one.pattern} {where}"))
    for reason in one.reasons:
        yield TreeLine(depth + 1, "fault", one_line(reason))
    for attempt in one.attempts:
        yield from _attempted(attempt, depth + 1)


def _attempted(attempt: Attempt, depth: int) -> Iterator[TreeLine]:
    rule = attempt.rule
    told = "\n".join(one_line(line) for line in rule.text.splitlines())
    yield TreeLine(depth, "text", one_line(", ".join(filter(None, (rule.label, rule.short_place, attempt.where)))), told)
    for step in attempt.steps:
        mark, style = ("✓", "good") if step.met else ("✗", "bad")
        line = f" (line {step.line})" if step.line else ""
        yield TreeLine(depth + 1, style, one_line(f"{mark} {step.text}{line}: {step.said}" if step.said else f"{mark} {step.text}{line}"))
    if attempt.below is not None:
        yield from _missing(attempt.below, depth + 2)


def derivation_svg(answer: Why | WhyNot) -> str:
    """The picture of what `why` or `why_not` answered, as SVG."""
    return picture_of(answer).svg()


def picture_of(answer: Why | WhyNot) -> DerivationPicture | WhyNotPicture:
    """The picture of what `why` or `why_not` answered."""
    from bloompy.engine.provenance.answers import Why

    return DerivationPicture(answer) if isinstance(answer, Why) else WhyNotPicture(answer)
