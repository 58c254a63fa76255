"""The default evaluator: semi-naive, on generated functions over indexed relations, paying for what changes.

Each tick touches the components whose inputs changed, in the order of the strata, and nothing else.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bloompy.engine.filling import Backend
from bloompy.engine.fixpoint import Fixpoint
from bloompy.engine.loaded import Loaded
from bloompy.engine.lower import START, TICK, Derivation, Lowered
from bloompy.engine.pending import NOTHING, Pending
from bloompy.engine.plan import Measured
from bloompy.engine.prepared import prepared as prepared_for
from bloompy.engine.relation import Difference, Kind, Relation, Transient, ceased
from bloompy.engine.staged import Staged
from bloompy.engine.support import Constants
from bloompy.engine.template import Derive, Instance, Workspace
from bloompy.engine.tick import Batch, Change, Commit, Durable, Environment, PlainRow, Scope, Tick, Told, Waiting
from bloompy.engine.variant import Variant
from bloompy.errors import InvariantViolation, KeyConflict
from bloompy.ir.nodes import Program, Rule
from bloompy.schema import Key

if TYPE_CHECKING:
    from bloompy.engine.explain import Workings
    from bloompy.engine.profile import Profile


_NO_ROWS: Mapping[Key, PlainRow | None] = {}

_NO_NAMES = Scope({}, {})
"""Where rules that come from no class find their names."""


class Codegen:
    """See the module and `bloompy.engine.tick.Evaluator`."""

    def __init__(self, program: Program, environment: Environment) -> None:
        self.program, self.environment = program, environment
        self.on_violation: Callable[[InvariantViolation], None] | None = None
        self._constants = Constants()
        self._pending: dict[str, Pending] = {}
        self._ahead: dict[str, dict[Key, PlainRow | None]] = {}
        self._first = True
        self._staged: frozenset[str] = frozenset()
        self._rebuilt = False
        self._profile = _profile() if environment.profile else None
        self._functions: dict[int, Derive] = {}
        self._build()

    def reset(self) -> bool:
        """Be as a new one, at a fraction of the cost; returns False where only a new one will do.

        Simulations start instances of one program by the thousand. What reads of it gave before stays as it is.
        """
        if self._staged or self._profile is not None or any(isinstance(one, Loaded) for one in self._relations.values()):
            return False
        for relation in self._relations.values():
            if relation.name in self._ever or relation.indexes:
                relation.reset()
        for fixpoint in self._fixpoints:
            fixpoint.reset()
        self._ever.clear()
        self._sizes.forget()
        self._pending, self._ahead, self._first, self._rebuilt = {}, {}, True, False
        self._passing.clear()
        self.on_violation = None
        self._forget()
        return True

    def _build(self) -> None:
        prepared = self._prepared = prepared_for(self.program, self._staged, self.environment.debug, self.environment.parameters)
        lowered = self._lowered = prepared.lowered
        self._relations = {
            one.name: Transient(one.name, one.schema.key_of)
            if one.kind is Kind.TRANSIENT
            else Relation(one.name, one.kind, one.schema.key_of)
            for one in lowered.relations.values()
        }
        for relation in self._relations.values():
            if relation.kind is Kind.OVERLAY:
                relation.base = self._relations[f"{relation.name}!"]
            schema = lowered.relations[relation.name].schema
            if schema.lattices:
                relation.growing, relation.base = schema, self._relations.get(f"{relation.name}!")
        self._schemas = prepared.schemas
        self._sizes = Measured(self._relations)
        layouts = prepared.layouts(self.environment.parameters, self._sizes)
        tables = [one.name for one in lowered.relations.values() if one.kind is Kind.TABLE]
        self._nothing = {name: Pending.of(name, self._schemas[name], ()) for name in tables}
        self._workspace = Workspace(self._relations, self._schemas, layouts, self.environment, self._constants)
        backend = Backend(self._relations, lowered.relations, layouts, self.environment)
        self._fixpoints = [
            Fixpoint(one, self._workspace, self._compile, self._touch, self._conflict, backend) for one in lowered.components
        ]
        self._readers: dict[str, list[int]] = {name: [] for name in self._relations}
        order = {name: i for i, component in enumerate(lowered.components) for name in component.relations}
        for i, fixpoint in enumerate(self._fixpoints):
            for name in fixpoint.woken_by(order):
                self._readers[name].append(i)
        self._sinks = _Sinks(lowered)
        self._sides = {
            name: [(rule, self._relations[part]) for rule, parts in rules for part in parts] for name, rules in lowered.pending.items()
        }
        self._durable = [collection.name for collection in self.program.collections if collection.durable]
        self._touched: dict[str, Relation] = {}
        self._ever: dict[str, Relation] = {}  # touched since the start, for `reset`
        self._passing: list[Relation] = []
        self._queue: list[int] = []
        self._queued: set[int] = set()
        self._updated: list[Fixpoint] = []
        self._ticking = bool(self._readers[TICK])

    # -- the evaluator's interface

    def restore(self, tables: Mapping[str, list[PlainRow]]) -> None:
        """Fill durable tables before the first tick."""
        for name, rows in tables.items():
            relation = self._ever[name] = self._relations[name]
            relation.rows = {relation.key(row): row for row in rows}

    def read(self, collection: str) -> Mapping[Key, PlainRow]:
        """Rows that held at the end of the last tick, by key."""
        relation = self._relations[collection]
        return relation.reading() if isinstance(relation, Loaded) else relation.rows

    def pending(self) -> bool:
        """Whether the pending `<+ <- <+-` of the last tick would change something in the next."""
        return any(one.moved or self._relations[name].kind is not Kind.TABLE for name, one in self._pending.items())

    def waiting(self) -> dict[str, dict[Key, Waiting]]:
        """What the last tick's `<+ <- <+-` ask for, by collection and key."""
        tables = {name: self._relations[name] for name in self._pending if self._relations[name].kind is Kind.TABLE}
        return {name: each.waiting(tables[name].rows if name in tables else {}, name) for name, each in self._pending.items()}

    def tick(self, batch: Batch, commit: Commit | None = None) -> Tick:
        """Run one tick; if anything raises, nothing has happened."""
        if not self._staged.issuperset(batch.events) and self._filled(batch.events):
            self._rebuild(self._filled(batch.events))
        constants = self._constants
        constants.now, constants.step, constants.rand = batch.now, batch.step, batch.rand
        try:
            self._begin()
            self._apply(batch)
            self._put_events(batch)
            self._evaluate()
            if self._sinks.invariants:
                self._check_invariants()
            pending = self._gather_pending(batch) if self._lowered.pending else {}
            ahead = self._commit(pending, commit) if self._durable else {}
        except BaseException:
            self._roll_back()
            raise
        self._pending, self._ahead, self._first, self._rebuilt = pending, ahead, False, False
        if self._profile is not None:
            self._profile.ticks += 1
        try:
            return self._finish(batch)
        except BaseException:  # an interrupt after the commit: the tick stays
            self._passing = [one for one in self._relations.values() if (one.rows if one.kind is Kind.TRANSIENT else one.transient)]
            self._settle()
            raise

    def workings(self) -> Workings:
        """What it shows of itself."""
        from bloompy.engine.explain import Workings  # asked for by few, at import by none

        fixpoints = {id(component): one for component, one in zip(self._lowered.components, self._fixpoints, strict=True)}
        asked = {id(one.derivation) for fixpoint in self._fixpoints for one in fixpoint.runners if fixpoint.asks(one)}
        return Workings(
            self.program,
            self._lowered,
            self._workspace.layouts.looked_at(),
            self._relations,
            upkeep=lambda component: fixpoints[id(component)].upkeep,
            asks=lambda derivation: id(derivation) in asked,
            bulk=lambda component: fixpoints[id(component)].bulk,
            profile=self._profile,
        )

    # -- the phases of a tick

    def _begin(self) -> None:
        """The transient rows of the tick before vanish."""
        for relation in self._passing:
            relation.begin()
            self._touched[relation.name] = relation

    def _apply(self, batch: Batch) -> None:
        """Staged and pending changes meet at the tables; rows pending for scratches hold in this tick."""
        for name, changes in batch.changes.items():
            if name not in self._pending:
                self._change(name, changes, self._nothing[name])
        for name, pending in self._pending.items():
            if self._relations[name].kind is not Kind.TABLE:
                self._put_transient(self._relations[name], (place.row for place in pending.places.values()))
            elif name in batch.changes:
                self._change(name, batch.changes[name], pending)
            elif pending.moved:
                self._move(self._relations[name], pending.moved)

    def _move(self, relation: Relation, moved: Mapping[Key, PlainRow | None]) -> None:
        """Put in rows for keys, and take out what is there for others."""
        self._touch(relation)
        rows = relation.rows
        new: list[PlainRow] = []
        for key, row in moved.items():
            held = rows.get(key)
            if held is not None:
                relation.delete(held)
            if row is not None:
                rows[key] = row
                new.append(row)
        if new:
            relation.added(new)

    def _change(self, name: str, changes: Mapping[Key, Change], pending: Pending) -> None:
        relation = self._relations[name]
        rows, touched = relation.rows, False
        new: list[PlainRow] = []
        if not pending and isinstance(changes, Staged):
            if changes.inserts and rows.keys().isdisjoint(changes.inserts.keys()):
                self._touch(relation)
                touched = True
                new = list(changes.inserts.values())
                rows.update(changes.inserts)
                changes = changes.changes
            elif not changes.inserts:
                changes = changes.changes
        try:
            for key in _keys(changes, pending) if pending else changes:
                held = rows.get(key)
                row = pending.after(key, held, changes.get(key), name)
                if row is held or (row is not None and row == held):
                    continue
                if not touched:
                    self._touch(relation)
                    touched = True
                if held is not None:
                    relation.delete(held)
                if row is not None:
                    rows[key] = row
                    new.append(row)
        finally:  # a conflict halfway is rolled back like any other change
            if new:
                relation.added(new)

    def _put_events(self, batch: Batch) -> None:
        for name, rows in batch.events.items():
            self._put_transient(self._relations[name], rows)
        if self._ticking:
            self._put_transient(self._relations[TICK], ((batch.step,),))
        if self._first:
            self._put_transient(self._relations[START], ((batch.step,),))

    def _put_transient(self, relation: Relation, rows: Iterable[PlainRow]) -> None:
        if relation.kind is Kind.OVERLAY:  # its component puts them in, when it knows which rows stand in this tick
            relation.transient.update(dict.fromkeys(rows))
            self._touch(relation)
            return
        if relation.growing is not None:
            relation.merge(rows, self._touch)
            relation.net()
            return
        for row in rows:
            key = relation.key(row)
            held = relation.rows.get(key)
            if held is None:
                self._touch(relation)
                relation.insert(row)
            elif held != row:
                raise self._conflict(relation, held, row)

    def _evaluate(self) -> None:
        if self._first:
            self._queue = list(range(len(self._fixpoints)))
            self._queued.update(self._queue)
        queue, fixpoints = self._queue, self._fixpoints
        while queue:
            fixpoint = fixpoints[heapq.heappop(queue)]
            if fixpoint.parts:
                self._updated.append(fixpoint)
            fixpoint.update(self._first)

    def _check_invariants(self) -> None:
        for name, rule in self._sinks.invariants.items():
            if name in self._touched and self._relations[name].rows:
                make = self._schemas[name].row.make
                violation = InvariantViolation(rule.place, [make(row) for row in self._relations[name].rows.values()])
                if self.on_violation is None:
                    raise violation
                self.on_violation(violation)

    def _gather_pending(self, batch: Batch) -> dict[str, Pending]:
        """The pending changes for the next tick, with every conflict among them and with the rows that would stay."""
        targets = dict.fromkeys(self._sinks.targets[name] for name in self._touched if name in self._sinks.targets)
        if self._rebuilt:  # right sides may have gone with the relations that held them
            targets |= dict.fromkeys(self._lowered.pending)
        found = {name: pending for name, pending in self._pending.items() if name not in targets}
        for name, pending in list(found.items()):
            if self._relations[name].kind is Kind.TABLE:
                if name in self._touched or name in batch.changes:
                    found[name] = pending.unsettled()  # another one, since this tick may be rolled back yet
                else:
                    pending.settled = True
            else:
                targets[name] = None
        for name in targets:
            sides = [(rule, part.rows.values()) for rule, part in self._sides[name] if part.rows]
            if sides:
                found[name] = Pending.of(name, self._schemas[name], sides)
        for name, pending in found.items():
            if not pending.settled and self._relations[name].kind is Kind.TABLE:
                pending.resolve(self._relations[name].rows, name)
        return found

    def _finish(self, batch: Batch) -> Tick:
        told: list[Difference] = []
        touched = 0
        passing = self._passing = []
        for relation in self._touched.values():
            touched += len(relation.inserted) + len(relation.deleted)
            relation.close(told, passing)
        sent = self._sent() if self._sinks.channels else {}
        self._settle()
        lowered = self._lowered  # as it is now: later ticks may lower the program anew
        return Tick(batch.step, batch.now, sent, touched, lambda: _tell(told, lowered))

    def _sent(self) -> dict[str, list[PlainRow]]:
        channels = dict.fromkeys(self._sinks.channels[name] for name in self._touched if name in self._sinks.channels)
        sent = {channel: list(self._sent_on(channel)) for channel in channels}
        return {channel: rows for channel, rows in sent.items() if rows}

    def _sent_on(self, channel: str) -> dict[PlainRow, None]:
        """Standing rows that did not stand before, and what each rule derives only because of this tick."""
        rows: dict[PlainRow, None] = {}
        parts = self._lowered.sends[channel]
        stands = [self._relations[standing] for standing, _ in parts if standing is not None]
        for relation in stands:
            others = [other for other in stands if other is not relation]
            rows.update((row, None) for row in relation.inserted if not any(_stood(other, row) for other in others))
        for standing, transient in parts:
            if transient is not None:
                passing = self._relations[transient].rows.values()
                alone = self._relations[standing].rows if standing is not None else {}
                key = self._relations[transient].key
                rows.update((row, None) for row in passing if key(row) not in alone)
        return rows

    def _settle(self) -> None:
        for relation in self._touched.values():
            relation.finish()
        for fixpoint in self._updated:
            fixpoint.finish()
        self._forget()

    def _roll_back(self) -> None:
        for relation in self._touched.values():
            relation.roll_back()
        for fixpoint in self._updated:
            fixpoint.roll_back()
        self._forget()

    def _forget(self) -> None:
        self._ever.update(self._touched)
        self._updated.clear()
        self._touched.clear()
        self._queue.clear()
        self._queued.clear()

    # -- durability

    def _commit(self, pending: Mapping[str, Pending], commit: Commit | None) -> dict[str, dict[Key, PlainRow | None]]:
        """Hand the durable change to the store, with what is pending already applied; returns where the store is ahead."""
        durable = Durable({}, {})
        ahead: dict[str, dict[Key, PlainRow | None]] = {}
        for name in self._durable:
            moved, stored = pending.get(name, NOTHING).moved, self._ahead.get(name, _NO_ROWS)
            if name in self._touched or stored or moved:
                changes = _durable_changes(self._relations[name], moved, stored)
                if gone := [key for key, row in changes.items() if row is None]:
                    durable.deleted[name] = gone  # type: ignore[index]  # ours until it is handed over
                if there := [row for row in changes.values() if row is not None]:
                    durable.upserted[name] = there  # type: ignore[index]
                if moved:
                    ahead[name] = moved
        if commit is not None and not durable.empty:
            commit(durable)
        return ahead

    # -- changes

    def _touch(self, relation: Relation) -> None:
        name, queued = relation.name, self._queued
        self._touched[name] = relation
        for i in self._readers[name]:
            if i not in queued:
                queued.add(i)
                heapq.heappush(self._queue, i)

    # -- scratches that rules fill and that are staged into as well

    def _filled(self, events: Iterable[str]) -> frozenset[str]:
        relations = self._lowered.relations
        return frozenset(name for name in events if relations[name].kind is Kind.STANDING)

    def _rebuild(self, staged: frozenset[str]) -> None:
        """Lower the program anew with some scratches as receiving rows, and bring the views to where they were."""
        old, first = self._relations, self._first
        self._staged |= staged
        self._rebuilt = True
        self._functions.clear()
        self._build()
        for collection in self.program.collections:
            if collection.kind == "table":
                self._relations[collection.name].rows = old[collection.name].rows
        if not first:
            self._first = True
            self._begin()
            self._evaluate()
            self._settle()
            self._first = False
        for name, new in self._relations.items():
            rows = old[name].rows if name in old else {}
            if new.kind in (Kind.TRANSIENT, Kind.OVERLAY) and (passing := [row for key, row in rows.items() if key not in new.rows]):
                new.added([new.rows.setdefault(new.key(row), row) for row in passing])
                if new.kind is Kind.OVERLAY:
                    new.transient.update(dict.fromkeys(passing))
                new.finish()
                self._passing.append(new)
        self._forget()

    # -- compiling

    def _compile(self, derivation: Derivation, variant: Variant) -> Derive:
        head = self._relations[derivation.head]

        def conflict(held: PlainRow, row: PlainRow) -> KeyConflict:
            return self._conflict(head, held, row, derivation.rule)

        scope = self.environment.scopes.get(derivation.rule.scope, _NO_NAMES)
        template = self._prepared.template(derivation, variant, tuple(scope.closure), self._workspace.layouts)
        function = self._functions.get(id(template))  # the template lives as long as what is prepared
        if function is None:
            function = self._functions[id(template)] = template.bind(Instance(self._workspace, scope, conflict))
            function.asked = template.asked  # type: ignore[attr-defined]
        return function if self._profile is None else self._profile.counting(derivation, variant, function)

    def _conflict(self, relation: Relation, held: PlainRow, row: PlainRow, rule: Rule | None = None) -> KeyConflict:
        name = self._lowered.relations[relation.name].collection or relation.name
        make = self._schemas[relation.name].row.make
        second = rule.place if rule is not None else self._origin(relation, row, "inserted")
        return KeyConflict(name.rstrip("!"), (make(held), make(row)), (self._origin(relation, held), second))

    def _origin(self, relation: Relation, row: PlainRow, otherwise: str | None = None) -> str:
        """Which rule derives a row, found by asking each."""
        for fixpoint in self._fixpoints:
            for runner in fixpoint.runners:
                if runner.head is relation and runner.possible() and self._derives(runner, row):
                    return runner.derivation.rule.place
        if otherwise is not None:
            return otherwise
        return "already there" if relation.kind is Kind.TABLE else "inserted"

    @staticmethod
    def _derives(runner: Any, row: PlainRow) -> bool:
        new: list[PlainRow] = []
        try:
            runner.put(None, (), _Everything(), new, [])
        except Exception:  # another row of the rule may raise; what it found until then counts
            return row in new
        return row in new


