"""What hypothesis calls when it is imported (entry point): `from_type` gives rows of `Row` classes. Loads little."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from bloompy.schema import Row, on_row_class


def register() -> None:
    """Have hypothesis know every `Row` class, also those declared later."""
    if _tell not in on_row_class:
        on_row_class.append(_tell)
        for known in _below(Row):
            _tell(known)


def _tell(row: type[Row]) -> None:
    st.register_type_strategy(row, _rows)


def _rows(row: type[Row]) -> st.SearchStrategy[Any]:
    from bloompy.testing.strategies import rows  # only those who ask for rows need it

    return rows(row)


def _below(row: type[Row]) -> Iterator[type[Row]]:
    """The declared classes below one; those that schemas in strings make for themselves have no name that one could ask for."""
    for found in row.__subclasses__():
        if found.__dict__.get("__annotations__"):
            yield found
        yield from _below(found)
