"""Whether a rule uses lattice values monotonically (Bloom^L, section 3).

What a rule derives must only grow while the lattice values that it reads grow. A value may go into a head column of its own
lattice, be compared with a threshold in the direction of its growth, be iterated, and pass through what keeps growth:
arithmetic, `min`, `max`, set operations, functions marked `@lattice.monotone` or `@lattice.morphism`. A collection whose
values a rule uses in any other way is read non-monotonically, and has to be complete first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TypeAlias

from attrs import evolve, field, frozen

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
    Python,
    RowVariable,
    Rule,
    Scan,
    Target,
    Variable,
)
from bloompy.ir.walk import parts, target_names
from bloompy.lattices import METHODS, Growth, Lattice, growth_of, lbag, lbool, lmap, lmax, lmin, lset
from bloompy.schema import Schema

Kind: TypeAlias = type[Lattice]


@frozen
class Grown:
    """How the value of an expression changes while lattices grow.

    Attributes:
        of: the collections whose lattice values it depends on; none: it does not change.
        kind: the lattice in which it grows; None where a function says that it fits wherever it is put.
    """

    of: frozenset[str] = frozenset()
    kind: Kind | None = None


FIXED = Grown()


def misused(rule: Rule, schemas: Mapping[str, Schema]) -> frozenset[str]:
    """The collections whose lattice values a rule does not use monotonically.

    Args:
        rule: it; a rule with aggregates reads everything non-monotonically anyway.
        schemas: of the collections, by name.
    """
    if not any(schema.lattices for schema in schemas.values()):
        return frozenset()
    uses = _Uses(schemas)
    bound = uses.body(rule.query.body, {})
    head = schemas[rule.head].columns if rule.head in schemas and not rule.by_key else ()
    kinds = dict(schemas[rule.head].lattices) if head else {}
    for i, expression in enumerate(rule.query.head):
        uses.put(uses.grown(expression, bound), kinds.get(i))
    return frozenset(uses.found)


Bound: TypeAlias = Mapping[str, Grown]
"""The variables of a query that are lattice values."""


@frozen
class _Uses:
    """Goes through a query and notes misuses in `found`; what is misused counts as fixed from there on, being complete first."""

    schemas: Mapping[str, Schema]
    found: set[str] = field(factory=set)

    # -- clauses

    def body(self, clauses: Iterable[Clause], bound: Bound) -> Bound:
        """The variables bound after some clauses."""
        for clause in clauses:
            match clause:
                case Scan(target, collection):
                    bound = {**bound, **self.scanned(target, collection)}
                case Iterate(target, source):
                    grown = self.grown(source, bound)
                    if grown.kind is not None and not grown.kind.elements:
                        self.misuse(grown)
                    bound = {name: one for name, one in bound.items() if name not in set(target_names(target))}
                case Condition(test):
                    self.holds(test, bound)
        return bound

    def scanned(self, target: Target, collection: str) -> Bound:
        """The lattice values among what a pattern binds; those of a row variable are found by its fields."""
        schema = self.schemas.get(collection)
        found: dict[str, Grown] = dict.fromkeys(target_names(target), FIXED)
        if isinstance(target, tuple) and schema is not None:
            for i, kind in schema.lattices:
                match target[i]:
                    case str(name):
                        found[name] = Grown(frozenset((collection,)), kind)
                    case _:
                        self.found.add(collection)
        return found

    def holds(self, test: Expression, bound: Bound) -> Grown:
        """A condition: its truth may only grow."""
        grown = self.grown(test, bound)
        if grown.kind is not None and not grown.kind.truth:
            self.misuse(grown)
        return grown

    def put(self, grown: Grown, column: Kind | None) -> None:
        """A value goes into a column of a head."""
        if grown.of and (column is None or grown.kind not in (None, column)):
            self.misuse(grown)

    def misuse(self, grown: Grown) -> Grown:
        """Note it."""
        self.found.update(grown.of)
        return FIXED

    # -- expressions

    def grown(self, expression: Expression, bound: Bound) -> Grown:
        """How an expression's value grows."""
        match expression:
            case Variable(name):
                return bound.get(name, FIXED)
            case Field(row, _, index):
                self.parts(row, bound)
                return FIXED if isinstance(row, Get) else self.column(row.collection, index)
            case RowVariable(_, collection) | Lookup(collection):
                self.parts(expression, bound)
                schema = self.schemas.get(collection)
                return self.misuse(Grown(frozenset((collection,)))) if schema is not None and schema.lattices else FIXED
            case Exists(body, negated):
                return self.exists(body, negated, bound)
            case Python(template, below, _, growth):
                return self.python(template, below, growth, bound)
            case Aggregate() | Member() | Get():
                self.parts(expression, bound)
        return FIXED

    def parts(self, expression: Expression, bound: Bound) -> None:
        """What stands below must not change: keys, defaults, arguments of aggregates."""
        for part in parts(expression):
            self.misuse(self.grown(part, bound))

    def column(self, collection: str, index: int) -> Grown:
        """A column of a row."""
        schema = self.schemas.get(collection)
        kind = dict(schema.lattices).get(index) if schema is not None else None
        return FIXED if kind is None else Grown(frozenset((collection,)), kind)

    def exists(self, body: tuple[Clause, ...], negated: bool, bound: Bound) -> Grown:
        """`any(…)`: true once, true for ever, if it is not negated."""
        inner = _Uses(self.schemas)
        used: set[str] = set()
        inside = bound
        for clause in body:
            inside = inner.body((clause,), inside)
            match clause:
                case Condition(test):
                    used |= _Uses(self.schemas).holds(test, inside).of
                case Iterate(_, source):
                    used |= _Uses(self.schemas).grown(source, inside).of
        self.found.update(inner.found)
        grown = Grown(frozenset(used - inner.found), lbool)
        if not grown.of:
            return FIXED
        return self.misuse(grown) if negated else grown

    # -- Python

    def python(self, template: str, below: tuple[Expression, ...], growth: Growth | None, bound: Bound) -> Grown:
        """A form of Python, by its operator or by what is known of the function that it calls."""
        match below:
            case (Python(called, (value,)), *arguments) if called.startswith("_0.") and template.startswith("_0("):
                owner = self.grown(value, bound)
                kind = lmap if owner.kind is not None and issubclass(owner.kind, lmap) else owner.kind
                method = METHODS.get((kind, called[3:]))
                if owner.of and method is not None and _is_call(template, len(arguments) + 1):
                    rest = [self.grown(one, bound) for one in arguments]
                    return self.call(growth_of(method), [owner, *rest])
        values = [self.grown(part, bound) for part in below]
        if not any(value.of for value in values):
            return FIXED
        if growth is not None and _is_call(template, len(values)) and not values[0].of:
            return self.call(growth, values[1:])
        return self.form(_parsed(template), values, below)

    def call(self, growth: Growth | None, values: list[Grown]) -> Grown:
        """A call of a function that keeps growth."""
        assert growth is not None
        if growth.builtin:
            return self.builtin(growth, values)
        if growth.parameters:
            wanted = [*growth.parameters, *[None] * len(values)]
            for value, kind in zip(values, wanted, strict=False):
                if value.of and (kind is None or value.kind is not None and not issubclass(value.kind, kind)):
                    return self.misuse(_together(values))
        return evolve(_together(values), kind=growth.result)

    def builtin(self, growth: Growth, values: list[Grown]) -> Grown:
        """Functions whose growth depends on their arguments."""
        all_, kinds = _together(values), {value.kind for value in values if value.of}
        first = values[0].kind
        match growth.builtin:
            case "at" if values[0].of and first is not None and issubclass(first, lmap) and not any(value.of for value in values[1:]):
                return evolve(all_, kind=first.of)
            case "len" if first is not None and first.elements:
                return evolve(all_, kind=lmax)
            case "sum" if first is not None and first.__name__ == "lpset":
                return evolve(all_, kind=lmax)
            case "min" | "max" if len(values) > 1 and len(kinds) == 1 and kinds <= {lmax, lmin}:
                return evolve(all_, kind=kinds.pop())
            case "min" | "max" if len(values) == 1 and first is not None and issubclass(first, lset):
                return evolve(all_, kind=lmin if growth.builtin == "min" else lmax)
        return self.misuse(all_)

    def form(self, node: ast.AST, values: list[Grown], below: tuple[Expression, ...]) -> Grown:
        """An operator."""
        whole = _together(values)

        def at(part: ast.AST) -> int | None:
            hole = isinstance(part, ast.Name) and part.id[:1] == "_" and part.id[1:].isdigit()
            return int(part.id[1:]) if hole and isinstance(part, ast.Name) else None

        def value(part: ast.AST) -> Grown | None:
            number = at(part)
            return values[number] if number is not None else None

        kind: Kind | None = None
        match node:
            case ast.BinOp(left, operator, right) if (a := value(left)) is not None and (b := value(right)) is not None:
                kind = _arithmetic(operator, a, b, _constant(below, at(left)), _constant(below, at(right)))
            case ast.UnaryOp(ast.USub(), operand) if (a := value(operand)) is not None:
                kind = _FLIPPED.get(a.kind)
            case ast.Compare(left, operators, rights):
                chain = [value(part) for part in (left, *rights)]
                pairs = zip(chain, operators, chain[1:], strict=False)
                grows = all(a is not None and b is not None and _compares(a, operator, b) for a, operator, b in pairs)
                kind = lbool if grows else None
            case ast.BoolOp(_, operands):
                truths = [value(part) for part in operands]
                kind = lbool if all(one is not None and (not one.of or one.kind is lbool) for one in truths) else None
            case ast.IfExp(test, then, otherwise) if (a := value(test)) is not None and not a.of:
                kinds = {one.kind for one in (value(then), value(otherwise)) if one is not None and one.of}
                kind = kinds.pop() if len(kinds) == 1 else None
        return evolve(whole, kind=kind) if kind is not None else self.misuse(whole)


