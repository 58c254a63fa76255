"""Random programs over lattices of every kind: collections and columns, monotone recursion, and uses that must come later.

Every collection has a level. A `<=` rule uses the lattice values of its head's level or below monotonically, those strictly below in
any way, so that programs are stratifiable by construction; values are bounded, so that fixpoints end.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.random.programs import Declared, Source, Statement

SIGNS = "<>><SSBGP"
GROWN: dict[str, list[str]] = {
    "<": ["V", "V + 1", "V + x.b", "min(V, x.b)", "max(V - 1, 0)", "V * 2", "max(V, V)"],
    ">": ["V", "min(V + 1, 6)", "min(V + x.b, 7)", "max(V, x.b)", "V - 1", "V // 2"],
    "S": ["V", "V | frozenset([x.b])", "V & frozenset([0, 1, 2, 3])", "V - frozenset([2])", "plus_one(V)"],
    "B": ["V", "V and x.b > 1", "V or x.b > 3"],
    "G": ["V", "V & lattice.Bag([0, 1, 1, 2])"],
    "P": ["V"],
}
"""What keeps growth, of a value V and the columns of a plain row x."""
FIRST: dict[str, list[str]] = {
    "<": ["x.b", "x.a + x.b", "4 - x.b"],
    ">": ["x.b", "x.a * x.b % 9", "x.a - x.b"],
    "S": ["x.b", "frozenset([x.a, x.b])", "x.a * x.b % 7"],
    "B": ["x.b > 2", "x.a == x.b"],
    "G": ["x.b", "lattice.Bag([x.a, x.b])", "lattice.Bag({x.b: 1 + x.a})"],
    "P": ["lattice.Map({x.a: x.b})", "lattice.Map({x.a: x.b, 2: 3})"],
}
"""A value of plain columns."""
TRUTH: dict[str, list[str]] = {
    "<": ["V < 3", "V <= x.b", "2 > V"],
    ">": ["V > 2", "V >= x.b", "V - 1 > x.a"],
    "S": ["V", "x.b in V", "len(V) > 1", "V >= frozenset([1, 2])", "max(V | frozenset([0])) > 2"],
    "B": ["V", "V and x.a > 1"],
    "G": ["x.b in V", "V.multiplicity(x.b) > 1", "len(V) > 2"],
    "P": ["V.at(x.a) < 3", "x.b in V", "len(V) > 1", "lattice.lmap.at(V, 2) <= x.b"],
}
"""What stays true."""
OTHER: dict[str, list[str]] = {
    "<": ["V > 2", "V == 1", "not V < 3", "V % 2 == 0 and V < 9"],
    ">": ["V < 2", "V == 3", "not V > x.b"],
    "S": ["x.b not in V", "not V", "len(V) == 1", "V == frozenset([1])"],
    "B": ["not V", "V == (x.b > 1)"],
    "G": ["x.b not in V", "V.multiplicity(x.b) == 1", "len(V) < 3"],
    "P": ["V.at(x.a) > 2", "x.b not in V", "V == lattice.Map({1: 1})"],
}
"""What may cease to be true."""

HEADER = """
from bloompy import lattice

@lattice.morphism(lattice.lset, to=lattice.lset)
def plus_one(values):
    return frozenset(one + 1 for one in values if type(one) is int and one < 5)
