"""Semi-naive evaluation of one component of a program: from what changed below it to its own least fixpoint.

Standing rules come first: they take the inserted rows of their inputs as drivers or, where something was deleted or a
non-monotone input changed, compute the views of the component again. Transient rules follow, driven by the rows of this tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import define, field

from bloompy.engine.generate import Derive, generated
from bloompy.engine.lower import Component, Derivation
from bloompy.engine.relation import Kind, Relation
from bloompy.engine.tick import PlainRow
from bloompy.errors import BloomError
from bloompy.ir.nodes import Scan
from bloompy.ir.walk import target_names
from bloompy.schema import Schema


@define(eq=False)
class Runner:
    """One derivation with its functions, one for each driver, compiled when first used.

    Attributes:
        required: relations without rows in which the query is empty.
        scans: positions and relations of the scans whose changed rows can drive the query.
        undriven: relations that the query reads in another way, also if it scans them too: their change asks for all of it.
    """

    derivation: Derivation
    head: Relation
    required: tuple[Relation, ...]
    scans: tuple[tuple[int, Relation], ...]
    undriven: tuple[str, ...]
    compile: Callable[[Derivation, int | None], Derive]
    schemas: Mapping[str, Schema]
    functions: dict[int | None, Derive] = field(factory=dict)

    def run(self, driver: int | None, driven: Iterable[PlainRow], rows: dict[Any, PlainRow], new: list[PlainRow]) -> None:
        """Evaluate for some driven rows (None: in full), putting what is derived into `rows` and `new`."""
        function = self.functions.get(driver)
        if function is None:
            function = self.functions[driver] = self.compile(self.derivation, driver)
        try:
            function(driven, rows, new)
        except Exception as error:
            self._annotate(error)
            raise

    def _annotate(self, error: Exception) -> None:
        """Tell which rule raised and, where an expression of the user did, for which rows."""
        if any(note.startswith("in rule ") for note in getattr(error, "__notes__", ())):
            return
        error.add_note(f"in rule {self.derivation.rule.place}")
        variables = None if isinstance(error, BloomError) else _variables_of_rule(error)
        for clause in self.derivation.query.body if variables is not None else ():
            for name in target_names(getattr(clause, "target", "_")):
                if variables is not None and name in variables and not name.endswith("_"):
                    value = variables[name]
                    if isinstance(clause, Scan) and name == clause.target:
                        value = self.schemas[clause.collection].row.make(value)
                    error.add_note(f"  {name} = {value!r}")

    def possible(self) -> bool:
        """Whether no relation that the query needs is empty."""
        return all(relation.rows for relation in self.required)


class Fixpoint:
    """One component, ready to be brought up to date tick by tick.

    Args:
        component: its relations and rules.
        relations, schemas: all, by name.
        compile: makes the function of a derivation for a driver.
        touch: called with each relation that changes.
        conflict: makes the error for two rows of one key.
    """

    def __init__(
        self,
        component: Component,
        relations: Mapping[str, Relation],
        schemas: Mapping[str, Schema],
        compile: Callable[[Derivation, int | None], Derive],
        touch: Callable[[Relation], None],
        conflict: Callable[[Relation, PlainRow, PlainRow], Exception],
    ) -> None:
        self.relations = [relations[name] for name in component.relations]
        self.views = [one for one in self.relations if one.kind in (Kind.STANDING, Kind.OVERLAY)]
        self.inside = frozenset(component.relations)
        self.by_name, self.touch, self.conflict = relations, touch, conflict
        runners = [_runner(one, relations, schemas, compile) for one in component.derivations]
        self.standing = [one for one in runners if one.derivation.standing]
        self.transient = [one for one in runners if not one.derivation.standing]
        self.recursive = [one for one in runners if any(reference.collection in self.inside for reference in one.derivation.references)]
        self.recursive_standing = [one for one in self.recursive if one.derivation.standing]

    def update(self, first: bool) -> None:
        """Bring the component up to date with its inputs; `first`: evaluate everything."""
        events = {one.name: list(one.inserted) for one in self.relations if one.inserted and one.kind is Kind.TRANSIENT}
        fresh = {one.name: list(one.inserted) for one in self.relations if one.inserted and one.kind is Kind.TABLE}
        if self.standing:
            if first or any(self._must_recompute(one) for one in self.standing):
                self._recompute(fresh)
            else:
                for one in self.standing:
                    self._seed_standing(one, fresh)
                self._close(self.recursive_standing, fresh)
        fresh |= events
        for view in self.views:
            if view.transient:
                fresh[view.name] = self._put_in(view)
        for one in self.transient:
            self._seed_transient(one, fresh)
        self._close(self.recursive, fresh)

    # -- standing rules

    def _must_recompute(self, runner: Runner) -> bool:
        for reference in runner.derivation.references:
            relation = self.by_name[reference.collection]
            if not reference.monotone and (relation.deleted or relation.inserted):
                return True
            if relation.deleted and self.views:
                return True
        return False

    def _recompute(self, fresh: dict[str, list[PlainRow]]) -> None:
        for view in self.views:
            self.touch(view)
            view.clear()
        for one in self.standing:
            if one.possible():
                self._derive(one, None, (), fresh)
        self._close(self.recursive_standing, fresh)
        for view in self.views:
            view.settle()

    def _seed_standing(self, runner: Runner, fresh: dict[str, list[PlainRow]]) -> None:
        if runner.head.kind is Kind.TABLE and runner.head.deleted:
            if runner.possible():  # a row deleted from a table is there again while a rule derives it
                self._derive(runner, None, (), fresh)
            return
        for position, relation in runner.scans:
            if relation.inserted and relation.name not in self.inside and runner.possible():
                self._derive(runner, position, relation.inserted, fresh)
        for name in runner.undriven:
            if name not in self.inside and self.by_name[name].inserted and runner.possible():
                self._derive(runner, None, (), fresh)
                return

    # -- transient rules

    def _seed_transient(self, runner: Runner, fresh: dict[str, list[PlainRow]]) -> None:
        if not runner.possible():
            return
        if not runner.derivation.overlays:
            self._derive(runner, None, (), fresh)
            return
        for reference in runner.derivation.references:
            relation = self.by_name[reference.collection]
            if reference.collection in runner.derivation.overlays and not reference.scanned and relation.transient:
                self._derive(runner, None, (), fresh)
                return
        for position, relation in runner.scans:
            if relation.name in runner.derivation.overlays and relation.transient and relation.name not in self.inside:
                self._derive(runner, position, list(relation.transient), fresh)

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

    # -- rounds

    def _close(self, runners: list[Runner], fresh: dict[str, list[PlainRow]]) -> None:
        """Run the recursive rules on the rows new in the round before until nothing is new."""
        while runners and fresh:
            delta = dict(fresh)
            fresh.clear()
            for runner in runners:
                for position, relation in runner.scans:
                    if relation.name in delta and relation.name in self.inside:
                        self._derive(runner, position, delta[relation.name], fresh)
                if any(name in delta for name in runner.undriven):
                    self._derive(runner, None, (), fresh)

    def _derive(self, runner: Runner, driver: int | None, driven: Iterable[PlainRow], fresh: dict[str, list[PlainRow]]) -> None:
        head = runner.head
        new: list[PlainRow] = []
        try:
            runner.run(driver, driven, head.rows, new)
        finally:
            if new:
                head.added(new)
                self.touch(head)
        if new:
            if head.kind is Kind.OVERLAY and not runner.derivation.standing:
                head.transient.update(dict.fromkeys(new))
            known = fresh.get(head.name)
            fresh[head.name] = [*known, *new] if known else new


def _runner(
    derivation: Derivation,
    relations: Mapping[str, Relation],
    schemas: Mapping[str, Schema],
    compile: Callable[[Derivation, int | None], Derive],
) -> Runner:
    required = {reference.collection: None for reference in derivation.references if reference.required}
    scans = tuple(
        (i, relations[clause.collection]) for i, clause in enumerate(derivation.query.body) if isinstance(clause, Scan)
    )
    drivers = () if derivation.aggregates else scans
    undriven = {one.collection: None for one in derivation.references if derivation.aggregates or not one.scanned}
    needed = tuple(relations[name] for name in required)
    return Runner(derivation, relations[derivation.head], needed, drivers, tuple(undriven), compile, schemas)


def _variables_of_rule(error: Exception) -> Mapping[str, Any] | None:
    """The variables of the innermost generated function that an exception went through."""
    found, traceback = None, error.__traceback__
    while traceback is not None:
        if generated(traceback.tb_frame.f_code):
            found = traceback.tb_frame.f_locals
        traceback = traceback.tb_next
    return found