def _together(values: Iterable[Grown]) -> Grown:
    return Grown(frozenset().union(*(value.of for value in values)))


_FLIPPED: Mapping[Kind | None, Kind] = {lmax: lmin, lmin: lmax}
"""In what -x grows."""


def _constant(below: tuple[Expression, ...], number: int | None) -> float | None:
    """The number that a part is, as written."""
    part = below[number] if number is not None else None
    return part.value if isinstance(part, Const) and type(part.value) in (int, float) else None


def _arithmetic(operator: ast.operator, a: Grown, b: Grown, left: float | None, right: float | None) -> Kind | None:
    """The lattice in which the result of an operator grows, of two operands of which one grows at least."""
    kinds = {value.kind for value in (a, b) if value.of}
    only = kinds.pop() if len(kinds) == 1 else None
    match operator:
        case ast.Add():
            return only if only in (lmax, lmin) or (only is lbag and a.of and b.of) else None
        case ast.Sub() if a.kind in _FLIPPED or b.kind in _FLIPPED:
            first, second = a.kind if a.of else None, _FLIPPED.get(b.kind) if b.of else None
            if (a.of and first is None) or (b.of and second is None) or (first and second and first is not second):
                return None
            return first or second
        case ast.Sub() if a.kind is lset and not b.of:
            return lset
        case ast.Mult() if only in _FLIPPED:
            factor = left if b.of else right
            return None if factor is None or (a.of and b.of) else only if factor >= 0 else _FLIPPED[only]
        case (ast.Div() | ast.FloorDiv()) if a.kind in _FLIPPED and not b.of and right:
            return a.kind if right > 0 else _FLIPPED[a.kind]
        case ast.BitOr() | ast.BitAnd() if only is not None and issubclass(only, lset):
            return only if a.of and b.of else lset
        case ast.BitAnd() if only is lbag and a.of and b.of:
            return lbag
    return None


def _compares(a: Grown, operator: ast.cmpop, b: Grown) -> bool:
    """Whether a comparison that holds goes on holding."""
    match operator:
        case ast.Gt() | ast.GtE():
            return _moves(a, 1) and _moves(b, -1)
        case ast.Lt() | ast.LtE():
            return _moves(a, -1) and _moves(b, 1)
        case ast.In():
            return not a.of and (not b.of or b.kind is not None and b.kind.elements)
    return not a.of and not b.of


def _moves(value: Grown, direction: int) -> bool:
    """Whether a side of a comparison moves in one direction only, if at all."""
    return not value.of or (value.kind is not None and value.kind.order == direction)


@lru_cache(maxsize=4096)
def _parsed(template: str) -> ast.AST:
    return ast.parse(template, mode="eval").body


@lru_cache(maxsize=4096)
def _is_call(template: str, width: int) -> bool:
    """Whether a form is `_0(_1, …)`, without keywords or stars, of so many parts."""
    return template == f"_0({', '.join(f'_{i}' for i in range(1, width))})"
