"""Importing bloompy, with the language, in a new Python."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from benchmarks.measure import Figure, WrongResult, command

OPTIONAL = ["IPython", "ipykernel", "nbclient", "hypothesis", "pytest", "duckdb", "psutil", "mypy", "numpy", "click", "bloompy_fs"]
CODE = "import time, sys, json; s = time.process_time(); import {}; print(json.dumps([time.process_time() - s, sorted(sys.modules)]))"


def seconds(modules: str) -> float:
    """CPU seconds of the imports in a new interpreter."""
    out = subprocess.run([sys.executable, "-c", CODE.format(modules)], check=True, capture_output=True, text=True).stdout
    took, loaded = json.loads(out)
    if modules == "bloompy.program" and (extra := [name for name in OPTIONAL if name in loaded]):
        raise WrongResult(f"importing bloompy imported {extra}")
    return float(took)


def figures(small: bool = False) -> list[Figure]:
    names = ["bloompy.program", "attrs, anyio, msgspec", "sqlite3, asyncio"]
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(1 if small else 11):
        for name in names:
            times[name].append(seconds(name))
    medians = {name: statistics.median(each) for name, each in times.items()}
    return [
        Figure("import bloompy", medians["bloompy.program"], "s of CPU", 0.2),
        *(Figure(f"import {name}", medians[name], "s of CPU") for name in names[1:]),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
