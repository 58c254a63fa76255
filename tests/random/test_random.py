"""Random programs on random input mean the same to both evaluators (many more: `python -m tests.random.campaign`)."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.random.campaign import case, main, run_block, shown
from tests.random.compare import compare
from tests.random.happened import missing
from tests.random.programs import random_source
from tests.random.streams import random_stream

BLOCKS, BLOCK = 8, 50
VIEWS = 12
"""Programs of views in a block; each runs for some forty ticks."""


@pytest.mark.parametrize("block", range(BLOCKS))
def test_evaluators_agree_on_seeded_programs(block):
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        source, stream = case(seed)
        outcome = compare(source.text, stream, second=source.reversed_text if seed % 4 == 0 else None)
        assert outcome.difference is None, f"seed {seed}\n{shown(source, stream)}\n{outcome.difference}"


@pytest.mark.parametrize("block", range(BLOCKS))
def test_evaluators_agree_on_seeded_views(block):
    found = run_block(block * VIEWS, "views", ("naive", "codegen"), programs=VIEWS)
    assert not found.differences, found.differences[0]
    assert found.counts["ticks"] > 20 * VIEWS


@pytest.mark.parametrize("block", range(BLOCKS))
def test_evaluators_agree_on_seeded_programs_with_lattices(block):
    found = run_block(block * VIEWS, "growing", ("naive", "codegen"), programs=VIEWS)
    assert not found.differences, found.differences[0]
    assert found.counts["ticks"] > 3 * VIEWS


def test_random_programs_with_lattices_grow_and_are_rarely_refused():
    counts: Counter[str] = Counter()
    for seed in range(30_000, 30_100):
        source, stream = case(seed, "growing")
        counts.update(compare(source.text, stream, evaluators=("naive", "naive")).counts)
    assert counts["changed"] > 0.7 * counts["ticks"]
    assert sum(count for name, count in counts.items() if name.startswith("rejected")) < 0.1 * 100


@pytest.mark.slow
def test_evaluators_agree_on_a_hundred_thousand_ticks_of_views():
    result = CliRunner().invoke(main, ["--family", "views", "--ticks", "100000", "--processes", "2"])
    assert result.exit_code == 0, result.output


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


def test_random_views_do_what_maintenance_has_to_get_right():
    counts: Counter[str] = Counter()
    for seed in range(20_000, 20_040):
        source, stream = case(seed, "views")
        counts.update(compare(source.text, stream, deep=True).counts)
    assert counts["changed"] > 0.7 * counts["ticks"]
    assert sum(count for name, count in counts.items() if name.startswith("rejected")) == 0
    assert [name for name in missing(counts) if not name.endswith("retracted")] == []


def test_a_campaign_tells_what_never_happened():
    assert "recursive view lost rows" in missing(Counter({"group vanished": 3}))
