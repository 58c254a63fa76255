"""Tables that `<=` rules fill without recursion: what was derived once stays, so that only gains count.

A row that is deleted from such a table is there again at once if a rule still derives it.
"""

from __future__ import annotations

from collections.abc import Iterable

from bloompy.engine.counting import Conflict, Touch
from bloompy.engine.difference import changes_of, difference, gain
from bloompy.engine.groups import Grouped
from bloompy.engine.relation import Relation
from bloompy.engine.runner import Groups, Runner
from bloompy.engine.tick import PlainRow


class Persisting:
    """A table and the standing rules that fill it.

    Args:
        head: the table.
        runners: its rules.
        touch, conflict: as of `Counting`.
    """

    upkeep = "what was derived stays; a deleted row is there again while a rule derives it"

    def __init__(self, head: Relation, runners: list[Runner], touch: Touch, conflict: Conflict) -> None:
        self.head, self.runners, self.touch, self.conflict = head, runners, touch, conflict
        self.grouped = {id(one): Grouped(one) for one in runners if one.derivation.aggregates}

    def reset(self) -> None:
        """Be as at the start."""
        for one in self.grouped.values():
            one.reset()

    def update(self, first: bool) -> None:
        """Bring the table up to date."""
        deleted = list(self.head.deleted)
        again = first or (self.head.growing is not None and self.head.shrunk)
        for one in self.runners:
            if again:
                self._put_all(one)
            else:
                self._put_gained(one)
                if deleted and self.head.growing is None:
                    self._put_back(one, deleted)
        self.head.net()

    def finish(self) -> None:
        """The tick is done."""
        for one in self.grouped.values():
            one.settle()

    def roll_back(self) -> None:
        """The tick has not happened."""
        for one in self.grouped.values():
            one.roll_back()

    def _put_all(self, runner: Runner) -> None:
        grouped = self.grouped.get(id(runner))
        if grouped is not None:
            groups: Groups = {}
            if runner.possible():
                runner.listed(None, (), groups, False)
            self._place(runner, grouped.fill(groups))
        elif runner.possible():
            self._put(runner, None, ())

    def _put_gained(self, runner: Runner) -> None:
        changes = changes_of(runner)
        if changes is None:
            return
        grouped = self.grouped.get(id(runner))
        if grouped is None and changes.only_insert:
            position, relation = changes.scans[0]
            self._put(runner, position, relation.inserted)
            return
        if grouped is None:
            rows: list[PlainRow] = []
            gain(runner, changes, rows)
        else:
            lost, gained = Groups(), Groups()
            difference(runner, changes, lost, gained)
            _, rows = grouped.change(lost, gained)
        self._place(runner, rows)

    def _put_back(self, runner: Runner, deleted: list[PlainRow]) -> None:
        """What was deleted and still follows."""
        grouped = self.grouped.get(id(runner))
        if grouped is not None:
            gone = set(deleted)
            self._place(runner, (row for row in grouped.rows() if row in gone))
        elif runner.checkable:
            gone = set(runner.unsupported(deleted, {}))
            self._place(runner, (row for row in deleted if row not in gone))
        elif runner.possible():
            self._put(runner, None, ())

    def _put(self, runner: Runner, driver: int | None, driven: Iterable[PlainRow]) -> None:
        new: list[PlainRow] = []
        if self.head.growing is not None:
            runner.put(driver, driven, self.head.rows, new, [])
            self._place(runner, new)
            return
        try:
            runner.put(driver, driven, self.head.rows, new, [])
        finally:
            if new:
                self.touch(self.head)
                self.head.added(new)

    def _place(self, runner: Runner, rows: Iterable[PlainRow]) -> None:
        head = self.head
        if head.growing is not None:
            runner.explained(lambda: head.merge(rows, self.touch))
            return
        for row in rows:
            held = head.rows.get(head.key(row))
            if held is None:
                self.touch(head)
                head.insert(row)
            elif held != row:
                raise self.conflict(head, held, row)
