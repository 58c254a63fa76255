"""What a rule reads, and whether monotonically."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import evolve, frozen

from bloompy.analysis.growth import misused
from bloompy.ir.nodes import (
    Aggregate,
    Clause,
    Condition,
    Exists,
    Expression,
    Get,
    Iterate,
    Lookup,
    Member,
    Python,
    Rule,
    Scan,
    Select,
    TickValue,
)
from bloompy.ir.walk import parts, walk
from bloompy.schema import Schema
from bloompy.span import Span

_MONOTONE_FORMS = frozenset({"_0 and _1", "_0 or _1"})
"""Python forms through which a truth that holds can only go on holding."""


@frozen
class Reference:
    """A collection read by a query.

    Attributes:
        monotone: more rows in the collection, and grown lattice values in them, can only mean more rows of the query.
        scanned: it is read by a `for` of the query itself.
        required: the query is empty while the collection is.
    """

    collection: str
    monotone: bool
    scanned: bool
    required: bool
    span: Span


def references(rule: Rule, schemas: Mapping[str, Schema]) -> list[Reference]:
    """The collections that a rule reads.

    Args:
        rule: it.
        schemas: by collection.
    """
    wrongly = misused(rule, schemas)
    return [evolve(one, monotone=one.monotone and one.collection not in wrongly) for one in _of_select(rule.query)]


def reads_tick(rule: Rule) -> bool:
    """Whether a rule refers to a constant of the tick that differs from tick to tick."""
    return any(isinstance(node, TickValue) and node.name != "me" for node in expressions(rule.query))


def aggregates(query: Select) -> bool:
    """Whether the head of a query aggregates."""
    return any(isinstance(node, Aggregate) for expression in query.head for node in walk(expression))


def ranks_rows(query: Select) -> bool:
    """Whether the head of a query has a rank, which groups nothing."""
    heads = (node for expression in query.head for node in walk(expression))
    return any(isinstance(node, Aggregate) and node.function == "rank" and not node.user for node in heads)


def expressions(query: Select) -> Iterator[Expression]:
    """Every expression node of a query, those inside Exists included."""
    for expression in query.head:
        yield from _below(expression)
    for clause in query.body:
        yield from _of_clause(clause)


def _of_clause(clause: Clause) -> Iterator[Expression]:
    match clause:
        case Iterate(_, source):
            yield from _below(source)
        case Condition(test):
            yield from _below(test)


def _below(expression: Expression) -> Iterator[Expression]:
    for node in walk(expression):
        yield node
        if isinstance(node, Exists):
            for clause in node.body:
                yield from _of_clause(clause)


def _of_select(query: Select) -> Iterator[Reference]:
    whole = not aggregates(query)
    yield from _of_body(query.body, whole, top=True)
    for expression in query.head:
        yield from _of_expression(expression, whole, required=False, truth=False)


def _of_body(body: tuple[Clause, ...], monotone: bool, top: bool) -> Iterator[Reference]:
    for clause in body:
        match clause:
            case Scan(_, collection):
                yield Reference(collection, monotone, top, top, clause.span)
            case Iterate(_, source):
                yield from _of_expression(source, monotone, required=False, truth=False)
            case Condition(test):
                yield from _of_expression(test, monotone, required=top, truth=True)


def _of_expression(expression: Expression, monotone: bool, *, required: bool, truth: bool) -> Iterator[Reference]:
    """References of an expression; `truth`: it stands where only its truth counts, not negated."""
    match expression:
        case Member(collection, _, negated):
            positive = truth and not negated
            yield Reference(collection, monotone and positive, False, required and positive, expression.span)
        case Lookup(collection):
            yield Reference(collection, monotone, False, False, expression.span)
        case Get(collection):
            yield Reference(collection, False, False, False, expression.span)
        case Exists(body, negated):
            yield from _of_body(body, monotone and truth and not negated, top=False)
    through = truth and isinstance(expression, Python) and expression.template in _MONOTONE_FORMS
    for part in parts(expression):
        yield from _of_expression(part, monotone, required=False, truth=through)
