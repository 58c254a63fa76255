"""From derivations to pipelines of column operations, for the expressions that allow it.

Allowed are columns, constants, arithmetic of integers, comparisons, `and or not`, membership, `any(…)`, equality joins and the
aggregates count, sum, min and max. Join orders are those of generated functions (`engine.plan`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from bloompy.engine.columnar.classes import Classes
from bloompy.engine.columnar.operations import (
    Aggregation,
    Arithmetic,
    Attribute,
    Belongs,
    Comparison,
    Filter,
    Folded,
    Join,
    Literal,
    Logic,
    Narrow,
    Operand,
    Pipeline,
    Slot,
    Some,
    Step,
    Take,
    Test,
    Truth,
)
from bloompy.engine.columnar.refusal import Refused
from bloompy.engine.columnar.splitting import split
from bloompy.engine.desugar import key_columns
from bloompy.engine.expression import parsed
from bloompy.engine.lower import Declared, Derivation
from bloompy.engine.plan import Drive, Find, Flatten, Layout, Layouts, Probe, ScanAll, plan
from bloompy.engine.plan import Step as PlanStep
from bloompy.engine.plan import Test as PlanTest
from bloompy.engine.tick import Environment
from bloompy.ir.nodes import (
    Aggregate,
    Const,
    Exists,
    Expression,
    Field,
    Global,
    Member,
    Parameter,
    Python,
    RowVariable,
    Scan,
    TickValue,
    Variable,
)
from bloompy.ir.walk import free_names, walk
from bloompy.lattices import is_lattice, lmax, lmin

_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.FloorDiv: "//", ast.Mod: "%"}
_COMPARISONS = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "==", ast.IsNot: "!="}
_AGGREGATES = frozenset({"count", "sum", "min", "max"})
_IDEMPOTENT = frozenset({"min", "max"})


@frozen
class Driven:
    """A pipeline driven by the new rows of a relation of its own component."""

    driver: str
    pipeline: Pipeline


@frozen
class Compiled:
    """Derivations as pipelines.

    Attributes:
        heads: the relations that they fill.
        seeds: evaluated once, in full.
        rounds: evaluated on what is new until nothing is.
        classes: which attributes share an encoding.
        inputs: of every relation read but not filled here, the columns that are needed.
        keys: key positions of each head.
        merged: of each head, its lattice columns with "min" or "max".
        widths: number of columns of each head.
    """

    heads: tuple[str, ...]
    seeds: tuple[Pipeline, ...]
    rounds: tuple[Driven, ...]
    classes: Classes
    inputs: Mapping[str, tuple[int, ...]]
    keys: Mapping[str, tuple[int, ...]]
    merged: Mapping[str, Mapping[int, str]]
    widths: Mapping[str, int]


def compiled(
    derivations: Sequence[Derivation], declared: Mapping[str, Declared], layouts: Mapping[str, Layout], environment: Environment
) -> Compiled:
    """Derivations of one component as pipelines.

    Raises:
        Refused: where an expression is none that columns can evaluate.
    """
    derivations, parts = split(derivations, frozenset(one.head for one in derivations))
    heads = tuple(dict.fromkeys(one.head for one in derivations))
    if parts:
        declared = {**declared, **{one.name: one for one in parts}}
        layouts = _with_parts(layouts, parts)
    classes = Classes()
    seeds: list[Pipeline] = []
    rounds: list[Driven] = []
    inputs: dict[str, set[int]] = {}
    for derivation in derivations:
        if declared[derivation.head].checked:
            raise Refused("rows are checked one by one")
        inside = [one for one in derivation.references if one.collection in heads]
        if any(not one.scanned for one in inside) or (inside and derivation.aggregates):
            raise Refused("recursion that is no join")
        body = derivation.query.body
        drivers: list[int] = [i for i, clause in enumerate(body) if isinstance(clause, Scan) and clause.collection in heads]
        for driver in drivers or (None,):
            pipeline = _Pipe(derivation, declared, layouts, environment, classes, inputs).pipeline(driver)
            if driver is None:
                seeds.append(pipeline)
            else:
                clause = body[driver]
                assert isinstance(clause, Scan)
                rounds.append(Driven(clause.collection, pipeline))
    return Compiled(
        heads,
        tuple(seeds),
        tuple(rounds),
        classes,
        {name: tuple(sorted(columns)) for name, columns in inputs.items() if name not in heads},
        {name: declared[name].schema.key_indexes for name in heads},
        {name: merged(declared[name]) for name in heads},
        {name: declared[name].schema.width for name in heads},
    )


def merged(declared: Declared) -> dict[int, str]:
    """The value columns of a relation that merge, with how.

    Raises:
        Refused: for a lattice other than lmin and lmax.
    """
    found: dict[int, str] = {}
    for i, column in enumerate(declared.schema.columns):
        if is_lattice(column.type):
            if column.key or column.type not in (lmin, lmax):
                raise Refused(f"a column of type {column.text}")
            found[i] = column.type.__name__[1:]
    values = sum(not column.key for column in declared.schema.columns)
    if found and len(found) != values:
        raise Refused("lattice columns beside others")
    return found


def _with_parts(layouts: Mapping[str, Layout], parts: Sequence[Declared]) -> Mapping[str, Layout]:
    """Layouts of the relations and of parts, whose sizes nobody knows."""
    more = {one.name: Layout(one.kind, one.schema.key_indexes, one.schema.width) for one in parts}
    if not isinstance(layouts, Layouts):
        return {**layouts, **more}
    sizes = layouts.sizes

    def size(name: str, columns: tuple[int, ...]) -> float:
        return 0.0 if name in more else sizes(name, columns)

    return evolve(layouts, relations={**layouts.relations, **more}, sizes=size)


class _Scan:
    """A scan of the query that has been placed: the slots of its columns, and whether it adds at most one row."""

    def __init__(self, relation: str, unique: bool) -> None:
        self.relation, self.unique = relation, unique
        self.operands: dict[int, Slot | Literal] = {}
        self.loads: dict[int, int] = {}


Names = dict[str, "tuple[_Scan, int | None]"]
"""Where a name finds its value: a column of a scan, or the row of one."""


class _Pipe:
    """Compiles one derivation for one driver."""

    def __init__(
        self,
        derivation: Derivation,
        declared: Mapping[str, Declared],
        layouts: Mapping[str, Layout],
        environment: Environment,
        classes: Classes,
        inputs: dict[str, set[int]],
    ) -> None:
        self.derivation, self.query = derivation, derivation.query
        self.declared, self.layouts, self.environment, self.classes, self.inputs = declared, layouts, environment, classes, inputs
        self.aggregations: list[Aggregation] = []
        self.slots = 0

    def pipeline(self, driver: int | None) -> Pipeline:
        """The derivation as a pipeline."""
        names: Names = {}
        placed: list[tuple[Step | _Placed, _Scan | None]] = []
        for step in plan(self.query.body, self.layouts, driver):
            placed.append(self._step(step, names))
        columns = tuple(self._head(i, expression, names) for i, expression in enumerate(self.query.head))
        aggregating = any(isinstance(node, Aggregate) for expression in self.query.head for node in walk(expression))
        groups = tuple(i for i, one in enumerate(columns) if not _folds(one)) if aggregating else ()
        used = {slot for one in columns for slot in slots_of(one)}
        used |= {slot for one in self.aggregations if one.argument is not None for slot in slots_of(one.argument)}
        bag = any(one.function not in _IDEMPOTENT for one in self.aggregations)
        steps = _finished(placed, used, bag, self.layouts)
        return Pipeline(self.derivation.head, steps, columns, groups, tuple(self.aggregations))

    # -- steps

    def _step(self, step: PlanStep, names: Names) -> tuple[Step | _Placed, _Scan | None]:
        match step:
            case Drive(scan):
                return self._scan(scan, names, (), (), driven=True)
            case ScanAll(scan):
                return self._scan(scan, names, (), ())
            case Find(scan, key):
                return self._scan(scan, names, self.layouts[scan.collection].key_indexes, key)
            case Probe(scan, columns, values):
                return self._scan(scan, names, columns, values)
            case PlanTest(condition):
                return Filter(self._test(condition.test, names)), None
            case Flatten():
                raise Refused("iteration over a Python value")
        raise AssertionError(step)

    def _scan(
        self, scan: Scan, names: Names, columns: tuple[int, ...], values: Sequence[Expression], driven: bool = False
    ) -> tuple[_Placed, _Scan]:
        key = [self._operand(value, names) for value in values]
        layout = self.layouts[scan.collection]
        placed = _Scan(scan.collection, bool(columns) and set(layout.key_indexes) <= set(columns))
        for i, (column, operand) in enumerate(zip(columns, key, strict=True)):
            attribute = (scan.collection, column)
            key[i] = self._equated(attribute, operand)
            if isinstance(key[i], Slot | Literal):
                placed.operands[column] = key[i]  # type: ignore[assignment]  # just tested
        self.inputs.setdefault(scan.collection, set()).update(columns)
        self._bind(scan, placed, names)
        return _Placed(scan.collection, driven, columns, tuple(key)), placed

    @staticmethod
    def _bind(scan: Scan, placed: _Scan, names: Names) -> None:
        if isinstance(scan.target, str):
            names[scan.target] = (placed, None)
            return
        if any(not isinstance(part, str) for part in scan.target):
            raise Refused("a nested pattern")
        parts = [str(part) for part in scan.target if part != "_"]
        if len(set(parts)) < len(parts):
            raise Refused("a name bound twice")
        names |= {str(part): (placed, i) for i, part in enumerate(scan.target)}

    # -- operands

    def _operand(self, expression: Expression, names: Names) -> Operand:
        match expression:
            case Field(RowVariable(name), _, index):
                return self._column(names[name][0], index)
            case Variable(name):
                scan, column = names[name]
                assert column is not None
                return self._column(scan, column)
            case Const(value):
                return Literal(value)
            case Parameter(name):
                return Literal(self.environment.parameters[name])
            case TickValue("me"):
                return Literal(self.environment.me)
            case Global(name):
                return Literal(name, True, self.derivation.rule.scope)
            case Aggregate(function, arguments, user) if function in _AGGREGATES and not user:
                argument = self._number(self._operand(arguments[0], names)) if arguments else None
                self.aggregations.append(Aggregation(function, argument))
                return Folded(len(self.aggregations) - 1)
            case Python(template, parts):
                return self._calculated(parsed(template), parts, names)
        raise Refused(_told(expression))

    def _column(self, scan: _Scan, column: int) -> Operand:
        known = scan.operands.get(column)
        if known is None:
            attribute = (scan.relation, column)
            self.classes.add(attribute)
            known = scan.operands[column] = Slot(self._new_slot(), attribute)
            scan.loads[column] = known.number
            self.inputs.setdefault(scan.relation, set()).add(column)
        return known

    def _new_slot(self) -> int:
        self.slots += 1
        return self.slots

    def _calculated(self, node: ast.expr, parts: tuple[Expression, ...], names: Names) -> Operand:
        match node:
            case ast.Name():
                return self._operand(parts[int(node.id[1:])], names)
            case ast.Constant(value):
                return Literal(value)
            case ast.BinOp(left, operator, right) if type(operator) in _ARITHMETIC:
                sides = [self._number(self._calculated(side, parts, names)) for side in (left, right)]
                return Arithmetic(_ARITHMETIC[type(operator)], sides[0], sides[1])
            case ast.UnaryOp(ast.USub(), operand):
                return Arithmetic("-", Literal(0), self._number(self._calculated(operand, parts, names)))
        raise Refused(f"the expression {_written(node, parts)}")

    def _number(self, operand: Operand) -> Operand:
        if isinstance(operand, Slot):
            self.classes[operand.attribute].numbers = True
        return operand

    def _equated(self, attribute: Attribute, operand: Operand) -> Operand:
        """An operand that is to have the encoding of an attribute."""
        match operand:
            case Slot(_, other):
                self.classes.unite(attribute, other)
                return operand
            case Literal():
                attached = evolve(operand, attribute=attribute)
                self.classes[attribute].literals.append(attached)
                return attached
        self.classes[attribute].numbers = True
        return operand

    # -- tests

    def _test(self, expression: Expression, names: Names) -> Test:
        match expression:
            case Python(template, parts):
                return self._condition(parsed(template), parts, names)
            case Member(collection, key, negated):
                return self._belongs(collection, key, negated, names)
            case Exists():
                return self._some(expression, names)
        operand = self._operand(expression, names)
        if not isinstance(operand, Slot):
            raise Refused("a constant as a condition")
        return Truth(operand)

    def _condition(self, node: ast.expr, parts: tuple[Expression, ...], names: Names) -> Test:
        match node:
            case ast.Name():
                return self._test(parts[int(node.id[1:])], names)
            case ast.BoolOp(operator, values):
                below = tuple(self._condition(value, parts, names) for value in values)
                return Logic("and" if isinstance(operator, ast.And) else "or", below)
            case ast.UnaryOp(ast.Not(), operand):
                return Logic("not", (self._condition(operand, parts, names),))
            case ast.Compare(left, operators, rights):
                sides = [left, *rights]
                found = tuple(
                    self._comparison(operator, sides[i], sides[i + 1], parts, names) for i, operator in enumerate(operators)
                )
                return found[0] if len(found) == 1 else Logic("and", found)
        raise Refused(f"the condition {_written(node, parts)}")

    def _comparison(
        self, operator: ast.cmpop, left: ast.expr, right: ast.expr, parts: tuple[Expression, ...], names: Names
    ) -> Comparison:
        written = _COMPARISONS.get(type(operator))
        one, other = (self._calculated(side, parts, names) for side in (left, right))
        if written is None or (isinstance(operator, ast.Is | ast.IsNot) and other != Literal(None)):
            raise Refused("a comparison other than == != < <= > >=")
        if written not in ("==", "!="):
            return Comparison(written, self._number(one), self._number(other))
        if isinstance(one, Slot):
            return Comparison(written, one, self._equal(one, other))
        if isinstance(other, Slot):
            return Comparison(written, self._equal(other, one), other)
        return Comparison(written, one, other)

    def _equal(self, slot: Slot, operand: Operand) -> Operand:
        return self._equated(slot.attribute, operand)

    def _belongs(self, collection: str, key: Expression, negated: bool, names: Names) -> Belongs:
        layout = self.layouts[collection]
        if isinstance(key, RowVariable):
            scan, _ = names[key.name]
            if len(layout.key_indexes) != self.layouts[scan.relation].width:
                raise Refused("a whole row as a key")
            operands = [self._column(scan, i) for i in range(len(layout.key_indexes))]
        else:
            columns = key_columns(key, len(layout.key_indexes))
            if columns is None:
                raise Refused("a key that cannot be taken apart")
            operands = [self._operand(one, names) for one in columns]
        found = tuple(self._equated((collection, i), one) for i, one in zip(layout.key_indexes, operands, strict=True))
        self.inputs.setdefault(collection, set()).update(layout.key_indexes)
        return Belongs(collection, layout.key_indexes, found, negated)

    def _some(self, expression: Exists, names: Names) -> Some:
        needs = frozenset(free_names(expression).keys() & names.keys())
        inner = dict(names)
        first = self.slots
        placed = [self._step(step, inner) for step in plan(expression.body, self.layouts, bound=needs)]
        steps = _finished(placed, set(), False, self.layouts, bound=True)
        used = {slot for step, _ in placed for slot in _slots_of_placed(step)}
        return Some(steps, frozenset(slot for slot in used if not self._is_inner(slot, placed, first)), expression.negated)

    @staticmethod
    def _is_inner(slot: int, placed: Iterable[tuple[Step | _Placed, _Scan | None]], first: int) -> bool:
        return slot > first and any(scan is not None and slot in scan.loads.values() for _, scan in placed)

    # -- heads

    def _head(self, i: int, expression: Expression, names: Names) -> Operand:
        attribute = (self.derivation.head, i)
        operand = self._operand(expression, names)
        if isinstance(operand, Slot | Literal):
            return self._equated(attribute, operand)
        if _folds(operand) and slots_of(operand):
            raise Refused("an aggregate and a column in one expression")
        self.classes[attribute].numbers = self.classes[attribute].open = True
        return operand


_POSITION = Slot(0, ("", 0))


@frozen
class _Placed:
    """A scan as a step whose loads are not known yet."""

    relation: str
    driven: bool
    columns: tuple[int, ...]
    key: tuple[Operand, ...]


def _finished(
    placed: Sequence[tuple[Step | _Placed, _Scan | None]],
    used: set[int],
    bag: bool,
    layouts: Mapping[str, Layout],
    bound: bool = False,
) -> tuple[Step, ...]:
    """Steps with what they load, each followed by forgetting what nothing needs any more.

    Args:
        placed: the steps in order.
        used: the slots that are needed in the end.
        bag: repeated bindings count.
        layouts: by relation.
        bound: the pipeline starts from bindings of another one.
    """
    needed: list[set[int]] = []
    live = set(used)
    for step, _ in reversed(placed):
        needed.append(set(live))
        live |= _slots_of_placed(step)
    needed.reverse()
    steps: list[Step] = []
    scans: list[_Scan] = []
    have: set[int] = live - {slot for _, scan in placed if scan is not None for slot in scan.loads.values()} if bound else set()
    attributes: dict[int, Attribute] = dict.fromkeys(have, ("", 0))
    lost: set[tuple[int, int]] = set()
    for i, (step, scan) in enumerate(placed):
        if isinstance(step, _Placed):
            assert scan is not None
            loads = tuple((column, slot) for column, slot in sorted(scan.loads.items()))
            if steps or step.columns or bound:
                steps.append(Join(step.relation, step.columns, step.key, loads, not loads and (scan.unique or not bag)))
            else:
                steps.append(Take(step.relation, step.driven, loads))
            have |= {slot for _, slot in loads}
            attributes |= {slot: (step.relation, column) for column, slot in loads}
            scans.append(scan)
        else:
            steps.append(step)
        keep = needed[i]
        missing = _missing(scans, keep, layouts)
        joins = any(isinstance(later, _Placed) for later, _ in placed[i + 1 :])
        distinct = joins and not bag and not missing <= lost
        if distinct:
            lost = missing
        if have - keep or distinct:
            left = tuple(Slot(slot, attributes[slot]) for slot in sorted(have & keep))
            steps.append(Narrow((_POSITION, *left), False) if bound else Narrow(left, distinct))
        have &= keep
    return tuple(steps)


def _missing(scans: Sequence[_Scan], keep: set[int], layouts: Mapping[str, Layout]) -> set[tuple[int, int]]:
    """Key columns, by number of scan, that a binding does not hold: where there are such, bindings may repeat."""
    found = set()
    for number, scan in enumerate(scans):
        for column in () if scan.unique else layouts[scan.relation].key_indexes:
            operand = scan.operands.get(column)
            if operand is None or (isinstance(operand, Slot) and operand.number not in keep):
                found.add((number, column))
    return found


def slots_of(part: Operand | Test) -> set[int]:
    """The slots that an operand or a test reads."""
    match part:
        case Slot(number):
            return {number}
        case Arithmetic(_, left, right) | Comparison(_, left, right):
            return slots_of(left) | slots_of(right)
        case Truth(operand):
            return slots_of(operand)
        case Logic(_, parts):
            return {slot for one in parts for slot in slots_of(one)}
        case Belongs(_, _, key, _):
            return {slot for one in key for slot in slots_of(one)}
        case Some(_, needs):
            return set(needs)
    return set()


def _slots_of_placed(step: Step | _Placed) -> set[int]:
    match step:
        case _Placed(_, _, _, key):
            return {slot for one in key for slot in slots_of(one)}
        case Filter(test):
            return slots_of(test)
    return set()


def _folds(operand: Operand) -> bool:
    match operand:
        case Folded():
            return True
        case Arithmetic(_, left, right):
            return _folds(left) or _folds(right)
    return False


def _told(expression: Expression) -> str:
    """What an expression is, for people."""
    match expression:
        case RowVariable():
            return "a whole row as a value"
        case TickValue(name):
            return f"self.{name}"
        case Aggregate(function):
            return f"the aggregate {function}"
    return f"a {type(expression).__name__.lower()} expression"


def _written(node: ast.expr, parts: Sequence[Expression]) -> str:
    """A Python form with its parts as the user wrote them, as far as they have a name."""

    def written(found: re.Match[str]) -> str:
        match parts[int(found[1])]:
            case Field(RowVariable(row), column):
                return f"{row}.{column}"
            case Variable(name) | Global(name):
                return name
            case Const(value):
                return repr(value)
        return "…"

    return re.sub(r"\b_(\d+)\b", written, ast.unparse(node))


def literal_value(literal: Literal, environment: Environment) -> Any:
    """The value of a literal now.

    Raises:
        Refused: where its name is not to be found: generated Python raises what is right.
    """
    if not literal.late:
        return literal.value
    scope = environment.scopes.get(literal.scope)
    for names in (scope.closure, scope.globals) if scope is not None else ():
        if literal.value in names:
            return names[literal.value]
    raise Refused(f"the name {literal.value}")
