"""Bulk fixpoints as contests: a program from tuples to tuples against its peers, in this process or one child each."""

from __future__ import annotations

import argparse
import importlib
import json
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from benchmarks.measure import Contestant, Figure, WrongResult, digest, timed
from bloompy import Bloom


def tuples_to_tuples(make: Callable[[], Bloom], tables: Mapping[str, Sequence[tuple[Any, ...]]], result: str) -> Contestant:
    """A program as a contestant: staging, one tick and reading a collection are all timed."""

    def contestant() -> tuple[float, list[tuple[Any, ...]]]:
        program = make()
        found: list[list[tuple[Any, ...]]] = []

        def work() -> None:
            for name, rows in tables.items():
                getattr(program, name).insert(*rows)
            program.tick()
            found.append(list(getattr(program, result)))

        return timed(work), found[0]

    return contestant


def ratios(what: str, medians: Mapping[str, float], goals: Mapping[str, float]) -> list[Figure]:
    """bloompy's time as a multiple of each other's, those with a goal first, then all times."""
    others = sorted((name for name in medians if name != "bloompy"), key=lambda name: name not in goals)
    return [
        *(Figure(f"{what} / {name}", medians["bloompy"] / medians[name], "times", goals.get(name)) for name in others),
        *(Figure(f"{what}, {name}", seconds * 1000, "ms") for name, seconds in medians.items()),
    ]


@frozen
class Child:
    """What a contestant took in a process of its own: CPU seconds and peak memory in bytes, interpreter and inputs included."""

    seconds: float
    peak_bytes: int


def in_children(module: str, names: Sequence[str], size: int, rounds: int, expected: int) -> dict[str, Child]:
    """The medians of contestants of a module, each run in a new process, in interleaved rounds.

    Args:
        module: full name; its `contestants(size)` makes the contestants by name.

    Raises:
        WrongResult: naming the contestant.
    """
    found: dict[str, list[Child]] = {name: [] for name in names}
    digests: dict[int, str] = {}
    for _ in range(rounds):
        for name in names:
            run = [sys.executable, "-m", "benchmarks.bulk", module, name, str(size)]
            told = json.loads(subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout)
            if told["rows"] != expected:
                raise WrongResult(f"{name} gave {told['rows']:,} rows, not {expected:,}")
            digests.setdefault(told["digest"], name)
            if len(digests) > 1:
                raise WrongResult(f"{' and '.join(digests.values())} gave different rows")
            found[name].append(Child(told["seconds"], told["peak_bytes"]))
    return {
        name: Child(statistics.median(each.seconds for each in runs), int(statistics.median(each.peak_bytes for each in runs)))
        for name, runs in found.items()
    }


def peak_memory() -> int:
    """The most bytes that this process has held at a time."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux `getrusage` would tell the parent's peak where that was higher
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run one contestant of a module and tell what it took, as JSON.")
    parser.add_argument("module")
    parser.add_argument("contestant")
    parser.add_argument("size", type=int)
    given = parser.parse_args()
    seconds, rows = importlib.import_module(given.module).contestants(given.size)[given.contestant]()
    peak_bytes = peak_memory()
    print(json.dumps({"seconds": seconds, "rows": len(rows), "digest": digest(rows), "peak_bytes": peak_bytes}))


if __name__ == "__main__":
    main()
