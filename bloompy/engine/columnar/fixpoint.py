"""Semi-naive evaluation of one component on columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from attrs import define

from bloompy.engine.columnar.bindings import Binding
from bloompy.engine.columnar.codes import Array, Codes
from bloompy.engine.columnar.columns import Columns
from bloompy.engine.columnar.compile import Compiled
from bloompy.engine.columnar.groups import Groups
from bloompy.engine.columnar.joins import Joins
from bloompy.engine.columnar.merged import Merged
from bloompy.engine.columnar.operations import Literal, Pipeline
from bloompy.engine.columnar.refusal import Refused
from bloompy.engine.columnar.spaces import Source, resolved
from bloompy.engine.columnar.splitting import PART
from bloompy.engine.columnar.stores import Head, Store

_ROUND = 200
"""Work, in candidates, that a round costs whatever it does."""
_PATIENCE = 1 << 14

Filled: TypeAlias = "Head | Merged"


@define
class Effort:
    """What an evaluation took: rounds, and bindings made."""

    rounds: int = 0
    candidates: int = 0


class Fixpoint:
    """One component over given rows.

    Args:
        compiled: the component.
        sources: rows of the relations that it reads, and those that its own relations have already.
        codes: of the instance.
        values: gives those of the literals.

    Raises:
        Refused: by this and the methods, where columns cannot do it.
    """

    def __init__(self, compiled: Compiled, sources: Mapping[str, Source], codes: Codes, values: Callable[[Literal], Any]) -> None:
        self._compiled = compiled
        needed: dict[str, Sequence[int]] = {**compiled.inputs, **{name: range(width) for name, width in compiled.widths.items()}}
        self._needed = needed
        self._spaces = resolved(compiled.classes, sources, needed, values, codes)
        stores = {name: self._store(name, sources[name]) for name in compiled.inputs}
        self._heads = {name: self._head(name) for name in compiled.heads}
        self._before: dict[str, int] = {}
        for name in compiled.heads:
            if name in sources and len(sources[name]):
                self._put_in(name, sources[name])
        self._joins = Joins(self._spaces, values, {**stores, **self._heads})
        self.effort = Effort()

    def full(self) -> None:
        """Evaluate everything."""
        for pipeline in self._compiled.seeds:
            self._run(pipeline)
        for name, head in self._heads.items():
            head.take()
            if name in self._before:  # the rows that were there drive as well
                head.drive([head.column(i) for i in range(head.width)], head.length)
        self._close()

    def new_rows(self) -> dict[str, Columns]:
        """What was found, by relation; of relations that merge, all rows."""
        found = {}
        for name, head in self._heads.items():
            if name.startswith(PART):
                continue
            columns, length = head.columns_after(self._before.get(name, 0))
            given = tuple(self._spaces[name, i].give_out(column) for i, column in enumerate(columns))
            found[name] = Columns(given, length, tuple(head.rounds))
        return found

    def _close(self) -> None:
        effort = self.effort
        while any(head.fresh_length for head in self._heads.values()) and self._compiled.rounds:
            for driven in self._compiled.rounds:
                if self._heads[driven.driver].fresh_length:
                    self._run(driven.pipeline)
            for head in self._heads.values():
                head.take()
            effort.rounds += 1
            effort.candidates = self._joins.candidates
            if effort.rounds * _ROUND > effort.candidates + _PATIENCE:
                raise Refused("many rounds of few rows")

    def _run(self, pipeline: Pipeline) -> None:
        if pipeline.aggregations:
            groups = Groups(pipeline, self._joins)
            self._joins.run(pipeline.steps, self._driving, groups.offer)
            columns, length = groups.columns()
            if length:
                self._heads[pipeline.head].offer(columns, length)
        else:
            self._joins.run(pipeline.steps, self._driving, partial(self._offer, pipeline))

    def _offer(self, pipeline: Pipeline, binding: Binding) -> None:
        columns = [self._joins.array(operand, binding) for operand in pipeline.columns]
        self._heads[pipeline.head].offer(columns, binding.length)

    def _driving(self, relation: str) -> tuple[Callable[[int], Array], int]:
        head = self._heads[relation]
        return head.fresh, head.fresh_length

    # -- relations

    def _store(self, name: str, source: Source) -> Store:
        columns = {i: self._spaces[name, i].take_in(source.column(i)) for i in self._needed[name]} if len(source) else {}
        return Store(columns, len(source))

    def _head(self, name: str) -> Filled:
        compiled, width = self._compiled, self._compiled.widths[name]
        ranges = [self._spaces[name, i].range for i in range(width)]
        if compiled.merged[name]:
            return Merged(width, compiled.keys[name], compiled.merged[name], ranges)
        return Head(width, compiled.keys[name], ranges)

    def _put_in(self, name: str, source: Source) -> None:
        head = self._heads[name]
        head.offer(self._taken_in(name, source), len(source))
        head.take()
        self._before[name] = head.length

    def _taken_in(self, name: str, source: Source) -> list[Array]:
        return [self._spaces[name, i].take_in(source.column(i)) for i in range(self._compiled.widths[name])]
