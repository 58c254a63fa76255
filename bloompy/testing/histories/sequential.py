"""`sequentially_consistent`: whether one order of all operations, that keeps the order of each process, explains every result.

L. Lamport, "How to Make a Multiprocessor Computer That Correctly Executes Multiprocess Programs", IEEE Trans. Computers 1979. It does
not follow from that of each key, so nothing is partitioned; and an operation may see what, by the clock, began only later.
"""

from __future__ import annotations

import time
from collections.abc import Hashable

from attrs import field, frozen

from bloompy.errors import HistoryError
from bloompy.testing.histories.history import History
from bloompy.testing.histories.interned import IMPOSSIBLE, Interned
from bloompy.testing.histories.linearizability import CONFIGURATIONS
from bloompy.testing.histories.models import Model
from bloompy.testing.histories.operation import Operation
from bloompy.testing.histories.result import Result, Violation
from bloompy.testing.histories.search import Budget

_SHOWN_STATES = 8


@frozen(repr=False)
class SequentialConsistency(Result):
    """Whether a history is sequentially consistent.

    Attributes:
        order: if valid, the operations in an order that explains the history.
        configurations: how many the search made.
    """

    order: tuple[Operation, ...] = field(default=())
    configurations: int = 0


def sequentially_consistent(
    history: History, model: Model, *, configurations: int = CONFIGURATIONS, limit_s: float | None = None
) -> SequentialConsistency:
    """Check that the operations of all processes can be put into one order that keeps the order of each process.

    An operation of unknown outcome may take effect at any place after those that its process did before it, or never. The problem
    is NP-complete: the answer may be "unknown".

    Args:
        history: what happened. A process does one thing at a time.
        model: what the object does.
        configurations: how many configurations the search may make.
        limit_s: how long it may take.

    Raises:
        HistoryError: for a process that did two things at a time.
    """
    search = _Search(history, model)
    valid = search.run(Budget(configurations, None if limit_s is None else time.monotonic() + limit_s))
    counts = {"operations": len(history)}
    if valid:
        return SequentialConsistency("sequentially consistent", True, (), "", counts, history, search.order(), len(search.nodes))
    if valid is None:
        why = f"the budget was spent after {len(search.nodes):,} configurations; at most {search.most:,} operations were placed"
        return SequentialConsistency("sequentially consistent", None, (), why, counts, history, (), len(search.nodes))
    return SequentialConsistency("sequentially consistent", False, (search.explained(),), "", counts, history, (), len(search.nodes))


