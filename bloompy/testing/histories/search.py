"""The search for a linearization: Wing and Gong, with Lowe's memory of configurations, just in time.

Sources: J. Wing, C. Gong, "Testing and Verifying Concurrent Objects", JPDC 1993; G. Lowe, "Testing for Linearizability", CCPE 2017
(just-in-time linearization, caching of configurations).

The completions of the `ok` operations are the steps of the history. A configuration (at, state, done) says: the operations that
completed before step `at` have taken effect, and of those under way there the ones in `done` too; `state` is what they left. From
it any operation under way may take effect next; when the one that completes at the step has, the configuration is at the next. The
history is linearizable if a configuration passes the last step.

- `done` holds only what is under way, so configurations that differ in the past alone are one.
- An operation that observes takes effect as soon as its result fits: nothing is lost, as it changes nothing.
- Of two interchangeable operations the one that completes first takes effect first.
- An `info` operation may take effect at any step after its invocation, or never. A configuration that used fewer of them can do
  all that one which used more can do: only the least are kept, and tried first. It takes effect only right before one that
  then does what it could not do without.
- The configuration that got furthest goes first, so a right history is passed about in one go. A wrong one is known when no
  configuration is left: the furthest step that was reached is the one that none passes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import chain

from attrs import define, frozen

from bloompy.testing.histories.interned import IMPOSSIBLE, Interned
from bloompy.testing.histories.models import Model
from bloompy.testing.histories.operation import Operation
from bloompy.testing.histories.steps import Step, steps_of

_ANY = -1
"""All bits: an operation that completed takes effect for its own sake."""

_MOST_STATES = 10_000

_MANY = 4
"""If an unknown operation makes a difference for so many others, it is not asked for which more."""

_PORTION = 4096
"""Configurations between two looks at the clock."""


@define
class Budget:
    """What a check may still spend.

    Attributes:
        configurations: how many configurations may be made, of all partitions together.
        until_s: when to stop, by `time.monotonic`; None: never.
    """

    configurations: int
    until_s: float | None = None

    def portion(self) -> int:
        """How many configurations may be made until it is asked again; 0: no more."""
        if self.until_s is not None and time.monotonic() >= self.until_s:
            return 0
        return max(0, min(_PORTION, self.configurations))


@frozen
class Found:
    """What a search found.

    Attributes:
        valid: None: the budget was spent.
        steps: how many completions there are.
        furthest: how many of them the best configuration passed.
        order: the operations in the order in which they took effect, where valid.
        configurations: how many were made.
        stuck: the operation whose completion none passed.
    """

    valid: bool | None
    steps: int
    furthest: int
    order: tuple[Operation, ...]
    configurations: int
    stuck: Operation | None


class Search:
    """A search over one partition.

    Args:
        operations: of the partition, in the order in which they began.
        model: what the object does.
    """

    def __init__(self, operations: Sequence[Operation], model: Model) -> None:
        self._model = Interned(model)
        steps = steps_of(operations, self._model)
        self._steps, self._infos, self._width = steps.steps, steps.infos, steps.width
        self._sensitive = [move for move in self._infos if not model.overwrites(move.operation)]
        self._required = (1 << self._width) - 1
        self._fitting: list[dict[int, int]] = [{} for _ in self._steps]
        self._moves: list[dict[int, tuple[tuple[int, int, int, int], ...]]] = [{} for _ in self._steps]
        self._seen: set[tuple[int, int, int]] = set()
        self._least: dict[tuple[int, int, int], list[int]] = {}
        self._nodes: list[tuple[int, int, int]] = []
        self._parents: list[tuple[int, int]] = []
        self._open: list[list[list[int]]] = [[] for _ in range(len(self._steps) + 1)]
        self._top = self._furthest = self._last = 0
        self._add(0, 0, 0, -1, 0)

    def run(self, budget: Budget) -> Found:
        """Search until a configuration passes the last step, none is left, or the budget is spent. May be called again then."""
        while portion := budget.portion():
            before = len(self._nodes)
            valid = self._run(before + portion)
            budget.configurations -= len(self._nodes) - before
            if valid is not None:
                return self._found(valid)
        return self._found(None)

    def _run(self, most: int) -> bool | None:
        """Go on until there are so many configurations."""
        while len(self._nodes) < most:
            node = self._next()
            if node is None:
                return False
            at, state, done = self._nodes[node]
            self._top = at
            if at == len(self._steps):
                self._last = node
                return True
            for bit, after, first, users in self._moves[at].get(state) or self._moves_at(at, state):
                if not done & bit and done & first == first and users & ~done:
                    self._add(at, after, done | bit, node, bit)
        return None

    def _next(self) -> int | None:
        """The configuration to go on from: the furthest, of these the one with the fewest `info` operations, of these the newest."""
        for at in range(self._top, -1, -1):
            for stack in self._open[at]:
                if stack:
                    return stack.pop()
            self._open[at].clear()
        return None

    def _add(self, at: int, state: int, done: int, parent: int, bit: int) -> None:
        """Take in a configuration unless it is known."""
        at, done = self._advance(at, state, done)
        if not self._is_new(at, state, done):
            return
        stacks, infos = self._open[at], (done >> self._width).bit_count()
        while len(stacks) <= infos:
            stacks.append([])
        stacks[infos].append(len(self._nodes))
        self._nodes.append((at, state, done))
        self._parents.append((parent, bit))
        self._top = max(self._top, at)
        self._furthest = max(self._furthest, at)

    def _advance(self, at: int, state: int, done: int) -> tuple[int, int]:
        """Let observers take effect, and pass the steps whose operation has."""
        while at < len(self._steps):
            fitting = self._fitting[at].get(state)
            if fitting is None:
                fitting = self._fitting[at][state] = self._fitting_at(at, state)
            done |= fitting
            bit = self._steps[at].bit
            if not done & bit:
                break
            done &= ~bit
            at += 1
        return at, done

    def _is_new(self, at: int, state: int, done: int) -> bool:
        if not self._infos:
            before = len(self._seen)
            self._seen.add((at, state, done))
            return len(self._seen) > before
        infos = done >> self._width
        known = self._least.setdefault((at, state, done & self._required), [])
        if any(other & infos == other for other in known):
            return False
        known[:] = [other for other in known if other & infos != infos]
        known.append(infos)
        return True

    def _fitting_at(self, at: int, state: int) -> int:
        """The bits of the observers under way whose result fits the state."""
        return sum(move.bit for move in self._steps[at].observers if self._model.observe(state, move.kind))

    def _moves_at(self, at: int, state: int) -> tuple[tuple[int, int, int, int], ...]:
        """What may take effect in a state, as (bit, next state, first, users); what comes last is tried first."""
        step, found = self._steps[at], []
        users: dict[int, int] = {}
        for move in self._infos[: step.infos]:
            after = self._model.step(state, move.kind)
            if after not in (IMPOSSIBLE, state):
                if after not in users:
                    users[after] = self._users(step, state, after)
                found.append((move.bit, after, move.first, users[after] & ~move.bit))
        for move in step.changers:
            after = self._model.step(state, move.kind)
            if after != IMPOSSIBLE:
                found.append((move.bit, after, move.first, _ANY))
        self._moves[at][state] = tuple(found)
        return self._moves[at][state]

    def _users(self, step: Step, state: int, after: int) -> int:
        """The bits of the operations for which an `info` operation that leads from one state to another makes a difference."""
        users = found = 0
        begun = 1 << self._width + step.infos
        for move in chain(step.observers, step.changers, self._sensitive):
            if move.bit < begun and self._model.gains(state, after, move.kind):
                users |= move.bit
                found += 1
                if found == _MANY:
                    return _ANY
        return users

    def states_at_the_end(self, budget: Budget) -> tuple[str, ...] | None:
        """All states in which the object may be after the last step, also by what is under way then; None if that takes too much."""
        while (found := self.run(budget)).valid:
            pass
        return None if found.valid is None else self.states_at(len(self._steps))

    def states_at(self, at: int) -> tuple[str, ...] | None:
        """All states of a search that is over in which the object may be just before a step; None if they are too many."""
        infos = self._infos if at == len(self._steps) else self._infos[: self._steps[at].infos]
        todo = [(state, done >> self._width) for node, state, done in self._nodes if node == at]
        seen = dict.fromkeys(todo)
        for state, used in todo:
            for move in infos:
                after, bit = self._model.step(state, move.kind), move.bit >> self._width
                reached = (after, used | bit)
                if not used & bit and after not in (IMPOSSIBLE, state) and reached not in seen:
                    seen[reached] = None
                    todo.append(reached)
            if len(seen) > _MOST_STATES:
                return None
        return tuple(map(self._model.show, dict.fromkeys(state for state, _ in seen)))

    def _found(self, valid: bool | None) -> Found:
        at = self._furthest
        stuck = self._steps[at].operation if at < len(self._steps) else None
        order = self._order(self._last) if valid else ()
        return Found(valid, len(self._steps), at, order, len(self._nodes), stuck)

    def _order(self, node: int) -> tuple[Operation, ...]:
        """The operations in the order in which they took effect on the way to a configuration."""
        path: list[tuple[int, int]] = []
        while node >= 0:
            parent, bit = self._parents[node]
            path.append((node, bit))
            node = parent
        order: list[Operation] = []
        at = done = 0
        for node, bit in reversed(path):
            if bit:
                order.append(self._operation(at, bit))
                done |= bit
            end, state, _ = self._nodes[node]
            at, done = self._replay(at, end, state, done, order)
        return tuple(order)

    def _replay(self, at: int, end: int, state: int, done: int, order: list[Operation]) -> tuple[int, int]:
        """As `_advance`, noting which observers take effect."""
        while at < len(self._steps):
            for move in self._steps[at].observers:
                if not done & move.bit and self._model.observe(state, move.kind):
                    order.append(move.operation)
                    done |= move.bit
            if at == end:
                break
            done &= ~self._steps[at].bit
            at += 1
        return at, done

    def _operation(self, at: int, bit: int) -> Operation:
        """The operation that a bit stands for at a step."""
        if bit > self._required:
            return self._infos[bit.bit_length() - 1 - self._width].operation
        return next(move.operation for move in self._steps[at].changers if move.bit == bit)
