"""The whole file system on loopback: real sockets, real files, servers that end without notice."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from bloompy.errors import UsageError
from bloompy_fs import ChunkLost, Client, DataNodeServer, FsError
from bloompy_fs.chunkstore import BLOCK_BYTES, ChunkStore
from bloompy_fs.cluster import QUICK_HEARTBEAT_S, LocalCluster, ThreadServer
from bloompy_fs.errors import FsExists, FsIsADirectory, FsNotADirectory, FsNotFound
from bloompy_fs.servers import ClusterMismatch

CHUNK = 300_000
DATA = random.Random(1).randbytes(3 * CHUNK + 12_345)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    with LocalCluster(3, tmp_path) as cluster:
        yield cluster


@pytest.fixture
def fs(cluster: LocalCluster) -> Iterator[Client]:
    with cluster.client(chunk_size=CHUNK, replication=2) as fs:
        yield fs


def wait_until_whole(cluster: LocalCluster, fs: Client) -> None:
    cluster.wait_for(lambda: fs.health().short == 0 and not fs.health().safe_mode, "every chunk to have its replicas")


def holders(fs: Client, path: str) -> dict[int, set[str]]:
    return {chunk.number: {holder.node for holder in chunk.holders} for chunk in fs.chunks(path)}


def directories(cluster: LocalCluster) -> dict[str, Path]:
    """The data directory of each DataNode, by the DataNode's name."""
    servers = [server.served for server in cluster.datanodes.values() if isinstance(server, ThreadServer)]
    return {served.identity.node: served.directory for served in servers}


def test_what_is_put_is_read_whole_in_part_and_as_a_stream(fs: Client, tmp_path: Path) -> None:
    said: list[int] = []
    source = tmp_path / "source.bin"
    source.write_bytes(DATA)
    status = fs.put(source, "/file", progress=said.append)
    assert (status.size, status.replication, status.is_dir) == (len(DATA), 2, False)
    assert said[-1] == len(DATA)
    assert said == sorted(said)
    assert fs.read("/file") == DATA
    assert fs.read("/file", CHUNK - 10, 20) == DATA[CHUNK - 10 : CHUNK + 10]
    assert fs.read("/file", len(DATA) - 3, 10) == DATA[-3:]
    assert max(map(len, fs.blocks("/file"))) <= 256 * 1024
    assert fs.get("/file", tmp_path / "target.bin") == len(DATA)
    assert (tmp_path / "target.bin").read_bytes() == DATA
    assert [(chunk.start, chunk.length) for chunk in fs.chunks("/file")] == [
        (0, CHUNK), (CHUNK, CHUNK), (2 * CHUNK, CHUNK), (3 * CHUNK, 12_345)
    ]  # fmt: skip
    with fs.open("/file") as file:
        file.seek(-5, os.SEEK_END)
        assert file.read() == DATA[-5:]
        file.seek(CHUNK - 2)
        assert file.read(4) == DATA[CHUNK - 2 : CHUNK + 2]


def test_an_empty_file_and_names_with_any_character(fs: Client) -> None:
    name = "/a, b|c;\n\u00e4\u4e16 .txt"
    assert fs.put(b"", name).size == 0
    assert fs.read(name) == b""
    assert [status.path for status in fs.ls("/")] == [name]


def test_errors_are_oserrors_with_errno_and_path(fs: Client, tmp_path: Path) -> None:
    fs.mkdir("/d/e", parents=True)
    fs.mkdir("/d/e", parents=True)
    fs.put(b"x", "/d/f")
    with pytest.raises(FsNotFound, match="No such file") as found:
        fs.stat("/d/missing")
    assert (found.value.errno, found.value.filename) == (errno.ENOENT, "/d/missing")
    with pytest.raises(FileExistsError, match="/d/f"):
        fs.put(b"y", "/d/f")
    with pytest.raises(FsExists, match="/d/e"):
        fs.mkdir("/d/e")
    with pytest.raises(FsIsADirectory, match="/d/e"):
        fs.read("/d/e")
    with pytest.raises(FsNotADirectory, match="/d/f/g"):
        fs.create("/d/f/g")
    with pytest.raises(FsError, match="not empty") as full:
        fs.rm("/d")
    assert full.value.errno == errno.ENOTEMPTY
    with pytest.raises(FsError, match="cannot be moved into itself"):
        fs.mv("/d", "/d/e/d")
    with pytest.raises(FsError, match="not an absolute path"):
        fs.stat("relative")
    (tmp_path / "there.bin").touch()
    with pytest.raises(FsExists, match="there.bin"):
        fs.get("/d/f", tmp_path / "there.bin")
    fs.rm("/d", recursive=True)
    assert fs.ls("/") == []


