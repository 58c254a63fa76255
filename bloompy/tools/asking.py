"""The command `bloompy why`."""

from __future__ import annotations

import ast
from collections.abc import Callable
from html import escape
from typing import Any

import click

from bloompy.engine.provenance.answers import Why, WhyNot
from bloompy.errors import BloomError, UsageError
from bloompy.program import Bloom, machine_of
from bloompy.schema import Schema
from bloompy.sim import Simulation
from bloompy.sim.search.running import Outcome, replay, run_once
from bloompy.tools.loading import load
from bloompy.tools.output import write_out

_FORMATS = ["text", "html", "svg"]


@click.command()
@click.argument("target", metavar="TARGET")
@click.argument("question", nargs=-1, required=True, metavar="[NODE] COLLECTION ROW")
@click.option("--insert", "inserts", nargs=2, multiple=True, metavar="COLLECTION ROW", help="Insert a row before the first tick.")
@click.option("--ticks", default=1, show_default=True, help="Run so many ticks, one a second.")
@click.option("--tick", type=int, help="Ask about this tick rather than the last.")
@click.option("--param", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="A param of the program.")
@click.option("--replay", "word", metavar="WORD", help="Of a test: run it again as a failure report says.")
@click.option("--format", "shown_as", type=click.Choice(_FORMATS), default="text", help="What to write.")
def why(
    target: str,
    question: tuple[str, ...],
    inserts: tuple[tuple[str, str], ...],
    ticks: int,
    tick: int | None,
    parameters: tuple[tuple[str, str], ...],
    word: str | None,
    shown_as: str,
) -> None:
    """Say why a row holds: its derivation, with rules and lines. Of a row that does not hold: how near each rule came.

    TARGET is a program such as routes.py:Routes, which is given rows by --insert; or a test of a simulation, a function such as
    tests/broadcast.py:reliable, which is run, and whose question begins with a NODE. Importing it runs its module.

    ROW is written as its values, or those of its key, with commas between them: a,c,3. An underscore stands for any value.
    """
    found = load(target)
    try:
        if isinstance(found, type) and issubclass(found, Bloom):
            answer = _of_program(found, question, inserts, ticks, tick, dict(parameters))
        elif callable(found):
            answer = _of_test(found, question, word, tick)
        else:
            raise click.UsageError(f"{target!r} is no program and no test")
    except BloomError as error:
        raise click.ClickException(f"{error}" + (f"\nhint: {error.hint}" if error.hint else "")) from None
    write_out(_written(answer, shown_as))


def _of_program(
    program: type[Bloom],
    question: tuple[str, ...],
    inserts: tuple[tuple[str, str], ...],
    ticks: int,
    tick: int | None,
    parameters: dict[str, str],
) -> Why | WhyNot:
    """The answer of an instance that was given some rows."""
    if len(question) != 2:
        raise click.UsageError("a question about a program is COLLECTION ROW")
    instance = program(provenance=True, **{name: _value(text, None) for name, text in parameters.items()})
    machine = machine_of(instance)
    for name, row in inserts:
        machine.stage(name, "insert", (_row(machine.program.schemas, name, row),))
    for number in range(ticks):
        instance.tick(now=float(number + 1))
    collection, row = question[0], _row(machine.program.schemas, *question)
    return _either(lambda: instance.why(collection, row, tick=tick), lambda: instance.why_not(collection, row, tick=tick))


def _of_test(test: Callable[..., Any], question: tuple[str, ...], word: str | None, tick: int | None) -> Why | WhyNot:
    """The answer of a simulation after a test."""
    if len(question) != 3:
        raise click.UsageError("a question about a test of a simulation is NODE COLLECTION ROW")
    ended: Outcome = replay(test, word) if word is not None else run_once(test)
    if ended.error is not None:
        click.echo(f"the test failed: {type(ended.error).__name__}: {ended.error}".splitlines()[0], err=True)
    sim: Simulation = ended.sim
    node, collection, text = question
    if node not in sim.nodes:
        raise UsageError(f"there is no node {node!r}", hint=f"there are {', '.join(sim.nodes) or 'none'}")
    row = _row(machine_of(sim[node].program).program.schemas, collection, text)
    return _either(lambda: sim.why(node, collection, row, tick=tick), lambda: sim.why_not(node, collection, row, tick=tick))


def _either(holds: Callable[[], Why], lacks: Callable[[], WhyNot]) -> Why | WhyNot:
    """Why it does not hold; where it does, why it does."""
    try:
        return lacks()
    except UsageError as error:
        if error.hint != "ask why":
            raise
    return holds()


# --- rows as text -----------------------------------------------------------------------------------------------


def _row(schemas: Any, collection: str, text: str) -> Any:
    """A row, or a key, from text: values between commas; `_` for any."""
    schema: Schema | None = schemas.get(collection)
    if schema is None:
        names = [name for name in schemas if ":" not in name]
        raise UsageError(f"there is no collection {collection!r}", hint=f"there are {', '.join(names)}")
    parts = _parts(text)
    columns = schema.columns if len(parts) == schema.width else [schema.columns[i] for i in schema.key_indexes]
    if len(parts) != len(columns):
        raise UsageError(f"{collection}: {text!r} is neither a row nor a key", hint=f"its columns are {schema}")
    values = tuple(_value(part, column.type) for part, column in zip(parts, columns, strict=True))
    return values[0] if len(values) == 1 and schema.width > 1 else values


def _parts(text: str) -> list[str]:
    """The texts between commas that stand outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        depth += 0 if quote else (character in "([{") - (character in ")]}")
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _value(text: str, wanted: Any) -> Any:
    """A value: Python's literals are read as such, all else is a string; so is whatever stands for a column of strings."""
    if text in ("_", "..."):
        return ...
    if wanted is str and text[:1] not in "'\"":
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _written(answer: Why | WhyNot, shown_as: str) -> str:
    if shown_as == "text":
        return str(answer)
    if shown_as == "html":
        return f"<!doctype html><meta charset='utf-8'><title>{escape(_title(answer))}</title>{answer._repr_html_()}"
    from bloompy.pictures.derivation import derivation_svg  # a picture is asked for by few

    return derivation_svg(answer)


def _title(answer: Why | WhyNot) -> str:
    return f"why {answer.root.text}" if isinstance(answer, Why) else f"why not {answer.pattern}"
