"""The corpus as one table: every module of this folder that has `MUTANTS` adds its rows."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from .mutant import Mutant

_NO_ROWS = {"mutant", "table", "searching", "__main__"}


@cache
def mutants() -> tuple[Mutant, ...]:
    """All rows: the right versions, the mutants with a counterexample, and the harmless ones."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _NO_ROWS and not path.stem.startswith("test_"))
    return tuple(mutant for name in names for mutant in importlib.import_module(f"tests.mutants.{name}").MUTANTS)
