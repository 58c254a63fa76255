"""Bloom in Python: distributed programs as rules over collections.

    from bloompy import Bloom, rule, table

See `docs/cheat-sheet.md` for the language on one page.
"""

from typing import TYPE_CHECKING

from bloompy import agg, errors
from bloompy import lattices as lattice
from bloompy.agg import aggregate
from bloompy.declarations import channel, interface, loopback, module, param, periodic, scratch, stdio, table
from bloompy.engine.tick import Tick
from bloompy.errors import BloomError
from bloompy.lang.methods import bootstrap, invariant, rule
from bloompy.lang.source import exec_source
from bloompy.program import Bloom
from bloompy.schema import Row, key

if TYPE_CHECKING:
    from bloompy.runtime.node import Node

__all__ = [
    "Bloom",
    "BloomError",
    "Node",
    "Row",
    "Tick",
    "agg",
    "aggregate",
    "bootstrap",
    "channel",
    "errors",
    "exec_source",
    "interface",
    "invariant",
    "key",
    "lattice",
    "loopback",
    "module",
    "param",
    "periodic",
    "rule",
    "scratch",
    "stdio",
    "table",
]


def __getattr__(name: str) -> object:
    """`Node` is loaded when it is first asked for, since stepping a program needs no network."""
    if name == "Node":
        from bloompy.runtime.node import Node

        return Node
    raise AttributeError(f"module 'bloompy' has no attribute {name!r}")
