"""Invariants of the whole cluster (`@invariant(scope="cluster")`): a program of its own that is told what the nodes hold.

As a watchdog in a deployment would, it joins rows that were shipped from everywhere; here they arrive at once. It is evaluated
incrementally like any program, so that a check after every tick of every node costs what changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve

from bloompy.engine.codegen import Codegen
from bloompy.engine.machine import Machine
from bloompy.engine.tick import PlainRow, Tick
from bloompy.errors import InvariantViolation
from bloompy.program import Bloom, machine_of
from bloompy.sim.pool import EvaluatorPool


class Watchdog:
    """Checks the cluster invariants of one class over all nodes that run it.

    Args:
        program: an instance, for the class's names and the parameters.
        pool: where evaluators are used again.

    Attributes:
        delayed: whether there are delayed tables, of whose last changes a crash may leave nothing.
    """

    def __init__(self, program: Bloom, pool: EvaluatorPool | None) -> None:
        cluster = type(program).cluster_ir
        environment = evolve(machine_of(program).evaluator.environment, me="cluster", profile=False)
        self._machine = Machine(cluster, lambda me: environment, Codegen, "cluster", 0, lambda: 0.0)
        self._pool = pool
        if pool is not None:
            pool.serve(self._machine)
        self._watched = [one.name for one in cluster.collections if one.kind == "table"]
        self._durable = {one.name for one in program.program_ir.collections if one.durable}
        self.delayed = any(one.delayed for one in program.program_ir.collections)
        self._held: dict[str, dict[str, dict[PlainRow, None]]] = {}

    def close(self) -> None:
        """Let go of its evaluator."""
        if self._pool is not None:
            self._pool.take_back(self._machine, "the watchdog is done")

    @staticmethod
    def applies(program: Bloom) -> bool:
        """Whether the class has any."""
        return bool(type(program).cluster_ir.rules)

    def ticked(self, address: str, tick: Tick, now: float) -> None:
        """Take in what a tick of a node changed.

        Raises:
            InvariantViolation: if they do not hold.
        """
        held = self._held.setdefault(address, {name: {} for name in self._watched})
        changed = False
        for name in self._watched:
            rows = held[name]
            for row in tick.deleted.get(name, ()):
                if rows.pop(row, 0) is None:
                    changed = True
                    self._machine.stage(name, "delete", ((address, *row),))
            for row in tick.inserted.get(name, ()):
                if row not in rows:
                    changed = True
                    rows[row] = None
                    self._machine.stage(name, "upsert", ((address, *row),))
        if changed:
            self._check(now)

    def crashed(self, address: str) -> None:
        """Of a node that is down there is only what is on its disk."""
        for name, rows in self._held.get(address, {}).items():
            if name not in self._durable:
                self._forget(address, name, rows)

    def restored(self, address: str, tables: Mapping[str, Sequence[PlainRow]]) -> None:
        """Take in what a node finds on its disk."""
        held = self._held.setdefault(address, {name: {} for name in self._watched})
        for name, rows in held.items():
            there = dict.fromkeys(tables.get(name, ()))
            self._forget(address, name, {row: None for row in rows if row not in there})
            for row in there:
                if row not in rows:
                    rows[row] = None
                    self._machine.stage(name, "upsert", ((address, *row),))

    def _forget(self, address: str, name: str, gone: Mapping[PlainRow, None]) -> None:
        for row in list(gone):
            self._machine.stage(name, "delete", ((address, *row),))
            self._held[address][name].pop(row, None)

    def _check(self, now: float) -> None:
        try:
            self._machine.run(self._machine.take(now))
        except InvariantViolation as violation:
            violation.__dict__.pop("batch", None)
            raise
