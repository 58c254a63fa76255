"""Views are maintained as if they were computed anew: programs from the books under random edits, against the naive evaluator.

More of it: `python -m pytest -m slow tests/engine/test_incremental.py`, and `python -m tests.random.campaign --family views`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloompy import Bloom
from tests.engine import classics
from tests.random.compare import compare_classes
from tests.random.streams import Input, Operation

NODES = st.integers(0, 3)
SMALL = st.integers(1, 3)
WORDS = st.sampled_from(["a", "b", "a b a", ""])
PROGRAMS: dict[type[Bloom], dict[str, tuple[st.SearchStrategy[Any], ...]]] = {
    classics.Reachability: {"source": (NODES,), "edge": (NODES, NODES)},
    classics.Closure: {"edge": (NODES, NODES)},
    classics.PathNames: {"file": (st.integers(0, 4), NODES, st.sampled_from("ab"))},
    classics.Depths: {"file": (st.integers(0, 4), st.integers(0, 5))},
    classics.SameGeneration: {"parent": (NODES, NODES)},
    classics.Parity: {"edge": (NODES, NODES)},
    classics.ShortestPaths: {"link": (NODES, NODES, SMALL)},
    classics.Control: {"share": (NODES, NODES, st.sampled_from([20, 30, 40, 60])), "control": (NODES, NODES)},
    classics.Offers: {"offer": (NODES, NODES, SMALL), "item": (NODES, st.sampled_from("xy"))},
    classics.WinMove: {"move": (NODES, NODES)},
    classics.Collector: {"root": (NODES,), "node": (NODES, WORDS), "edge": (NODES, NODES), "ask": (NODES,)},
    classics.PointsTo: dict.fromkeys(("new", "assign", "store", "load"), (NODES, NODES)),
    classics.Components: {"edge": (NODES, NODES)},
    classics.Tokens: {"edge": (NODES, NODES), "token": (NODES, NODES)},
    classics.Parts: {"part": (NODES, NODES, SMALL), "price": (NODES, st.sampled_from([0.1, 0.2, 0.3, 1e16, -1e16]))},
}
"""What each column of the tables and inputs of a program can hold."""


@st.composite
def edits(draw: st.DrawFn, program: type[Bloom]) -> tuple[Input, ...]:
    """A tick that fills the tables, and ticks with some changes each, of rows that are mostly there."""
    columns = {name: st.tuples(*values) for name, values in PROGRAMS[program].items()}
    declared = program.program_ir.by_name
    held: dict[str, dict[Any, Any]] = {name: {} for name in columns}

    def change() -> list[Operation]:
        name = draw(st.sampled_from(sorted(columns)))
        row = draw(columns[name])
        if declared[name].kind != "table":
            return [("insert", name, (row,))]
        schema, rows = declared[name].schema, held[name]
        key = schema.key_of(row)
        if key not in rows:
            rows[key] = row
            return [("insert", name, (row,))]
        deleted: Operation = ("delete", name, (key,) if draw(st.booleans()) and not isinstance(key, tuple) else (rows[key],))
        how = draw(st.sampled_from(["delete", "delete", "upsert", "again"]))
        if how == "delete":
            del rows[key]
            return [deleted]
        rows[key] = row
        return [("upsert", name, (row,))] if how == "upsert" else [deleted, ("insert", name, (row,))]

    sizes = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3]), min_size=5, max_size=14))
    ticks = [[one for _ in range(size) for one in change()] for size in [draw(st.integers(3, 8)), *sizes]]
    return tuple(Input(float(now), tuple(operations)) for now, operations in enumerate(ticks))


def check(program: type[Bloom], stream: tuple[Input, ...]) -> None:
    """Both evaluators see the same after each tick."""
    outcome = compare_classes(program, program, stream)
    assert outcome.difference is None, outcome.difference


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.__name__)
def test_views_under_random_edits_are_as_computed_anew(program):
    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(edits(program))
    def agree(stream: tuple[Input, ...]) -> None:
        check(program, stream)

    agree()


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.__name__)
def test_views_under_many_random_edits_are_as_computed_anew(program):
    @settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(edits(program))
    def agree(stream: tuple[Input, ...]) -> None:
        check(program, stream)

    agree()
