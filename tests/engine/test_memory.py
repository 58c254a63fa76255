"""What rows cost in memory: bounds that a doubling breaks. `benchmarks/memory.py` has the figures."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import pytest

from bloompy import Bloom, agg, interface, rule, scratch, table

ROWS = 20_000
ROW_BYTES = 64
"""A tuple of three; its values are made before the measurement."""


class Indexed(Bloom):
    stock = table("number -> place, label")
    asked = interface.input("place")
    found = interface.output("number, place, label")

    @rule
    def find(self):
        self.found <= ((s.number, s.place, s.label) for a in self.asked for s in self.stock if s.place == a.place)


class Viewed(Bloom):
    stock = table("number -> place, label")
    view = scratch("number -> label")
    total = scratch("place -> count")

    @rule
    def derive(self):
        self.view <= ((s.number, s.label) for s in self.stock)
        self.total <= ((s.place, agg.count()) for s in self.stock)


def allocated(work: Callable[[], object]) -> float:
    """Bytes a row that are held after some work."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = work()
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept is not None
    return held / ROWS


def filled(program: Bloom, values: list[tuple[int, int, str]]) -> Bloom:
    program.stock.insert(*((number, place, label) for number, place, label in values))  # type: ignore[attr-defined]
    program.tick()
    return program


@pytest.mark.parametrize(("per_place", "expected"), [(1, 173), (10, 134)])
def test_a_row_of_a_table_with_one_index(per_place: int, expected: float) -> None:
    values = [(number, number // per_place * per_place, "label") for number in range(ROWS)]

    def fill() -> Bloom:
        program = filled(Indexed(), values)
        program.asked.insert((0,))  # type: ignore[attr-defined]
        program.tick()
        assert len(program.found) == per_place  # type: ignore[attr-defined]
        program.tick()
        return program

    fill()  # what is compiled once does not count
    assert ROW_BYTES < allocated(fill) < 1.5 * expected


def test_a_row_with_the_row_of_a_view_of_it() -> None:
    values = [(number, number // 10, "label") for number in range(ROWS)]
    filled(Viewed(), values)
    assert allocated(lambda: filled(Viewed(), values)) < 1.5 * 234


def test_memory_comes_back_when_rows_go() -> None:
    values = [(number, number // 10, "label") for number in range(ROWS)]

    def empty() -> Bloom:
        program = filled(Viewed(), values)
        program.stock.delete(*(value[0] for value in values))  # type: ignore[attr-defined]
        program.tick()
        assert len(program.view) == len(program.total) == 0  # type: ignore[attr-defined]
        return program

    empty()
    assert allocated(empty) < 120  # dicts keep their room


def test_ticks_that_change_a_row_hold_no_memory() -> None:
    values = [(number, number // 10, "label") for number in range(ROWS)]
    program = filled(Viewed(), values)

    def change(times: int) -> None:
        for i in range(times):
            program.stock.upsert((i % ROWS, 5, "other"))  # type: ignore[attr-defined]
            program.tick()

    change(100)
    gc.collect()
    tracemalloc.start()
    try:
        change(500)
        gc.collect()
        first, _ = tracemalloc.get_traced_memory()
        change(500)
        gc.collect()
        second, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert second - first < 200 * 500
