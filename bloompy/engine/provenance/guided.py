"""The query of a rule, run backwards: from the row that it shall derive to the bindings that derive it.

A `Query` in nested loops, with two differences. What is known of the row (and what equalities of the body say) picks the rows of a scan
from an index, so that asking for one row does not cost what deriving all costs. And everything that is read on the way is noted:
rows scanned and looked up, and what was looked for and not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, TypeAlias

from attrs import evolve, field, frozen

from bloompy.analysis.dependencies import aggregates, ranks_rows
from bloompy.engine.provenance.answers import value_text
from bloompy.engine.provenance.replay import Facts
from bloompy.engine.provenance.timeline import Rows
from bloompy.engine.query import Context, Missing, Names, Query
from bloompy.engine.support import ordered
from bloompy.engine.tick import Batch, Environment, PlainRow
from bloompy.ir.nodes import (
    Aggregate,
    Clause,
    Condition,
    Const,
    Exists,
    Expression,
    Field,
    Iterate,
    Program,
    Python,
    RowVariable,
    Rule,
    Scan,
    Target,
    TickValue,
    Variable,
)
from bloompy.ir.text import expression_text
from bloompy.ir.walk import free_names, target_names, walk
from bloompy.schema import Key

Read: TypeAlias = "tuple[str, PlainRow]"
"""A row that was read: collection and row."""


@frozen
class Lack:
    """What was looked for and not there.

    Attributes:
        collection: where; of an `any(…)`, the first that it scans.
        key: of a lookup; None for an `any(…)`.
        text: in words.
        exists: the `any(…)`, with the variables around it.
    """

    collection: str
    key: Key
    text: str
    exists: Exists | None = field(default=None, eq=False)
    names: Mapping[str, Any] | None = field(default=None, eq=False)
    query: Guided | None = field(default=None, eq=False, repr=False)


@frozen
class Reads:
    """What was read, in order."""

    rows: tuple[Read, ...] = ()
    lacks: tuple[Lack, ...] = ()

    def __add__(self, other: Reads) -> Reads:
        return Reads(self.rows + other.rows, self.lacks + other.lacks) if other.rows or other.lacks else self


@frozen
class Found:
    """One way to satisfy a rule's query, or for an aggregate all of the bindings of a group.

    Attributes:
        names: the variables; of a group, those of its first binding.
        reads: everything read.
        row: what is derived, as written in the head.
        count: number of bindings.
        decisive: so many of the rows read, the first ones, give an aggregate its value alone; 0 where all are needed.
    """

    names: Names
    reads: Reads
    row: PlainRow
    count: int = 1
    decisive: int = 0


@frozen
class Stop:
    """Where a binding came to nothing.

    Attributes:
        depth: number of clauses satisfied; as many as there are where the head came out otherwise.
        names: what was bound.
        wanted: of a scan, the values that its row had to have, by column.
        row: of a head that came out otherwise, the row.
        reads: of a condition, what it read.
        error: what an expression raised.
    """

    depth: int
    names: Names
    wanted: Mapping[int, Any] = field(factory=dict)
    row: PlainRow | None = None
    reads: Reads = Reads()
    error: Exception | None = None


Watch: TypeAlias = Callable[[Stop], None]

Body: TypeAlias = tuple[Clause, ...]

Bound: TypeAlias = Mapping[Any, Any]
"""Values that variables must have, by name, and that columns of rows must have, by the row's name and the column."""


@frozen
class Noting(Context):
    """A context that notes what is read through it."""

    rows: list[Read] = field(factory=list)
    lacks: list[Lack] = field(factory=list)

    def taken(self) -> Reads:
        """What was noted since the last time."""
        found = Reads(tuple(self.rows), tuple(self.lacks))
        self.rows.clear()
        self.lacks.clear()
        return found

    def has(self, collection: str, key: Key) -> bool:
        """`key in self.collection`."""
        return self._note(collection, key) is not None

    def lookup(self, collection: str, key: Key) -> PlainRow:
        """`self.collection[key]`."""
        row = self._note(collection, key)
        if row is None:
            raise Missing
        return row

    def get(self, collection: str, key: Key, default: PlainRow) -> PlainRow:
        """`self.collection.get(key, default)`."""
        row = self._note(collection, key)
        return default if row is None else row

    def exists(self, number: int, names: Names) -> bool:
        """`any(…)` or `not any(…)`: of one that is true, a witness was read; of one that is false, its absence.

        What is absent may be so because of rows that are there (`not any(… if x not in self.c)`): those were read too.
        """
        query = self.query
        assert isinstance(query, Guided)
        node = query.exists[number]
        inner = Noting(query, self.facts, self.batch)
        stops: list[Read] = []
        found = next(query.solve(node.body, names, inner, {}, Reads(), lambda stop: stops.extend(stop.reads.rows)), None)
        if found is None:
            self.rows.extend(dict.fromkeys(stops))
            first = next(one for one in node.body if isinstance(one, Scan))
            self.lacks.append(Lack(first.collection, None, query.exists_text(node, names), node, dict(names), query))
        else:
            self.rows.extend(found[1].rows)
            self.lacks.extend(found[1].lacks)
        return (found is not None) != node.negated

    def _note(self, collection: str, key: Key) -> PlainRow | None:
        row = self.facts[collection].get(key)
        if row is None:
            self.lacks.append(Lack(collection, key, key_text(self.query.program, collection, key)))
        else:
            self.rows.append((collection, row))
        return row


