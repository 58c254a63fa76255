"""What generated functions call and share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bloompy.agg import ranks
from bloompy.engine.tick import PlainRow, Scope
from bloompy.errors import UnorderableValues


class Missing(Exception):
    """A key that is not there, looked up where Python evaluates lazily: the binding is dropped."""


class Constants:
    """The constants of the tick under way, shared by all generated functions."""

    now = 0.0
    step = 0
    rand = 0.0


def find(rows: Mapping[Any, PlainRow], key: Any) -> PlainRow:
    """The row of a key; raises Missing without one."""
    row = rows.get(key)
    if row is None:
        raise Missing
    return row


def ordered(items: Any) -> Iterable[Any]:
    """Sets in an order that does not depend on hash seeds."""
    if isinstance(items, set | frozenset):
        if {type(item) for item in items} in ({int}, {str}, {bytes}):
            return sorted(items)
        return sorted(items, key=lambda item: (type(item).__name__, repr(item)))
    return items  # type: ignore[no-any-return]  # whatever the user iterates


def user_aggregate(name: str, scope: Scope | None) -> Callable[[list[Any]], Any]:
    """A user aggregate, looked up when it is called."""
    assert scope is not None  # a rule that names an aggregate was read from a class
    found = scope.closure.get(name) or scope.globals[name]
    function: Callable[[list[Any]], Any] = getattr(found, "__wrapped__", found)
    return function


def ranked_bindings(
    bindings: list[tuple[PlainRow, tuple[tuple[Any, Any], ...]]], count: int, place: str
) -> Iterator[tuple[PlainRow, list[int]]]:
    """Each binding with its rank in its partition, for each of `count` ranks of the head."""
    found: list[list[int]] = [[0] * count for _ in bindings]
    for i in range(count):
        partitions: dict[Any, list[int]] = {}
        for number, (_, orders) in enumerate(bindings):
            partitions.setdefault(orders[i][0], []).append(number)
        for per, numbers in partitions.items():
            try:
                ranked = ranks([bindings[number][1][i][1] for number in numbers])
            except UnorderableValues as error:
                raise UnorderableValues(f"{place}, partition {per!r}: {error.message}", hint=error.hint) from None
            for number, rank in zip(numbers, ranked, strict=True):
                found[number][i] = rank
    return zip((group for group, _ in bindings), found, strict=True)
