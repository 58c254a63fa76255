"""The asynchronous client: many requests at once, threads, what it refuses to be given."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from bloompy_fs import AsyncClient, Client
from bloompy_fs.cluster import LocalCluster
from bloompy_fs.errors import FsError, FsExists, FsNotFound, FsTimeout
from tests.fs.fakes import SECRET, FakeNameNode


def test_of_many_creations_of_one_path_at_once_one_succeeds() -> None:
    outcomes: list[str] = []

    async def run(cluster: LocalCluster) -> None:
        async with AsyncClient(cluster.namenode, cluster.secret) as fs, anyio.create_task_group() as group:

            async def create() -> None:
                try:
                    await fs.create("/same")
                except FsExists:
                    outcomes.append("exists")
                else:
                    outcomes.append("created")

            for _ in range(20):
                group.start_soon(create)

    with LocalCluster(0) as cluster:
        anyio.run(run, cluster)
    assert sorted(outcomes) == ["created"] + ["exists"] * 19


def test_threads_share_a_client() -> None:
    with LocalCluster(1) as cluster, cluster.client(replication=1) as fs, ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda i: fs.put(bytes([i]) * 1_000, f"/{i}"), range(12)))
        assert list(threads.map(lambda i: fs.read(f"/{i}"), range(12))) == [bytes([i]) * 1_000 for i in range(12)]


def test_sources_and_targets_of_every_kind(tmp_path: Any) -> None:
    with LocalCluster(1) as cluster, cluster.client(replication=1) as fs:
        fs.mkdir("/d")
        (tmp_path / "a.txt").write_bytes(b"from a path")
        assert fs.put(tmp_path / "a.txt", "/d").path == "/d/a.txt"
        assert fs.put(str(tmp_path / "a.txt"), "/d/b.txt").size == 11
        assert fs.put(io.BytesIO(b"from a file object"), "/d/c.txt").size == 18
        target = io.BytesIO()
        assert fs.cat("/d/c.txt", target) == 18
        assert target.getvalue() == b"from a file object"
        assert fs.get("/d/a.txt", tmp_path, replace=True) == 11
        assert fs.append(b", longer", "/d/a.txt").size == 19
        assert fs.read("/d/a.txt") == b"from a path, longer"
        assert fs.mv("/d/a.txt", "/e.txt") == "/e.txt"
        assert fs.mv("/e.txt", "/d") == "/d/e.txt"
        assert b"".join(fs.blocks("/d/e.txt", 5, 6)) == b"a path"
        with fs.open("/d/e.txt") as file:
            assert [file.readline(), file.read()] == [b"from a path, longer", b""]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"chunk_size": 0}, "chunk_size=0"), ({"replication": 0}, "replication=0"), ({"replication": 513}, "1 to 512")],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Client("127.0.0.1:1", **options)


def test_a_closed_client_says_so() -> None:
    client = Client("127.0.0.1:1")
    client.close()
    with pytest.raises(ValueError, match="the client is closed"):
        client.ls("/")


def test_what_a_namenode_has_not_heard_of_since_its_start_is_waited_for() -> None:
    with LocalCluster(1, heartbeat_s=1.0) as cluster, cluster.client(replication=1) as fs:
        fs.put(b"contents", "/a")
        cluster.kill_namenode()
        cluster.start_namenode()
        assert fs.read("/a") == b"contents"


def test_a_put_that_fails_names_the_path_of_the_user() -> None:
    with LocalCluster(0) as cluster, cluster.client() as fs:
        with pytest.raises(FsNotFound, match=r"No such file or directory: '/missing/a'$"):
            fs.put(b"contents", "/missing/a")
        with pytest.raises(FsError, match=r"no live DataNode to write to: '/a'$"):
            fs.put(b"contents", "/a")
        assert fs.ls("/") == []


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_a_put_may_leave_behind_is_said() -> None:
    def answer(row: Any) -> tuple[str, tuple[Any, ...]] | None:
        return {"stat": ("ENOENT", ()), "create": ("", (2,))}.get(row.op)

    async with FakeNameNode(answer) as namenode, AsyncClient(namenode.address, SECRET, timeout_s=2.0) as fs:
        start = time.monotonic()
        with pytest.raises(FsTimeout, match=r"may or may not have been done.*; /d/\.a\..*\.part may be left behind: '/d/a'$"):
            await fs.put(b"contents", "/d/a")
        assert time.monotonic() - start < 5.0
        assert namenode.asked[-1].op == "rm"


class _Broken(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise ValueError("broken")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_a_put_may_leave_behind_is_noted_on_errors_of_others() -> None:
    def answer(row: Any) -> tuple[str, tuple[Any, ...]] | None:
        return {"stat": ("ENOENT", ()), "create": ("", (2,))}.get(row.op)

    async with FakeNameNode(answer) as namenode, AsyncClient(namenode.address, SECRET, timeout_s=0.5) as fs:
        with pytest.raises(ValueError, match="broken") as caught:
            await fs.put(_Broken(), "/d/a")  # type: ignore[arg-type]
        assert caught.value.__notes__[0].endswith(".part may be left behind")
