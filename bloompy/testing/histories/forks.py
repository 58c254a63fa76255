"""Long forks: two reads that saw two independent writes in different orders, which snapshot isolation forbids.

A. Cerone, A. Gotsman, "Analysing Snapshot Isolation", JACM 2018. Operation: `read`, which returns `(key, value)` pairs; None for a key
not yet written. Each key is written once.
"""

from __future__ import annotations

from typing import Any

from bloompy.errors import HistoryError
from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Operation, literal
from bloompy.testing.histories.result import Result, Violation, judged


def check_long_fork(history: History) -> Result:
    """Check that of two reads of the same keys one saw all that the other saw.

    Args:
        history: of operations; each `read` returns pairs of keys and values.

    Raises:
        HistoryError: if a key had two values.
    """
    reads = [each for each in history if each.function == "read" and each.ok]
    groups: dict[frozenset[Any], list[tuple[frozenset[Any], Operation]]] = {}
    values: dict[Any, Any] = {}
    for read in reads:
        pairs = dict(read.result)
        for key, value in pairs.items():
            if value is not None and values.setdefault(key, value) != value:
                raise HistoryError(f"{literal(key)} was read as {literal(values[key])} and as {literal(value)}", hint="write each key once")
        seen = frozenset(key for key, value in pairs.items() if value is not None)
        groups.setdefault(frozenset(pairs), []).append((seen, read))
    violations = []
    for group in groups.values():
        group.sort(key=lambda each: len(each[0]))
        for (less, first), (more, second) in zip(group, group[1:], strict=False):
            if not less <= more:
                a, b = min(map(literal, less - more)), min(map(literal, more - less))
                violations.append(Violation("long fork", f"{first} saw {a} without {b}, {second} saw {b} without {a}", (first, second)))
    return judged("without long forks", violations, history, {"reads": len(reads)})
