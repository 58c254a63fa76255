"""The very NameNode that serves a cluster, in simulation: lost, repeated and late messages, crashes, power failures, partitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bloompy.sim import Faults, SimNode, Simulation
from bloompy.sim.search.campaign import campaign
from bloompy_fs.protocol import Protocol

from .model import Fault, Model
from .replicas import ask
from .ticks import Watched

OPERATIONS = 12
FAULTS = Faults.mix(drop=0.1, duplicate=0.1, crashes=2, power_loss=0.5, spare=frozenset({"c0", "c1"}), until_s=5.0)
NAMES = ("a", "b", "a/a", "a/b")


def requests(sim: Simulation, home: str) -> list[tuple[Any, ...]]:
    """What one client asks for, below a directory of its own."""
    found: list[tuple[Any, ...]] = [("mkdir", home)]
    for _ in sim.operations(OPERATIONS, int):
        path, other = (f"{home}/{sim.choose(NAMES)}" for _ in range(2))
        found.append(
            sim.choose(
                (
                    ("mkdir", path),
                    ("create", path, 1),
                    ("rm", path, True),
                    ("rename", path, other, False, True),
                    ("exists", path),
                    ("ls", path, "", 10),
                )
            )
        )
    return found


async def work(node: SimNode, todo: list[tuple[Any, ...]], done: list[str], members: Sequence[str] = ("nn",)) -> None:
    """Ask for one thing after the other, and compare each answer with that of a plain Python file system."""
    model = Model()
    for reqid, request in enumerate(todo, 1):
        found = await ask(node, members, reqid, *request)
        try:
            expected = "", model.apply(request[0], request[1], request[2:], 0)
        except Fault as fault:
            expected = str(fault), None
        assert found == expected, f"{request}: {found}, and not {expected}"
    done.append(node.address)


def each_request_once(sim: Simulation) -> None:
    """Two clients work in their own directories, so that every answer is known."""
    sim.add(Watched, "nn", safe_share=0.0)
    done: list[str] = []
    for name in ("c0", "c1"):
        node = sim.add(Protocol, name)
        sim.spawn(work(node, requests(sim, f"/{name}"), done))
    sim.run_until(lambda: len(done) == 2, limit_s=60)
    sim.sometimes("the NameNode lost its memory", sim["nn"].incarnation > 1)


def test_every_request_counts_once_whatever_happens_to_messages_and_power() -> None:
    found = campaign(each_request_once, runs=25, faults=FAULTS, first_seed=1)
    found.check(every_kind=False)
    assert found.counts["crash"] > 3


@pytest.mark.slow
def test_every_request_counts_once_in_a_thousand_runs() -> None:
    campaign(each_request_once, runs=1_000, faults=FAULTS, first_seed=1_000).check()
