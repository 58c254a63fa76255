"""Which classes the values of columns and expressions have, as far as that is certain, and which expressions cannot raise.

The planner evaluates what cannot raise as early as it likes; what could raise waits for the conditions that guard it. A column's
declared type is certain only where rows are checked against it; a derived column has the types of what its rules' heads yield.
So the types of a program are a least fixpoint over its rules, from the columns that are filled from outside.
"""

from __future__ import annotations

import ast
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen

from bloompy.engine.expression import parsed
from bloompy.engine.lower import Declared, Derivation, Lowered
from bloompy.engine.relation import Kind
from bloompy.ir.nodes import (
    Aggregate,
    Clause,
    Condition,
    Const,
    Exists,
    Expression,
    Field,
    Get,
    Iterate,
    Lookup,
    Member,
    Parameter,
    Python,
    RowVariable,
    Scan,
    TickValue,
    Variable,
)
from bloompy.ir.walk import target_names
from bloompy.lattices import is_lattice

Types: TypeAlias = frozenset[type]
"""The classes of which a value can be an instance; empty where there are no values."""

ColumnTypes: TypeAlias = Mapping[str, tuple[Types, ...]]
"""By relation, the types of its columns."""

ANY: Types = frozenset({object})
NONE: Types = frozenset()

_INTEGERS: Types = frozenset({bool, int})
_FLOATS: Types = frozenset({float})
_NUMBERS: Types = _INTEGERS | _FLOATS
_TEXT: Types = frozenset({str})
_ORDERED = (_NUMBERS, _TEXT, frozenset({bytes}))
"""Sets of classes any two instances of which have an order."""
_EQUAL_TO_ITSELF: Types = _INTEGERS | _TEXT | {bytes, type(None), tuple, frozenset}
_HASHED: Types = _NUMBERS | _TEXT | {bytes, type(None)}
_CONSTANTS: Mapping[str, Types] = {"me": _TEXT, "now": _FLOATS, "step": frozenset({int}), "rand": _FLOATS}
"""An int given as `now` is as good as a float: it raises nothing that a float would not, below 2**1024 seconds."""


@frozen
class Value:
    """What is known of an expression: the types of its value, and whether evaluating it cannot raise."""

    types: Types = ANY
    safe: bool = False


_UNKNOWN = Value()


@frozen
class Scope:
    """What expressions of a query refer to.

    Attributes:
        columns: of relations; those of others have any type.
        variables: types of the names that unpacking binds.
        parameters: values of the instance's params.
    """

    columns: ColumnTypes = field(factory=dict)
    variables: Mapping[str, Types] = field(factory=dict)
    parameters: Mapping[str, Any] = field(factory=dict)

    def within(self, body: Iterable[Clause]) -> Scope:
        """With the variables that the clauses bind."""
        bound: dict[str, Types] = {}
        for clause in body:
            match clause:
                case Scan(tuple() as target, collection):
                    columns = self.of(collection)
                    for i, part in enumerate(target):
                        known = columns[i] if isinstance(part, str) and i < len(columns) else ANY
                        bound.update(dict.fromkeys(target_names(part), known))
                case Scan(target) | Iterate(target):
                    bound.update(dict.fromkeys(target_names(target), ANY))
        return Scope(self.columns, {**self.variables, **bound}, self.parameters) if bound else self

    def of(self, collection: str) -> tuple[Types, ...]:
        """The types of a relation's columns."""
        return self.columns.get(collection, ())

    def column(self, collection: str, i: int) -> Types:
        """The types of one of them."""
        known = self.of(collection)
        return known[i] if i < len(known) else ANY


# --- columns ----------------------------------------------------------------------------------------------------


def column_types(lowered: Lowered, parameters: Mapping[str, Any]) -> ColumnTypes:
    """The types of all columns of all relations of a program.

    Rows are checked against the declared types where they come from outside, and in checked relations; what rules derive
    elsewhere has the types of the rules' heads.

    Args:
        lowered: the program.
        parameters: values of the instance's params.
    """
    filling = _filling(lowered)
    found = {name: _entering(one, name in filling) for name, one in lowered.relations.items()}
    readers: dict[str, list[str]] = {}
    for name, derivations in filling.items():
        for one in derivations:
            for reference in one.references:
                readers.setdefault(reference.collection, []).append(name)
    scope = Scope(typing.cast("dict[str, tuple[Types, ...]]", found), parameters=parameters)
    waiting = dict.fromkeys(filling)
    while waiting:
        name = next(iter(waiting))
        del waiting[name]
        before = list(found[name])
        for one in filling[name]:
            head = lowered.relations[one.head]
            derived = _declared(head) if head.checked else _of_head(one, scope)
            found[name] = [join(old, new) for old, new in zip(found[name], derived, strict=True)]
        if found[name] != before:
            waiting.update(dict.fromkeys(readers.get(name, ())))
    return {name: tuple(columns) for name, columns in found.items()}


