"""The matching of tasks with slots: aggregates in plain Python, pure and independent of order."""

from __future__ import annotations

from heapq import nsmallest
from itertools import groupby
from operator import itemgetter
from typing import Any

from bloompy import aggregate

FRONT = 64
"""How many tasks of a queue are looked at in a tick; more than slots that become free at once."""


@aggregate
def least(ranks: list[Any]) -> tuple[Any, ...]:
    """The `FRONT` least ranks, in order. O(n log FRONT)."""
    return tuple(nsmallest(FRONT, ranks))


@aggregate
def greedy_matching(candidates: list[Any]) -> tuple[Any, ...]:
    """Which task goes to which tracker.

    Walks the candidates from the least rank on. A task is given once, a tracker at most as many tasks as it has free
    slots. Among trackers for which a task has one rank it goes to the one with most slots left, then to the least name.
    So whenever a slot and a task fit together, one of the two is used.

    Args:
        candidates: (rank, free slots of the tracker, tracker); a rank names its task by `jobid` and `taskid`.

    Returns:
        (rank, tracker) of the tasks given, by rank. O(n log n) for n candidates.
    """
    left = {tracker: slots for _, slots, tracker in candidates}
    given: dict[tuple[int, int], Any] = {}
    for rank, group in groupby(sorted(candidates), key=itemgetter(0)):
        if (rank.jobid, rank.taskid) in given:
            continue
        open_trackers = [(-left[tracker], tracker) for _, _, tracker in group if left[tracker]]
        if open_trackers:
            _, tracker = min(open_trackers)
            left[tracker] -= 1
            given[rank.jobid, rank.taskid] = (rank, tracker)
    return tuple(given.values())
