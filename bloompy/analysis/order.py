"""Points of order: where the order, the grouping or the repetition of what comes from outside can show (CALM).

After "Consistency without borders" (Conway et al., SoCC 2012), "Consistency analysis in Bloom" (Alvaro et al., CIDR 2011) and
Blazes (Alvaro et al., ICDE 2014). A program without a point of order is confluent: what its tables hold in the end, and which
messages it sends, follows from which messages come, however they are ordered, grouped into ticks and repeated. `docs/calm.md`
says what that assumes and where the analysis is cautious.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal, TypeAlias, get_args

from attrs import evolve, field, frozen

from bloompy.analysis.dependencies import expressions
from bloompy.analysis.functional import ambiguous, apart
from bloompy.analysis.monotonicity import Obstruction, aggregate_span, clocks
from bloompy.analysis.natures import CONSTANT, MOVES, OUTSIDE, SENT, STANDS, Natures, Read, splits
from bloompy.ir.nodes import Field, Get, Lookup, Program, RowVariable, Rule, Scan
from bloompy.span import Span

Kind: TypeAlias = Obstruction | Literal["meeting", "merging", "key"]
KINDS: tuple[str, ...] = (*get_args(Obstruction), "meeting", "merging", "key")


@frozen
class Step:
    """One step of the way from the outside: a collection, and the rule that filled it (None for what comes from outside)."""

    collection: str
    rule: Rule | None = None


Way: TypeAlias = tuple[Step, ...]


@frozen
class Point:
    """A point of order.

    Attributes:
        kind: one of KINDS. "meeting": a row that holds for one tick is joined with what changes; "merging": lattice values of
            one key come together if they come in one tick; "key": different rows of one key are a KeyConflict, so the first stays;
            the others as in `Obstacle`.
        rule: where.
        collection: what had to be complete or settled first.
        span: the place in the rule.
        way: how something from outside comes to the collection.
        mover: of a meeting, what holds for one tick only; together: the collection's rows do as well.
        other: of a "key", another rule that fills the collection, if two rules can differ.
        seen: the rules by which a state on the way is kept or sent, where the rule itself does neither.
    """

    kind: Kind
    rule: Rule
    collection: str
    span: Span
    way: Way = ()
    mover: str = ""
    together: bool = False
    other: Rule | None = None
    seen: tuple[Rule, ...] = ()


@frozen
class Order:
    """What was found about a program.

    Attributes:
        natures: of its collections.
        points: in the order of the program's rules.
    """

    natures: Natures
    points: tuple[Point, ...]


def order(program: Program, changing: Collection[str] = ()) -> Order:
    """Find the points of order of a program.

    Args:
        program: it.
        changing: tables into which rows are inserted from outside at any time; of others this is taken to be over before the first
            message comes.
    """
    finder = _Finder(program, Natures(program, changing))
    return Order(finder.natures, tuple(finder.points()))


@frozen
class _Finder:
    program: Program
    natures: Natures
    _fills: dict[str, list[Rule]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for rule in self.program.rules:
            if rule.head and rule.operator != "<~":
                self._fills.setdefault(rule.head, []).append(rule)

    def points(self) -> Iterator[Point]:
        """All points, rule by rule."""
        latent = {id(rule): list(self.latent(rule)) for rule in self.program.rules if rule.head}
        seen = self.seen(latent)
        for rule in self.program.rules:
            if rule.head:
                yield from self.at_once(rule)
                for i, one in enumerate(latent[id(rule)]):
                    if (id(rule), i) in seen:
                        yield evolve(one, seen=tuple(seen[id(rule), i]))
                yield from self.keys(rule)

    # -- what matters at once

    def at_once(self, rule: Rule) -> Iterator[Point]:
        """Points of a rule whose results are seen in whatever state they are."""
        reads = self.natures.reads(rule)
        for clock in clocks(rule, self.program):
            yield Point("clock", rule, clock.collection, clock.span)
        if rule.operator == "<-":
            if not self.buries(rule, reads):
                yield Point("deletion", rule, rule.head, _head(rule), self.way_of(rule))
        elif rule.operator == "<+-":
            if reads or self.others(rule):
                yield Point("replacement", rule, rule.head, _head(rule), self.way_of(rule))
        elif self.moves(rule, reads):
            yield from _once(self.of_moving(rule, reads))

    def moves(self, rule: Rule, reads: Iterable[Read]) -> bool:
        """Whether a rule needs something of the tick."""
        return rule.kind == "bootstrap" or any(read.moves for read in reads)

    def of_moving(self, rule: Rule, reads: list[Read]) -> Iterator[Point]:
        """Points of a rule that needs something of the tick."""
        movers = [read for read in reads if read.moves and not read.reference.cause]
        first = next(iter(movers), None)
        for read in reads:
            name, cause = read.reference.collection, read.reference.cause
            if read.alone or (read is first and len(reads) > 1 and rule.kind != "bootstrap"):
                continue
            if cause:
                yield Point(cause, rule, name, self.place(rule, read), self.way(name))
            elif len(reads) == 1 and rule.kind != "bootstrap":
                yield Point("merging", rule, name, read.reference.span, self.way(name))
            elif not (len(movers) == 1 and self.only_repeats(rule, read, movers[0])):
                mover = first.reference.collection if first is not None and first is not read else ""
                yield Point("meeting", rule, name, read.reference.span, self.way(name), mover, read.moves)
        if first is not None and len(reads) > 1 and not self.goes_apart(rule, first):
            yield Point("merging", rule, first.reference.collection, first.reference.span, self.way(first.reference.collection))

    def only_repeats(self, rule: Rule, read: Read, mover: Read) -> bool:
        """Whether what meets what stands comes again and again, so that nothing is missed."""
        return rule.kind != "bootstrap" and "passes" not in mover.nature and not read.moves

    def goes_apart(self, rule: Rule, read: Read) -> bool:
        """Whether rows that merge in a tick do so after the rule as well."""
        return not self.program.schemas[read.reference.collection].lattices or splits(rule, read.reference, self.program)

    def place(self, rule: Rule, read: Read) -> Span:
        """Where a rule reads non-monotonically."""
        found = aggregate_span(rule.query) if read.reference.cause == "aggregation" else None
        return found or read.reference.span

    # -- deletion

    def buries(self, rule: Rule, reads: list[Read]) -> bool:
        """Whether a deletion has the same end in any order: what tells of it stays, so that what comes late is deleted as well."""
        own = [read for read in reads if read.reference.collection == rule.head]
        rest = [read for read in reads if read.reference.collection != rule.head]
        alone = len(own) <= 1 and all(not read.reference.cause for read in own)
        stays = all(read.nature == {"grows"} and not read.reference.cause for read in rest)
        return alone and stays and rule.kind != "bootstrap" and not any(clocks(rule, self.program)) and not _by_value(rule, self.program)

    def others(self, rule: Rule) -> bool:
        """Whether other rules put something into the collection that one fills."""
        return any(one is not rule and self.natures.derived(one) != CONSTANT for one in self._fills[rule.head])

    # -- what matters only if a state on the way is seen

    def latent(self, rule: Rule) -> Iterator[Point]:
        """Points that matter where what follows is kept or sent, since what follows becomes right in the end."""
        reads = self.natures.reads(rule)
        if rule.operator == "<-":
            if self.buries(rule, reads):
                yield Point("deletion", rule, rule.head, _head(rule), self.way_of(rule))
        elif rule.operator != "<+-" and not self.moves(rule, reads):
            yield from _once(
                Point(read.reference.cause, rule, read.reference.collection, self.place(rule, read), self.way(read.reference.collection))
                for read in reads
                if read.reference.cause
            )

    def seen(self, latent: Mapping[int, list[Point]]) -> dict[tuple[int, int], list[Rule]]:
        """By rule and number of a latent point, the rules that keep or send a state on the way."""
        found: dict[tuple[int, int], list[Rule]] = {}
        for rule in self.program.rules:
            for i, _ in enumerate(latent.get(id(rule), ())):
                keeps = rule.operator != "<-" and self.keeps(rule)
                keepers = [rule] if keeps else list(self.keepers(rule.head))
                if keepers:
                    found[id(rule), i] = keepers
        return found

    def keepers(self, start: str) -> Iterator[Rule]:
        """The rules that keep or send what they find in a collection, or in what follows from it alone."""
        reached, queue = {start}, [start]
        for name in queue:
            for rule in self.program.rules:
                if not rule.head or not any(read.reference.collection == name for read in self.natures.reads(rule)):
                    continue
                if rule.operator in ("<-", "<+-") or self.misses(rule):
                    continue  # a point itself, or a deletion that buries
                if self.keeps(rule):
                    yield rule
                elif rule.head not in reached:
                    reached.add(rule.head)
                    queue.append(rule.head)

    def misses(self, rule: Rule) -> bool:
        """Whether a rule is a point because a row that passes meets others."""
        reads = self.natures.reads(rule)
        return len(reads) > 1 and any("passes" in read.nature for read in reads)

    def keeps(self, rule: Rule) -> bool:
        """Whether what a rule derives stays when its cause goes, or is sent, or seen outside."""
        kind = self.program.by_name[rule.head].kind
        return kind in ("table", *SENT) or (kind == "output" and "." not in rule.head)

    # -- keys

    def keys(self, rule: Rule) -> Iterator[Point]:
        """Whether a rule, or it and an earlier one, may give one key different rows at different times."""
        schema, name = self.program.schemas[rule.head], rule.head
        kind = self.program.by_name[name].kind
        if schema.all_key or schema.lattices or kind in OUTSIDE or rule.operator in ("<-", "<+-") or not self.conflicts(name):
            return
        nature = self.natures.derived(rule)
        if nature != CONSTANT and (span := ambiguous(rule, self.program, lambda read: self.determines(read, kind == "table"))):
            yield Point("key", rule, name, span, self.way_of(rule))
            return
        for other in self._fills[name]:
            if other is rule:
                return
            differ = other.operator not in ("<-", "<+-") and not apart(rule, other, self.program)
            if differ and (nature != CONSTANT or self.natures.derived(other) != CONSTANT):
                yield Point("key", rule, name, _head(rule), self.way_of(rule) or self.way_of(other), other=other)
                return

    def conflicts(self, name: str) -> bool:
        """Whether a conflict in a collection can be more than that of two messages in one tick, which a node takes apart."""
        if self.program.by_name[name].kind == "table":
            return True
        nature = self.natures.of[name]
        return bool(nature & STANDS) or "later" in nature

    def determines(self, name: str, for_ever: bool) -> bool:
        """Whether a key of a collection has one row, in one tick or for ever."""
        return not for_ever or self.natures.of[name] <= {"grows"} or self.program.schemas[name].all_key

    # -- ways

    def way_of(self, rule: Rule) -> Way:
        """How something from outside drives a rule."""
        reads = self.natures.reads(rule)
        ordered = [*(read for read in reads if read.moves), *reads]
        return next((way for read in ordered if (way := self.way(read.reference.collection))), ())

    def way(self, name: str) -> Way:
        """The shortest way from the outside to a collection, by rules that are not constant."""
        before: dict[str, tuple[str, Rule] | None] = {name: None}
        queue = [name]
        for one in queue:
            if self.program.by_name[one].kind in OUTSIDE and self.natures.of[one] & MOVES and not self._filled_inside(one):
                return self._steps(one, before)
            if one in self.natures.changing:
                return self._steps(one, before)
            for rule in self._fills.get(one, ()):
                for read in self.natures.reads(rule):
                    if read.reference.collection not in before:
                        before[read.reference.collection] = (one, rule)
                        queue.append(read.reference.collection)
        return ()

    def _filled_inside(self, name: str) -> bool:
        return name in self._fills and self.program.by_name[name].kind == "input"

    def _steps(self, start: str, before: Mapping[str, tuple[str, Rule] | None]) -> Way:
        steps = [Step(start)]
        following = before[start]
        while following is not None:
            steps.append(Step(*following))
            following = before[following[0]]
        return tuple(steps)


def _by_value(rule: Rule, program: Program) -> bool:
    """Whether a deletion depends on lattice values of what it deletes: a row deleted for its value begins again at a lower one."""
    schema = program.schemas[rule.head]
    if not schema.lattices:
        return False
    values = {position for position, _ in schema.lattices}
    scans = [clause for clause in rule.query.body if isinstance(clause, Scan) and clause.collection == rule.head]
    unpacked = any(isinstance(scan.target, tuple) and any(scan.target[i] != "_" for i in values) for scan in scans)
    nodes = list(expressions(rule.query))
    rows = [node for node in nodes if isinstance(node, RowVariable) and node.collection == rule.head]
    columns = [node.index for node in nodes if isinstance(node, Field) and node.row in rows]
    sought = any(isinstance(node, Lookup | Get) and node.collection == rule.head for node in nodes)
    return not rule.by_key or unpacked or sought or not values.isdisjoint(columns) or len(columns) < len(rows)


def _head(rule: Rule) -> Span:
    """The left side of a statement, with its operator."""
    end = rule.span.text.encode().find(rule.operator.encode(), rule.span.column)
    return evolve(rule.span, end_line=rule.span.line, end_column=end + len(rule.operator)) if end >= 0 else rule.span


def _once(points: Iterable[Point]) -> Iterator[Point]:
    """One for each kind and collection."""
    known = set()
    for one in points:
        if (one.kind, one.collection) not in known:
            known.add((one.kind, one.collection))
            yield one
