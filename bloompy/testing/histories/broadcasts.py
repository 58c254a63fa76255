"""Broadcast: who delivers what, and in which order. Operations: `broadcast m`, `deliver m`.

The properties are those of V. Hadzilacos, S. Toueg, "A Modular Approach to Fault-Tolerant Broadcasts", 1994, and C. Cachin, R. Guerraoui,
L. Rodrigues, "Introduction to Reliable and Secure Distributed Programming", 2011. The history is complete: nothing is still on its way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations, pairwise
from typing import Any, Literal, TypeAlias

from attrs import define, field

from bloompy.errors import HistoryError, UsageError
from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Operation, Process, literal
from bloompy.testing.histories.result import Result, Violation, judged

Order: TypeAlias = Literal["fifo", "causal", "total"]


def check_broadcast(
    history: History, *, correct: Collection[Process] | None = None, uniform: bool = False, orders: Collection[Order] = ()
) -> Result:
    """Check that messages are delivered as a reliable broadcast promises.

    Kinds of violations: "validity" (a correct process did not deliver its own message), "agreement" (of two correct processes only one
    delivered a message), "phantom" and "duplicated" (integrity), "fifo", "causal", "total".

    Args:
        history: of `broadcast m` and `deliver m`, every message broadcast once. A process that only crashed and came back is correct.
        correct: the processes that did not fail for good; by default all in the history.
        uniform: whether correct processes must also deliver what only failed ones delivered.
        orders: what is promised of the order: "fifo" (messages of one sender), "causal" (what a sender had seen before), "total" (all
            processes deliver in one order).

    Raises:
        HistoryError: for a message that was broadcast twice.
        UsageError: for another order.
    """
    if unknown := [order for order in orders if order not in ("fifo", "causal", "total")]:
        raise UsageError(f"there is no order {unknown[0]!r}", hint="there are fifo, causal, total")
    return _Broadcast(history, correct, uniform).check(orders)


@define
class _Broadcast:
    """What was sent and delivered.

    Attributes:
        history, given, uniform: as given.
        sent: the broadcast of each message, without those that failed.
        delivered: for each process the first delivery of each message, in order.
        violations: what is wrong.
    """

    history: History
    given: Collection[Process] | None
    uniform: bool
    sent: dict[Any, Operation] = field(factory=dict)
    delivered: dict[Process, dict[Any, Operation]] = field(factory=dict)
    violations: list[Violation] = field(factory=list)

    def check(self, orders: Collection[Order]) -> Result:
        self._take()
        correct = list(self.delivered if self.given is None else self.given)
        self._reliable(correct)
        if "fifo" in orders:
            self._before("fifo", self._earlier_of_sender())
        if "causal" in orders:
            self._before("causal", self._seen_by_sender())
        if "total" in orders:
            self._total()
        counts = {"messages": len(self.sent), "deliveries": sum(map(len, self.delivered.values()))}
        return judged(" ".join(["a", *orders, "broadcast"]), self.violations, self.history, counts)

    def _wrong(self, kind: str, text: str, *operations: Operation) -> None:
        self.violations.append(Violation(kind, text, operations))

    def _take(self) -> None:
        for each in self.history:
            self.delivered.setdefault(each.process, {})
            if each.function == "broadcast" and each.status != "fail":
                if each.argument in self.sent:
                    raise HistoryError(f"{literal(each.argument)} was broadcast twice", hint="make messages unique")
                self.sent[each.argument] = each
        for each in self.history:
            if each.function == "deliver" and each.ok:
                message = each.result if each.argument is None else each.argument
                sent = self.sent.get(message)
                if sent is None or sent.invoked > (each.completed or 0):
                    self._wrong("phantom", f"{each.process} delivered {literal(message)}, which nobody had broadcast", each)
                first = self.delivered[each.process].setdefault(message, each)
                if first is not each:
                    self._wrong("duplicated", f"{each.process} delivered {literal(message)} again", first, each)

    def _reliable(self, correct: list[Process]) -> None:
        for message, sent in self.sent.items():
            if sent.ok and sent.process in correct and message not in self.delivered.get(sent.process, {}):
                self._wrong("validity", f"{sent.process} broadcast {literal(message)} and did not deliver it", sent)
        deliverers = list(self.delivered) if self.uniform else [each for each in correct if each in self.delivered]
        somewhere = {message: each for process in deliverers for message, each in self.delivered[process].items()}
        for process in correct:
            for message, each in somewhere.items():
                if message not in self.delivered.get(process, {}):
                    self._wrong("agreement", f"{each.process} delivered {literal(message)}, {process} did not", each)

    # -- orders

    def _happened(self) -> list[Operation]:
        """The broadcasts that surely happened."""
        delivered = {message for messages in self.delivered.values() for message in messages}
        return [each for message, each in self.sent.items() if each.ok or message in delivered]

    def _earlier_of_sender(self) -> dict[Any, list[Any]]:
        """For each message the one that its sender had broadcast right before."""
        last: dict[Process, Any] = {}
        found: dict[Any, list[Any]] = {}
        for each in self._happened():
            found[each.argument] = [last[each.process]] if each.process in last else []
            last[each.process] = each.argument
        return found

    def _seen_by_sender(self) -> dict[Any, list[Any]]:
        """For each message those that its sender had broadcast or delivered before."""
        found = {}
        for each in self._happened():
            own = [other.argument for other in self._happened() if other.process == each.process and other.invoked < each.invoked]
            taken = [message for message, delivery in self.delivered[each.process].items() if (delivery.completed or 0) < each.invoked]
            found[each.argument] = [*own, *(message for message in taken if message in self.sent and message != each.argument)]
        return found

    def _before(self, kind: str, earlier: dict[Any, list[Any]]) -> None:
        """Nobody delivers a message before those that come before it."""
        for process, deliveries in self.delivered.items():
            done: set[Any] = set()
            for message, each in deliveries.items():
                missing = [other for other in earlier.get(message, ()) if other not in done]
                if missing:
                    other = self.sent[missing[0]]
                    text = f"{process} delivered {literal(message)} without {literal(missing[0])}, which comes before it: {other}"
                    self._wrong(kind, text, other, self.sent[message], each)
                done.add(message)

    def _total(self) -> None:
        """There is one order in which all processes deliver."""
        circle = _circle(self.delivered.values())
        if not circle:
            return
        for (p, first), (q, second) in combinations(self.delivered.items(), 2):
            common = [message for message in first if message in second]
            places = {message: i for i, message in enumerate(second)}
            for a, b in pairwise(common):
                if places[a] > places[b]:
                    text = f"{p} delivered {literal(a)} before {literal(b)}, {q} the other way round"
                    self._wrong("total", text, first[a], first[b], second[b], second[a])
                    return
        shown = ", ".join(map(literal, circle[:5]))
        self._wrong("total", f"no one order fits what all processes delivered: {shown} would come before themselves")


def _circle(sequences: Iterable[Iterable[Any]]) -> list[Any]:
    """What is left of all elements if one takes away, again and again, those that follow nothing that is left."""
    after: dict[Any, dict[Any, None]] = {}
    before: dict[Any, int] = {}
    for sequence in sequences:
        given = list(sequence)
        before.update({each: before.get(each, 0) for each in given})
        for a, b in pairwise(given):
            if b not in after.setdefault(a, {}):
                after[a][b] = None
                before[b] += 1
    todo = [each for each, count in before.items() if not count]
    for each in todo:
        for then in after.get(each, ()):
            before[then] -= 1
            if not before[then]:
                todo.append(then)
    return [each for each, count in before.items() if count]
