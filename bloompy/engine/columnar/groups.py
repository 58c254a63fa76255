"""Aggregates by group: bindings come in chunks, each is reduced at once, the partial results at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bloompy.engine.columnar.bindings import Binding, Expressions
from bloompy.engine.columnar.codes import LARGEST, Array
from bloompy.engine.columnar.operations import Pipeline
from bloompy.engine.columnar.packing import Packing, span
from bloompy.engine.columnar.refusal import Refused

_REDUCED = {"count": np.add, "sum": np.add, "min": np.minimum, "max": np.maximum}


class Groups:
    """A sink for the bindings of one aggregating rule.

    Args:
        pipeline: of the rule.
        expressions: evaluates its operands.
    """

    def __init__(self, pipeline: Pipeline, expressions: Expressions) -> None:
        self._pipeline, self._expressions = pipeline, expressions
        self._functions = [one.function for one in pipeline.aggregations]
        self._parts: list[tuple[list[Array], list[Array]]] = []

    def offer(self, binding: Binding) -> None:
        """Reduce some bindings."""
        keys = [self._expressions.array(self._pipeline.columns[i], binding) for i in self._pipeline.groups]
        values = [
            np.ones(binding.length, np.int64) if one.argument is None else self._expressions.array(one.argument, binding)
            for one in self._pipeline.aggregations
        ]
        self._parts.append(self._reduced(keys, values, binding.length))

    def columns(self) -> tuple[list[Array], int]:
        """The head's columns, a row for each group, and their number."""
        if not self._parts:
            return [], 0
        keys = [np.concatenate([part[0][i] for part in self._parts]) for i in range(len(self._pipeline.groups))]
        values = [np.concatenate([part[1][i] for part in self._parts]) for i in range(len(self._functions))]
        keys, values = self._reduced(keys, values, len(values[0]))
        groups = dict(zip(self._pipeline.groups, keys, strict=True))
        length = len(values[0])
        empty = Binding({}, length)
        return [
            groups[i] if i in groups else self._expressions.array(operand, empty, values)
            for i, operand in enumerate(self._pipeline.columns)
        ], length

    def _reduced(self, keys: Sequence[Array], values: Sequence[Array], length: int) -> tuple[list[Array], list[Array]]:
        packed = Packing.of([span(column) for column in keys]).pack(keys, length)
        order = np.argsort(packed, kind="stable")
        packed = packed[order]
        starts = np.flatnonzero(np.concatenate(([True], packed[1:] != packed[:-1])))
        reduced = []
        for function, column in zip(self._functions, values, strict=True):
            if function == "sum" and length * max(map(abs, span(column))) > LARGEST:
                raise Refused("a sum of more than 62 bits")
            reduced.append(_REDUCED[function].reduceat(column[order], starts))
        return [column[order[starts]] for column in keys], reduced
