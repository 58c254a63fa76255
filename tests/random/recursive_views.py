"""Random recursive views: of any monotone form, from the books, and over lattices."""

from __future__ import annotations

from tests.random.programs import Declared
from tests.random.view_queries import Queries, Scope
from tests.random.view_streams import DOMAIN


class Recursions(Queries):
    """Writes components whose views recur through themselves and each other."""

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
        scope = Scope()
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
