"""Deletions that have the same end in any order, and those that have not."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

import pytest

from bloompy import Bloom, channel, rule, table
from bloompy.analysis.checking import check
from bloompy.testing.confluence import check_confluence


class Values(Bloom):
    """What arrives grows."""

    inp = channel("@to, k: int, v: int")
    m = table("k: int -> v: lmax")

    @rule
    def grow(self):
        self.m <= ((i.k, i.v) for i in self.inp)


class ByThreshold(Values):
    @rule
    def go(self):
        self.m <- ((x.k,) for x in self.m if x.v > 2)


class ByThresholdAndTable(Values):
    cut = table("k: int")

    @rule
    def go(self):
        self.m <- ((x.k,) for x in self.m for c in self.cut if x.v > 2 and c.k == x.k)


class ByWholeRow(Values):
    @rule
    def go(self):
        self.m <- (x for x in self.m if x.k > 0)


class Unpacked(Values):
    @rule
    def go(self):
        self.m <- ((k,) for k, v in self.m if v > 2)


class BySomethingOfTheRow(Values):
    @rule
    def go(self):
        self.m <- ((x.k,) for x in self.m if max(x) > 2)


@pytest.mark.parametrize("program", [ByThreshold, ByThresholdAndTable, ByWholeRow, Unpacked, BySomethingOfTheRow])
def test_a_row_deleted_for_its_lattice_value_begins_again_at_a_lower_one(program: type[Bloom]) -> None:
    found = check(program)
    assert not found.confluent
    assert [point.kind for point in found.points] == ["deletion"]


def test_the_runs_that_end_differently_are_found() -> None:
    class Accepted(ByThreshold):
        pass

    inputs = {"inp": [("local", 1, 2), ("local", 1, 3)]}
    found = check_confluence(Accepted, inputs)
    assert found.difference is not None


class Buried(Values):
    """What tells of the deletion stays."""

    gone = channel("@to, k: int")
    dead = table("k: int")

    @rule
    def go(self):
        self.dead <= ((g.k,) for g in self.gone)
        self.m <- ((x.k,) for x in self.m for d in self.dead if d.k == x.k)


def test_a_deletion_by_what_stays_is_confluent() -> None:
    assert check(Buried).confluent
    check_confluence(Buried, {"inp": [("local", 1, 2), ("local", 2, 3)], "gone": [("local", 1)]})
