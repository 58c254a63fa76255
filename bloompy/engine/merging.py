"""Views of lattice values without recursion: each key keeps what is derived for it, and its row is the merge of that.

What is added merges into the row; when something is lost, the row of that key alone is merged anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bloompy.engine.counting import Conflict, Counting, Touch
from bloompy.engine.relation import Relation
from bloompy.engine.runner import Runner
from bloompy.engine.tick import PlainRow
from bloompy.schema import Key


class Merging(Counting):
    """As `Counting`, of a view whose rows of one key merge.

    Attributes:
        contributions: by key, the rows derived, each with the number of its derivations.
    """

    def __init__(self, head: Relation, runners: list[Runner], touch: Touch, conflict: Conflict) -> None:
        super().__init__(head, runners, touch, conflict)
        self.upkeep = "maintained: what is derived for a key is kept, and merged anew where some of it goes"
        self.contributions: dict[Key, dict[PlainRow, int]] = {}
        self._log: list[tuple[PlainRow, int]] = []
        self._saved: dict[Key, dict[PlainRow, int]] | None = None

    def reset(self) -> None:
        """Be as at the start."""
        super().reset()
        self.contributions, self._log, self._saved = {}, [], None

    def update(self, first: bool) -> None:
        """Bring the view up to date."""
        super().update(first)
        self.head.net()  # a row may have grown by one rule after the other

    def finish(self) -> None:
        """The tick is done."""
        super().finish()
        self._log, self._saved = [], None

    def roll_back(self) -> None:
        """The tick has not happened."""
        super().roll_back()
        if self._saved is not None:
            self.contributions = self._saved
        else:
            self._undo()
        self._log, self._saved = [], None

    def _undo(self) -> None:
        for row, more in reversed(self._log):
            self._count(row, -more)

    def _recompute(self) -> None:
        if self._saved is None:
            self._undo()
            self._log, self._saved = [], self.contributions
        self.contributions = {}
        super()._recompute()

    def _put(self, runner: Runner, driver: int | None, driven: Iterable[PlainRow]) -> None:
        rows: list[PlainRow] = []
        runner.listed(driver, driven, rows, False)
        runner.explained(lambda: self._apply(Counter(rows)))

    def _replace(self, lost: list[PlainRow], gained: list[PlainRow]) -> None:
        if lost != gained:
            self._apply({**dict.fromkeys(lost, -1), **dict.fromkeys(gained, 1)})

    def _apply(self, delta: dict[PlainRow, int]) -> None:
        key_of = self.head.key
        gained: dict[Key, list[PlainRow]] = {}
        lost: dict[Key, None] = {}
        for row, more in delta.items():
            if more:
                self._log.append((row, more))
                self._count(row, more)
                if more > 0:
                    gained.setdefault(key_of(row), []).append(row)
                elif row not in self.contributions.get(key_of(row), ()):
                    lost[key_of(row)] = None
        self.head.merge((row for key, rows in gained.items() if key not in lost for row in rows), self.touch)
        self._merge_anew(lost)

    def _merge_anew(self, keys: Iterable[Key]) -> None:
        """Set the rows of keys that lost something."""
        head, schema = self.head, self.head.growing
        assert schema is not None
        new: list[PlainRow] = []
        try:
            for key in keys:
                held, rows = head.rows.get(key), list(self.contributions.get(key, ()))
                merged = schema.merged_all(head.name.rstrip("!"), rows) if rows else None
                if merged == held:
                    continue
                self.touch(head)
                if held is not None:
                    head.delete(held)
                if merged is not None:
                    head.rows[key] = merged
                    new.append(merged)
        finally:  # of a tick that fails, what was changed is rolled back
            if new:
                head.added(new)

    def _count(self, row: PlainRow, more: int) -> None:
        key = self.head.key(row)
        rows = self.contributions.setdefault(key, {})
        have = rows.get(row, 0) + more
        if have:
            rows[row] = have
        else:
            del rows[row]
            if not rows:
                del self.contributions[key]
