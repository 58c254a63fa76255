"""Random queries over the collections of a program: scans, joins, conditions, expressions, aggregates."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from attrs import define, field

from tests.random.programs import Declared, Statement
from tests.random.view_streams import DOMAIN, PRIMES

ROW_KINDS = ("table", "scratch", "input", "channel")


@define
class Scope:
    """What a query has bound so far: expressions by type, and row variables with their collections."""

    values: dict[str, list[str]] = field(factory=lambda: {type_: [] for type_ in "isfmno"})
    rows: list[tuple[str, Declared]] = field(factory=list)

    def copied(self, without: str | None = None) -> Scope:
        """The same, less a name that is bound anew."""
        values = {type_: [one for one in known if one.split(".")[0] != without] for type_, known in self.values.items()}
        return Scope(values, [(name, declared) for name, declared in self.rows if name != without])

    def add(self, type_: str, text: str) -> None:
        """One more; the value of a lattice column is a plain value to the strata above."""
        self.values[{"<": "i", ">": "i", "B": "i", "S": "o"}.get(type_, type_)].append(text)


class Queries:
    """Writes queries and rules; what a rule negates or aggregates lies below its head's level."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.collections: list[Declared] = []
        self.statements: list[Statement] = []
        self.level = 0
        self.names = 0

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

    # -- rules

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
        scope = Scope()
        for name, type_ in zip(names, head.types, strict=True):
            scope.values[type_].append(name)
        condition = f" if {self._condition(scope, readable, 1)}" if self.random.random() < 0.5 else ""
        lines = [f"tmp = {query}", f"self.{head.name} <= ({row} for {target} in tmp{condition})"]
        if set(head.types) == {"i"} and self.random.random() < 0.4:
            turned = f"({', '.join(names[::-1])})"
            lines.append(f"self.{head.name} <= ({turned} for {target} in tmp if {self._comparison(scope)})")
        self.statements.append(Statement(tuple(lines)))

    def _division(self, scope: Scope) -> str:
        """Raises for some rows; which ones a guard or a join lets through is the same for all evaluators.

        It stands alone in its head: whether a row that a lookup beside it drops still raises is left open.
        """
        return f"6 // {self._expression('i', scope, 0)} % {DOMAIN}"

    # -- queries

    def _brackets(self, row: str, clauses: Sequence[str]) -> str:
        return f"({row} {' '.join(clauses)})"

    @staticmethod
    def _row(columns: Sequence[str]) -> str:
        return f"({', '.join(columns)}{',' if len(columns) == 1 else ''})"

    def _body(self, readable: Sequence[Declared], scans: int | None = None, among: Sequence[Declared] = ()) -> tuple[Scope, list[str]]:
        """Scans (those of `among` first, last or in between), flat maps, and conditions.

        Conditions that need completeness read what `readable` has below the layer.
        """
        scope, clauses = Scope(), []
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

    def _scan(self, scope: Scope, declared: Declared, name: str | None = None) -> str:
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

    def _flat_map(self, scope: Scope) -> str:
        name = self._fresh()
        if scope.values["s"] and self.random.random() < 0.8:
            text = self.random.choice(scope.values["s"])
            scope.values["s"].append(name)
            return f"for {name} in {text}.split()"
        pair = [self._expression("i", scope, 0), self._expression("i", scope, self.random.choice([1, 1, 2]))]
        scope.values["i"].append(name)
        return f"for {name} in ({', '.join(pair)})"

    def _equality(self, scope: Scope) -> str | None:
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

    def _condition(self, scope: Scope, readable: Sequence[Declared], depth: int) -> str:
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

    def _comparison(self, scope: Scope) -> str:
        if scope.values["m"] and self.random.random() < 0.2:
            return f"{self.random.choice(scope.values['m'])} {self.random.choice(['==', '!='])} {self.random.randint(0, 1)}"
        left, right = self._two(scope, 1)
        return f"{left} {self.random.choice(['==', '!=', '<', '>', '<=', '>='])} {right}"

    def _member(self, scope: Scope, declared: Declared | None, negated: bool) -> str:
        if declared is None:
            return self._comparison(scope)
        return f"{self._key(declared, scope)} {'not in' if negated else 'in'} self.{declared.name}"

    def _key(self, declared: Declared, scope: Scope) -> str:
        whole = [name for name, one in scope.rows if declared.keys > 1 and one.types == declared.types[: declared.keys] and one.kind != "channel"]
        if whole and self.random.random() < 0.3:
            return self.random.choice(whole)
        columns = [self._expression(type_, scope, 2 if self.random.random() < 0.08 else 0) for type_ in declared.types[: declared.keys]]
        return columns[0] if len(columns) == 1 else f"({', '.join(columns)})"

    def _exists(self, scope: Scope, readable: Sequence[Declared], form: str, first: Declared | None = None) -> str:
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

    def _lookup(self, scope: Scope, readable: Sequence[Declared]) -> str | None:
        """A value of the row of a key, strict or with a default."""
        keyed = [one for one in readable if one.keys and "i" in one.types and set(one.types[: one.keys]) <= {"i", "s"}]
        found = self._pick(keyed)
        if found is None:
            return None
        column = self.random.choice([name for name, type_ in zip(found.columns, found.types, strict=True) if type_ == "i"])
        if self.random.random() < 0.5:
            return f"self.{found.name}[{self._key(found, scope)}].{column}"
        return f"self.{found.name}.get({self._key(found, scope)}, {self._row([self._constant(type_) for type_ in found.types])}).{column}"

    def _expression(self, type_: str, scope: Scope, depth: int) -> str:
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
            f"({a} if {self._comparison(Scope(scope.values)) if depth > 1 else f'{a} > {b}'} else {b})",
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

    def _two(self, scope: Scope, depth: int) -> tuple[str, str]:
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

    def _aggregate(self, scope: Scope) -> tuple[str, str]:
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
