"""The command `bloompy check`."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import click

from bloompy.analysis.checking import Report
from bloompy.analysis.checking import check as analyse
from bloompy.errors import BloomError
from bloompy.pictures.dataflow import Dataflow
from bloompy.program import Bloom
from bloompy.tools.loading import load_class
from bloompy.tools.output import write_out


@click.command()
@click.argument("target", metavar="MODULE:CLASS")
@click.option("--allow", "allowed", multiple=True, metavar="NAME", help="Accept points by collection, rule, or collection@rule.")
@click.option(
    "--allow-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with such names, one a line, each with `# reason` behind it.",
)
@click.option("--changing", multiple=True, metavar="TABLE", help="A table filled from outside at any time, not before the start.")
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
@click.option("--html", "as_html", is_flag=True, help="A page for a browser, with the dataflow drawn.")
def check(target: str, allowed: tuple[str, ...], allow_file: Path | None, changing: tuple[str, ...], as_json: bool, as_html: bool) -> None:
    """Say where order can show in a program, and what is odd about it.

    MODULE:CLASS is a class such as bloompy_fs.namenode:NameNode or routes.py:Routes; importing it runs its module.

    Ends with 0 if there is neither a point of order nor a warning, with 1 if there is one that is not allowed, or one that is
    allowed and not there, and with 2 if the program cannot be checked.
    """
    if as_json and as_html:
        raise click.UsageError("give --json or --html, not both")
    program = _loaded(target)
    names = {name: "" for given in allowed for name in given.split(",") if name}
    names |= _listed(allow_file) if allow_file is not None else {}
    try:
        report = analyse(program, names, changing)
    except BloomError as error:
        raise click.UsageError(str(error)) from None
    write_out(json.dumps(report.data(), indent=1, default=str) if as_json else _page(program, report) if as_html else str(report))
    raise SystemExit(0 if report.ok else 1)


def _loaded(target: str) -> type[Bloom]:
    try:
        return load_class(target)
    except click.ClickException as error:
        error.show()
        raise SystemExit(2) from None


def _listed(path: Path) -> dict[str, str]:
    """Names with their reasons."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, reason = line.partition("#")
        if name.strip():
            found[name.strip()] = reason.strip()
    return found


def _page(program: type[Bloom], report: Report) -> str:
    picture = Dataflow.of(program.program_ir, report.points).svg()
    title = f"<!doctype html><meta charset='utf-8'><title>{escape(report.program.name)}</title>"
    return f"{title}<body style='font-family:sans-serif'>{report._repr_html_()}<h2>Dataflow</h2>{picture}"
