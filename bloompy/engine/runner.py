"""One derivation with its generated functions, each compiled when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from attrs import define, evolve, field

from bloompy.analysis.apart import taken_apart
from bloompy.analysis.growth import misused
from bloompy.engine.lower import Derivation
from bloompy.engine.plan import Find, ScanAll, Step, Test, plan
from bloompy.engine.relation import Relation
from bloompy.engine.sites import Site, sites, with_head
from bloompy.engine.template import Derive, Workspace, generated
from bloompy.engine.tick import PlainRow
from bloompy.engine.variant import Form, Variant
from bloompy.errors import BloomError
from bloompy.ir.nodes import Scan
from bloompy.ir.walk import target_names

T = TypeVar("T")
Binding = tuple[PlainRow, ...]
"""The rows of a query's scans."""
Groups = dict[Any, tuple[list[Any], ...]]
"""By group the lists of its aggregates' arguments."""


@define(eq=False)
class Runner:
    """See the module.

    Attributes:
        required: relations without rows in which the query is empty.
        scans: positions and relations of the query's own scans.
        undriven: relations that the query reads in another way, also if it scans them too.
    """

    derivation: Derivation
    head: Relation
    required: tuple[Relation, ...]
    scans: tuple[tuple[int, Relation], ...]
    undriven: tuple[str, ...]
    workspace: Workspace
    compile: Callable[[Derivation, Variant], Derive]
    functions: dict[Any, Derive] = field(factory=dict)
    lists: dict[int | None, Derive] = field(factory=dict)
    _kept: dict[Any, Derive] = field(factory=dict)

    @classmethod
    def of(
        cls,
        derivation: Derivation,
        workspace: Workspace,
        compile: Callable[[Derivation, Variant], Derive],
    ) -> Runner:
        """The runner of a derivation."""
        required = {reference.collection: None for reference in derivation.references if reference.required}
        body = enumerate(derivation.query.body)
        scans = tuple((i, workspace.relations[clause.collection]) for i, clause in body if isinstance(clause, Scan))
        undriven = {one.collection: None for one in derivation.references if not one.scanned}
        needed = tuple(workspace.relations[name] for name in required)
        return cls(derivation, workspace.relations[derivation.head], needed, scans, tuple(undriven), workspace, compile)

    def possible(self) -> bool:
        """Whether no relation that the query needs is empty."""
        for relation in self.required:  # noqa: SIM110  # asked for each rule in each tick: `all` takes twice as long
            if not relation.rows:
                return False
        return True

    @property
    def idle(self) -> bool:
        """Whether a relation that the query needs is empty, and was when the tick began: then nothing follows, and nothing did."""
        for relation in self.required:  # noqa: SIM110  # as above
            if not relation.size and not relation.deleted:
                return True
        return False

    @property
    def fed(self) -> bool:
        """The same as `possible`, without making rows of what is held in columns."""
        return all(relation.size for relation in self.required)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Where the query reads relations other than by its scans."""
        return tuple(sites(self.derivation.query, self.workspace.schemas))

    @cached_property
    def monotone(self) -> frozenset[str]:
        """The relations that the query reads only so that more of their rows make more of its own."""
        read = self.derivation.references
        own = evolve(self.derivation.rule, head=self.derivation.head, query=self.derivation.query)
        wrongly = misused(own, self.workspace.schemas)  # what the derivation puts into ordinary columns, though its rule does not
        return frozenset(one.collection for one in read) - {one.collection for one in read if not one.monotone} - wrongly

    @cached_property
    def apart(self) -> dict[int, bool]:
        """The scans that take lattice values element by element (True), or not at all, by position."""
        return taken_apart(self.derivation.query, self.workspace.schemas)

    # -- the forms

    def put(
        self, driver: int | None, driven: Iterable[PlainRow], rows: dict[Any, PlainRow], new: list[PlainRow], again: list[PlainRow]
    ) -> None:
        """Derive from some rows of a scan (None: from all) into `rows` and `new`; what is there into `again`."""
        function = self.functions.get(driver) or self._compiled(driver, Variant(Form.PUT, driver))
        try:
            function(driven, rows, new, again)
        except Exception as error:
            self.annotate(error)
            raise

    def listed(
        self, driver: int | None, driven: Iterable[PlainRow], out: Any, before: bool, skip: Mapping[int, Any] | None = None
    ) -> None:
        """List what follows from some rows of a scan; with aggregates, the arguments by group."""
        if skip is not None:
            self._run(("exclusive", driver), (Form.LIST, driver, True), driven, out, before, skip)
            return
        function = self.lists.get(driver)
        if function is None:
            function = self.lists[driver] = self._compiled(("list", driver), Variant(Form.LIST, driver))
        try:
            function(driven, out, before, None)
        except Exception as error:
            self.annotate(error)
            raise

    def find(self, number: int, driven: Iterable[PlainRow], found: dict[Binding, None], before: bool, inner_before: bool) -> None:
        """The bindings that rows of a site, given by its number, touch."""
        site = self.sites[number]
        assert site.clauses is not None
        driver = len(self.derivation.query.body) + site.driver
        self._run(("find", number), (Form.FIND, driver, False, site.clauses), driven, found, before, inner_before)

    def bindings(self, driver: int, driven: Iterable[PlainRow], found: dict[Binding, None], before: bool) -> None:
        """The bindings in which rows of a scan take part."""
        self._run(("bindings", driver), (Form.FIND, driver), driven, found, before, before)

    def contribute(self, bindings: Iterable[Binding], out: Any, before: bool) -> None:
        """List what follows from bindings."""
        self._run("contribute", (Form.CONTRIBUTE,), bindings, out, before)

    def finish(self, group: Any, lists: Any, out: list[PlainRow]) -> None:
        """List the row (for ranks: the rows) of a group."""
        function = self.functions.get("finish") or self._compiled("finish", Variant(Form.FINISH))
        try:
            function(group, lists, out)
        except Exception as error:
            self.annotate(error)
            raise

    def unsupported(
        self, rows: list[PlainRow], ranks: Mapping[PlainRow, float], inside: frozenset[str] = frozenset()
    ) -> list[PlainRow]:
        """Those of some rows that do not follow from rows that are there, of the own component from those of lower rank."""
        function = self.functions.get("support") or self._compiled("support", Variant(Form.SUPPORT, inside=inside))
        out: list[PlainRow] = []
        try:
            function(rows, ranks, out)
        except Exception as error:
            self.annotate(error)
            raise
        return out

    @cached_property
    def checkable(self) -> bool:
        """Whether `unsupported` costs less than all rows of a relation for each row."""
        return not self.derivation.aggregates and not any(isinstance(step, ScanAll) for step in self._steps_from_head())

    @cached_property
    def unique(self) -> bool:
        """Whether a row follows from one binding at most: its columns lead to every row of the binding by key."""
        return not self.derivation.aggregates and all(isinstance(step, Find | Test) for step in self._steps_from_head())

    def _steps_from_head(self) -> list[Step]:
        body, names = with_head(self.derivation.query)
        return plan(body, self.workspace.layouts, bound=frozenset(names))

    def _run(self, key: Any, variant: tuple[Any, ...], *arguments: Any) -> Any:
        function = self.functions.get(key) or self._compiled(key, Variant(*variant))
        try:
            return function(*arguments)
        except Exception as error:
            self.annotate(error)
            raise

    def _compiled(self, key: Any, variant: Variant) -> Derive:
        kept = self._kept.get(key)
        function = kept if kept is not None and self._fits(kept) else self.compile(self.derivation, variant)
        self.functions[key] = function
        return function

    def _fits(self, function: Any) -> bool:
        """Whether a function from before `reset` would be planned the same now."""
        sizes = self.workspace.layouts.sizes
        return all(sizes(*at) == size for at, size in function.asked.items())

    def reset(self) -> None:
        """Be as at the start; functions are kept for as long as tables have the sizes that their plans depend on."""
        self._kept.update(self.functions)
        self.functions.clear()
        self.lists.clear()

    # -- errors

    def explained(self, merge: Callable[[], T]) -> T:
        """What something returns that is done with the rule's rows; an error of it tells the rule."""
        try:
            return merge()
        except Exception as error:
            self.annotate(error)
            raise

    def annotate(self, error: Exception) -> None:
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
                        value = self.workspace.schemas[clause.collection].row.make(value)
                    error.add_note(f"  {name} = {value!r}")


def _variables_of_rule(error: Exception) -> Mapping[str, Any] | None:
    """The variables of the innermost generated function that an exception went through."""
    found, traceback = None, error.__traceback__
    while traceback is not None:
        if generated(traceback.tb_frame.f_code):
            found = traceback.tb_frame.f_locals
        traceback = traceback.tb_next
    return found
