"""Random Bloom programs as source text: mostly valid, stratifiable, and with something to derive.

Every collection has a level; a `<=` rule reads collections of its head's level or below, and negates, aggregates or uses `get`
on those strictly below, so that programs are stratifiable by construction. Values come from small domains, so that joins meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from attrs import define, evolve, field, frozen

TYPES = {"i": "int", "s": "str", "f": "float"}
LATTICES = {"<": "lmin", ">": "lmax", "S": "lset", "B": "lbool", "G": "lbag", "P": "lmap[lmin]"}
WRITTEN = ("table", "scratch", "output", "inner input")


@frozen
class Declared:
    """A collection: column types ("i", "s", "f" or a lattice's sign, one a column), how many columns are the key, and its level."""

    name: str
    kind: str
    types: str
    keys: int
    level: int = 0
    durable: bool = False
    typed: bool = False

    @property
    def columns(self) -> list[str]:
        """Column names."""
        if self.kind == "periodic":
            return ["no", "time"]
        names = ["line"] if self.kind == "stdio" else list("abcdefgh"[: len(self.types)])
        return ["to", *names[1:]] if self.kind == "channel" else names

    @property
    def text(self) -> str:
        """The declaration as source."""
        types = {**TYPES, **LATTICES} if self.typed else LATTICES
        columns = [f"{name}: {types[type_]}" if type_ in types else name for name, type_ in zip(self.columns, self.types, strict=True)]
        if self.kind == "channel":
            columns[0] = "@" + columns[0]
        schema = ", ".join(columns[: self.keys]) + (f" -> {', '.join(columns[self.keys :])}" if self.keys < len(columns) else "")
        kind = {"input": "interface.input", "output": "interface.output"}.get(self.kind, self.kind)
        match self.kind:
            case "periodic":
                return f"{self.name} = periodic(2)"
            case "stdio":
                return f"{self.name} = stdio()"
            case "lattice":
                found, durable = LATTICES[self.types], "durable=True" if self.durable else ""
                return f"{self.name} = lattice.{found.replace('[', '(lattice.').replace(']', ', ')}{'' if '[' in found else '('}{durable})"
        return f'{self.name} = {kind}("{schema.strip()}"{", durable=True" if self.durable else ""})'


@frozen
class Statement:
    """One rule method's body: lines, and the kind of method."""

    lines: tuple[str, ...]
    kind: str = "rule"


@frozen
class Source:
    """A program that can be printed, and taken apart for shrinking."""

    collections: tuple[Declared, ...]
    statements: tuple[Statement, ...]
    inner: Source | None = None
    header: str = ""

    @property
    def text(self) -> str:
        """As Python source of a class P, whose inner module is a Q."""
        return self._text(1)

    @property
    def reversed_text(self) -> str:
        """The same with all rules in the opposite order."""
        return self._text(-1)

    def _text(self, order: int) -> str:
        inner = self.inner._body("Q", order) if self.inner is not None else []
        return "\n".join([HEADER + self.header, *inner, *self._body("P", order)]) + "\n"

    def _body(self, name: str, order: int) -> list[str]:
        used = " ".join(line for one in self.statements for line in one.lines)
        lines = [f"class {name}(Bloom):", "    limit = param(3)"]
        lines += [f"    {one.text}" for one in self.collections if "." not in one.name]
        if self.inner is not None:
            lines.append("    m = module(Q, limit=2)")
        if "self.shift" in used:
            lines += ["    def shift(self, a):", "        return (a + self.limit) % 5"]
        if "self.twice" in used:
            lines += ["    @staticmethod", "    def twice(a):", "        return 2 * a % 5"]
        for number, statement in list(enumerate(self.statements))[::order]:
            lines += [f"    @{statement.kind}", f"    def r{number}(self):", *(f"        {line}" for line in statement.lines)]
        return lines

    def without(self, number: int) -> Source:
        """The program less one statement."""
        return evolve(self, statements=self.statements[:number] + self.statements[number + 1 :])

    def trimmed(self) -> Source:
        """The program less the collections that it never mentions."""
        used = " ".join(line for one in self.statements for line in one.lines)
        return evolve(self, collections=tuple(one for one in self.collections if f"self.{one.name}" in used))


HEADER = '''from bloompy import Bloom, agg, aggregate, bootstrap, channel, interface, invariant
from bloompy import loopback, module, param, periodic, rule, scratch, stdio, table

def add(a, b):
    return (a + b) % 5

@aggregate
def spread(values):
    return max(values) - min(values)
'''


def random_source(random: Random) -> Source:
    """A random program."""
    collections = _collections(random)
    inner = _inner(random) if random.random() < 0.15 else None
    if inner is not None:
        boundary = [one for one in inner.collections if one.kind in ("input", "output")]
        collections += [evolve(one, name=f"m.{one.name}", kind=f"inner {one.kind}") for one in boundary]
        collections.append(Declared("z0", "scratch", random.choice(["i", "ii", "is"]), 1, 5))
    statements = [_Writer(random, collections).statement() for _ in range(random.randint(2, 9 if inner is None else 12))]
    return Source(tuple(collections), tuple(statements), inner)


def _inner(random: Random) -> Source:
    """A module: its input is of the lowest level of what rules fill, its output of the highest."""
    collections = [one for one in _collections(random) if one.kind not in ("input", "output", "stdio", "periodic")]
    collections = [evolve(one, level=one.level and one.level + 1) for one in collections]
    collections.append(Declared("i0", "input", random.choice(["i", "ii", "is"]), 1, 1))
    collections.append(Declared("o0", "output", random.choice(["i", "ii", "is"]), 2, 4))
    collections[-1] = evolve(collections[-1], keys=len(collections[-1].types))
    statements = [_Writer(random, collections).statement() for _ in range(random.randint(2, 6))]
    return Source(tuple(collections), tuple(statements))


def _collections(random: Random) -> list[Declared]:
    found = []

    def types(least: int, most: int) -> str:
        return "".join(random.choice("iiiiissf") for _ in range(random.randint(least, most)))

    def add(name: str, kind: str, types_: str, keyed: float, level: int = 0) -> None:
        keys = random.randint(0 if random.random() < 0.2 else 1, len(types_)) if random.random() < keyed else len(types_)
        durable = kind == "table" and random.random() < 0.3
        found.append(Declared(name, kind, types_, keys, level, durable, random.random() < 0.4))

    small = random.random() < 0.4  # few collections meet each other more often
    for i in range(random.randint(1, 1 if small else 3)):
        add(f"t{i}", "table", types(1, 3), 0.6, 0 if random.random() < 0.6 else random.randint(1, 3))
    for i in range(random.randint(1, 2 if small else 4)):
        add(f"s{i}", "scratch", types(1, 3), 0.3, random.randint(1, 3))
    if small and random.random() < 0.6:
        return found
    if random.random() < 0.6:
        add("i0", "input", types(1, 2), 0.3)
    if random.random() < 0.3:
        add("o0", "output", types(1, 3), 0.3, 4)
    if random.random() < 0.6:
        add("c0", "channel", "s" + types(1, 2), 0.15)
    if random.random() < 0.4:
        add("l0", "loopback", types(1, 2), 0.15)
    if random.random() < 0.4:
        found.append(Declared("p0", "periodic", "if", 1, 0))
    if random.random() < 0.2:
        found.append(Declared("io", "stdio", "s", 1, 0, typed=True))
    return found


@define
class _Scope:
    """What a query has bound: expressions by type, rows by collection, and how deep expressions may grow."""

    values: dict[str, list[str]] = field(factory=lambda: {"i": [], "s": [], "f": []})
    rows: list[tuple[str, Declared]] = field(factory=list)
    keyed: list[tuple[str, Declared]] = field(factory=list)
    names: int = 0


class _Writer:
    """Writes one statement."""

    def __init__(self, random: Random, collections: Sequence[Declared]) -> None:
        self.random, self.collections = random, collections
        self.positive: list[Declared] = []
        self.negative: list[Declared] = []
        self.names = 0

    # -- statements

    def statement(self) -> Statement:
        """A random statement."""
        pick = self.random.random()
        if pick < 0.07:
            return self._bootstrap()
        if pick < 0.10:
            return self._invariant()
        if pick < 0.18:
            return self._temporary()
        if pick < 0.55:
            return self._now()
        if pick < 0.80:
            return self._next()
        return self._send()

    def _allow(self, level: int) -> None:
        readable = [one for one in self.collections if one.kind not in ("output", "inner input")]
        self.positive = [one for one in readable if one.level <= level]
        self.negative = [one for one in readable if one.level < level]

    def _now(self) -> Statement:
        heads = [one for one in self.collections if one.kind in WRITTEN and one.level > 0]
        if not heads:
            return self._next()
        head = self.random.choice(heads)
        self._allow(head.level)
        if self.random.random() < 0.08:
            return Statement((f"self.{head.name} <= {self._literal(head)}",))
        return Statement((f"self.{head.name} <= {self._query(head)}",))

    def _temporary(self) -> Statement:
        heads = [one for one in self.collections if one.kind in WRITTEN and one.level > 0]
        if not heads:
            return self._next()
        head = self.random.choice(heads)
        self._allow(head.level)
        kept = Declared("tmp", "temporary", "".join(self.random.choice("iis") for _ in range(self.random.randint(1, 3))), 9)
        first = self._query(evolve(kept, keys=len(kept.types)))
        names = [f"m{i}" for i in range(len(kept.types))]
        scope = _Scope()
        for name, type_ in zip(names, kept.types, strict=True):
            scope.values[type_].append(name)
        target = ", ".join(names) + ("," if len(names) == 1 else "")
        head_text = self._row_text([self._expression(type_, scope, 1) for type_ in head.types])
        condition = f" if {self._condition(scope, 1)}" if self.random.random() < 0.4 else ""
        if kept.types == head.types and self.random.random() < 0.3:
            return Statement((f"tmp = {first}", f"self.{head.name} <= tmp"))
        return Statement((f"tmp = {first}", f"self.{head.name} <= ({head_text} for {target} in tmp{condition})"))

    def _next(self) -> Statement:
        self._allow(9)
        operator = self.random.choice(["<+", "<+", "<-", "<+-", "<+-"])
        kinds = ("table", "scratch", "inner input") if operator == "<+" else ("table",)
        head = self.random.choice([one for one in self.collections if one.kind in kinds])
        if operator == "<-":
            return self._delete(head)
        if operator == "<+" and head.keys < len(head.types) and head.kind == "table" and self.random.random() < 0.7:
            operator = "<+-"
        return Statement((f"self.{head.name} {operator} {self._query(head)}",))

    def _delete(self, head: Declared) -> Statement:
        if self.random.random() < 0.5:
            scope = _Scope()
            self._bind_row(scope, "x", head)
            condition = f" if {self._condition(scope, 2)}" if self.random.random() < 0.8 else ""
            whole = self.random.random() < 0.5 or not head.keys
            row = "x" if whole else self._row_text([f"x.{name}" for name in head.columns[: head.keys]])
            return Statement((f"self.{head.name} <- ({row} for x in self.{head.name}{condition})",))
        width = head.keys if self.random.random() < 0.5 and head.keys else len(head.types)
        part = evolve(head, types=head.types[:width], keys=width)
        return Statement((f"self.{head.name} <- {self._query(part)}",))

    def _send(self) -> Statement:
        heads = [one for one in self.collections if one.kind in ("channel", "loopback", "stdio")]
        if not heads:
            return self._now()
        self._allow(9)
        head = self.random.choice(heads)
        return Statement((f"self.{head.name} <~ {self._query(head)}",))

    def _bootstrap(self) -> Statement:
        head = self.random.choice([one for one in self.collections if one.kind in ("table", "scratch")])
        operator = "<=" if self.random.random() < 0.7 else "<+"
        return Statement((f"self.{head.name} {operator} {self._literal(head)}",), "bootstrap")

    def _invariant(self) -> Statement:
        self._allow(9)
        head = Declared("", "", "".join(self.random.choice("iis") for _ in range(self.random.randint(1, 2))), 9)
        query = self._query(head, extra="self.step > 3" if self.random.random() < 0.5 else "self.limit > 3")
        return Statement((query,), "invariant")

    def _literal(self, head: Declared) -> str:
        rows = [self._row_text([self._constant(type_) for type_ in head.types]) for _ in range(self.random.randint(1, 2))]
        if head.keys < len(head.types) or len(rows) == 1:
            return rows[0] if len(head.types) > 1 else f"[{rows[0]}]"
        return f"[{', '.join(rows)}]"

    # -- queries

    def _query(self, head: Declared, extra: str = "") -> str:
        """A query whose rows have the head's types; keyed heads are mostly functions of their keys."""
        if not self.positive:
            return self._literal(head)
        same = [one for one in self.positive if one.types == head.types and (one.keys <= head.keys or head.keys == len(head.types))]
        if same and not extra and self.random.random() < 0.08:
            return f"self.{self.random.choice(same).name}"
        keyed = head.keys < len(head.types)
        pick = self.random.random()
        if self.negative and pick < (0.5 if keyed else 0.25):
            return self._aggregation(head, extra)
        if keyed and pick < 0.8 and (copied := self._key_preserving(head, extra)):
            return copied
        scope, clauses = self._body(self.positive, extra)
        if same and not keyed and self.random.random() < 0.1:
            whole = [row for row, declared in scope.rows if declared.types == head.types]
            if whole:
                return self._brackets(self.random.choice(whole), clauses)
        return self._brackets(self._row_text(self._head(head.types, scope)), clauses)

    def _head(self, types: str, scope: _Scope) -> list[str]:
        for row, declared in scope.rows:
            width = len(declared.types)
            for start in range(len(types) - width + 1):
                if types[start : start + width] == declared.types and self.random.random() < 0.15:
                    before = [self._expression(type_, scope, 1) for type_ in types[:start]]
                    after = [self._expression(type_, scope, 1) for type_ in types[start + width :]]
                    return [*before, f"*{row}", *after]
        columns = [self._expression(type_, scope, 2) for type_ in types]
        lookups = any("self." in column for column in columns)
        if "i" in types and not lookups and self.random.random() < 0.04:  # raises for bindings that all evaluators reach
            columns[types.index("i")] = f"4 // {self._expression('i', scope, 0)}"
        return columns

    def _key_preserving(self, head: Declared, extra: str) -> str | None:
        """Takes the key of one row, and values from that row alone."""
        sources = [one for one in self.positive if one.types[: one.keys] == head.types[: head.keys] and one.keys == head.keys > 0]
        if not sources:
            return None
        source = self.random.choice(sources)
        scope = _Scope()
        self._bind_row(scope, "x", source)
        clauses = [f"for x in self.{source.name}"]
        if self.random.random() < 0.5:
            clauses.append(f"if {self._condition(scope, 2)}")
        if extra:
            clauses.append(f"if {extra}")
        keys = [f"x.{name}" for name in source.columns[: source.keys]]
        return self._brackets(self._row_text([*keys, *(self._expression(type_, scope, 2) for type_ in head.types[head.keys :])]), clauses)

    def _aggregation(self, head: Declared, extra: str) -> str:
        """Groups; all that is read must be complete."""
        positive, self.positive = self.positive, self.negative
        scope, clauses = self._body(self.negative, extra)
        self.positive = positive
        keyed = head.keys < len(head.types)
        if not keyed and self.random.random() < 0.2 and "i" in head.types:
            return self._ranked(head, scope, clauses)
        first = head.keys if keyed else self.random.randint(0, len(head.types) - 1)
        columns = [self._expression(type_, scope, 1) for type_ in head.types[:first]]
        bounded = head.kind != "output"  # what feeds back into its own argument must not grow from tick to tick
        columns += [self._aggregate(type_, scope, " % 7" if bounded else "") for type_ in head.types[first:]]
        return self._brackets(self._row_text(columns), clauses)

    def _ranked(self, head: Declared, scope: _Scope, clauses: list[str]) -> str:
        place = head.types.index("i")
        columns = [self._expression(type_, scope, 1) for type_ in head.types]
        order = self._expression(self.random.choice("is"), scope, 0)
        per = self._expression(self.random.choice("is"), scope, 0)
        rank = self.random.choice([f"agg.rank({order})", f"agg.rank({order}, per=({per},))", f"agg.rank({order}, per={per})"])
        columns[place] = rank if head.kind == "output" else f"{rank} % 7"
        return self._brackets(self._row_text(columns), clauses)

    def _aggregate(self, type_: str, scope: _Scope, bound: str) -> str:
        x, y = self._expression("i", scope, 1), self._expression("i", scope, 0)
        s = self._expression("s", scope, 0)
        f = self._expression("f", scope, 0)
        if type_ == "s":
            forms = [f"agg.min({s})", f"agg.max({s})", f"agg.choose({s})", f"agg.argmin({s}, {x})", f"agg.argmax({s}, {f})"]
            return self.random.choice(forms)
        if type_ == "f":
            return self.random.choice([f"agg.avg({x})", f"agg.sum({f}){bound}", f"agg.min({f})", f"agg.avg({f})", f"agg.percentile({f}, 75)"])
        return self.random.choice(
            [
                f"agg.count(){bound}",
                f"agg.count_distinct({s}){bound}",
                f"agg.sum({x}){bound}",
                f"agg.min({x})",
                f"agg.max({x})",
                f"int(agg.any({x} > 2))",
                f"int(agg.all({x} > 1))",
                f"agg.choose({x})",
                f"len(agg.collect({s})){bound}",
                f"len(agg.collect_set({x})){bound}",
                f"agg.argmin({x}, {y})",
                f"agg.argmax({x}, ({y}, {s}))",
                f"agg.percentile({x}, 50)",
                f"spread({x})",
                f"(agg.sum({x}) + agg.count()){bound}",
                f"agg.collect({x})[0] * 2{bound}",
                f"agg.sum(min({x}, {y})){bound}",
            ]
        )

    def _brackets(self, row: str, clauses: list[str]) -> str:
        opening, closing = self.random.choice(["()", "()", "()", "[]", "{}"])
        return f"{opening}{row} {' '.join(clauses)}{closing}"

    def _body(self, readable: Sequence[Declared], extra: str) -> tuple[_Scope, list[str]]:
        """Scans, flat maps and conditions in a random legal order."""
        scope = _Scope()
        clauses = []
        for number in range(self.random.choice([1, 1, 1, 2, 2, 2, 3])):
            clauses.append(self._scan(scope, self.random.choice(readable)))
            if number and self.random.random() < 0.75 and (joined := self._join(scope)):
                clauses.append(f"if {joined}")
            if self.random.random() < 0.35:
                clauses.append(f"if {self._condition(scope, 2)}")
        if self.random.random() < 0.12:
            clauses.append(self._flat_map(scope))
            if self.random.random() < 0.4:
                clauses.append(f"if {self._condition(scope, 1)}")
        if extra:
            clauses.append(f"if {extra}")
        return scope, clauses

    def _scan(self, scope: _Scope, declared: Declared) -> str:
        name = self._fresh()
        if self.random.random() < 0.65:
            self._bind_row(scope, name, declared)
            return f"for {name} in self.{declared.name}"
        names = ["_" if self.random.random() < 0.2 else f"{name}{column}" for column in declared.columns]
        for one, type_ in zip(names, declared.types, strict=True):
            if one != "_":
                scope.values[type_].append(one)
        return f"for {', '.join(names)}{',' if len(names) == 1 else ''} in self.{declared.name}"

    def _flat_map(self, scope: _Scope) -> str:
        name = self._fresh()
        source = self.random.choice(
            [
                f"({self._expression('i', scope, 1)}, {self._expression('i', scope, 1)})",
                f"range({self._expression('i', scope, 0)} % 6)",
                f"{{{self._expression('i', scope, 0)}, 7}}",
            ]
        )
        scope.values["i"].append(name)
        return f"for {name} in {source}"

    def _bind_row(self, scope: _Scope, name: str, declared: Declared) -> None:
        scope.rows.append((name, declared))
        for column, type_ in zip(declared.columns, declared.types, strict=True):
            scope.values[type_].append(f"{name}.{column}")

    def _fresh(self) -> str:
        self.names += 1
        return "xyzuvwpq"[self.names % 8] + (str(self.names // 8) if self.names >= 8 else "")

    def _join(self, scope: _Scope) -> str | None:
        choices = [type_ for type_ in "is" if len(scope.values[type_]) > 1]
        if scope.values["i"] and scope.values["f"] and self.random.random() < 0.1:
            return f"{self.random.choice(scope.values['i'])} == {self.random.choice(scope.values['f'])}"
        if not choices:
            return None
        values = scope.values[self.random.choice(choices)]
        return " == ".join(self.random.sample(values[-4:], 2) if len(values[-4:]) > 1 else values[:2])

    # -- conditions

    def _condition(self, scope: _Scope, depth: int) -> str:
        pick = self.random.random()
        if pick < 0.35 or depth == 0:
            return self._comparison(scope, depth)
        if pick < 0.50:
            return self._member(scope)
        if pick < 0.68:
            return self._exists(scope, depth)
        if pick < 0.76:
            return f"{self._condition(scope, depth - 1)} and {self._condition(scope, depth - 1)}"
        if pick < 0.84:
            return f"({self._condition(scope, depth - 1)} or {self._condition(scope, depth - 1)})"
        if pick < 0.90:
            positive, self.positive = self.positive, self.negative
            made = f"not ({self._condition(scope, depth - 1)})"
            self.positive = positive
            return made
        if pick < 0.92:
            divisor = self._expression("i", scope, 0)
            return f"{divisor} != 0 and 4 // {divisor} > 1"
        if pick < 0.93 and scope.rows:
            (row, declared), other = self.random.choice(scope.rows), self.random.choice(scope.rows)[0]
            constants = self._row_text([self._constant(type_) for type_ in declared.types])
            return self.random.choice([f"{row} == {other}", f"{row} != {constants}", f"{row} in ({constants}, {other})", f"len({row}) == 2"])
        if pick < 0.95:
            return self.random.choice(["self.step % 2 == 0", "self.rand < 0.5", "self.now > 3", 'self.me == "n1"', "self.limit > 2"])
        return self._comparison(scope, depth)

    def _comparison(self, scope: _Scope, depth: int) -> str:
        type_ = self.random.choice("iiis")
        left, right = self._expression(type_, scope, depth), self._expression(type_, scope, 0)
        if type_ == "i" and self.random.random() < 0.2:
            return f"0 <= {left} < {self.random.randint(2, 5)}"
        if self.random.random() < 0.15:
            return f"{left} in ({self._constant(type_)}, {self._constant(type_)})"
        return f"{left} {self.random.choice(['==', '==', '!=', '<', '>', '<=', '>='])} {right}"

    def _member(self, scope: _Scope) -> str:
        negated = self.random.random() < 0.5
        choices = [one for one in (self.negative if negated else self.positive) if one.keys]
        if not choices:
            return self._comparison(scope, 0)
        declared = self.random.choice(choices)
        return f"{self._key(declared, scope)} {'not in' if negated else 'in'} self.{declared.name}"

    def _key(self, declared: Declared, scope: _Scope) -> str:
        return self._key_text([self._expression(type_, scope, 0) for type_ in declared.types[: declared.keys]])

    def _exists(self, scope: _Scope, depth: int) -> str:
        form = self.random.choice(["any", "any", "not any", "all"])
        choices = self.positive if form == "any" else self.negative
        if not choices:
            return self._comparison(scope, 0)
        outer, self.positive = self.positive, self.positive if form == "any" else self.negative
        inner = _Scope({type_: list(values) for type_, values in scope.values.items()}, list(scope.rows))
        scan = self._scan(inner, self.random.choice(choices))
        second = f" {self._scan(inner, self.random.choice(choices))}" if self.random.random() < 0.15 else ""
        guard = f" if {self._condition(inner, depth - 1)}" if self.random.random() < 0.4 else ""
        test = self._join(inner) if self.random.random() < 0.7 else self._condition(inner, depth - 1)
        self.positive = outer
        return f"{form}({test or 'True'} {scan}{second}{guard})"

    # -- expressions

    def _expression(self, type_: str, scope: _Scope, depth: int) -> str:
        values = scope.values[type_]
        pick = self.random.random()
        if values and (depth == 0 or pick < 0.6):
            return self.random.choice(values)
        if depth == 0 or pick < 0.7:
            return self._constant(type_)
        match type_:
            case "i":
                return self._integer(scope, depth - 1)
            case "s":
                return self.random.choice(
                    [
                        f'"abc"[{self._expression("i", scope, depth - 1)} % 3]',
                        f"({self._expression('s', scope, 0)} if {self._comparison(scope, 0)} else {self._expression('s', scope, 0)})",
                        "self.me",
                    ]
                )
        return f"{self._expression('i', scope, depth - 1)} / 2"

    def _integer(self, scope: _Scope, depth: int) -> str:
        a, b = self._expression("i", scope, depth), self._expression("i", scope, 0)
        forms = [
            f"({a} + {b}) % 5",
            f"abs({a} - {b}) % 5",
            f"add({a}, {b})",
            f"({a} if {self._comparison(scope, 0)} else {b})",
            f"sum(h % 3 for h in ({a}, {b})) % 5",
            f"max({a}, {b})",
            f"self.shift({a})",
            f"self.twice({a})",
            "self.limit",
            f"len({self._expression('s', scope, 0)})",
            f"int({a} > 2)",
            f"({a} and 4 // {a})",
        ]
        if self.random.random() < 0.1:
            return self.random.choice(["self.step % 3", "int(self.now) % 4"])
        found = [(one, self.random.choice(columns)) for one in self.positive if one.keys and (columns := _columns(one, "i"))]
        if found and self.random.random() < 0.3:
            declared, column = self.random.choice(found)
            looked_up = f"self.{declared.name}[{self._key(declared, scope)}].{column}"
            lazy = [f"({a} and {looked_up})", f"({looked_up} if {self._comparison(scope, 0)} else {b})"]
            return self.random.choice([looked_up, looked_up, looked_up, *lazy])
        found = [(one, self.random.choice(columns)) for one in self.negative if one.keys and (columns := _columns(one, "i"))]
        if found and self.random.random() < 0.3:
            declared, column = self.random.choice(found)
            default = self._key_text([self._constant(one) for one in declared.types], whole=True)
            return f"self.{declared.name}.get({self._key(declared, scope)}, {default}).{column}"
        return self.random.choice(forms)

    def _constant(self, type_: str) -> str:
        match type_:
            case "i":
                return str(self.random.randint(0, 4))
            case "s":
                return f'"{self.random.choice(["a", "b", "c", "n1"])}"'
        return str(self.random.randint(0, 6) / 2)

    @staticmethod
    def _row_text(columns: list[str]) -> str:
        if len(columns) == 1:
            return f"({columns[0]},)"
        return f"({', '.join(columns)})"

    @staticmethod
    def _key_text(columns: list[str], whole: bool = False) -> str:
        if len(columns) == 1 and not whole:
            return columns[0]
        return f"({', '.join(columns)}{',' if len(columns) == 1 else ''})"


def _columns(declared: Declared, type_: str) -> list[str]:
    return [name for name, one in zip(declared.columns, declared.types, strict=True) if one == type_]
