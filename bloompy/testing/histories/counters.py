"""Counters: every read lies between the least and the greatest sum that there can have been. Operations: `add n`, `read`."""

from __future__ import annotations

from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Operation
from bloompy.testing.histories.result import Result, Violation, judged


def check_counter(history: History, *, initial: int = 0) -> Result:
    """Check that every read lies within the sums that were possible while it ran.

    Additions that were over before the read began count for sure; those that began before it ended and are not known to be over
    may count. This follows from linearizability and is less: reads are not compared with each other.

    Args:
        history: of `add n` (n may be negative) and `read`.
        initial: the value at the beginning.
    """
    adds = [each for each in history if each.function == "add" and each.status != "fail"]
    reads = [each for each in history if each.function == "read" and each.ok]
    violations = []
    for read in reads:
        least, greatest = _bounds(adds, read, initial)
        if not least <= read.result <= greatest:
            text = f"{read} ({read.start_s:.6g} s), but it can only be {least if least == greatest else f'from {least} to {greatest}'}"
            violations.append(Violation("out of bounds", text, (read,)))
    return judged("a counter within bounds", violations, history, {"additions": len(adds), "reads": len(reads)})


def _bounds(adds: list[Operation], read: Operation, initial: int) -> tuple[int, int]:
    least = greatest = initial
    for add in adds:
        if add.precedes(read):
            least += add.argument
            greatest += add.argument
        elif read.completed is not None and add.invoked < read.completed:
            least += min(add.argument, 0)
            greatest += max(add.argument, 0)
    return least, greatest
