"""Three NameNodes as processes: kill -9 of the one that leads is a pause, not an error."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bloompy.errors import UsageError
from bloompy_fs.cluster import LocalCluster
from bloompy_fs.servers import namenode_server

PAUSE_S = 30.0
"""Far more than it takes, for machines that are busy."""


@pytest.mark.parametrize("kills", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_kills_of_the_leader_in_the_middle_of_copies_are_pauses(tmp_path: Path, kills: int) -> None:
    with LocalCluster(2, tmp_path, processes=True, namenodes=3) as cluster, cluster.client(replication=2, timeout_s=60) as fs:
        done: list[float] = []
        stop = threading.Event()
        errors: list[BaseException] = []

        def work() -> None:
            try:
                while not stop.is_set():
                    fs.put(bytes([len(done) % 251]) * 5_000, f"/{len(done)}")
                    done.append(time.monotonic())
            except BaseException as error:
                errors.append(error)

        def more() -> None:
            before = len(done)
            cluster.wait_for(lambda: len(done) > before + 3 or bool(errors), "some files to be written")

        worker = threading.Thread(target=work)
        worker.start()
        try:
            for _ in range(kills):
                more()
                leader = cluster.leader()
                cluster.kill_namenode(leader)
                more()
                cluster.start_namenode(leader)  # the next one may be killed
        finally:
            stop.set()
            worker.join()
        assert errors == []
        assert max(later - earlier for earlier, later in zip(done, done[1:], strict=False)) < PAUSE_S
        assert len(fs.ls("/")) == len(done)
        for i in range(len(done)):
            assert fs.read(f"/{i}") == bytes([i % 251]) * 5_000
        cluster.wait_for(lambda: fs.health().short == 0, "replicas of all chunks")
        assert len(fs.datanodes()) == 2


def test_a_datanode_that_dies_is_made_good_by_the_next_leader() -> None:
    with LocalCluster(3, namenodes=3) as cluster, cluster.client(replication=2) as fs:
        for i in range(6):
            fs.put(b"x" * 1_000, f"/{i}")
        cluster.kill_datanode("datanode0")
        cluster.kill_namenode(cluster.leader())
        cluster.wait_for(lambda: len(fs.datanodes()) == 2 and fs.health().short == 0, "the chunks to have two replicas again")
        assert [fs.read(f"/{i}") for i in range(6)] == [b"x" * 1_000] * 6
        fs.rm("/0")
        chunks = {chunk.number for i in range(1, 6) for chunk in fs.chunks(f"/{i}")}

        def kept() -> set[int]:
            return {row.chunk for server in cluster.datanodes.values() for row in server.served.program.local}  # type: ignore[union-attr]

        cluster.wait_for(lambda: kept() == chunks, "the chunk of no file to be deleted")


def test_a_replica_needs_a_store_and_to_be_a_member(tmp_path: Path) -> None:
    members = ["127.0.0.1:20001", "127.0.0.1:20002", "127.0.0.1:20003"]
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:20001 has no store"):
        namenode_server(members[0], None, members=members)
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:20009 is not among the members"):
        namenode_server("127.0.0.1:20009", tmp_path / "store", members=members)
