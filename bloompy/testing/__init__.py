"""What tests of Bloom programs use: decorators for tests under faults, tables as text, strategies, checkers of histories, laws.

`laws` and `strategies` need hypothesis; nothing else of bloompy does.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bloompy.testing.decorators import random_faults
    from bloompy.testing.tables import assert_rows, rows_of, table_text

__all__ = ["assert_rows", "random_faults", "rows_of", "table_text"]

_HOMES = {"random_faults": "decorators", "assert_rows": "tables", "rows_of": "tables", "table_text": "tables"}


def __getattr__(name: str) -> object:
    """Each is loaded when it is first asked for: a test of tables needs no simulation."""
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(f"bloompy.testing.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'bloompy.testing' has no attribute {name!r}")