def _profile() -> Profile:
    from bloompy.engine.profile import Profile  # as above

    return Profile()


class _Everything(dict[Any, PlainRow]):
    """Rows of a head that never holds anything, so that a rule shows all that it derives."""

    def __setitem__(self, key: Any, row: PlainRow) -> None:
        pass

    def setdefault(self, key: Any, default: PlainRow) -> PlainRow:
        return default


class _Sinks:
    """What the relations that nothing reads are for, by relation."""

    def __init__(self, lowered: Lowered) -> None:
        self.invariants = {part: rule for rule, parts in lowered.invariants for part in parts}
        self.targets = {part: name for name, rules in lowered.pending.items() for _, parts in rules for part in parts}
        self.channels = {part: name for name, rules in lowered.sends.items() for parts in rules for part in parts if part is not None}


def _keys(keys: Collection[Key], pending: Pending) -> Iterator[Key]:
    """Some keys, and those of pending changes."""
    yield from keys
    for key in pending.affected():
        if key not in keys:
            yield key


def _tell(told: list[Difference], lowered: Lowered) -> Told:
    """Rows inserted and deleted by collection, worked out for those who ask."""
    inserted: dict[str, list[PlainRow]] = {}
    deleted: dict[str, list[PlainRow]] = {}
    for difference in told:
        relation, began, _, _, _ = difference
        collection = lowered.relations[relation.name].collection
        if collection is not None:
            if began:
                inserted[collection] = began if isinstance(began, list) else list(began)
            if gone := ceased(difference):
                deleted[collection] = gone
    return inserted, deleted


def _stood(relation: Relation, row: PlainRow) -> bool:
    """Whether a set of standing rows held a row before this tick."""
    return (relation.key(row) in relation.rows and row not in relation.inserted) or row in relation.deleted


def _durable_changes(
    relation: Relation, moved: Mapping[Key, PlainRow | None], stored: Mapping[Key, PlainRow | None]
) -> dict[Key, PlainRow | None]:
    """What each key holds when the pending changes are applied, where the store says something else."""
    before: dict[Key, PlainRow | None] = dict.fromkeys(map(relation.key, relation.inserted))
    before |= {relation.key(row): row for row in relation.deleted}
    before |= stored
    held = relation.rows
    changes: dict[Key, PlainRow | None] = {}
    for key, known in before.items():
        row = moved[key] if key in moved else held.get(key)
        if row != known:
            changes[key] = row
    changes.update((key, row) for key, row in moved.items() if key not in before)
    return changes
