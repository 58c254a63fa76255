"""Counters of user code: named sums over all tasks, of which only the attempt that commits counts (OSDI'04 §4.8)."""

from __future__ import annotations

from collections import defaultdict

_counts: defaultdict[str, int] = defaultdict(int)


def count(name: str, amount: int = 1) -> None:
    """Add to a counter of the running task.

    Args:
        name: any text, shown with the job's result.
        amount: what to add.
    """
    _counts[name] += amount


def taken() -> dict[str, int]:
    """The counts since the last call, which start again from nothing."""
    found = dict(_counts)
    _counts.clear()
    return found
