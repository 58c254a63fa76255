"""Keys as bytes: equal keys give equal bytes, as Python means equal."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bloompy.errors import WireError
from bloompy.schema import Schema
from bloompy.transports.values import ENCODER, ordered, pack

_ONE_FORM = frozenset({type(None), int, str, bytes})
"""Types whose values need no other form to be equal to others; the encoder knows all but large integers."""


def key_bytes(name: str, schema: Schema, key: Any) -> bytes:
    """The key of a row of a table, as the store finds it.

    Args:
        name: of the table.
        schema: its schema.
        key: bare for a key of one column, else a tuple.

    Raises:
        WireError: for a value that cannot be stored.
    """
    values = (key,) if len(schema.key_indexes) == 1 else key
    try:
        if _ONE_FORM.issuperset(map(type, values)) and (packed := _encoded_at_once(values)) is not None:
            return packed
        return ENCODER.encode([_packed(_canonical(value)) for value in values])
    except (TypeError, OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise WireError(f"{name}: {key!r:.200} cannot be stored: {error}", hint=f"its columns are {schema}") from None


def _encoded_at_once(values: tuple[Any, ...]) -> bytes | None:
    try:
        return ENCODER.encode(values)
    except OverflowError:  # an integer of more than 64 bits
        return None


def _packed(value: Any) -> Any:
    try:
        return pack(value)
    except WireError:
        return ordered(value)  # enums, dates, UUIDs: msgspec knows them, or raises


def _canonical(value: Any) -> Any:
    """One form for values that are equal: 1, 1.0 and True; 0.0 and -0.0; Decimals of any exponent; one instant in two time zones."""
    kind = type(value)
    if kind is bool or (kind is float and value.is_integer()):
        return int(value)
    if kind is Decimal:
        return value.normalize() if value else Decimal(0)
    if kind is datetime and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, tuple):
        return tuple([_canonical(item) for item in value])
    return frozenset(map(_canonical, value)) if kind is frozenset else value
