"""What a rule reads, and whether monotonically."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

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


Cause: TypeAlias = Literal["", "negation", "aggregation", "get", "value", "lattice"]
"""Why a collection is not read monotonically: negated, aggregated, by `get`, by asking for a key where the answer is more than a
condition ("value"), or by its lattice values; "" where it is read monotonically."""


@frozen
class Reference:
    """A collection read by a query.

    Attributes:
        monotone: more rows in the collection, and grown lattice values in them, can only mean more rows of the query.
        scanned: it is read by a `for` of the query itself.
        required: the query is empty while the collection is.
        cause: why it is not read monotonically; "" where it is.
    """

    collection: str
    monotone: bool
    scanned: bool
    required: bool
    span: Span
    cause: Cause = ""


def references(rule: Rule, schemas: Mapping[str, Schema]) -> list[Reference]:
    """The collections that a rule reads.

    Args:
        rule: it.
        schemas: by collection.
    """
    wrongly = misused(rule, schemas)
    return [_by_value(one) if one.monotone and one.collection in wrongly else one for one in _of_select(rule.query)]


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


def _by_value(reference: Reference) -> Reference:
    return evolve(reference, monotone=False, cause="lattice")


def _of_select(query: Select) -> Iterator[Reference]:
    whole: Cause = "aggregation" if aggregates(query) else ""
    yield from _of_body(query.body, whole, top=True)
    for expression in query.head:
        yield from _of_expression(expression, whole, required=False, truth=False)


def _of_body(body: tuple[Clause, ...], cause: Cause, top: bool) -> Iterator[Reference]:
    for clause in body:
        match clause:
            case Scan(_, collection):
                yield Reference(collection, not cause, top, top, clause.span, cause)
            case Iterate(_, source):
                yield from _of_expression(source, cause, required=False, truth=False)
            case Condition(test):
                yield from _of_expression(test, cause, required=top, truth=True)


def _of_expression(expression: Expression, cause: Cause, *, required: bool, truth: bool) -> Iterator[Reference]:
    """References of an expression; `truth`: it stands where only its truth counts, not negated."""
    match expression:
        case Member(collection, _, negated):
            positive = truth and not negated
            why: Cause = cause or ("" if positive else "negation" if negated else "value")
            yield Reference(collection, not why, False, required and positive, expression.span, why)
        case Lookup(collection):
            yield Reference(collection, not cause, False, False, expression.span, cause)
        case Get(collection):
            yield Reference(collection, False, False, False, expression.span, cause or "get")
        case Exists(body, negated):
            yield from _of_body(body, cause or ("negation" if negated else "" if truth else "value"), top=False)
    through = truth and isinstance(expression, Python) and expression.template in _MONOTONE_FORMS
    for part in parts(expression):
        yield from _of_expression(part, cause, required=False, truth=through)
