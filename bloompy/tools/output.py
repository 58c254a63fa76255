"""Writing a command's result where it may be read by a program that stops early."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click


def write_out(text: str) -> None:
    """Print it; a reader that has gone, as `| head` does, is no error."""
    try:
        click.echo(text)
    except BrokenPipeError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
