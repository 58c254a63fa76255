"""What `explain()` returns: how a program is evaluated, as data that prints itself as text and, in notebooks, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from textwrap import wrap

from attrs import field, frozen

_WIDTH = 110
_HOTTEST = 10


@frozen
class Counts:
    """What was counted while profiling was on.

    Attributes:
        runs: how often it was evaluated.
        rows_in: rows of the driver that it took.
        rows_out: rows that it derived, before duplicates and rows that hold already are removed where it can tell.
        seconds: spent in it.
    """

    runs: int = 0
    rows_in: int = 0
    rows_out: int = 0
    seconds: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.runs + other.runs, self.rows_in + other.rows_in, self.rows_out + other.rows_out, self.seconds + other.seconds
        )

    def __str__(self) -> str:
        return f"{_number(self.runs, 'run')}, {_number(self.rows_in, 'row')} in, {self.rows_out:,} out, {duration(self.seconds)}"


def duration(seconds: float) -> str:
    """A time with three digits and its unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


@frozen
class StepPlan:
    """One step of a plan.

    Attributes:
        text: what it does.
        line: of the user's file, of what it evaluates; 0 where there is none.
        inner: the steps of an `any(…)` within.
    """

    text: str
    line: int = 0
    inner: tuple[StepPlan, ...] = ()


@frozen
class DriverPlan:
    """What a rule does when something changes.

    Attributes:
        driver: what changes, as "Δlink".
        steps: what is done then; empty where nothing but counts is told.
        counts: while profiling.
    """

    driver: str
    steps: tuple[StepPlan, ...] = ()
    counts: Counts | None = None


@frozen
class RulePlan:
    """One rule.

    Attributes:
        label, place: "Class.method", and file and line.
        text: the statement.
        head: the collection that it fills.
        note: what is special in how it is evaluated.
        drivers: by what changes.
    """

    label: str
    place: str
    text: str
    head: str
    note: str
    drivers: tuple[DriverPlan, ...]

    @property
    def counts(self) -> Counts:
        """The sum over the drivers."""
        return sum((one.counts for one in self.drivers if one.counts is not None), Counts())


@frozen
class IndexPlan:
    """An index: its columns, who reads it, and whether it is there yet (it is made when it is first read)."""

    columns: tuple[str, ...]
    users: tuple[str, ...]
    made: bool


@frozen
class RelationPlan:
    """A relation: how long its rows live, its columns, how many rows it has, by which columns it is indexed."""

    name: str
    kind: str
    columns: str
    rows: int
    indexes: tuple[IndexPlan, ...] = ()


@frozen
class StratumPlan:
    """Relations that depend on each other, with the rules that fill them.

    Attributes:
        number: in the order of evaluation, from 1.
        title: its relations, or what is done with the rows.
        recursive: whether they depend on themselves.
        upkeep: how their rows are kept right from tick to tick.
        bulk: whether, when many rows are there to begin with, they are evaluated on columns, or why not.
    """

    number: int
    title: str
    relations: tuple[RelationPlan, ...]
    rules: tuple[RulePlan, ...]
    recursive: bool
    upkeep: str
    bulk: str = ""


@frozen
class Explanation:
    """How a program, or a part of it, is evaluated.

    Attributes:
        program: the name of the class.
        part: what was asked for; None for all.
        given: relations that are filled from outside: tables, inputs, messages, timers.
        strata: in the order of evaluation.
        notes: what happens with the rows that leave: pending changes, messages, invariants.
        ticks: that the counts are of; None where nothing was counted.
    """

    program: str
    part: str | None
    given: tuple[RelationPlan, ...]
    strata: tuple[StratumPlan, ...]
    notes: tuple[str, ...] = ()
    ticks: int | None = field(default=None)

    def __str__(self) -> str:
        return "\n".join(_text(self))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """The same for notebooks, strata and rules folded."""
        return "".join(_html(self))

    @property
    def rules(self) -> tuple[RulePlan, ...]:
        """All rules, in the order of evaluation."""
        return tuple(rule for stratum in self.strata for rule in stratum.rules)

    def hottest(self) -> list[tuple[float, RulePlan]]:
        """The rules that took time while profiling, longest first, each with its share of it."""
        timed = sorted((one for one in self.rules if one.counts.seconds > 0), key=lambda one: -one.counts.seconds)
        total = sum(one.counts.seconds for one in timed)
        return [(one.counts.seconds / total, one) for one in timed]

    @property
    def summary(self) -> str:
        """Its size in a line."""
        said = f"{self.program}: {_number(len(self.rules), 'rule')} in {_number(len(self.strata), 'stratum', 'strata')}"
        return said if self.part is None else f"{said} (only {self.part})"


def _number(count: int, one: str, several: str = "") -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"


# --- text -------------------------------------------------------------------------------------------------------


def _text(explanation: Explanation) -> Iterator[str]:
    yield explanation.summary
    yield from _profile_text(explanation)
    if explanation.given:
        yield "\ngiven"
        for relation in explanation.given:
            yield from _relation_text(relation)
    for stratum in explanation.strata:
        yield f"\nstratum {stratum.number}: {stratum.title}"
        yield from (f"  {line}" for line in _stratum_remarks(stratum))
        for relation in stratum.relations:
            yield from _relation_text(relation)
        for rule in stratum.rules:
            yield from _rule_text(rule)
    if explanation.notes:
        yield "\nat the end of the tick"
        yield from (f"  {note}" for note in explanation.notes)


