"""Going through expressions."""

from __future__ import annotations

from collections.abc import Iterator

from bloompy.ir.nodes import (
    Clause,
    Condition,
    Exists,
    Expression,
    Field,
    Get,
    Iterate,
    Lookup,
    Member,
    Python,
    RowVariable,
    Select,
    Target,
    Variable,
)


def parts(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly below one (those of an Exists' body are not)."""
    match expression:
        case Python(_, below):
            return below
        case Field(row):
            return (row,)
        case Member(_, key) | Lookup(_, key):
            return (key,)
        case Get(_, key, default):
            return (key, default)
    return getattr(expression, "arguments", ())


def walk(expression: Expression) -> Iterator[Expression]:
    """An expression and everything below it, without the bodies of Exists."""
    yield expression
    for part in parts(expression):
        yield from walk(part)


def head_names(query: Select) -> list[str]:
    """Column names for what a query yields: those of its head's fields where they are unique, else by position."""
    names = [expression.name if isinstance(expression, Field | Variable) else "" for expression in query.head]
    return [name if name and names.count(name) == 1 else f"_{i}" for i, name in enumerate(names)]


def target_names(target: Target) -> Iterator[str]:
    """The names that a target binds."""
    if isinstance(target, tuple):
        for part in target:
            yield from target_names(part)
    elif target != "_":
        yield target


def free_names(expression: Expression) -> dict[str, None]:
    """The variables that an expression mentions (those of its own comprehensions too), in the order in which they first occur."""
    match expression:
        case Variable(name) | RowVariable(name):
            return {name: None}
        case Exists(body):
            return _free_in_body(body)
    return {name: None for part in parts(expression) for name in free_names(part)}


def _free_in_body(body: tuple[Clause, ...]) -> dict[str, None]:
    found: dict[str, None] = {}
    bound: dict[str, None] = {}
    for clause in body:
        match clause:
            case Iterate(_, used) | Condition(used):
                found |= {name: None for name in free_names(used) if name not in bound}
        if not isinstance(clause, Condition):
            bound |= dict.fromkeys(target_names(clause.target))
    return found
