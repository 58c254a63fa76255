"""Tables of a moment, and what changed between two."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy import Bloom, lattice, rule, scratch, table
from bloompy.pictures.tables import RowChange, Tables, difference, in_order, tables_of
from tests.pictures.test_spacetime import WORDS


class Stock(Bloom):
    item = table("name -> count: int")
    order = table("name, by")
    most = lattice.lmax()
    few = scratch("name")

    @rule
    def count(self):
        self.few <= ((i.name,) for i in self.item if i.count < 2)
        self.most <= (i.count for i in self.item)


def stock(*items: tuple[object, ...]) -> Stock:
    program = Stock()
    program.item.insert(*items)
    program.tick()
    return program


def test_tables_and_lattices_are_shown_and_empty_ones_named() -> None:
    assert str(tables_of(stock(("pear", 10), ("apple", 9)))) == """\
local, tick 1

item
name  | count
------+------
apple | 9
pear  | 10

most
value
-----
10

empty: dead_letter, order"""


def test_rows_can_be_read() -> None:
    shown = tables_of(stock(("pear", 10)))
    assert shown["item"] == (("pear", 10),)
    assert "few" not in shown.tables


def test_a_difference_tells_new_gone_and_changed_rows() -> None:
    program = stock(("apple", 1), ("pear", 2), ("fig", 3))
    before = tables_of(program)
    program.item.delete("fig")
    program.item.upsert(("pear", 5))
    program.item.insert(("date", 7))
    program.tick()
    found = difference(before, tables_of(program))
    assert found.changes["item"] == (RowChange("+", ("date", 7)), RowChange("-", ("fig", 3)), RowChange("~", ("pear", 5), ("pear", 2)))
    assert str(found) == """\
local, tick 1 → local, tick 2

item
  | name | count
+ | date | 7
- | fig  | 3
~ | pear | 2 → 5

most
  | value
~ | 3 → 7"""


def test_a_difference_is_marked_and_coloured_in_html() -> None:
    html = difference(tables_of(stock(("fig", 3), ("pear", 2))), tables_of(stock(("date", 7), ("pear", 5)))).html()
    assert "<tr class='new'><td>+</td><td>date</td><td>7</td></tr>" in html
    assert "<tr class='gone'><td>−</td><td>fig</td><td>3</td></tr>" in html
    assert "<td>pear</td><td><del>2</del> 5</td>" in html


def test_no_difference_says_so() -> None:
    one = tables_of(stock(("fig", 3)))
    assert not difference(one, one)
    assert str(difference(one, one)).endswith("nothing changed")
    assert "nothing changed" in difference(one, one).html()


def test_long_tables_are_cut_and_say_so() -> None:
    shown = tables_of(stock(*((f"i{n}", n) for n in range(100))))
    assert "… 60 more rows" in shown.text()
    assert shown.text(rows=3).count("\ni") - shown.text(rows=0).count("\ni") == 3
    assert "… 97 more rows" in shown.html(rows=3)
    assert "… 97 more rows" in difference(tables_of(stock()), shown).text(rows=3)


def test_rows_of_any_values_have_an_order() -> None:
    rows = [("b",), (None,), (2,), ("a",), (frozenset({"y", "x"}),), (1.5,), (float("nan"),)]
    assert in_order(rows) == in_order(reversed(rows))
    assert [row[0] for row in in_order(rows)][:4] == [1.5, 2, "a", "b"]


@given(st.lists(st.tuples(WORDS, WORDS), max_size=5), st.lists(st.tuples(WORDS, WORDS), max_size=5), WORDS)
@settings(max_examples=50)
def test_no_value_becomes_markup_or_terminal_control(before: list[tuple[str, str]], after: list[tuple[str, str]], title: str) -> None:
    schema = Stock.program_ir.by_name["order"]
    from bloompy.pictures.tables import TableRows

    one, other = (Tables(title, {"order": TableRows.of(schema, dict.fromkeys(rows))}) for rows in (before, after))
    found = difference(one, other)
    for html in (one.html(), found.html()):
        root = ElementTree.fromstring(html)
        assert {each.tag for each in root.iter()} <= {"div", "style", "p", "table", "caption", "thead", "tbody", "tr", "th", "td", "del"}
        assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", html)
    for text in (one.text(), found.text()):
        assert all(line.isprintable() for line in text.split("\n"))
