"""The dataflow of a program: collections, the rules between them as arrows, and its points of order.

As SVG drawn here, and as text for mermaid and for Graphviz (DOT). The dialect is that of Bud's plots (Alvaro et al., CIDR 2011):
solid arrows hold within a tick, dashed ones at the next, dotted ones whenever a message arrives; ¬ Σ and ? mark reading that is not
monotone, red what is a point of order.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve, frozen

from bloompy.analysis.dependencies import references
from bloompy.analysis.monotonicity import obstacles
from bloompy.analysis.order import Point, order
from bloompy.errors import UsageError
from bloompy.ir.nodes import Program, Rule
from bloompy.pictures import dataflow_svg, dataflow_text, svg

_SENT = ("channel", "loopback", "stdio")
_MARKS = {"negation": "¬", "aggregation": "Σ", "get": "?", "value": "?", "lattice": "⊔"}


@frozen
class Vertex:
    """A collection; a channel that a program both receives and sends is two.

    Attributes:
        id: its name, with " (sent)" for what leaves.
        name: of the collection.
        kind: of the collection.
        columns: its schema, as text.
        module: dotted name of the inner module it belongs to, "" for the program itself.
        points: how many points of order are about its rows.
    """

    id: str
    name: str
    kind: str
    columns: str
    module: str
    points: int = 0

    @property
    def short(self) -> str:
        """Its name within its module, of at most 40 characters."""
        return svg.clip(self.name.rpartition(":")[2].removeprefix(f"{self.module}." if self.module else ""), 40)


@frozen
class Arrow:
    """What goes from one collection into another.

    Attributes:
        start, end: ids.
        operator: of the rules; the same two may have several arrows.
        marks: signs of how the first is read, "" for monotonically.
        rules: labels and places.
        points: kinds of the points of order there.
    """

    start: str
    end: str
    operator: str
    marks: str
    rules: tuple[str, ...]
    points: tuple[str, ...] = ()


@frozen
class Dataflow:
    """A program as a graph; shows itself in notebooks."""

    name: str
    vertices: tuple[Vertex, ...]
    arrows: tuple[Arrow, ...]

    @classmethod
    def of(cls, program: Program, points: Iterable[Point] | None = None) -> Dataflow:
        """The dataflow of a program.

        Args:
            program: its IR.
            points: the points of order to mark; those that the analysis finds by default.
        """
        marked = tuple(order(program).points if points is None else points)
        arrows = tuple(_arrows(program, marked))
        used = {one for arrow in arrows for one in (arrow.start, arrow.end)}
        return cls(program.name, tuple(_vertices(program, used, marked)), arrows)

    def around(self, name: str, steps: int = 1) -> Dataflow:
        """What is at most so many arrows away from a collection.

        Raises:
            UsageError: for a collection that there is not.
        """
        near = {one.id for one in self.vertices if one.name == name}
        if not near:
            raise UsageError(f"{self.name} has no collection {name!r} in its dataflow", hint="name one of its collections")
        for _ in range(steps):
            near |= {one for arrow in self.arrows if near & {arrow.start, arrow.end} for one in (arrow.start, arrow.end)}
        arrows = tuple(arrow for arrow in self.arrows if arrow.start in near and arrow.end in near)
        return evolve(self, vertices=tuple(one for one in self.vertices if one.id in near), arrows=arrows)

    def svg(self) -> str:
        """As a picture."""
        return dataflow_svg.picture(self)

    def mermaid(self) -> str:
        """As text for mermaid."""
        return dataflow_text.mermaid(self)

    def dot(self) -> str:
        """As text for Graphviz."""
        return dataflow_text.dot(self)

    def html(self) -> str:
        """As a page of its own."""
        title = svg.text(f"Dataflow of {self.name}")
        return f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1>{self.svg()}"

    def __str__(self) -> str:
        lines = [f"{arrow.start} {arrow.operator}{arrow.marks and ' ' + arrow.marks} → {arrow.end}" for arrow in self.arrows]
        return "\n".join([f"dataflow of {self.name}: {len(self.vertices)} collections, {len(self.arrows)} arrows", *lines])

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_mimebundle_(self, **given: object) -> dict[str, str]:
        return {"text/plain": str(self), "image/svg+xml": self.svg(), "text/vnd.mermaid": self.mermaid()}


# --- the graph --------------------------------------------------------------------------------------------------


def _arrows(program: Program, points: tuple[Point, ...]) -> Iterable[Arrow]:
    found: dict[tuple[str, str, str], Arrow] = {}
    for rule in program.rules:
        if not rule.head or rule.statement < 0:
            continue
        here = [point for point in points if point.rule == rule and point.rule.span == rule.span]
        for name in dict.fromkeys(one.collection for one in references(rule, program.schemas)):
            arrow = _arrow(program, rule, name, here)
            known = found.get((arrow.start, arrow.end, arrow.operator))
            if known is not None:
                marks = known.marks + "".join(mark for mark in arrow.marks if mark not in known.marks)
                rules = known.rules + tuple(one for one in arrow.rules if one not in known.rules)
                arrow = evolve(arrow, marks=marks, rules=rules, points=(*known.points, *arrow.points))
            found[arrow.start, arrow.end, arrow.operator] = arrow
    return found.values()


def _arrow(program: Program, rule: Rule, name: str, points: Iterable[Point]) -> Arrow:
    kinds = [one.kind for one in obstacles(rule, program) if one.collection == name and one.kind in _MARKS]
    mine = [
        point.kind
        for point in points
        if point.collection == name or (point.kind in ("deletion", "replacement", "key", "clock") and point.collection != name)
    ]
    end = _sent(rule.head) if program.by_name[rule.head].kind in _SENT else rule.head
    marks = "".join(dict.fromkeys(_MARKS[kind] for kind in kinds))
    return Arrow(name, end, "<=" if rule.operator == "=" else rule.operator, marks, (rule.place,), tuple(mine))


def _sent(name: str) -> str:
    return f"{name} (sent)"


def _vertices(program: Program, used: set[str], points: tuple[Point, ...]) -> Iterable[Vertex]:
    filled = {rule.head for rule in program.rules}
    for one in program.collections:
        about = sum(point.collection == one.name for point in points)
        module = one.name.rpartition(":")[0].rpartition(".")[0] if one.kind == "temporary" else one.name.rpartition(".")[0]
        vertex = Vertex(one.name, one.name, one.kind, str(one.schema), module, about)
        if one.name in used or (one.name != "dead_letter" and one.name not in filled and one.kind != "stdio"):
            yield vertex
        if _sent(one.name) in used:
            yield evolve(vertex, id=_sent(one.name), points=0)