"""


def random_growing(random: Random) -> Source:
    """A random program."""
    writer = _Writer(random)
    forms: list[tuple[Callable[[], None], float]] = [
        (writer.first, 3),
        (writer.recursion, 3),
        (writer.copy, 1.5),
        (writer.threshold, 2),
        (writer.elements, 1),
        (writer.measure, 1),
        (writer.other, 2),
        (writer.plain, 1.5),
        (writer.aggregate, 1),
        (writer.later, 2),
        (writer.send, 1),
        (writer.bootstrap, 0.3),
        (writer.invariant, 0.2),
    ]
    chosen = random.choices([form for form, _ in forms], [weight for _, weight in forms], k=random.randint(3, 10))
    for form in [writer.first, *chosen]:
        form()
    return Source(tuple(writer.collections), tuple(writer.statements), header=HEADER)


class _Writer:
    """Writes statements over collections that it declares first."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.statements: list[Statement] = []
        typed = random.random() < 0.5
        self.plain_sources = [Declared("t0", "table", "ii", random.choice([1, 2]), typed=typed), Declared("t1", "table", "ii", 2)]
        if random.random() < 0.6:
            self.plain_sources.append(Declared("i0", "input", "ii", 2))
        self.rows = [self._rows(f"s{i}", random.randint(1, 4)) for i in range(random.randint(1, 3))]
        self.growing = [self._growing(f"g{i}", random.randint(1, 4)) for i in range(random.randint(2, 5))]
        self.sent = Declared("c0", "channel", "si" + random.choice("<>SB"), 2)
        self.collections = [*self.plain_sources, *self.rows, *self.growing, self.sent]

    def _rows(self, name: str, level: int) -> Declared:
        return Declared(name, self.random.choice(["scratch", "scratch", "scratch", "table"]), "ii", 2, level)

    def _growing(self, name: str, level: int) -> Declared:
        sign = self.random.choice(SIGNS)
        durable = self.random.random() < 0.2
        if self.random.random() < 0.3:
            return Declared(name, "lattice", sign, 0, level, durable)
        kind = self.random.choice(["scratch", "scratch", "scratch", "table"])
        signs = sign + (self.random.choice(SIGNS) if self.random.random() < 0.15 else "")
        return Declared(name, kind, "i" + signs, 1, level, durable and kind == "table", self.random.random() < 0.3)

    # -- parts

    def _head(self) -> Declared:
        return self.random.choice(self.growing)

    def _below(self, level: int, strictly: bool = False) -> list[Declared]:
        return [one for one in self.growing if one.level < level + (not strictly)]

    def _source(self, level: int) -> Declared:
        """Where plain rows x come from."""
        return self.random.choice([*self.plain_sources, *(one for one in self.rows if one.level <= level)])

    def _value(self, one: Declared, row: str = "y") -> tuple[str, str, str]:
        """Sign and text of a lattice value, and the clause that binds it ("" for a collection's)."""
        if one.kind == "lattice":
            return one.types, f"self.{one.name}.value", ""
        position = self.random.randrange(1, len(one.types))
        column = one.columns[position]
        if self.random.random() < 0.2:
            return one.types[position], f"self.{one.name}[x.a].{column}", ""
        if self.random.random() < 0.3:
            names = [f"{row}{name}" for name in one.columns]
            return one.types[position], names[position], f" for {', '.join(names)} in self.{one.name} if {names[0]} == x.a"
        join = self.random.choice([f" if {row}.a == x.a", f" if x.b == {row}.a", ""])
        return one.types[position], f"{row}.{column}", f" for {row} in self.{one.name}{join}"

    def _add(self, head: Declared, query: str, operator: str = "<=", kind: str = "rule") -> None:
        self.statements.append(Statement((f"self.{head.name} {operator} {query}",), kind))

    def _columns(self, head: Declared, key: str, values: list[str]) -> str:
        return f"({values[0]},)" if head.kind == "lattice" else f"({', '.join([key, *values])})"

    def _firsts(self, head: Declared) -> list[str]:
        return [self.random.choice(FIRST[sign]) for sign in head.types if sign in FIRST]

    # -- statements

    def first(self) -> None:
        """From plain rows."""
        head = self._head()
        condition = self.random.choice(["", "", " if x.b != 2", " if x.a <= x.b"])
        row = self._columns(head, self.random.choice(["x.a", "x.b"]), self._firsts(head))
        self._add(head, f"({row} for x in self.{self._source(head.level).name}{condition})")

    def recursion(self) -> None:
        """From values of its own level, or below, of the same lattice."""
        head = self._head()
        signs = [sign for sign in head.types if sign in FIRST]
        found = [one for one in self._below(head.level) if signs[0] in one.types]
        if not found:
            return self.first()
        other = head if head in found and self.random.random() < 0.5 else self.random.choice(found)
        sign, value, clause = self._value(other)
        if sign != signs[0]:
            return self.first()
        grown = self.random.choice(GROWN[sign]).replace("V", value)
        row = self._columns(head, self.random.choice(["x.a", "x.b"]), [grown, *self._firsts(head)[1:]])
        guard = f" if {self.random.choice(TRUTH[sign]).replace('V', value)}" if self.random.random() < 0.3 else ""
        self._add(head, f"({row} for x in self.{self._source(head.level).name}{clause}{guard})")
        return None

    def copy(self) -> None:
        """A whole collection, or the value of one."""
        head = self._head()
        found = [one for one in self._below(head.level) if one.types == head.types and one.kind != "lattice" and head.kind != "lattice"]
        if found:
            self._add(head, f"self.{self.random.choice(found).name}", self.random.choice(["<=", "<=", "<+"]))
        found = [one for one in self._below(head.level) if one.kind == head.kind == "lattice" and one.types == head.types]
        if found:
            self._add(head, f"self.{self.random.choice(found).name}{self.random.choice(['', '.value'])}")

    def threshold(self) -> None:
        """A value that has grown so far makes a row."""
        head = self.random.choice(self.rows)
        below = self._below(head.level)
        if below:
            sign, value, clause = self._value(self.random.choice(below))
            truth = self.random.choice(TRUTH[sign]).replace("V", value)
            self._add(head, f"((x.a, x.b) for x in self.{self._source(head.level).name}{clause} if {truth})")

    def elements(self) -> None:
        """The elements of a value as rows."""
        head = self.random.choice(self.rows)
        below = [one for one in self._below(head.level) if set(one.types) & set("SGP")]
        if below:
            sign, value, clause = self._value(self.random.choice(below))
            if sign in "SGP":
                self._add(head, f"((x.a, e) for x in self.{self._source(head.level).name}{clause} for e in {value} if type(e) is int)")

    def measure(self) -> None:
        """How large a value is, as an lmax."""
        heads = [one for one in self.growing if ">" in one.types[-1:] and len(one.types) <= 2]
        if not heads:
            return self.first()
        head = self.random.choice(heads)
        below = [one for one in self._below(head.level) if set(one.types) & set("SGP")]
        if not below:
            return self.first()
        sign, value, clause = self._value(self.random.choice(below))
        if sign in "SGP":
            size = f"min(len({value}), 9)"
            self._add(head, f"({self._columns(head, 'x.a', [size])} for x in self.{self._source(head.level).name}{clause})")
        return None

    def other(self) -> None:
        """A use that is not monotone, of a value that is complete."""
        head = self.random.choice(self.rows)
        below = self._below(head.level, strictly=True)
        if below:
            one = self.random.choice(below)
            sign, value, clause = self._value(one)
            test = self.random.choice(OTHER[sign]).replace("V", value)
            if clause and self.random.random() < 0.3 and value.startswith("y."):
                test = f"not any({self.random.choice(TRUTH[sign]).replace('V', value)}{clause})"
                clause = ""
            self._add(head, f"((x.a, x.b) for x in self.{self._source(head.level).name}{clause} if {test})")

    def plain(self) -> None:
        """A value in an ordinary column."""
        head = self.random.choice(self.rows)
        below = [one for one in self._below(head.level, strictly=True) if one.types[-1] in "<>"]
        if below:
            one = self.random.choice(below)
            if one.kind == "lattice":
                self._add(head, f"((x.a, min(max(self.{one.name}.value, 0), 9)) for x in self.{self._source(head.level).name})")
            else:
                self._add(head, f"((y.a, y.{one.columns[-1]}) for y in self.{one.name})")

    def aggregate(self) -> None:
        """An aggregate of values, or one that goes into a lattice."""
        head = self._head()
        if head.kind != "lattice" and head.types[1:] in ("<", ">") and self.random.random() < 0.5:
            sources = [*self.plain_sources, *(one for one in self.rows if one.level < head.level)]
            self._add(head, f"((x.a, agg.{self.random.choice(['min', 'max', 'sum'])}(x.b)) for x in self.{self.random.choice(sources).name})")
            return
        rows = self.random.choice(self.rows)
        below = [one for one in self._below(rows.level, strictly=True) if one.kind != "lattice" and one.types[-1] in "<>B"]
        if below:
            one = self.random.choice(below)
            function = self.random.choice(["min", "max", "count_distinct"])
            self._add(rows, f"((y.a, int(agg.{function}(y.{one.columns[-1]}))) for y in self.{one.name})")

    def later(self) -> None:
        """A change for the next tick."""
        heads = [one for one in self.growing if one.kind != "lattice" or self.random.random() < 0.3]
        if not heads:
            return
        head = self.random.choice(heads)
        operators = ["<+", "<+", "<-", "<+-"] if head.kind == "table" else ["<+"]
        operator = self.random.choice(operators)
        source = self.random.choice([*self.plain_sources, *self.rows]).name
        if operator == "<-":
            query = self.random.choice([f"(x.a for x in self.{source} if x.b > 2)", f"(y for y in self.{head.name} if y.a > 2)"])
            self._add(head, query, operator)
        else:
            self._add(head, f"({self._columns(head, 'x.a', self._firsts(head))} for x in self.{source} if x.b > 1)", operator)

    def send(self) -> None:
        """A message with a lattice value, or what follows from messages."""
        sign = self.sent.types[-1]
        column = self.sent.columns[-1]
        if self.random.random() < 0.5:
            found = [one for one in self.growing if one.types[-1] == sign and one.kind != "lattice"]
            to = self.random.choice(['"n1"', '"n2"', "self.me"])
            if found:
                one = self.random.choice(found)
                self._add(self.sent, f"(({to}, y.a, y.{one.columns[-1]}) for y in self.{one.name})", "<~")
            else:
                self._add(self.sent, f"(({to}, x.a, {self.random.choice(FIRST[sign])}) for x in self.t0)", "<~")
            return
        heads = [one for one in self.growing if one.types in (f"i{sign}", sign)]
        if heads:
            head = self.random.choice(heads)
            self._add(head, f"({self._columns(head, 'm.b', [f'm.{column}'])} for m in self.c0)")

    def bootstrap(self) -> None:
        """Something in the first tick."""
        head = self._head()
        values = [{"<": "2", ">": "1", "S": "3", "B": "True", "G": "1", "P": "lattice.Map({1: 2})"}[sign] for sign in head.types if sign in FIRST]
        self._add(head, self._columns(head, "1", values), self.random.choice(["<=", "<+"]), "bootstrap")

    def invariant(self) -> None:
        """What must not be."""
        one = self._head()
        sign, value, clause = self._value(one)
        self.statements.append(
            Statement((f"((x.a,) for x in self.t0{clause} if {self.random.choice(TRUTH[sign]).replace('V', value)} if x.a > 3)",), "invariant")
        )
