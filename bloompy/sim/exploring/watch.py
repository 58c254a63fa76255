"""Invariants of the whole cluster (`@invariant(scope="cluster")`), asked of states.

They are rules over the rows of all nodes, so a program of its own evaluates them, told of what differs from the last state asked about.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from bloompy.engine.codegen import Codegen
from bloompy.engine.machine import Machine
from bloompy.engine.tick import PlainRow
from bloompy.errors import InvariantViolation, UsageError
from bloompy.program import Bloom, machine_of
from bloompy.sim.exploring.process import Process
from bloompy.sim.trace import shown


class Watch:
    """The cluster invariants of one class.

    Args:
        program: an instance, for the class's names and the parameters.
        processes: the nodes that run it.
    """

    def __init__(self, program: Bloom, processes: Sequence[Process]) -> None:
        cluster = type(program).cluster_ir
        environment = evolve(machine_of(program).evaluator.environment, me="cluster", profile=False)
        self._machine = Machine(cluster, lambda me: environment, Codegen, "cluster", 0, lambda: 0.0)
        self._watched = [one.name for one in cluster.collections if one.kind == "table" and one.name in machine_of(program).program.by_name]
        self._processes = processes
        self._held: dict[str, frozenset[PlainRow]] = {name: frozenset() for name in self._watched}
        self._known: dict[tuple[int, ...], str | None] = {}
        for name in self._watched:
            for process in processes:
                if name not in process.seen:
                    where = f"{type(program).__name__}.{name}"
                    raise UsageError(
                        f"an invariant of the cluster reads {where}, which may hold rows for the time of a tick only",
                        hint=f"keep them in a table, or Model(…, observe=({name!r},))",
                    )

    def wrong(self, state: Sequence[int]) -> str | None:
        """What is violated in a state, if anything. O(1) for nodes that were seen in the same local states before."""
        at = tuple(state[process.number] for process in self._processes)
        if at not in self._known:
            self._known[at] = self._asked(state)
        return self._known[at]

    def _asked(self, state: Sequence[int]) -> str | None:
        now = {name: self._rows(name, state) for name in self._watched}
        for name, rows in now.items():
            before = self._held[name]
            self._machine.stage(name, "delete", tuple(sorted(before - rows, key=shown)))
            self._machine.stage(name, "upsert", tuple(sorted(rows - before, key=shown)))
        try:
            self._machine.run(self._machine.take(0.0))
        except InvariantViolation as violation:
            return f"{type(violation).__name__}: {violation}"
        self._held = now
        return None

    def _rows(self, name: str, state: Sequence[int]) -> frozenset[PlainRow]:
        return frozenset(
            (process.address, *row)
            for process in self._processes
            for row in process.locals[state[process.number]].rows.get(name, ())
        )
