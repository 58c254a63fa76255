"""Queues: what goes in comes out, once, in order. Operations: `enqueue x`, `dequeue` (None: empty).

With unique elements and only `ok` operations the checks of order are exactly linearizability: T. Henzinger, A. Sezgin, V. Vafeiadis,
"Aspect-Oriented Linearizability Proofs", CONCUR 2013. They take time n log n.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from attrs import define, field

from bloompy.errors import HistoryError
from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Operation, literal
from bloompy.testing.histories.result import Result, Violation, judged


def check_queue(history: History, *, fifo: bool = True, drained: bool = False) -> Result:
    """Check that nothing is lost, given twice or made up, and that what went in first came out first.

    Kinds of violations: "phantom", "duplicated", "lost" (with `drained`), "order" (an element came out before one that had gone in
    before it), "not empty" (a dequeue found nothing, though something was in the queue all the time).

    Args:
        history: of `enqueue x` and `dequeue`.
        fifo: whether the order matters; then every element is enqueued once.
        drained: whether everything should have come out at the end.

    Raises:
        HistoryError: if the order matters and an element was enqueued twice.
    """
    return _Queue(history).check(fifo, drained)


@define
class _Queue:
    """What went in and came out.

    Attributes:
        history: as given.
        enqueued, dequeued: the operations by element, without those that failed; `dequeued` only those that are known.
        unknown: dequeues that may have taken anything.
        violations: what is wrong.
    """

    history: History
    enqueued: dict[Any, list[Operation]] = field(factory=dict)
    dequeued: dict[Any, list[Operation]] = field(factory=dict)
    unknown: list[Operation] = field(factory=list)
    empty: list[Operation] = field(factory=list)
    violations: list[Violation] = field(factory=list)

    def check(self, fifo: bool, drained: bool) -> Result:
        self._sort()
        self._counted()
        if drained:
            self._lost()
        if fifo:
            self._ordered()
            self._empty()
        counts = {"enqueued": sum(map(len, self.enqueued.values())), "dequeued": sum(map(len, self.dequeued.values()))}
        return judged("a queue", self.violations, self.history, counts)

    def _wrong(self, kind: str, text: str, *operations: Operation) -> None:
        self.violations.append(Violation(kind, text, operations))

    def _sort(self) -> None:
        for each in self.history:
            if each.status == "fail":
                continue
            if each.function == "enqueue":
                self.enqueued.setdefault(each.argument, []).append(each)
            elif each.function == "dequeue" and each.unknown:
                self.unknown.append(each)
            elif each.function == "dequeue" and each.result is None:
                self.empty.append(each)
            elif each.function == "dequeue":
                self.dequeued.setdefault(each.result, []).append(each)

    def _counted(self) -> None:
        for element, dequeues in self.dequeued.items():
            enqueues = self.enqueued.get(element, [])
            for i, dequeue in enumerate(sorted(dequeues, key=_end)):
                begun = sum(each.invoked < _end(dequeue) for each in enqueues)
                if not begun:
                    self._wrong("phantom", f"{dequeue}, but nobody had put {literal(element)} in", dequeue)
                elif i >= begun:
                    self._wrong("duplicated", f"{literal(element)} came out {i + 1} times and went in {begun} times: {dequeue}", *dequeues)

    def _lost(self) -> None:
        left: Counter[Any] = Counter()
        for element, enqueues in self.enqueued.items():
            left[element] = sum(each.ok for each in enqueues) - len(self.dequeued.get(element, []))
        lost = [element for element, count in left.items() if count > 0]
        if len(lost) > len(self.unknown):  # each unknown dequeue may have taken one
            perhaps = f", of which {len(self.unknown)} may have gone to unknown dequeues" if self.unknown else ""
            shown = ", ".join(map(literal, lost[:5])) + (", …" if len(lost) > 5 else "")
            text = f"{len(lost)} elements went in and never came out{perhaps}: {shown}"
            self._wrong("lost", text, *(self.enqueued[element][0] for element in lost))

    def _ordered(self) -> None:
        """Of an element that came out none that had gone in before it may come out later, or never."""
        for element, enqueues in self.enqueued.items():
            if len(enqueues) > 1:
                raise HistoryError(f"{literal(element)} was enqueued twice", hint="enqueue each element once, or check with fifo=False")
        out = [(element, min(dequeues, key=_end)) for element, dequeues in self.dequeued.items() if element in self.enqueued]
        out.sort(key=lambda each: self.enqueued[each[0]][0].invoked)
        over = sorted((each for (each,) in self.enqueued.values() if each.ok), key=_end)
        latest: Operation | None = None
        passed = 0
        never: list[Operation] = []
        for element, dequeue in out:
            (enqueue,) = self.enqueued[element]
            while passed < len(over) and over[passed].precedes(enqueue):
                before = over[passed]
                if before.argument not in self.dequeued:
                    never.append(before)
                elif latest is None or self._begin(before) > self._begin(latest):
                    latest = before
                passed += 1
            if latest is not None and self._begin(latest) > _end(dequeue):
                later = min(self.dequeued[latest.argument], key=_end)
                text = f"{literal(latest.argument)} went in before {literal(element)} and came out after it: {dequeue}, then {later}"
                self._wrong("order", text, latest, enqueue, dequeue, later)
            takers = sum(each.invoked < _end(dequeue) for each in self.unknown)
            if len(never) > takers:
                text = f"{literal(never[0].argument)} went in before {literal(element)} and never came out: {dequeue}"
                self._wrong("order", text, never[0], enqueue, dequeue)

    def _begin(self, enqueue: Operation) -> int:
        """When its element may have begun to leave, at the earliest."""
        return min(each.invoked for each in self.dequeued[enqueue.argument])

    def _empty(self) -> None:
        """A dequeue that found nothing: at some moment while it ran nothing was surely there."""
        stays = sorted(self._stays())
        for dequeue in self.empty:
            if any(each.invoked < _end(dequeue) for each in self.unknown):
                continue
            at = dequeue.invoked
            for begin, end in stays:
                if begin <= at < end:
                    at = end
            if at >= _end(dequeue):
                self._wrong("not empty", f"{dequeue} found nothing, though at every moment something was in the queue", dequeue)

    def _stays(self) -> list[tuple[int, int]]:
        """From which place to which each element was surely in the queue."""
        last = 2 * len(self.history)
        found = []
        for element, (enqueue, *_) in self.enqueued.items():
            if enqueue.ok:
                end = min((each.invoked for each in self.dequeued.get(element, ())), default=last)
                found.append((_end(enqueue), end))
        return found


def _end(operation: Operation) -> int:
    assert operation.completed is not None
    return operation.completed
