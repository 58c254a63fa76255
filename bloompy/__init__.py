"""Bloom in Python: distributed programs as rules over collections.

    from bloompy import Bloom, rule, table

See `docs/cheat-sheet.md` for the language on one page.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bloompy import agg, errors
    from bloompy import lattices as lattice
    from bloompy.agg import aggregate
    from bloompy.declarations import channel, interface, loopback, module, param, periodic, scratch, stdio, table
    from bloompy.engine.tick import Tick
    from bloompy.errors import BloomError
    from bloompy.lang.methods import bootstrap, invariant, rule
    from bloompy.lang.source import exec_source
    from bloompy.program import Bloom
    from bloompy.runtime.node import Node
    from bloompy.schema import Row, key

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

_MODULES = {"agg": "bloompy.agg", "errors": "bloompy.errors", "lattice": "bloompy.lattices"}
_WHERE = {
    "bloompy.agg": ("aggregate",),
    "bloompy.declarations": ("channel", "interface", "loopback", "module", "param", "periodic", "scratch", "stdio", "table"),
    "bloompy.engine.tick": ("Tick",),
    "bloompy.errors": ("BloomError",),
    "bloompy.lang.methods": ("bootstrap", "invariant", "rule"),
    "bloompy.lang.source": ("exec_source",),
    "bloompy.program": ("Bloom",),
    "bloompy.runtime.node": ("Node",),
    "bloompy.schema": ("Row", "key"),
}
_NAMES = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> object:
    """Names are loaded when they are first asked for: the pytest plugin lives in here, and every start of pytest imports that."""
    if name in _MODULES:
        found: object = import_module(_MODULES[name])
    elif name in _NAMES:
        found = getattr(import_module(_NAMES[name]), name)
    else:
        raise AttributeError(f"module 'bloompy' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
