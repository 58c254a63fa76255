"""Tables as text: read into rows that fit, shown so that they are read again, compared with a difference that can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy import Bloom, Row, key, rule, scratch, table
from bloompy.errors import RowError, UsageError
from bloompy.testing.tables import assert_rows, rows_of, table_text


class Link(Row):
    src: str = key()
    dst: str = key()
    cost: float


class Routes(Bloom):
    link = table("src: str, dst: str -> cost: int")
    typed = table(Link)
    any = table("a, b")
    maybe = table("k: str | None -> v: int | None, w: tuple[int, ...]")
    low = table("k -> v: lmin")
    best = scratch("dst -> cost")

    @rule
    def direct(self):
        self.best <= ((one.dst, one.cost) for one in self.link if one.src == "a")


def routes():
    program = Routes()
    program.link.insert(("a", "b", 1), ("a", "c", 3))
    program.tick()
    return program


def test_rows_of_a_collection_have_its_types():
    rows = rows_of(
        """
        src | dst | cost
        a   | b   | 1
        5   | c d | -2
        """,
        Routes.link,
    )
    assert rows == [("a", "b", 1), ("5", "c d", -2)]
    assert rows[1].src == "5"


def test_columns_may_stand_in_any_order_and_a_row_class_does():
    assert rows_of("cost | dst | src\n1 | b | a", Link) == [("a", "b", 1.0)]
    assert type(rows_of("cost | dst | src\n1 | b | a", Link)[0].cost) is float


def test_rules_comments_bars_at_the_ends_and_empty_lines_are_decoration():
    text = """
        | src | dst | cost |
        |-----|----:|------|
        # a comment

        | a   | b   | 1    |
    """
    assert rows_of(text, Routes.link.schema) == [("a", "b", 1)]


def test_untyped_cells_are_literals_where_they_can_be():
    text = "a | b\n1 | x\n'1' | don't\n(1, 'a|b') | None\nfrozenset({2}) | 'a | b'\n1.5 | [now]\nb'x' | \"\""
    assert rows_of(text) == [(1, "x"), ("1", "don't"), ((1, "a|b"), None), (frozenset({2}), "a | b"), (1.5, "[now]"), (b"x", "")]


def test_unions_take_the_reading_that_fits():
    assert rows_of("k | v | w\nNone | None | ()\n5 | 5 | (1, 2)", Routes.maybe) == [(None, None, ()), ("5", 5, (1, 2))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("src | dst\na | b", "link: the table has the columns src, dst"),
        ("src | dst | cost\na | b", "the line 'a | b' has 2 cells"),
        ("src | dst | cost\na | b | x", "link.cost: 'x' is not of type int"),
        ("src | dst | cost\na | b | True", "link.cost: 'True' is not of type int"),
        ("  \n# nothing", "a table without a line"),
    ],
)
def test_what_does_not_fit_is_named(text, message):
    with pytest.raises(RowError, match=message):
        rows_of(text, Routes.link)


def test_only_what_has_columns_says_which():
    with pytest.raises(UsageError, match="5 has no columns"):
        rows_of("a\n1", 5)


def test_a_table_is_sorted_and_aligned():
    program = Routes()
    program.link.insert(("long", "b", 12), ("a", "日本", 3), ("a", "", 4), ("a", "x|\x1b", 5))
    program.tick()
    assert table_text(program.link) == "\n".join(
        ["src  | dst      | cost", "a    | ''       | 4", "a    | 'x|\\x1b' | 5", "a    | 日本     | 3", "long | b        | 12"]
    )
    assert table_text(program.link, ["cost", "src"]).splitlines()[1] == "4    | a"


def test_rows_without_names_are_numbered_and_mixed_types_have_an_order():
    assert table_text([(1, "b"), ("a", None)]) == "c0 | c1\n1  | b\na  | None"
    assert table_text([]) == "c0"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=5))
def test_what_is_shown_is_read_again(rows):
    text = table_text(rows, ["a", "b"])
    assert all(line.isprintable() for line in text.splitlines())
    read = rows_of(text, Routes.any)
    assert sorted(map(hash, read)) == sorted(map(hash, rows))
    assert table_text(read, ["a", "b"]) == text


@given(st.lists(st.tuples(st.text(), st.text(), st.integers()), max_size=5))
def test_texts_are_read_again_as_texts(rows):
    assert sorted(rows_of(table_text(rows, ["src", "dst", "cost"]), Routes.link)) == sorted(rows)


def test_assert_rows_passes_for_equal_rows_in_any_order():
    assert_rows(routes().best, "cost | dst\n3 | c\n1 | b")
    assert_rows([(1, "a")], "n | name\n1 | a")
    assert_rows(iter(routes().best), "dst\nc\nb")


def test_some_columns_may_be_left_out():
    assert_rows(routes().best, "dst\nb\nc")
    with pytest.raises(RowError, match="best has no column price"):
        assert_rows(routes().best, "dst | price\nb | 1")


def test_a_difference_shows_both_tables_as_one():
    with pytest.raises(AssertionError) as caught:
        assert_rows(routes().best, "dst | cost\nb | 1\nc | 2\nd | 4")
    assert str(caught.value).splitlines() == [
        "best: 2 missing (-), 1 not expected (+)",
        "    dst | cost",
        "    b   | 1",
        "  - c   | 2",
        "  + c   | 3",
        "  - d   | 4",
    ]


def test_a_truth_value_stays_one_and_lattices_are_filled():
    assert rows_of("a | b\nTrue | 1", Routes.any) == [(True, 1)]
    assert rows_of("a | b\nTrue | 1", Routes.any)[0].a is True
    assert rows_of("k | v\na | 3", Routes.low) == [("a", 3)]
