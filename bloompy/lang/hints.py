"""Words for hints."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    close = difflib.get_close_matches(name, list(known), 1)
    return close[0] if close else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str, prefix: str = "") -> str:
    """A hint with the name that was probably meant, else another hint."""
    close = closest(name, known)
    return f"did you mean {prefix}{close}?" if close else otherwise


def counted(number: int, noun: str) -> str:
    """`1 column`, `2 columns`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