def test_a_put_that_fails_leaves_nothing(fs: Client) -> None:
    class Broken:
        def __init__(self) -> None:
            self.left = 2

        def read(self, size: int) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise OSError(errno.EIO, "the disk is gone")
            return b"x" * size

    with pytest.raises(OSError, match="the disk is gone"):
        fs.put(Broken(), "/file")  # type: ignore[arg-type]
    assert fs.ls("/") == []


def test_a_file_written_by_open_appears_when_it_is_closed(fs: Client) -> None:
    with fs.open("/file", "xb") as file:
        file.write(b"one ")
        assert not fs.exists("/file")
        file.write(b"two")
    assert fs.read("/file") == b"one two"
    with pytest.raises(FsExists, match="/file"):
        fs.open("/file", "xb")
    with pytest.raises(ZeroDivisionError), fs.open("/file", "wb") as file:
        file.write(b"half" * (1 // 0))
    assert fs.read("/file") == b"one two"
    with fs.open("/file", "wb") as file:
        file.write(b"three")
    assert fs.read("/file") == b"three"


def test_replication_is_restored_when_a_datanode_dies(cluster: LocalCluster, fs: Client) -> None:
    fs.put(DATA, "/file")
    name, server = next(iter(cluster.datanodes.items()))
    dead = server.served.identity.node  # type: ignore[union-attr]
    cluster.kill_datanode(name)
    assert fs.read("/file") == DATA  # also before the NameNode knows
    cluster.wait_for(lambda: len(fs.datanodes()) == 2, "the DataNode to be given up")
    wait_until_whole(cluster, fs)
    assert all(len(nodes) == 2 and dead not in nodes for nodes in holders(fs, "/file").values())
    assert fs.read("/file") == DATA


def test_a_datanode_that_returns_has_its_surplus_replicas_deleted(cluster: LocalCluster, fs: Client) -> None:
    fs.put(DATA, "/file")
    name = next(iter(cluster.datanodes))
    cluster.kill_datanode(name)
    cluster.wait_for(lambda: len(fs.datanodes()) == 2, "the DataNode to be given up")
    wait_until_whole(cluster, fs)
    cluster.start_datanode(name)
    cluster.wait_for(lambda: len(fs.datanodes()) == 3, "the DataNode to join")
    cluster.wait_for(lambda: replicas_on_disk(cluster) == 2 * 4, "two replicas of four chunks to be left")
    assert all(len(nodes) == 2 for nodes in holders(fs, "/file").values())
    assert fs.read("/file") == DATA


def replicas_on_disk(cluster: LocalCluster) -> int:
    return sum(len(server.served.store.chunks()) for server in cluster.datanodes.values())  # type: ignore[union-attr]


def test_chunks_of_removed_files_are_deleted_from_disk(cluster: LocalCluster, fs: Client) -> None:
    fs.put(DATA, "/file")
    fs.put(b"new", "/file", replace=True)
    assert replicas_on_disk(cluster) > 2
    cluster.wait_for(lambda: replicas_on_disk(cluster) == 2, "the replicas of the new file to be the only ones")
    fs.rm("/file")
    cluster.wait_for(lambda: replicas_on_disk(cluster) == 0, "all replicas to be deleted")


def test_a_restarted_namenode_has_its_tree_and_gets_full_reports(cluster: LocalCluster, fs: Client) -> None:
    fs.put(DATA, "/file")
    before = holders(fs, "/file")
    cluster.stop_namenode()
    cluster.start_namenode()
    wait_until_whole(cluster, fs)
    assert holders(fs, "/file") == before
    assert fs.read("/file") == DATA


def test_a_corrupt_replica_is_found_when_read_and_replaced(cluster: LocalCluster, fs: Client) -> None:
    fs.put(DATA, "/file")
    chunk = fs.chunks("/file")[1]
    bad = chunk.holders[0].node
    file = directories(cluster)[bad] / str(chunk.number)
    damaged = bytearray(file.read_bytes())
    damaged[200_000] ^= 1
    file.write_bytes(damaged)
    for _ in range(20):  # the reader chooses a replica at random
        assert fs.read("/file") == DATA
    cluster.wait_for(lambda: fs.health().short == 0 and not is_damaged(cluster, chunk.number), "a whole replica in its place")
    assert len(holders(fs, "/file")[chunk.number]) == 2


def is_damaged(cluster: LocalCluster, chunk: int) -> bool:
    for directory in directories(cluster).values():
        store = ChunkStore(directory)
        try:
            store.verify(chunk)
        except FileNotFoundError:
            continue
        except Exception:
            return True
        finally:
            store.close()
    return False


@pytest.mark.parametrize("length", [1_000, BLOCK_BYTES + 4, 0])
def test_a_truncated_replica_is_replaced_too(cluster: LocalCluster, fs: Client, length: int) -> None:
    fs.put(DATA, "/file")
    chunk = fs.chunks("/file")[0]
    files = [directory / str(chunk.number) for node, directory in directories(cluster).items() if node in {one.node for one in chunk.holders}]
    whole = files[0].stat().st_size
    os.truncate(files[0], length)
    for _ in range(20):
        assert fs.read("/file") == DATA
    present = [directory / str(chunk.number) for directory in directories(cluster).values()]
    cluster.wait_for(
        lambda: fs.health().short == 0 and [file.stat().st_size for file in present if file.exists()] == [whole] * 2, "a whole replica"
    )


def test_a_chunk_that_nobody_has_is_an_error_that_says_so(cluster: LocalCluster, fs: Client) -> None:
    fs.put(DATA, "/file")
    for name in list(cluster.datanodes):
        cluster.kill_datanode(name)
    with pytest.raises(ChunkLost, match=r"chunk \d+ cannot be read .*/file"):
        fs.read("/file")
    cluster.wait_for(lambda: fs.health().lost == 4, "the loss to be noticed")
    with pytest.raises(FsError, match="no live DataNode"):
        fs.put(b"x", "/other")


def test_a_write_goes_on_when_a_datanode_of_the_chain_is_gone(cluster: LocalCluster, fs: Client) -> None:
    cluster.kill_datanode("datanode1")  # the NameNode still counts on it
    fs.put(DATA, "/file")
    assert fs.read("/file") == DATA
    wait_until_whole(cluster, fs)


def test_a_client_without_the_secret_is_refused(cluster: LocalCluster) -> None:
    with Client(cluster.namenode, "another", timeout_s=30.0) as stranger, pytest.raises(FsError, match="does not have the secret"):
        stranger.ls("/")


def test_a_datanode_of_another_cluster_is_refused(cluster: LocalCluster, tmp_path: Path) -> None:
    cluster.stop_datanode("datanode0")
    with LocalCluster(0, tmp_path / "other") as other:

        async def join() -> None:
            async with DataNodeServer(
                other.namenode, cluster.directory / "datanode0", secret=other.secret, heartbeat_s=QUICK_HEARTBEAT_S
            ):
                await anyio.sleep(20)

        with pytest.raises(BaseException) as raised:  # noqa: PT011  # a group of one
            anyio.run(join)
    assert "belongs to cluster" in str(single(raised.value))
    assert isinstance(single(raised.value), ClusterMismatch)


@pytest.mark.parametrize(
    ("directory", "listen", "message"),
    [("datanode0", "127.0.0.1:0", "in use by another DataNode"), ("new", "0.0.0.0:0", "nobody could call it")],
)
def test_a_datanode_that_cannot_work_says_why(cluster: LocalCluster, directory: str, listen: str, message: str) -> None:
    async def start() -> None:
        async with DataNodeServer(cluster.namenode, cluster.directory / directory, listen, cluster.secret):
            pass

    with pytest.raises(UsageError, match=message):
        anyio.run(start)


def single(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def test_a_file_larger_than_the_memory_allowed_is_streamed(cluster: LocalCluster) -> None:
    class Endless:
        """A source of 40 MB that is nowhere as a whole."""

        def __init__(self) -> None:
            self.left = 40_000_000

        def read(self, size: int) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return b"z" * size

    with cluster.client(chunk_size=5_000_000, replication=1) as fs:
        import tracemalloc

        tracemalloc.start()
        try:
            fs.put(Endless(), "/large")  # type: ignore[arg-type]
            count = sum(map(len, fs.blocks("/large")))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == 40_000_000
    assert peak < 24_000_000


def test_what_cannot_be_a_path_or_its_goal_is_explained(cluster: LocalCluster) -> None:
    with cluster.client() as fs:
        fs.mkdir("/a")
        no_path = "not an absolute path: it begins with '/', and no name in it is"
        for wrong in ("a/b", "/a/../b", "/a\0"):
            for attempt in (lambda: fs.mkdir(wrong), lambda: fs.ls(wrong), lambda: fs.mv("/a", wrong)):  # noqa: B023
                with pytest.raises(FsError, match=no_path) as caught:
                    attempt()
                assert caught.value.filename == wrong
        for goal in ("/a", "/a/b"):
            with pytest.raises(FsError, match=rf"cannot be moved into itself \({goal}\)") as caught:
                fs.mv("/a", goal)
            assert caught.value.filename == "/a"
        with pytest.raises(FsError, match="File name too long") as caught:
            fs.mv("/a", "/" + "n" * 300)
        assert caught.value.filename == "/" + "n" * 300
        fs.rm("/a")
