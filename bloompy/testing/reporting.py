"""The report of a failing run: what went wrong in words, as a picture, and how to have it again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from types import TracebackType

from attrs import frozen

from bloompy.pictures.spacetime import SpaceTime
from bloompy.pictures.words import one_line
from bloompy.sim.schedule import Schedule
from bloompy.sim.search.failures import is_ours
from bloompy.sim.search.running import Outcome
from bloompy.sim.search.shrinking import Shrunk
from bloompy.sim.simulation import Simulation
from bloompy.testing.why import why_lines

REPORT = "bloompy_report"
"""The attribute of an exception that holds the report."""


@frozen(kw_only=True)
class Report:
    """What is told about a failing run.

    Attributes:
        origin: where it was found, in a sentence.
        shrunk: what shrinking did, in a sentence; "" if it was not shrunk.
        schedule: what went wrong on the way.
        operations: of the test, how many there were and how many were left out.
        word: the run as one word; "" if it cannot be had again.
        test: what to give to pytest, or the function's name.
        diagram: the space-time diagram.
        why: how the rows in question came about.
        under_pytest: a command line is shown to have it again, else a call.
    """

    origin: str
    schedule: Schedule
    word: str
    test: str
    shrunk: str = ""
    operations: tuple[int, int] = (0, 0)
    diagram: str = ""
    why: tuple[str, ...] = ()
    under_pytest: bool = False

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield one_line(self.origin)
        if self.shrunk:
            yield one_line(self.shrunk)
        yield from ("", "what goes wrong:")
        words = [one_line(line) for line in changes(self.schedule)] or ["nothing: it fails without faults"]
        yield from (f"  {number}. {line}" if len(words) > 1 else f"  {line}" for number, line in enumerate(words, 1))
        yield from _test_lines(self)
        if self.diagram:
            yield from ("", "what happens:", self.diagram)
        if self.why:
            yield from ("", "why:", *self.why)
        if self.word:
            yield from ("", "again:", f"  {self._again()}")

    def _again(self) -> str:
        if self.under_pytest:
            return f"pytest {_quoted(self.test)} --bloompy-replay={self.word}"
        return f'bloompy.testing.replay({self.test}, "{self.word}")'


def changes(schedule: Schedule) -> list[str]:
    """The decisions in words, without those of the test itself."""
    return [one.words for one in schedule.decisions if one.kind not in ("skip", "draw")]


def report_of(outcome: Outcome, origin: str, test: str, *, shrunk: str = "", under_pytest: bool = False) -> Report:
    """The report of a run.

    Args:
        outcome: the run, with its trace.
        origin: where it was found, in a sentence.
        test: what to give to pytest, or the function's name.
        shrunk: what shrinking did, in a sentence.
        under_pytest: see `Report`.
    """
    skipped = sum(one.kind == "skip" for one in outcome.schedule.decisions)
    return Report(
        origin=origin,
        shrunk=shrunk,
        schedule=outcome.schedule,
        word=outcome.word,
        test=test,
        operations=(outcome.sim.operation_count, skipped),
        diagram=diagram_of(outcome.sim, outcome.error),
        why=why_lines(outcome.sim, outcome.error),
        under_pytest=under_pytest,
    )


def shrunk_words(shrunk: Shrunk) -> str:
    """What shrinking did, in a sentence."""
    if not shrunk.runs or (shrunk.repeats and not len(shrunk.before.schedule)):
        return ""
    if not shrunk.repeats:
        return "it did not fail again with the same schedule: the test is not deterministic (see --bloompy-twice)"
    before, after = (len(changes(one.schedule)) for one in (shrunk.before, shrunk.outcome))
    unfinished = "" if shrunk.complete else ", not to the end" if not shrunk.interrupted else ", until Ctrl-C"
    runs = f"{shrunk.runs:,} {'run' if shrunk.runs == 1 else 'runs'}"
    return f"shrunk from {_number(before)} to {after} in {runs}, {shrunk.seconds:.2g} s{unfinished}"


def diagram_of(sim: Simulation, error: BaseException | None = None) -> str:
    """The space-time diagram of a simulation as text, as wide as the terminal; "" of one without a trace."""
    if not len(sim.trace):
        return ""
    failure = f"{type(error).__name__}: {error}" if error is not None else None
    width = max(60, min(shutil.get_terminal_size((110, 24)).columns, 160))
    return SpaceTime(sim.trace, failure=failure).text(width)


def shorten(error: BaseException) -> None:
    """Leave the frames of bloompy out of the tracebacks of an error, where others are left, and of its causes."""
    error.with_traceback(_without_ours(error) or error.__traceback__)
    seen, cause = {id(error)}, error.__cause__ or error.__context__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        cause.with_traceback(_without_ours(cause))
        cause = cause.__cause__ or cause.__context__


def _without_ours(error: BaseException) -> TracebackType | None:
    frames, traceback = [], error.__traceback__
    while traceback is not None:
        if not is_ours(traceback.tb_frame):
            frames.append(traceback)
        traceback = traceback.tb_next
    found: TracebackType | None = None
    for one in reversed(frames):
        found = TracebackType(found, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return found


def _test_lines(report: Report) -> Iterator[str]:
    total, skipped = report.operations
    drawn = [f"{one.at[0]}: {one.value}" for one in report.schedule.decisions if one.kind == "draw"]
    if skipped:
        left = sorted(int(one.at[0]) for one in report.schedule.decisions if one.kind == "skip")
        yield f"  of the test's {total} operations {_number(total - skipped, '')} needed (left out: {', '.join(map(str, left))})"
    if drawn:
        yield f"  the test's draws that are not their least: {', '.join(drawn)}"


def _number(count: int, noun: str = "fault") -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}" if noun else f"{count} {'is' if count == 1 else 'are'}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"
