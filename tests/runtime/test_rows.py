"""Rows as bytes: typed columns, refusals row by row, types that cannot be sent."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import uuid
from dataclasses import dataclass
from typing import Any, Literal  # noqa: F401  # Literal stands in a schema

import attrs
import msgspec
import pytest

from bloompy import lattice
from bloompy.errors import RowError, UsageError, WireError
from bloompy.lattices import GREATEST, LEAST, Bag, Map
from bloompy.schema import Schema, parse_schema
from bloompy.transports.rows import RowCodec


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Point:
    x: int
    y: int


@dataclass(frozen=True)
class Span:
    start: datetime.date
    parts: tuple[Point, ...]


@dataclass
class Loose:
    x: int


@attrs.frozen
class Anything:
    x: Any


@attrs.frozen
class Painted:
    colours: frozenset[Colour]


class lpoint(lattice.Lattice):
    """Points of which each coordinate only grows."""

    bottom = Point(0, 0)
    values = Point

    @staticmethod
    def merge(a: Point, b: Point) -> Point:
        return Point(max(a.x, b.x), max(a.y, b.y))


class lloose(lpoint):
    values = Loose


NAMES: dict[str, Any] = {**vars(__import__("builtins")), **lattice.NAMES, **globals()}


def schema(text: str) -> Schema:
    return parse_schema(text, lambda name: eval(name, NAMES))


def codec(text: str) -> RowCodec:
    return RowCodec("c", schema(text))


def there_and_back(text: str, *rows: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    faults: list[Exception] = []
    found = codec(text).decode(codec(text).encode(rows), faults.append)
    assert not faults
    return found


TIME = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("a, b -> c", (1, ("x", (2.5, None)), frozenset({1, (2,)}))),
        ("a: int -> b: float, c: str, d: bytes, e: bool", (1, 2.0, "x", b"y", True)),
        ("a: int | None -> b: str | bytes | None", (None, b"x")),
        ("a: int", (2**70,)),
        ("a: int, b: Colour", (2**70, Colour.RED)),
        ("a, b: uuid.UUID", (2**70, uuid.UUID(int=5))),
        ("a: tuple[int, ...] -> b: tuple[tuple[str, int], ...]", ((1, 2), (("x", 1),))),
        ("a: frozenset[int] -> b: tuple", (frozenset({1, 2}), (1, (2,)))),
        ("a: Literal['x', 1]", (1,)),
        ("a: Colour -> b: Point", (Colour.BLUE, Point(1, 2))),
        ("a: datetime.datetime -> b: datetime.date, c: datetime.timedelta", (TIME, TIME.date(), datetime.timedelta(seconds=5))),
        ("a: decimal.Decimal -> b: uuid.UUID", (decimal.Decimal("1.50"), uuid.UUID(int=5))),
        ("a: frozenset[Colour] -> b: frozenset[Point]", (frozenset(Colour), frozenset({Point(1, 2), Point(0, 3)}))),
        ("a: tuple[frozenset[Colour], int]", ((frozenset(Colour), 1),)),
        ("a: Span -> b: tuple[Colour, ...], c: frozenset[uuid.UUID]", (Span(TIME.date(), (Point(1, 2),)), (Colour.RED,), frozenset({uuid.UUID(int=1)}))),
    ],
)
def test_a_row_comes_back_as_it_was(text: str, row: tuple[Any, ...]) -> None:
    (found,) = there_and_back(text, row)
    assert found == row
    assert [type(value) for value in found] == [type(value) for value in row]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("k -> a: lmax, b: lmin, c: lbool, d: lset, e: lpset", ("x", 5, "y", True, frozenset({1, (2,)}), frozenset({1, 2.5}))),
        ("-> a: lmax, b: lmin", (LEAST, GREATEST)),
        ("-> a: lbag, b: lmap", (Bag(["a", 1, 1]), Map({"a": 1, 2: frozenset({3}), (4,): Map({True: Bag("x")})}))),
        ("-> a: lmap[lmin]", (Map({"a": GREATEST, "b": 3}, lattice.lmin),)),
        ("-> a: lpoint, b: lmap[lpoint]", (Point(1, 2), Map({}, lpoint))),
    ],
)
def test_lattice_values_come_back_as_they_were(text: str, row: tuple[Any, ...]) -> None:
    (found,) = there_and_back(text, row)
    assert found == row
    assert [type(value) for value in found] == [type(value) for value in row]
    assert [value.of for value in found if isinstance(value, Map)] == [value.of for value in row if isinstance(value, Map)]


def test_equal_maps_and_bags_are_equal_bytes() -> None:
    one, other = (Map({"a": 1, "b": 2}), Bag("aab")), (Map({"b": 2, "a": 1}), Bag("baa"))
    assert codec("-> m: lmap, b: lbag").encode([one]) == codec("-> m: lmap, b: lbag").encode([other])


@pytest.mark.parametrize("code", [3, 4])
@pytest.mark.parametrize("inside", [b"\x01", b"\x91\x01", b"\x91\x91\x01", b"\x91\x92\x01\xc0"])
def test_a_map_or_bag_of_something_else_is_refused(code: int, inside: bytes) -> None:
    rows, faults = decode("-> m: lmap, b: lbag", [[msgspec.msgpack.Ext(code, inside), msgspec.msgpack.Ext(code, inside)]])
    assert not rows
    assert len(faults) == 1


def test_a_lattice_whose_values_cannot_be_sent_is_named() -> None:
    with pytest.raises(UsageError, match="column 'a' of 'c' has type lloose, whose values cannot be sent"):
        codec("-> a: lloose")


def test_no_rows_are_rows_too() -> None:
    assert there_and_back("a, b") == []


def test_rows_as_values_travel_as_tuples() -> None:
    row = schema("x, y").row.make((1, 2))
    assert there_and_back("a", (row,)) == [((1, 2),)]


@pytest.mark.parametrize("text", ["a: list", "a: dict", "a: complex", "a: Loose", "a: Anything", "a: tuple[Loose, ...]", "a: str | uuid.UUID"])
def test_a_type_that_cannot_be_sent_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"column 'a' of 'c' has type .*cannot be sent") as caught:
        codec(text)
    assert caught.value.code == "BLM306"
    assert "frozen attrs" in str(caught.value.hint)


def test_what_msgspec_cannot_write_is_named() -> None:
    with pytest.raises(WireError, match="c: '<' not supported") as caught:
        codec("a: Painted").encode([(Painted(frozenset(Colour)),)])
    assert "its columns are a: Painted" in str(caught.value.hint)


def test_the_largest_integer_that_comes_in_can_be_shown() -> None:
    large = [[msgspec.msgpack.Ext(2, b"\x7f" * size)] for size in (1024, 1025)]
    rows, faults = decode("a: Literal['x', 1]", large)
    assert not rows
    assert "is not of type" in str(faults[0])
    assert "not sent" in str(faults[1])


def test_a_value_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(WireError, match="type Colour cannot be sent"):
        codec("a").encode([(Colour.RED,)])


def decode(text: str, rows: Any) -> tuple[list[tuple[Any, ...]], list[Exception]]:
    """What a codec takes from a peer that sends anything it likes, and what it refuses."""
    faults: list[Exception] = []
    return codec(text).decode(msgspec.msgpack.encode(rows), faults.append), faults


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a: int -> b: str", [1]),
        ("a: int -> b: str", [1, "x", 2]),
        ("a: int -> b: str", ["1", "x"]),
        ("a: int -> b: str", [True, "x"]),
        ("a: int -> b: str", [1.0, "x"]),
        ("a: int -> b: str", [None, "x"]),
        ("a: int -> b: str", 5),
        ("a: int -> b: str", {"a": 1, "b": "x"}),
        ("a: float -> b: str", [math.nan, "x"]),
        ("a -> b", [math.nan, "x"]),
        ("a: int -> b", [1, {"x": 1}]),
        ("a: int -> b: Colour", [1, "green"]),
        ("a: int -> b: Point", [1, {"x": 1}]),
        ("a: int -> b: tuple[int, ...]", [1, ["x"]]),
    ],
)
def test_a_row_that_does_not_fit_is_refused_alone(text: str, wrong: Any) -> None:
    right = {"a: float -> b: str": [2.0, "x"], "a: int -> b: Colour": [2, "red"], "a: int -> b: Point": [2, {"x": 1, "y": 2}]}.get(
        text, [2, (1,)] if "tuple" in text else [2, "x"]
    )
    rows, faults = decode(text, [right, wrong, right])
    assert len(rows) == 2
    assert len(faults) == 1
    assert isinstance(faults[0], WireError | RowError | msgspec.ValidationError)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x92\x91", b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000, b"\x91\x91\xa1\xff"])
def test_malformed_bytes_are_refused(data: bytes) -> None:
    for text in ("a", "a: int", "a: str", "a: tuple"):
        faults: list[Exception] = []
        assert codec(text).decode(data, faults.append) == []
        assert len(faults) == 1
