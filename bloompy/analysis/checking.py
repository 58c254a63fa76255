"""`check`: what is to be said of a program before it runs, as data that prints itself: monotone rules, points of order, oddities.

The command line has it as `bloompy check module:Class`; `docs/calm.md` tells what is claimed and what is assumed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from attrs import field, frozen

from bloompy.analysis import remedies, reporting
from bloompy.analysis.dependencies import references
from bloompy.analysis.lint import Finding, lint
from bloompy.analysis.monotonicity import Obstacle, obstacles
from bloompy.analysis.natures import CONSTANT, OUTSIDE, Natures
from bloompy.analysis.order import Order, Point, order
from bloompy.errors import UsageError
from bloompy.ir.nodes import Program, Rule
from bloompy.ir.text import rule_text
from bloompy.span import Span


@frozen
class Judged:
    """One rule with what keeps it from being monotone, if anything does."""

    rule: Rule
    obstacles: tuple[Obstacle, ...]


@frozen
class Accepted:
    """A point or a warning that whoever checks has allowed.

    Attributes:
        what: it.
        name: by which it was allowed.
        reason: as given, or "".
    """

    what: Point | Finding
    name: str
    reason: str = ""


@frozen
class Report:
    """What was found.

    Attributes:
        program: what was checked.
        rules: all rules in order.
        points: points of order that were not accepted.
        findings: warnings that were not accepted, and notes.
        accepted: what was.
        loaded: tables that no rule fills. They are taken to be full before the first message comes, and to stay as they are.
        same: tables that no point reaches, though there are some: they end alike in every run.
        unused: names given to accept something that is not there (any more).
        natures: of the collections.
        about: by point, the table or outside collection whose state is at stake.
    """

    program: Program
    rules: tuple[Judged, ...]
    points: tuple[Point, ...]
    findings: tuple[Finding, ...]
    accepted: tuple[Accepted, ...]
    loaded: tuple[str, ...]
    same: tuple[str, ...]
    unused: tuple[str, ...]
    natures: Natures = field(repr=False)
    about: Mapping[int, str] = field(repr=False)

    @property
    def confluent(self) -> bool:
        """Whether no point of order is left."""
        return not self.points

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are most likely mistakes."""
        return tuple(one for one in self.findings if one.level == "warning")

    @property
    def ok(self) -> bool:
        """Whether there is nothing to act on: no point, no warning, no name in vain."""
        return self.confluent and not self.warnings and not self.unused

    @property
    def groups(self) -> dict[str, list[Point]]:
        """The points by what they are about, the most frequent first."""
        found: dict[str, list[Point]] = {}
        for point in self.points:
            found.setdefault(self.about[id(point)], []).append(point)
        return dict(sorted(found.items(), key=lambda one: -len(one[1])))

    def __str__(self) -> str:
        return reporting.text(self)

    def _repr_html_(self) -> str:
        return reporting.html(self)

    def data(self) -> dict[str, Any]:
        """All of it as values for JSON."""
        return {
            "program": self.program.name,
            "confluent": self.confluent,
            "ok": self.ok,
            "rules": [self._rule(one) for one in self.rules],
            "points": [self._point(one) for one in self.points],
            "findings": [_finding(one) for one in self.findings],
            "accepted": [{"name": one.name, "reason": one.reason, **self._accepted(one.what)} for one in self.accepted],
            "loaded_before": list(self.loaded),
            "same_in_every_run": list(self.same),
            "allowed_in_vain": list(self.unused),
            "collections": {name: sorted(nature) or ["constant"] for name, nature in self.natures.of.items()},
        }

    def _rule(self, judged: Judged) -> dict[str, Any]:
        because = [{"kind": one.kind, "collection": one.collection, **_place(one.span)} for one in judged.obstacles]
        text = rule_text(judged.rule, self.program)
        return {"rule": judged.rule.label, "text": text, **_place(judged.rule.span), "monotone": not because, "because": because}

    def _point(self, point: Point) -> dict[str, Any]:
        return {
            "kind": point.kind,
            "rule": point.rule.label,
            "collection": point.collection,
            "about": self.about[id(point)],
            **_place(point.span),
            "what": remedies.what(point),
            "why": remedies.why(point),
            "remedy": remedies.remedy(point),
            "way": [{"collection": step.collection, **_place(step.rule.span if step.rule else None)} for step in point.way],
            "kept_by": [{"rule": one.label, **_place(one.span)} for one in point.seen],
        }

    def _accepted(self, what: Point | Finding) -> dict[str, Any]:
        return self._point(what) if isinstance(what, Point) else _finding(what)


