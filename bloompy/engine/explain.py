"""From a program under way to its `Explanation`: the plan of every rule and driver, in words.

The plans are made here once more, by the planner that makes them for the generated functions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, field, frozen

from bloompy.analysis.dependencies import ranks_rows
from bloompy.engine.askable import APART, BINDINGS, askable
from bloompy.engine.explanation import Counts, DriverPlan, Explanation, IndexPlan, RelationPlan, RulePlan, StepPlan, StratumPlan
from bloompy.engine.lower import START, TICK, Component, Declared, Derivation, Lowered, lower
from bloompy.engine.plan import Drive, Find, Flatten, Layouts, Probe, ScanAll, Step, Test, layouts_of, plan
from bloompy.engine.profile import Profile, rule_identity
from bloompy.engine.relation import Kind, Relation
from bloompy.engine.sharing import SHARED
from bloompy.engine.tick import PlainRow
from bloompy.engine.ways import BESIDES, Way, own_name, shown_target, taken, ways
from bloompy.errors import UsageError
from bloompy.ir.nodes import Aggregate, Clause, Exists, Expression, Program, RowVariable, Rule, Scan, Variable
from bloompy.ir.rewrite import rebuild
from bloompy.ir.text import expression_text, rule_text
from bloompy.ir.walk import free_names, target_names, walk

_KINDS = {
    Kind.TABLE: "table",
    Kind.STANDING: "standing",
    Kind.TRANSIENT: "transient",
    Kind.OVERLAY: "standing rows, and transient ones above them",
}


@frozen
class Workings:
    """What an evaluator shows of itself.

    Attributes:
        program: the IR.
        lowered: the program as relations and rules that only derive.
        layouts: what the planner knows.
        relations: with their rows and indexes.
        upkeep: how the standing rows of a component are kept right; "" where it has none.
        asks: whether, after a deletion, a derivation is asked whether a row follows from it.
        bulk: whether many rows of a component are evaluated on columns, or why not; "" where there is nothing to say.
        profile: what was counted; None where nothing was.
    """

    program: Program
    lowered: Lowered
    layouts: Layouts
    relations: Mapping[str, Relation]
    upkeep: Callable[[Component], str]
    asks: Callable[[Derivation], bool] = field(default=lambda derivation: False)
    bulk: Callable[[Component], str] = field(default=lambda component: "")
    profile: Profile | None = None


def naive_workings(
    program: Program, parameters: Mapping[str, Any], debug: bool, rows: Callable[[str], dict[Any, PlainRow]]
) -> Workings:
    """Of an evaluator that has no plans: what the default one would do.

    Args:
        program: the IR.
        parameters: values of the instance's params.
        debug: check every derived row.
        rows: of a collection.
    """
    lowered = askable(lower(program, frozenset(), debug), parameters)
    relations = {name: Relation(name, one.kind, one.schema.key_of) for name, one in lowered.relations.items()}
    for name in program.by_name.keys() & relations.keys():
        relations[name].rows = rows(name)
    said = "the naive evaluator computes everything anew in every tick; the plans are those of the default one"
    return Workings(program, lowered, layouts_of(lowered, parameters), relations, lambda component: said)


def explain(workings: Workings, part: str | None = None) -> Explanation:
    """Explain a program.

    Args:
        workings: of its evaluator.
        part: a collection, whose rules are then told, or the label of a rule ("Class.method", or just "method"); None for all.

    Raises:
        UsageError: for a part that there is not.
    """
    return _Explaining(workings).explanation(part)


class _Explaining:
    def __init__(self, workings: Workings) -> None:
        self.workings, self.lowered, self.program = workings, workings.lowered, workings.program
        self.schemas = {name: one.schema for name, one in self.lowered.relations.items()}
        self.written = {rule_identity(rule): rule for rule in self.program.rules}
        self.users: dict[tuple[str, tuple[int, ...]], dict[str, None]] = {}

    def explanation(self, part: str | None) -> Explanation:
        """All of it, or a part."""
        rules = [tuple(self.rules(component)) for component in self.lowered.components]  # first: they tell who reads an index
        strata = [
            StratumPlan(
                number,
                self.title(component),
                tuple(self.relation(name) for name in component.relations if not _is_sink(name)),
                plans,
                component.recursive,
                self.workings.upkeep(component),
                self.workings.bulk(component),
            )
            for number, (component, plans) in enumerate(zip(self.lowered.components, rules, strict=True), 1)
        ]
        filled = {name for component in self.lowered.components for name in component.relations}
        given = [self.relation(name) for name in self.lowered.relations if name not in filled and self._is_of_interest(name)]
        profile = self.workings.profile
        ticks = profile.ticks if profile is not None else None
        whole = Explanation(self.program.name, None, tuple(given), tuple(strata), tuple(self.notes()), ticks)
        return whole if part is None else self.only(whole, part)

    def only(self, whole: Explanation, part: str) -> Explanation:
        """What concerns one collection or rule."""

        def wanted(rule: RulePlan) -> bool:
            return part in (rule.head, rule.label, rule.label.rpartition(".")[2])

        strata = [evolve(one, rules=tuple(filter(wanted, one.rules))) for one in whole.strata]
        strata = [one for one in strata if one.rules or any(relation.name == part for relation in one.relations)]
        given = tuple(one for one in whole.given if one.name == part)
        if not strata and not given:
            raise UsageError(f"{self.program.name} has no collection or rule {part!r}", hint="explain() without an argument names all")
        return evolve(whole, part=part, given=given, strata=tuple(strata), notes=())

    def title(self, component: Component) -> str:
        """The relations of a component, or what becomes of the rows that it finds."""
        rule = component.derivations[0].rule
        if not _is_sink(component.relations[0]):
            return ", ".join(map(self.shown, component.relations))
        if rule.kind == "invariant":
            return f"invariant {rule.label}"
        return f"messages on {rule.head}" if rule.operator == "<~" else f"{rule.head} {rule.operator} …, at the next tick"

    def _is_of_interest(self, name: str) -> bool:
        """`dead_letter` is in every program: it is told where it holds something or is read."""
        if name in (TICK, START):
            return False
        read = any(name in component.inputs for component in self.lowered.components)
        return name != "dead_letter" or read or bool(self.workings.relations[name].size)

    # -- relations

    def relation(self, name: str) -> RelationPlan:
        declared, relation = self.lowered.relations[name], self.workings.relations.get(name)
        kind = _KINDS[declared.kind]
        collection = self.program.by_name.get(name)
        if collection is not None and collection.kind not in (kind, "temporary"):
            kind = f"{collection.kind}, {kind}"
        if collection is not None and collection.durable:
            kind = f"{'delayed ' if collection.delayed else ''}durable {kind}"
        made = relation.indexes if relation is not None else {}
        indexes = {columns: None for used, columns in self.users if used == name} | dict.fromkeys(made)
        plans = [self._index(declared, columns, columns in made) for columns in indexes]
        return RelationPlan(self.shown(name), kind, str(declared.schema), relation.size if relation is not None else 0, tuple(plans))

    def _index(self, declared: Declared, columns: tuple[int, ...], made: bool) -> IndexPlan:
        names = declared.schema.names
        return IndexPlan(tuple(names[i] for i in columns), tuple(self.users.get((declared.name, columns), ())), made)

    def shown(self, name: str) -> str:
        """A relation's name as users know it."""
        if name in (TICK, START):
            return "every tick" if name == TICK else "the first tick"
        method, colon, own = name.partition(":")
        if name.startswith(SHARED):
            return own
        shown = f"{own} (a name in {method})" if colon else name
        for mark, what in {APART: "what does not recur", BINDINGS: "the bindings of a rule"}.items():
            if mark in shown:
                return f"{shown.partition(mark)[0].rstrip('!')} ({what})"
        return f"{shown[:-1]} (its standing rows)" if shown.endswith("!") else shown

    # -- rules

    def rules(self, component: Component) -> Iterator[RulePlan]:
        """The plans of a component's rules, without what only copies rows."""
        for derivation in component.derivations:
            if not _is_copy(derivation):
                yield self.rule(derivation, component)

    def rule(self, derivation: Derivation, component: Component) -> RulePlan:
        """The plan of one rule; notes the indexes that it reads."""
        rule = self.written.get(rule_identity(derivation.rule), derivation.rule)
        counts = dict(self.workings.profile.of(derivation)) if self.workings.profile is not None else None
        plans = []
        for way in ways(derivation, component, self.schemas, self.workings.asks(derivation)):
            words = _Words(self, derivation, f"{rule.label} ({way.title})")
            plans.append(DriverPlan(way.title, tuple(words.way(way, rule)), None if counts is None else taken(counts, way)))
        for title, forms in BESIDES.items():
            found = [one for one in counts or () if one.form in forms]
            if counts and found:
                plans.append(DriverPlan(title, counts=sum((counts[one] for one in found), Counts())))
        return RulePlan(rule.label, _place(rule), rule_text(rule, self.program), rule.head, _note(derivation), tuple(plans))

    # -- what leaves

    def notes(self) -> Iterator[str]:
        """What happens with rows that no rule of the same tick reads."""
        for name, rules in self.lowered.pending.items():
            operators = ", ".join(dict.fromkeys(rule.operator for rule, _ in rules))
            yield f"{name} changes at the next tick: {operators} in {', '.join(dict.fromkeys(rule.label for rule, _ in rules))}"
        for channel, parts in self.lowered.sends.items():
            kinds = ["when they begin to hold" if standing else "" for standing, _ in parts]
            kinds += ["in every tick that derives them" if transient else "" for _, transient in parts]
            yield f"{channel} sends rows {' or '.join(dict.fromkeys(filter(None, kinds)))}"
        for rule, _ in self.lowered.invariants:
            yield f"{rule.label} must have no rows: {rule_text(self.written.get(rule_identity(rule), rule), self.program)}"


