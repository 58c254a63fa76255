"""Cycles in the graph of dependencies, by their names.

Adya 1999, section 4; Kingsbury and Alvaro 2020, section 2; for G-nonadjacent: A. Cerone, A. Gotsman, "Analysing Snapshot Isolation",
JACM 2018 (a history is snapshot isolated only if each cycle has two rw edges in a row).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from attrs import frozen

from bloompy.testing.histories.result import Violation
from bloompy.testing.histories.transactions.graph import PROCESS, REALTIME, RW, WR, WW, Edge, Graph
from bloompy.testing.histories.transactions.levels import LEVELS
from bloompy.testing.histories.transactions.transaction import Transaction


@frozen
class Rule:
    """What makes a cycle the anomaly of a name.

    Attributes:
        name: of the anomaly.
        first: the kind of edge that it has for sure.
        rest: the kinds that its other edges may have.
        another: whether there must be another rw edge.
        apart: whether no two rw edges may follow each other.
        order: "process" or "realtime": there must be such an edge.
    """

    name: str
    first: str
    rest: frozenset[str]
    another: bool = False
    apart: bool = False
    order: str = ""


def _rules() -> Iterator[Rule]:
    for order in ("", PROCESS, REALTIME):
        # What one process does in turn is also in the order of real time.
        orders = frozenset({PROCESS, REALTIME} if order == REALTIME else {order} - {""})
        suffix = f"-{order}" if order else ""
        yield Rule(f"G0{suffix}", WW, orders | {WW}, order=order)
        yield Rule(f"G1c{suffix}", WR, orders | {WW, WR}, order=order)
        yield Rule(f"G-single{suffix}", RW, orders | {WW, WR}, order=order)
        yield Rule(f"G-nonadjacent{suffix}", RW, orders | {WW, WR, RW}, another=True, apart=True, order=order)
        yield Rule(f"G2-item{suffix}", RW, orders | {WW, WR, RW}, another=True, order=order)


RULES = tuple(_rules())
_TOLD = 3
"""How many cycles of one name are told."""
_TRIES = 20
"""Of how many cycles of one component the shortest is told."""


def cycles(graph: Graph) -> Iterator[Violation]:
    """The shortest cycles found, a few of each name; of cycles of the same transactions only those that say more than others."""
    told: dict[frozenset[Transaction], list[str]] = {}
    for rule in RULES:
        shown = 0
        for component in graph.components(rule.rest | {rule.first}):
            found = _shortest(graph, rule, component)
            names = told.setdefault(frozenset(edge.before for edge in found), [])
            if found and not any(_says(name, rule.name) for name in names):
                names.append(rule.name)
                yield Violation(rule.name, _in_words(found), tuple(edge.before.operation for edge in found))
                shown += 1
                if shown == _TOLD:
                    break


def _says(told: str, name: str) -> bool:
    """Whether what was told is forbidden wherever an anomaly of the other name is."""
    return all(told in forbidden for forbidden in LEVELS.values() if name in forbidden)


def _shortest(graph: Graph, rule: Rule, component: list[Transaction]) -> list[Edge]:
    """The shortest of the first cycles found in a component; empty if there is none."""
    within, best, tries = set(component), list[Edge](), 0
    for transaction in component:
        for edge in graph.after(transaction, (rule.first,)):
            if edge.after in within:
                found = _closed(graph, rule, edge, within)
                if found and (not best or len(found) < len(best)):
                    best = found
                tries += bool(found)
                if tries >= _TRIES or len(best) == 2:
                    return best
    return best


def _closed(graph: Graph, rule: Rule, first: Edge, within: Collection[Transaction]) -> list[Edge]:
    """The shortest way back from an edge's end to its beginning that obeys a rule, after the edge; empty if there is none."""
    start = (first.after, True, not rule.another, not rule.order)
    came: dict[tuple[Transaction, bool, bool, bool], tuple[tuple[Transaction, bool, bool, bool], Edge] | None] = {start: None}
    todo = [start]
    for at in todo:
        transaction, adjacent, another, ordered = at
        if transaction is first.before:
            if another and ordered and not (rule.apart and adjacent):
                return _from_earliest([first, *_way(came, at)])
            continue
        for edge in graph.after(transaction, rule.rest):
            rw = edge.kind == RW
            if edge.after in within and not (rw and adjacent and rule.apart):
                then = (edge.after, rw, another or rw, ordered or edge.kind in (PROCESS, REALTIME))
                if then not in came:
                    came[then] = (at, edge)
                    todo.append(then)
    return []


def _way(
    came: dict[tuple[Transaction, bool, bool, bool], tuple[tuple[Transaction, bool, bool, bool], Edge] | None],
    at: tuple[Transaction, bool, bool, bool],
) -> list[Edge]:
    found = []
    while (step := came[at]) is not None:
        at, edge = step
        found.append(edge)
    return found[::-1]


def _from_earliest(edges: list[Edge]) -> list[Edge]:
    """The cycle from the transaction on that began first."""
    start = min(range(len(edges)), key=lambda i: edges[i].before.operation.invoked)
    return edges[start:] + edges[:start]


def _in_words(edges: list[Edge]) -> str:
    parts = [f"{edge.before.name} before {edge.after.name}, because {edge.why} ({edge.kind})" for edge in edges]
    names = dict.fromkeys(edge.before for edge in edges)
    who = "; ".join(f"{each.name} is {each.operation}" for each in names)
    return f"{'; '.join(parts)}: a cycle. {who}"
