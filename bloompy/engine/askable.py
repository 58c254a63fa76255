"""Rules of recursive components, rewritten so that of any row it can be asked by key or index whether it follows.

Deletion in a recursive component asks that of each row that lost a derivation (`bloompy.engine.recursion`). Three kinds of rules
have no quick answer, and get one at the cost of some memory:

- one that needs nothing of its component, and aggregates or computes its whole head, fills a view of its own, `head~n`, which
  counts derivations, and the component copies that;
- one that needs its component and computes its whole head keeps its bindings in a relation of the component, `head&n`, with the
  columns of the head first: a row follows if a binding has it, and a binding follows if its rows are there;
- `any(… for y in self.r …)` over the component itself is read as a join, since how often a row follows does not count there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve

from bloompy.analysis.dependencies import Reference, references
from bloompy.engine.lower import Component, Declared, Derivation, Lowered, all_key
from bloompy.engine.plan import Layouts, ScanAll, is_safe, layouts_of, plan
from bloompy.engine.relation import Kind
from bloompy.engine.sites import SiteFinder, with_head
from bloompy.ir.nodes import Clause, Condition, Exists, Expression, Field, Iterate, Python, RowVariable, Scan, Select, Variable
from bloompy.ir.rewrite import rebuild
from bloompy.ir.walk import parts, walk
from bloompy.schema import Column, schema_of

APART, BINDINGS = "~", "&"
"""Between a head's name and a number: in the names of the views set apart, and of the relations of bindings."""


def askable(lowered: Lowered, parameters: Mapping[str, Any]) -> Lowered:
    """The program with its recursive components rewritten.

    Args:
        lowered: it.
        parameters: values of the instance's params.
    """
    relations = dict(lowered.relations)
    layouts = layouts_of(lowered, parameters)
    components: list[Component] = []
    for component in lowered.components:
        components += _Rewriting(component, relations, layouts).components() if component.recursive else [component]
    return evolve(lowered, relations=relations, components=tuple(components))


def checkable(query: Select, layouts: Layouts) -> bool:
    """Whether of a row it can be asked by key or index whether a query without aggregates derives it."""
    body, names = with_head(query)
    return not any(isinstance(step, ScanAll) for step in plan(body, layouts, bound=frozenset(names)))