class _Words:
    """Puts the steps of one rule into words.

    Args:
        around: knows the program.
        derivation: of the rule.
        user: notes who reads an index.
    """

    def __init__(self, around: _Explaining, derivation: Derivation, user: str) -> None:
        self.around, self.derivation, self.user = around, derivation, user
        self.names: dict[str, str] = {}

    def way(self, way: Way, rule: Rule) -> Iterator[StepPlan]:
        """The steps of a way."""
        names = self.around.schemas[self.derivation.head].names
        self.names = _readable(way.body) | {f"·head_{i}": f"row.{name}" for i, name in enumerate(names)}
        for step in plan(way.body, self.around.workings.layouts, way.driver, way.bound):
            yield self.step(step, way.body)
        if way.last:
            yield StepPlan(way.last)
        else:
            yield from self.end(rule)

    def step(self, step: Step, around: tuple[Clause, ...]) -> StepPlan:
        """One step; `around`: the clauses that bind what it mentions."""
        match step:
            case Drive(scan):
                return StepPlan(f"drive {self._target(scan)}Δ{own_name(scan.collection)}", scan.span.line)
            case ScanAll(scan):
                return StepPlan(f"scan {self._of(scan)}", scan.span.line)
            case Find(scan, key):
                columns = self.around.lowered.relations[scan.collection].schema.key_indexes
                return StepPlan(f"find {self._of(scan)} by key: {self._equal(scan, columns, key)}", scan.span.line)
            case Probe(scan, columns, values):
                self.around.users.setdefault((scan.collection, columns), {})[self.user] = None
                return StepPlan(f"probe {self._of(scan)} by index: {self._equal(scan, columns, values)}", scan.span.line)
            case Flatten(iterate):
                return StepPlan(f"unnest {shown_target(iterate.target, self.names)} in {self.text(iterate.source)}", iterate.span.line)
            case Test(condition):
                inside = tuple(self._inside(condition.test, around))
                return StepPlan(f"test {self.text(condition.test)}", condition.span.line, inside)
        raise AssertionError(step)

    def end(self, rule: Rule) -> Iterator[StepPlan]:
        """What is done with each binding in the end."""
        query = self.derivation.query
        row, line = f"({', '.join(self.text(one) for one in query.head)})", query.span.line
        if self.derivation.aggregates:
            plain = [self.text(one) for one in query.head if not any(isinstance(node, Aggregate) for node in walk(one))]
            by = f" by {', '.join(plain)}" if plain else ""
            yield StepPlan("rank within the partition" if ranks_rows(query) else f"group{by}", line)
        target = self.around.shown(rule.head)
        last = {
            "<=": f"insert {row} into {target}",
            "=": f"insert {row} into {target}",
            "<+": f"insert at the next tick {row} into {target}",
            "<+-": f"upsert at the next tick {row} into {target}",
            "<-": f"delete at the next tick {row} from {target}",
            "<~": f"send {row} on {target}",
        }
        yield StepPlan(f"violated by {row}" if rule.kind == "invariant" else last[rule.operator], line)

    def text(self, expression: Expression) -> str:
        """An expression as the user wrote it, with names for the rows that lookups bind."""
        return expression_text(rebuild(expression, self._renamed), self.derivation.rule, self.around.program)

    def _renamed(self, node: Any) -> Any:
        if isinstance(node, RowVariable | Variable) and node.name in self.names:
            node = evolve(node, name=self.names[node.name])
        if hasattr(node, "collection") and isinstance(node.collection, str) and node.collection.endswith("!"):
            node = evolve(node, collection=node.collection[:-1])
        return node

    def _inside(self, expression: Expression, around: tuple[Clause, ...]) -> Iterator[StepPlan]:
        """The steps of every `any(…)` in a condition."""
        for node in walk(expression):
            if isinstance(node, Exists):
                needs = frozenset(free_names(node)) & frozenset(_bound(around)) - frozenset(_bound(node.body))
                steps = plan(node.body, self.around.workings.layouts, bound=needs, around=around)
                yield from (self.step(step, (*around, *node.body)) for step in steps)

    def _equal(self, scan: Scan, columns: Iterable[int], values: Iterable[Expression]) -> str:
        names = self.around.lowered.relations[scan.collection].schema.names
        return ", ".join(f"{names[i]} = {self.text(value)}" for i, value in zip(columns, values, strict=True))

    def _of(self, scan: Scan) -> str:
        return f"{self._target(scan)}{self.around.shown(scan.collection)}"

    def _target(self, scan: Scan) -> str:
        """`p of `, or nothing for rows that have no name of their own."""
        shown = shown_target(scan.target, self.names)
        return "" if shown in ("_", own_name(scan.collection)) else f"{shown} of "


