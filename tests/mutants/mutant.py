"""What the corpus of wrong programs is made of: subjects, which are right, and mutants of them, each with one rule edited."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from attrs import field, frozen

from bloompy import exec_source
from bloompy.errors import SimulationError
from bloompy.sim import Faults, Simulation

Test = Callable[[Any, Simulation], object]
"""Given the programs (a namespace with the classes of the subject's modules) and a simulation: makes nodes, runs it, raises if a property
is broken, with the name of the property in the message."""


@frozen(kw_only=True)
class Subject:
    """A right protocol and a test of it.

    Attributes:
        name: as in the table.
        modules: files that hold it, in the order of their imports; mutants edit their text.
        test: of the cluster, its properties named in what it raises.
        faults: the mix under which it must hold.
        runs: most runs of a row; None for as many as fit. A test that chooses what goes wrong needs one, and no rare orders of frames.
    """

    name: str
    modules: tuple[str, ...]
    test: Test
    faults: Faults = Faults.mix()
    runs: int | None = None


@frozen(kw_only=True)
class Mutant:
    """A subject with an edit.

    Attributes:
        name: what was done wrong, in a few words.
        subject: of which.
        edits: pairs of old and new text; each old text stands exactly once in the subject's modules. Without edits, the subject itself.
        breaks: the property that a counterexample breaks, as its message has it (or one of several); empty if none is expected.
        faults: in place of the subject's.
        why: for a mutant that is expected to be harmless, why it is.
        easy: it is found in a few runs, so that the quick tests may ask for it.
    """

    name: str
    subject: Subject
    edits: tuple[tuple[str, str], ...] = ()
    breaks: str | tuple[str, ...] = ()
    faults: Faults | None = None
    why: str = ""
    easy: bool = False
    properties: tuple[str, ...] = field(init=False)

    @properties.default
    def _properties(self) -> tuple[str, ...]:
        return (self.breaks,) if isinstance(self.breaks, str) else self.breaks

    @property
    def expected(self) -> bool:
        """Whether a counterexample is."""
        return bool(self.properties)

    @property
    def diff(self) -> str:
        """The edit as lines taken out and put in."""
        lines = []
        for old, new in self.edits:
            lines += [f"- {line.strip()}" for line in old.splitlines()] + [f"+ {line.strip()}" for line in new.splitlines()]
        return "\n".join(lines)

    def texts(self) -> dict[str, str]:
        """The texts of the subject's modules, edited.

        Raises:
            AssertionError: for an edit whose old text does not stand exactly once in them.
        """
        texts = {name: Path(str(importlib.import_module(name).__file__)).read_text(encoding="utf-8") for name in self.subject.modules}
        for old, new in self.edits:
            places = [name for name, text in texts.items() for _ in range(text.count(old))]
            assert len(places) == 1, f"{self.subject.name}, {self.name}: {old!r} stands {len(places)} times"
            assert old != new, f"{self.subject.name}, {self.name}: no edit"
            texts[places[0]] = texts[places[0]].replace(old, new)
        return texts

    def programs(self) -> Any:
        """The classes of these modules."""
        texts = self.texts()
        namespace: dict[str, Any] = {"__name__": f"mutant_{id(self)}"}
        for name, text in texts.items():
            # What the modules take from one another is in the namespace already, edited.
            kept = [line for line in text.splitlines(keepends=True) if not line.startswith(tuple(f"from {one} import " for one in texts))]
            exec_source("".join(kept), namespace, f"<{name}, mutant: {self.name}>" if self.edits else f"<{name}, right>")
        return SimpleNamespace(**namespace)

    def test(self) -> Callable[[Simulation], object]:
        """The subject's test with these programs."""
        programs = self.programs()
        return lambda sim: self.subject.test(programs, sim)


def right(subject: Subject) -> Mutant:
    """The row of the subject itself."""
    return Mutant(name="(right)", subject=subject)


def assert_within(sim: Simulation, condition: Callable[[], object], limit_s: float, name: str) -> None:
    """Run until a condition holds; an AssertionError with the property's name if it does not within the limit."""
    try:
        sim.run_until(condition, limit_s)
    except SimulationError:
        raise AssertionError(f"{name}: not within {limit_s:g} s") from None
