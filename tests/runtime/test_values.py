"""The closed set of values: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import enum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy.errors import WireError
from bloompy.transports.values import ENCODER, NESTING_LIMIT, pack, unpack

scalars = (
    st.none() | st.booleans() | st.integers() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False) | st.text() | st.binary()
)
values = st.recursive(scalars, lambda inner: st.lists(inner).map(tuple) | st.frozensets(inner), max_leaves=20)


def through_the_wire(value: Any) -> Any:
    return unpack(msgspec.msgpack.decode(ENCODER.encode(pack(value))))


def shape(value: Any) -> Any:
    """A value with all its types: 1, 1.0 and True are equal in Python."""
    if isinstance(value, tuple):
        return (tuple, tuple(map(shape, value)))
    if isinstance(value, frozenset):
        return (frozenset, frozenset(map(shape, value)))
    return (type(value), repr(value))


@given(values)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert shape(through_the_wire(value)) == shape(value)


@given(st.frozensets(st.text()))
def test_equal_sets_are_equal_bytes(value: frozenset[str]) -> None:
    assert ENCODER.encode(pack(value)) == ENCODER.encode(pack(frozenset(sorted(value, reverse=True))))


class Colour(enum.Enum):
    RED = 1


class Name(str):
    pass


@pytest.mark.parametrize("value", [[1], {1: 2}, {1}, Colour.RED, Name("a"), object(), 1j, bytearray(b"a"), ((),) and ([],)])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(WireError, match="cannot be sent or stored") as caught:
        pack(value)
    assert "declare the column's type" in str(caught.value.hint)


def test_nesting_is_limited() -> None:
    deep: Any = 1
    for _ in range(NESTING_LIMIT):
        deep = (deep,)
    assert through_the_wire(deep) == deep
    with pytest.raises(WireError, match="nested deeper"):
        pack((deep,))
    with pytest.raises(WireError, match="nested deeper"):
        unpack(msgspec.msgpack.decode(b"\x91" * (NESTING_LIMIT + 1) + b"\x01"))


def test_nesting_by_frozensets_is_limited_too() -> None:
    data = b"\x01"
    for _ in range(NESTING_LIMIT + 2):
        data = msgspec.msgpack.encode(msgspec.msgpack.Ext(1, b"\x91" + data))
    with pytest.raises(WireError, match="nested deeper"):
        unpack(msgspec.msgpack.decode(data))


def test_an_integer_may_be_large_but_not_any_size() -> None:
    assert through_the_wire(-(2**8000)) == -(2**8000)
    with pytest.raises(WireError, match="an integer of 40001 bits"):
        pack(2**40_000)


@pytest.mark.parametrize("foreign", [{"a": 1}, msgspec.msgpack.Ext(7, b""), msgspec.msgpack.Ext(1, b"\x01"), msgspec.msgpack.Ext(2, b"1" * 5000)])
def test_what_is_not_of_the_set_does_not_come_in(foreign: Any) -> None:
    with pytest.raises(WireError, match="not sent"):
        unpack(foreign)
