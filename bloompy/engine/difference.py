"""What a standing rule derived before the tick and does not now, and the other way round, as multisets of derivations.

A derivation belongs to a binding: a row for each `for` over a collection. Where only such rows changed, the derivations lost
are those, in the state before the tick, of bindings with a deleted row, the ones gained those of now with an inserted row; a
binding with several changed rows counts for the first of them. Where an expression reads a relation that changed
(`bloompy.engine.sites`), the bindings that the change touches are found in both states, and what each derives is compared.
"""

from __future__ import annotations

from typing import Any

from attrs import define

from bloompy.engine.relation import Relation
from bloompy.engine.runner import Binding, Runner


@define
class Changes:
    """What changed below one rule.

    Attributes:
        scans: the query's own scans, by position, whose relations changed.
        sites: the places in expressions, by number, whose relations changed.
        only_insert: rows were inserted into one relation that the query scans once, and nothing else changed.
    """

    scans: list[tuple[int, Relation]]
    sites: list[tuple[int, Relation]]
    only_insert: bool


def changes_of(runner: Runner, outside: frozenset[str] = frozenset()) -> Changes | None:
    """What changed below a rule, some relations left out; None if nothing did."""
    scans: list[tuple[int, Relation]] = []
    for scan in runner.scans:
        one = scan[1]
        if (one.inserted or one.deleted) and one.name not in outside:
            scans.append(scan)
    sites = _changed_sites(runner, outside) if runner.undriven else []
    if sites:
        return Changes(scans, sites, False)
    return Changes(scans, sites, len(scans) == 1 and not scans[0][1].deleted) if scans else None


def _changed_sites(runner: Runner, outside: frozenset[str]) -> list[tuple[int, Relation]]:
    read = ((i, runner.workspace.relations[site.relation]) for i, site in enumerate(runner.sites) if site.relation not in outside)
    return [(i, one) for i, one in read if one.inserted or one.deleted]


def difference(runner: Runner, changes: Changes, lost: Any, gained: Any) -> None:
    """List the derivations lost and gained, each as often as it is; with aggregates, their arguments by group."""
    if not changes.sites:
        _list_scanned(runner, changes.scans, lost, True)
        _list_scanned(runner, changes.scans, gained, False)
        return
    touched = _touched(runner, changes, True)
    now = _touched(runner, changes, False)
    if touched is None or now is None:
        runner.listed(None, (), lost, True)
        runner.listed(None, (), gained, False)
        return
    touched |= now  # a binding may hold with some items of a flat map before and with others now
    if touched:
        runner.contribute(_without(runner, touched, changes, inserted=True), lost, True)
        runner.contribute(_without(runner, touched, changes, inserted=False), gained, False)


def lose(runner: Runner, changes: Changes, lost: Any) -> None:
    """List what followed before the tick from bindings that the changes touch, and may not follow now."""
    _list(runner, changes, lost, True)


def gain(runner: Runner, changes: Changes, gained: Any) -> None:
    """List what follows now from bindings that the changes touch, and may not have followed before."""
    _list(runner, changes, gained, False)


def _list(runner: Runner, changes: Changes, out: Any, before: bool) -> None:
    if not changes.sites:
        _list_scanned(runner, changes.scans, out, before)
        return
    touched = _touched(runner, changes, before)
    if touched is None:
        runner.listed(None, (), out, before)
    elif touched:
        runner.contribute(touched, out, before)


def _list_scanned(runner: Runner, scans: list[tuple[int, Relation]], out: Any, before: bool) -> None:
    if len(scans) == 1:
        position, relation = scans[0]
        rows = relation.deleted if before else relation.inserted
        if relation.growing is not None and rows and position in runner.apart:
            rows = relation.part(before, runner.apart[position])
        if rows:
            runner.listed(position, rows, out, False)  # what else it reads is the same before and now
        return
    skip: dict[int, Any] = {position: () for position, _ in runner.scans}
    for position, relation in scans:
        if rows := relation.deleted if before else relation.inserted:
            runner.listed(position, rows, out, before, skip)
            skip[position] = set(rows)


def _touched(runner: Runner, changes: Changes, before: bool) -> dict[Binding, None] | None:
    """The bindings of one state in which something takes part that changed; None where all may be such."""
    if any(runner.sites[number].clauses is None for number, _ in changes.sites):
        return None
    found: dict[Binding, None] = {}
    for position, relation in changes.scans:
        if rows := relation.deleted if before else relation.inserted:
            runner.bindings(position, rows, found, before)
    for number, relation in changes.sites:
        if relation.deleted:
            runner.find(number, relation.deleted, found, before, True)
        if relation.inserted:
            runner.find(number, relation.inserted, found, before, False)
    return found


def _without(runner: Runner, bindings: dict[Binding, None], changes: Changes, inserted: bool) -> list[Binding]:
    """The bindings without rows that were inserted, or deleted."""
    place = {position: i for i, (position, _) in enumerate(runner.scans)}
    changed = [(place[position], set(one.inserted if inserted else one.deleted)) for position, one in changes.scans]
    return [binding for binding in bindings if not any(binding[i] in rows for i, rows in changed)]
