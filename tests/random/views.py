"""Random programs made of views over small tables, and long streams of small changes: what maintenance has to get right.

Where `programs.py` writes every form there is, this family writes what a maintained view can get wrong: rows with several
derivations, views over views, groups that empty, negation over recursion, rows that a deletion takes and another path gives back,
keys that change hands within a tick. Values come from domains of three to five, so that rows collide.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from attrs import evolve

from tests.random.programs import Source, Statement
from tests.random.recursive_views import Recursions
from tests.random.view_queries import Scope
from tests.random.view_streams import DOMAIN


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


class _Writer(Recursions):
    """Writes a program layer by layer: what a layer negates or aggregates lies below it."""

    def tables(self) -> None:
        """Two to four tables that the outside changes: an edge relation, and others of any shape."""
        self._declare("e", "table", "ii", 2)
        shapes = [("ii", 1), ("ii", 2), ("iii", 2), ("iii", 1), ("i", 1), ("is", 1), ("im", 1), ("if", 1), ("iif", 2), ("ii", 0), ("iim", 2), ("in", 1)]
        for number in range(self.random.choice([1, 2, 2, 3])):
            types, keys = self.random.choice(shapes)
            self._declare(f"t{number}", "table", types, keys)

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
            (self._lattice, 1.2),
        ]
        self.random.choices([form for form, _ in forms], [weight for _, weight in forms])[0]()

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
            scope = Scope()
            clauses = [self._scan(scope, source, name := self._fresh())]
            if self.random.random() < 0.5:
                clauses.append(f"if {self._condition(scope, self._below(), 2)}")
            keys = [f"{name}.{column}" for column in source.columns[: source.keys]]
            self._add(head, self._brackets(self._row([*keys, *(self._expression(type_, scope, 2) for type_ in values)]), clauses))

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
        scope = Scope()
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
        scope = Scope()
        clauses = [self._scan(scope, outer)]
        if self.random.random() < 0.3:
            clauses += [self._scan(scope, self._pick(below, "i") or outer)]
        assert inner is not None
        negated = self._member(scope, inner, True) if self.random.random() < 0.5 else self._exists(scope, [inner, *below], "not any", inner)
        head = self._view("i" * self.random.choice([1, 2]))
        self._add(head, self._brackets(self._row([self._expression("i", scope, 0) for _ in head.types]), [*clauses, f"if {negated}"]))

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
        self.random.choice([self._upsert, self._upsert, self._later, self._delete, self._delete, self._send, self._send, self._invariant])()

    def _upsert(self) -> None:
        heads = [one for one in self.collections if one.kind == "table" and 0 < one.keys < len(one.types) and set(one.types) <= set("is")]
        if not heads:
            self._later()
            return
        head = self.random.choice(heads)
        scope = Scope()
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
        scope, name = Scope(), self._fresh()
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

    def _closed(self, type_: str, scope: Scope) -> str:
        """An expression whose value lies in the domain, so that what feeds back does not grow."""
        return f"({self._expression(type_, scope, 1)}) % {DOMAIN}" if type_ == "i" else self.random.choice(['"a"', '"b a"', '"c"'])