class _Search:
    """Configurations are (how far each process is, state, which `info` operations took effect); those that placed most go first."""

    def __init__(self, history: History, model: Model) -> None:
        self._model = Interned(model)
        self._lanes = _lanes(history)
        self._kinds = [[self._model.class_of(each) for each in lane] for lane in self._lanes]
        self._observe = [[model.observes(each) for each in lane] for lane in self._lanes]
        self._infos = [each for each in history if each.unknown and not model.observes(each)]
        self._info_kinds = [self._model.class_of(each) for each in self._infos]
        self._after = [_own_before(each, self._lanes) for each in self._infos]
        self._size = sum(map(len, self._lanes))
        self.nodes: list[tuple[tuple[int, ...], int, int]] = []
        self._parents: list[tuple[int, Operation | None]] = []
        self._least: dict[tuple[tuple[int, ...], int], list[int]] = {}
        self._open: list[list[int]] = [[] for _ in range(self._size + 1)]
        self._top = self.most = self._last = 0
        self._add((0,) * len(self._lanes), 0, 0, -1, None)

    def run(self, budget: Budget) -> bool | None:
        """Search until all operations are placed, no configuration is left, or the budget is spent."""
        while portion := budget.portion():
            before = len(self.nodes)
            while len(self.nodes) < before + portion:
                node = self._next()
                if node is None or self._top == self._size:
                    self._last = node or 0
                    return node is not None
                self._expand(node)
            budget.configurations -= len(self.nodes) - before
        return None

    def _next(self) -> int | None:
        while self._top >= 0 and not self._open[self._top]:
            self._top -= 1
        return self._open[self._top].pop() if self._top >= 0 else None

    def _expand(self, node: int) -> None:
        done, state, used = self.nodes[node]
        for i, info in enumerate(self._infos):
            if not used >> i & 1 and done[self._after[i][0]] >= self._after[i][1]:
                after = self._model.step(state, self._info_kinds[i])
                if after not in (IMPOSSIBLE, state):
                    self._add(done, after, used | 1 << i, node, info)
        ready = [lane for lane, at in enumerate(done) if at < len(self._lanes[lane])]
        for lane in sorted(ready, key=lambda lane: -self._lanes[lane][done[lane]].invoked):
            at = done[lane]
            after = self._model.step(state, self._kinds[lane][at])
            if after != IMPOSSIBLE:
                self._add((*done[:lane], at + 1, *done[lane + 1 :]), after, used, node, self._lanes[lane][at])

    def _add(self, done: tuple[int, ...], state: int, used: int, parent: int, operation: Operation | None) -> None:
        done = self._observed(done, state)
        known = self._least.setdefault((done, state), [])
        if any(other & used == other for other in known):
            return
        known[:] = [other for other in known if other & used != used]
        known.append(used)
        placed = sum(done)
        self._open[placed].append(len(self.nodes))
        self.nodes.append((done, state, used))
        self._parents.append((parent, operation))
        self._top, self.most = max(self._top, placed), max(self.most, placed)

    def _observed(self, done: tuple[int, ...], state: int) -> tuple[int, ...]:
        """How far each process is when it has done all it can that leaves the state as it is."""
        return tuple(self._past(lane, at, state) for lane, at in enumerate(done))

    def _past(self, lane: int, at: int, state: int) -> int:
        kinds, observe = self._kinds[lane], self._observe[lane]
        while at < len(kinds) and observe[at] and self._model.observe(state, kinds[at]):
            at += 1
        return at

    def order(self) -> tuple[Operation, ...]:
        """The operations in the order of the configuration that was found last."""
        path = []
        node = self._last
        while node >= 0:
            path.append(node)
            node = self._parents[node][0]
        found: list[Operation] = []
        at = [0] * len(self._lanes)
        for node in reversed(path):
            operation = self._parents[node][1]
            if operation is not None:
                found.append(operation)
                if operation.ok:
                    at[self._lane_of(operation)] += 1
            for lane, end in enumerate(self.nodes[node][0]):
                found.extend(self._lanes[lane][at[lane] : end])
                at[lane] = end
        return tuple(found)

    def _lane_of(self, operation: Operation) -> int:
        return next(lane for lane, operations in enumerate(self._lanes) if operations and operations[0].process == operation.process)

    def explained(self) -> Violation:
        """What cannot be placed after the most that can."""
        best = [(done, state) for done, state, _ in self.nodes if sum(done) == self.most]
        states = dict.fromkeys(state for _, state in best)
        done = best[0][0]
        stuck = tuple(self._lanes[lane][at] for lane, at in enumerate(done) if at < len(self._lanes[lane]))
        shown = "; or ".join(map(self._model.show, list(states)[:_SHOWN_STATES])) + ("; or …" if len(states) > _SHOWN_STATES else "")
        text = (
            f"at most {self.most:,} of {self._size:,} completed operations can be put into one order; the state is then {shown}, and "
            f"none of these can be next: {'; '.join(map(str, stuck))}"
        )
        return Violation("cannot be ordered", text, stuck)


def _lanes(history: History) -> list[list[Operation]]:
    """For each process what it completed, in its order; an empty one for a process with only unknown operations."""
    lanes: dict[Hashable, list[Operation]] = {}
    for operation in history:
        if operation.status != "fail":
            lane = lanes.setdefault(operation.process, [])
            if lane and (lane[-1].completed or 0) > operation.invoked:
                raise HistoryError(f"{operation} began while its process did {lane[-1]}", hint="give each client a name of its own")
            if operation.ok:
                lane.append(operation)
    return list(lanes.values()) or [[]]


def _own_before(operation: Operation, lanes: list[list[Operation]]) -> tuple[int, int]:
    """The process of an operation and how many operations it completed before it began."""
    for lane, operations in enumerate(lanes):
        if operations and operations[0].process == operation.process:
            return lane, sum((each.completed or 0) < operation.invoked for each in operations)
    return 0, 0
