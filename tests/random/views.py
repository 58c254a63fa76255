"""Random programs made of views over small tables, and long streams of small changes: what maintenance has to get right.

Where `programs.py` writes every form there is, this family writes what a maintained view can get wrong: rows with several
derivations, views over views, groups that empty, negation over recursion, rows that a deletion takes and another path gives back,
keys that change hands within a tick. Values come from domains of three to five, so that rows collide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from attrs import define, evolve, field

from tests.random.programs import HEADER, Declared, Source, Statement
from tests.random.view_streams import DOMAIN, PRIMES

__all__ = ["DOMAIN", "HEADER", "random_views"]

LATTICES = True
"""Whether there are views whose value columns are lattices."""

ROW_KINDS = ("table", "scratch", "input", "channel")


@define
class _Scope:
    """What a query has bound so far: expressions by type, and row variables with their collections."""

    values: dict[str, list[str]] = field(factory=lambda: {type_: [] for type_ in "isfmno"})
    rows: list[tuple[str, Declared]] = field(factory=list)

    def copied(self, without: str | None = None) -> _Scope:
        """The same, less a name that is bound anew."""
        values = {type_: [one for one in known if one.split(".")[0] != without] for type_, known in self.values.items()}
        return _Scope(values, [(name, declared) for name, declared in self.rows if name != without])

    def add(self, type_: str, text: str) -> None:
        """One more; the value of a lattice column is a plain value to the strata above."""
        self.values[{"<": "i", ">": "i", "B": "i", "S": "o"}.get(type_, type_)].append(text)


def random_views(random: Random) -> Source:
    """A program of tables, views over them, and sometimes rules that feed back."""
    writer = _Writer(random)
    writer.tables()
    for _ in range(random.choice([1, 1, 2, 2, 3, 4, 5])):
        writer.layer()
    if random.random() < 0.45:
        writer.events()
    if random.random() < 0.45:
        for _ in range(random.choice([1, 1, 2])):
            writer.effect()
    return Source(tuple(writer.collections), tuple(writer.statements))


class _Writer:
    """Writes a program layer by layer: what a layer negates or aggregates lies below it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.collections: list[Declared] = []
        self.statements: list[Statement] = []
        self.level = 0
        self.names = 0
        self.feeds_back = False

    # -- declarations

    def tables(self) -> None:
        """Two to four tables that the outside changes: an edge relation, and others of any shape."""
        self._declare("e", "table", "ii", 2)
        shapes = [("ii", 1), ("ii", 2), ("iii", 2), ("iii", 1), ("i", 1), ("is", 1), ("im", 1), ("if", 1), ("iif", 2), ("ii", 0), ("iim", 2), ("in", 1)]
        for number in range(self.random.choice([1, 2, 2, 3])):
            types, keys = self.random.choice(shapes)
            self._declare(f"t{number}", "table", types, keys)

    def _declare(self, name: str, kind: str, types: str, keys: int, level: int | None = None) -> Declared:
        durable = kind == "table" and not set(types) & set("mno") and self.random.random() < 0.3
        made = Declared(name, kind, types, keys, self.level if level is None else level, durable)
        self.collections.append(made)
        return made

    def _view(self, types: str, keys: int | None = None) -> Declared:
        kind = "table" if self.random.random() < 0.06 else "scratch"
        return self._declare(f"v{sum(one.name[0] == 'v' for one in self.collections)}", kind, types, len(types) if keys is None else keys)

    def _add(self, head: Declared, query: str, operator: str = "<=") -> None:
        self.statements.append(Statement((f"self.{head.name} {operator} {query}",)))

    def layer(self) -> None:
        """One view, or a few that recur through each other, over what is below."""
        self.level += 1
        forms: list[tuple[Callable[[], None], float]] = [
            (self._set_view, 4),
            (self._keyed_view, 1.5),
            (self._grouped, 3),
            (self._ranked, 0.8),
            (self._recursive, 2.5),
            (self._classic, 2.5),
            (self._diamond, 0.7),
            (self._negation_of_recent, 1.2),
            (self._lattice, 1.2 if LATTICES else 0),
        ]
        self.random.choices([form for form, _ in forms], [weight for _, weight in forms])[0]()

    # -- choosing

    def _below(self) -> list[Declared]:
        return [one for one in self.collections if one.level < self.level and one.kind in ROW_KINDS]

    def _pick(self, readable: Sequence[Declared], least: str = "") -> Declared | None:
        """A collection with at least some columns of some types; recent ones more often."""
        fit = [one for one in readable if all(one.types.count(type_) >= least.count(type_) for type_ in set(least))]
        if not fit:
            return None
        newest = max(one.level for one in fit)
        return self.random.choices(fit, [3 if one.level == newest else 1 for one in fit])[0]

    def _pair(self, readable: Sequence[Declared]) -> tuple[Declared, str, str]:
        """A binary relation: a collection with two integer columns, and their names."""
        found = self._pick(readable, "ii") or self.collections[0]
        columns = [name for name, type_ in zip(found.columns, found.types, strict=True) if type_ == "i"]
        first, second = self.random.sample(columns, 2) if self.random.random() < 0.3 else columns[:2]
        return found, first, second

    def _fresh(self) -> str:
        self.names += 1
        return f"{'xyzuvwpq'[self.names % 8]}{self.names // 8 or ''}"

    # -- layers

    def _set_view(self) -> None:
        """One to three rules for one set."""
        there = "".join(one.types for one in self._below())
        types = [type_ for type_ in "iiiiiismfn" if type_ in there or self.random.random() < 0.1]
        head = self._view("".join(self.random.choice(types) for _ in range(self.random.choice([1, 1, 2, 2, 2, 3]))))
        for _ in range(self.random.choice([1, 1, 1, 2, 3])):
            self._rule(head, self._below())

    def _keyed_view(self) -> None:
        """A view that is a function of its key, most of the time: sometimes two rules may conflict."""
        source = self._pick([one for one in self._below() if one.keys and set(one.types[: one.keys]) <= {"i", "s"}])
        if source is None:
            self._set_view()
            return
        values = "".join(self.random.choice("iiism") for _ in range(self.random.choice([1, 1, 2])))
        head = self._view(source.types[: source.keys] + values, source.keys)
        for _ in range(1 if self.random.random() < 0.8 else 2):
            scope = _Scope()
            clauses = [self._scan(scope, source, name := self._fresh())]
            if self.random.random() < 0.5:
                clauses.append(f"if {self._condition(scope, self._below(), 2)}")
            keys = [f"{name}.{column}" for column in source.columns[: source.keys]]
            self._add(head, self._brackets(self._row([*keys, *(self._expression(type_, scope, 2) for type_ in values)]), clauses))

    def _rule(self, head: Declared, readable: Sequence[Declared], scans: int | None = None, among: Sequence[Declared] = ()) -> None:
        same = [one for one in among or readable if one.types == head.types and one.keys == len(one.types) and one.kind != "channel"]
        if same and scans is None and self.random.random() < 0.1:
            self._add(head, f"self.{self.random.choice(same).name}")
            return
        scope, clauses = self._body(readable, scans, among)
        columns = [self._expression(type_, scope, 2) for type_ in head.types]
        if len(columns) > 1 and self.random.random() < 0.08:
            self._through_temporary(head, self._brackets(self._row(columns), clauses), readable)
            return
        whole = [name for name, one in scope.rows if one.types == head.types and one.kind != "channel"]
        if whole and self.random.random() < 0.3:
            name = self.random.choice(whole)
            self._add(head, self._brackets(self.random.choice([name, f"(*{name},)"]), clauses))
            return
        if "i" in head.types and self.random.random() < 0.03 and not any("self." in one for one in columns):
            columns[head.types.index("i")] = self._division(scope)
        self._add(head, self._brackets(self._row(columns), clauses))

    def _through_temporary(self, head: Declared, query: str, readable: Sequence[Declared]) -> None:
        """A query by a name, read by one rule or by two."""
        names = [f"m{number}" for number in range(len(head.types))]
        row, target = f"({', '.join(names)})", ", ".join(names)
        scope = _Scope()
        for name, type_ in zip(names, head.types, strict=True):
            scope.values[type_].append(name)
        condition = f" if {self._condition(scope, readable, 1)}" if self.random.random() < 0.5 else ""
        lines = [f"tmp = {query}", f"self.{head.name} <= ({row} for {target} in tmp{condition})"]
        if set(head.types) == {"i"} and self.random.random() < 0.4:
            turned = f"({', '.join(names[::-1])})"
            lines.append(f"self.{head.name} <= ({turned} for {target} in tmp if {self._comparison(scope)})")
        self.statements.append(Statement(tuple(lines)))

    def _division(self, scope: _Scope) -> str:
        """Raises for some rows; which ones a guard or a join lets through is the same for all evaluators.

        It stands alone in its head: whether a row that a lookup beside it drops still raises is left open.
        """
        return f"6 // {self._expression('i', scope, 0)} % {DOMAIN}"

    def _grouped(self) -> None:
        """Groups, whose keys are columns or computed, with one to three aggregates."""
        scope, clauses = self._body(self._below())
        width = self.random.choice([0, 1, 1, 1, 2])
        keys = "".join("s" if self.random.random() < 0.12 and scope.values["s"] else "i" for _ in range(width))
        made = [self._aggregate(scope) for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        values = "".join(type_ for type_, _ in made)
        plain = set(values) <= {"i", "s", "f"}
        head = self._view(keys + values, len(keys + values) if plain and self.random.random() < 0.2 else width)
        group = [self._expression(type_, scope, self.random.choice([1, 1, 2])) for type_ in keys]
        self._add(head, self._brackets(self._row([*group, *(text for _, text in made)]), clauses))

    def _ranked(self) -> None:
        """Positions by one or two orders, with and without partitions."""
        scope, clauses = self._body(self._below(), self.random.choice([1, 1, 2]))
        columns = [self._expression("i", scope, 1) for _ in range(self.random.choice([1, 1, 2]))]
        for _ in range(self.random.choice([1, 1, 2])):
            order = self._expression(self.random.choice("iiisf"), scope, self.random.choice([1, 1, 2]))
            per = self._expression("i", scope, 1)
            partition = self.random.choice(["", "", f", per={per}", f", per=({per}, {self._expression('i', scope, 0)})"])
            columns.append(f"agg.rank({order}{partition})")
        self._add(self._view("i" * len(columns)), self._brackets(self._row(columns), clauses))

    def _diamond(self) -> None:
        """Two views of one collection, and one of both."""
        source = self._below()
        heads = []
        for _ in range(2):
            heads.append(self._view("ii"[: self.random.choice([1, 2])]))
            self._rule(heads[-1], source, 1)
        self.level += 1
        top = self._view("ii"[: self.random.choice([1, 2])])
        scope = _Scope()
        clauses = [self._scan(scope, heads[0])]
        if self.random.random() < 0.5:
            clauses += [self._scan(scope, heads[1]), f"if {self._equality(scope)}"]
        else:
            clauses.append(f"if {self._member(scope, heads[1], self.random.random() < 0.6)}")
        self._add(top, self._brackets(self._row([self._expression("i", scope, 0) for _ in top.types]), clauses))

    def _negation_of_recent(self) -> None:
        """What is in one collection and not in a recent one."""
        below = self._below()
        inner = self._pick([one for one in below if one.level > 0 and one.keys] or [one for one in below if one.keys])
        outer = self._pick([one for one in below if "i" in one.types]) or self.collections[0]
        scope = _Scope()
        clauses = [self._scan(scope, outer)]
        if self.random.random() < 0.3:
            clauses += [self._scan(scope, self._pick(below, "i") or outer)]
        assert inner is not None
        negated = self._member(scope, inner, True) if self.random.random() < 0.5 else self._exists(scope, [inner, *below], "not any", inner)
        head = self._view("i" * self.random.choice([1, 2]))
        self._add(head, self._brackets(self._row([self._expression("i", scope, 0) for _ in head.types]), [*clauses, f"if {negated}"]))

    # -- recursion

    def _recursive(self) -> None:
        """One to three sets that derive each other by rules of any monotone form."""
        below = self._below()
        heads = [self._view("i" * self.random.choice([1, 2, 2])) for _ in range(self.random.choice([1, 1, 2, 2, 3]))]
        for head in heads[: self.random.randint(1, len(heads))]:
            self._rule(head, below, self.random.choice([1, 1, 2]))
        for number, head in enumerate(heads):
            other = heads[number - 1]
            self._rule(head, below, self.random.choice([1, 2, 2]), among=[other])
            if self.random.random() < 0.4:
                self._rule(head, below, 2, among=[self.random.choice(heads), self.random.choice(heads)])

    def _classic(self) -> None:
        """A recursion from the books, over whatever pair of columns."""
        self.random.choice(
            [
                self._closure,
                self._mutual,
                self._same_generation,
                self._names,
                self._depths,
                self._costs,
                self._reached,
                self._into_table,
                self._points_to,
            ]
        )()

    def _closure(self) -> None:
        edge, a, b = self._pair(self._below())
        path = self._view("ii")
        self._add(path, f"((x.{a}, x.{b}) for x in self.{edge.name})")
        scope = _Scope()
        scope.values["i"] += ["x.a", "y.b"]
        guard = f" if {self._condition(scope, self._below(), 1)}" if self.random.random() < 0.25 else ""
        step = self.random.choice(
            [
                f"((x.{a}, y.b) for x in self.{edge.name} for y in self.{path.name} if x.{b} == y.a)",
                f"((y.a, x.{b}) for y in self.{path.name} for x in self.{edge.name} if x.{a} == y.b)",
                f"((x.a, y.b) for x in self.{path.name} for y in self.{path.name} if x.b == y.a{guard})",
                f"((x.a, y.b) for x in self.{path.name} for z in self.{edge.name} for y in self.{path.name} if x.b == z.{a} if z.{b} == y.a)",
            ]
        )
        self._add(path, step)

    def _mutual(self) -> None:
        edge, a, b = self._pair(self._below())
        names = [self._view("ii") for _ in range(self.random.choice([2, 2, 3]))]
        self._add(names[0], f"((x.{a}, x.{b}) for x in self.{edge.name})")
        for number, head in enumerate(names):
            step = names[number - 1].name
            self._add(head, f"((x.{a}, y.b) for x in self.{edge.name} for y in self.{step} if x.{b} == y.a)")

    def _same_generation(self) -> None:
        edge, a, b = self._pair(self._below())
        head = self._view("ii")
        self._add(head, f"((x.{b}, y.{b}) for x in self.{edge.name} for y in self.{edge.name} if x.{a} == y.{a} if x.{b} != y.{b})")
        ends = f"for x in self.{edge.name} for z in self.{head.name} for y in self.{edge.name}"
        self._add(head, f"((x.{b}, y.{b}) {ends} if x.{a} == z.a if z.b == y.{a})")

    def _names(self) -> None:
        """Path names over parent pointers, by key; a cycle not reached from the root derives nothing."""
        parent, a, b = self._parent()
        head = self._view("is", 1)
        self._add(head, self.random.choice(['[(0, "/")]', '[(9, "/")]', f'((x.a, "/") for x in self.{self._pair(self._below())[0].name})']))
        if self.random.random() < 0.7:
            self._add(head, f'((x.{a}, y.b + "/" + str(x.{a})) for x in self.{parent.name} for y in self.{head.name} if x.{b} == y.a)')
        else:
            self._add(head, f'((x.{a}, self.{head.name}[x.{b}].b + "/" + str(x.{a})) for x in self.{parent.name})')

    def _parent(self) -> tuple[Declared, str, str]:
        """A relation whose key is one integer and that has another, with their names."""
        found = self._pick([one for one in self._below() if one.keys == 1 and one.types[0] == "i" and one.kind != "input"], "ii")
        if found is None:
            found = next((one for one in self.collections if one.name == "pa"), None) or self._declare("pa", "table", "ii", 1, 0)
        a, b, *_ = (name for name, type_ in zip(found.columns, found.types, strict=True) if type_ == "i")
        return found, a, b

    def _depths(self) -> None:
        """A number by key, one more than the parent's."""
        parent, a, b = self._parent()
        head = self._view("ii", 1)
        self._add(head, f"((x.{a}, 0) for x in self.{parent.name} if x.{b} not in self.{parent.name})")
        self._add(head, f"((x.{a}, (y.b + 1) % 9) for x in self.{parent.name} for y in self.{head.name} if y.a == x.{b})")

    def _costs(self) -> None:
        """Sums of a path's edges, bounded by a condition, and the least of them a stratum above."""
        edge, a, b = self._pair(self._below())
        weight = self.random.choice(["1", f"1 + x.{b}", f"x.{a}"])
        head = self._view("iii")
        bound = self.random.randint(3, 6)
        self._add(head, f"((x.{a}, x.{b}, {weight}) for x in self.{edge.name})")
        ends = f"for x in self.{edge.name} for y in self.{head.name} if y.a == x.{b} if y.c + {weight} < {bound}"
        self._add(head, f"((x.{a}, y.b, y.c + {weight}) {ends})")
        if self.random.random() < 0.7:
            self.level += 1
            best = self._view("iii", 2)
            self._add(best, f"((x.a, x.b, agg.{self.random.choice(['min', 'max', 'count_distinct'])}(x.c)) for x in self.{head.name})")

    def _reached(self) -> None:
        """Nodes reached from some, by a membership, a semijoin or a lookup."""
        edge, a, b = self._pair(self._below())
        head = self._view("i")
        source = self._pick(self._below(), "i") or edge
        self._rule(head, [source], 1)
        if self.random.random() < 0.3:
            self._add(head, "[(0,)]")
        step = self.random.choice(
            [
                f"((x.{b},) for x in self.{edge.name} if x.{a} in self.{head.name})",
                f"((x.{b},) for x in self.{edge.name} if any(y.a == x.{a} for y in self.{head.name}))",
                f"((x.{b},) for x in self.{edge.name} if x.{a} in self.{head.name} or x.{a} == {self.random.randrange(DOMAIN)})",
                f"((x.{b},) for x in self.{edge.name} for y in self.{head.name} if y.a == x.{a})",
                f"((x.{b},) for x in self.{edge.name} if self.{head.name}[x.{a}].a == x.{a})",
                f"((z,) for x in self.{edge.name} if x.{a} in self.{head.name} for z in (x.{b}, x.{b}))",
            ]
        )
        self._add(head, step)

    def _into_table(self) -> None:
        """A table that rules fill, whose rows the outside deletes while a rule derives them."""
        edge, a, b = self._pair(self._below())
        head = self._declare(f"k{self.level}", "table", "ii", 2)
        self._add(head, f"((x.{a}, x.{b}) for x in self.{edge.name})")
        if self.random.random() < 0.6:
            self._add(head, f"((x.a, y.{b}) for x in self.{head.name} for y in self.{edge.name} if x.b == y.{a})")

    def _points_to(self) -> None:
        """Two relations, one of which decides what the other follows."""
        edge, a, b = self._pair(self._below())
        other, c, d = self._pair(self._below())
        points, alias = self._view("ii"), self._view("ii")
        self._add(points, f"((x.{a}, x.{b}) for x in self.{edge.name})")
        self._add(points, f"((x.a, y.b) for x in self.{alias.name} for y in self.{points.name} if x.b == y.a)")
        ends = f"for x in self.{points.name} for y in self.{points.name} for z in self.{other.name}"
        self._add(alias, f"((x.a, z.{d}) {ends} if x.b == y.b if y.a == z.{c})")

    # -- lattices

    def _lattice(self) -> None:
        """A view, or a table, whose rows of one key merge: recursive by monotone uses of the value, or a plain group."""
        edge, a, b = self._pair(self._below())
        sign = self.random.choice("<<>>SB")
        width = self.random.choice([1, 1, 2])
        kind = "table" if self.random.random() < 0.15 else "scratch"
        head = self._declare(f"w{len(self.collections)}", kind, "ii"[:width] + sign, width)
        value = {"<": f"x.{b} + 1", ">": f"x.{b}", "S": f"x.{b}", "B": f"x.{b} > 1"}[sign]
        keys = [f"x.{a}", f"x.{b}"][:width]
        self._add(head, self._brackets(self._row([*keys, value]), [f"for x in self.{edge.name}"]))
        if self.random.random() < 0.3:
            self._lattice_rule(head, sign)
        if self.random.random() < 0.7:
            grown = {"<": self.random.choice(["y.V + 1", f"y.V + x.{a}", "y.V"]), ">": "y.V", "S": "y.V", "B": "y.V"}[sign]
            grown = grown.replace("V", head.columns[width])
            guard = {"<": " if y.V < 6", ">": " if y.V > 1", "S": "", "B": " if y.V"}[sign].replace("V", head.columns[width])
            guard = guard if self.random.random() < 0.4 else ""
            keys = [f"x.{a}", "y.b"][:width]
            self._add(head, f"({self._row([*keys, grown])} for x in self.{edge.name} for y in self.{head.name} if x.{b} == y.a{guard})")
        if sign in "<>" and self.random.random() < 0.4:
            self.level += 1
            over = self._view("i" * width)
            threshold = f"x.{head.columns[width]} {sign} {self.random.randint(1, 4)}"
            columns = [f"x.{name}" for name in head.columns[:width]]
            self._add(over, self._brackets(self._row(columns), [f"for x in self.{head.name}", f"if {threshold}"]))

    def _lattice_rule(self, head: Declared, sign: str) -> None:
        scope, clauses = self._body(self._below())
        keys = [self._expression("i", scope, 1) for _ in range(head.keys)]
        value = self._expression("i", scope, 1)
        self._add(head, self._brackets(self._row([*keys, f"{value} > 1" if sign == "B" else value]), clauses))

    # -- what comes and goes within a tick, and what changes the next one

    def events(self) -> None:
        """An input or a channel joined with views, into a scratch of its own or one that views fill too."""
        self.level += 1
        event = self._declare("i0", "input", self.random.choice(["i", "ii", "is"]), 1, 0)
        event = self.collections[-1] = evolve(event, keys=len(event.types))
        mixed = [one for one in self.collections if one.name[0] == "v" and set(one.types) <= {"i"} and one.keys == len(one.types)]
        if mixed and self.random.random() < 0.4:
            head, level = self.random.choice(mixed), self.level
            self.level = head.level
            self._rule(head, [event, *self._below()], self.random.choice([1, 2]), among=[event])
            self.level = level
        head = self._view("ii")
        self._rule(head, self._below(), 2, among=[event])
        if self.random.random() < 0.5:
            self._grouped()
        if self.random.random() < 0.3:
            self._negation_of_recent()
        if self.random.random() < 0.2:
            self._recursive()

    def effect(self) -> None:
        """A rule whose right side is for the next tick, a send, or an invariant."""
        self.level += 1
        self.feeds_back = True
        self.random.choice([self._upsert, self._upsert, self._later, self._delete, self._delete, self._send, self._send, self._invariant])()

    def _upsert(self) -> None:
        heads = [one for one in self.collections if one.kind == "table" and 0 < one.keys < len(one.types) and set(one.types) <= set("is")]
        if not heads:
            self._later()
            return
        head = self.random.choice(heads)
        scope = _Scope()
        name = self._fresh()
        clauses = [self._scan(scope, head, name), f"if {self._condition(scope, self._below(), 2)}"]
        keys = [f"{name}.{column}" for column in head.columns[: head.keys]]
        values = [self._closed(type_, scope) for type_ in head.types[head.keys :]]
        self._add(head, self._brackets(self._row([*keys, *values]), clauses), self.random.choice(["<+-", "<+-", "<+-", "<+"]))

    def _later(self) -> None:
        heads = [one for one in self.collections if one.kind in ("table", "scratch") and set(one.types) <= set("is") and one.keys == len(one.types)]
        head = self.random.choice(heads or [self.collections[0]])
        scope, clauses = self._body(self._below(), self.random.choice([1, 1, 2]))
        self._add(head, self._brackets(self._row([self._closed(type_, scope) for type_ in head.types]), clauses), "<+")

    def _delete(self) -> None:
        head = self.random.choice([one for one in self.collections if one.kind == "table"])
        scope, name = _Scope(), self._fresh()
        clauses = [self._scan(scope, head, name), f"if {self._condition(scope, self._below(), 2)}"]
        by_key = 0 < head.keys < len(head.types) and self.random.random() < 0.5
        row = self._row([f"{name}.{column}" for column in head.columns[: head.keys]]) if by_key else name
        self._add(head, self._brackets(row, clauses), "<-")

    def _send(self) -> None:
        if not any(one.name == "c0" for one in self.collections):
            self._declare("c0", "channel", "si", 2, 9)
        head = next(one for one in self.collections if one.name == "c0")
        scope, clauses = self._body(self._below(), self.random.choice([1, 1, 2]))
        address = self.random.choice(['"n1"', '"n2"', f'("n1" if {self._comparison(scope)} else "n2")'])
        self._add(head, self._brackets(self._row([address, self._closed("i", scope)]), clauses), "<~")
        if self.random.random() < 0.3:
            target = self.collections[0]
            self._add(target, "((x.b, x.b) for x in self.c0)", self.random.choice(["<+", "<-"]))

    def _invariant(self) -> None:
        scope, clauses = self._body(self._below(), 1)
        rare = f"if {self._expression('i', scope, 0)} == {self._expression('i', scope, 0)} == {self.random.randrange(DOMAIN)}"
        self.statements.append(Statement((self._brackets(self._row([self._expression("i", scope, 0)]), [*clauses, rare]),), "invariant"))

    def _closed(self, type_: str, scope: _Scope) -> str:
        """An expression whose value lies in the domain, so that what feeds back does not grow."""
        return f"({self._expression(type_, scope, 1)}) % {DOMAIN}" if type_ == "i" else self.random.choice(['"a"', '"b a"', '"c"'])

    # -- queries

    def _brackets(self, row: str, clauses: Sequence[str]) -> str:
        return f"({row} {' '.join(clauses)})"

    @staticmethod
    def _row(columns: Sequence[str]) -> str:
        return f"({', '.join(columns)}{',' if len(columns) == 1 else ''})"

    def _body(self, readable: Sequence[Declared], scans: int | None = None, among: Sequence[Declared] = ()) -> tuple[_Scope, list[str]]:
        """Scans (those of `among` first, last or in between), flat maps, and conditions.

        Conditions that need completeness read what `readable` has below the layer.
        """
        scope, clauses = _Scope(), []
        count = scans if scans is not None else self.random.choice([1, 1, 1, 2, 2, 2, 3])
        chosen: list[Declared] = list(among)
        while len(chosen) < count:
            chosen.append(self._pick(readable) or self.collections[0])
        if count > 1 and not among and self.random.random() < 0.3:
            chosen[1] = chosen[0]  # a self-join
        self.random.shuffle(chosen)
        for number, one in enumerate(chosen):
            clauses.append(self._scan(scope, one))
            if number and self.random.random() < 0.85 and (joined := self._equality(scope)):
                clauses.append(f"if {joined}")
        if self.random.random() < 0.1:
            clauses.append(self._flat_map(scope))
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            clauses.append(f"if {self._condition(scope, readable, 2)}")
        return scope, clauses

    def _scan(self, scope: _Scope, declared: Declared, name: str | None = None) -> str:
        if name is not None or self.random.random() < 0.75:
            name = name or self._fresh()
            scope.rows.append((name, declared))
            for column, type_ in zip(declared.columns, declared.types, strict=True):
                scope.add(type_, f"{name}.{column}")
            return f"for {name} in self.{declared.name}"
        name = self._fresh()
        names = ["_" if self.random.random() < 0.2 else f"{name}{column}" for column in declared.columns]
        for one, type_ in zip(names, declared.types, strict=True):
            if one != "_":
                scope.add(type_, one)
        return f"for {', '.join(names)}{',' if len(names) == 1 else ''} in self.{declared.name}"

    def _flat_map(self, scope: _Scope) -> str:
        name = self._fresh()
        if scope.values["s"] and self.random.random() < 0.8:
            text = self.random.choice(scope.values["s"])
            scope.values["s"].append(name)
            return f"for {name} in {text}.split()"
        pair = [self._expression("i", scope, 0), self._expression("i", scope, self.random.choice([1, 1, 2]))]
        scope.values["i"].append(name)
        return f"for {name} in ({', '.join(pair)})"

    def _equality(self, scope: _Scope) -> str | None:
        """The newest variable joined with an older one."""
        for type_ in self.random.sample("iiismn", 6):
            values = scope.values[type_]
            if len(values) > 1:
                newest = values[-1].split(".")[0]
                mine = [one for one in values if one.split(".")[0] == newest]
                others = [one for one in values if one not in mine]
                if others:
                    return " == ".join(self.random.sample([self.random.choice(mine), self.random.choice(others)], 2))
        return None

    # -- conditions

    def _condition(self, scope: _Scope, readable: Sequence[Declared], depth: int) -> str:
        pick = self.random.random()
        keyed = [one for one in readable if one.keys and set(one.types[: one.keys]) <= {"i", "s"}]
        if pick < 0.25 or depth == 0 or not readable:
            return self._comparison(scope)
        if pick < 0.45 and keyed:
            return self._member(scope, self._pick(keyed), self.random.random() < 0.55)
        if pick < 0.70:
            return self._exists(scope, readable, self.random.choice(["any", "not any", "not any", "all"]))
        if pick < 0.80:
            return f"({self._condition(scope, readable, depth - 1)} or {self._condition(scope, readable, depth - 1)})"
        if pick < 0.84:
            return f"not ({self._condition(scope, readable, depth - 1)})"
        if pick < 0.88:
            return f"{self._condition(scope, readable, depth - 1)} and {self._condition(scope, readable, depth - 1)}"
        if pick < 0.96 and (looked := self._lookup(scope, readable)):
            if self.random.random() < 0.5:
                return f"({self._comparison(scope)} or {looked} > 1)"
            return f"{looked} == {self._expression('i', scope, 0)}"
        if odd := scope.values["m"] + scope.values["n"]:
            return f"{self.random.choice(odd)} is {self.random.choice(['', 'not '])}None"
        return self._comparison(scope)

    def _comparison(self, scope: _Scope) -> str:
        if scope.values["m"] and self.random.random() < 0.2:
            return f"{self.random.choice(scope.values['m'])} {self.random.choice(['==', '!='])} {self.random.randint(0, 1)}"
        left, right = self._two(scope, 1)
        return f"{left} {self.random.choice(['==', '!=', '<', '>', '<=', '>='])} {right}"

    def _member(self, scope: _Scope, declared: Declared | None, negated: bool) -> str:
        if declared is None:
            return self._comparison(scope)
        return f"{self._key(declared, scope)} {'not in' if negated else 'in'} self.{declared.name}"

    def _key(self, declared: Declared, scope: _Scope) -> str:
        whole = [name for name, one in scope.rows if declared.keys > 1 and one.types == declared.types[: declared.keys] and one.kind != "channel"]
        if whole and self.random.random() < 0.3:
            return self.random.choice(whole)
        columns = [self._expression(type_, scope, 2 if self.random.random() < 0.08 else 0) for type_ in declared.types[: declared.keys]]
        return columns[0] if len(columns) == 1 else f"({', '.join(columns)})"

    def _exists(self, scope: _Scope, readable: Sequence[Declared], form: str, first: Declared | None = None) -> str:
        inner = scope.copied()
        shadowed = None
        if scope.rows and self.random.random() < 0.08:
            shadowed = self.random.choice(scope.rows)[0]
            inner = scope.copied(without=shadowed)
        scan = self._scan(inner, first or self._pick(readable) or self.collections[0], shadowed)
        test = self._equality(inner) or self._comparison(inner)
        more = ""
        if self.random.random() < 0.1:
            more = f" {self._flat_map(inner)}"
        if self.random.random() < 0.35:
            more += f" {self._scan(inner, self._pick(readable) or self.collections[0])}"
            more += f" if {self._equality(inner) or self._comparison(inner)}"
        if self.random.random() < 0.25:
            more += f" if {self._condition(inner, readable, self.random.choice([0, 0, 1]))}"
        return f"{form}({test} {scan}{more})"

    # -- expressions

    def _lookup(self, scope: _Scope, readable: Sequence[Declared]) -> str | None:
        """A value of the row of a key, strict or with a default."""
        keyed = [one for one in readable if one.keys and "i" in one.types and set(one.types[: one.keys]) <= {"i", "s"}]
        found = self._pick(keyed)
        if found is None:
            return None
        column = self.random.choice([name for name, type_ in zip(found.columns, found.types, strict=True) if type_ == "i"])
        if self.random.random() < 0.5:
            return f"self.{found.name}[{self._key(found, scope)}].{column}"
        return f"self.{found.name}.get({self._key(found, scope)}, {self._row([self._constant(type_) for type_ in found.types])}).{column}"

    def _expression(self, type_: str, scope: _Scope, depth: int) -> str:
        values = scope.values[type_]
        if values and (depth == 0 or self.random.random() < 0.7):
            return self.random.choice(values)
        if depth == 0 or type_ not in "is":
            return self.random.choice(values) if values else self._constant(type_)
        if type_ == "s":
            return self.random.choice([f'"ab"[{self._expression("i", scope, 0)} % 2]', self._constant("s")])
        a, b = self._two(scope, depth - 1)
        forms = [
            f"({a} + {b}) % {DOMAIN}",
            f"abs({a} - {b})",
            f"max({a}, {b})",
            f"({a} if {self._comparison(_Scope(scope.values)) if depth > 1 else f'{a} > {b}'} else {b})",
            f"self.shift({a})",
            f"int({a} > 1)",
            self._constant("i"),
        ]
        if scope.values["s"]:
            forms.append(f"len({self.random.choice(scope.values['s'])}) % {DOMAIN}")
        if scope.values["o"]:
            forms += [f"len({self.random.choice(scope.values['o'])}) % {DOMAIN}"] * 3
        if depth > 1 and self.random.random() < 0.35:
            below = [one for one in self._below() if one.kind in ("table", "scratch")]
            keyed = [one for one in below if one.keys and set(one.types[: one.keys]) <= {"i", "s"}]
            if keyed and self.random.random() < 0.25:
                return f"({a} if {self._member(scope, self._pick(keyed), self.random.random() < 0.5)} else {b})"
            if looked := self._lookup(scope, below):
                forms = [looked, f"({looked} if {a} > {b} else {b})", f"({a} and {looked})"]
        return self.random.choice(forms)

    def _two(self, scope: _Scope, depth: int) -> tuple[str, str]:
        """Two integers, different as texts."""
        first, second = self._expression("i", scope, depth), self._expression("i", scope, 0)
        others = [one for one in scope.values["i"] if one != first]
        return first, second if second != first else self.random.choice(others) if others else self._constant("i")

    def _constant(self, type_: str) -> str:
        match type_:
            case "i":
                return str(self.random.randrange(DOMAIN))
            case "s":
                return f'"{self.random.choice(["a", "b", "b a b", "a a"])}"'
            case "f":
                return self.random.choice(PRIMES)
            case "<" | ">":
                return str(self.random.randrange(2))
            case "B":
                return self.random.choice(["True", "False"])
            case "m" | "n":
                return self.random.choice(["None", "1", "1.0", "True", "0"])
        return "()"

    def _aggregate(self, scope: _Scope) -> tuple[str, str]:
        """The type of an aggregate's value, and the aggregate."""
        x, y = self._two(scope, self.random.choice([1, 1, 2]))
        s, f, m = (self._expression(type_, scope, 0) for type_ in "sfm")
        n = self._expression("n", scope, 0)
        forms = [
            ("i", "agg.count()"),
            ("i", "agg.count()"),
            ("i", f"agg.count_distinct({self.random.choice([x, s, m])})"),
            ("i", f"agg.sum({x}) % 7"),
            ("i", f"agg.min({x})"),
            ("i", f"agg.max({x})"),
            ("i", f"agg.min({x})"),
            ("i", f"agg.max({x})"),
            ("i", f"int(agg.any({x} > 1))"),
            ("i", f"int(agg.all({x} > 0))"),
            ("i", f"agg.choose({x})"),
            ("i", f"agg.argmin({x}, {y})"),
            ("i", f"agg.argmax({x}, {y})"),
            ("i", f"agg.argmin({x}, ({y}, {s}))"),
            ("i", f"agg.percentile({x}, {self.random.choice([0, 25, 50, 90, 100])})"),
            ("i", f"spread({x})"),
            ("i", f"(agg.max({x}) - agg.min({y})) % 7"),
            ("i", f"len(agg.collect({x})) % 7"),
            ("s", f"agg.min({s})"),
            ("s", f"agg.argmax({s}, {x})"),
            ("f", f"agg.sum({f})"),
            ("n", f"agg.argmax({n}, {x})"),
            ("n", f"agg.{self.random.choice(['min', 'max', 'choose'])}({n})"),
            ("i", f"agg.count_distinct({n})"),
            ("f", f"agg.avg({self.random.choice([x, f])})"),
            ("m", f"agg.max({m})" if self.random.random() < 0.3 else f"agg.argmin({m}, {x})" if self.random.random() < 0.3 else f"agg.max({x})"),
        ]
        if self.level < 3:
            forms += [("o", f"agg.collect({self.random.choice([x, s])})"), ("o", f"agg.collect_set({self.random.choice([x, s, m])})")]
        constants = {one for one, type_ in ((s, "s"), (f, "f"), (m, "m"), (n, "n")) if not scope.values[type_]}
        return self.random.choice([(type_, text) for type_, text in forms if not any(f"({one}" in text for one in constants)])
