"""How the contents of each collection come about over a run, as far as order can matter.

A run puts the messages, inputs and timer rows into ticks in some order and grouping, some of them twice. What a collection holds
is then one of these, or several at once where rules of several kinds fill it:

- nothing of the below: it is *constant*, the same in every tick of every run;
- "grows": its rows only become more, up to a set that is the same in every run (the rows of a lattice grow too);
- "changes": rows come and go on the way, but what holds in the end is the same in every run;
- "passes": rows hold for one tick each; in which tick differs from run to run, but not which rows ever hold;
- "repeats": as before, and each row that is due holds again and again, as a timer has it;
- "later": of rows that pass, some come by `<+` or a timer, so a tick that fails because of them cannot be split.

This is so as long as no point of order was found before; `order` finds those. Each is judged as if the others were settled.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from bloompy.analysis.apart import taken_apart
from bloompy.analysis.dependencies import Reference, aggregates, expressions, ranks_rows, references
from bloompy.analysis.functional import bare_columns
from bloompy.ir.nodes import Aggregate, Condition, Expression, Member, Program, Rule, Scan
from bloompy.ir.walk import walk

Trait: TypeAlias = Literal["grows", "changes", "passes", "repeats", "later"]
Nature: TypeAlias = frozenset[Trait]

CONSTANT: Nature = frozenset()
STANDS: Nature = frozenset({"grows", "changes"})
MOVES: Nature = frozenset({"passes", "repeats", "later"})

OUTSIDE = ("channel", "loopback", "stdio", "input", "periodic")
"""Kinds of collections into which rows come from outside at any time."""

SENT = ("channel", "loopback", "stdio")
"""Kinds of collections that `<~` fills."""


@frozen
class Read:
    """One reading of a collection that is not constant.

    Attributes:
        reference: where and how.
        nature: of the collection.
        alone: rows that pass are taken one by one, so that it does not matter which hold in one tick.
    """

    reference: Reference
    nature: Nature
    alone: bool

    @property
    def moves(self) -> bool:
        """Whether it can hold rows of one tick."""
        return bool(self.nature & MOVES)


@define
class Natures:
    """The natures of all collections of a program.

    Attributes:
        program: it.
        changing: tables that are filled from outside at any time, not just before the first tick.
        of: natures by collection.
    """

    program: Program
    changing: Collection[str] = ()
    of: dict[str, Nature] = field(factory=dict)
    _references: dict[int, list[Reference]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.of = {one.name: self._outside(one.name) for one in self.program.collections}
        rules = [rule for rule in self.program.rules if rule.head]
        self._references = {id(rule): references(rule, self.program.schemas) for rule in self.program.rules}
        grown = True
        while grown:
            grown = sum(self._add(rule.head, self.put(rule)) for rule in rules) > 0

    def reads(self, rule: Rule) -> list[Read]:
        """What a rule reads that is not constant."""
        return [
            Read(one, self.of[one.collection], self._alone(rule, one))
            for one in self._references[id(rule)]
            if self.of[one.collection] != CONSTANT
        ]

    def derived(self, rule: Rule) -> Nature:
        """What a rule derives, before its operator is asked."""
        reads = self.reads(rule)
        start: Nature = frozenset({"passes", "later"}) if rule.kind == "bootstrap" else CONSTANT
        nature = start.union(*(read.nature for read in reads))
        if nature & MOVES and not all(read.nature & STANDS for read in reads):  # nothing without something of this tick
            nature -= {"grows"} if "repeats" in nature else STANDS
        if any(read.reference.cause and not read.alone for read in reads) and nature & STANDS:
            nature = nature - {"grows"} | {"changes"}
        return nature

    def put(self, rule: Rule) -> Nature:
        """What a rule makes of the collection that it fills."""
        nature = self.derived(rule)
        head = self.program.by_name[rule.head]
        if head.kind in SENT:
            return CONSTANT  # what arrives is of the outside's nature already
        if head.kind == "table":
            if rule.operator in ("<-", "<+-"):
                return frozenset({"changes"})
            if rule.kind == "bootstrap" and rule.operator == "<=" and not self.reads(rule):
                return CONSTANT
            return frozenset({"grows"}) if nature or rule.operator == "<+" else CONSTANT
        if rule.operator == "<+":
            return nature | {"later"} if nature & MOVES else nature or frozenset({"grows"})
        return nature

    def _outside(self, name: str) -> Nature:
        collection = self.program.by_name[name]
        if name == "dead_letter":
            return frozenset({"changes"})
        if collection.kind == "periodic":
            return frozenset({"repeats", "later"})
        filled = any(rule.head == name and rule.operator != "<~" for rule in self.program.rules)
        if collection.kind in SENT or (collection.kind == "input" and not ("." in name and filled)):
            return frozenset({"passes"})
        return frozenset({"grows"}) if name in self.changing else CONSTANT

    def _add(self, name: str, nature: Nature) -> bool:
        known = self.of[name]
        self.of[name] = known | nature
        return self.of[name] != known

    def _alone(self, rule: Rule, reference: Reference) -> bool:
        """Whether the rows of a reading that pass are taken one by one: it is the only one of its rule, and no two rows come together."""
        if not self.of[reference.collection] & MOVES:
            return False
        others = [one for one in self._references[id(rule)] if self.of[one.collection] != CONSTANT]
        if len(others) != 1:
            return False
        if self.program.schemas[reference.collection].lattices and not splits(rule, reference, self.program):
            return False
        return not reference.cause or (reference.cause == "aggregation" and _grouped_by_row(rule, reference, self.program))


def splits(rule: Rule, reference: Reference, program: Program) -> bool:
    """Whether a rule makes of merged rows what it makes of each, merged: their lattice values go as they are, or element by element."""
    query, schemas = rule.query, program.schemas
    if not reference.scanned:
        conditions = (node for clause in query.body if isinstance(clause, Condition) for node in walk(clause.test))
        return any(isinstance(node, Member) and node.span == reference.span for node in conditions)
    position = next(i for i, one in enumerate(query.body) if isinstance(one, Scan) and one.collection == reference.collection)
    if position in taken_apart(query, schemas):
        return True
    scan = query.body[position]
    assert isinstance(scan, Scan)
    growing = {i for i, _ in schemas[scan.collection].lattices}
    read = sum(_column(node, scan) in growing for node in expressions(query))
    return read == sum(_column(node, scan) in growing for node in query.head)


def _grouped_by_row(rule: Rule, reference: Reference, program: Program) -> bool:
    """Whether a rule aggregates for each row of a scan apart: the whole key stands among what it groups by."""
    if not reference.scanned or not aggregates(rule.query) or ranks_rows(rule.query):
        return False
    scan = next(one for one in rule.query.body if isinstance(one, Scan) and one.collection == reference.collection)
    groups = [one for one in rule.query.head if not any(isinstance(node, Aggregate) for node in walk(one))]
    return bare_columns(groups, scan) >= set(program.schemas[scan.collection].key_indexes)


def _column(node: Expression, scan: Scan) -> int | None:
    """The column of a scan's row that an expression is."""
    return next(iter(bare_columns((node,), scan)), None)
