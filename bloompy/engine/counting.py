"""Views without recursion: each row is kept with the number of its derivations, and goes with the last of them.

Gupta, Mumick, Subrahmanian, "Maintaining Views Incrementally" (SIGMOD 1993), section 4. Aggregates are kept group by group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from bloompy.engine.difference import Changes, changes_of, difference
from bloompy.engine.filling import Filling
from bloompy.engine.groups import Grouped
from bloompy.engine.relation import Relation
from bloompy.engine.runner import Groups, Runner
from bloompy.engine.tick import PlainRow

Conflict: TypeAlias = Callable[[Relation, PlainRow, PlainRow], Exception]
"""Makes the error for two rows of one key: the one that is there, the one derived."""
Touch: TypeAlias = Callable[[Relation], None]
"""Called with a relation before it changes."""


class Counting:
    """A view and the standing rules that fill it.

    Args:
        head: the view.
        runners: its rules.
        touch, conflict: see Touch and Conflict.
    """

    def __init__(self, head: Relation, runners: list[Runner], touch: Touch, conflict: Conflict) -> None:
        self.head, self.runners, self.touch, self.conflict = head, runners, touch, conflict
        self.grouped = {id(one): Grouped(one) for one in runners if one.derivation.aggregates}
        self.filling: Filling | None = None
        self.counted = False
        self.uncounted = False  # filled on columns, which do not count; made good when something is lost
        self._counting = False
        self.upkeep = "maintained: a row goes with the last of its derivations, which are counted"
        if self.grouped:
            self.upkeep += "; aggregates group by group"

    def reset(self) -> None:
        """Be as at the start."""
        self.counted = self.uncounted = self._counting = False
        for one in self.grouped.values():
            one.reset()

    def update(self, first: bool) -> None:
        """Bring the view up to date."""
        if first or not self.counted:
            if not self.head.size and not self.grouped and not any(one.fed for one in self.runners):
                self.counted, self.uncounted = True, False  # as in most first ticks: there is nothing yet
                return
            filled = self._filled()
            if not filled:
                self._recompute()
            self.uncounted = filled and not self._once_each()
            self.counted = True
            return
        changed = [(one, changes) for one in self.runners if not one.idle and (changes := changes_of(one))]
        if not changed:
            return
        if self.uncounted and not all(changes.only_insert and id(one) not in self.grouped for one, changes in changed):
            self._counting = True
            self._recompute()
        elif len(changed) == 1:
            self._follow(*changed[0])
        elif all(changes.only_insert and id(one) not in self.grouped for one, changes in changed):
            for one, changes in changed:
                position, relation = changes.scans[0]
                self._put(one, position, relation.inserted)
        else:
            self._apply(self._delta(changed))

    def finish(self) -> None:
        """The tick is done."""
        if self._counting:
            self.uncounted = self._counting = False
        for one in self.grouped.values():
            one.settle()

    def roll_back(self) -> None:
        """The tick has not happened."""
        self._counting = False
        for one in self.grouped.values():
            one.roll_back()

    # -- from the beginning

    def _filled(self) -> bool:
        """Fill the view on columns, where that pays; then derivations are not counted."""
        if self.filling is None or self.head.size:
            return False
        self.touch(self.head)
        self.head.clear()
        return self.filling.from_inputs(None)

    def _once_each(self) -> bool:
        """Whether every row has one derivation, so that there is nothing to count."""
        return len(self.runners) == 1 and self.runners[0].unique

    def _recompute(self) -> None:
        self.touch(self.head)
        self.head.clear()
        for one in self.runners:
            grouped = self.grouped.get(id(one))
            if grouped is not None:
                groups: Groups = {}
                if one.possible():
                    one.listed(None, (), groups, False)
                self._apply(dict(Counter(grouped.fill(groups))))
            elif one.possible():
                self._put(one, None, ())
        self.head.settle()

    def _put(self, runner: Runner, driver: int | None, driven: Iterable[PlainRow]) -> None:
        """Derive straight into the view, where nothing is lost."""
        head = self.head
        new: list[PlainRow] = []
        again: list[PlainRow] = []
        try:
            runner.put(driver, driven, head.rows, new, again)
        finally:
            if new:
                self.touch(head)
                head.added(new)
        if again:
            self.touch(head)
            for row in again:
                head.count(row, 1)

    # -- from what changed

    def _follow(self, runner: Runner, changes: Changes) -> None:
        """Follow the changes below one rule."""
        grouped = self.grouped.get(id(runner))
        if grouped is not None:
            left, joined = Groups(), Groups()
            difference(runner, changes, left, joined)
            lost, gained = grouped.change(left, joined)
        elif changes.only_insert:
            position, relation = changes.scans[0]
            self._put(runner, position, relation.inserted)
            return
        else:
            lost, gained = [], []
            difference(runner, changes, lost, gained)
        if len(lost) < 2 and len(gained) < 2:
            self._replace(lost, gained)
        else:
            delta: dict[PlainRow, int] = {}
            for row in gained:
                delta[row] = delta.get(row, 0) + 1
            for row in lost:
                delta[row] = delta.get(row, 0) - 1
            self._apply(delta)

    def _replace(self, lost: list[PlainRow], gained: list[PlainRow]) -> None:
        """Take a derivation of at most one row, and give one to at most one: what `_apply` does, for most ticks."""
        if lost == gained:
            return
        head = self.head
        self.touch(head)
        if lost:
            if lost[0] in head.again:
                head.count(lost[0], -1)
            else:
                head.delete(lost[0])
        if gained:
            row = gained[0]
            held = head.rows.get(head.key(row))
            if held is None:
                head.insert(row)
            elif held == row:
                head.count(row, 1)
            else:
                raise self.conflict(head, held, row)

    def _delta(self, changed: list[tuple[Runner, Changes]]) -> dict[PlainRow, int]:
        """By row how many derivations it has more or fewer."""
        delta: dict[PlainRow, int] = {}
        for one, changes in changed:
            grouped = self.grouped.get(id(one))
            lost: Any = [] if grouped is None else {}
            gained: Any = [] if grouped is None else {}
            difference(one, changes, lost, gained)
            if grouped is not None:
                lost, gained = grouped.change(lost, gained)
            for row in lost:
                delta[row] = delta.get(row, 0) - 1
            for row in gained:
                delta[row] = delta.get(row, 0) + 1
        return delta

    def _apply(self, delta: dict[PlainRow, int]) -> None:
        head = self.head
        rows, key_of, again = head.rows, head.key, head.again
        touched = False
        for row, more in delta.items():
            if more and not touched:
                self.touch(head)
                touched = True
            if more < 0:
                others = again.get(row, 0)
                if others:
                    head.count(row, -min(others, -more))
                if others < -more:
                    head.delete(row)
        new: list[PlainRow] = []
        try:
            for row, more in delta.items():
                if more > 0:
                    key = key_of(row)
                    held = rows.get(key)
                    if held is None:
                        rows[key] = row
                        new.append(row)
                        more -= 1
                    elif held != row:
                        raise self.conflict(head, held, row)
                    if more:
                        head.count(row, more)
        finally:
            if new:
                head.added(new)
