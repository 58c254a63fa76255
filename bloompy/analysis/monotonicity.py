"""Which rules are monotone, and why others are not (CALM: Hellerstein 2010; Alvaro et al., CIDR 2011).

A rule is monotone if more rows in what it reads can only mean more rows in what it fills. Such rules need no order: whatever comes
late is added then. A rule is not monotone where it negates, aggregates, uses `get` or takes a lattice value in another way than
its lattice grows; where it deletes or replaces rows; and where it reads a constant of the tick, which no later tick repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from attrs import frozen

from bloompy.analysis.dependencies import expressions, references
from bloompy.ir.nodes import Aggregate, Exists, Field, Program, RowVariable, Rule, Scan, Select, TickValue, Variable
from bloompy.ir.walk import target_names
from bloompy.schema import Schema
from bloompy.span import Span

Obstruction: TypeAlias = Literal["negation", "aggregation", "get", "value", "lattice", "deletion", "replacement", "clock"]


@frozen
class Obstacle:
    """What keeps a rule from being monotone.

    Attributes:
        kind: "value" is `key in c` used for more than its truth, "clock" a constant of the tick or what a timer's row says.
        collection: what is read so, deleted from or replaced in; of "clock" the name of the constant, or the timer.
        span: where.
    """

    kind: Obstruction
    collection: str
    span: Span

    def __str__(self) -> str:
        match self.kind:
            case "negation":
                return f"negates {self.collection}"
            case "aggregation":
                return f"aggregates {self.collection}"
            case "get":
                return f"reads {self.collection} with get"
            case "value":
                return f"uses whether a key is in {self.collection} as a value"
            case "lattice":
                return f"uses a lattice value of {self.collection} non-monotonically"
            case "deletion":
                return f"deletes from {self.collection}"
            case "replacement":
                return f"replaces rows of {self.collection}"
        return f"reads self.{self.collection}" if self.collection in ("now", "step", "rand") else f"reads what {self.collection} says"


def obstacles(rule: Rule, program: Program) -> list[Obstacle]:
    """What keeps a rule from being monotone; nothing for a monotone one.

    Args:
        rule: it.
        program: the program that holds it.
    """
    return list(dict.fromkeys([*_of_head(rule), *_of_reads(rule, program.schemas), *clocks(rule, program)]))


def _of_head(rule: Rule) -> Iterator[Obstacle]:
    if rule.operator == "<-":
        yield Obstacle("deletion", rule.head, rule.span)
    elif rule.operator == "<+-":
        yield Obstacle("replacement", rule.head, rule.span)


def _of_reads(rule: Rule, schemas: Mapping[str, Schema]) -> Iterator[Obstacle]:
    for one in references(rule, schemas):
        if one.cause:
            span = aggregate_span(rule.query) or one.span if one.cause == "aggregation" else one.span
            yield Obstacle(one.cause, one.collection, span)


def clocks(rule: Rule, program: Program) -> Iterator[Obstacle]:
    """The constants of the tick that a rule reads, and the timers of whose rows it reads more than that they are there."""
    for node in expressions(rule.query):
        if isinstance(node, TickValue) and node.name != "me":
            yield Obstacle("clock", node.name, node.span)
    read = {_variable(node) for node in expressions(rule.query)}
    for one in references(rule, program.schemas):
        if one.collection == "dead_letter":
            yield Obstacle("clock", one.collection, one.span)
    for scan in scans(rule.query):
        if program.by_name[scan.collection].kind == "periodic" and not read.isdisjoint(target_names(scan.target)):
            yield Obstacle("clock", scan.collection, scan.span)


def scans(query: Select) -> Iterator[Scan]:
    """Every `for … in self.collection` of a query, those inside `any(…)` included."""
    bodies = [query.body, *(node.body for node in expressions(query) if isinstance(node, Exists))]
    for body in bodies:
        yield from (clause for clause in body if isinstance(clause, Scan))


def aggregate_span(query: Select) -> Span | None:
    """Where a query's head aggregates first."""
    return next((node.span for node in expressions(query) if isinstance(node, Aggregate)), None)


def _variable(node: object) -> str:
    """The name bound by a `for` that an expression reads."""
    if isinstance(node, Field):
        return _variable(node.row)
    return node.name if isinstance(node, Variable | RowVariable) else ""
