"""Runs pipelines: joins in chunks of candidates, repetitions removed before the next join multiplies them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import define

from bloompy.engine.columnar.bindings import Binding, Expressions, Readable
from bloompy.engine.columnar.codes import Array
from bloompy.engine.columnar.distinct import KeySet
from bloompy.engine.columnar.operations import Filter, Join, Literal, Narrow, Some, Step, Take
from bloompy.engine.columnar.packing import Packing
from bloompy.engine.columnar.refusal import Refused
from bloompy.engine.columnar.spaces import Spaces
from bloompy.engine.columnar.stores import Index

CHUNK = 1 << 18
"""How many candidates are made at a time: their arrays stay in the processor's caches."""
_TRIAL = 1 << 13
_WORTH = 0.9

Sink: TypeAlias = Callable[[Binding], None]


@define
class _Memory:
    """What has passed a Narrow step: bindings that come again need not be joined again.

    Rows that relations behind the step get later find those bindings from their own side (semi-naive evaluation).
    """

    packing: Packing
    known: KeySet
    offered: int = 0
    passed: int = 0


class Joins(Expressions):
    """Runs pipelines over some relations.

    Attributes:
        candidates: how many bindings joins have made, a measure of the work done.
    """

    def __init__(self, spaces: Spaces, values: Callable[[Literal], Any], stores: Mapping[str, Readable]) -> None:
        super().__init__(spaces, values, stores)
        self._memories: dict[int, _Memory | None] = {}
        self.candidates = 0

    def run(self, steps: Sequence[Step], fresh: Callable[[str], tuple[Callable[[int], Array], int]], sink: Sink) -> None:
        """Give all bindings of a pipeline to a sink, chunk by chunk.

        Args:
            steps: the pipeline.
            fresh: gives columns and number of the rows that drive it.
            sink: takes the bindings.
        """
        if not steps or not isinstance(steps[0], Take):
            self._advance(steps, Binding({}, 1), sink)
            return
        take = steps[0]
        read, length = fresh(take.relation) if take.driven else (self._stores[take.relation].column, self._stores[take.relation].length)
        whole = Binding({slot: read(column) for column, slot in take.loads}, length)
        self.candidates += length
        for start in range(0, length, CHUNK):
            self._advance(steps[1:], whole.part(start, min(start + CHUNK, length)), sink)

    def _advance(self, steps: Sequence[Step], binding: Binding, sink: Sink) -> None:
        for i, step in enumerate(steps):
            if not binding.length:
                return
            match step:
                case Filter(test):
                    binding = binding.where(self.mask(test, binding))
                case Narrow():
                    binding = self._narrow(step, binding)
                case Join():
                    if step.filters:
                        binding = self._joined_by_filter(step, binding)
                        continue
                    for chunk in self._joined(step, binding, _kept_after(steps[i + 1 :])):
                        self._advance(steps[i + 1 :], chunk, sink)
                    return
        if binding.length:
            sink(binding)

    # -- joins

    def _joined_by_filter(self, step: Join, binding: Binding) -> Binding:
        store = self._stores[step.relation]
        if not step.columns:
            return binding if store.length else Binding({}, 0)
        return binding.where(store.hold(step.columns, [self.array(one, binding) for one in step.key], binding.length))

    def _joined(self, step: Join, binding: Binding, keep: frozenset[int] | None) -> Iterator[Binding]:
        key = [self.array(one, binding) for one in step.key]
        if keep is not None:
            binding = Binding({slot: values for slot, values in binding.slots.items() if slot in keep}, binding.length)
        for index in self._stores[step.relation].indexes(step.columns):
            starts, counts = index.probe(key, binding.length)
            total = int(counts.sum())
            self.candidates += total
            if not total:
                continue
            if total <= 2 * CHUNK:
                yield _expanded(step, index, binding, starts, counts, total)
                continue
            sums = np.cumsum(counts)
            cuts = np.searchsorted(sums, np.arange(CHUNK, total, CHUNK), side="right")
            for start, stop in _pieces(cuts, binding.length):
                size = int(counts[start:stop].sum())
                if size:
                    yield _expanded(step, index, binding.part(start, stop), starts[start:stop], counts[start:stop], size)

    # -- repetitions

    def _narrow(self, step: Narrow, binding: Binding) -> Binding:
        kept = Binding({slot.number: binding.slots[slot.number] for slot in step.keep}, binding.length)
        if not step.distinct:
            return kept
        if not step.keep:
            return Binding({}, 1)
        memory = self._memory(step)
        if memory is None:
            return kept
        keys = memory.packing.pack(list(kept.slots.values()), kept.length)
        new = memory.known.add(keys)
        memory.offered += len(keys)
        memory.passed += len(new)
        if memory.offered > _TRIAL and memory.passed > _WORTH * memory.offered:
            self._memories[id(step)] = None  # nothing repeats here
        return Binding({slot.number: memory.packing.unpack(new, i) for i, slot in enumerate(step.keep)}, len(new))

    def _memory(self, step: Narrow) -> _Memory | None:
        if id(step) not in self._memories:
            self._memories[id(step)] = self._new_memory(step)
        return self._memories[id(step)]

    def _new_memory(self, step: Narrow) -> _Memory | None:
        ranges = [self._spaces[slot.attribute].range for slot in step.keep]
        if None in ranges:
            return None
        try:
            packing = Packing.of([one for one in ranges if one is not None])
        except Refused:
            return None
        return _Memory(packing, KeySet(packing.size))

    # -- any(…)

    def some(self, test: Some, binding: Binding) -> Array:
        """For which bindings a pipeline that starts from them leaves something."""
        found = np.zeros(binding.length, bool)
        numbered = Binding({**{slot: binding.slots[slot] for slot in test.needs}, 0: np.arange(binding.length)}, binding.length)

        def mark(left: Binding) -> None:
            found[left.slots[0]] = True

        self._advance(test.steps, numbered, mark)
        return ~found if test.negated else found


def _expanded(step: Join, index: Index, binding: Binding, starts: Array, counts: Array, total: int) -> Binding:
    """Each binding with each of its rows: `counts` rows of the index from `starts` on."""
    if total == binding.length and bool(np.all(counts == 1)):
        slots = dict(binding.slots)
        positions = starts
    else:
        slots = {slot: np.repeat(values, counts) for slot, values in binding.slots.items()}
        offsets = starts - (np.cumsum(counts) - counts)
        positions = np.repeat(offsets, counts)
        positions += np.arange(total)
    for column, slot in step.loads:
        slots[slot] = index.column(column)[positions]
    return Binding(slots, total)


def _kept_after(later: Sequence[Step]) -> frozenset[int] | None:
    """The slots that the candidates of a join are to have, where the next step forgets others at once."""
    if later and isinstance(later[0], Narrow):
        return frozenset(slot.number for slot in later[0].keep)
    return None


def _pieces(cuts: Array, length: int) -> Iterator[tuple[int, int]]:
    start = 0
    for stop in [*np.unique(cuts).tolist(), length]:
        if stop > start:
            yield start, stop
            start = stop
