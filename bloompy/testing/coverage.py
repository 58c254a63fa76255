"""Rule coverage: which rules of the programs that tests made ever derived a row.

While it counts, every instance is profiled into one profile; at other times nothing of this is loaded.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from bloompy import Bloom
from bloompy.engine import codegen
from bloompy.engine.profile import Profile
from bloompy.ir.nodes import Rule

Place: TypeAlias = tuple[str, int, int, str, int, str]
"""File, line, column, label ("Class.method"), number of the statement, source line."""

Data: TypeAlias = "dict[str, list[list[Any]]]"
"""The places of all rules and of those that fired, as what may be sent to another process."""


class Coverage:
    """Counts from `begin` to `end`."""

    def __init__(self) -> None:
        self._profile = Profile()
        self._places: dict[tuple[object, ...], Place] = {}
        self._programs: set[int] = set()
        self._undo: list[Callable[[], None]] = []

    def begin(self) -> None:
        """Have every instance made from now on count its rules."""
        start, profile = Bloom.__init__, codegen._profile

        @functools.wraps(start)
        def made(program: Bloom, *arguments: Any, **options: Any) -> None:
            self._know(type(program))
            start(program, *arguments, **{**options, "profile": True})

        def undo() -> None:
            Bloom.__init__, codegen._profile = start, profile  # type: ignore[method-assign]

        Bloom.__init__ = made  # type: ignore[assignment,method-assign]
        codegen._profile = lambda: self._profile
        self._undo.append(undo)

    def end(self) -> None:
        """Leave instances alone again."""
        while self._undo:
            self._undo.pop()()

    def data(self) -> Data:
        """What was found so far."""
        fired = self._profile.fired()
        found = [place for identity, place in self._places.items() if identity in fired]
        return {"rules": [list(place) for place in self._places.values()], "fired": [list(place) for place in found]}

    def _know(self, program: type[Bloom]) -> None:
        if id(program.program_ir) in self._programs:
            return
        self._programs.add(id(program.program_ir))
        for rule in program.program_ir.rules:
            if rule.kind != "invariant" and rule.statement >= 0:
                self._places.setdefault(_identity(rule), _place(rule))


def merged(found: Iterable[Mapping[str, list[list[Any]]]]) -> Data:
    """What several processes found."""
    rules: dict[Place, None] = {}
    fired: dict[Place, None] = {}
    for one in found:
        rules.update((_tuple(place), None) for place in one["rules"])
        fired.update((_tuple(place), None) for place in one["fired"])
    return {"rules": [list(place) for place in rules], "fired": [list(place) for place in fired]}


def summary(data: Mapping[str, list[list[Any]]], root: Path) -> Iterator[str]:
    """A line for each class, and one for each of its rules that never fired."""
    fired = {_tuple(place) for place in data["fired"]}
    by_class: dict[tuple[str, str], list[Place]] = {}
    for place in sorted(map(_tuple, data["rules"])):
        by_class.setdefault((place[0], place[3].rpartition(".")[0]), []).append(place)
    if not by_class:
        yield "no program was made"
    for (file, name), places in sorted(by_class.items()):
        silent = [place for place in places if place not in fired]
        yield f"{name} ({_relative(file, root)}): {len(places) - len(silent)} of {len(places)} rules fired"
        for place in silent:
            yield f"  {_relative(file, root)}:{place[1]}: {place[3]}: {place[5]}"


def _identity(rule: Rule) -> tuple[object, ...]:
    """What tells a rule from others, whichever module of whichever program it is in."""
    span = rule.query.span
    return rule.label, rule.statement, span.file, span.line, span.column


def _place(rule: Rule) -> Place:
    span = rule.span
    return span.file, span.line, span.column, rule.label, rule.statement, span.text.strip()


def _tuple(place: Iterable[Any]) -> Place:
    file, line, column, label, statement, text = place
    return str(file), int(line), int(column), str(label), int(statement), str(text)


def _relative(file: str, root: Path) -> str:
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file
