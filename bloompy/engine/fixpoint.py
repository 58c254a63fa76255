"""One component of a program: from what changed below it to its own least fixpoint.

Standing rules come first: they maintain their views from what changed (`counting`, `recursion`), or fill tables (`persisting`).
Transient rules follow, driven by the rows of this tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias

from bloompy.engine.counting import Conflict, Counting, Touch
from bloompy.engine.filling import Backend
from bloompy.engine.lower import Component, Derivation
from bloompy.engine.merging import Merging
from bloompy.engine.overlay import Copying
from bloompy.engine.passing import Passing
from bloompy.engine.persisting import Persisting
from bloompy.engine.recursion import Recursion
from bloompy.engine.relation import Kind, Relation
from bloompy.engine.runner import Runner
from bloompy.engine.template import Derive, Workspace
from bloompy.engine.tick import PlainRow
from bloompy.engine.variant import Variant


class Part(Protocol):
    """What keeps the standing rows of one relation.

    Attributes:
        upkeep: how, in words.
    """

    upkeep: str

    def update(self, first: bool) -> None:
        """Bring it up to date; `first`: from the beginning."""

    def finish(self) -> None:
        """The tick is done."""

    def roll_back(self) -> None:
        """The tick has not happened."""

    def reset(self) -> None:
        """Be as at the start."""


_Seed: TypeAlias = "tuple[Runner, list[Relation], list[tuple[int, Relation]] | None]"
"""A rule of this tick's rows; of the transient copy of a standing rule, the relations any transient row of which has it evaluated in
full, and the scans that transient rows drive. None: it is evaluated in full always."""


class Fixpoint:
    """One component, ready to be brought up to date tick by tick.

    Args:
        component: its relations and rules.
        workspace: of the instance.
        compile: makes a function of a derivation.
        touch, conflict: as of `Counting`.
        backend: fills views on columns.
    """

    def __init__(
        self,
        component: Component,
        workspace: Workspace,
        compile: Callable[[Derivation, Variant], Derive],
        touch: Touch,
        conflict: Conflict,
        backend: Backend,
    ) -> None:
        relations = [workspace.relations[name] for name in component.relations]
        self.inside = frozenset(component.relations)
        self.by_name, self.conflict = workspace.relations, conflict
        self.runners = [Runner.of(one, workspace, compile) for one in component.derivations]
        self.transient = [one for one in self.runners if not one.derivation.standing]
        standing = [one for one in self.runners if one.derivation.standing]
        self.overlays = [one for one in relations if one.kind is Kind.OVERLAY]
        copied = [one for one in self.overlays if one.base not in relations]
        self.parts: list[Part] = [Copying(one, touch, conflict) for one in copied]
        kept = [one for one in standing if one.head not in copied]
        if kept and not component.recursive:
            view = Merging if relations[0].growing is not None else Counting
            keeper = Persisting if relations[0].kind is Kind.TABLE else view
            self.parts.append(keeper(relations[0], kept, touch, conflict))
        self.recursion = Recursion(relations, kept if component.recursive else [], touch, conflict)
        self.filling = backend.filling([one.derivation for one in kept])
        if component.recursive:
            self.recursion.filling = self.filling
        for part in self.parts:
            if type(part) is Counting:
                part.filling = self.filling
        self.recursive = [*self.recursion.recursive, *(one for one in self.transient if self._reads_inside(one))]
        self.component = component
        self.relations, self.growing = relations, [one for one in relations if one.growing is not None]
        if len(self.parts) == 1 and not (self.recursion.runners or self.transient or self.overlays):
            self.update = self.parts[0].update  # type: ignore[method-assign]  # most components are one view
        elif self.recursion.runners and not (self.parts or self.recursion.tables or self.transient or self.overlays):
            self.update = self._update_recursion  # type: ignore[method-assign]
        elif [one.kind for one in relations] == [Kind.TRANSIENT] and not (
            standing or self.recursive or self.growing or any(one.derivation.overlays for one in self.transient)
        ):
            self.update = Passing(relations[0], self.transient, touch).update  # type: ignore[method-assign]  # and most others this
        elif not (self.recursion.runners or self.recursive or self.growing):
            self.touch, self.seeds = touch, [self._seed(one) for one in self.transient]
            self.update = self._update_beside  # type: ignore[method-assign]

    def reset(self) -> None:
        """Be as at the start."""
        for part in self.parts:
            part.reset()
        self.recursion.clock = 0
        if self.filling is not None:
            self.filling.reset()
        for runner in self.runners:
            runner.reset()

    @property
    def upkeep(self) -> str:
        """How its standing rows are kept right, and where its transient ones come from, in words."""
        said = [part.upkeep for part in self.parts]
        said += [self.recursion.upkeep] if self.recursion.runners else []
        said += ["transient rows follow from those of the tick"] if self.transient else []
        return "; ".join(dict.fromkeys(said))

    @property
    def bulk(self) -> str:
        """Whether its views are filled on columns, or why not; "" where that does not come into question."""
        return self.filling.ability if self.filling is not None else ""

    def woken_by(self, order: Mapping[str, int]) -> Iterable[str]:
        """The relations whose changes can bring something about here.

        All that its rules read, but for rules of this tick's rows. Such a rule derives nothing while a relation of this tick's rows that
        it needs is empty, so one of these is enough: the last to be filled, which seldom has rows when the others have none. And the
        transient copy of a standing rule derives nothing but from transient rows above standing ones.

        Args:
            order: by relation, when it is filled; those from outside are not in it.
        """
        found: dict[str, None] = {}
        for runner in self.runners:
            derivation = runner.derivation
            gates = [one.name for one in runner.required if one.kind is Kind.TRANSIENT]
            if derivation.standing or self.component.recursive or not (derivation.overlays or gates):
                found |= dict.fromkeys(one.collection for one in derivation.references)
            elif derivation.overlays:
                found |= dict.fromkeys(sorted(derivation.overlays))
            else:
                found[max(gates, key=lambda name: order.get(name, -1))] = None
        if self.parts or self.recursion.runners or self.overlays or self.component.recursive:
            found |= dict.fromkeys(self.component.relations)
        return found

    def asks(self, runner: Runner) -> bool:
        """Whether, after a deletion, a rule is asked whether a row follows from it."""
        if runner in self.recursion.runners:
            return self.recursion.ranked
        persists = any(isinstance(part, Persisting) for part in self.parts)
        return persists and runner.derivation.standing and runner.checkable

    def update(self, first: bool) -> None:
        """Bring the component up to date with its inputs; `first`: evaluate everything."""
        for part in self.parts:
            part.update(first)
        if self.recursion.runners:
            self.recursion.update(first, {one.name: list(one.inserted) for one in self.recursion.tables if one.inserted})
        if self.transient or self.overlays:
            self._update_transient()

    def _update_beside(self, first: bool) -> None:
        """Where nothing recurs and no rows merge: what stands, then the rows of this tick beside it."""
        for part in self.parts:
            part.update(first)
        for view in self.overlays:
            if view.transient:
                self._put_in(view)
        for runner, asked, driven in self.seeds:
            if not runner.possible():
                continue
            if driven is None or any(one.transient for one in asked):
                self._derive(runner, None, ())
            else:
                for position, relation in driven:
                    if relation.transient:
                        self._derive(runner, position, list(relation.transient))
        for table in self.recursion.tables:  # what stands may have come back by way of a table
            if table.deleted:
                table.net()

    def _derive(self, runner: Runner, driver: int | None, driven: Iterable[PlainRow]) -> None:
        head = runner.head
        new: list[PlainRow] = []
        try:
            runner.put(driver, driven, head.rows, new, [])
        finally:
            if new:
                self.touch(head)
                head.added(new)
        if new and head.kind is Kind.OVERLAY:
            head.transient.update(dict.fromkeys(new))

    def _seed(self, runner: Runner) -> _Seed:
        """What drives a rule of this tick's rows."""
        overlays, derivation = runner.derivation.overlays, runner.derivation
        if not overlays:
            return runner, [], None
        asked = [self.by_name[one.collection] for one in derivation.references if one.collection in overlays and not one.scanned]
        return runner, asked, [scan for scan in runner.scans if scan[1].name in overlays and scan[1].name not in self.inside]

    def _update_recursion(self, first: bool) -> None:
        self.recursion.update(first, {})

    def finish(self) -> None:
        """The tick is done."""
        for part in self.parts:
            part.finish()

    def roll_back(self) -> None:
        """The tick has not happened."""
        for part in self.parts:
            part.roll_back()

    def _reads_inside(self, runner: Runner) -> bool:
        return any(reference.collection in self.inside for reference in runner.derivation.references)

    # -- transient rules

    def _update_transient(self) -> None:
        fresh = {one.name: list(one.inserted) for one in self.relations if one.inserted and one.kind in (Kind.TRANSIENT, Kind.TABLE)}
        for view in self.overlays:
            if view.transient:
                fresh[view.name] = self._put_in(view)
        for one in self.transient:
            self._seed_transient(one, fresh)
        self.recursion.close(self.recursive, fresh)
        if self.recursion.tables:  # what stands may have come back by way of a table
            for relation in self.relations:
                relation.net()
        for relation in self.growing:
            relation.net()

    def _seed_transient(self, runner: Runner, fresh: dict[str, list[PlainRow]]) -> None:
        if not runner.possible():
            return
        if not runner.derivation.overlays:
            self.recursion.derive(runner, None, (), fresh)
            return
        for reference in runner.derivation.references:
            relation = self.by_name[reference.collection]
            if reference.collection in runner.derivation.overlays and not reference.scanned and relation.transient:
                self.recursion.derive(runner, None, (), fresh)
                return
        for position, relation in runner.scans:
            if relation.name in runner.derivation.overlays and relation.transient and relation.name not in self.inside:
                self.recursion.derive(runner, position, list(relation.transient), fresh)

    def _put_in(self, view: Relation) -> list[PlainRow]:
        """Put in the rows staged into a scratch that rules fill as well."""
        new = []
        for row in view.transient:
            held = view.rows.get(view.key(row))
            if held is None:
                view.insert(row)
                new.append(row)
            elif held != row:
                raise self.conflict(view, held, row)
        return new
