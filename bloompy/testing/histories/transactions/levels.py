"""Isolation levels, by the anomalies that they forbid (Adya 1999; Kingsbury and Alvaro 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_READ_UNCOMMITTED = {"G0", "phantom", "duplicate elements", "incompatible order", "cyclic versions", "dirty update"}
_READ_COMMITTED = _READ_UNCOMMITTED | {"G1a", "G1b", "G1c"}
_SNAPSHOT = _READ_COMMITTED | {"internal", "lost update", "G-single", "G-nonadjacent"}
_SERIALIZABLE = _SNAPSHOT | {"G2-item"}


def _with(anomalies: set[str], *orders: str) -> frozenset[str]:
    """The anomalies, and their variants in which the order of processes, or of real time, is part of the cycle."""
    return frozenset(anomalies | {f"{name}-{order}" for name in anomalies if name.startswith("G") for order in orders})


LEVELS: Final[Mapping[str, frozenset[str]]] = {
    "read uncommitted": frozenset(_READ_UNCOMMITTED),
    "read committed": frozenset(_READ_COMMITTED),
    "snapshot isolation": frozenset(_SNAPSHOT),
    "strong session snapshot isolation": _with(_SNAPSHOT, "process"),
    "strong snapshot isolation": _with(_SNAPSHOT, "process", "realtime"),
    "serializable": frozenset(_SERIALIZABLE),
    "strong session serializable": _with(_SERIALIZABLE, "process"),
    "strict serializable": _with(_SERIALIZABLE, "process", "realtime"),
}
"""For each level the anomalies that it forbids, from the weakest on."""
