"""Stratification: the order in which the `<=` rules of a tick are evaluated (design §3.4)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from attrs import frozen

from bloompy.analysis.dependencies import Reference, references
from bloompy.analysis.growth import misused
from bloompy.errors import Unstratifiable
from bloompy.ir.nodes import Program, Rule
from bloompy.schema import Schema

N = TypeVar("N", bound=Hashable)


@frozen
class Edge:
    """A rule that derives `head` within the tick from `reference.collection`."""

    reference: Reference
    head: str
    rule: Rule


def strata(program: Program) -> list[list[Rule]]:
    """The `<=` rules (and temporaries') in groups: each needs only itself and groups before it; recursive rules share one.

    Raises:
        Unstratifiable: for recursion through negation, aggregation, `get` or a lattice value used non-monotonically, with the
            cycle rule by rule.
    """
    rules = [rule for rule in program.rules if rule.head and rule.operator in ("<=", "=")]
    edges = [Edge(reference, rule.head, rule) for rule in rules for reference in references(rule, program.schemas)]
    order = components([collection.name for collection in program.collections], edges)
    where = {name: i for i, component in enumerate(order) for name in component}
    for edge in edges:
        if not edge.reference.monotone and where[edge.reference.collection] == where[edge.head]:
            raise _cycle_error(edge, [one for one in edges if where[one.head] == where[edge.head]], program.schemas)
    groups: list[list[Rule]] = [[] for _ in order]
    for rule in rules:
        groups[where[rule.head]].append(rule)
    return [group for group in groups if group]


def components(names: Sequence[str], edges: Iterable[Edge]) -> list[list[str]]:
    """Strongly connected components, sources first; ties in the order of `names` (Tarjan 1972, without recursion)."""
    below: dict[str, list[str]] = {name: [] for name in names}
    for edge in edges:
        below[edge.head].append(edge.reference.collection)
    return strongly_connected(below)


def strongly_connected(below: Mapping[N, Sequence[N]]) -> list[list[N]]:
    """Components of a graph given as node -> what it needs; what is needed comes first."""
    number: dict[N, int] = {}
    low: dict[N, int] = {}
    stack: list[N] = []
    waiting: set[N] = set()
    found: list[list[N]] = []
    for root in below:
        if root in number:
            continue
        work = [(root, iter(below[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        waiting.add(root)
        while work:
            node, rest = work[-1]
            for needed in rest:
                if needed not in number:
                    number[needed] = low[needed] = len(number)
                    stack.append(needed)
                    waiting.add(needed)
                    work.append((needed, iter(below[needed])))
                    break
                if needed in waiting:
                    low[node] = min(low[node], number[needed])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    component: list[N] = []
                    while not component or component[-1] != node:
                        component.append(stack.pop())
                        waiting.discard(component[-1])
                    found.append(component[::-1])
    return found


def _cycle_error(broken: Edge, edges: Sequence[Edge], schemas: Mapping[str, Schema]) -> Unstratifiable:
    path = [broken, *_path(broken.head, broken.reference.collection, edges)]
    lines = [
        f"  {edge.head} <= … {_how(edge, schemas)}{edge.reference.collection} …   ({edge.rule.place})"
        for edge in path
    ]
    by_value = broken.reference.collection in misused(broken.rule, schemas)
    what = "a lattice value used non-monotonically" if by_value else "negation, aggregation or get"
    hint = "break the cycle with <+ (the result then counts in the next tick), or with a lower collection"
    if by_value:
        hint = "put the value into a column of its own lattice, or compare it in the direction of its growth; or " + hint
    return Unstratifiable(
        f"{broken.head!r} depends on itself through {what}, within one tick:\n" + "\n".join(lines),
        broken.reference.span if broken.reference.span.line else broken.rule.span,
        hint=hint,
    )


def _how(edge: Edge, schemas: Mapping[str, Schema]) -> str:
    if edge.reference.monotone:
        return ""
    return "the value of " if edge.reference.collection in misused(edge.rule, schemas) else "not "


def _path(start: str, goal: str, edges: Sequence[Edge]) -> list[Edge]:
    """The shortest chain of edges by which `goal` is derived from `start`, last derivation first."""
    reached: dict[str, list[Edge]] = {start: []}
    queue = [start]
    for name in queue:
        if name == goal:
            return reached[name][::-1]
        for edge in edges:
            if edge.reference.collection == name and edge.head not in reached:
                reached[edge.head] = [*reached[name], edge]
                queue.append(edge.head)
    return []
