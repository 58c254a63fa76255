"""The default search finds the wrong programs and clears the right ones. `python -m tests.mutants` prints the whole table."""

from __future__ import annotations

import statistics

import pytest
from attrs import evolve

from .__main__ import main
from .mutant import Mutant
from .searching import search
from .table import mutants

ROWS = mutants()
WRONG = [row for row in ROWS if row.expected]
SUBJECTS = list(dict.fromkeys(row.subject.name for row in ROWS))


EASY = [row for row in ROWS if row.easy]
RIGHT = [row for row in ROWS if not row.edits and not row.expected]
MANY = 5
"""Programs of more modules than this take their time, and they have many rows: only a sample of these is tried quickly."""


def named(rows: list[Mutant]) -> list[object]:
    return [pytest.param(row, id=f"{row.subject.name}: {row.name}") for row in rows]


def sampled(rows: list[Mutant]) -> list[object]:
    subjects = {row.subject.name for row in EASY}
    slow = [row for row in rows if len(row.subject.modules) > MANY and (row.edits or row.subject.name not in subjects)]
    return [*named([row for row in rows if row not in slow]), *(pytest.param(*one.values, id=one.id, marks=pytest.mark.slow) for one in named(slow))]


def test_the_corpus_is_large_and_its_rows_are_told_apart() -> None:
    assert len(WRONG) >= 60
    assert len({(row.subject.name, row.name) for row in ROWS}) == len(ROWS)
    assert all(row.why for row in ROWS if row.edits and not row.expected), "a harmless edit says why it is"
    assert all(any(not row.edits for row in ROWS if row.subject.name == subject) for subject in SUBJECTS)


def test_every_edit_still_fits() -> None:
    for row in ROWS:
        assert row.texts()
        assert bool(row.diff) == bool(row.edits)


@pytest.mark.parametrize("row", sampled([row for row in ROWS if row.edits]))
def test_every_edit_makes_a_program(row: Mutant) -> None:
    assert row.programs() is not None


@pytest.mark.parametrize("row", sampled(RIGHT))
def test_a_few_runs_of_the_right_versions_find_nothing(row: Mutant) -> None:
    found = search(row, runs=4)
    assert found.verdict == "none", found


@pytest.mark.parametrize("row", named(EASY))
def test_what_is_easily_found_is_found_and_replayed(row: Mutant) -> None:
    found = search(row, runs=50, shrink_runs=20)
    assert (found.verdict, found.replayed) == ("found", True), found


@pytest.mark.slow
@pytest.mark.parametrize("row", named([row for row in ROWS if not row.expected]))
def test_nothing_is_found_where_nothing_is_wrong(row: Mutant) -> None:
    found = search(row)
    assert found.verdict == "none", found


@pytest.mark.slow
def test_nearly_all_mutants_are_found_with_few_faults_and_replayed() -> None:
    found = [search(row) for row in WRONG]
    caught = [one for one in found if one.right]
    assert len(caught) >= 0.95 * len(WRONG), [f"{one.mutant.subject.name}: {one.mutant.name}: {one.verdict}" for one in found if not one.right]
    assert all(one.replayed for one in caught)
    assert statistics.median(one.faults for one in caught) <= 3


def test_the_command_prints_the_table_and_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["timers: a timer may expire early", "timers: (right)", "--runs", "5", "--verbose"]) == 0
    printed = capsys.readouterr().out
    assert "1 of 1 mutants found (100.0%), 0 false alarms in 1 rows" in printed
    assert "1 of 1 counterexamples replayed the same" in printed
    assert "+ if r.due <= b.time + self.resolution_s" in printed


def test_a_right_version_that_should_fail_is_told_as_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    row = next(row for row in ROWS if row.subject.name == "timers" and not row.edits)
    missed = search(evolve(row, name="nothing is wrong", breaks="agreement"), runs=3)
    assert (missed.verdict, missed.right) == ("NOT FOUND", False)
    wrong = search(evolve(next(row for row in EASY if row.subject.name == "timers"), breaks="agreement"), runs=5)
    assert wrong.verdict == "WRONG", "it fails, but not by the property that was named"
