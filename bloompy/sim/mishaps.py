"""What goes wrong with the nodes of a random run, or of a scheduled one: crashes, disks, clocks, pauses."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

from bloompy.errors import StoreError
from bloompy.sim.clock import Agenda
from bloompy.sim.faults import Faults, between
from bloompy.sim.schedule import Decisions

if TYPE_CHECKING:
    from bloompy.sim.node import SimNode

_CRASH_CHANCES = (0.3, 0.1, 0.03)
_RARE = 0.05


class Mishaps:
    """Decides at each point at which something may happen to a node.

    Args:
        agenda: virtual time.
        decisions: of the run.
        mix: how much is drawn.
        counts: of faults by kind.

    Attributes:
        crashes: whether a node may crash at all, which saves asking.
    """

    def __init__(self, agenda: Agenda, decisions: Decisions, mix: Faults, counts: Counter[str]) -> None:
        self._agenda, self._decisions, self._mix, self._counts = agenda, decisions, mix, counts
        self._left = Counter(crash=mix.crashes, pause=mix.pauses, disk=mix.disk_errors)
        draws = decisions.draws
        self._crash_chance = _CRASH_CHANCES[int(draws.random() * len(_CRASH_CHANCES))] if draws is not None else 0.0
        self.crashes = decisions.may("crash") and (draws is None or mix.crashes > 0)

    def calm(self) -> None:
        """Nothing happens any more."""
        self._left.clear()
        self.crashes = False

    def crash(self, node: SimNode, point: str, number: int) -> Any:
        """How a node crashes at a point: [seconds down or None, "crash", "power" or "wipe"]; None if it does not."""
        if not self.crashes:
            return None
        return self._decisions.decide("crash", (node.address, point, number), lambda random: self._draw_crash(node, random))

    def disk_error(self, node: SimNode, number: int) -> StoreError | None:
        """The error of a synchronisation, if it fails; the node restarts when that was decided, too."""
        found = self._decisions.decide("disk", (node.address, number), lambda random: self._draw_disk(node, random))
        if found is None:
            return None
        why, down = found
        self._counts["disk"] += 1
        if down is not None:
            self._agenda.at(self._agenda.now + float(down), lambda: None if node.up else node.begin())
        return StoreError(f"the disk failed: {why}")

    def rot(self, node: SimNode) -> None:
        """Let a bit of a node's disk rot before it restarts."""
        if node.incarnation > 1 and node.disk is not None:
            position = self._decisions.decide("rot", (node.address, node.incarnation), self._draw_rot)
            if position is not None and node.disk.rot(int(position)):
                self._counts["rot"] += 1

    def set_clock(self, node: SimNode) -> None:
        """Let the clock of a new node be wrong."""
        address = node.address
        mix = Faults() if address in self._mix.spare else self._mix
        skew = self._decisions.decide("skew", (address,), lambda random: _either_way(random, mix.skew_s))
        drift = self._decisions.decide("drift", (address,), lambda random: _rate(random, mix.drift))
        self._counts.update(kind for kind, value in (("skew", skew), ("drift", drift)) if value is not None)
        node.own_clock.set(float(skew or 0.0), float(drift or 1.0))

    def set_pauses(self, node: SimNode) -> None:
        """Have a new node stand still when that was decided."""
        for one in self._decisions.given("pause"):
            if one.at[0] == node.address:
                self._pause(node, float(one.value[0]), float(one.value[1]))

    def after_tick(self, node: SimNode) -> None:
        """Let a node stand still from now on, perhaps."""
        random = self._decisions.draws
        if self._left["pause"] and random is not None and self._may("pause", node) and random.random() < _RARE:
            self._left["pause"] -= 1
            start, length = round(self._agenda.now + 1e-6, 6), between(random, self._mix.pause_s)
            self._decisions.note("pause", (node.address, len(node.pauses)), [start, length])
            self._pause(node, start, length)

    def _pause(self, node: SimNode, start: float, seconds: float) -> None:
        self._counts["pause"] += 1
        node.pauses.append((start, start + seconds))
        text = f"{node.address} stands still for {seconds:g} s"
        self._agenda.at(start, lambda: node.sim.notes.node("fault", node, text), idle=True)

    # -- draws

    def _may(self, kind: str, node: SimNode) -> bool:
        until = self._mix.until_s
        return self._left[kind] > 0 and node.address not in self._mix.spare and (until is None or self._agenda.now < until)

    def _draw_crash(self, node: SimNode, random: Random) -> Any:
        if not self._may("crash", node) or random.random() >= self._crash_chance:
            return None
        self._left["crash"] -= 1
        mix, how, draw = self._mix, "crash", random.random()
        if node.disk is not None and draw < mix.power_loss + mix.wipe:
            how = "power" if draw < mix.power_loss else "wipe"
        down = None if random.random() < mix.forever else between(random, mix.down_s)
        return [down, how]

    def _draw_disk(self, node: SimNode, random: Random) -> Any:
        if not self._may("disk", node) or random.random() >= _RARE:
            return None
        self._left["disk"] -= 1
        return ["input/output error" if random.random() < 0.5 else "no space left", between(random, self._mix.down_s)]

    def _draw_rot(self, random: Random) -> int | None:
        share = self._mix.rot
        return int(random.random() * 100_000) if share and random.random() < share else None


def _either_way(random: Random, most: float) -> float | None:
    return round((2 * random.random() - 1) * most, 6) or None if most else None


def _rate(random: Random, most: float) -> float | None:
    return round(1 + (2 * random.random() - 1) * most, 6) if most else None
