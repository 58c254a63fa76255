"""Values as words of one line: nothing in them breaks a line, moves a cursor or turns the direction of writing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_BARE = re.compile(r"[^\W\d][\w.:/@-]*")
_KEYWORDS = frozenset({"None", "True", "False"})
_BARE_CHARACTERS = 40


def one_line(text: object) -> str:
    """A text with everything that is not printed as a character of its own (controls, line ends, marks of direction) as an escape."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in shown)


def wide(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(_columns(one) for one in text)


def cut(text: object, columns: int) -> str:
    """A text in one line, of at most so many columns of a terminal; "…" stands for what is left out."""
    shown = one_line(text)
    if wide(shown) <= columns:
        return shown
    kept, taken = [], 1
    for one in shown:
        taken += _columns(one)
        if taken > columns:
            break
        kept.append(one)
    return "".join(kept) + "…" if columns > 0 else ""


def value_text(value: object) -> str:
    """A value, short: a string that looks like a name goes without quotes; sets are sorted, so that equal values are equal texts."""
    if isinstance(value, str):
        bare = len(value) <= _BARE_CHARACTERS and value not in _KEYWORDS and _BARE.fullmatch(value)
        return one_line(value if bare else repr(value))
    if type(value) is tuple:
        return f"({', '.join(map(value_text, value))}{',' if len(value) == 1 else ''})"
    if type(value) is list:
        return f"[{', '.join(map(value_text, value))}]"
    if isinstance(value, frozenset | set):
        return f"{{{', '.join(sorted(map(value_text, value)))}}}"
    if type(value) is dict:
        return f"{{{', '.join(f'{value_text(key)}: {value_text(one)}' for key, one in value.items())}}}"
    try:
        return one_line(repr(value))
    except Exception as error:  # a picture of a failure must not fail for a value's own fault
        return f"<{type(value).__name__}: {type(error).__name__} in repr>"


def row_text(collection: str, row: Sequence[Any], without: int | None = None) -> str:
    """A row as a fact: `put(k, 1)`.

    Args:
        collection: its name.
        row: the values.
        without: index of a column to leave out (a message's address, which the arrow shows).
    """
    return f"{one_line(collection)}({', '.join(value_text(value) for i, value in enumerate(row) if i != without)})"


def rows_text(rows: Mapping[str, Iterable[Sequence[Any]]], addresses: Mapping[str, int | None]) -> list[str]:
    """The rows of a message as facts, without the address where its column is known.

    Args:
        rows: by channel.
        addresses: the index of the address column by channel.
    """
    return [row_text(channel, row, addresses.get(channel)) for channel, some in rows.items() for row in some]


def number(count: int, noun: str) -> str:
    """A count with its noun: "1 event", "2,000 events"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
