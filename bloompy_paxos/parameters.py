"""Bounds of the parameters of replicas: outside of them a group would stand still, or forget what it must not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bloompy.errors import ParameterError

_LEAST: dict[str, float] = {
    "window": 1,
    "keep": 0,
    "batch_commands": 1,
    "command_bytes": 1,
    "lease_s": 0,
    "session_retention_s": 1,
    "drift": 0,
}
_POSITIVE = ("pulse_s", "election_s", "sweep_s")
_DEFAULTS = {"pulse_s": 0.04, "election_s": 0.12}


def check_parameters(parameters: Mapping[str, Any], defaults: Mapping[str, float] = _DEFAULTS) -> None:
    """Look at parameters that are to be given to the program of a replica.

    Args:
        parameters: by name; those that are no parameters of a replicated log are not looked at.
        defaults: pulse_s and election_s of the program.

    Raises:
        ParameterError: for a value with which a group could not work.
    """
    numbers = {name: value for name, value in parameters.items() if isinstance(value, int | float)}
    for name, value in numbers.items():
        least = _LEAST.get(name)
        if (least is not None and not value >= least) or (name in _POSITIVE and not value > 0) or not math.isfinite(value):
            bound = f"at least {least:g}" if least is not None else "more than 0"
            raise ParameterError(f"{name}={value}", hint=f"give {name} a number that is {bound} and finite")
    times = {**defaults, **{name: value for name, value in numbers.items() if name in defaults}}
    if not times["election_s"] > 2 * times["pulse_s"]:
        message = f"election_s={times['election_s']}, and a leader is heard every pulse_s={times['pulse_s']}"
        raise ParameterError(message, hint="make election_s more than twice pulse_s, better three times")
    if numbers.get("drift", 0) >= 1:
        raise ParameterError(f"drift={numbers['drift']}", hint="it is a part of a second each second, such as 0.01")
