"""What the demo shows: a line for each thing done, and one that moves while something is under way."""

from __future__ import annotations

import sys
import time

import click

_TITLE_CHARACTERS = 9
_PAUSE_S = 1.0


class Screen:
    """Writes to standard output. On a terminal the moving line is rewritten in place; elsewhere it is a line a second."""

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._shown = 0
        self._next = 0.0

    def done(self, title: str, text: str) -> None:
        """A line that stays."""
        self._clear()
        click.echo(f"{title:<{_TITLE_CHARACTERS}} {text}")

    def moving(self, title: str, text: str) -> None:
        """A line that the next one replaces."""
        line = f"{title:<{_TITLE_CHARACTERS}} {text}"
        if self._live:
            click.echo("\r" + line.ljust(self._shown), nl=False)
            self._shown = len(line)
        elif time.monotonic() >= self._next:
            click.echo(line)
            self._next = time.monotonic() + _PAUSE_S

    def _clear(self) -> None:
        if self._shown:
            click.echo("\r" + " " * self._shown + "\r", nl=False)
            self._shown = 0
