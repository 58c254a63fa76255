"""How the report of a check is shown: short at the top, each point with its line below."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from textwrap import wrap
from typing import TYPE_CHECKING

from bloompy.analysis.lint import Finding
from bloompy.analysis.order import Point, Way
from bloompy.analysis.remedies import remedy, what, why
from bloompy.span import Span

if TYPE_CHECKING:
    from bloompy.analysis.checking import Report

_WIDTH = 120
_MOST_ROWS = 12
_SOURCE = re.compile(r"\s+in\s+self[\w.]+")

# --- text -------------------------------------------------------------------------------------------------------


def text(report: Report) -> str:
    """The report for a terminal."""
    lines = [headline(report), *_wrapped(verdict(report), ""), ""]
    if len(report.points) > 3:
        lines += [*_summary(report), ""]
    for name, points in report.groups.items():
        lines += [*_group(report, name, points), ""]
    for title, findings in (("Warnings", report.warnings), ("Notes", [one for one in report.findings if one.level == "note"])):
        if findings:
            lines += [title, *_findings(findings), ""]
    lines += _rules(report)
    lines += _accepted(report)
    return "\n".join(lines).rstrip()


def headline(report: Report) -> str:
    """The program and how much there is."""
    monotone = sum(not one.obstacles for one in report.rules)
    notes = len(report.findings) - len(report.warnings)
    parts = [count(len(report.points), "point") + " of order", count(len(report.warnings), "warning"), count(notes, "note")]
    parts.append(f"{monotone} of {count(len(report.rules), 'rule')} monotone")
    return f"{report.program.name}: {', '.join(parts)}"


def verdict(report: Report) -> str:
    """What follows for somebody who runs the program."""
    if report.points and all(one.kind == "key" for one in report.points):
        return "Order can show only as a KeyConflict: where two rows of one key come, the first stays and the other raises."
    if report.points:
        changes = "which message comes first, which come together and which twice"
        return f"Order can show: what the tables hold in the end, or what is sent, may depend on {changes}."
    if any(isinstance(one.what, Point) for one in report.accepted):
        return "Confluent, if the points that were accepted are settled in another way."
    return "Confluent: the order, grouping and repetition of messages changes neither what the tables hold in the end nor what is sent."


def _summary(report: Report) -> Iterator[str]:
    """By state at stake: how many points, of which kinds, where first."""
    groups = report.groups
    width = max(len(name) for name in groups)
    yield f"What is at stake ({count(len(groups), 'group')}; --allow NAME accepts one)"
    for name, points in list(groups.items())[:_MOST_ROWS]:
        kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(one.kind for one in points).most_common())
        yield f"  {name:<{width}}  {len(points):>3}   {kinds}; first at {place(points[0].span)}"
    if len(groups) > _MOST_ROWS:
        rest = list(groups.values())[_MOST_ROWS:]
        yield f"  {'…':<{width}}  {sum(map(len, rest)):>3}   in {count(len(rest), 'more group')}, below"
    sources = Counter(point.way[0].collection for point in report.points if point.way)
    if sources:
        shown = ", ".join(f"{name} ({number})" for name, number in sources.most_common(6))
        yield from _wrapped(f"They are reached from {shown}. One log that orders what comes through these settles most.", "  ")


def _group(report: Report, name: str, points: Sequence[Point]) -> Iterator[str]:
    """The points about one state: of each kind the first at length, the others by line."""
    kind = report.program.by_name[name].kind if name in report.program.by_name else ""
    yield f"{name}{f' ({kind})' if kind else ''}: {count(len(points), 'point')} of order"
    told: set[str] = set()
    for point in points:
        if point.kind in told:
            continue
        told.add(point.kind)
        yield from _point(point)
        for other in points:
            if other.kind == point.kind and other is not point:
                yield f"      also {place(other.span)}: {what(other)}"


def _point(point: Point) -> Iterator[str]:
    yield f"  {place(point.span)}: {what(point)}   [{point.kind}, {point.rule.label}]"
    yield from (f"      {line}" for line in caret(point.span))
    if point.way:
        yield from _wrapped(f"way: {way(point.way)}", "      ", "           ")
    yield from _wrapped(f"why: {why(point)}", "      ", "           ")
    if point.seen:
        shown = ", ".join(f"{one.head} at {place(one.span)}" for one in point.seen[:3])
        yield from _wrapped(f"kept or sent meanwhile: {shown}{', …' if len(point.seen) > 3 else ''}", "      ", "           ")
    yield from _wrapped(f"do:  {remedy(point)}", "      ", "           ")


def way(steps: Way) -> str:
    """A way from the outside in one line."""
    lines = (f" (line {one.rule.span.line})" if one.rule is not None and one.rule.span.line else "" for one in steps)
    return " → ".join(f"{one.collection}{line}" for one, line in zip(steps, lines, strict=True))


def _findings(findings: Iterable[Finding]) -> Iterator[str]:
    told: set[str] = set()
    for one in findings:
        yield f"  {place(one.span)}: {one.message}   [{one.kind}]"
        if one.level == "warning":
            yield from (f"      {line}" for line in caret(one.span))
        if one.kind not in told:
            told.add(one.kind)
            yield f"      hint: {one.hint}"


def _rules(report: Report) -> Iterator[str]:
    found = [one for one in report.rules if one.obstacles]
    if found:
        yield "Rules that are not monotone"
        for one in found:
            because = ", ".join(dict.fromkeys(map(str, one.obstacles)))
            yield from _wrapped(f"{place(one.rule.span)}: {one.rule.label} {because}", "  ", "      ")
        yield ""


def _accepted(report: Report) -> Iterator[str]:
    if report.loaded:
        yield from _wrapped(f"Taken to be full before the first message comes: {', '.join(report.loaded)}", "", "  ")
    if report.same:
        yield from _wrapped(f"The same in every run even so: {', '.join(report.same)}", "", "  ")
    numbers = Counter((one.name, one.reason) for one in report.accepted)
    for (name, reason), number in numbers.items():
        yield f"Accepted by {name!r}: {number}{f' ({reason})' if reason else ''}"
    for name in report.unused:
        yield f"Nothing is there to be accepted by {name!r}: take it off the list"


def place(span: Span) -> str:
    """File and line, relative to the working directory where the file is below it."""
    if not span.line:
        return "somewhere"
    inside = span.file.startswith(os.getcwd() + os.sep)
    return printable(f"{os.path.relpath(span.file) if inside else span.file}:{span.line}")


def caret(span: Span) -> list[str]:
    """The source line with the place marked; nothing where the source is gone."""
    line = printable(span.text.rstrip("\n")).rstrip()
    if not line.strip():
        return []
    start, end = span.characters()
    end += len(match[0]) if (match := _SOURCE.match(line[end:])) else 0  # `x` is the place of `x in self.c`
    indent = len(line) - len(line.lstrip())
    start, end = max(start - indent, 0), max(end - indent, 0)
    return [line[indent:], " " * start + "^" * max(min(end, len(line) - indent) - start, 1)]


def printable(shown: str) -> str:
    """Without characters that a terminal would obey."""
    return "".join(one if one.isprintable() else " " if one == "\t" else "�" for one in shown)


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _wrapped(line: str, first: str, rest: str | None = None) -> list[str]:
    following = first if rest is None else rest
    return wrap(line, _WIDTH, initial_indent=first, subsequent_indent=following, break_long_words=False, break_on_hyphens=False)


# --- HTML -------------------------------------------------------------------------------------------------------

_STYLE = (
    "<style>.bloompy-check td,.bloompy-check th{text-align:left;vertical-align:top}"
    ".bloompy-check pre{margin:2px 0}.bloompy-check .bad{color:#b00020}.bloompy-check .good{color:#1b7f3b}</style>"
)


def html(report: Report) -> str:
    """The report for a notebook or a page; every value escaped."""
    mood = "good" if report.confluent else "bad"
    parts = [f"<p><b>{escape(headline(report))}</b><br><span class='{mood}'>{escape(verdict(report))}</span></p>"]
    for name, points in report.groups.items():
        inner = "".join(map(_point_html, points))
        opened = " open" if len(report.points) <= 3 else ""
        parts.append(f"<details{opened}><summary>{escape(name)}: {count(len(points), 'point')}</summary>{inner}</details>")
    for title, findings in (("Warnings", report.warnings), ("Notes", [one for one in report.findings if one.level == "note"])):
        if findings:
            inner = "".join(f"<li>{escape(place(one.span))}: {escape(one.message)}; {escape(one.hint)}</li>" for one in findings)
            parts.append(f"<details><summary>{title}: {len(findings)}</summary><ul>{inner}</ul></details>")
    parts.append(f"<details><summary>Rules</summary>{_rules_html(report)}</details>")
    parts += [f"<p>{escape(line)}</p>" for line in _accepted(report)]
    return f"<div class='bloompy-check'>{_STYLE}{''.join(parts)}</div>"


def _point_html(point: Point) -> str:
    source = escape("\n".join(caret(point.span)))
    ways = f"<br>way: {escape(way(point.way))}" if point.way else ""
    words = f"why: {escape(why(point))}<br>do: {escape(remedy(point))}"
    return f"<p>{escape(place(point.span))}: <b>{escape(what(point))}</b><pre>{source}</pre>{words}{ways}</p>"


def _rules_html(report: Report) -> str:
    rows = (
        f"<tr><td>{escape(place(one.rule.span))}</td><td>{escape(one.rule.label)}</td>"
        f"<td>{escape(', '.join(dict.fromkeys(map(str, one.obstacles)))) or 'monotone'}</td></tr>"
        for one in report.rules
    )
    return f"<table><tr><th>place</th><th>rule</th><th>why not monotone</th></tr>{''.join(rows)}</table>"
