"""What the analysis of order claims of random programs holds when they run (many more: `python -m tests.random.calm`)."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.random.calm import calm_source, campaign, try_one

BLOCK = 40


@pytest.mark.parametrize("block", range(3))
def test_claims_hold_for_seeded_programs(block):
    counts, wrong = campaign(block * BLOCK, BLOCK, runs=15, flagged=False)
    assert not wrong, wrong[0]
    assert counts["confluent"] > 1


def test_claims_hold_for_programs_of_the_evaluators_tests():
    counts, wrong = campaign(0, 30, runs=8, family="programs", flagged=False)
    assert not wrong, wrong[0]
    assert counts["confluent"] > 0


def test_differences_are_found_in_some_that_are_flagged():
    counts: Counter[str]
    counts, wrong = campaign(700, 5, runs=10, flagged=True)
    assert not wrong, wrong[0]
    assert counts["flagged, differs"] > 0


@given(st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_claims_hold_for_what_hypothesis_finds(random):
    word, story = try_one(calm_source(random), random, 10, flagged=False)
    assert not story, story
    assert word


@pytest.mark.slow
def test_claims_hold_for_many_programs():
    counts, wrong = campaign(1_000_000, 5000, runs=30, flagged=False)
    assert not wrong, wrong[0]
    assert counts["confluent"] > 200
