"""The ways in which a rule is evaluated: what sets it off, and what is planned then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import frozen

from bloompy.engine.explanation import Counts
from bloompy.engine.lower import START, TICK, Component, Derivation
from bloompy.engine.sharing import SHARED
from bloompy.engine.sites import sites, with_head
from bloompy.engine.variant import Form, Variant
from bloompy.ir.nodes import Clause, Scan, Target
from bloompy.schema import Schema


@frozen
class Way:
    """One of the ways in which a rule is evaluated.

    Attributes:
        title: what sets it off.
        body: the clauses that are planned.
        driver, bound: as of `plan`.
        forms: of the functions made for it.
        inner: of a FIND, the clauses that lead to the query's bindings.
        last: what is done with the bindings; "" where the head's rows are derived.
    """

    title: str
    body: tuple[Clause, ...]
    driver: int | None
    forms: frozenset[Form]
    bound: frozenset[str] = frozenset()
    inner: tuple[Clause, ...] = ()
    last: str = ""


_DERIVE = frozenset({Form.PUT, Form.LIST})
BESIDES = {
    "in full, to begin with": _DERIVE,
    "every binding that a change in an expression touches": frozenset({Form.CONTRIBUTE, Form.FIND}),
    "every group that changed": frozenset({Form.FINISH}),
}
"""What is counted besides the ways that have a plan of their own."""


def ways(derivation: Derivation, component: Component, schemas: Mapping[str, Schema], asked: bool) -> Iterator[Way]:
    """The ways in which a rule is evaluated, once its views are there; `asked`: deletions ask it whether a row follows."""
    body = derivation.query.body
    if derivation.standing:
        yield from _by_scans(derivation, None)
        yield from _by_sites(derivation, schemas)
        if not any(isinstance(clause, Scan) for clause in body):
            yield Way("once", body, None, _DERIVE)
        if asked and not derivation.aggregates:
            tests, names = with_head(derivation.query)
            last = "the row stays, or comes back: it follows all the same" if component.recursive else "the row is there again"
            yield Way("a deletion", tests, None, frozenset({Form.SUPPORT}), frozenset(names), last=last)
    elif derivation.overlays:
        yield from _by_scans(derivation, derivation.overlays)
        if any(one.collection in derivation.overlays and not one.scanned for one in derivation.references):
            yield Way("every tick", body, None, _DERIVE)
    else:
        yield Way("every tick", body, None, _DERIVE)
        yield from _by_scans(derivation, frozenset(component.relations))


def _by_scans(derivation: Derivation, relations: frozenset[str] | None) -> Iterator[Way]:
    """Driven by the changes of what it scans, of some relations only."""
    body = derivation.query.body
    scanned = [clause.collection for clause in body if isinstance(clause, Scan)]
    for i, clause in enumerate(body):
        if isinstance(clause, Scan) and (relations is None or clause.collection in relations):
            several = f" as {shown_target(clause.target)}".replace("·", "") if scanned.count(clause.collection) > 1 else ""
            yield Way(f"Δ{own_name(clause.collection)}{several}", body, i, _DERIVE | {Form.FIND})


def _by_sites(derivation: Derivation, schemas: Mapping[str, Schema]) -> Iterator[Way]:
    """Driven by the changes of what its expressions read."""
    query = derivation.query
    found = list(sites(query, schemas))
    for number, site in enumerate(found):
        again = [one.relation for one in found[:number]].count(site.relation)
        title = f"Δ{own_name(site.relation)} in an expression{f' ({again + 1})' if again else ''}"
        last = "derive before and now, and compare"
        if site.clauses is None:
            yield Way(f"{title}: any binding may change", query.body, None, frozenset(), last=last)
        else:
            driver = len(query.body) + site.driver
            yield Way(title, (*query.body, *site.clauses), driver, frozenset({Form.FIND}), inner=site.clauses, last=last)


def taken(counts: dict[Variant, Counts], way: Way) -> Counts:
    """The counts that belong to a way, taken out of those of a rule."""
    mine = [one for one in counts if one.form in way.forms and one.driver == way.driver and one.inner == way.inner]
    return sum((counts.pop(one) for one in mine), Counts())


def own_name(relation: str) -> str:
    """The name by which users know a relation, of those that hold a part of its rows too."""
    if relation.startswith(SHARED):
        return relation.partition(":")[2]
    return {TICK: "tick", START: "start"}.get(relation, relation.removesuffix("!"))


def shown_target(target: Target, names: Mapping[str, str] | None = None) -> str:
    """What a `for` binds, with the names that are shown in the place of others."""
    if isinstance(target, str):
        return (names or {}).get(target, target)
    return f"({', '.join(shown_target(part, names) for part in target)})"
