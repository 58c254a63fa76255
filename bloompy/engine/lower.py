"""From a program to rules that only derive: every statement becomes `relation <= query` over relations of known lifetime.

- The right sides of `<+ <- <+-`, the rows of `<~` and of invariants become relations of their own that nothing reads.
- A rule counts as standing or transient (design §3.5). A scratch fed by both is split: `name!` holds its standing rows,
  `name` those and the transient ones. A standing rule that reads such a scratch is copied: one copy reads `name!` and
  derives standing rows, the other is driven by the transient rows of `name`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs
from attrs import frozen

from bloompy.analysis.dependencies import Reference, aggregates, reads_tick, references
from bloompy.analysis.strata import strongly_connected
from bloompy.engine.desugar import desugared
from bloompy.engine.relation import Kind
from bloompy.ir.nodes import Collection, Program, Rule, Scan, Select, Variable
from bloompy.ir.rewrite import rebuild
from bloompy.ir.walk import head_names
from bloompy.schema import Column, Schema, schema_of

TICK = "·tick"
"""A transient relation with one row in every tick: drives transient rules that nothing else does."""
START = "·start"
"""A transient relation with one row in the first tick: drives bootstrap rules."""

_EVENTS = ("channel", "loopback", "periodic", "stdio")


@frozen
class Derivation:
    """One derivation rule.

    Attributes:
        rule: the statement it comes from.
        head: the relation that it fills.
        query: what it evaluates.
        standing: whether what it derives stands.
        references: what the query reads.
        overlays: of the transient copy of a standing rule, the relations whose transient rows drive it.
        aggregates: whether the head aggregates.
        counted: whether the head is a standing view without recursion, which counts the derivations of each row.
    """

    rule: Rule
    head: str
    query: Select
    standing: bool
    references: tuple[Reference, ...]
    overlays: frozenset[str] = frozenset()
    aggregates: bool = False
    counted: bool = False


@frozen
class Declared:
    """A relation to be made.

    Attributes:
        schema: the columns; rows of a check are checked against it before they are inserted.
        collection: the collection it shows to users, where it does.
        checked: whether derived rows are checked (channels and durable tables).
    """

    name: str
    kind: Kind
    schema: Schema
    collection: str | None = None
    checked: bool = False


@frozen
class Component:
    """Relations that depend on each other, with the rules that fill them."""

    relations: tuple[str, ...]
    derivations: tuple[Derivation, ...]

    @cached_property
    def recursive(self) -> bool:
        """Whether a relation of it is derived from one of it."""
        return any(name in self.relations for name in self.inputs)

    @cached_property
    def inputs(self) -> Iterable[str]:
        """Relations that its rules read."""
        return dict.fromkeys(reference.collection for one in self.derivations for reference in one.references)


@frozen
class Lowered:
    """A program ready to be planned.

    Attributes:
        relations: by name.
        components: in the order of evaluation.
        pending: for each target of `<+ <- <+-`, the rules with the relations of their right sides.
        sends: for each channel and rule that sends on it, the relations of its standing and of its transient rows
            (None where there are none).
        invariants: each with the relations that must stay empty.
    """

    relations: Mapping[str, Declared]
    components: tuple[Component, ...]
    pending: Mapping[str, tuple[tuple[Rule, tuple[str, ...]], ...]]
    sends: Mapping[str, tuple[tuple[str | None, str | None], ...]]
    invariants: tuple[tuple[Rule, tuple[str, ...]], ...]


def lower(program: Program, staged: frozenset[str], debug: bool) -> Lowered:
    """Lower a program.

    Args:
        program: it.
        staged: scratches that receive rows from outside although rules fill them.
        debug: check the rows of all relations.
    """
    return _Lowering(program, staged, debug).lowered()


@frozen
class _Head:
    """Where a rule's rows go: a base name for the relation, and what it shows."""

    name: str
    schema: Schema
    table: bool
    collection: str | None
    checked: bool


