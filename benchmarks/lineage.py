"""Lineage-driven fault injection on the classic cases: runs to the first counterexample, and runs until a right program is complete."""

from __future__ import annotations

import time

from benchmarks.measure import Figure, WrongResult, command
from tests.sim.lineage.cases import CASES, RIGHT, Case, search

_COLUMNS = "{:<46} {:>8} {:>7} {:>9} {:>6} {:>8}  {}"


def searched(case: Case, wrong: bool) -> tuple[int, float]:
    """Runs and CPU seconds of one search, which prints its line of the table.

    Raises:
        WrongResult: for a search that found what is not there, or did not find what is.
    """
    start = time.process_time()
    found = search(case)
    seconds = time.process_time() - start
    if found.found != wrong or (not wrong and not found.complete) or (wrong and not found.confirmed):
        raise WrongResult(f"{case.name}: {found}")
    words = "; ".join(found.schedule.words()) if found.schedule is not None else "complete"
    bounds = f"{case.end_of_faults_s:g} s", case.crashes, "yes" if case.omissions else "no"
    print(_COLUMNS.format(case.name, *bounds, found.runs, f"{seconds:.2f} s", words), flush=True)
    return found.runs, seconds


def figures(small: bool = False) -> list[Figure]:
    print(_COLUMNS.format("case", "faults", "crashes", "losses", "runs", "CPU", "counterexample"))
    found = []
    for case in CASES[:2] if small else CASES:
        runs, seconds = searched(case, True)
        found += [Figure(f"{case.name}: runs to the counterexample", runs, "runs", case.runs), Figure(f"{case.name}: CPU", seconds, "s")]
    for case in RIGHT[:1] if small else RIGHT:
        runs, seconds = searched(case, False)
        found += [Figure(f"{case.name}: runs until complete", runs, "runs"), Figure(f"{case.name}: CPU", seconds, "s")]
    return found


if __name__ == "__main__":
    command(__doc__, figures)