def _filling(lowered: Lowered) -> dict[str, list[Derivation]]:
    """By relation, the derivations whose rows it receives: in this tick, or in the next by `<+` and `<+-`."""
    found: dict[str, list[Derivation]] = {}
    for component in lowered.components:
        for one in component.derivations:
            found.setdefault(one.head, []).append(one)
    for target, rules in lowered.pending.items():
        sides = [part for rule, parts in rules if rule.operator != "<-" for part in parts]
        found.setdefault(target, []).extend(one for part in sides for one in found.get(part, ()))
    return {name: derivations for name, derivations in found.items() if derivations}


def _entering(declared: Declared, derived: bool) -> list[Types]:
    """The types of rows that enter from outside: into all but views of tables and what only rules fill."""
    if declared.kind is Kind.STANDING or (declared.collection is None and derived):
        return [ANY if is_lattice(column.type) else NONE for column in declared.schema.columns]  # merging may make another value
    return _declared(declared)


def _declared(declared: Declared) -> list[Types]:
    return [declared_types(column.type) for column in declared.schema.columns]


def _of_head(derivation: Derivation, scope: Scope) -> list[Types]:
    inner = scope.within(derivation.query.body)
    return [value_of(expression, inner).types for expression in derivation.query.head]


def declared_types(annotation: Any) -> Types:
    """The types of values that the check of a declared type lets pass."""
    origin = typing.get_origin(annotation)
    if annotation is None:
        return frozenset({type(None)})
    if origin is typing.Union or origin is types.UnionType:
        return join(*map(declared_types, typing.get_args(annotation)))
    if origin is typing.Literal:
        return frozenset(type(value) for value in typing.get_args(annotation))
    known = origin if origin is not None else annotation
    if is_lattice(known):  # its values are those of other classes
        return ANY
    return frozenset({known}) if isinstance(known, type) and known is not Any else ANY


def join(*several: Types) -> Types:
    """The types of values that come from several places."""
    union = frozenset[type]().union(*several)
    return ANY if object in union else union


def has_order(first: Types, second: Types) -> bool:
    """Whether `<` between any two values of these types cannot raise."""
    return any(first <= kind and second <= kind for kind in _ORDERED)


def equals_itself(possible: Types) -> bool:
    """Whether no value of these types is like NaN, which does not equal itself although an index finds it."""
    return possible <= _EQUAL_TO_ITSELF


# --- expressions ------------------------------------------------------------------------------------------------


def value_of(expression: Expression, scope: Scope) -> Value:
    """What is known of an expression."""
    match expression:
        case Const(value):
            return Value(frozenset({type(value)}), True)
        case Variable(name):
            return Value(scope.variables.get(name, ANY), True)
        case RowVariable():
            return Value(frozenset({tuple}), True)
        case Parameter(name):
            return Value(frozenset({type(scope.parameters[name])}) if name in scope.parameters else ANY, True)
        case TickValue(name):
            return Value(_CONSTANTS[name], True)
        case Field(RowVariable(_, collection), _, index):
            return Value(scope.column(collection, index), True)
        case Field(Lookup(collection), _, index):
            return Value(scope.column(collection, index))  # the row may be missing
        case Field(Get(collection, key, default), _, index):
            return _of_get(scope.column(collection, index), value_of(key, scope), default, index, scope)
        case Member(_, key):
            return Value(frozenset({bool}), value_of(key, scope).safe)
        case Exists(body):
            inner = scope.within(body)
            return Value(frozenset({bool}), all(_is_safe_clause(clause, inner) for clause in body))
        case Aggregate(function, arguments, user):
            return _UNKNOWN if user else Value(_of_aggregate(function, [value_of(one, scope).types for one in arguments]))
        case Python(template, parts):
            return _of_python(parsed(template), [value_of(part, scope) for part in parts])
    return _UNKNOWN


def _is_safe_clause(clause: Clause, scope: Scope) -> bool:
    match clause:
        case Scan():
            return True
        case Condition(test):
            return value_of(test, scope).safe
    return False


