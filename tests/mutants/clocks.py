"""Mutants of Lamport clocks and vector clocks."""

from __future__ import annotations

from typing import Any

from bloompy.sim import Faults, Simulation
from tests.std import scenarios

from .delivery import mutant, volatile
from .mutant import Subject, right


def lamport(programs: Any, sim: Simulation) -> None:
    """Three nodes that stamp what they send."""
    scenarios.lamport(sim, programs.LamportClock)


def vector(programs: Any, sim: Simulation) -> None:
    """Three nodes that stamp what they send."""
    scenarios.vector(sim, programs.VectorClock)


FAULTS = Faults(delay=0.4, delay_s=(0.0, 0.2), drop=0.1, duplicate=0.1, crashes=1, down_s=(0.0, 0.05))
CRASHES = Faults(crashes=2, down_s=(0.0, 0.05))
LAMPORT = Subject(name="Lamport clocks", modules=("bloompy.std.clocks",), test=lamport, faults=FAULTS)
VECTOR = Subject(name="vector clocks", modules=("bloompy.std.clocks",), test=vector, faults=FAULTS)

MUTANTS = (
    right(LAMPORT),
    mutant(LAMPORT, "times of messages are passed over", ("        self.clock <= (w.time for w in self.witnessed)\n", ""), breaks=("causes first", "unique")),
    mutant(
        LAMPORT,
        "times of messages count from the next tick on",
        ("self.clock <= (w.time for w in self.witnessed)", "self.clock <+ (w.time for w in self.witnessed)"),
        breaks="causes first",
    ),
    mutant(LAMPORT, "forgets its time (not durable)", ("clock = lattice.lmax(durable=True)", "clock = lattice.lmax()"), breaks=("causes first", "unique"), faults=CRASHES),
    mutant(LAMPORT, "one time for all events of a tick", ("max(self.clock.value, 0) + 1 + t.place", "max(self.clock.value, 0) + 1"), breaks=("unique", "causes first")),
    mutant(LAMPORT, "its own events do not count", ("        self.clock <+ (n.time for n in self.number)\n", ""), breaks=("unique", "causes first")),
    right(VECTOR),
    mutant(VECTOR, "clocks of messages are not merged", ("        self.clock <= (w.clock for w in self.witnessed)\n", ""), breaks="happened before"),
    mutant(
        VECTOR,
        "clocks of messages are merged a tick too late",
        ("self.clock <= (w.clock for w in self.witnessed)", "self.clock <+ (w.clock for w in self.witnessed)"),
        breaks="happened before",
    ),
    mutant(
        VECTOR,
        "forgets its clock (not durable)",
        volatile("clock = lattice.lmap(lattice.lmax, durable=True)"),
        breaks=("happened before", "concurrent"),
        faults=CRASHES,
    ),
    mutant(
        VECTOR,
        "a stamp has the own number only",
        ("merged(self.clock.value, {self.me: n.number})", "merged({}, {self.me: n.number})"),
        breaks="happened before",
    ),
)
