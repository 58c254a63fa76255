"""Chunks of files that go from partition to partition: no live one is ever lost, every dead one is deleted in the end."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any

import pytest

from bloompy.sim import Faults, SimNode, Simulation
from bloompy.sim.search.campaign import campaign
from bloompy_fs.chunks import WRITING
from bloompy_fs.datanode import DataNode

from .model import Model
from .partitions import TRY_S, Session, at_rest, compare_one, start

LENGTH = 7
DISKS = ("d0", "d1", "d2")
DIRECTORIES = ("/a", "/b", "/c")
QUICK = {"repair_s": 0.2, "sweep_s": 0.2, "propagation_s": 0.3, "order_timeout_s": 0.5, "safe_timeout_s": 1.0, "claim_s": 2.0}
OPERATIONS = 25
FAULTS = Faults.mix(drop=0.1, duplicate=0.1, crashes=3, power_loss=0.5, spare=frozenset({"c0", *DISKS}), until_s=6.0)


class Store:
    """The disks of some DataNodes, and what is done on them; partitions are "p0", "p1", …."""

    def __init__(self, sim: Simulation, partitions: int) -> None:
        self.sim, self.partitions = sim, partitions
        self.disks: dict[str, set[int]] = {name: set() for name in DISKS}
        numbers = count(1)
        groups = tuple((f"p{i}",) for i in range(partitions))
        for name in DISKS:
            sim.add(
                lambda me, seed, clock: DataNode(
                    me,
                    seed=seed,
                    clock=clock,
                    namenodes=groups,
                    node=me,
                    incarnation=next(numbers),
                    data=f"{me}:2",
                    host=me,
                    heartbeat_s=0.2,
                ),
                name,
                setup=self.prepare,
            )

    def prepare(self, node: SimNode) -> None:
        """Say what is on the disk, and do what is ordered."""
        node.usage.upsert((10**9, 0))
        node.order.on_insert(lambda order: self.sim.at(self.sim.now + 0.01, lambda: self.obey(node, *order)))

    def put(self, name: str, chunk: int) -> None:
        """A chunk is stored."""
        self.disks[name].add(chunk)
        self.sim[name].local.upsert((chunk, LENGTH, "ok"))
        self.sim[name].nudge.insert(("stored",))

    def obey(self, node: SimNode, kind: str, chunk: int, target: str) -> None:
        """Copy or delete."""
        if kind == "copy" and chunk in self.disks[node.address]:
            self.put(target.partition(":")[0], chunk)
        elif kind == "delete":
            self.disks[node.address].discard(chunk)
            wanted = self.live().get(chunk, 0)
            left = sum(chunk in disk for disk in self.disks.values())
            assert left >= wanted, f"chunk {chunk} is left on {left} disks of {wanted}"
            node.local.delete(chunk)
            node.vanished.insert((chunk,))
            node.nudge.insert(("gone",))
        node.done.insert((kind, chunk, target))

    def live(self) -> dict[int, int]:
        """How many replicas each chunk of a file should have, from what the partitions have on their own disks."""
        on_disk = [self.sim[f"p{i}"].on_disk() or {} for i in range(self.partitions)]
        committed = {row[0] for row in on_disk[0].get("decision", ()) if row[1]}
        found: dict[int, int] = {}
        for rows in on_disk:
            gone = given(rows, committed)
            replication = {row[2]: row[4] for row in rows.get("inode", ())}
            found.update({row[2]: replication[row[0]] for row in rows.get("fchunk", ()) if row[3] != WRITING and row[0] not in gone})
        return found

    def tidy(self) -> bool:
        """Whether the disks hold what they should, and nothing else."""
        held = Counter(chunk for disk in self.disks.values() for chunk in disk)
        owned = [row.chunk for i in range(self.partitions) for row in self.sim[f"p{i}"].fchunk if row.length != WRITING]
        lent = {row.chunk for i in range(self.partitions) for row in self.sim[f"p{i}"].lent}
        return set(held) == set(owned) and lent <= set(owned) and at_rest(self.sim) and held == self.live()


def given(rows: dict[str, Any], committed: set[int]) -> set[int]:
    """Files that a partition gave away by a decided transaction, but has not heard so: who has them now may have removed them."""
    inodes = {row[2]: (row[0], row[1]) for row in rows.get("inode", ())}
    paths = {row[3] for row in rows.get("prepared", ()) if row[0] in committed and row[2] == "give"}
    return {fid for fid, (parent, name) in inodes.items() if f"/{inodes.get(parent, (0, ''))[1]}/{name}" in paths}


class Patient(Session):
    """A client that asks anew, as `bloompy_fs.client` does, while a partition that has to take part, or each DataNode, is not there yet."""

    def __init__(self, sim: Simulation, partitions: int) -> None:
        super().__init__(sim["c0"], partitions)
        self.sim = sim

    async def ask(self, op: str, path: str, *args: Any) -> tuple[str, Any]:
        """Code and result of a request; what had such an error did nothing."""
        while True:
            code, result = await super().ask(op, path, *args)
            if code not in ("EAGAIN", "EHOSTDOWN"):
                return code, result
            await self.sim.sleep(TRY_S)


def draw(sim: Simulation, files: list[str]) -> tuple[Any, ...]:
    """Something to do with files."""
    file, other, directory = sim.choose(files), sim.choose(files), sim.choose(DIRECTORIES)
    return sim.choose(  # type: ignore[no-any-return]
        (
            ("put",),
            ("rename", file, directory, True, False),
            ("rename", file, directory, True, False),
            ("rename", file, directory, True, False),
            ("rename", file, directory, True, True),
            ("rename", file, other, False, True),
            ("rm", file, False),
        )
    )


async def work(sim: Simulation, store: Store, session: Session, model: Model) -> None:
    """Files are written, go about, and are removed."""

    async def put(path: str, replication: int) -> None:
        await compare_one(session, model, ("create", path, replication))
        answer = await compare_one(session, model, ("addchunk", path, "h", ()))
        if answer is None:
            return
        for name, _ in answer[1]:
            store.put(name, answer[0])
        if sim.chance(0.3):  # it goes elsewhere while it is written
            there = await compare_one(session, model, ("rename", path, sim.choose(DIRECTORIES), True, True))
            path = there[0] if there is not None else path
        if sim.chance(0.8):
            await compare_one(session, model, ("commit", path, answer[0], LENGTH, tuple(name for name, _ in answer[1])))
        else:
            await compare_one(session, model, ("abandon", path, answer[0]))

    for name in DIRECTORIES:
        await compare_one(session, model, ("mkdir", name))
    for number in sim.operations(OPERATIONS, int):
        files = [path for path, (is_dir, *_) in model.tree().items() if not is_dir]
        request = draw(sim, files) if len(files) > 2 else ("put",)
        if request == ("put",):
            await put(f"{sim.choose(DIRECTORIES)}/{number}", sim.choose((1, 1, 2)))
        else:
            await compare_one(session, model, request)
        await sim.sleep(sim.choose((0.0, 0.1, 0.5)))


def chunks_live_and_die(sim: Simulation) -> None:
    """Three partitions, three DataNodes, one client."""
    partitions = sim.choose((2, 3))
    start(sim, partitions, setup=lambda node: None, **QUICK)
    store = Store(sim, partitions)
    sim.run(for_s=1.0)
    session, model = Patient(sim, partitions), Model()
    task = sim.spawn(work(sim, store, session, model))
    sim.run_until(task.done, limit_s=120)
    task.result()
    sim.sometimes("a chunk is lent", any(len(sim[f"p{i}"].lent) for i in range(partitions)))
    sim.sometimes("a chunk is deleted", bool(store.live()) and len(store.live()) < len(model.tree()))
    sim.must(store.tidy, within_s=30)


def test_chunks_go_where_their_files_go() -> None:
    campaign(chunks_live_and_die, runs=2, faults=Faults(), first_seed=1).check(every_kind=False)


def test_so_they_do_whatever_happens_to_messages_and_power() -> None:
    campaign(chunks_live_and_die, runs=3, faults=FAULTS, first_seed=1).check(every_kind=False)


@pytest.mark.slow
def test_so_they_do_in_a_thousand_runs() -> None:
    campaign(chunks_live_and_die, runs=1_000, faults=FAULTS, first_seed=1_000).check()