class _Lowering:
    def __init__(self, program: Program, staged: frozenset[str], debug: bool) -> None:
        self.program, self.staged, self.debug = program, staged, debug
        self.schemas = {collection.name: collection.schema for collection in program.collections}
        self.rules = [self._driven(rule) for rule in program.rules]
        self.heads = [self._head(i, rule) for i, rule in enumerate(self.rules)]
        self.references = [tuple(references(rule, self.schemas)) for rule in self.rules]
        self.stands: dict[str, bool] = {}
        self.passes: dict[str, bool] = {}

    def lowered(self) -> Lowered:
        self._classify()
        derivations = [one for i in range(len(self.rules)) for one in self._derivations(i)]
        relations = {one.name: one for one in self._relations()}
        derivations += self._copies(relations)
        components = tuple(
            component if component.recursive else _counting(component, relations[component.relations[0]])
            for component in _connected(relations, derivations)
            if component.derivations
        )
        return Lowered(relations, components, self._pending(), self._sends(), self._invariants())

    # -- heads

    def _head(self, number: int, rule: Rule) -> _Head:
        if rule.kind == "invariant":
            return self._sink(f"·invariant {number}", rule, None)
        collection = self.program.by_name[rule.head]
        if rule.operator in ("<=", "="):
            table = collection.kind == "table"
            checked = self.debug or collection.durable
            return _Head(rule.head, collection.schema, table, rule.head, checked)
        if rule.operator == "<~":
            return self._sink(f"·send {number}", rule, collection)
        if collection.durable or self.debug:
            return self._sink(f"·pending {number}", rule, collection)
        head = self._sink(f"·pending {number}", rule, None)
        return self._lifting(head, collection) if collection.schema.lattices and rule.operator != "<-" else head

    @staticmethod
    def _sink(name: str, rule: Rule, collection: Collection | None) -> _Head:
        """A relation that holds a set of rows and nothing reads."""
        width = len(rule.query.head)
        plain = schema_of([Column(name) for name in head_names(rule.query)])
        checked = collection is not None and width == collection.schema.width
        if collection is not None and checked:
            columns = [attrs.evolve(column, key=True) for column in collection.schema.columns]
            plain = Schema(tuple(columns), collection.schema.row)
        return _Head(name, plain, False, None, checked)

    @staticmethod
    def _lifting(head: _Head, collection: Collection) -> _Head:
        """A sink whose rows get values of lattices where they merge later, and are not checked otherwise."""
        return attrs.evolve(head, schema=all_key(collection.schema, False), checked=True)

    def _driven(self, rule: Rule) -> Rule:
        """Bootstrap rules are driven by the first tick; key lookups become joins."""
        query = desugared(rule.query, self.schemas)
        if rule.kind == "bootstrap":
            query = attrs.evolve(query, body=(Scan("_", START), *query.body))
        return attrs.evolve(rule, query=query)

    # -- standing and transient

    def _classify(self) -> None:
        filled: dict[str, list[int]] = {}
        for i, head in enumerate(self.heads):
            filled.setdefault(head.name, []).append(i)
        tables = {collection.name for collection in self.program.collections if collection.kind == "table"}
        pending = {rule.head for rule in self.rules if rule.operator in ("<+",)} - tables
        for collection in self.program.collections:
            name = collection.name
            event = collection.kind in _EVENTS or (name not in filled and name not in tables)
            self.stands[name] = name in tables
            self.passes[name] = event or ((name in pending or name in self.staged) and name not in tables)
        self.stands[START], self.passes[START] = False, True
        self.stands[TICK], self.passes[TICK] = False, True
        for head in self.heads:
            self.stands.setdefault(head.name, False)
            self.passes.setdefault(head.name, False)
        below = {
            name: [reference.collection for i in filled.get(name, ()) for reference in self.references[i]] for name in self.stands
        }
        for component in strongly_connected(below):
            self._classify_component([i for name in component if name not in tables for i in filled.get(name, ())])

    def _classify_component(self, rules: list[int]) -> None:
        """Which relations may hold transient rows, then which may hold standing ones: both as least fixpoints."""
        names = dict.fromkeys(self.heads[i].name for i in rules)
        while found := [name for name in names if not self.passes[name] and self._any(self._can_pass, rules, name)]:
            self.passes.update(dict.fromkeys(found, True))
        while found := [name for name in names if not self.stands[name] and self._any(self._can_stand, rules, name)]:
            self.stands.update(dict.fromkeys(found, True))

    def _any(self, test: Callable[[int], bool], rules: list[int], name: str) -> bool:
        return any(test(i) for i in rules if self.heads[i].name == name)

    def _can_stand(self, i: int) -> bool:
        """Whether a rule derives rows from standing rows alone."""
        if reads_tick(self.rules[i]):
            return False
        return all(
            not self.passes[reference.collection] or (reference.monotone and self.stands[reference.collection])
            for reference in self.references[i]
        )

    def _can_pass(self, i: int) -> bool:
        """Whether a rule derives rows that need something of this tick."""
        return reads_tick(self.rules[i]) or any(self.passes[reference.collection] for reference in self.references[i])

    def _mixed(self, name: str) -> bool:
        return self.stands[name] and self.passes[name]

    # -- derivations

    def _derivations(self, i: int) -> Iterable[Derivation]:
        rule, head, read = self.rules[i], self.heads[i], self.references[i]
        aggregating = aggregates(rule.query)
        if self._can_stand(i):
            query = rebuild(rule.query, self._standing_copy)
            name = self._standing_name(head.name) if not head.table else head.name
            seen = tuple(attrs.evolve(one, collection=self._standing_name(one.collection)) for one in read)
            yield Derivation(rule, name, query, True, seen, aggregates=aggregating)
            mixed = frozenset(one.collection for one in read if self._mixed(one.collection))
            if any(self.schemas[one].lattices for one in mixed if one in self.schemas):
                yield self._ticking(Derivation(rule, head.name, rule.query, False, read, aggregates=aggregating))
            elif mixed:
                yield Derivation(rule, head.name, rule.query, False, read, mixed, aggregating)
        elif self._can_pass(i):
            one = Derivation(rule, head.name, rule.query, False, read, aggregates=aggregating)
            driven = any(each.required and not self.stands[each.collection] for each in read)
            yield one if driven else self._ticking(one)

    @staticmethod
    def _ticking(one: Derivation) -> Derivation:
        """Driven by every tick."""
        tick = Scan("_", TICK)
        query = attrs.evolve(one.query, body=(*one.query.body, tick))
        return attrs.evolve(one, query=query, references=(*one.references, Reference(TICK, True, True, True, tick.span)))

    def _standing_name(self, name: str) -> str:
        return f"{name}!" if self._mixed(name) else name

    def _standing_copy(self, node: Any) -> Any:
        if hasattr(node, "collection") and not isinstance(node, Collection):
            return attrs.evolve(node, collection=self._standing_name(node.collection))
        return node

    def _copies(self, relations: Mapping[str, Declared]) -> Iterable[Derivation]:
        """`name <= name!` for every scratch that is split; where rows merge, in every tick anew."""
        for name, declared in relations.items():
            if declared.kind is Kind.OVERLAY or f"{name}!" in relations and declared.schema.lattices:
                variables = tuple(f"c{i}" for i in range(declared.schema.width))
                query = Select(tuple(Variable(one) for one in variables), (Scan(variables, f"{name}!"),))
                rule = Rule(name, 0, "rule", name, "<=", query)
                copy = Derivation(rule, name, query, True, (Reference(f"{name}!", True, True, True, query.span),))
                yield copy if declared.kind is Kind.OVERLAY else self._ticking(attrs.evolve(copy, standing=False))

    # -- relations

    def _relations(self) -> Iterable[Declared]:
        for event in (TICK, START):
            yield Declared(event, Kind.TRANSIENT, schema_of([Column("no")]))
        heads = {head.name: head for head in self.heads}
        for collection in self.program.collections:
            name = collection.name
            head = heads.pop(name, None) or _Head(name, collection.schema, collection.kind == "table", name, False)
            yield from self._declared(head)
        for head in heads.values():
            yield from self._declared(head)

    def _declared(self, head: _Head) -> Iterable[Declared]:
        def of(name: str, kind: Kind) -> Declared:
            return Declared(name, kind, head.schema, head.collection if name == head.name else None, head.checked)

        if head.table:
            yield of(head.name, Kind.TABLE)
        elif self._mixed(head.name):
            sink = head.name.startswith("·")
            yield of(f"{head.name}!", Kind.STANDING)
            yield of(head.name, Kind.TRANSIENT if sink or head.schema.lattices else Kind.OVERLAY)
        else:
            yield of(head.name, Kind.STANDING if self.stands[head.name] else Kind.TRANSIENT)

    def _parts(self, name: str) -> tuple[str, ...]:
        """The relations that together hold the rows of a sink."""
        return (f"{name}!", name) if self._mixed(name) else (name,)

    def _pending(self) -> dict[str, tuple[tuple[Rule, tuple[str, ...]], ...]]:
        found: dict[str, list[tuple[Rule, tuple[str, ...]]]] = {}
        for rule, head in zip(self.rules, self.heads, strict=True):
            if rule.operator in ("<+", "<-", "<+-"):
                found.setdefault(rule.head, []).append((rule, self._parts(head.name)))
        return {name: tuple(rules) for name, rules in found.items()}

    def _sends(self) -> dict[str, tuple[tuple[str | None, str | None], ...]]:
        found: dict[str, list[tuple[str | None, str | None]]] = {}
        for rule, head in zip(self.rules, self.heads, strict=True):
            if rule.operator == "<~":
                name = head.name
                standing = self._standing_name(name) if self.stands[name] else None
                found.setdefault(rule.head, []).append((standing, name if self.passes[name] else None))
        return {channel: tuple(parts) for channel, parts in found.items()}

    def _invariants(self) -> tuple[tuple[Rule, tuple[str, ...]], ...]:
        return tuple(
            (rule, self._parts(head.name)) for rule, head in zip(self.rules, self.heads, strict=True) if rule.kind == "invariant"
        )


def all_key(schema: Schema, checked: bool) -> Schema:
    """A schema in which every column is the key; unless rows are checked anyway, only values of lattices are made such."""
    lattices = dict(schema.lattices)
    types = [column.type if checked or not lattices else lattices.get(i, Any) for i, column in enumerate(schema.columns)]
    return Schema(tuple(attrs.evolve(one, key=True, type=type_) for one, type_ in zip(schema.columns, types, strict=True)), schema.row)


def _connected(relations: Mapping[str, Declared], derivations: Sequence[Derivation]) -> list[Component]:
    below: dict[str, list[str]] = {name: [] for name in relations}
    filled: dict[str, list[Derivation]] = {name: [] for name in relations}
    for one in derivations:
        filled[one.head].append(one)
        below[one.head] += [reference.collection for reference in one.references]
    return [
        Component(tuple(names), tuple(one for name in names for one in filled[name])) for names in strongly_connected(below)
    ]


def _counting(component: Component, head: Declared) -> Component:
    """A component without recursion, whose view counts the derivations of its rows."""
    counted = head.kind is Kind.STANDING
    return Component(component.relations, tuple(attrs.evolve(one, counted=counted) for one in component.derivations))
