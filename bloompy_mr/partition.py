"""Which reduce task gets a key. The same in every process and on every machine, unlike Python's salted hash()."""

from __future__ import annotations

import struct
from typing import Any
from zlib import crc32

from bloompy_mr.errors import DataError


def stable_partition(key: Any, reduces: int) -> int:
    """The default partition function: a CRC-32 of the key, modulo the number of reduce tasks.

    Args:
        key: None, bool, int, float, str, bytes or a tuple of these; keys that are equal in Python fall together.
        reduces: number of reduce tasks, at least 1.

    Raises:
        DataError: a key of another type.
    """
    if type(key) is str:  # the common case without a further call
        return crc32(key.encode("utf-8", "surrogatepass")) % reduces
    return stable_hash(key) % reduces


def stable_hash(key: Any) -> int:
    """32 bits that depend on nothing but the value of the key."""
    if isinstance(key, str):
        return crc32(key.encode("utf-8", "surrogatepass"))
    return crc32(_bytes_of(key))


def _bytes_of(key: Any) -> bytes:
    if isinstance(key, str):
        return b"s" + key.encode("utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return b"b" + key
    if key is None:
        return b"n"
    if isinstance(key, float):
        if not key.is_integer():
            return b"f" + struct.pack(">d", key)
        key = int(key)  # 1.0 == 1, so both must go to one reduce task
    if isinstance(key, int):
        return b"i%d" % key
    if isinstance(key, tuple):
        parts = [_bytes_of(part) for part in key]
        return b"t" + b"".join(b"%d:" % len(part) + part for part in parts)
    raise DataError(
        f"a key of type {type(key).__name__} has no default partition: {key!r}",
        hint="use a str, a number or a tuple, or give the job a partition function",
    )
