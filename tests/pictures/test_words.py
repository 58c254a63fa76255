"""Values as words of one line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bloompy.pictures.tables import in_order
from bloompy.pictures.words import cut, number, one_line, row_text, rows_text, value_text, wide


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_strings_that_look_like_names_go_bare_and_all_others_in_quotes() -> None:
    assert [value_text(one) for one in ("k1", "node-7", "a.b:c", "10.0", "two words", "None", None, "1", 1, "")] == [
        "k1", "node-7", "a.b:c", "'10.0'", "'two words'", "'None'", "None", "'1'", "1", "''",
    ]  # fmt: skip


def test_values_within_values() -> None:
    assert value_text(("a", (1,), ["x y"], {"k": 2})) == "(a, (1,), ['x y'], {k: 2})"
    names = [f"n{i}" for i in range(30)]
    assert value_text(frozenset(names)) == value_text(set(names)) == f"{{{', '.join(sorted(names))}}}"


def test_a_value_that_cannot_show_itself_does_not_break_the_picture() -> None:
    assert value_text((1, Broken())) == "(1, <Broken: RuntimeError in repr>)"


def test_rows_are_facts() -> None:
    assert row_text("put", ("b", "k", 1), 0) == "put(k, 1)"
    assert rows_text({"put": [("b", 1)], "ack": [(2, "b")]}, {"ack": 1}) == ["put(b, 1)", "ack(2)"]


def test_width_counts_columns_of_a_terminal() -> None:
    assert (wide("abc"), wide("日本"), wide("e\u0301")) == (3, 4, 1)
    assert (cut("日本語", 5), cut("日本語", 6), cut("abc", 0)) == ("日本…", "日本語", "")


def test_numbers_are_ordered_by_size() -> None:
    assert in_order([(10,), (9,), ("b",), (9.5,)]) == [(9,), (9.5,), (10,), ("b",)]


def test_counts_have_their_noun() -> None:
    assert (number(1, "event"), number(2_000, "event")) == ("1 event", "2,000 events")


@given(st.text(), st.integers(0, 20))
def test_a_cut_text_fits_and_is_printable(text: str, columns: int) -> None:
    assert wide(cut(text, columns)) <= columns
    assert one_line(text).isprintable()
    assert cut(text, 1_000) == one_line(text)
