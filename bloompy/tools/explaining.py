"""The command `bloompy explain`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from html import escape

import click

from bloompy.errors import BloomError
from bloompy.tools.loading import load_class


@click.command()
@click.argument("target", metavar="MODULE:CLASS")
@click.argument("part", required=False)
@click.option("--html", is_flag=True, help="A page for a browser instead of text.")
def explain(target: str, part: str | None, html: bool) -> None:
    """Show how a program is evaluated: strata, indexes, and the plan of every rule.

    MODULE:CLASS is a class such as bloompy_fs.namenode:NameNode or routes.py:Routes; importing it runs its module.
    PART is a collection, for the rules that fill it, or a rule's label.
    """
    program = load_class(target)
    try:
        explanation = program().explain(part)
    except BloomError as error:
        raise click.ClickException(f"{error}" + (f"\nhint: {error.hint}" if error.hint else "")) from None
    page = f"<!doctype html><meta charset='utf-8'><title>{escape(explanation.summary)}</title>{explanation._repr_html_()}"
    try:
        click.echo(page if html else str(explanation))
    except BrokenPipeError:  # as by `| head`
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
