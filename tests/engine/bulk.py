"""Evaluating the standing rules of a program on columns alone, and what the naive evaluator says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bloompy import Bloom
from bloompy.engine.columnar.bulk import Bulk, bulk_of
from bloompy.engine.columnar.codes import Codes
from bloompy.engine.columnar.columns import Encoded
from bloompy.engine.lower import Component, Lowered, lower
from bloompy.engine.plan import layouts_of
from bloompy.program import machine_of

Tables = Mapping[str, list[tuple[Any, ...]]]


class Refusal(Exception):
    """Columns could not do it; the message says why."""


def lowered(program: Bloom) -> Lowered:
    """A program's relations and components."""
    return lower(machine_of(program).program, frozenset(), False)


def bulk(program: Bloom, component: Component, standing: bool = True) -> Bulk:
    """The standing (or the transient) rules of a component, for columns."""
    found = lowered(program)
    environment = machine_of(program).evaluator.environment
    rules = [one for one in component.derivations if one.standing == standing]
    return bulk_of(rules, found.relations, layouts_of(found, environment.parameters), environment)


def on_columns(program: Bloom, tables: Tables) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all relations that standing rules fill.

    Raises:
        Refusal: where columns cannot do it.
    """
    codes = Codes()
    sources: dict[str, Any] = {name: Encoded(rows, codes) for name, rows in tables.items()}
    found: dict[str, list[tuple[Any, ...]]] = {}
    for component in lowered(program).components:
        if not any(one.standing for one in component.derivations):
            continue
        one = bulk(program, component)
        if not one.possible:
            raise Refusal(one.reason)
        columns = one.full({name: sources.get(name, Encoded([], codes)) for name in [*one.inputs, *component.relations]}, codes)
        if columns is None:
            raise Refusal(one.reason)
        for name, new in columns.items():
            found[name] = [*tables.get(name, []), *new.rows()]
            assert len(set(found[name])) == len(found[name])
            sources[name] = new if name not in tables else Encoded(found[name], codes)
    return found


def on_naive(program: Bloom, tables: Tables) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all collections, by the reference evaluator."""
    reference = type(program)(evaluator="naive")
    for name, rows in tables.items():
        getattr(reference, name).insert(*rows)
    reference.tick()
    machine = machine_of(reference)
    return {one.name: machine.rows(one.name) for one in machine.program.collections}


def look(rows: list[tuple[Any, ...]]) -> list[str]:
    """Rows as they look, in an order of their own: tells 1 from 1.0."""
    return sorted(map(repr, map(tuple, rows)))


def agree(program: Bloom, tables: Tables) -> dict[str, list[tuple[Any, ...]]]:
    """Evaluate on columns and have the naive evaluator agree."""
    found, expected = on_columns(program, tables), on_naive(program, tables)
    for name, rows in found.items():
        assert look(rows) == look(expected[name]), name
    return found
