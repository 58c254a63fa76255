"""Partitions of the NameNode as real servers, with DataNodes and clients."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bloompy.errors import BloomError
from bloompy_fs.addresses import groups
from bloompy_fs.blocking import Client
from bloompy_fs.cluster import LocalCluster
from bloompy_fs.errors import FsNotFound


def test_a_session_over_two_partitions(tmp_path: Path) -> None:
    with LocalCluster(1, tmp_path, partitions=2) as cluster, cluster.client(replication=1, chunk_size=4_000) as fs:
        names = [f"/d{i}" for i in range(6)]
        for name in names:
            fs.mkdir(name)
            fs.put(name.encode() * 2_000, f"{name}/f")
        homes = [address for address, server in cluster.namenodes.items() if any(not i.is_dir for i in server.served.program.inode)]
        assert len(homes) == 2
        fs.mv("/d0", "/d1/inner")
        for i in range(1, 5):
            fs.mv(f"/d{i}/f", f"/d{i + 1}/g{i}")
        assert [status.name for status in fs.ls("/d5")] == ["f", "g4"]
        assert fs.read("/d5/g4") == b"/d4" * 2_000
        assert fs.read("/d1/inner/f") == b"/d0" * 2_000
        assert fs.health().chunks == 12
        assert (fs.health().lost, len(fs.datanodes())) == (0, 1)
        fs.rm("/d1", recursive=True)
        fs.rm("/d5/g4")
        with pytest.raises(FsNotFound):
            fs.stat("/d1/inner/f")
        with pytest.raises(FsNotFound):
            fs.ls("/d1")
        left = {"/d5/f", "/d2/g1", "/d3/g2", "/d4/g3"}
        assert {status.path for i in range(2, 6) for status in fs.ls(f"/d{i}")} == left
        (datanode,) = cluster.datanodes.values()
        cluster.wait_for(lambda: len(datanode.served.store.chunks()) == 8, "dead chunks to be deleted")


def go_about(fs: Client, done: list[int], stop: threading.Event) -> None:
    """A file is moved between directories, a second application of which would fail, and directories come and go."""
    while not stop.is_set():
        number = len(done)
        fs.mv(f"/d{number % 4}/f", f"/d{(number + 1) % 4}/f", into=False)
        fs.mkdir(f"/x{number}")
        fs.rm(f"/x{number}")
        done.append(number)


def work_over_kills(cluster: LocalCluster, fs: Client, kills: int) -> None:
    """What `go_about` does while members of the partitions are killed, each in its turn, and started again."""
    for i in range(4):
        fs.mkdir(f"/d{i}")
    fs.put(b"contents", "/d0/f")
    done: list[int] = []
    errors: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        try:
            go_about(fs, done, stop)
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for kill in range(kills):
            before = len(done)
            cluster.wait_for(lambda before=before: len(done) > before + 2 or bool(errors), "some work to be done")  # type: ignore[misc]
            address = cluster.leader(kill % 2)
            cluster.kill_namenode(address)
            cluster.start_namenode(address)
    finally:
        stop.set()
        worker.join()
    assert errors == []
    assert fs.read(f"/d{len(done) % 4}/f") == b"contents"
    assert [status.path for status in fs.ls("/")] == [f"/d{i}" for i in range(4)]
    assert sum(len(fs.ls(f"/d{i}")) for i in range(4)) == 1


def test_a_client_goes_on_over_kills_of_partitions(tmp_path: Path) -> None:
    with LocalCluster(1, tmp_path, partitions=2, processes=True) as cluster, cluster.client(replication=1, timeout_s=60) as fs:
        work_over_kills(cluster, fs, 2)


@pytest.mark.slow
def test_a_client_goes_on_over_kills_of_leaders_of_partitions(tmp_path: Path) -> None:
    with (
        LocalCluster(1, tmp_path, partitions=2, namenodes=3, processes=True) as cluster,
        cluster.client(replication=1, timeout_s=60) as fs,
    ):
        work_over_kills(cluster, fs, 4)


def test_namenodes_are_named_by_group() -> None:
    assert groups("a:1") == (("a:1",),)
    assert groups("a:1,b:1; c:1,d:1") == (("a:1", "b:1"), ("c:1", "d:1"))
    assert groups([["a:1"], ["b:1"]]) == (("a:1",), ("b:1",))


@pytest.mark.parametrize("text", ["", "a:1,", "a:1;", "a:1;a:1", "a"])
def test_what_names_no_namenodes_is_refused(text: str) -> None:
    with pytest.raises(BloomError, match="NameNodes are|no address"):
        groups(text)