class Guided(Query):
    """The query of one rule in one instance, asked for single rows."""

    def __init__(self, rule: Rule, program: Program, environment: Environment) -> None:
        super().__init__(rule, program, environment)
        self.grouping = aggregates(rule.query)
        self.ranking = ranks_rows(rule.query)
        self._equal: dict[int, list[tuple[int, Expression]]] = {}

    def found(self, facts: Facts | Mapping[str, Rows], batch: Batch, wanted: PlainRow | None, columns: tuple[int, ...]) -> Iterator[Found]:
        """Every way to derive a row.

        Args:
            facts, batch: of the tick.
            wanted: the row; None for all rows.
            columns: those in which the head must equal it; all, unless rows of its key merge.
        """
        context = Noting(self, facts, batch)
        given = {} if wanted is None else {i: wanted[i] for i in columns}
        if self.grouping:
            yield from self._groups(given, context)
            return
        for names, reads in self.solve(self.rule.query.body, {}, context, self._bound(given), Reads()):
            row = self._row(names, context)
            if row is not None and _agrees(row, given):
                yield Found(names, reads + context.taken(), row)

    def nearest(self, facts: Facts, batch: Batch, given: Mapping[int, Any], watch: Watch) -> None:
        """Tell of every binding where it came to nothing; `given` are the values known of the head by column."""
        context = Noting(self, facts, batch)
        plain = {i: value for i, value in given.items() if i in self.plain_columns}
        bound = {} if self.ranking else self._bound(plain)
        for names, _ in self.solve(self.rule.query.body, {}, context, bound, Reads(), watch):
            row = None
            try:
                row = tuple(None if self._aggregated(one) else self.evaluate(one, names, context) for one in self.rule.query.head)
            except Missing:
                watch(Stop(len(self.rule.query.body), names, reads=context.taken()))
                continue
            except Exception as error:
                watch(Stop(len(self.rule.query.body), names, error=error))
                continue
            context.taken()
            watch(Stop(len(self.rule.query.body), names, row=row))

    # -- bindings

    def solve(
        self, body: Body, names: Names, context: Noting, bound: Bound, reads: Reads, watch: Watch | None = None, depth: int = 0
    ) -> Iterator[tuple[Names, Reads]]:
        """Every way to satisfy the clauses, with what was read.

        Args:
            body: the clauses left.
            names: what is bound so far.
            context: of the tick.
            bound: what the head asks for.
            reads: so far.
            watch: told of each binding that comes to nothing.
            depth: number of clauses before these.
        """
        if not body:
            yield names, reads
            return
        met = False
        clause = body[0]
        try:
            for more, read in self._met(clause, body, names, context, bound):
                met = True
                yield from self.solve(body[1:], {**names, **more}, context, bound, reads + read, watch, depth + 1)
        except Missing:
            pass
        except Exception as error:  # the evaluator may never have come here, as a later clause has no partner
            met = True
            context.taken()
            if watch is not None:
                watch(Stop(depth, names, error=error))
        if not met and watch is not None:
            wanted = self._wanted(clause, body, names, context, bound) if isinstance(clause, Scan) else {}
            watch(Stop(depth, names, wanted, reads=context.taken()))
        context.taken()

    def _met(self, clause: Clause, body: Body, names: Names, context: Noting, bound: Bound) -> list[tuple[Names, Reads]]:
        match clause:
            case Scan(target, collection):
                rows = _find(context.facts[collection], self._wanted(clause, body, names, context, bound))
                return [(_binding(target, row), Reads(((collection, row),))) for row in rows]
            case Iterate(target, source):
                items = list(ordered(self.evaluate(source, names, context)))
                read = context.taken()
                found = [(_binding(target, item), read) for item in items]
                return [one for one in found if all(bound.get(name, value) == value for name, value in one[0].items())]
            case Condition(test):
                holds = self.evaluate(test, names, context)
                return [({}, context.taken())] if holds else []

    def _wanted(self, scan: Scan, body: Body, names: Names, context: Noting, bound: Bound) -> dict[int, Any]:
        """Values that the row of a scan must have, as far as they are known already."""
        found: dict[int, Any] = {}
        for name, column in _columns(scan, self.program.by_name[scan.collection].schema.width):
            asked: Any = (name, column) if name == scan.target else name
            if asked in bound:
                found[column] = bound[asked]
        for column, value in self._equalities(scan, body):
            try:
                found.setdefault(column, self.evaluate(value, names, context))
            except Exception:
                continue
        context.taken()
        return dict(sorted(found.items()))

    def _equalities(self, scan: Scan, body: tuple[Clause, ...]) -> list[tuple[int, Expression]]:
        """The columns of a scan that later conditions equate to what is bound before it, or constant."""
        known = self._equal.get(id(scan))
        if known is None:
            columns = dict(_columns(scan, 0)) if isinstance(scan.target, tuple) else {}
            own, known = set(target_names(scan.target)), []
            for clause in body[next(i for i, one in enumerate(body) if one is scan) + 1 :]:
                if not isinstance(clause, Condition):
                    own |= set(target_names(clause.target))
                    continue
                match clause.test:
                    case Python("_0 == _1", (one, other)):
                        for left, right in ((one, other), (other, one)):
                            column = _column_of(left, scan.target, columns)
                            if column is not None and _is_plain(right) and not own & set(free_names(right)):
                                known.append((column, right))
            self._equal[id(scan)] = known
        return known

    def _bound(self, given: Mapping[int, Any]) -> dict[Any, Any]:
        """What the head's known values say of variables: by name, or by name and column of a row."""
        bound: dict[Any, Any] = {}
        for i, value in given.items():
            match self.rule.query.head[i]:
                case Field(RowVariable(name), _, column):
                    bound[name, column] = value
                case Variable(name):
                    bound[name] = value
        return bound

    # -- heads

    @cached_property
    def plain_columns(self) -> tuple[int, ...]:
        """Columns of the head without an aggregate."""
        return tuple(i for i, one in enumerate(self.rule.query.head) if not self._aggregated(one))

    @staticmethod
    def _aggregated(expression: Expression) -> bool:
        return any(isinstance(node, Aggregate) for node in walk(expression))

    def _row(self, names: Names, context: Noting) -> PlainRow | None:
        try:
            return tuple(self.evaluate(one, names, context) for one in self.rule.query.head)
        except Exception:  # as in `solve`; Missing drops the binding
            context.taken()
            return None

    def _groups(self, given: Mapping[int, Any], context: Noting) -> Iterator[Found]:
        """The groups whose rows have the given values; of a rank, for each row the bindings before it in its order."""
        plain = {} if self.ranking else {i: value for i, value in given.items() if i in self.plain_columns}
        groups: dict[PlainRow, list[tuple[Names, Reads, list[Any]]]] = {}
        for names, reads in self.solve(self.rule.query.body, {}, context, self._bound(plain), Reads()):
            try:
                group = tuple(self.evaluate(self.rule.query.head[i], names, context) for i in self.plain_columns)
                arguments = [tuple(self.evaluate(one, names, context) for one in node.arguments) for node in self.aggregates]
            except Exception:
                context.taken()
                continue
            if all(group[self.plain_columns.index(i)] == value for i, value in plain.items()):
                member = names, reads + context.taken(), [one[0] if len(one) == 1 else one for one in arguments]
                groups.setdefault(() if self.ranking else group, []).append(member)
        for group, members in groups.items():
            yield from self._ranked_rows(members, given, context) if self.ranking else self._grouped_row(group, members, given, context)

    def _grouped_row(
        self, group: PlainRow, members: list[tuple[Names, Reads, list[Any]]], given: Mapping[int, Any], context: Noting
    ) -> Iterator[Found]:
        count = len(members)
        for i, node in enumerate(self.aggregates):
            context.aggregated[i] = self._aggregate(node, [arguments[i] for _, _, arguments in members], group)
        row = self._row(members[0][0], context)
        if row is not None and _agrees(row, given):
            decisive = [member for member in members if self._decides(member[2], context)]
            reads = [reads for _, reads, _ in (*decisive, *members)]
            members = [*decisive, *members] if decisive else members
            first = len(dict.fromkeys(members[0][1].rows)) if decisive else 0
            yield Found(members[0][0], _together(reads) + context.taken(), row, count, first)

    def _decides(self, arguments: list[Any], context: Noting) -> bool:
        """Whether a binding alone gives the values of the group: the least of a minimum, say. People want to see it first."""
        return all(
            not node.user and node.function in _CHOOSING and self._aggregate(node, [arguments[i]], ()) == context.aggregated[i]
            for i, node in enumerate(self.aggregates)
        )

    def _ranked_rows(self, members: list[tuple[Names, Reads, list[Any]]], given: Mapping[int, Any], context: Noting) -> Iterator[Found]:
        positions = [self._ranks([arguments[i] for _, _, arguments in members]) for i in range(len(self.aggregates))]
        for number, (names, reads, arguments) in enumerate(members):
            context.aggregated.update((i, ranked[number]) for i, ranked in enumerate(positions))
            row = self._row(names, context)
            if row is None or not _agrees(row, given):
                continue
            before = [
                other[1]
                for k, other in enumerate(members)
                if any(
                    other[2][i][1] == arguments[i][1] and ranked[k] < ranked[number] for i, ranked in enumerate(positions)
                )
            ]
            yield Found(names, _together([reads, *before]) + context.taken(), row, 1 + len(before))

    # -- words

    def exists_text(self, node: Exists, names: Mapping[str, Any]) -> str:
        """An `any(…)` with the values around it."""
        shown = expression_text(evolve(node, negated=False), self.rule, self.program)
        return f"{shown}{self.values_text(free_names(node), names)}"

    def values_text(self, used: Mapping[str, None] | list[str], names: Mapping[str, Any]) -> str:
        """`, with x = …` for the variables that are bound."""
        said = [f"{name} = {value_text(names[name])}" for name in used if name in names]
        return f" with {', '.join(said)}" if said else ""