def _place(rule: Rule) -> str:
    """File and line; a file below the working directory by its path from there, others by their name."""
    path = os.path.abspath(rule.span.file)
    if os.path.basename(os.path.dirname(path)).startswith("ipykernel_"):
        return f"cell, line {rule.span.line}"
    below = path.startswith(os.path.join(os.getcwd(), ""))
    return f"{os.path.relpath(path) if below else os.path.basename(rule.span.file)}:{rule.span.line}"


def _note(derivation: Derivation) -> str:
    if derivation.head.startswith(SHARED):
        return "a join that several rules have in common: they read its rows"
    if derivation.overlays:
        return f"once more for the transient rows of {', '.join(sorted(derivation.overlays))}"
    return "" if derivation.standing else "transient: from the rows of this tick"


def _is_copy(derivation: Derivation) -> bool:
    """Whether a derivation only copies: standing rows to where transient ones are added, or what `askable` set apart."""
    match derivation.query.body:
        case (Scan(tuple(), collection),):
            return collection == f"{derivation.head}!" or collection.startswith((derivation.head + APART, derivation.head + BINDINGS))
    return False


def _is_sink(relation: str) -> bool:
    """Whether no rule reads a relation."""
    return relation.startswith("·") and not relation.startswith(SHARED)


def _bound(body: Iterable[Clause]) -> Iterator[str]:
    for clause in body:
        yield from target_names(getattr(clause, "target", "_"))


def _readable(body: Iterable[Clause]) -> dict[str, str]:
    """Names for the variables that the user did not name: the collection's for a row, where that is free."""
    taken = set(_bound(body))
    found: dict[str, str] = {}
    for clause in body:
        for name in target_names(getattr(clause, "target", "_")):
            made = name.startswith("·") or (isinstance(clause, Scan) and name.endswith("_") and isinstance(clause.target, str))
            if made and isinstance(clause, Scan):
                shown = name.lstrip("·").rpartition("_")[0] if name.startswith("·") and not name.startswith("·row_") else ""
                shown = shown or clause.collection.removesuffix("!").rpartition(":")[2].replace(".", "_")
                while shown in taken:
                    shown += "'"
                taken.add(shown)
                found[name] = shown
    return found
