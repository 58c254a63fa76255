"""The reference evaluator: design §3 as code, with no index, no delta and no memory beyond what the meaning needs.

It computes every tick from nothing but the tables and the pending changes, on copies, so that a tick that raises has not
happened. It is the oracle that the fast evaluators are compared with; keep it obviously right rather than fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve, field, frozen

from bloompy.analysis.dependencies import reads_tick, references
from bloompy.analysis.strata import strata
from bloompy.engine.query import Query
from bloompy.engine.tick import Batch, Change, Commit, Durable, Environment, PlainRow, Tick, Waiting
from bloompy.errors import InvariantViolation, KeyConflict, RowError
from bloompy.ir.nodes import Collection, Program, Rule
from bloompy.ir.walk import head_names
from bloompy.schema import Column, Key, Schema, schema_of

if TYPE_CHECKING:
    from bloompy.engine.explain import Workings

EVENTS = ("channel", "loopback", "periodic", "stdio")
"""Kinds of collections that only the outside fills."""

Rows: TypeAlias = dict[PlainRow, None]
"""A set of rows in the order in which they were found."""


@frozen
class Facts:
    """The rows of every collection by key, each with what put it there."""

    program: Program
    rows: dict[str, dict[Key, PlainRow]]
    origins: dict[str, dict[Key, str]]

    @classmethod
    def empty(cls, program: Program) -> Facts:
        """No row anywhere."""
        names = [collection.name for collection in program.collections]
        return cls(program, {name: {} for name in names}, {name: {} for name in names})

    def tables(self) -> Facts:
        """A copy that holds the tables and nothing else."""
        copy = Facts.empty(self.program)
        for collection in self.program.collections:
            if collection.kind == "table":
                copy.rows[collection.name].update(self.rows[collection.name])
                copy.origins[collection.name].update(self.origins[collection.name])
        return copy

    def insert(self, name: str, row: PlainRow, origin: str) -> bool:
        """Whether the row is new, or merges into that of its key. Raises KeyConflict where its key has another row."""
        schema = self.program.by_name[name].schema
        key = schema.key_of(row)
        held = self.rows[name].get(key)
        if held is not None and schema.lattices:
            merged = schema.merged(name, held, row)
            self.put(name, key, merged, origin)
            return merged != held
        if held is not None and held != row:
            raise _conflict(schema, name, (held, row), (self.origins[name][key], origin))
        if held is None:
            self.put(name, key, row, origin)
        return held is None

    def put(self, name: str, key: Key, row: PlainRow | None, origin: str) -> None:
        """Have a key hold a row, or nothing."""
        if row is None:
            self.rows[name].pop(key, None)
            self.origins[name].pop(key, None)
        else:
            self.rows[name][key], self.origins[name][key] = row, origin


@frozen
class Pending:
    """What `<+ <- <+-` ask of one collection for the next tick.

    Attributes:
        places: by key the row to be there, the rule that asks for it, and whether it may replace another.
        deletes: keys and rows (None: whatever is there) to be deleted.
    """

    places: dict[Key, tuple[PlainRow, str, bool]] = field(factory=dict)
    deletes: list[tuple[Key, PlainRow | None]] = field(factory=list)


@frozen
class State:
    """What one tick leaves to the next.

    Attributes:
        facts: all that held at its end.
        standing: of that, what follows from tables alone.
        sent: the standing rows of each channel.
        pending: by collection.
        stored: durable tables as the store has them, with what is pending applied already.
        first: no tick has happened yet.
    """

    facts: Facts
    standing: Facts
    sent: Mapping[str, Rows]
    pending: Mapping[str, Pending]
    stored: Mapping[str, Mapping[Key, PlainRow]]
    first: bool


class Naive:
    """See the module and `bloompy.engine.tick.Evaluator`."""

    def __init__(self, program: Program, environment: Environment) -> None:
        self.program, self.environment = program, environment
        self.on_violation: Callable[[InvariantViolation], None] | None = None
        self._queries = {id(rule): Query(rule, program, environment) for rule in program.rules}
        self._strata = strata(program)
        self._staged: dict[str, None] = {}
        self._standing_rules = self._classify()
        nothing = Facts.empty(program)
        stored: dict[str, dict[Key, PlainRow]] = {one.name: {} for one in program.collections if one.durable}
        self._state = State(nothing, nothing, {}, {}, stored, True)

    def restore(self, tables: Mapping[str, list[PlainRow]]) -> None:
        """Fill durable tables before the first tick."""
        facts = self._state.facts.tables()
        for name, rows in tables.items():
            for row in rows:
                facts.insert(name, row, "restored")
        self._state = evolve(self._state, facts=facts, stored={name: dict(facts.rows[name]) for name in self._state.stored})

    def read(self, collection: str) -> dict[Key, PlainRow]:
        """Rows that held at the end of the last tick, by key."""
        return self._state.facts.rows[collection]

    def workings(self) -> Workings:
        """What it shows of itself."""
        from bloompy.engine.explain import naive_workings  # asked for by few, at import by none

        return naive_workings(self.program, self.environment.parameters, self.environment.debug, self.read)

    def pending(self) -> bool:
        """Whether the pending `<+ <- <+-` of the last tick would change something in the next."""
        return any(
            not self._is_table(name) or self._after(name, self._state.facts, pending, {}) != self.read(name)
            for name, pending in self._state.pending.items()
        )

    def waiting(self) -> dict[str, dict[Key, Waiting]]:
        """What the last tick's `<+ <- <+-` ask for, by collection and key."""
        return {name: self._waiting(name, pending) for name, pending in self._state.pending.items()}

    def _waiting(self, name: str, pending: Pending) -> dict[Key, Waiting]:
        held = self.read(name) if self._is_table(name) else {}
        after = self._after(name, self._state.facts, pending, {}) if held else {key: row for key, (row, _, _) in pending.places.items()}
        found = {}
        for key in dict.fromkeys([*pending.places, *(key for key, _ in pending.deletes)]):
            row, _, upsert = pending.places.get(key, (None, "", False))
            gone = [one for each, one in pending.deletes if each == key]
            deleted = None if None in gone else tuple(one for one in gone if one is not None)
            found[key] = Waiting(row, upsert, deleted, held.get(key), after.get(key))
        return found

    def tick(self, batch: Batch, commit: Commit | None = None) -> Tick:
        """Run one tick; if anything raises, nothing has happened."""
        self._note_staged(batch)
        facts = self._begin(batch)
        self._derive_all(self._active_rules(), facts, batch)
        right_sides = {id(rule): self._rows(rule, facts, batch) for rule in self._active_rules() if self._is_right_side(rule)}
        self._check_invariants(right_sides)
        pending = self._gather_pending(right_sides)
        future = {name: self._after(name, facts, changes, {}) for name, changes in pending.items() if self._is_table(name)}

        standing = self._standing_model(facts, batch)
        sent = {name: self._standing_sends(name, standing, batch) for name in self._channels()}
        sends = {name: self._sends(name, right_sides, sent[name], standing, batch) for name in self._channels()}
        after = State(facts, standing, sent, pending, {name: future.get(name, facts.rows[name]) for name in self._state.stored}, False)
        durable = self._durable(after)
        tick = self._report(batch, after, sends)
        if commit is not None and not durable.empty:
            commit(durable)
        self._state = after
        return tick

    # -- (a) what the tick starts from

    def _begin(self, batch: Batch) -> Facts:
        """The tables with staged and pending changes applied, and the rows of this tick."""
        facts = self._state.facts.tables()
        for collection in self.program.collections:
            name = collection.name
            pending = self._state.pending.get(name, Pending())
            if collection.kind == "table":
                rows = self._after(name, facts, pending, batch.changes.get(name, {}))
                for key in {**facts.rows[name], **rows}:
                    if facts.rows[name].get(key) != rows.get(key):
                        origin = pending.places[key][1] if key in pending.places else "inserted"
                        facts.put(name, key, rows.get(key), origin)
            else:
                for row, origin, _ in pending.places.values():
                    facts.insert(name, row, origin)
                for row in batch.events.get(name, ()):
                    facts.insert(name, row, "inserted")
        return facts

    def _after(self, name: str, facts: Facts, pending: Pending, changes: Mapping[Key, Change]) -> dict[Key, PlainRow]:
        """A table with pending and staged changes applied: a delete loses to an insert or upsert (design §3.3).

        Raises:
            KeyConflict: for two rows of one key.
        """
        schema = self.program.by_name[name].schema
        if schema.lattices:
            return _after_merging(schema, name, facts.rows[name], pending, changes)
        rows = dict(facts.rows[name])
        origins = facts.origins[name]
        for key, row in pending.deletes:
            if key in rows and (row is None or row == rows[key]):
                del rows[key]
        placed = {}
        for key, change in changes.items():
            known = origins.get(key, "inserted")
            held, placed[key] = change.fold(rows.get(key), partial(_inserted_over, schema, name, known))
            if held is None:
                rows.pop(key, None)
            else:
                rows[key] = held
        for key, (row, origin, upsert) in pending.places.items():
            held = rows.get(key)
            if held is not None and held != row and (placed.get(key) or not upsert):
                known = "inserted" if placed.get(key) else origins[key]
                raise _conflict(schema, name, (held, row), (known, origin))
            if held != row:
                rows[key] = row
        return rows

    # -- (b) the least fixpoint

    def _active_rules(self) -> list[Rule]:
        """All rules, but those of bootstrap only in the first tick."""
        return [rule for rule in self.program.rules if rule.kind != "bootstrap" or self._state.first]

    def _derive_all(self, rules: Iterable[Rule], facts: Facts, batch: Batch) -> None:
        """Stratum by stratum, until nothing new follows."""
        chosen = {id(rule) for rule in rules}
        for stratum in self._strata:
            group = [rule for rule in stratum if id(rule) in chosen]
            while sum(self._derive(rule, facts, batch) for rule in group) > 0:
                pass

    def _derive(self, rule: Rule, facts: Facts, batch: Batch) -> int:
        """How many new rows a rule derives."""
        rows = self._rows(rule, facts, batch)
        if self.program.schemas[rule.head].lattices:  # at once: element by element, a set would be copied each time
            rows = _merged_by_key(self.program.schemas[rule.head], rule, rows)
        return sum(facts.insert(rule.head, row, rule.place) for row in rows)

    def _rows(self, rule: Rule, facts: Facts, batch: Batch) -> list[PlainRow]:
        """What a rule derives, checked where it leaves the tick's memory."""
        rows = self._queries[id(rule)].rows(facts.rows, batch)
        if rule.kind == "invariant" or rule.by_key:
            return list(dict.fromkeys(rows))
        collection = self.program.by_name[rule.head]
        try:
            return list(dict.fromkeys(self._checked(collection, row) for row in rows))
        except RowError as error:
            error.add_note(f"in rule {rule.place}")
            raise

    def _checked(self, collection: Collection, row: PlainRow) -> PlainRow:
        if self.environment.debug or collection.durable or collection.kind in EVENTS:
            return collection.schema.check(collection.name, row)
        if collection.schema.lattices:
            row = collection.schema.lifted(collection.name, row)
        for i in collection.schema.key_indexes:
            if isinstance(row[i], float) and math.isnan(row[i]):
                return collection.schema.check(collection.name, row)  # raises, with all it knows
        return row

    # -- (c) right sides of `<+ <- <+- <~`, and invariants

    @staticmethod
    def _is_right_side(rule: Rule) -> bool:
        return rule.kind == "invariant" or rule.operator in ("<+", "<-", "<+-", "<~")

    def _check_invariants(self, right_sides: Mapping[int, list[PlainRow]]) -> None:
        for rule in self.program.rules:
            if rule.kind == "invariant" and right_sides[id(rule)]:
                make = schema_of([Column(name) for name in head_names(rule.query)]).row.make
                violation = InvariantViolation(rule.place, [make(row) for row in right_sides[id(rule)]])
                if self.on_violation is None:
                    raise violation
                self.on_violation(violation)

    def _gather_pending(self, right_sides: Mapping[int, list[PlainRow]]) -> dict[str, Pending]:
        """Next-tick changes by collection. Raises KeyConflict for two rows to be placed at one key."""
        pending: dict[str, Pending] = {}
        for rule in self._active_rules():
            if rule.kind == "invariant" or rule.operator not in ("<+", "<-", "<+-"):
                continue
            schema = self.program.by_name[rule.head].schema
            mine = pending.setdefault(rule.head, Pending())
            rows = right_sides[id(rule)]
            if schema.lattices and rule.operator != "<-":
                rows = _merged_by_key(schema, rule, rows)
            for row in rows:
                if rule.operator == "<-":
                    mine.deletes.append((row[0] if len(row) == 1 else row, None) if rule.by_key else (schema.key_of(row), row))
                    continue
                key = schema.key_of(row)
                known, origin, upsert = mine.places.get(key, (row, rule.place, False))
                if schema.lattices:
                    known = schema.merged(rule.head, known, row)
                elif known != row:
                    raise _conflict(schema, rule.head, (known, row), (origin, rule.place))
                mine.places[key] = (known, origin, upsert or rule.operator == "<+-")
        return {name: one for name, one in pending.items() if one.places or one.deletes}

    # -- standing and transient

    def _note_staged(self, batch: Batch) -> None:
        """A scratch that receives rows from outside may hold transient rows from then on."""
        new = [name for name in batch.events if name not in self._staged]
        if new:
            self._staged.update(dict.fromkeys(new))
            self._standing_rules = self._classify()
            if not self._state.first:
                standing = self._standing_model(self._state.facts, batch)
                sent = {name: self._standing_sends(name, standing, batch) for name in self._channels()}
                self._state = evolve(self._state, standing=standing, sent=sent)

    def _classify(self) -> list[Rule]:
        """The rules that can derive standing rows.

        A collection may hold transient rows, standing ones, or both. A rule needs transient rows, and so is transient,
        if a collection that it reads holds only such, or holds some and is read non-monotonically.
        """
        rules = [rule for rule in self.program.rules if rule.operator in ("<=", "=") and rule.head]
        filled = {rule.head for rule in rules}
        later = {rule.head for rule in self.program.rules if rule.operator == "<+"}
        tables = {one.name for one in self.program.collections if one.kind == "table"}
        transient = {one.name for one in self.program.collections if one.kind in EVENTS or one.name not in filled}
        transient = (transient | later | set(self._staged)) - tables
        standing = set(tables)

        def of_this_tick(rule: Rule) -> bool:
            return rule.kind == "bootstrap" or reads_tick(rule)

        def may_be_transient(rule: Rule) -> bool:
            return of_this_tick(rule) or any(one.collection in transient for one in references(rule, self.program.schemas))

        def may_stand(rule: Rule) -> bool:
            return not of_this_tick(rule) and all(
                one.collection not in transient or (one.monotone and one.collection in standing)
                for one in references(rule, self.program.schemas)
            )

        _close(transient, rules, may_be_transient, tables)
        _close(standing, rules, may_stand, tables)
        return [rule for rule in self.program.rules if may_stand(rule)]

    def _standing_model(self, facts: Facts, batch: Batch) -> Facts:
        """What follows from the tables alone: a second fixpoint, over the final tables."""
        model = facts.tables()
        self._derive_all(self._standing_rules, model, batch)
        return model

    # -- `<~`

    def _channels(self) -> Iterable[str]:
        return dict.fromkeys(rule.head for rule in self.program.rules if rule.operator == "<~" and rule.kind != "invariant")

    def _senders(self, channel: str) -> list[Rule]:
        return [rule for rule in self._active_rules() if rule.operator == "<~" and rule.head == channel]

    def _standing_sends(self, channel: str, standing: Facts, batch: Batch) -> Rows:
        stands = {id(rule) for rule in self._standing_rules}
        return {row: None for rule in self._senders(channel) if id(rule) in stands for row in self._rows(rule, standing, batch)}

    def _sends(self, channel: str, right_sides: Mapping[int, list[PlainRow]], sent: Rows, standing: Facts, batch: Batch) -> Rows:
        """Rows that need something of this tick, rule by rule, and standing rows that did not stand before."""
        stands = {id(rule) for rule in self._standing_rules}
        rows = {row: None for row in sent if row not in self._state.sent.get(channel, {})}
        for rule in self._senders(channel):
            alone = dict.fromkeys(self._rows(rule, standing, batch)) if id(rule) in stands else {}
            rows.update((row, None) for row in right_sides[id(rule)] if row not in alone)
        return rows

    # -- (d) what is stored, and what is told

    def _durable(self, after: State) -> Durable:
        deleted: dict[str, list[Key]] = {}
        upserted: dict[str, list[PlainRow]] = {}
        for name, old in self._state.stored.items():
            new = after.stored[name]
            if gone := [key for key in old if key not in new]:
                deleted[name] = gone
            if there := [row for key, row in new.items() if old.get(key) != row]:
                upserted[name] = there
        return Durable(deleted, upserted)

    def _report(self, batch: Batch, after: State, sends: Mapping[str, Rows]) -> Tick:
        inserted: dict[str, list[PlainRow]] = {}
        deleted: dict[str, list[PlainRow]] = {}
        for name, rows in after.facts.rows.items():
            old, stands, stood = self._state.facts.rows[name], after.standing.rows[name], self._stood(name)
            if began := [row for key, row in rows.items() if stands.get(key) != row or stood.get(key) != row]:
                inserted[name] = began
            if ceased := [row for key, row in old.items() if rows.get(key) != row]:
                deleted[name] = ceased
        touched = sum(map(len, [*inserted.values(), *deleted.values()]))
        sent = {name: list(rows) for name, rows in sends.items() if rows}
        return Tick(batch.step, batch.now, sent, touched, lambda: (inserted, deleted))

    def _stood(self, name: str) -> Mapping[Key, PlainRow]:
        return (self._state.facts if self._is_table(name) else self._state.standing).rows[name]

    def _is_table(self, name: str) -> bool:
        return self.program.by_name[name].kind == "table"


