"""`python -m tests.mutants`: the table of wrong programs, and what the default search says of each."""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence

from .searching import LIMIT_S, Found, search
from .table import mutants

_WIDTH = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns 0 if the search said of every row what is expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only rows whose subject or name has one of these words")
    parser.add_argument("--limit", type=float, default=LIMIT_S, metavar="SECONDS", help="most seconds of the search for a row")
    parser.add_argument("--runs", type=int, help="most runs of a row")
    parser.add_argument("--verbose", action="store_true", help="show the edits and the counterexamples")
    given = parser.parse_args(arguments)
    rows = [row for row in mutants() if not given.names or any(name in f"{row.subject.name}: {row.name}" for name in given.names)]
    print(f"{'program and edit':<{_WIDTH + 20}} {'expected':>8} {'search says':>11} {'runs':>6} {'seconds':>8} {'faults':>6} replay")
    found = []
    for row in rows:
        result = search(row, runs=given.runs, limit_s=given.limit)
        found.append(result)
        print(line(result), flush=True)
        if given.verbose:
            print(*(f"    {text}" for text in (*row.diff.splitlines(), result.error, *result.words, row.why) if text), sep="\n", flush=True)
    print(summary(found))
    return 0 if all(result.right for result in found) else 1


def line(found: Found) -> str:
    """A row of the table."""
    row = found.mutant
    name = f"{row.subject.name}: {row.name}"[: _WIDTH + 20]
    expected = "yes" if row.expected else "no"
    faults, replayed = (str(found.faults), "same" if found.replayed else "DIFFERS") if found.error else ("", "")
    return f"{name:<{_WIDTH + 20}} {expected:>8} {found.verdict:>11} {found.runs:>6,} {found.seconds:>8.1f} {faults:>6} {replayed}".rstrip()


def summary(found: Sequence[Found]) -> str:
    """The figures of the table."""
    wrong = [result for result in found if result.mutant.expected]
    caught = [result for result in wrong if result.right]
    alarms = sum(not result.right for result in found if not result.mutant.expected)
    replayed = sum(result.replayed for result in caught)
    lines = [
        f"{len(caught)} of {len(wrong)} mutants found ({len(caught) / max(1, len(wrong)):.1%}), {alarms} false alarms in {len(found) - len(wrong)} rows",
        f"{replayed} of {len(caught)} counterexamples replayed the same",
    ]
    if caught:
        faults = [result.faults for result in caught]
        lines.append(f"faults in a shrunk counterexample: median {statistics.median(faults):g}, most {max(faults)}")
        lines.append(f"seconds to find and shrink: median {statistics.median(r.seconds for r in caught):.1f}, most {max(r.seconds for r in caught):.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
