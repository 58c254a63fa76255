"""What a row of a three-column table with one index costs in memory, beyond its values."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

import gc
import multiprocessing
import resource
import sys
import tracemalloc

from attrs import frozen

from benchmarks.measure import Figure, WrongResult, command
from bloompy import Bloom, interface, rule, table

GOAL_BYTES = 200


class Indexed(Bloom):
    """A table by its key, and by another column, for which the rule's join needs an index."""

    stock = table("number -> place, label")
    asked = interface.input("place")
    found = interface.output("number, place, label")

    @rule
    def find(self):
        self.found <= ((s.number, s.place, s.label) for a in self.asked for s in self.stock if s.place == a.place)


@frozen
class Bytes:
    """Bytes a row.

    Attributes:
        traced: what Python allocated for table and index, the rows' tuples included, their values not.
        resident: by how much the resident memory of the process grew, with the same exception.
    """

    traced: float
    resident: float


def measure(rows: int, per_place: int) -> Bytes:
    """Fill a table in which so many rows have the same place.

    Raises:
        WrongResult: if the index does not find these rows.
    """
    values = [(number, number // per_place * per_place, f"label {number}") for number in range(rows)]
    _fill(values[: 2 * per_place], per_place)  # what is imported and compiled once does not count
    resident = _resident(values, per_place)  # first: later, memory that was freed would be used again
    return Bytes(_traced(values, per_place), resident)


def _fill(values: list[tuple[int, int, str]], per_place: int) -> Indexed:
    program = Indexed()
    program.stock.insert(*((number, place, label) for number, place, label in values))
    program.tick()
    program.asked.insert((0,))
    program.tick()
    if len(program.stock) != len(values) or len(program.found) != per_place:
        raise WrongResult(f"{len(program.found)} of {len(program.stock)} rows were found")
    program.tick()
    return program


def _traced(values: list[tuple[int, int, str]], per_place: int) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        program = _fill(values, per_place)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        del program
    finally:
        tracemalloc.stop()
    return held / len(values)


def _resident(values: list[tuple[int, int, str]], per_place: int) -> float:
    gc.collect()
    before = _resident_bytes()
    program = _fill(values, per_place)
    gc.collect()
    after = _resident_bytes()
    del program
    return (after - before) / len(values)


def _resident_bytes() -> int:
    """Of this process; where the system does not tell, the most that it ever was."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def figures(small: bool = False) -> list[Figure]:
    found = []
    for rows in (10_000,) if small else (100_000, 1_000_000):
        for per_place in (1, 10):
            with multiprocessing.get_context("spawn").Pool(1) as alone:
                cost = alone.apply(measure, (rows, per_place))
            name = f"{rows:,} rows, {per_place} to a value of the index"
            found += [
                Figure(f"{name}: allocated", cost.traced, "bytes a row", GOAL_BYTES),
                Figure(f"{name}: resident", cost.resident, "bytes a row"),
            ]
    return found


if __name__ == "__main__":
    command(__doc__, figures)
