"""Random requests to one, two and three partitions: the answers, and the names in the end, are those of a plain Python file system."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy.sim import Faults, Simulation
from bloompy.sim.search.campaign import campaign

from .model import Model
from .partitions import Session, at_rest, compare_one, start, tree

NAMES = ("a", "b")
OPERATIONS = 30
FAULTS = Faults.mix(drop=0.1, duplicate=0.1, crashes=3, power_loss=0.5, spare=frozenset({"c0"}), until_s=5.0)


BEGINNING: list[tuple[Any, ...]] = [("mkdir", "/a"), ("mkdir", "/a/b"), ("create", "/a/b/a", 2), ("addchunk", "/a/b/a", "h", ())]


def draw_path(sim: Simulation, known: list[str]) -> str:
    """A path that is there, or one of up to three names."""
    if sim.chance(0.6):
        return sim.choose(known)  # type: ignore[no-any-return]
    return "/" + "/".join(sim.choose(NAMES) for _ in range(sim.choose((0, 1, 2, 2, 3))))


def draw(sim: Simulation, chunks: list[int], model: Model) -> tuple[Any, ...]:
    """A request; `chunks` are those given so far."""
    tree = model.tree()
    known, files = list(tree), [path for path, (is_dir, *_) in tree.items() if not is_dir] or ["/a"]
    path, other, file = draw_path(sim, known), draw_path(sim, known), sim.choose(files)
    chunk = sim.choose(chunks[-4:]) if chunks else 1
    return sim.choose(  # type: ignore[no-any-return]
        (
            ("mkdir", f"{path}/{sim.choose(NAMES)}" if path != "/" else "/b"),
            ("mkdir", path),
            ("create", f"{path}/{sim.choose(NAMES)}" if path != "/" else "/c", 1),
            ("create", path, 2),
            ("rm", path, False),
            ("rm", path, sim.chance(0.3)),
            ("rename", file, other, True, False),
            ("rename", file, other, False, True),
            ("rename", file, other, sim.chance(0.5), sim.chance(0.5)),
            ("rename", path, other, sim.chance(0.5), sim.chance(0.5)),
            ("rename", path, other, sim.chance(0.5), sim.chance(0.5)),
            ("addchunk", path, "h", ()),
            ("addchunk", file, "h", ()),
            ("addchunk", file, "h", ()),
            ("commit", file, chunk, 7, ("d0",)),
            ("commit", file, chunk, 8, ("d0",)),
            ("abandon", file, chunk),
            ("stat", path),
            ("exists", path),
            ("ls", path, "", 10),
            ("ls", path, "a", 1),
            ("chunks", file, 0, 5),
        )
    )


async def work(sim: Simulation, session: Session, model: Model) -> None:
    """One request after the other, each answer compared."""
    chunks: list[int] = []
    for number in sim.operations(OPERATIONS, int):
        request = BEGINNING[number] if number < len(BEGINNING) else draw(sim, chunks, model)
        result = await compare_one(session, model, request)
        if request[0] == "addchunk" and result:
            chunks.append(result[0])


def same_as_one(sim: Simulation, partitions: int, members: int = 1, **options: Any) -> None:
    """A client's whole work, and the tables at the end."""
    start(sim, partitions, members=members, **options)
    session, model = Session(sim["c0"], partitions, members), Model()
    task = sim.spawn(work(sim, session, model))
    sim.run_until(task.done, limit_s=120)
    task.result()
    sim.sometimes("a request was sent on", session.hops > 0)
    sim.sometimes("a file went to another partition", any(len(node.lent) for node in sim.up if node.address != "c0"))
    sim.must(lambda: at_rest(sim), within_s=30)
    assert tree(sim) == model.tree()


def on_two(sim: Simulation) -> None:
    """Two partitions."""
    same_as_one(sim, 2)


def on_three(sim: Simulation) -> None:
    """Three partitions."""
    same_as_one(sim, 3)


def on_groups(sim: Simulation) -> None:
    """Two partitions of three replicas each, which soon need snapshots when they have missed something."""
    same_as_one(sim, 2, 3, keep=10)


def test_one_partition_is_a_namenode() -> None:
    for seed in range(3):
        same_as_one(Simulation(seed=seed), 1)


@pytest.mark.parametrize("test", [on_two, on_three])
def test_partitions_together_are_one_file_system(test: Any) -> None:
    campaign(test, runs=4, faults=Faults(), first_seed=1).check(every_kind=False)


@pytest.mark.parametrize("test", [on_two, on_three])
def test_so_they_are_whatever_happens_to_messages_and_power(test: Any) -> None:
    found = campaign(test, runs=4, faults=FAULTS, first_seed=1)
    found.check(every_kind=False)
    assert found.counts["crash"] > 1


def test_partitions_of_replicas_are_one_file_system_whatever_happens() -> None:
    found = campaign(on_groups, runs=2, faults=FAULTS, first_seed=1)
    found.check(every_kind=False)
    assert found.counts["crash"] > 1


@pytest.mark.slow
@pytest.mark.parametrize(("test", "runs"), [(on_two, 1_000), (on_three, 1_000), (on_groups, 200)])
def test_so_they_are_in_many_runs(test: Any, runs: int) -> None:
    campaign(test, runs=runs, faults=FAULTS, first_seed=1_000).check()
