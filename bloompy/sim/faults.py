"""`Faults`: how much goes wrong in a random run.

Which faults a run meets is drawn anew for each: some kinds are left out of it and others come more often ("swarm testing",
Groce et al., ISSTA 2012), since a run in which everything goes wrong at once seldom gets anywhere interesting.
"""

from __future__ import annotations

from random import Random
from typing import Any, TypeAlias

from attrs import evolve, field, frozen, validators

from bloompy.errors import UsageError

Range: TypeAlias = tuple[float, float]


def _share() -> Any:
    return field(default=0.0, validator=[validators.ge(0), validators.le(1)])


def _count() -> Any:
    return field(default=0, validator=validators.ge(0))


def _range(low: float, high: float) -> Any:
    def check(instance: Any, attribute: Any, value: Any) -> None:
        if len(value) != 2 or not 0 <= value[0] <= value[1]:
            raise UsageError(f"{attribute.name}={value!r}", hint="give a pair of seconds: the least and the most")

    return field(default=(low, high), validator=check)


def _addresses(given: Any) -> frozenset[str]:
    """One address or node, or several."""
    several = [given] if isinstance(given, str) or hasattr(given, "address") else list(given)
    found = [getattr(one, "address", one) for one in several]
    if wrong := [one for one in found if not isinstance(one, str)]:
        raise UsageError(f"spare={wrong[0]!r:.80}", hint="give addresses of nodes")
    return frozenset(found)


@frozen(kw_only=True)
class Faults:
    """A mix of faults. All are off by default; `Faults.mix()` has the usual ones.

    Attributes:
        drop, duplicate, delay, corrupt: share of the frames that are lost, arrive twice, take longer, or are damaged (which the
            receiver finds out, so that they are lost).
        delay_s: least and most of what a frame takes longer, also between its two copies.
        partitions: most partitions in a run; each splits the nodes in two for a time of `partition_s`.
        one_way: share of the partitions in which frames still pass in the other direction.
        crashes: most crashes in a run: after a tick, before or after a synchronisation, or between two frames that leave.
        down_s: least and most seconds until a crashed node restarts.
        forever: share of the crashes after which it does not.
        power_loss: share of the crashes in which what was not synchronised is lost as well.
        wipe: share of the crashes in which the disk is lost.
        pauses: most times in a run that some node stands still, for `pause_s`.
        skew_s: most that the clock of a node is wrong, either way.
        drift: most that it runs too fast or too slow, as a share: 0.01 for one second in a hundred.
        disk_errors: most failed synchronisations in a run, each of which ends its node; it restarts after `down_s`.
        rot: share of the restarts before which a bit of the disk rots, so that the node cannot start again.
        until_s: no fault is drawn from this time on; None for no end.
        spare: addresses of nodes that neither crash, pause nor have wrong clocks.
    """

    drop: float = _share()
    duplicate: float = _share()
    delay: float = _share()
    corrupt: float = _share()
    delay_s: Range = _range(0.0, 0.05)
    partitions: int = _count()
    partition_s: Range = _range(0.01, 2.0)
    one_way: float = field(default=0.3, validator=[validators.ge(0), validators.le(1)])
    crashes: int = _count()
    down_s: Range = _range(0.0, 2.0)
    forever: float = _share()
    power_loss: float = _share()
    wipe: float = _share()
    pauses: int = _count()
    pause_s: Range = _range(0.01, 2.0)
    skew_s: float = field(default=0.0, validator=validators.ge(0))
    drift: float = field(default=0.0, validator=[validators.ge(0), validators.lt(1)])
    disk_errors: int = _count()
    rot: float = _share()
    until_s: float | None = None
    spare: frozenset[str] = field(default=frozenset(), converter=_addresses)

    @classmethod
    def mix(cls, **changes: Any) -> Faults:
        """The usual faults: a few frames lost, repeated or late, a partition, a crash, a pause."""
        usual: dict[str, Any] = {
            "drop": 0.05,
            "duplicate": 0.05,
            "delay": 0.2,
            "partitions": 1,
            "crashes": 1,
            "pauses": 1,
            "power_loss": 0.3,
        }
        return cls(**(usual | changes))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of faults that a run may meet, as `Simulation.counts` names them."""
        named = {
            "drop": self.drop,
            "duplicate": self.duplicate,
            "delay": self.delay,
            "corrupt": self.corrupt,
            "partition": self.partitions,
            "crash": self.crashes,
            "pause": self.pauses,
            "skew": self.skew_s,
            "drift": self.drift,
            "disk": self.disk_errors,
            "rot": self.rot and self.crashes,
        }
        return tuple(name for name, value in named.items() if value)

    def swarm(self, random: Random) -> Faults:
        """The mix of one run."""
        changes: dict[str, Any] = {}
        for name in ("drop", "duplicate", "delay", "corrupt"):
            changes[name] = min(1.0, getattr(self, name) * _FACTORS[int(random.random() * len(_FACTORS))])
        for name in ("partitions", "crashes", "pauses", "disk_errors"):
            changes[name] = int(random.random() * (getattr(self, name) + 1) + 0.5)
            changes[name] = min(changes[name], getattr(self, name))
        return evolve(self, **changes)


_FACTORS = (0.0, 0.3, 1.0, 1.0, 3.0)


def between(random: Random, limits: Range) -> float:
    """A time between two, in whole microseconds; short ones as often as long ones."""
    low, high = limits
    draw = random.random()
    return round(low + (high - low) * draw * draw, 6)