class _Rewriting:
    def __init__(self, component: Component, relations: dict[str, Declared], layouts: Layouts) -> None:
        self.component, self.relations, self.layouts = component, relations, layouts
        self.apart: list[Component] = []
        self.inside: list[str] = list(component.relations)
        self.schemas = {name: declared.schema for name, declared in relations.items()}
        self.names = SiteFinder(self.schemas)
        self.tables = any(relations[name].kind is Kind.TABLE for name in component.relations)

    def components(self) -> list[Component]:
        derivations = tuple(new for one in self.component.derivations for new in self._rewritten(one))
        return [*self.apart, Component(tuple(self.inside), derivations)]

    def _rewritten(self, one: Derivation) -> Iterator[Derivation]:
        head = self.relations[one.head]
        if not one.standing or head.kind is Kind.OVERLAY:
            yield one
        elif not any(reference.collection in self.component.relations for reference in one.references):
            apart = one.aggregates or not (head.schema.lattices or checkable(one.query, self.layouts))
            yield self._set_apart(one, head) if apart else one
        elif self.tables or head.schema.lattices:  # a deletion computes such a component anew
            yield one
        else:
            joined = self._with_joins(one)
            yield from [joined] if checkable(joined.query, self.layouts) else self._keeping_bindings(joined, head)

    # -- a view of its own

    def _set_apart(self, one: Derivation, head: Declared) -> Derivation:
        name = self._fresh(one.head, APART)
        checked = head.checked or bool(head.schema.lattices)
        self.relations[name] = Declared(name, Kind.STANDING, all_key(head.schema, head.checked), None, checked)
        self.apart.append(Component((name,), (evolve(one, head=name, counted=True),)))
        return self._copy(one, name, head.schema.width, head.schema.width)

    # -- bindings

    def _keeping_bindings(self, one: Derivation, head: Declared) -> Iterator[Derivation]:
        query = self._with_rows(one.query)
        if query is None:
            yield one
            return
        rows = [clause for clause in query.body if isinstance(clause, Scan)]
        columns = [column for scan in rows for column in self._columns(scan)]
        width = len(query.head) + len(columns)
        name = self._fresh(one.head, BINDINGS)
        self.relations[name] = Declared(name, Kind.STANDING, schema_of([Column(f"c{i}") for i in range(width)]), None, False)
        self.inside.append(name)
        yield evolve(one, head=name, query=evolve(query, head=(*query.head, *columns)))
        yield self._copy(one, name, width, len(query.head))

    def _columns(self, scan: Scan) -> Iterator[Expression]:
        assert isinstance(scan.target, str)
        row = RowVariable(scan.target, scan.collection, scan.span)
        for i, name in enumerate(self.relations[scan.collection].schema.names):
            yield Field(row, name, i, scan.span)

    def _with_rows(self, query: Select) -> Select | None:
        """The query with a row variable for each scan; None where patterns are nested, or names could be taken for others."""
        names: dict[str, Expression] = {}
        body: list[Clause] = []
        for position, clause in enumerate(query.body):
            if isinstance(clause, Scan) and not (isinstance(clause.target, str) and clause.target != "_"):
                name = "".join(letter if letter.isalnum() else "_" for letter in clause.collection)
                row = RowVariable(f"{name}_{position}_", clause.collection, clause.span)
                columns = self.relations[clause.collection].schema.names
                for i, part in enumerate(clause.target if isinstance(clause.target, tuple) else ()):
                    if not isinstance(part, str):
                        return None
                    names[part] = Field(row, columns[i], i, clause.span)
                clause = evolve(clause, target=row.name)
            body.append(clause)
        if names and _binds_names(query):
            return None
        return rebuild(evolve(query, body=tuple(body)), lambda node: names.get(node.name, node) if isinstance(node, Variable) else node)

    # -- joins for any(…)

    def _with_joins(self, one: Derivation) -> Derivation:
        body: list[Clause] = []
        for clause in one.query.body:
            match clause:
                case Condition(Exists(inner, False)) if self._joins(inner):
                    body += self.names.renamed(inner)[0]
                case _:
                    body.append(clause)
        if len(body) == len(one.query.body):
            return one
        query = evolve(one.query, body=tuple(body))
        return evolve(one, query=query, references=self._references(one, query))

    def _joins(self, body: tuple[Clause, ...]) -> bool:
        """Whether a body reads the component, and raises for no row that `any` would not have come to."""
        inside = any(isinstance(clause, Scan) and clause.collection in self.component.relations for clause in body)
        tests = [clause.test for clause in body if isinstance(clause, Condition)]
        return inside and not any(isinstance(clause, Iterate) for clause in body) and all(map(is_safe, tests))

    def _copy(self, one: Derivation, name: str, width: int, kept: int) -> Derivation:
        """What is left of a rule: its head copies the first columns of a relation."""
        variables = tuple(f"c{i}" for i in range(width))
        query = Select(tuple(Variable(each) for each in variables[:kept]), (Scan(variables, name, one.query.span),), one.query.span)
        return Derivation(one.rule, one.head, query, True, (Reference(name, True, True, True, one.query.span),))

    def _references(self, one: Derivation, query: Select) -> tuple[Reference, ...]:
        return tuple(references(evolve(one.rule, query=query), self.schemas))

    def _fresh(self, head: str, mark: str) -> str:
        return f"{head}{mark}{sum(name.startswith(head + mark) for name in self.relations)}"


def _binds_names(query: Select) -> bool:
    """Whether a Python expression of a query binds names of its own, by a comprehension or a lambda."""
    expressions = [*query.head]
    for clause in query.body:
        expressions += [clause.test] if isinstance(clause, Condition) else [clause.source] if isinstance(clause, Iterate) else []
    nodes = [node for expression in expressions for node in walk(expression)]
    templates = [node.template for node in nodes if isinstance(node, Python) and parts(node)]
    return any(isinstance(node, Exists) for node in nodes) or any(" for " in one or "lambda" in one or ":=" in one for one in templates)
