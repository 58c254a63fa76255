"""The report of a check: what it says, accepts and shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bloompy import Bloom, channel, exec_source, interface, module, rule, scratch, table
from bloompy.analysis.checking import check
from bloompy.errors import UsageError
from tests.analysis import carts


def test_a_confluent_program_is_said_to_be_so():
    report = check(carts.Votes)
    assert report.confluent
    assert report.ok
    assert "Confluent: the order, grouping and repetition" in str(report)


def test_a_point_is_shown_with_its_line_its_way_a_reason_and_a_remedy():
    report = check(carts.Destructive)
    assert not report.ok
    shown = str(report)
    assert shown.startswith("Destructive: 2 points of order, 0 warnings")
    lines = Path(carts.__file__).read_text().splitlines()
    line = 1 + next(number for number, text in enumerate(lines) if "self.held <- self.remove" in text)
    assert f"carts.py:{line}: deletes from held" in shown
    assert "      self.held <- self.remove\n      ^^^^^^^^^^^^\n      way: remove\n" in shown
    assert "for h in self.held if h.cart == c.cart)\n                                                    ^^^^^^^^^^^^^^\n" in shown
    assert "tombstones" in shown


def test_conflicts_alone_are_said_to_be_less():
    assert "Order can show only as a KeyConflict" in str(check(carts.Store))


@pytest.mark.parametrize(
    "name", ["held", "sell", "Destructive.sell", "held@sell", "held@Destructive.sell"]
)
def test_points_are_accepted_by_collection_rule_or_both(name):
    report = check(carts.Destructive, [name])
    assert [one.kind for one in report.points] == ([] if name == "held" else ["deletion"])
    assert report.unused == ()
    assert len(report.accepted) == 2 - len(report.points)


def test_accepting_all_ends_well_and_keeps_the_reasons():
    report = check(carts.Destructive, {"held": "one log orders them"})
    assert report.ok
    assert "Confluent, if the points that were accepted are settled" in str(report)
    assert "Accepted by 'held': 2 (one log orders them)" in str(report)


def test_a_name_in_vain_is_told():
    report = check(carts.Votes, ["nothing"])
    assert report.confluent
    assert not report.ok
    assert "Nothing is there to be accepted by 'nothing'" in str(report)


def test_an_inner_module_is_accepted_by_its_name():
    class Outer(Bloom):
        cart = module(carts.Destructive)
        come = channel("@to, cart, item")

        @rule
        def use(self):
            self.cart.add <= ((c.cart, c.item) for c in self.come)

    assert {one.rule.module for one in check(Outer).points} == {"cart"}
    assert check(Outer, ["cart"]).confluent


def test_tables_that_no_point_reaches_are_named():
    class Two(carts.Destructive):
        vote = channel("@to, who")
        voters = table("who")

        @rule
        def count(self):
            self.voters <= ((v.who,) for v in self.vote)

    report = check(Two)
    assert report.same == ("voters",)
    assert "The same in every run even so: voters" in str(report)


def test_what_follows_from_the_clock_is_reached():
    class Late(Bloom):
        place = table("k")
        number = interface.input("k")
        open = scratch("k")
        taken = table("k")

        @rule
        def take(self):
            self.open <= (p for p in self.place if self.step > 2)
            self.taken <= (n for n in self.number if n.k in self.open)

    assert [one.kind for one in check(Late).points] == ["clock"]
    assert check(Late).same == ()


def test_nothing_is_the_same_where_a_tick_may_be_taken_back():
    class Two(carts.Store):
        keys = table("key")

        @rule
        def note(self):
            self.keys <= ((p.key,) for p in self.put)

    assert check(Two).same == ()


def test_what_is_taken_for_granted_is_told():
    class Told(Bloom):
        news = channel("@to, what")
        peer = table("address")
        tell = channel("@to, what")

        @rule
        def spread(self):
            self.tell <~ ((p.address, n.what) for n in self.news for p in self.peer)

    assert "Taken to be full before the first message comes: peer" in str(check(Told))
    assert check(Told, changing=["peer"]).loaded == ()
    with pytest.raises(UsageError, match="no table 'news'"):
        check(Told, changing=["news"])


def test_the_data_is_fit_for_json():
    data = json.loads(json.dumps(check(carts.Destructive, ["sell"]).data()))
    assert data["confluent"] is False
    (point,) = data["points"]
    assert (point["kind"], point["rule"], point["collection"]) == ("deletion", "Destructive.keep", "held")
    assert point["file"].endswith("carts.py")
    assert [one["name"] for one in data["accepted"]] == ["sell"]
    assert [one["monotone"] for one in data["rules"]] == [True, False, True]
    assert data["collections"]["add"] == ["passes"]


def test_many_points_have_a_summary():
    class Many(carts.Destructive):
        other = table("item")
        more = table("item")

        @rule
        def much(self):
            self.other <+- ((a.item,) for a in self.add)
            self.more <- ((a.item,) for a in self.add)
            self.more <+ ((a.item,) for a in self.remove if a.item not in self.other)

    lines = str(check(Many)).splitlines()
    assert "What is at stake (3 groups; --allow NAME accepts one)" in lines
    assert any(line.split()[:2] == ["held", "2"] for line in lines)
    assert any("They are reached from" in line for line in lines)


def test_a_program_whose_source_is_gone_is_checked_too():
    text = "from bloompy import *\nclass P(Bloom):\n    a = interface.input('k')\n    t = table('k')\n    @rule\n    def r(self):\n"
    program = exec_source(f"{text}        self.t <= self.a\n        self.t <- self.a\n", name="<gone>")["P"]
    assert "deletes from t" in str(check(program))


def test_html_is_escaped():
    namespace = exec_source(
        "from bloompy import *\nclass P(Bloom):\n    a = interface.input('k')\n    t = table('k')\n    @rule\n    def r(self):\n"
        "        self.t <= (x for x in self.a if x.k != '<script>')\n        self.t <- (x for x in self.a if x.k != '<script>')\n",
        name="<b>",
    )
    shown = check(namespace["P"])._repr_html_()
    assert "<script>" not in shown
    assert "<b>:" not in shown
    assert "&lt;b&gt;" in shown


def test_control_characters_do_not_reach_a_terminal():
    body = "        self.t <- (x for x in self.a if x.k != '\x1b[31m')\n"
    text = f"from bloompy import *\nclass P(Bloom):\n    a = interface.input('k')\n    t = table('k')\n    @rule\n    def r(self):\n{body}"
    assert "\x1b" not in str(check(exec_source(text, name="<terminal>")["P"]))


def test_a_scratch_can_be_at_stake_where_no_table_is():
    class Batch(Bloom):
        one = interface.input("k")
        both = scratch("k, j")
        out = interface.output("k, j")

        @rule
        def meet(self):
            self.both <= ((x.k, y.k) for x in self.one for y in self.one)
            self.out <= self.both

    report = check(Batch)
    assert list(report.groups) == ["one"]
