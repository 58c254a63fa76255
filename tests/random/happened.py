"""What happened in a run, counted: a campaign that never deleted from a recursive view has shown nothing about that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from attrs import define, field

from bloompy.analysis.dependencies import Reference, references
from bloompy.analysis.strata import strongly_connected
from bloompy.engine.naive import Naive
from bloompy.engine.tick import Batch, Tick
from bloompy.ir.nodes import Aggregate, Program, Rule
from bloompy.ir.walk import walk

REQUIRED = (
    "recursive view lost rows",
    "recursive view lost and gained rows",
    "recursive view kept a row that lost a derivation",
    "view kept a row that lost a derivation",
    "view above a view lost rows",
    "group appeared",
    "group vanished",
    "group changed",
    "negation over recursion gave a row back",
    "negation over recursion took a row",
    "key changed hands in a view",
    "derived table row survived its deletion",
    "rolled back and went on",
    "restarted",
    *(
        f"{function} retracted"
        for function in (
            *("count", "count_distinct", "sum", "avg", "min", "max", "any", "all", "choose", "collect", "collect_set"),
            *("argmin", "argmax", "percentile", "rank", "spread"),
        )
    ),
)
"""What a long campaign over views has to have seen."""


@define
class Happened:
    """Counts what the ticks of one program did, as the naive evaluator tells it.

    Attributes:
        deep: also count the derivations of each row after each tick, which costs as much as the tick.
    """

    evaluator: Naive
    deep: bool = False
    counts: Counter[str] = field(factory=Counter)
    recursive: frozenset[str] = field(init=False)
    rules: dict[str, list[Rule]] = field(init=False)
    derivations: dict[str, Counter[Any]] = field(factory=dict)
    failed: bool = False

    def __attrs_post_init__(self) -> None:
        self.rules = {}
        for rule in self.evaluator.program.rules:
            if rule.operator == "<=" and rule.head:
                self.rules.setdefault(rule.head, []).append(rule)
        self.recursive = frozenset(_recursive(self.evaluator.program))

    def raised(self) -> None:
        """A tick was rolled back."""
        self.failed = True

    def restarted(self, evaluator: Naive) -> None:
        """The node came back with its durable tables."""
        self.evaluator, self.derivations = evaluator, {}
        self.counts["restarted"] += 1

    def committed(self, tick: Tick, batch: Batch) -> None:
        """A tick was committed."""
        if self.failed and tick.touched:
            self.counts["rolled back and went on"] += 1
            self.failed = False
        self.counts.update(set(self._of_changes(tick)))
        self.counts.update(set(self._of_tables(tick, batch)))
        if self.deep:
            self.counts.update(set(self._of_derivations(batch)))

    def _of_changes(self, tick: Tick) -> Iterator[str]:
        for name, gone in tick.deleted.items():
            if name not in self.rules:
                continue
            new = tick.inserted.get(name, ())
            if name in self.recursive:
                yield "recursive view lost rows"
                if new:
                    yield "recursive view lost and gained rows"
            if self._reads(name, lambda one: one.collection in self.rules):
                yield "view above a view lost rows"
            if self._reads(name, lambda one: self._negates(one) and one.collection in tick.inserted):
                yield "negation over recursion took a row"
            schema = self.evaluator.program.by_name[name].schema
            if set(map(schema.key_of, gone)) & set(map(schema.key_of, new)):
                yield "key changed hands in a view"
        for name, new in tick.inserted.items():
            if new and self._reads(name, lambda one: self._negates(one) and one.collection in tick.deleted):
                yield "negation over recursion gave a row back"
        for name in {**tick.inserted, **tick.deleted}:
            yield from self._of_groups(name, tick)

    def _of_groups(self, name: str, tick: Tick) -> Iterator[str]:
        for rule in self.rules.get(name, ()):
            functions = {node.function for one in rule.query.head for node in walk(one) if isinstance(node, Aggregate)}
            if not functions:
                continue
            plain = [i for i, one in enumerate(rule.query.head) if not any(isinstance(node, Aggregate) for node in walk(one))]
            gone, new = ({tuple(row[i] for i in plain) for row in side.get(name, ())} for side in (tick.deleted, tick.inserted))
            if new - gone:
                yield "group appeared"
            if gone - new:
                yield "group vanished"
            if gone & new:
                yield "group changed"
            if gone:
                yield from (f"{function} retracted" for function in functions)

    def _of_tables(self, tick: Tick, batch: Batch) -> Iterator[str]:
        for name, changes in batch.changes.items():
            held = self.evaluator.read(name)
            for key, change in changes.items():
                if name in self.rules and key in held and change.operations[-1][0] == "delete" and held[key] not in tick.inserted.get(name, ()):
                    yield "derived table row survived its deletion"

    def _of_derivations(self, batch: Batch) -> Iterator[str]:
        for name, rules in self.rules.items():
            now: Counter[Any] = Counter()
            for rule in rules:
                if rule.kind != "bootstrap":
                    now.update(self._evaluated(rule, batch))
            for row, count in self.derivations.get(name, {}).items():
                if 0 < now[row] < count:
                    yield "view kept a row that lost a derivation"
                    if name in self.recursive:
                        yield "recursive view kept a row that lost a derivation"
            self.derivations[name] = now

    def _evaluated(self, rule: Rule, batch: Batch) -> Iterable[Any]:
        facts = {one.name: self.evaluator.read(one.name) for one in self.evaluator.program.collections}
        return self.evaluator._queries[id(rule)].rows(facts, batch)

    def _negates(self, reference: Reference) -> bool:
        return reference.collection in self.recursive and not reference.monotone

    def _reads(self, name: str, test: Any) -> bool:
        return any(test(one) for rule in self.rules.get(name, ()) for one in references(rule, self.evaluator.program.schemas))


def _recursive(program: Program) -> Iterator[str]:
    """Collections that depend on themselves within a tick."""
    below: dict[str, list[str]] = {one.name: [] for one in program.collections}
    for rule in program.rules:
        if rule.operator in ("<=", "=") and rule.head:
            below[rule.head] += [one.collection for one in references(rule, program.schemas)]
    for component in strongly_connected(below):
        if len(component) > 1 or component[0] in below[component[0]]:
            yield from component


def missing(counts: Counter[str]) -> list[str]:
    """What a campaign should have seen and has not."""
    return [name for name in REQUIRED if not counts[name]]
