"""Where a query takes a lattice value only element by element, so that of a set that has grown only what is new matters.

Iterating a set and asking what is in it are morphisms (Bloom^L, section 3.2): of the merge of two sets they give the merge of what
they give of each. So a rule that uses a value once, in this way, may be evaluated on the new elements alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from bloompy.analysis.dependencies import expressions
from bloompy.ir.nodes import Condition, Expression, Field, Iterate, Python, RowVariable, Scan, Select, Variable
from bloompy.lattices import Lattice, lset
from bloompy.schema import Schema


def taken_apart(query: Select, schemas: Mapping[str, Schema]) -> dict[int, bool]:
    """The scans of a query whose lattice values are used so, or not at all.

    Args:
        query: it.
        schemas: by relation.

    Returns:
        by position in the body whether there is such a use (True), or none (False).
    """
    found: dict[int, bool] = {}
    for position, clause in enumerate(query.body):
        if isinstance(clause, Scan) and schemas[clause.collection].lattices:
            uses = _uses(query, clause, dict(schemas[clause.collection].lattices))
            if uses == []:
                found[position] = False
            elif uses is not None and len(uses) == 1 and _is_set(uses[0][1]) and _by_element(query, uses[0][0]):
                found[position] = True
    return found


def _uses(query: Select, scan: Scan, lattices: Mapping[int, type[Lattice]]) -> list[tuple[Expression, type[Lattice]]] | None:
    """The expressions that are a lattice value of a scan's row; None where the row is used in another way."""
    nodes = list(expressions(query))
    if isinstance(scan.target, tuple):
        parts = [(scan.target[i], kind) for i, kind in lattices.items()]
        if any(isinstance(part, tuple) for part, _ in parts):
            return None
        names = {part: kind for part, kind in parts if isinstance(part, str)}
        return [(node, names[node.name]) for node in nodes if isinstance(node, Variable) and node.name in names]
    columns = [node for node in nodes if isinstance(node, Field) and node.row == RowVariable(scan.target, scan.collection)]
    if len(columns) != sum(isinstance(node, RowVariable) and node.name == scan.target for node in nodes):
        return None
    return [(node, lattices[node.index]) for node in columns if node.index in lattices]


def _is_set(kind: type[Lattice]) -> bool:
    return issubclass(kind, lset) and kind.merge is lset.merge


def _by_element(query: Select, value: Expression) -> bool:
    """Whether a value is iterated, or asked for an element, in a clause of the query itself."""
    for clause in query.body:
        match clause:
            case Iterate(_, source) if source is value:
                return True
            case Condition(Python("_0 in _1", (_, container))) if container is value:
                return True
    return False
