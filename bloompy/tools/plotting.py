"""The command `bloompy plot`."""

from __future__ import annotations

import click

from bloompy.errors import BloomError
from bloompy.pictures.dataflow import Dataflow
from bloompy.tools.loading import load_class
from bloompy.tools.output import write_out


@click.command()
@click.argument("target", metavar="MODULE:CLASS")
@click.option("--format", "shown_as", type=click.Choice(["svg", "dot", "mermaid", "html", "text"]), default="svg", help="What to write.")
@click.option("--around", metavar="COLLECTION", help="Only what is near this collection.")
@click.option("--steps", default=1, show_default=True, help="How near, in arrows.")
def plot(target: str, shown_as: str, around: str | None, steps: int) -> None:
    """Draw the dataflow of a program, with its points of order in red.

    MODULE:CLASS is a class such as bloompy_fs.namenode:NameNode or routes.py:Routes; importing it runs its module.
    """
    flow = Dataflow.of(load_class(target).program_ir)
    try:
        flow = flow.around(around, steps) if around is not None else flow
    except BloomError as error:
        raise click.UsageError(str(error)) from None
    writers = {"svg": flow.svg, "dot": flow.dot, "mermaid": flow.mermaid, "html": flow.html, "text": flow.__str__}
    write_out(writers[shown_as]())