def check(program: type[Any] | Program, allow: Iterable[str] | Mapping[str, str] = (), changing: Collection[str] = ()) -> Report:
    """Analyse a program.

        report = check(Cart)
        assert report.confluent, report

    Args:
        program: a Bloom class, or its IR.
        allow: what is accepted, perhaps with reasons: names of collections, labels of rules ("Class.method", or just "method"),
            "collection@method" for one in the other, or the name of an inner module for all within it.
        changing: tables into which rows are inserted from outside at any time; of others that no rule fills it is taken that they
            are full before the first message comes.

    Raises:
        UsageError: for tables that there are not.
    """
    ir: Program = program if isinstance(program, Program) else program.program_ir
    for name in changing:
        if name not in ir.by_name or ir.by_name[name].kind != "table":
            raise UsageError(f"{ir.name} has no table {name!r}", hint="name tables of the program")
    found = order(ir, changing)
    reasons = dict(allow) if isinstance(allow, Mapping) else dict.fromkeys(allow, "")
    about = _abouts(ir, found)
    accepting = _Accepting(reasons, about)
    points = tuple(one for one in found.points if not accepting.takes(one))
    findings = tuple(one for one in lint(ir, found.natures) if one.level == "note" or not accepting.takes(one))
    filled = {rule.head for rule in ir.rules}
    tables = [one.name for one in ir.collections if one.kind == "table" and one.name != "dead_letter"]
    loaded = tuple(name for name in tables if name not in filled and name not in changing)
    rules = tuple(Judged(rule, tuple(obstacles(rule, ir))) for rule in ir.rules if rule.head and rule.statement >= 0)
    unused = tuple(name for name in reasons if name not in accepting.used)
    same = tuple(_unreached(ir, points, found.natures)) if points else ()
    return Report(ir, rules, points, findings, tuple(accepting.accepted), loaded, same, unused, found.natures, about)


@frozen
class _Accepting:
    reasons: Mapping[str, str]
    about: Mapping[int, str]
    accepted: list[Accepted] = field(factory=list)
    used: set[str] = field(factory=set)

    def takes(self, what: Point | Finding) -> bool:
        """Whether it is allowed; then it is noted with all names by which it is."""
        label = what.rule.label if isinstance(what, Point) else what.rule
        method = label.rpartition(".")[2]
        collections = {what.collection, self.about.get(id(what), what.collection)}
        names = {*collections, *filter(None, (label, method))}
        names |= set(_prefixes(what.rule.module if isinstance(what, Point) else ""))
        names |= {f"{one}@{by}" for one in collections for by in (label, method) if by}
        matching = [name for name in self.reasons if name in names]
        if matching:
            self.used.update(matching)
            self.accepted.append(Accepted(what, matching[0], self.reasons[matching[0]]))
        return bool(matching)


def _abouts(program: Program, found: Order) -> dict[int, str]:
    """By point the nearest table or outside collection from which what it reads follows."""
    below: dict[str, list[str]] = {one.name: [] for one in program.collections}
    for rule in program.rules:
        if rule.head and rule.operator != "<~":
            below[rule.head] += [read.reference.collection for read in found.natures.reads(rule)]
    return {id(point): _about(point, program, found.natures, below) for point in found.points}


def _about(point: Point, program: Program, natures: Natures, below: Mapping[str, list[str]]) -> str:
    if point.kind == "clock" and point.collection in ("now", "step", "rand"):
        return "the clock" if point.collection != "rand" else "chance"
    queue = [point.collection]
    for name in queue:
        kind = program.by_name[name].kind
        if natures.of[name] != CONSTANT and (kind == "table" or (kind in OUTSIDE and not below[name])):
            return name
        queue += [one for one in below[name] if one not in queue]
    return point.collection


def _prefixes(module: str) -> list[str]:
    """An inner module's name and those of the modules around it."""
    parts = module.split(".") if module else []
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _unreached(program: Program, points: Collection[Point], natures: Natures) -> Iterable[str]:
    """The tables that change, and that nothing follows into from a point, over messages either.

    A KeyConflict takes a whole tick back, so one that may be raised reaches everything.
    """
    if any(point.kind == "key" for point in points):
        return
    reached = {point.rule.head for point in points}
    grown = True
    while grown:
        new = {
            rule.head
            for rule in program.rules
            if rule.head not in reached and any(one.collection in reached for one in references(rule, program.schemas))
        }
        reached |= new
        grown = bool(new)
    for one in program.collections:
        if one.kind == "table" and one.name not in reached and natures.of[one.name] != CONSTANT and one.name != "dead_letter":
            yield one.name


def _finding(finding: Finding) -> dict[str, Any]:
    shown = {"level": finding.level, "kind": finding.kind, "collection": finding.collection, "rule": finding.rule}
    return {**shown, **_place(finding.span), "message": finding.message, "hint": finding.hint}


def _place(span: Span | None) -> dict[str, Any]:
    return {"file": span.file, "line": span.line, "column": span.characters()[0] + 1} if span is not None and span.line else {}
