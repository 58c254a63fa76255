"""Sets that only grow: what was added must be read from then on, once. Operations: `add x`, `read` (a collection).

As Jepsen's checkers `set` and `set-full`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from attrs import define, field

from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Operation, literal
from bloompy.testing.histories.result import Result, Violation, judged


@define
class _Element:
    """One element.

    Attributes:
        adds: the operations that may have added it.
        reads: those that returned it.
    """

    adds: list[Operation] = field(factory=list)
    reads: list[Operation] = field(factory=list)

    @property
    def known(self) -> int | None:
        """The place from which on it is surely there; None: perhaps never."""
        ends = [each.completed for each in (*self.adds, *self.reads) if each.ok and each.completed is not None]
        return min(ends, default=None)


def check_set(history: History, *, linearizable: bool = False) -> Result:
    """Check that every element that was added, or once read, is in the reads that begin later.

    Kinds of violations: "lost" (missing in a read that began after it was surely there, and in no later one), "stale" (missing there,
    but in a later read), "phantom" (nobody added it before it was read), "duplicated" (more than once in one read). Counted: elements,
    and those never read because no read began after they were added.

    Args:
        history: of `add x` and `read`.
        linearizable: whether a stale read is wrong; if not, elements may take their time. Reads that overlap are not compared with
            each other: `linearizable(history, …)` with the model of a set does that, and costs more.
    """
    elements, violations = _elements(history)
    reads = [each for each in history if each.function == "read" and each.ok]
    never_read = stale = 0
    for element, found in elements.items():
        known = found.known
        if known is None:
            continue
        later = [each for each in reads if each.invoked > known]
        if not later and not found.reads:
            never_read += 1
        present = {each.invoked for each in found.reads}
        missing = [each for each in later if each.invoked not in present]
        lost = [each for each in missing if each.invoked > max(((read.completed or 0) for read in found.reads), default=0)]
        if lost:
            where = f"{_since(element, found, known)} and is in no read from {lost[0].process} at {lost[0].start_s:.6g} s on"
            violations.append(Violation("lost", where, (*found.adds[:1], lost[0])))
        elif missing:
            stale += 1
            if linearizable:
                where = f"{_since(element, found, known)} and is missing in the read of {missing[0].process} at {missing[0].start_s:.6g} s"
                violations.append(Violation("stale", where, (*found.adds[:1], missing[0])))
    counts = {"elements": len(elements), "reads": len(reads), "never read": never_read, "stale": stale}
    return judged("a set without loss", violations, history, counts)


def check_final_set(history: History) -> Result:
    """Check that the read that began last has every element whose addition had ended before, and none that nobody added.

    Kinds of violations: "lost", "phantom", "duplicated", and "no read" where there is none to check.

    Args:
        history: of `add x` and `read`.
    """
    reads = [each for each in history if each.function == "read" and each.ok]
    if not reads:
        return Result("a set without loss", None, unknown="nothing was read", history=history)
    final = reads[-1]
    elements, violations = _elements(history.where(lambda each: each.function == "add" or each.invoked == final.invoked))
    for found in elements.values():
        added = [each for each in found.adds if each.precedes(final)]
        if added and not found.reads:
            violations.append(Violation("lost", f"{added[0]}, and it is not in the last read", (added[0], final)))
    recovered = sum(bool(found.reads) and not any(each.ok for each in found.adds) for found in elements.values())
    counts = {"elements": len(elements), "read": len(list(_members(final.result))), "unknown and read": recovered}
    return judged("a set without loss", violations, history, counts)


def _elements(history: History) -> tuple[dict[Any, _Element], list[Violation]]:
    """The elements that were added or read, and what is wrong with single reads."""
    elements: dict[Any, _Element] = {}
    violations = []
    for each in history:
        if each.function == "add" and each.status != "fail":
            elements.setdefault(each.argument, _Element()).adds.append(each)
    for each in history:
        if each.function == "read" and each.ok:
            for element, count in Counter(_members(each.result)).items():
                if count > 1:
                    violations.append(
                        Violation("duplicated", f"{literal(element)} is {count} times in the read of {each.process}", (each,))
                    )
                found = elements.get(element)
                if found is None or not any(add.invoked < (each.completed or 0) for add in found.adds):
                    text = f"{literal(element)} is in the read of {each.process} at {each.start_s:.6g} s, but nobody had added it"
                    violations.append(Violation("phantom", text, (each,)))
                if found is not None:
                    found.reads.append(each)
    return elements, violations


def _members(result: Iterable[Any] | None) -> Iterable[Any]:
    return () if result is None else result


def _since(element: Any, found: _Element, known: int) -> str:
    how = "added" if any(each.ok and each.completed == known for each in found.adds) else "read"
    return f"{literal(element)} was {how}"
