"""Counts and times of generated functions; while an instance is not profiled, none of this is called."""

from __future__ import annotations

from collections.abc import Sized
from time import perf_counter
from typing import Any, TypeAlias

from bloompy.engine.explanation import Counts
from bloompy.engine.lower import Derivation
from bloompy.engine.template import Derive
from bloompy.engine.variant import Form, Variant
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
        self._tallies: dict[Identity, dict[Variant, list[Any]]] = {}

    def of(self, derivation: Derivation) -> dict[Variant, Counts]:
        """The counts of a derivation's functions."""
        return {variant: Counts(*tally) for variant, tally in self._tallies.get(_identity(derivation), {}).items() if tally[0]}

    def fired(self) -> set[Identity]:
        """Label, statement, file, line and column of the rules that derived a row, of whichever module."""
        found = (identity for identity, tallies in self._tallies.items() if any(tally[2] for tally in tallies.values()))
        return {(label, statement, *place) for label, _, statement, *place, _ in found}

    def counting(self, derivation: Derivation, variant: Variant, function: Derive) -> Derive:
        """A function that does the same and is counted."""
        tally = self._tallies.setdefault(_identity(derivation), {}).setdefault(variant, [0, 0, 0, 0.0])
        many, out = variant.form not in (Form.SUPPORT, Form.FINISH), _OUT.get(variant.form)

        def counted(*arguments: Any) -> Any:
            there = len(arguments[out]) if out is not None else 0
            found = None
            start = perf_counter()
            try:
                found = function(*arguments)
                return found
            finally:
                tally[3] += perf_counter() - start
                tally[0] += 1
                tally[1] += (len(arguments[0]) if isinstance(arguments[0], Sized) else 0) if many else 1
                tally[2] += len(arguments[out]) - there if out is not None else found is True

        return counted


def _identity(derivation: Derivation) -> Identity:
    return (*rule_identity(derivation.rule), derivation.head)
