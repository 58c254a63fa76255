"""Every benchmark runs and gets right results, on small inputs. Its figures are no matter of tests."""

from __future__ import annotations

import importlib
import math
import shutil
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.__main__ import NAMES
from benchmarks.bulk import in_children
from benchmarks.inputs import CLOSURE_PATHS, Generator, file_tree, graph
from benchmarks.measure import Figure, WrongResult, compare

SLOW = {"requests", "wordcount", "group_commit", "replicated_log", "replicated_namenode"}  # start processes of their own
PEERS = {name: ["numpy", "duckdb"] for name in ("tc", "sg", "apsp", "triangles")} | {"points_to": ["numpy"]}
PROGRAMS = {"replicated_log": "etcd"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in NAMES])
def test_benchmark_runs(name: str) -> None:
    for package in PEERS.get(name, []):
        pytest.importorskip(package)
    if name in PROGRAMS and shutil.which(PROGRAMS[name]) is None:
        pytest.skip(f"{PROGRAMS[name]} is not installed")
    figures = importlib.import_module(f"benchmarks.{name}").figures(True)
    assert any(figure.goal is not None for figure in figures)
    assert all(math.isfinite(figure.value) and figure.value >= 0 for figure in figures)


def test_the_generator_is_the_stated_one() -> None:
    x = (1103515245 * 42 + 12345) % 2**31
    assert Generator().draw(1000) == (x >> 8) % 1000
    assert len(set(graph(250))) == 250
    assert sorted(CLOSURE_PATHS) == [250, 500, 1000, 2000]


def test_a_contestant_with_another_result_is_refused() -> None:
    with pytest.raises(WrongResult, match="cheat gave 1 rows, not 2"):
        compare({"cheat": lambda: (0.1, 1)}, 1, 2)


def test_contestants_with_other_rows_are_refused() -> None:
    with pytest.raises(WrongResult, match="one and two gave different rows"):
        compare({"one": lambda: (0.1, [(1, 2)]), "two": lambda: (0.1, [(2, 1)])}, 1, 1)


def test_a_child_with_another_result_is_refused() -> None:
    pytest.importorskip("numpy")
    with pytest.raises(WrongResult, match="Python sets gave 439 rows, not 440"):
        in_children("benchmarks.points_to", ["Python sets"], 300, 1, 440)


def test_every_file_has_its_directory_before_it() -> None:
    assert all(parent is None or parent < id for id, parent, _ in file_tree(100))


def test_saved_figures_come_back_the_newest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.md"
    results.save({"one": [Figure("a tick", 12.34, "µs", 10), Figure("rate, plain", 1234567, "")]}, file)
    results.save({"one": [Figure("a tick", 5, "µs", 10)]}, file)
    assert file.read_text(encoding="utf-8").count("# Results\n") == 1
    assert "| a tick | 12.3 µs | at most 10 µs: MISSED |" in file.read_text(encoding="utf-8")
    saved = results.newest(file)
    assert saved == {("a tick", "µs"): 5.0, ("rate, plain", ""): 1234567.0}
    results.compare([Figure("a tick", 10, "µs"), Figure("rate, plain", 1, "other"), Figure("new", 1, "s")], saved)
    assert capsys.readouterr().out.split() == ["a", "tick", "10", "µs", "was", "5", "2.00", "of", "it"]


def test_a_goal_is_a_bound_from_below_for_rates_and_from_above_for_costs() -> None:
    assert Figure("", 5, "rows/s", 4, rate=True).reached
    assert not Figure("", 3, "rows/s", 4, rate=True).reached
    assert Figure("", 3, "s", 4).reached
    assert not Figure("", 5, "s", 4).reached