def _profile_text(explanation: Explanation) -> Iterator[str]:
    if explanation.ticks is None:
        return
    hottest = explanation.hottest()
    total = sum(rule.counts.seconds for _, rule in hottest)
    yield f"\nprofile of {_number(explanation.ticks, 'tick')}: {duration(total)} in rules"
    for share, rule in hottest[:_HOTTEST]:
        yield f"  {share:4.0%} {'█' * round(share * 20):20} {rule.label}, {rule.place.rpartition('/')[2]}: {rule.counts}"


def _stratum_remarks(stratum: StratumPlan) -> Iterator[str]:
    yield f"{'recursive; ' if stratum.recursive else ''}{stratum.upkeep}"
    if stratum.bulk:
        yield stratum.bulk


def _relation_text(relation: RelationPlan) -> Iterator[str]:
    yield f"  {relation.name} ({relation.columns}): {relation.kind}, {_number(relation.rows, 'row')}"
    for index in relation.indexes:
        yield f"    {_index_text(index)}"


def _index_text(index: IndexPlan) -> str:
    waiting = "" if index.made else " (not yet made)"
    return f"index by {', '.join(index.columns)}{waiting}: {', '.join(index.users) or 'nothing any more'}"


def _rule_text(rule: RulePlan) -> Iterator[str]:
    yield f"\n  {rule.label}, {rule.place}{_counted(rule.counts)}"
    yield from wrap(rule.text, _WIDTH, initial_indent="    ", subsequent_indent="      ", break_long_words=False, break_on_hyphens=False)
    if rule.note:
        yield f"    {rule.note}"
    for driver in rule.drivers:
        yield f"    {driver.driver}{_counted(driver.counts)}"
        yield from _steps_text(driver.steps, "      ")


def _steps_text(steps: Iterable[StepPlan], indent: str) -> Iterator[str]:
    for step in steps:
        yield f"{indent}{step.text}"
        yield from _steps_text(step.inner, f"{indent}  ")


def _counted(counts: Counts | None) -> str:
    return f"  [{counts}]" if counts is not None and counts.runs else ""


# --- HTML -------------------------------------------------------------------------------------------------------

_STYLE = """<style>
.bloompy-plan details { margin: 2px 0 2px 1em }
.bloompy-plan summary { cursor: pointer }
.bloompy-plan code { white-space: pre-wrap }
.bloompy-plan ol { margin: 2px 0 2px 1em }
.bloompy-plan .quiet { opacity: .7 }
.bloompy-plan .heat { display: inline-block; height: .7em; background: #d9480f }
</style>"""


def _html(explanation: Explanation) -> Iterator[str]:
    shares = {id(rule): share for share, rule in explanation.hottest()}
    yield f"<div class='bloompy-plan'>{_STYLE}<b>{escape(explanation.summary)}</b>"
    if explanation.ticks is not None:
        hottest = explanation.hottest()[:_HOTTEST]
        lines = "".join(f"<tr><td>{_heat(share)}</td><td>{escape(rule.label)}</td>{_cells(rule.counts)}</tr>" for share, rule in hottest)
        head = "".join(f"<th>{name}</th>" for name in ("", "rule", "runs", "rows in", "rows out", "time"))
        yield f"<table><caption>profile of {_number(explanation.ticks, 'tick')}</caption><tr>{head}</tr>{lines}</table>"
    if explanation.given:
        yield _folded("given", _list(map(_relation_html, explanation.given)))
    for stratum in explanation.strata:
        remarks = _list(escape(line) for line in _stratum_remarks(stratum))
        relations = _list(map(_relation_html, stratum.relations))
        rules = "".join(_rule_html(rule, shares.get(id(rule))) for rule in stratum.rules)
        yield _folded(f"stratum {stratum.number}: {stratum.title}", remarks + relations + rules, opened=len(explanation.strata) <= 8)
    if explanation.notes:
        yield _folded("at the end of the tick", _list(map(escape, explanation.notes)))
    yield "</div>"


def _folded(title: str, inside: str, opened: bool = False, extra: str = "") -> str:
    return f"<details{' open' if opened else ''}><summary>{escape(title)}{extra}</summary>{inside}</details>"


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _relation_html(relation: RelationPlan) -> str:
    columns, held = escape(relation.columns), f"{escape(relation.kind)}, {_number(relation.rows, 'row')}"
    shown = f"<b>{escape(relation.name)}</b> <code>{columns}</code>: {held}"
    return shown + (_list(escape(_index_text(index)) for index in relation.indexes) if relation.indexes else "")


def _rule_html(rule: RulePlan, share: float | None) -> str:
    extra = f" <span class='quiet'>{escape(rule.place)}{escape(_counted(rule.counts))}</span>"
    extra += f" {_heat(share)}" if share is not None else ""
    inside = f"<code>{escape(rule.text)}</code>" + (f"<p>{escape(rule.note)}</p>" if rule.note else "")
    for driver in rule.drivers:
        inside += _folded(f"{driver.driver}{_counted(driver.counts)}", _steps_html(driver.steps), opened=True)
    return _folded(rule.label, inside, extra=extra)


def _steps_html(steps: Sequence[StepPlan]) -> str:
    if not steps:
        return ""
    return f"<ol>{''.join(f'<li{_title(step)}>{escape(step.text)}{_steps_html(step.inner)}</li>' for step in steps)}</ol>"


def _title(step: StepPlan) -> str:
    return f" title='line {step.line}'" if step.line else ""


def _heat(share: float) -> str:
    return f"<span class='heat' style='width: {share * 8:.2f}em' title='{share:.1%}'></span>"


def _cells(counts: Counts) -> str:
    shown = (f"{counts.runs:,}", f"{counts.rows_in:,}", f"{counts.rows_out:,}", duration(counts.seconds))
    return "".join(f"<td>{one}</td>" for one in shown)
