"""The values that may travel and be stored: a closed set of types, decoded by nothing that could run code.

None, bool, int of any size, float, str, bytes, tuple, frozenset, and the Map and Bag of lattices come back as they were.
MessagePack has no tuples, sets or large integers: its arrays are read as tuples, and the others are extension types. A Map is
decoded with its values merging by type; the column that it goes into gives it its own lattice again.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.msgpack import Decoder, Encoder, Ext

from bloompy.errors import WireError
from bloompy.lattices import GREATEST, LEAST, Bag, Map

NESTING_LIMIT = 32
"""How deep tuples and frozensets may stand in one another."""

SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_PLAIN = SCALARS - {int}
"""Those that are packed as they are; large integers are not."""

_FROZENSET, _INTEGER, _MAP, _BAG = 1, 2, 3, 4
_INTEGER_BYTES = 1024  # such an integer can still be printed, in an error message for example

# Sets that msgspec itself encodes (in typed columns) are sorted, so that equal rows are equal bytes in every process.
ENCODER = Encoder(order="deterministic")
_DECODER = Decoder()


def pack(value: Any, depth: int = NESTING_LIMIT) -> Any:
    """A value of the closed set in the form that the encoder takes.

    Raises:
        WireError: for a value of another type, nested too deep, or an integer of more than 8,192 bits.
    """
    kind = type(value)
    if kind is int:
        return value if -(2**63) <= value < 2**64 else _pack_integer(value)
    if kind in SCALARS:
        return value
    if depth == 0:
        raise WireError(f"a value is nested deeper than {NESTING_LIMIT}", hint="flatten it into columns or rows")
    if isinstance(value, tuple):  # rows as values too: they travel as the tuples they are
        return tuple([item if type(item) in _PLAIN else pack(item, depth - 1) for item in value])
    if kind is frozenset:
        items = sorted(ENCODER.encode(pack(item, depth - 1)) for item in value)
        return Ext(_FROZENSET, ENCODER.encode([msgspec.Raw(item) for item in items]))
    if kind is Map or kind is Bag:
        pairs = value.items() if kind is Map else value.counts().items()
        items = sorted(ENCODER.encode(pack(pair, depth - 1)) for pair in pairs)
        return Ext(_MAP if kind is Map else _BAG, ENCODER.encode([msgspec.Raw(item) for item in items]))
    if value is LEAST or value is GREATEST:
        return float(value)
    raise WireError(
        f"a value of type {kind.__qualname__} cannot be sent or stored: {value!r:.200}",
        hint="use None, bool, int, float, str, bytes, tuple or frozenset, or declare the column's type; lattices may be Map or Bag",
    )


def unpack(value: Any, depth: int = NESTING_LIMIT) -> Any:
    """The value that was packed, from what a decoder without types gives.

    Raises:
        WireError: for anything outside the closed set.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    if depth == 0:
        raise WireError(f"a value is nested deeper than {NESTING_LIMIT}")
    if kind is list or kind is tuple:
        return tuple([item if type(item) in SCALARS else unpack(item, depth - 1) for item in value])
    if kind is Ext and value.code == _FROZENSET:
        items = _DECODER.decode(value.data)
        if type(items) is list:
            return frozenset([unpack(item, depth - 1) for item in items])
    if kind is Ext and value.code in (_MAP, _BAG):
        return _unpack_pairs(value, depth)
    if kind is Ext and value.code == _INTEGER and len(value.data) <= _INTEGER_BYTES:
        return int.from_bytes(value.data, "big", signed=True)
    raise WireError(f"a value of a type that is not sent: {kind.__qualname__}")


def _unpack_pairs(value: Ext, depth: int) -> Map | Bag:
    """A Map or Bag, whose constructors check what they are given."""
    pairs = [unpack(pair, depth - 1) for pair in _listed(_DECODER.decode(value.data))]
    if any(type(pair) is not tuple or len(pair) != 2 for pair in pairs):
        raise WireError("a Map or Bag of something else than pairs")
    try:
        return Map.received(pairs) if value.code == _MAP else Bag(dict(pairs))
    except (TypeError, ValueError) as error:
        raise WireError(f"a Map or Bag cannot be made: {error}") from None


def _listed(value: Any) -> list[Any]:
    if type(value) is not list:
        raise WireError("a Map or Bag of something else than pairs")
    return value


def ordered(value: Any) -> Any:
    """A value for the encoder whose frozensets may have members that cannot be compared, such as enums: by their bytes."""
    if type(value) is frozenset:
        return [msgspec.Raw(item) for item in sorted(ENCODER.encode(ordered(item)) for item in value)]
    return tuple([ordered(item) for item in value]) if isinstance(value, tuple) else value


def _pack_integer(value: int) -> Ext:
    size = value.bit_length() // 8 + 1
    if size > _INTEGER_BYTES:
        raise WireError(f"an integer of {value.bit_length()} bits cannot be sent or stored", hint=f"at most {_INTEGER_BYTES * 8} bits")
    return Ext(_INTEGER, value.to_bytes(size, "big", signed=True))
