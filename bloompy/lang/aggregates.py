"""Aggregates in rules: which there are, with which arguments, and where they may stand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bloompy.errors import AggregateError
from bloompy.ir import nodes
from bloompy.ir.walk import parts, walk
from bloompy.lang.hints import counted, did_you_mean

if TYPE_CHECKING:
    from bloompy.lang.expressions import Expressions

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "count": (),
    "count_distinct": ("x",),
    "sum": ("x",),
    "avg": ("x",),
    "min": ("x",),
    "max": ("x",),
    "any": ("x",),
    "all": ("x",),
    "choose": ("x",),
    "collect": ("x",),
    "collect_set": ("x",),
    "argmin": ("what", "by"),
    "argmax": ("what", "by"),
    "percentile": ("x", "q"),
    "rank": ("order", "per"),
}
"""The built-in aggregates and the names of their arguments."""

_MODULE = "bloompy.agg"


def is_module(value: Any) -> bool:
    """Whether this is the module `agg`."""
    return isinstance(value, ModuleType) and value.__name__ == _MODULE


def is_builtin(value: Any) -> bool:
    """Whether this is a function of the module `agg`."""
    return getattr(value, "__module__", None) == _MODULE and getattr(value, "__name__", "") in ARGUMENTS


def is_aggregate(value: Any) -> bool:
    """Whether this is an aggregate, built in or a user's."""
    return is_builtin(value) or getattr(value, "__bloompy_aggregate__", False) is True


def builtin(query: Expressions, node: ast.Call, name: str) -> nodes.Aggregate:
    """`agg.name(…)`.

    Raises:
        AggregateError: for an unknown one, other arguments than it takes, or a place where it cannot stand.
    """
    if name not in ARGUMENTS:
        raise AggregateError(
            f"there is no aggregate {name!r}",
            query.span(node.func),
            hint=did_you_mean(name, ARGUMENTS, f"there are {', '.join(ARGUMENTS)}", "agg."),
        )
    _check_place(query, node, f"agg.{name}")
    expected = ARGUMENTS[name]
    given = {**dict(zip(expected, node.args, strict=False)), **{str(keyword.arg): keyword.value for keyword in node.keywords}}
    if name == "rank" and "per" not in given:
        given["per"] = ast.copy_location(ast.Tuple([], ast.Load()), node)
    if set(given) != set(expected) or len(node.args) > len(expected) or any(isinstance(one, ast.Starred) for one in node.args):
        hint = f"write agg.{name}({', '.join(expected) if name != 'rank' else 'order, per=(…)'})"
        if name == "count":
            hint = "agg.count() counts the bindings of the group; agg.count_distinct(x) different values"
        raise AggregateError(
            f"agg.{name} takes {counted(len(expected), 'argument')}, here {len(node.args) + len(node.keywords)}",
            query.span(node),
            hint=hint,
        )
    arguments = [query.without_aggregates(given[one]) for one in expected]
    if name == "rank":
        arguments[1] = _partition(arguments[1], given["per"])
    if name == "percentile":
        _check_percentage(query, arguments[1], given["q"])
    return nodes.Aggregate(name, tuple(arguments), False, query.span(node))


def user(query: Expressions, node: ast.Call, name: str) -> nodes.Aggregate:
    """A call of a function that is marked `@aggregate`."""
    _check_place(query, node, name)
    if node.keywords or any(isinstance(one, ast.Starred) for one in node.args) or not node.args:
        raise AggregateError(
            f"the aggregate {name} takes one or more plain arguments",
            query.span(node),
            hint=f"write {name}(x): it receives the list of the group's x",
        )
    return nodes.Aggregate(name, tuple(query.without_aggregates(one) for one in node.args), True, query.span(node))


def check_head(query: Expressions, head: list[tuple[nodes.Expression, ast.expr]]) -> None:
    """Refuse heads in which grouping is not clear.

    Raises:
        AggregateError: for an expression that mixes aggregates with columns, or a rank beside grouping aggregates.
    """
    kinds: dict[bool, ast.expr] = {}
    for expression, node in head:
        found = [one for one in walk(expression) if isinstance(one, nodes.Aggregate)]
        for one in found:
            kinds[one.function == "rank" and not one.user] = node
        if found and not isinstance(expression, nodes.Aggregate):
            loose = next((leaf for leaf in _outside(expression) if isinstance(leaf, _BOUND)), None)
            if loose is not None:
                raise AggregateError(
                    "an aggregate and a value of the query in one expression",
                    query.span(node),
                    hint="give each a column of its own in a temporary, and combine them in a rule over that",
                )
    if len(kinds) == 2:
        raise AggregateError(
            "agg.rank groups nothing and stands beside aggregates that do",
            query.span(kinds[True]),
            hint="rank in one rule, into a temporary, and aggregate in another",
        )


_BOUND = (nodes.Variable, nodes.RowVariable, nodes.Field, nodes.Lookup, nodes.Get, nodes.Member, nodes.Exists)


def _outside(expression: nodes.Expression) -> Iterator[nodes.Expression]:
    """Everything in an expression that is not inside an aggregate."""
    if not isinstance(expression, nodes.Aggregate):
        yield expression
        for part in parts(expression):
            yield from _outside(part)


def _check_place(query: Expressions, node: ast.Call, name: str) -> None:
    if query.inside:
        raise AggregateError(
            f"{name} inside a Python {query.inside}",
            query.span(node),
            hint="an aggregate stands in the head of a query, over its own bindings",
        )
    if not query.aggregates_allowed:
        raise AggregateError(
            f"{name} stands outside the head of a query",
            query.span(node),
            hint="aggregate in the head into a temporary or scratch, then use its column: (key, agg.count()) for …",
        )


def _partition(per: nodes.Expression, node: ast.expr) -> nodes.Expression:
    return per if isinstance(node, ast.Tuple) else nodes.Python("(_0,)", (per,), per.span)


def _check_percentage(query: Expressions, q: nodes.Expression, node: ast.expr) -> None:
    if isinstance(q, nodes.Const) and not (type(q.value) in (int, float) and 0 <= q.value <= 100):
        raise AggregateError(f"a percentile of {q.value!r}", query.span(node), hint="q lies in 0..100: 50 is the median")
