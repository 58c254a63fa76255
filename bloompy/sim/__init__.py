"""Simulation: programs on many nodes in virtual time, under every fault, the same from the same seed.

See `docs/simulation.md`.
"""

from bloompy.sim.disk import Disk
from bloompy.sim.faults import Faults
from bloompy.sim.node import SimNode
from bloompy.sim.pool import EvaluatorPool
from bloompy.sim.schedule import Decision, Schedule
from bloompy.sim.simulation import Simulation
from bloompy.sim.trace import Event, Trace

__all__ = ["Decision", "Disk", "EvaluatorPool", "Event", "Faults", "Schedule", "SimNode", "Simulation", "Trace"]