def _of_get(held: Types, key: Value, default: Expression, index: int, scope: Scope) -> Value:
    """A column of `self.c.get(key, default)`, where the default is written as a tuple."""
    match default:
        case Python(template, parts) if isinstance(parsed(template), ast.Tuple) and len(parts) > index:
            values = [value_of(part, scope) for part in parts]
            return Value(join(held, values[index].types), key.safe and all(one.safe for one in values))
    return _UNKNOWN


def _of_aggregate(function: str, arguments: Sequence[Types]) -> Types:
    match function:
        case "count" | "count_distinct" | "rank":
            return frozenset({int})
        case "any" | "all":
            return frozenset({bool})
        case "min" | "max" | "choose" | "argmin" | "argmax" | "percentile":
            return arguments[0]
        case "sum":
            if arguments[0] <= _INTEGERS:
                return frozenset({int})
            return _NUMBERS if arguments[0] <= _NUMBERS else ANY
        case "avg":
            return _FLOATS if arguments[0] <= _NUMBERS else ANY
        case "collect":
            return frozenset({tuple})
        case "collect_set":
            return frozenset({frozenset})
    return ANY


def _of_python(node: ast.expr, parts: Sequence[Value]) -> Value:
    """A Python form, from what is known of its parts; of forms that are not listed here nothing is known."""
    match node:
        case ast.Name(name) if name[:1] == "_" and name[1:].isdigit():
            return parts[int(name[1:])]
        case ast.Constant(value):
            return Value(frozenset({type(value)}), True)
        case ast.Tuple(elements) if not any(isinstance(element, ast.Starred) for element in elements):
            return Value(frozenset({tuple}), all(_of_python(element, parts).safe for element in elements))
        case ast.Compare(left, operators, comparators):
            return _of_comparison(operators, [left, *comparators], parts)
        case ast.BoolOp(_, several):
            values = [_of_python(one, parts) for one in several]
            return Value(join(*(value.types for value in values)), all(value.safe for value in values))
        case ast.IfExp(test, body, orelse):
            either = [_of_python(one, parts) for one in (body, orelse)]
            safe = _of_python(test, parts).safe and all(one.safe for one in either)
            return Value(join(*(one.types for one in either)), safe)
        case ast.UnaryOp(ast.Not(), operand):
            return Value(frozenset({bool}), _of_python(operand, parts).safe)
        case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
            number = _of_python(operand, parts)
            kinds = frozenset(int if kind is bool else kind for kind in number.types)
            return Value(kinds, number.safe) if kinds <= _NUMBERS else _UNKNOWN
        case ast.BinOp(left, operator, right):
            return _of_arithmetic(_of_python(left, parts), _of_python(right, parts), operator)
        case ast.JoinedStr():
            return Value(_TEXT)
    return _UNKNOWN


def _of_comparison(operators: Sequence[ast.cmpop], operands: Sequence[ast.expr], parts: Sequence[Value]) -> Value:
    values = [_of_python(operand, parts) for operand in operands]
    safe = all(value.safe for value in values)
    for operator, left, right in zip(operators, values, values[1:], strict=False):
        match operator:
            case ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot():
                continue
            case ast.In() | ast.NotIn():
                found = right.types <= {tuple} or (right.types <= {tuple, frozenset} and left.types <= _HASHED)
                safe = safe and (found or (left.types <= _TEXT and right.types <= _TEXT))
            case _:
                safe = safe and has_order(left.types, right.types)
    return Value(frozenset({bool}), safe)


def _of_arithmetic(left: Value, right: Value, operator: ast.operator) -> Value:
    """Of `+`, `-`, `*`, what stays within integers, or within floats, raises nothing; an int that meets a float may be too large."""
    numbers = left.types <= _NUMBERS and right.types <= _NUMBERS
    integers = left.types <= _INTEGERS and right.types <= _INTEGERS
    floats = left.types <= _FLOATS and right.types <= _FLOATS
    safe = left.safe and right.safe
    match operator:
        case ast.Add() if left.types <= _TEXT and right.types <= _TEXT:
            return Value(_TEXT, safe)
        case ast.Add() | ast.Sub() | ast.Mult() if integers:
            return Value(frozenset({int}), safe)
        case ast.Add() | ast.Sub() | ast.Mult() if floats:
            return Value(_FLOATS, safe)
        case ast.Add() | ast.Sub() | ast.Mult() | ast.FloorDiv() | ast.Mod() if numbers:
            return Value(frozenset({int}) if integers else _NUMBERS)
        case ast.Div() if numbers:
            return Value(_FLOATS)
    return _UNKNOWN
