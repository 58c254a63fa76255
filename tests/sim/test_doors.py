"""A simulated run sees no time, chance, network, disk or thread but those of the simulation."""

from __future__ import annotations

import ast
import builtins
import os
import random
import secrets
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bloompy import Bloom, rule, table
from bloompy.sim import Simulation
from tests.sim.test_simulation import campaign

ROOT = Path(__file__).parents[2]

DOORS = [
    *((time, name) for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "sleep")),
    *((random, name) for name in ("random", "randint", "randrange", "choice", "shuffle", "uniform", "getrandbits", "seed")),
    *((os, name) for name in ("urandom", "open", "write", "fsync", "stat", "getpid", "fork", "system")),
    *((secrets, name) for name in ("token_bytes", "randbits")),
    (socket, "socket"),
    (socket, "create_connection"),
    (threading.Thread, "start"),
    (uuid, "uuid1"),
    (uuid, "uuid4"),
    (builtins, "open"),
    (builtins, "print"),
    (builtins, "input"),
]


def close_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have whatever goes through another door raise. What is logged may have a time."""
    for owner, name in DOORS:
        real = getattr(owner, name)

        def closed(*arguments: Any, _real: Callable[..., Any] = real, _name: str = name, **options: Any) -> Any:
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.partition(".")[0] in ("logging", "_pytest", "linecache", "tokenize", "warnings"):
                return _real(*arguments, **options)
            raise AssertionError(f"{caller} went through {_name}")

        monkeypatch.setattr(owner, name, closed)


def test_nothing_of_a_run_goes_through_another_door() -> None:
    campaign(0)  # what is compiled and loaded once is there
    for seed in range(12):
        with pytest.MonkeyPatch.context() as doors:
            close_all(doors)
            campaign(seed)


class Cheat(Bloom):
    """Asks the machine for the time, which the lint of a rule file would tell; here it is caught."""

    times = table("time: float")

    @rule
    def rules(self):
        self.times <= [(clock(),)]


def clock() -> float:
    return time.time()


def test_a_door_that_is_used_would_be_found() -> None:
    with pytest.MonkeyPatch.context() as doors:
        close_all(doors)
        sim = Simulation()
        sim.add(Cheat, "a")
        with pytest.raises(AssertionError, match="went through time"):
            sim.settle()


RUN_IN_SIMULATIONS = ["engine", "analysis", "ir", "sim", "runtime", "stores", "transports", "std", "program.py", "schema.py", "agg.py", "lattices"]
OUTSIDE = {"search", "exploring"}
"""They run simulations, with limits in real time."""
REAL_WORLD = {"time", "random", "os", "socket", "threading", "asyncio", "secrets", "uuid", "subprocess", "ssl", "anyio", "sqlite3", "signal", "selectors"}
ALLOWED = {
    "runtime/node.py", "runtime/clock.py", "runtime/console.py", "runtime/blocking.py",  # production's side of the interfaces
    "transports/tcp.py", "transports/udp.py", "transports/tls.py", "transports/memory.py", "transports/authentication.py",
    "transports/incoming.py", "transports/outgoing.py", "transports/framing.py", "transports/addresses.py",
    "stores/embedded.py",
    "engine/machine.py",  # a lock for readers of other threads; draws from a seed
    "program.py", "runtime/counters.py",  # the default of a clock that a simulation replaces
    "engine/profile.py", "engine/filling.py", "engine/explain.py", "analysis/reporting.py",  # how long things took, and where: told only
}  # fmt: skip


def test_only_the_production_side_imports_the_real_world() -> None:
    """Imports at the top of each module; those of `Random` with a seed are no door."""
    found = {}
    for part in RUN_IN_SIMULATIONS:
        base = ROOT / "bloompy" / part
        for path in [base] if base.is_file() else sorted(base.rglob("*.py")):
            if path.parent.name in OUTSIDE:
                continue
            if names := real_world(ast.parse(path.read_text())):
                found[str(path.relative_to(ROOT / "bloompy"))] = sorted(names)
    assert {path: names for path, names in found.items() if path not in ALLOWED} == {}
    assert ALLOWED - set(found) == set(), "these need no exception any more"


def real_world(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not (node.module == "random" and [alias.name for alias in node.names] == ["Random"]):
            names.add(str(node.module).partition(".")[0])
    return names & REAL_WORLD
