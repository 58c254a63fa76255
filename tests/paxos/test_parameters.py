"""Bounds of parameters."""

from __future__ import annotations

import math

import pytest

from bloompy.errors import ParameterError
from bloompy_paxos.kvs import ReplicatedKeyValueStore
from bloompy_paxos.parameters import check_parameters


def test_defaults_are_within_them() -> None:
    program = ReplicatedKeyValueStore()
    names = ("window", "keep", "batch_commands", "command_bytes", "lease_s", "session_retention_s", "drift", "pulse_s", "election_s", "sweep_s")
    check_parameters({name: getattr(program, name) for name in names})
    check_parameters({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("window", value) for value in (0, -1)),
        ("keep", -5),
        ("batch_commands", 0),
        ("lease_s", -0.1),
        ("lease_s", math.inf),
        ("pulse_s", 0),
        ("election_s", -1),
        ("election_s", math.nan),
        ("drift", 1),
        ("pulse_s", 1),
        ("election_s", 0.05),
    ],
)
def test_what_stops_a_group_or_makes_it_forget_is_refused(name: str, value: float) -> None:
    with pytest.raises(ParameterError, match=f"{name}="):
        check_parameters({name: value})


def test_pulses_and_elections_are_seen_together() -> None:
    check_parameters({"pulse_s": 1, "election_s": 3})
    check_parameters({"election_s": 0.09}, {"pulse_s": 0.04, "election_s": 0.25})
