"""Bounds of the parameters of NameNodes, and which of them are no settings, as they follow from where the NameNodes are."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from bloompy.errors import ParameterError, UsageError

STRUCTURE = ("listen", "address", "me", "store", "secret", "members", "partition", "partitions")
LOG_DEFAULTS = {"pulse_s": 0.05, "election_s": 0.25}
"""Of a NameNode's log; the bound of the one depends on the other."""

_TIMES_S = ("retention_s", "sweep_s", "session_retention_s", "session_sweep_s", "repair_s", "order_timeout_s", "retry_s")
_BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys((*_TIMES_S, "transaction_timeout_s"), (1e-6, sys.float_info.max)),
    **dict.fromkeys(("claim_s", "propagation_s", "safe_timeout_s", "reserve_bytes"), (0, sys.float_info.max)),
    "streams_per_source": (1, sys.maxsize),
    "safe_share": (0, 1),
}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Look at settings that a user gives by name, before they are parameters of a NameNode.

    Raises:
        UsageError: for what is not for a setting to say.
        ParameterError: for a number with which a NameNode could not work.
    """
    if structural := [name for name in STRUCTURE if name in settings]:
        hint = "where a NameNode is, and who the others are, is said by options of their own, as by --listen and --members"
        raise UsageError(f"{structural[0]} is no setting", hint=hint)
    for name, (least, most) in _BOUNDS.items():
        value = settings.get(name, least)
        if isinstance(value, int | float) and not least <= value <= most:
            bound = f"from {least:g} to {most:g}" if most <= 1 else f"at least {least:g} and finite"
            raise ParameterError(f"{name}={value}", hint=f"give {name} a number that is {bound}")
