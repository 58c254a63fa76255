"""Three NameNodes as one over a bad network, with crashes, power failures, partitions and pauses.

Every request is answered and counts once, replicas that have applied the same decrees are in the same state, and what clients are
told is what one file system would have told them.
"""

from __future__ import annotations

from typing import Any

import pytest

from bloompy.sim import Faults, SimNode, Simulation
from bloompy.sim.search.campaign import campaign
from bloompy.testing.histories import INCONSISTENT, Model, Operation, Recorder, linearizable

from . import model
from .replicas import MEMBERS, ask, start, state
from .test_simulated import work

CLIENTS = ("c0", "c1", "c2")
FAULTY_S = 4.0
FAULTS = Faults.mix(drop=0.05, crashes=2, power_loss=0.5, partitions=2, pauses=2, spare=frozenset(CLIENTS), until_s=FAULTY_S)
NAMES = ("/a", "/b", "/a/a", "/a/b")


def request(sim: Simulation, home: str = "") -> tuple[Any, ...]:
    """Something to ask for, below a directory."""
    path, other = (f"{home}{sim.choose(NAMES)}" for _ in range(2))
    return sim.choose(
        (
            ("mkdir", path),
            ("create", path, 2),
            ("rm", path, True),
            ("rename", path, other, False, True),
            ("addchunk", path, "h", ()),
            ("exists", path),
            ("stat", path),
            ("ls", path, "", 10),
        )
    )


def finish(sim: Simulation, done: list[str], count: int) -> None:
    """Once nothing bad happens any more, the clients get their answers, and the replicas come to be of one mind."""
    sim.run(until=FAULTY_S)
    sim.must(lambda: len(done) == count, within_s=20)
    sim.must(lambda: len({repr(sorted(map(repr, state(sim[member]).items()))) for member in MEMBERS}) == 1, within_s=20)
    for member in MEMBERS:
        assert not len(sim[member].waiting)
        assert not len(sim[member].dead_letter)
    sim.sometimes("another leader came", max(row.ballot[0] for member in MEMBERS for row in sim[member].log.promised) > 1)
    sim.sometimes("a replica lost its memory", any(sim[member].incarnation > 1 for member in MEMBERS))


def each_request_once(sim: Simulation) -> None:
    """Two clients work in their own directories, so that every answer is known."""
    start(sim, clients=2)
    done: list[str] = []
    for name in CLIENTS[:2]:
        todo = [("mkdir", f"/{name}"), *(request(sim, f"/{name}") for _ in sim.operations(12, int))]
        sim.spawn(work(sim[name], todo, done, MEMBERS))
    finish(sim, done, 2)


def as_one_file_system(sim: Simulation) -> None:
    """Three clients work on the same few names."""
    start(sim, clients=3)
    recorder, done = Recorder(lambda: sim.now), []
    for name in CLIENTS:
        todo = [request(sim) for _ in sim.operations(8, int)]
        sim.spawn(record(sim[name], todo, recorder, done))
    finish(sim, done, 3)
    linearizable(recorder.history(), Model("file system", (), step)).require()


async def record(node: SimNode, todo: list[tuple[Any, ...]], recorder: Recorder, done: list[str]) -> None:
    for reqid, (op, path, *args) in enumerate(todo, 1):
        with recorder.operation(node.address, op, (path, *args)) as operation:
            operation.ok(frozen(await ask(node, MEMBERS, reqid, op, path, *args)))
    done.append(node.address)


def frozen(value: Any) -> Any:
    """A result with tuples for its lists."""
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


def step(before: tuple[Any, ...], operation: Operation) -> Any:
    """One request to a file system of these paths: (path, is it a directory, replication)."""
    files = model.Model()
    for path, is_dir, replication in before:
        files.apply("mkdir" if is_dir else "create", path, () if is_dir else (replication,), 0)
    path, *args = operation.argument
    try:
        expected = "", files.apply(operation.function, path, tuple(args), 0)
    except model.Fault as fault:
        expected = str(fault), None
    after = tuple(sorted((path, is_dir, replication) for path, (is_dir, replication, _) in files.tree().items() if path != "/"))
    return after if operation.returned(frozen(expected)) else INCONSISTENT


def test_every_request_counts_once_and_all_replicas_are_alike() -> None:
    found = campaign(each_request_once, runs=10, faults=FAULTS, first_seed=1)
    found.check(every_kind=False)
    assert found.counts["crash"] > 3


def test_what_clients_are_told_is_what_one_file_system_would_tell() -> None:
    campaign(as_one_file_system, runs=10, faults=FAULTS, first_seed=101).check(every_kind=False)


@pytest.mark.slow
def test_every_request_counts_once_in_many_runs() -> None:
    campaign(each_request_once, runs=500, faults=FAULTS, first_seed=1_000).check()


@pytest.mark.slow
def test_they_are_one_file_system_in_many_runs() -> None:
    campaign(as_one_file_system, runs=500, faults=FAULTS, first_seed=10_000).check()
