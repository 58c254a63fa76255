"""Programs to programs: changing the IR node by node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import attrs

from bloompy.ir.nodes import Aggregate, Collection, Parameter, Program, Rule
from bloompy.schema import Column, schema_of

T = TypeVar("T")

_PACKAGE = "bloompy.ir"


def rebuild(node: T, change: Callable[[Any], Any]) -> T:
    """A copy in which every IR node below, and the node itself, went through `change`, children first.

    Args:
        node: an IR node, or a tuple of them.
        change: returns the node to stand in the place of the one given.
    """
    if isinstance(node, tuple):
        return cast(T, tuple(rebuild(item, change) for item in node))
    if not type(node).__module__.startswith(_PACKAGE):
        return node
    below = {}
    whole: Any = node
    for attribute in attrs.fields(type(whole)):
        old = getattr(node, attribute.name)
        if attribute.init and attribute.name != "value":
            new = rebuild(old, change)
            if new is not old:
                below[attribute.name] = new
    return cast(T, change(attrs.evolve(whole, **below) if below else node))


AT_NODE = "at_node"
"""The first column of every collection as invariants of the cluster see it."""


def of_cluster(collection: Collection) -> Collection:
    """The rows of a collection at all nodes, as one table: each begins with the address of its node, which is part of the key.

    Raises:
        SchemaError: where it has a column of that name already.
    """
    columns = [Column(AT_NODE, str, "str"), *(attrs.evolve(column, address=False) for column in collection.schema.columns)]
    schema = schema_of(columns, collection.span)
    return attrs.evolve(collection, kind="table", schema=schema, durable=False, period=None, lattice=False, delayed=False)


def prefixed(program: Program, prefix: str, shared: frozenset[str]) -> Program:
    """The program as an inner module: every collection, parameter and method named `prefix.name`.

    Args:
        program: the inner program.
        prefix: the name of the module in the outer class.
        shared: collections that inner and outer program have in common.
    """

    def name_of(name: str) -> str:
        return name if name in shared else f"{prefix}.{name}"

    def change(node: Any) -> Any:
        match node:
            case Rule():
                module = f"{prefix}.{node.module}" if node.module else prefix
                return attrs.evolve(node, head=node.head and name_of(node.head), module=module, scope=f"{prefix}.{node.scope}")
            case Collection():
                return attrs.evolve(node, name=name_of(node.name))
            case Aggregate():
                return node
        if hasattr(node, "collection"):
            return attrs.evolve(node, collection=name_of(node.collection))
        if isinstance(node, Parameter) or type(node).__name__ == "Method":
            return attrs.evolve(node, name=f"{prefix}.{node.name}")
        return node

    return Program(
        program.name,
        tuple(rebuild(collection, change) for collection in program.collections if collection.name not in shared),
        tuple(rebuild(rule, change) for rule in program.rules),
        tuple(f"{prefix}.{name}" for name in program.parameters),
    )
