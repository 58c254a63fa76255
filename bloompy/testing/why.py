"""Why the rows in question of a failed run came about, as lines of text, where that is known."""

from __future__ import annotations

from bloompy.sim.simulation import Simulation


def why_lines(sim: Simulation, error: BaseException | None) -> tuple[str, ...]:
    """The derivations of the rows that an invariant names; none for other failures."""
    return ()
