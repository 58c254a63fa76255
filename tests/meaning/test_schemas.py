"""Design §2.1: schemas, and the types of rows that enter."""

from __future__ import annotations

import pytest

from bloompy import Bloom, Row, key, rule, scratch, table
from bloompy.errors import InheritanceConflict, RowError


class Money:
    """A class in scope of the schemas below."""

    def __init__(self, cents):
        self.cents = cents


class Typed(Bloom):
    number = table("k: int")
    real = table("k: int -> v: float")
    maybe = table("k: int -> v: str | None")
    pair = table("k: tuple[int, str]")
    money = table("k: int -> v: Money")
    anything = table("k -> v")
    one = table("-> v: int")


def held(evaluator, collection, *rows):
    p = Typed(evaluator=evaluator)
    getattr(p, collection).insert(*rows)
    p.tick()
    return getattr(p, collection).rows()


def test_rows_of_the_declared_types_enter(evaluator):
    assert held(evaluator, "number", (1,), 2) == {(1,), (2,)}
    assert held(evaluator, "maybe", (1, None), (2, "x")) == {(1, None), (2, "x")}
    assert held(evaluator, "pair", ((1, "x"),)) == {((1, "x"),)}
    assert held(evaluator, "anything", ("a", 1), (2, None)) == {("a", 1), (2, None)}
    money = Money(5)
    assert held(evaluator, "money", (1, money)) == {(1, money)}


def test_an_int_goes_into_a_float_column(evaluator):
    (row,) = held(evaluator, "real", (1, 2))
    assert repr(tuple(row)) == "(1, 2.0)"


@pytest.mark.parametrize(
    ("collection", "row", "message"),
    [
        ("number", ("x",), r"number\.k: 'x' is not of type int"),
        ("number", (True,), r"number\.k: True is not of type int"),
        ("number", (1.0,), r"number\.k: 1\.0 is not of type int"),
        ("real", (1, None), r"real\.v: None is not of type float"),
        ("real", (1, "2"), r"real\.v: '2' is not of type float"),
        ("maybe", (1, 2), r"maybe\.v: 2 is not of type str \| None"),
        ("pair", ((1, 2),), r"pair\.k: \(1, 2\) is not of type"),
        ("money", (1, 5), r"money\.v: 5 is not of type Money"),
        ("number", (1, 2), r"number: \(1, 2\) has 2 values|number\.k: \(1, 2\)"),
        ("real", (1,), r"real: \(1,\) has 1 values"),
        ("real", [1, 2.0], r"real: \[1, 2\.0\] is no row"),
        ("anything", (1, [2]), r"anything\.v: \[2\] is not hashable"),
        ("anything", (float("nan"), 1), r"anything\.k: nan is NaN in a key"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_collection_column_and_value(collection, row, message):
    p = Typed()
    with pytest.raises(RowError, match=message):
        getattr(p, collection).insert(row)


def test_columns_whose_names_are_no_python_names_are_reached_by_unpacking(evaluator):
    class P(Bloom):
        item = table("class, 2nd -> from")
        view = scratch("a, b")

        @rule
        def rules(self):
            self.view <= ((c, f) for c, _, f in self.item)

    p = P(evaluator=evaluator)
    p.item.insert((1, 2, 3))
    p.tick()
    assert p.view.rows() == {(1, 3)}


def test_a_row_class_without_marked_fields_is_a_set(evaluator):
    class Point(Row):
        x: int
        y: int

    class Named(Row):
        name: str = key()
        x: int

    class P(Bloom):
        point = table(Point)
        named = table(Named)

    p = P(evaluator=evaluator)
    p.point.insert(Point(1, 2), Point(x=1, y=3), (1, 2))
    p.named.insert(Named("a", x=1))
    p.tick()
    assert p.point.rows() == {(1, 2), (1, 3)}
    assert p.named["a"] == Named("a", 1)
    assert isinstance(p.named["a"], Named)
    with pytest.raises(RowError, match=r"point\.y: 'b'"):
        p.point.insert((1, "b"))


def test_two_parents_that_bring_an_equal_declaration_bring_one(evaluator):
    class Left(Bloom):
        item = table("k")
        left = scratch("k")

        @rule
        def show_left(self):
            self.left <= self.item

    class Right(Bloom):
        item = table("k")
        right = scratch("k")

        @rule
        def show_right(self):
            self.right <= self.item

    class Both(Left, Right):
        pass

    p = Both(evaluator=evaluator)
    p.item.insert((1,))
    p.tick()
    assert (p.left.rows(), p.right.rows()) == ({(1,)}, {(1,)})


def test_two_parents_that_bring_different_declarations_are_an_error_that_names_both():
    class Left(Bloom):
        item = table("k")

    class Right(Bloom):
        item = table("k, v")

    with pytest.raises(InheritanceConflict, match="Left.*Right|Right.*Left"):

        class Both(Left, Right):
            pass
