"""The input of a tick as units, so that one bad unit can be found and set aside (design §3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from attrs import frozen

from bloompy.engine.machine import Machine
from bloompy.engine.tick import Batch, Change, PlainRow
from bloompy.schema import Key

LETTERS = "dead_letter"

Letters: TypeAlias = dict[str, dict[Key, Change]]
"""Staged changes by table: those of `dead_letter`, or none."""


@frozen
class Unit:
    """One row of an event, or all staged changes of one key of a table.

    Attributes:
        collection: its name.
        row: the row; for changes the last one staged, or the key where there is none.
        key, change: for changes only.
    """

    collection: str
    row: PlainRow
    key: Key = None
    change: Change | None = None


@frozen
class Part:
    """What a tick is to run again of a batch that failed: some of its units, and the dead letters that it brings into their table."""

    units: Sequence[Unit]
    letters: Letters
    now: float


def units(batch: Batch) -> list[Unit]:
    """The input from outside, in order. Dead letters are none: they must not be set aside again."""
    found = []
    for table, changes in batch.changes.items():
        if table != LETTERS:
            for key, change in changes.items():
                rows = [row for _, row in change.operations if row is not None]
                found.append(Unit(table, rows[-1] if rows else key if isinstance(key, tuple) else (key,), key, change))
    for collection, events in batch.events.items():
        found += [Unit(collection, row) for row in events]
    return found


def letters(batch: Batch) -> Letters:
    """The dead letters that the batch brings into their table."""
    return {table: dict(changes) for table, changes in batch.changes.items() if table == LETTERS}


def batch_of(machine: Machine, part: Part) -> Batch:
    """The input of the next tick with just this."""
    events: dict[str, list[PlainRow]] = {}
    changes: dict[str, dict[Key, Change]] = dict(part.letters)
    for unit in part.units:
        if unit.change is None:
            events.setdefault(unit.collection, []).append(unit.row)
        else:
            changes.setdefault(unit.collection, {})[unit.key] = unit.change
    return machine.batch(events, part.now, changes)
