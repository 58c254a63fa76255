"""Going through expressions."""

from __future__ import annotations

from collections.abc import Iterator

from bloompy.ir.nodes import Expression, Field, Get, Lookup, Member, Python, Select, Variable


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
