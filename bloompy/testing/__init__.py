"""What tests of Bloom programs use: decorators for tests under faults, tables as text, strategies, checkers of histories, laws.

`laws` and `strategies` need hypothesis; nothing else of bloompy does.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bloompy.sim.search.liveness import must
    from bloompy.sim.search.running import replay, run_once
    from bloompy.testing.decorators import exhaustive, lineage_driven, random_faults
    from bloompy.testing.tables import assert_rows, rows_of, table_text

__all__ = [
    "assert_rows",
    "exhaustive",
    "lineage_driven",
    "must",
    "random_faults",
    "replay",
    "rows_of",
    "run_once",
    "table_text",
]

_HOMES = dict.fromkeys(("exhaustive", "lineage_driven", "random_faults"), "bloompy.testing.decorators")
_HOMES |= dict.fromkeys(("assert_rows", "rows_of", "table_text"), "bloompy.testing.tables")
_HOMES |= dict.fromkeys(("replay", "run_once"), "bloompy.sim.search.running") | {"must": "bloompy.sim.search.liveness"}


def __getattr__(name: str) -> object:
    """Each is loaded when it is first asked for: a test of tables needs no simulation."""
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'bloompy.testing' has no attribute {name!r}")
