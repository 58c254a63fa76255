"""What a test run gives to the decorators: options of the command line, and where to report. Outside pytest all is at its default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from bloompy.sim.search.campaign import Campaign

REGRESSIONS = "bloompy-regressions.txt"
"""The file beside a test in which its saved runs are."""


@define(kw_only=True)
class Session:
    """One run of tests.

    Attributes:
        replay: run just this, for `--bloompy-replay`.
        save: write failing runs into the file of regressions.
        regressions: its name.
        runs, first_seed: in place of what decorators say.
        twice: run everything twice, and compare.
        under_pytest: failures are shown by the plugin; elsewhere the report is a note of the exception.
        full_traceback: also frames of bloompy are shown.
        test: name of the test being run, and its file; outside pytest they are those of the function.
        progress: told the state of a long campaign.
        told: takes what a finished campaign or search did, in a line, and whether Ctrl-C ended it.
        stop: ends the session after the present test, with a reason.
    """

    replay: str | None = None
    save: bool = False
    regressions: str = REGRESSIONS
    runs: int | None = None
    first_seed: int | None = None
    twice: bool = False
    under_pytest: bool = False
    full_traceback: bool = False
    test: tuple[Path, str] | None = None
    progress: Callable[[Campaign, int], object] | None = None
    told: Callable[[str, bool], object] = lambda text, interrupted: None
    stop: Callable[[str], object] = lambda reason: None


@define
class _Current:
    session: Session = field(factory=Session)


_CURRENT = _Current()


def current() -> Session:
    """The present one."""
    return _CURRENT.session


def begin(session: Session) -> Session:
    """Make one the present one; returns the one before."""
    before, _CURRENT.session = _CURRENT.session, session
    return before
