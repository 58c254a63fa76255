"""What is odd about a program."""

from __future__ import annotations

import pytest

from bloompy import Bloom, channel, interface, invariant, loopback, periodic, rule, scratch, table
from bloompy.analysis.lint import lint
from bloompy.std.delivery import Delivery
from tests.analysis import carts


def found(program, level="warning"):
    """Kind and collection of the findings of a level."""
    return [(one.kind, one.collection) for one in lint(program.program_ir) if one.level == level]


def test_collections_that_nothing_reads_or_fills():
    class Odd(Bloom):
        unused = scratch("a")
        unread = scratch("a")
        unfilled = scratch("a")
        silent = interface.output("a")
        ignored = interface.input("a")
        beat = periodic(1)
        own = loopback("a")
        deaf = loopback("a")
        given = interface.input("a")
        kept = table("a")

        @rule
        def rules(self):
            self.unread <= self.given
            self.kept <= self.unfilled
            self.kept <= self.own
            self.deaf <~ self.given

    assert found(Odd) == [
        ("unused", "unused"),
        ("never-filled", "unfilled"),
        ("never-filled", "silent"),
        ("unused", "beat"),
        ("never-filled", "own"),
        ("never-read", "deaf"),
        ("never-fires", "unfilled"),
        ("never-fires", "own"),
    ]
    assert ("unused", "ignored") in found(Odd, "note")
    assert ("never-read", "unread") in found(Odd, "note")  # perhaps those outside read it


def test_rules_behind_a_rule_that_never_fires_do_not_fire_either():
    class Chain(Bloom):
        never = scratch("a")
        first = scratch("a")
        second = interface.output("a")

        @rule
        def rules(self):
            self.first <= self.never
            self.second <= self.first

        @rule
        def fine(self):
            self.second <= ((1,) for x in ((1,),) if not any(y for y in self.never))

        @invariant
        def watch(self):
            (x for x in self.first)

    assert [one for one in found(Chain) if one[0].startswith("never-f") and one[0] != "never-filled"] == [
        ("never-fires", "never"),
        ("never-fires", "first"),
    ]
    assert ("never-violated", "first") in found(Chain)


def test_a_condition_that_is_false():
    class Off(Bloom):
        given = interface.input("a")
        kept = table("a")

        @rule
        def rules(self):
            self.kept <= (x for x in self.given if False)

    assert found(Off) == [("never-fires", "kept")]


@pytest.mark.parametrize(("shrinks", "level"), [(True, "warning"), (False, "note")])
def test_rows_of_a_table_that_stay_when_those_of_another_go(shrinks, level):
    class Stays(Bloom):
        given = interface.input("a")
        cause = table("a")
        effect = table("a")

        @rule
        def rules(self):
            self.cause <= self.given
            self.effect <= self.cause

    class Shrinks(Stays):
        @rule
        def forget(self):
            self.cause <- self.given

    assert ("stays", "effect") in found(Shrinks if shrinks else Stays, level)
    assert ("stays", "effect") not in found(Shrinks if shrinks else Stays, "note" if shrinks else "warning")


def test_tables_that_only_grow_are_noted_and_those_that_are_emptied_are_not():
    assert ("only-grows", "asked") in found(carts.Remembered, "note")
    assert ("only-grows", "held") not in found(carts.Tombstones, "note")
    assert ("only-grows", "gone") in found(carts.Tombstones, "note")


def test_standing_sends_without_a_repetition_are_noted():
    class Once(Bloom):
        put = channel("@to, a")
        kept = table("a")
        tell = channel("@to, a")

        @rule
        def rules(self):
            self.kept <= ((p.a,) for p in self.put)
            self.tell <~ (("n", k.a) for k in self.kept)

    assert ("sent-once", "tell") in found(Once, "note")
    assert ("sent-once", "answer") not in found(carts.Remembered, "note")
    assert ("elsewhere", "put") in found(Once, "note")
    assert ("elsewhere", "tell") in found(Once, "note")


def test_a_sound_program_has_no_warning():
    assert [found(one) for one in (carts.Votes, carts.Ask, carts.Tombstones)] == [[], [], []]


def test_a_protocol_without_rules_is_no_mistake():
    assert found(Delivery) == []


def test_findings_know_their_place():
    (one,) = [one for one in lint(carts.Tombstones.program_ir) if one.collection == "gone"]
    assert "gone = table" in one.span.text
