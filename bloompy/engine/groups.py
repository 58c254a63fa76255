"""One aggregating rule from tick to tick: its groups, and the rows that they make.

A change is a multiset of arguments that leave or enter groups; only those groups are finished anew. The groups of a rule that
ranks are the partitions, which are ranked anew as a whole, since a row that comes moves all behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bloompy.analysis.dependencies import ranks_rows
from bloompy.engine.bag import SMALL, Bag, take_out
from bloompy.engine.runner import Groups, Runner
from bloompy.engine.tick import PlainRow


class Grouped:
    """The groups of one aggregating rule, and the rows that they make.

    Args:
        runner: the rule.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._windows = ranks_rows(runner.derivation.query)
        self.reset()

    def reset(self) -> None:
        """Have no group, as at the start."""
        self._groups: dict[Any, tuple[Any, ...]] = {}
        self._rows: dict[Any, list[PlainRow]] = {}
        self._log: list[tuple[Any, tuple[Any, ...] | None, tuple[Any, ...] | None, list[PlainRow] | None]] = []
        self._saved: tuple[dict[Any, tuple[Any, ...]], dict[Any, list[PlainRow]]] | None = None

    def fill(self, groups: Groups) -> list[PlainRow]:
        """Begin anew with all groups; the rows that they make."""
        if self._saved is None:
            self._undo()
            self._saved = self._groups, self._rows
        self._groups, self._rows = {}, {}
        for group, lists in groups.items():
            self._groups[group] = lists
            self._finish(group, lists)
        return [row for rows in self._rows.values() for row in rows]

    def change(self, lost: Groups, gained: Groups) -> tuple[list[PlainRow], list[PlainRow]]:
        """Take arguments out of groups and put others in; the rows that these groups made and make."""
        old: list[PlainRow] = []
        new: list[PlainRow] = []
        for group in {**lost, **gained} if lost and gained else lost or gained:
            out, into, made = lost.get(group), gained.get(group), self._rows.get(group)
            self._log.append((group, out, into, made))
            self._move(group, out, into)
            if made:
                old += made
            lists = self._groups.get(group)
            if lists is None:
                self._rows.pop(group, None)
            else:
                new += self._finish(group, lists)
        return old, new

    def rows(self) -> Iterable[PlainRow]:
        """The rows of all groups."""
        return (row for rows in self._rows.values() for row in rows)

    def settle(self) -> None:
        """The tick is done."""
        self._log, self._saved = [], None

    def roll_back(self) -> None:
        """The tick has not happened."""
        if self._saved is not None:
            self._groups, self._rows = self._saved
        else:
            self._undo()
        self.settle()

    def _undo(self) -> None:
        for group, lost, gained, made in reversed(self._log):
            self._move(group, gained, lost)
            if made is None:
                self._rows.pop(group, None)
            else:
                self._rows[group] = made
        self._log = []

    def _finish(self, group: Any, lists: tuple[Any, ...]) -> list[PlainRow]:
        rows: list[PlainRow] = []
        self._runner.finish(group, lists, rows)
        self._rows[group] = rows
        return rows

    def _move(self, group: Any, out: tuple[Any, ...] | None, into: tuple[Any, ...] | None) -> None:
        held = self._groups.get(group)
        if held is None:
            held = tuple([] for _ in into or ())
        elif type(held[0]) is list and len(held[0]) > SMALL and not self._windows:
            held = tuple(map(Bag, held))
        for place, arguments in zip(held, into or (), strict=False):
            if type(place) is list:
                place += arguments
            else:
                for argument in arguments:
                    place.add(argument)
        for place, arguments in zip(held, out or (), strict=False):
            for argument in arguments:
                if type(place) is list:
                    take_out(place, argument)
                else:
                    place.remove(argument)
        if held and len(held[0]):
            self._groups[group] = held
        else:
            self._groups.pop(group, None)
