"""`linearizable`: whether every operation took effect at one moment between its beginning and its end.

M. Herlihy, J. Wing, "Linearizability", TOPLAS 1990. A history is linearizable if that of each object is (locality), so operations of
different keys are checked apart: A. Horn, D. Kroening, "Faster linearizability checking via P-compositionality", FORTE 2015.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen

from bloompy.testing.histories.history import History, cut
from bloompy.testing.histories.models import Model
from bloompy.testing.histories.operation import Operation, literal, printable, seconds
from bloompy.testing.histories.result import Result, Violation
from bloompy.testing.histories.search import Budget, Found, Search

CONFIGURATIONS = 1_000_000
"""How many configurations a check may make, unless it is told otherwise: some seconds, and some hundred megabytes."""

_FIRST_ROUND = 20_000
_SHOWN_STATES = 8


@frozen(repr=False)
class Linearizability(Result):
    """Whether a history is linearizable; if so in which order, if not since when and why.

    Attributes:
        orders: if valid, for each key the operations in an order in which they may have taken effect.
        key: of the operation that cannot be placed; None where the history was not partitioned.
        operation: that operation.
        prefix: the shortest beginning of the key's history that is not linearizable; it ends with the operation's end.
        states: what the object could be just before that end, in words.
        configurations: how many the search made.
    """

    orders: Mapping[Any, tuple[Operation, ...]] = field(factory=dict)
    key: Any = None
    operation: Operation | None = None
    prefix: History = field(factory=History)
    states: tuple[str, ...] = ()
    configurations: int = 0

    def __str__(self) -> str:
        """The verdict; if not linearizable, the explanation with a picture."""
        if self.operation is None:
            return super().__str__()
        picture = self.prefix.timeline([self.operation]).around([self.operation])
        return f"{super().__str__()}\n{picture.text()}"


def linearizable(
    history: History, model: Model, *, configurations: int = CONFIGURATIONS, limit_s: float | None = None, partition: bool = True
) -> Linearizability:
    """Check that every operation took effect at one moment between its beginning and its end, as the model says.

    Operations that failed are left out; those of unknown outcome may have taken effect at any moment after their beginning, or
    never. The problem is NP-complete: the budget bounds the search, and the answer may be "unknown", but it is never wrong.

    Args:
        history: what happened.
        model: what the object does.
        configurations: how many configurations the search may make.
        limit_s: how long it may take.
        partition: whether to check operations of different keys, as the model has them, apart.
    """
    return _Check(history, model, Budget(configurations, None if limit_s is None else time.monotonic() + limit_s)).run(partition)


def partitions(history: History, model: Model) -> dict[Hashable, list[Operation]]:
    """The operations by key; all under the key None if there is one that touches all keys."""
    found: dict[Hashable, list[Operation]] = {}
    for operation in history:
        if operation.status != "fail":
            key = model.key(operation)
            if key is None:
                return {None: [each for each in history if each.status != "fail"]}
            found.setdefault(key, []).append(operation)
    return found


@define
class _Check:
    """One check.

    Attributes:
        history, model, budget: as given.
    """

    history: History
    model: Model
    budget: Budget

    def run(self, partition: bool) -> Linearizability:
        parts: dict[Hashable, list[Operation]] = partitions(self.history, self.model) if partition else {None: list(self.history)}
        if None not in parts and self.model.single is not None:
            self.model = self.model.single
        searches = {key: Search(operations, self.model) for key, operations in parts.items()}
        found = {key: self._portion(search) for key, search in searches.items()}
        if all(each.valid is not False for each in found.values()):
            found.update((key, searches[key].run(self.budget)) for key, each in found.items() if each.valid is None)
        wrong = {key: each for key, each in found.items() if each.valid is False}
        if wrong:
            return self._wrong(parts, searches, wrong)
        made = sum(each.configurations for each in found.values())
        open_ = {key: each for key, each in found.items() if each.valid is None}
        if open_:
            return Linearizability("linearizable", None, (), _why_unknown(open_, len(found), made), {}, self.history, configurations=made)
        orders = {key: each.order for key, each in found.items()}
        return Linearizability("linearizable", True, (), "", _counts(self.history), self.history, orders=orders, configurations=made)

    def _portion(self, search: Search) -> Found:
        """A first go, so that no hard key keeps an easy one from being found wrong."""
        budget = Budget(min(_FIRST_ROUND, self.budget.configurations), self.budget.until_s)
        before = budget.configurations
        found = search.run(budget)
        self.budget.configurations -= before - budget.configurations
        return found

    def _wrong(
        self, parts: dict[Hashable, list[Operation]], searches: dict[Hashable, Search], wrong: dict[Hashable, Found]
    ) -> Linearizability:
        """Explain the key whose history fails first."""
        budget = Budget(max(2 * sum(each.configurations for each in wrong.values()), _FIRST_ROUND), self.budget.until_s)
        first: tuple[int, bool, Hashable] | None = None
        for key, found in sorted(wrong.items(), key=lambda each: _end(each[1])):
            if first is not None and first[0] < _end(found):
                break  # a search never gets stuck later than the prefix fails
            end, exact = self._shortest(parts[key], _end(found), budget)
            if first is None or end < first[0]:
                first = (end, exact, key)
        assert first is not None
        end, exact, key = first
        prefix = History(_prefix(parts[key], end))
        (operation,) = (each for each in prefix if each.completed == end)
        if end == _end(wrong[key]) and self._told_nothing(parts[key], end):
            states = searches[key].states_at(wrong[key].furthest)
        else:
            states = self._states_before(prefix, operation, budget)
        violations = [Violation("cannot be placed", self._explained(key, operation, prefix, states, exact), (operation,))]
        if len(wrong) > 1:
            violations.append(Violation("more", f"{len(wrong) - 1:,} other keys are not linearizable either"))
        return Linearizability(
            "linearizable",
            False,
            tuple(violations),
            counts=_counts(self.history),
            history=self.history,
            key=key,
            operation=operation,
            prefix=prefix,
            states=states or (),
            configurations=sum(each.configurations for each in wrong.values()),
        )

    def _told_nothing(self, operations: list[Operation], end: int) -> bool:
        """Whether the results of what was under way at a place, known later, did not matter to the search before."""
        under_way = [each for each in operations if each.ok and each.invoked < end < (each.completed or 0)]
        return all(
            any(plain(each) and plain(cut(each, end)) for plain in (self.model.observes, self.model.overwrites)) for each in under_way
        )

    def _shortest(self, operations: list[Operation], stuck: int, budget: Budget) -> tuple[int, bool]:
        """The end of the shortest prefix that is not linearizable, and whether it surely is the shortest.

        The search used results that were known only after the step at which it got stuck. Without them the prefix may be fine, and
        a longer one the first that is not; every one that is longer still is not either.
        """
        if self._told_nothing(operations, stuck):
            return stuck, True
        ends = sorted(each.completed for each in operations if each.ok and each.completed is not None and each.completed >= stuck)
        verdicts: dict[int, bool | None] = {}

        def fails(end: int) -> bool:
            verdicts[end] = Search(_prefix(operations, end), self.model).run(budget).valid
            return verdicts[end] is False

        if fails(ends[0]) or len(ends) == 1:
            return ends[0], None not in verdicts.values()
        first = ends[bisect.bisect_left(ends, True, 1, len(ends) - 1, key=fails)]
        return first, None not in verdicts.values()

    def _states_before(self, prefix: History, operation: Operation, budget: Budget) -> tuple[str, ...] | None:
        """What the object could be just before the end of an operation that had not taken effect; None: not known."""
        assert operation.completed is not None
        others = [cut(each, operation.completed - 1) for each in prefix if each is not operation]
        return Search(others, self.model).states_at_the_end(budget)

    def _explained(self, key: Hashable, operation: Operation, prefix: History, states: tuple[str, ...] | None, exact: bool) -> str:
        where = "" if key is None else f" of {literal(key)}"
        shortest = "The shortest beginning" if exact else "A beginning"
        text = (
            f"{operation} ({seconds(operation.start_s)} to {seconds(operation.end_s)}). {shortest} of the history{where} that is "
            f"not linearizable (as a {self.model.name}) ends with it: {len(prefix):,} operations."
        )
        if states is None:
            return text
        if not states:
            return f"{text} Others saw its effect, but not as it says."
        shown = "; or ".join(states[:_SHOWN_STATES]) + ("; or …" if len(states) > _SHOWN_STATES else "")
        return f"{text} However these are ordered, just before its end the state could only be: {shown}"


def _prefix(operations: Sequence[Operation], end: int) -> list[Operation]:
    return [cut(each, end) for each in operations if each.invoked <= end]


def _end(found: Found) -> int:
    assert found.stuck is not None
    assert found.stuck.completed is not None
    return found.stuck.completed


def _counts(history: History) -> dict[str, int]:
    return {"operations": len(history)}


def _why_unknown(open_: Mapping[Hashable, Found], keys: int, made: int) -> str:
    key, found = next(iter(open_.items()))
    which = "" if key is None else f" of {printable(literal(key))}"
    others = f", and {len(open_) - 1:,} more of {keys:,} keys are open" if len(open_) > 1 else ""
    return (
        f"the budget was spent after {made:,} configurations; of the {found.steps:,} completed operations{which} the first "
        f"{found.furthest:,} can be placed{others}. Give more configurations or a longer limit_s, or spread the operations over more keys"
    )
