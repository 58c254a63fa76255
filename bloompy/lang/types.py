"""Whether what an expression yields can stand in a typed column, as far as that is known without running it."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any

from bloompy.ir.nodes import Aggregate, Collection, Const, Exists, Expression, Field, Member, Python, TickValue, Variable
from bloompy.lattices import is_lattice, lbool
from bloompy.schema import Column, check_of

_TICK_TYPES = {"me": str, "now": float, "step": int, "rand": float}
_AGGREGATE_TYPES = {
    "count": int,
    "count_distinct": int,
    "rank": int,
    "any": bool,
    "all": bool,
    "collect": tuple,
    "collect_set": frozenset,
}


def type_of(expression: Expression, collections: Mapping[str, Collection], variables: Mapping[str, Any]) -> Any:
    """The type that the values of an expression surely have; Any where that is not known."""
    match expression:
        case Const(value):
            return type(value)
        case Field(row, _, index):
            return collections[row.collection].schema.columns[index].type
        case Variable(name):
            return variables.get(name, Any)
        case TickValue(name):
            return _TICK_TYPES[name]
        case Member() | Exists():
            return bool
        case Aggregate(function, arguments, False):
            if function in ("min", "max", "choose", "argmin", "argmax", "percentile"):
                return type_of(arguments[0], collections, variables)
            return _AGGREGATE_TYPES.get(function, Any)
        case Python("not _0"):
            return bool
        case Python(template) if template.startswith(("f'", 'f"')):
            return str
    return Any


def misfit(expression: Expression, column: Column, collections: Mapping[str, Collection], variables: Mapping[str, Any]) -> str | None:
    """Why a value of the expression cannot stand in the column, or None where it may."""
    if column.type is Any:
        return None
    if isinstance(expression, Const):
        try:
            check_of(column.type)(expression.value)
        except (TypeError, ValueError) as error:
            return f"{expression.value!r} is not of type {column.text}" + (f": {error}" if str(error) else "")
        return None
    found = type_of(expression, collections, variables)
    if fits(found, column.type):
        return None
    return f"a value of type {_name(found)} is not of type {column.text}"


def fits(source: Any, target: Any) -> bool:
    """Whether a value of one type may be of another, by the rules of `Schema.check`."""
    return any(_fits(one, other) for one in _members(source) for other in _members(target))


def _fits(source: Any, target: Any) -> bool:
    if Any in (source, target) or object in (source, target) or source is target:
        return True
    if bool in (source, target) and {source, target} & {int, float}:
        return False
    if target is float and issubclass(source, int):
        return True
    try:
        return issubclass(source, target) or issubclass(target, source)
    except TypeError:
        return True


def _members(annotation: Any) -> list[Any]:
    if is_lattice(annotation):
        return [bool if annotation is lbool else Any]
    if annotation is None:
        return [type(None)]
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return [member for argument in arguments for member in _members(argument)]
    if origin is typing.Literal:
        return [type(value) for value in arguments]
    found = origin or annotation
    return [found if isinstance(found, type) else Any]


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) and not typing.get_args(annotation) else str(annotation)
