"""Liveness: when the faults end, what should happen does happen, in time.

While a network may lose everything for ever, nothing can be promised. So a test lets faults work for a while and then asks for a goal
after they have ended (the "global stabilization time" of Dwork, Lynch and Stockmeyer, JACM 1988).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from bloompy.errors import NoProgress, SimulationError, StoreError, UsageError
from bloompy.sim.simulation import Simulation

Goal = Callable[[], object]
"""Returns True or None once it is reached; False, or what is missing (rows, names, a text), while it is not. An AssertionError counts
as not yet, with its message as what is missing."""


def must(
    sim: Simulation,
    goal: Goal,
    *,
    within_s: float,
    name: str | None = None,
    restart: Literal["all", "majority", "none"] | Sequence[str] = "all",
) -> float:
    """End all faults now, restart nodes that are down, and run until a goal is reached.

    Args:
        sim: the simulation, faults and all.
        goal: what must come to hold; asked after every event. See `Goal`.
        within_s: how long it may take, in seconds of virtual time.
        name: of the goal, for the failure; by default that of the function.
        restart: "all" nodes that are down; just so many that a "majority" of all is up, chosen at random; "none"; or their addresses.
            Nodes whose disk is damaged stay down unless they are named.

    Returns:
        the seconds that it took.

    Raises:
        NoProgress: saying what was missing, and which nodes are down.
    """
    asked = _Asked(goal)
    sim.calm(restart=_restarted(sim, restart))
    start = sim.now
    try:
        sim.run_until(asked.holds, limit_s=within_s)
    except SimulationError:
        if sim.now < start + within_s:  # something else, such as events without end
            raise
        label = name or str(getattr(goal, "__name__", "the goal"))
        raise NoProgress("the goal" if label == "<lambda>" else label, within_s, asked.missing, _state(sim)) from None
    return sim.now - start


class _Asked:
    """A goal, and what it last said was missing."""

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        self.reached = False
        self.missing: object = None

    def holds(self) -> bool:
        try:
            found = self._goal()
        except AssertionError as error:
            found = str(error).partition("\n")[0] or False  # below stands what pytest says of the operands
        self.reached = found is None or found is True or (found is not False and not found)
        self.missing = None if found is False or self.reached else found
        return self.reached


def _restarted(sim: Simulation, restart: Literal["all", "majority", "none"] | Sequence[str]) -> list[str]:
    if not isinstance(restart, str):
        unknown = [address for address in restart if address not in sim.nodes]
        if unknown:
            raise UsageError(f"there is no node {', '.join(unknown)} to restart", hint=f"there are {', '.join(sim.nodes)}")
        return list(restart)
    down = [node.address for node in sim if not node.up and not isinstance(node.ended_by, StoreError)]
    if restart == "all":
        return down
    if restart == "none":
        return []
    if restart != "majority":
        raise UsageError(f"restart={restart!r}", hint='give "all", "majority", "none" or addresses')
    chosen: list[str] = []
    while down and len(sim.up) + len(chosen) <= len(sim.nodes) // 2:
        chosen.append(down.pop(sim.integer(0, len(down) - 1)))
    return chosen


def _state(sim: Simulation) -> str:
    down = ", ".join(node.address for node in sim if not node.up)
    return f"at {sim.now:.6g} s {len(sim.up)} of {len(sim.nodes)} nodes are up" + (f", down: {down}" if down else "")
