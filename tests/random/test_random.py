"""Random programs on random input mean the same to both evaluators (many more: `python -m tests.random.campaign`)."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.random.campaign import case, shown
from tests.random.compare import compare
from tests.random.programs import random_source
from tests.random.streams import random_stream

BLOCKS, BLOCK = 8, 50


@pytest.mark.parametrize("block", range(BLOCKS))
def test_evaluators_agree_on_seeded_programs(block):
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        source, stream = case(seed)
        outcome = compare(source.text, stream, second=source.reversed_text if seed % 4 == 0 else None)
        assert outcome.difference is None, f"seed {seed}\n{shown(source, stream)}\n{outcome.difference}"


@given(st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_evaluators_agree_on_what_hypothesis_finds(random: Random):
    source = random_source(random)
    stream = random_stream(random, source)
    outcome = compare(source.text, stream)
    assert outcome.difference is None, f"{shown(source, stream)}\n{outcome.difference}"


def test_most_random_ticks_change_something_and_few_programs_are_refused():
    counts: Counter[str] = Counter()
    for seed in range(10_000, 10_150):
        source, stream = case(seed)
        counts.update(compare(source.text, stream, evaluators=("naive", "naive")).counts)
    assert counts["changed"] > 0.7 * counts["ticks"]
    assert counts["sent"] > 0.1 * counts["ticks"]
    assert counts["raised KeyConflict"] > 0
    assert sum(count for name, count in counts.items() if name.startswith("rejected")) < 0.05 * 150
