"""Every benchmark runs and gets right results, on small inputs. Its figures are no matter of tests."""

from __future__ import annotations

import importlib
import math

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.inputs import CLOSURE_PATHS, Generator, graph
from benchmarks.measure import Figure, WrongResult, compare

SLOW = {"requests", "wordcount"}  # start processes of their own


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NAMES])
def test_benchmark_runs(name: str) -> None:
    figures = importlib.import_module(f"benchmarks.{name}").figures(True)
    assert any(figure.goal is not None for figure in figures)
    assert all(math.isfinite(figure.value) and figure.value > 0 for figure in figures)


def test_the_generator_is_the_stated_one() -> None:
    x = (1103515245 * 42 + 12345) % 2**31
    assert Generator().draw(1000) == (x >> 8) % 1000
    assert len(set(graph(250))) == 250
    assert sorted(CLOSURE_PATHS) == [250, 500, 1000, 2000]


def test_a_contestant_with_another_result_is_refused() -> None:
    with pytest.raises(WrongResult, match="cheat gave 1 rows, not 2"):
        compare({"cheat": lambda: (0.1, 1)}, 1, 2)


def test_a_goal_is_a_bound_from_below_for_rates_and_from_above_for_costs() -> None:
    assert Figure("", 5, "rows/s", 4, rate=True).reached
    assert not Figure("", 3, "rows/s", 4, rate=True).reached
    assert Figure("", 3, "s", 4).reached
    assert not Figure("", 5, "s", 4).reached
