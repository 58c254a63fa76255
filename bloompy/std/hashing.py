"""A hash that is the same in every process, on every machine and in every version."""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Any

from bloompy.errors import UsageError

BITS = 64
"""How many bits `stable_hash` has."""


def stable_hash(value: Any) -> int:
    """64 bits that depend on nothing but the value; Python's own hash of texts is another one in every process.

    Args:
        value: None, bool, int, float, str, bytes, or a tuple or frozenset of these. Values that are equal in Python have
            one hash: 1, 1.0 and True do.

    Returns:
        a number from 0 to 2**64 - 1: the first 8 bytes of BLAKE2b of the value's encoding, big-endian.

    Raises:
        UsageError: for a value of another type, or a NaN, which equals nothing.
    """
    return int.from_bytes(blake2b(_encoded(value), digest_size=BITS // 8).digest(), "big")


def _encoded(value: Any) -> bytes:
    """Different bytes for different values; the first says of which type."""
    match value:
        case str():
            return b"s" + value.encode("utf-8", "surrogatepass")
        case int():
            return b"i%d" % value
        case float() if value == value:
            return b"i%d" % int(value) if value.is_integer() else b"f" + struct.pack(">d", value)
        case bytes():
            return b"b" + value
        case None:
            return b"n"
        case tuple():
            return b"t" + _joined([_encoded(part) for part in value])
        case frozenset():
            return b"e" + _joined(sorted(_encoded(part) for part in value))
    raise UsageError(
        f"{value!r} of type {type(value).__name__} has no stable hash",
        hint="give None, a bool, number, str or bytes, or a tuple or frozenset of these",
    )


def _joined(parts: list[bytes]) -> bytes:
    return b"".join(b"%d:" % len(part) + part for part in parts)