def _close(names: set[str], rules: Iterable[Rule], test: Any, tables: set[str]) -> None:
    """Add the heads of the rules that pass a test (of the names so far) until no more do. Tables stand anyway."""
    found = True
    while found:
        new = {rule.head for rule in rules if rule.head not in names and rule.head not in tables and test(rule)}
        names |= new
        found = bool(new)


def _merged_by_key(schema: Schema, rule: Rule, rows: Iterable[PlainRow]) -> list[PlainRow]:
    """The rows of each key as one."""
    groups: dict[Key, list[PlainRow]] = {}
    for row in rows:
        groups.setdefault(schema.key_of(row), []).append(row)
    return [schema.merged_all(rule.head, group) for group in groups.values()]


def _after_merging(
    schema: Schema, name: str, held: Mapping[Key, PlainRow], pending: Pending, changes: Mapping[Key, Change]
) -> dict[Key, PlainRow]:
    """`Naive._after` for a table whose rows merge: nothing conflicts, `<+-` replaces the row and merges with what is put in as well."""
    rows = dict(held)
    merge = partial(schema.merged, name)
    for key, row in pending.deletes:
        if key in rows and (row is None or row == rows[key]):
            del rows[key]
    for key, (_, _, upsert) in pending.places.items():
        if upsert:
            rows.pop(key, None)
    for key, change in changes.items():
        found = change.merge(rows.get(key), partial(schema.merged_all, name))
        if found is None:
            rows.pop(key, None)
        else:
            rows[key] = found
    for key, (row, _, _) in pending.places.items():
        rows[key] = merge(rows[key], row) if key in rows else row
    return rows


def _conflict(schema: Schema, name: str, rows: tuple[PlainRow, PlainRow], origins: tuple[str, str]) -> KeyConflict:
    return KeyConflict(name, [schema.row.make(row) for row in rows], origins)


def _inserted_over(schema: Schema, name: str, origin: str, held: PlainRow, row: PlainRow) -> KeyConflict:
    return _conflict(schema, name, (held, row), (origin, "inserted"))
