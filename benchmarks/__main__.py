"""`python -m benchmarks`: every benchmark in turn, each in a process of its own, then all figures with their goals."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import results
from benchmarks.measure import Figure, add_small, show

NAMES = [
    "import_time", "tick_cost", "chain", "get_by_key", "many_rules", "projection", "grouping",  # one tick
    "incremental", "fqpath", "reachability",  # changes one a tick
    "closure", "tc", "sg", "apsp", "points_to", "triangles",  # bulk fixpoints
    "memory",
    "requests", "group_commit", "wordcount", "replicated_log", "replicated_namenode",  # processes
    "linearizability", "exploration", "provenance", "lineage", "schedules",
]  # fmt: skip


def run(name: str, small: bool) -> list[Figure] | None:
    """The figures of one benchmark, which prints them as well; None where it fails."""
    print(f"\n== {name}", flush=True)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "figures.json")
        options = ["--small"] if small else []
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options, "--json", str(file)], check=False)
        if done.returncode != 0 or not file.exists():
            print(f"{name} failed", file=sys.stderr, flush=True)
            return None
        return [Figure(**each) for each in json.loads(file.read_text(encoding="utf-8"))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(NAMES)}")
    add_small(parser)
    parser.add_argument("--save", action="store_true", help=f"keep the figures, with machine and date, in {results.RESULTS.name}")
    parser.add_argument("--compare", action="store_true", help="show the figures beside the newest saved ones")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in NAMES]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    if given.save and given.small:
        parser.error("figures of small inputs are not worth saving")
    saved = results.newest()
    ran = {name: run(name, given.small) for name in given.names or NAMES}
    found = {name: figures for name, figures in ran.items() if figures is not None}
    everything = [figure for figures in found.values() for figure in figures]
    print("\n== all figures with goals")
    show([figure for figure in everything if figure.goal is not None])
    if given.compare:
        print("\n== beside the newest saved")
        results.compare(everything, saved)
    if given.save:
        results.save(found)
    return 0 if len(found) == len(ran) else 1


if __name__ == "__main__":
    sys.exit(main())
