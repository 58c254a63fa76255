"""Tables of rows as HTML, for notebooks. Every value is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice
from typing import Any

SHOWN_ROWS = 20
SHOWN_CHARACTERS = 200


def table_html(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], total: int) -> str:
    """A table of the first rows.

    Args:
        caption: what it shows, as plain text.
        columns: the headings, as plain text.
        rows: values; only the first 20 rows are taken.
        total: how many rows there are, said below the table when not all are shown.
    """
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in islice(rows, SHOWN_ROWS))
    more = f"<tr><td colspan='{len(columns)}'>… {total:,} rows</td></tr>" if total > SHOWN_ROWS else ""
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}{more}</tbody></table>"


def _cell(value: Any) -> str:
    text = repr(value)
    return f"<td>{escape(text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + '…')}</td>"