_CHOOSING = frozenset({"min", "max", "argmin", "argmax", "choose", "any", "percentile"})
"""Aggregates whose value one binding gives."""


def key_text(program: Program, collection: str, key: Key) -> str:
    """A row of which the key is known: `link('a', 'b', _)`."""
    schema = program.by_name[collection].schema
    values = (key,) if len(schema.key_indexes) == 1 else key
    return pattern_text(program, collection, dict(zip(schema.key_indexes, values, strict=True)))


def pattern_text(program: Program, collection: str, known: Mapping[int, Any]) -> str:
    """A row of which some columns are known."""
    width = program.by_name[collection].schema.width
    return f"{collection}({', '.join(value_text(known[i]) if i in known else '_' for i in range(width))})"


def _find(rows: Mapping[Key, PlainRow], wanted: Mapping[int, Any]) -> list[PlainRow]:
    assert isinstance(rows, Rows)
    return list(rows.find(wanted))


def _agrees(row: PlainRow, given: Mapping[int, Any]) -> bool:
    return all(row[i] is value or row[i] == value for i, value in given.items())


def _together(several: list[Reads]) -> Reads:
    rows = dict.fromkeys(row for one in several for row in one.rows)
    lacks = dict.fromkeys(lack for one in several for lack in one.lacks)
    return Reads(tuple(rows), tuple(lacks))


def _columns(scan: Scan, width: int) -> list[tuple[str, int]]:
    """The names that a scan binds to single columns: of a row variable, its own name for each of `width` columns."""
    if isinstance(scan.target, str):
        return [(scan.target, column) for column in range(width)]
    return [(name, column) for column, name in enumerate(scan.target) if isinstance(name, str) and name != "_"]


def _column_of(expression: Expression, target: Target, columns: Mapping[str, int]) -> int | None:
    match expression:
        case Field(RowVariable(name), _, index) if name == target:
            return index
        case Variable(name):
            return columns.get(name)
    return None


def _is_plain(expression: Expression) -> bool:
    """Whether it is a value at hand, which cannot raise."""
    match expression:
        case Const() | Variable() | TickValue() | Field(RowVariable()):
            return True
    return False


def _binding(target: Target, value: Any) -> Names:
    """What a target binds; raises as Python's unpacking does."""
    if isinstance(target, str):
        return {} if target == "_" else {target: value}
    values = tuple(value)
    if len(values) != len(target):
        raise ValueError(f"{len(values)} values to unpack into {len(target)} names")
    return {name: found for part, item in zip(target, values, strict=True) for name, found in _binding(part, item).items()}
