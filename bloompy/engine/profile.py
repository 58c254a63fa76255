"""Counts and times of generated functions; while an instance is not profiled, none of this is called."""

from __future__ import annotations

from collections.abc import Callable, Sized
from time import perf_counter
from typing import Any, TypeAlias

from bloompy.engine.explanation import Counts
from bloompy.engine.generate import Derive, Form, Variant
from bloompy.engine.lower import Derivation
from bloompy.ir.nodes import Rule

Identity: TypeAlias = tuple[object, ...]

_OUT = {Form.PUT: 2, Form.LIST: 1, Form.FIND: 1, Form.CONTRIBUTE: 1, Form.SUPPORT: 2, Form.FINISH: 2}
"""Which argument takes what a function finds."""


def rule_identity(rule: Rule) -> Identity:
    """What tells a rule from the others of its program, also when its query was rewritten."""
    span = rule.query.span
    return rule.label, rule.module, rule.statement, span.file, span.line, span.column


class Profile:
    """What was counted, by derivation and function."""

    def __init__(self) -> None:
        self.ticks = 0
        self._counts: dict[Identity, dict[Variant, Counts]] = {}

    def of(self, derivation: Derivation) -> dict[Variant, Counts]:
        """The counts of a derivation's functions."""
        return self._counts.setdefault((*rule_identity(derivation.rule), derivation.head), {})

    def counting(self, derivation: Derivation, variant: Variant, function: Derive) -> Derive:
        """A function that does the same and is counted."""
        counts = self.of(derivation)
        rows_in = _rows_in(variant.form)
        out = _OUT.get(variant.form)

        def counted(*arguments: Any) -> Any:
            there = len(arguments[out]) if out is not None else 0
            found = None
            start = perf_counter()
            try:
                found = function(*arguments)
            finally:
                seconds = perf_counter() - start
                more = len(arguments[out]) - there if out is not None else int(found is True)
                counts[variant] = counts.get(variant, Counts()) + Counts(1, rows_in(arguments[0]), more, seconds)
            return found

        return counted


def _rows_in(form: Form) -> Callable[[Any], int]:
    if form is Form.FINISH:
        return lambda row: 1
    return lambda driven: len(driven) if isinstance(driven, Sized) else 0
