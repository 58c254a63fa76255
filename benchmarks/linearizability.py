"""Linearizability of histories of 1,000 operations: many keys, one key, right and wrong.

The contestant is the algorithm of porcupine (WGL: Wing and Gong's search with Lowe's memory of configurations) written in plain
Python; porcupine (Go) and knossos (Clojure) themselves are not installed here. Wing and Gong without that memory takes exponential
time on the wrong histories.
"""

from __future__ import annotations

import random
from typing import Any

from attrs import evolve, frozen

from benchmarks.measure import Figure, WrongResult, command, compare, timed
from bloompy.testing.histories import History, Operation, linearizable, models
from bloompy.testing.histories.linearizability import partitions
from bloompy.testing.histories.models import INCONSISTENT
from bloompy.testing.histories.sampling import sample

GOAL_S = 1.0


def figures(small: bool = False) -> list[Figure]:
    operations, rounds = (100, 1) if small else (1000, 5)
    found = []
    for keys in (20, 1):
        right = history(operations, keys)
        wrong, place = stale(right, operations * 3 // 4)
        what = f"{operations:,} operations, 10 clients, {keys} {'keys' if keys > 1 else 'key'}"
        seconds = compare({"bloompy": lambda h=right: contest(h), "WGL in Python": lambda h=right: plainly(h)}, rounds, 1)
        found.append(Figure(f"{what}, right: bloompy", seconds["bloompy"], "s", GOAL_S if keys == 20 else None))
        found.append(Figure(f"{what}, right: WGL in Python / bloompy", seconds["WGL in Python"] / seconds["bloompy"], "times"))
        seconds = compare({"bloompy": lambda h=wrong: contest(h), "WGL in Python": lambda h=wrong: plainly(h)}, min(rounds, 3), 0)
        found.append(Figure(f"{what}, wrong, explained: bloompy", seconds["bloompy"], "s", GOAL_S if keys == 20 else None))
        found.append(Figure(f"{what}, wrong: WGL in Python / bloompy", seconds["WGL in Python"] / seconds["bloompy"], "times"))
        if linearizable(wrong, models.key_value()).operation != place:
            raise WrongResult("the explanation does not name the stale read")
    found.append(unknown(operations))
    return found


def unknown(operations: int) -> Figure:
    """One key, and every tenth operation of unknown outcome."""
    given = history(operations, 1, unknown=0.1)

    def check() -> None:
        if not linearizable(given, models.key_value()):
            raise WrongResult("a right history was found wrong")

    return Figure(f"{operations:,} operations, 10 clients, 1 key, 10 % unknown, right: bloompy", timed(check), "s")


# -- histories


def history(operations: int, keys: int, unknown: float = 0.0) -> History:
    """Gets and puts of a right map; every value is written once."""

    def perform(state: Any, process: str, function: str, argument: Any) -> tuple[Any, Any]:
        return (state, state.get(argument)) if function == "get" else ({**state, argument[0]: argument[1]}, None)

    def draw(chance: random.Random, number: int) -> tuple[str, Any]:
        key = chance.randrange(keys)
        return ("get", key) if chance.random() < 0.5 else ("put", (key, number))

    return sample({}, perform, draw, operations=operations, clients=10, seed=1, unknown=unknown)


def stale(right: History, place: int) -> tuple[History, Operation]:
    """The first read from a place on that can, and does, return a value that was surely overwritten before it began."""
    operations = list(right)
    for i, read in enumerate(operations[place:], place):
        if read.function == "get":
            puts = [each for each in operations if each.function == "put" and each.argument[0] == read.argument]
            for old in reversed(puts):
                if any(old.precedes(newer) and newer.precedes(read) for newer in puts):
                    operations[i] = evolve(read, result=old.argument[1])
                    wrong = History(operations)
                    return wrong, wrong.operations[i]
    raise WrongResult("there is no read to make stale")


# -- contestants


def contest(given: History) -> tuple[float, int]:
    """Seconds and verdict of bloompy."""
    verdict = []
    seconds = timed(lambda: verdict.append(linearizable(given, models.key_value())))
    return seconds, int(bool(verdict[0]))


def plainly(given: History) -> tuple[float, int]:
    """Seconds and verdict of WGL in plain Python, with the same partitions."""
    verdict = []
    parts = partitions(given, models.key_value()).values()
    seconds = timed(lambda: verdict.append(all(wgl(part) for part in parts)))
    return seconds, int(verdict[0])


@frozen(eq=False)
class Entry:
    """A beginning, or an end, in the doubly linked list of a history."""

    operation: Operation
    number: int
    end: int


def wgl(operations: list[Operation]) -> bool:
    """Wing and Gong, with a memory of (operations that took effect, state), as porcupine has it."""
    single = models.key_value().single
    assert single is not None
    after, entries = _linked(operations)
    done, state = 0, single.initial
    seen, calls = set(), []
    at = after[0]
    while after[0] != -1:
        entry = entries[at]
        if entry.end != -1:
            then = single.step(state, entry.operation)
            configuration = (done | 1 << entry.number, then)
            if then is not INCONSISTENT and configuration not in seen:
                seen.add(configuration)
                calls.append((at, state))
                done, state = configuration
                after.lift(at)
                after.lift(entry.end)
                at = after[0]
            else:
                at = after[at]
        elif calls:
            at, state = calls.pop()
            done &= ~(1 << entries[at].number)
            after.unlift(entries[at].end)
            after.unlift(at)
            at = after[at]
        else:
            return False
    return True


class Links(list[int]):
    """The next entry of each; those before are kept apart."""

    def __init__(self, count: int) -> None:
        super().__init__([*range(1, count + 1), -1])
        self.before = [-1, *range(count)]

    def lift(self, entry: int) -> None:
        self[self.before[entry]] = self[entry]
        if self[entry] != -1:
            self.before[self[entry]] = self.before[entry]

    def unlift(self, entry: int) -> None:
        self[self.before[entry]] = entry
        if self[entry] != -1:
            self.before[self[entry]] = entry


def _linked(operations: list[Operation]) -> tuple[Links, list[Entry]]:
    """Entries from 1 on, in the order of the events."""
    places = sorted(place for each in operations for place in (each.invoked, each.completed) if place is not None)
    number = {place: i for i, place in enumerate(places, 1)}
    entries: list[Entry] = [Entry(operations[0], 0, -1)] * (len(places) + 1)
    for i, each in enumerate(operations):
        assert each.completed is not None
        entries[number[each.invoked]] = Entry(each, i, number[each.completed])
        entries[number[each.completed]] = Entry(each, i, -1)
    return Links(len(places)), entries


if __name__ == "__main__":
    command(__doc__, figures)
