"""Recursive views: delete and rederive, looking only at rows that lost every derivation from rows older than themselves.

Each row has a rank, higher than those of some rows from which it follows; so rows that support only one another cannot stay.
A deletion asks of every row that it touches whether it still follows from rows of lower ranks. Those that do not go, one after
the other; then those that follow from what is left come back, with new ranks. After Gupta, Mumick, Subrahmanian (SIGMOD 1993),
section 7, and Motik, Nenov, Piro, Horrocks, "Incremental Update of Datalog Materialisation" (AAAI 2015).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import count

from bloompy.engine.counting import Conflict, Touch
from bloompy.engine.difference import Changes, changes_of, gain, lose
from bloompy.engine.filling import Filling, enough
from bloompy.engine.loaded import Loaded
from bloompy.engine.relation import Kind, Relation
from bloompy.engine.runner import Runner
from bloompy.engine.tick import PlainRow

Fresh = dict[str, list[PlainRow]]
"""By relation, the rows that the last round found."""


class Recursion:
    """The views of a component that depend on each other, and their standing rules.

    Args:
        relations: all of the component.
        runners: its standing rules.
        touch, conflict: as of `Counting`.
    """

    def __init__(self, relations: list[Relation], runners: list[Runner], touch: Touch, conflict: Conflict) -> None:
        heads = [one.head for one in runners]
        self.views = [one for one in relations if one.kind in (Kind.STANDING, Kind.OVERLAY) and one in heads]
        self.tables = [one for one in relations if one.kind is Kind.TABLE]
        self.runners, self.touch, self.conflict = runners, touch, conflict
        self.inside = frozenset(one.name for one in relations)
        self.recursive = [
            one for one in runners if self._reads_inside(one) or any(relation.name in self.inside for _, relation in one.scans)
        ]
        self.growing = [one for one in relations if one.growing is not None]
        self.ranked = not self.growing and not self.tables and all(one.checkable and not self._reads_inside(one) for one in runners)
        self.by_head = {view.name: [one for one in runners if one.head is view] for view in self.views}
        self.kept = (*self.views, *self.tables)
        self.clock = 0
        self.filling: Filling | None = None
        if self.ranked and runners:
            for view in self.views:
                view.ranks = {}

    @property
    def upkeep(self) -> str:
        """How the views are kept right, in words."""
        if self.ranked:
            return "maintained: a deletion looks at the rows that lost every derivation from older ones, by their ranks, and rederives"
        return f"insertions are maintained, a deletion computes it anew: {self._why_not_ranked()}"

    def _why_not_ranked(self) -> str:
        if self.tables:
            return f"{self.tables[0].name} is a table, whose rows stay"
        if self.growing:
            return f"the values of {self.growing[0].name} merge, and a merge does not tell of what"
        inside = next((one for one in self.runners if self._reads_inside(one)), None)
        if inside is not None:
            return f"an expression of {inside.derivation.rule.label} reads {', '.join(sorted({*inside.undriven} & self.inside))}"
        labels = dict.fromkeys(one.derivation.rule.label for one in self.runners if not one.checkable)
        return f"whether a row follows from {', '.join(labels)} cannot be found by key or index"

    def update(self, first: bool, fresh: Fresh) -> None:
        """Bring the views up to date; `fresh`: rows inserted into tables of the component."""
        changed = [(one, changes) for one in self.runners if (changes := changes_of(one, self.inside))]
        loses = any(table.shrunk for table in self.tables) if self.tables else False
        for one, changes in changed:
            if not changes.only_insert:
                loses = loses or self._may_lose(one, changes)
        if first or (loses and not self.ranked) or (self.filling is not None and self._pays_anew(changed, self.filling)):
            self._recompute(fresh)
        else:
            if loses and not self._deleted(changed, fresh):
                self._recompute(fresh)
            else:
                for one, changes in changed:
                    self._seed(one, changes, fresh)
                self.close(self.recursive, fresh)
        for relation in self.kept:
            if relation.deleted:
                relation.net()

    def close(self, runners: list[Runner], fresh: Fresh, anew: bool = False) -> None:
        """Run recursive rules on the rows new in the round before until nothing is new; `anew`: nothing held before."""
        while runners and fresh:
            if anew and self._filled(fresh):
                return
            delta = dict(fresh)
            fresh.clear()
            for runner in runners:
                for position, relation in runner.scans:
                    if relation.name in delta and relation.name in self.inside:
                        rows = delta[relation.name]
                        self.derive(runner, position, rows if relation.growing is None else relation.current(rows), fresh)
                if runner.undriven and any(name in delta for name in runner.undriven):
                    self.derive(runner, None, (), fresh)

    def derive(self, runner: Runner, driver: int | None, driven: Iterable[PlainRow], fresh: Fresh) -> None:
        """Run one rule, putting what is new into its head and `fresh`."""
        head = runner.head
        new: list[PlainRow] = []
        if head.growing is not None:
            runner.put(driver, driven, head.rows, new, [])
            new = self._merged(runner, new)
        else:
            try:
                runner.put(driver, driven, head.rows, new, [])
            finally:
                if new:
                    self._added(head, new)
        if new:
            if head.kind is Kind.OVERLAY and not runner.derivation.standing:
                head.transient.update(dict.fromkeys(new))
            known = fresh.get(head.name)
            fresh[head.name] = [*known, *new] if known else new

    def _merged(self, runner: Runner, rows: list[PlainRow]) -> list[PlainRow]:
        return runner.explained(lambda: runner.head.merge(rows, self.touch))

    def _added(self, head: Relation, new: list[PlainRow]) -> None:
        self.touch(head)
        head.added(new)
        if head.ranks is not None:
            head.ranks.update(zip(new, count(self.clock), strict=False))
            self.clock += len(new)

    # -- from the beginning

    def _recompute(self, fresh: Fresh) -> None:
        for view in self.views:
            self.touch(view)
            view.clear()
        if not self._filled(fresh, first=True):
            for one in self.runners:
                if one.possible():
                    self.derive(one, None, (), fresh)
            self.close(self.recursive, fresh, anew=True)
        for view in self.views:
            if not isinstance(view, Loaded):
                view.settle()

    def _filled(self, fresh: Fresh, first: bool = False) -> bool:
        """Compute all on columns, where that pays: `first`, because of the rows below, else because of those of the last round."""
        filling = self.filling
        if filling is None:
            return False
        rank = float(self.clock) if self.ranked else None
        found = filling.from_inputs(rank) if first else enough(sum(map(len, fresh.values()))) and filling.fill(rank)
        if found:
            for view in self.views:
                if isinstance(view, Loaded) and not view.was_empty:  # what changed is found row by row
                    view.made()
            self.clock += filling.rounds + 1
            fresh.clear()
        return found

    @staticmethod
    def _pays_anew(changed: list[tuple[Runner, Changes]], filling: Filling) -> bool:
        """Whether so much has changed below that columns, from the beginning, are quicker than rows from what changed."""
        rows = 0
        if not filling.went_well:
            return False
        for _, changes in changed:
            for _, relation in changes.scans:
                rows += len(relation.inserted) + len(relation.deleted)
        return filling.pays_anew(rows)

    # -- gains

    def _seed(self, runner: Runner, changes: Changes, fresh: Fresh) -> None:
        """What follows from changed rows of other components."""
        if changes.only_insert:
            position, relation = changes.scans[0]
            self.derive(runner, position, relation.inserted, fresh)
            return
        if not changes.sites and not any([relation.inserted for _, relation in changes.scans]):  # noqa: C419  # quicker than a generator
            return
        gained: list[PlainRow] = []
        gain(runner, changes, gained)
        if runner.head.growing is not None:
            if new := self._merged(runner, gained):
                fresh[runner.head.name] = [*fresh.get(runner.head.name, ()), *new]
            return
        self._place(runner.head, gained, fresh)

    def _place(self, head: Relation, rows: Iterable[PlainRow], fresh: Fresh) -> None:
        new: list[PlainRow] = []
        try:
            for row in rows:
                key = head.key(row)
                held = head.rows.get(key)
                if held is None:
                    head.rows[key] = row
                    new.append(row)
                elif held != row:
                    raise self.conflict(head, held, row)
        finally:
            if new:
                self._added(head, new)
        if new:
            fresh[head.name] = [*fresh.get(head.name, ()), *new]

    # -- losses

    def _may_lose(self, runner: Runner, changes: Changes) -> bool:
        """Whether a change below a rule may take a row from it."""
        if any(relation.shrunk if relation.name in runner.monotone else relation.deleted for _, relation in changes.scans):
            return True
        return any(relation.shrunk or relation.name not in runner.monotone for _, relation in changes.sites)

    def _deleted(self, changed: list[tuple[Runner, Changes]], fresh: Fresh) -> bool:
        """Delete and rederive. False where a rule raised: it may have met rows that go beside rows that come."""
        try:
            self._delete(changed)
            self._rederive(fresh)
        except Exception:  # if it is the rule's own fault, it will raise again when all is computed anew
            fresh.clear()
            return False
        return True

    def _delete(self, changed: list[tuple[Runner, Changes]]) -> None:
        """Take out every row that no longer follows from rows of lower ranks."""
        doomed: list[tuple[Relation, PlainRow]] = []
        for one, changes in changed:
            lost: list[PlainRow] = []
            lose(one, changes, lost)
            self._doom(one.head, lost, doomed)
        while doomed:
            batch, doomed = doomed, []
            by_view: dict[str, list[PlainRow]] = {}
            for view, row in batch:
                by_view.setdefault(view.name, []).append(row)
            touched = [(one.head, self._following(one, by_view)) for one in self.recursive]
            for view, row in batch:
                view.delete(row)
            for head, rows in touched:
                self._doom(head, rows, doomed)

    def _following(self, runner: Runner, gone: dict[str, list[PlainRow]]) -> list[PlainRow]:
        """What leans on rows that go, by a rule, while all of them are still there; what leant on rows below was asked before."""
        found: list[PlainRow] = []
        for position, relation in runner.scans:
            if relation.name in gone:
                runner.listed(position, gone[relation.name], found, False)
        return found

    def _doom(self, head: Relation, rows: Iterable[PlainRow], doomed: list[tuple[Relation, PlainRow]]) -> None:
        """Mark those of some rows that have lost their support: no row may lean on them any more."""
        ranks = head.ranks
        assert ranks is not None
        lost = [row for row in dict.fromkeys(rows) if ranks.get(row, math.inf) != math.inf]  # there, and not going already
        for one in self.by_head[head.name]:
            if lost:
                lost = one.unsupported(lost, ranks, self.inside)
        if lost:
            self.touch(head)
            for row in lost:
                head.doom(row)
                doomed.append((head, head.rows[head.key(row)]))

    def _rederive(self, fresh: Fresh) -> None:
        """Bring back what still follows from the rows that are left."""
        for view in self.views:
            lost = view.deleted
            for one in self.by_head[view.name]:
                if lost:
                    lost = one.unsupported(lost, {}, self.inside)
            if len(lost) < len(view.deleted):
                gone = set(lost)
                self._place(view, [row for row in view.deleted if row not in gone], fresh)

    def _reads_inside(self, runner: Runner) -> bool:
        """Whether an expression of a rule reads a relation of the component."""
        return any(name in self.inside for name in runner.undriven)
