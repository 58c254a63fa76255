"""Rules that join a recursive relation more than once, cut into joins of two, with what is between them kept.

In `pt(V, H) :- load(V, P), pt(P, Q), pt(Q, H)` new rows of the last `pt` would have to be joined with all of the middle one to
get back to the few rows of `load`. With `part(V, Q) :- load(V, P), pt(P, Q)` kept as a relation of its own, from which P is gone
and repetitions with it, they meet just those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from bloompy.engine.lower import Declared, Derivation
from bloompy.engine.relation import Kind
from bloompy.ir.nodes import Condition, Exists, Expression, Field, Iterate, Member, RowVariable, Scan, Select, Variable
from bloompy.ir.rewrite import rebuild
from bloompy.ir.walk import free_names, target_names, walk
from bloompy.schema import Column, schema_of

PART = "·part "
"""What the names of parts begin with."""


def split(derivations: Sequence[Derivation], heads: frozenset[str]) -> tuple[list[Derivation], list[Declared]]:
    """Derivations of one component that join at most two relations where a recursion joins its own relations, and the parts."""
    done: list[Derivation] = []
    parts: list[Declared] = []
    waiting = list(derivations)
    while waiting:
        derivation = waiting.pop(0)
        found = _split(derivation, heads | {one.name for one in parts}, f"{PART}{len(parts)}")
        if found is None:
            done.append(derivation)
        else:
            part, rest, declared = found
            parts.append(declared)
            waiting[:0] = [part, rest]
    return done, parts


def _split(derivation: Derivation, inside: frozenset[str], name: str) -> tuple[Derivation, Derivation, Declared] | None:
    query = derivation.query
    scans = [clause for clause in query.body if isinstance(clause, Scan)]
    recursive = [clause for clause in scans if clause.collection in inside]
    if len(scans) < 3 or len(recursive) < 2 or scans[-1] not in recursive or derivation.aggregates:
        return None
    if any(isinstance(clause, Iterate) for clause in query.body) or any(isinstance(node, Exists | Member) for node in _nodes(query)):
        return None
    first, last = scans[:-1], scans[-1]
    names = {bound for scan in first for bound in target_names(scan.target)}
    if len(names) < sum(1 for scan in first for _ in target_names(scan.target)) or names & set(target_names(last.target)):
        return None
    tests = [clause for clause in query.body if isinstance(clause, Condition)]
    before = [clause for clause in tests if free_names(clause.test).keys() <= names]
    after = [clause for clause in tests if clause not in before]
    kept: dict[Expression, str] = {}

    def replaced(node: Any) -> Any:
        match node:
            case Field(RowVariable(row)) if row in names:
                return Variable(kept.setdefault(node, f"kept {len(kept)}"))
            case Variable(variable) if variable in names:
                return Variable(kept.setdefault(node, f"kept {len(kept)}"))
        return node

    head, remaining = rebuild(query.head, replaced), rebuild(tuple(after), replaced)
    rest = Select(head, (Scan(tuple(kept.values()), name, last.span), last, *remaining), query.span)
    if not kept or any(isinstance(node, RowVariable) and node.name in names for node in _nodes(rest)):
        return None
    part = Select(tuple(kept), (*first, *before), query.span)
    read = {one.collection: one for one in derivation.references}
    declared = Declared(name, Kind.STANDING, schema_of([Column(f"c{i}") for i in range(len(kept))]))
    return (
        attrs.evolve(derivation, head=name, query=part, references=tuple(read[scan.collection] for scan in first)),
        attrs.evolve(
            derivation,
            query=rest,
            references=(attrs.evolve(read[last.collection], collection=name), read[last.collection]),
        ),
        declared,
    )


def _nodes(query: Select) -> Iterator[Expression]:
    for expression in query.head:
        yield from walk(expression)
    for clause in query.body:
        if isinstance(clause, Condition):
            yield from walk(clause.test)
