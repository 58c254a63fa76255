"""What a client of several partitions says where they are not as it was told."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any

import pytest

from bloompy.tools.servers import free_addresses
from bloompy_fs import AsyncClient, Client
from bloompy_fs.cluster import LocalCluster
from bloompy_fs.errors import FsError, FsTimeout
from bloompy_fs.protocol import REMOTE
from bloompy_fs.routing import Routing
from tests.fs.fakes import SECRET, Answer, FakeNameNode, done, silent


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def to(where: int) -> Answer:
    return lambda row: (REMOTE, (where, ""))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([to(1)], "has 2 partitions or more, and 1 was named; name the NameNodes of all, with ';' between"),
        ([to(0)], "has 2 partitions or more, and 1 was named"),
        ([to(2), done], "has 3 partitions or more, and 2 were named"),
        ([to(1), to(1)], "was named as partition 1, and is another; name all partitions, in the order"),
        ([to(1), to(0)], "sent it on 20 times, and none took it"),
    ],
)
async def test_namenodes_that_do_not_fit_what_was_named_end_a_request(answers: list[Answer], message: str) -> None:
    async with FakeNameNode(answers[0]) as zero, FakeNameNode(answers[-1]) as one:
        groups = tuple((fake.address,) for fake in (zero, one)[: len(answers)])
        async with Routing(groups, SECRET, 30.0) as routing:
            with pytest.raises(FsError, match=message) as caught:
                await routing.ask("mkdir", "/a")
        assert (caught.value.errno, caught.value.filename) == (errno.EREMOTE, "/a")


@pytest.mark.anyio
@pytest.mark.parametrize(("op", "more"), [("health", "between partitions"), ("mkdir", "between partitions; the request was carried out")])
async def test_replicas_that_were_named_as_partitions_are_told_from_them(op: str, more: str) -> None:
    async with (
        FakeNameNode(done) as leader,
        FakeNameNode(done, name=leader.address) as other,
        Routing(((other.address,), (leader.address,)), SECRET, 30.0) as routing,
    ):
        with pytest.raises(FsError, match=f"write ',' between replicas, and ';' only {more}"):
            await routing.ask(op, "/a")


@pytest.mark.anyio
async def test_the_partition_that_is_down_is_named() -> None:
    def waits_for_the_other(row: Any) -> tuple[str, tuple[Any, ...]] | None:
        return None if row.op == "mkdir" else done(row)

    (dead,) = free_addresses(1)
    async with FakeNameNode(waits_for_the_other) as zero, Routing(((zero.address,), (dead,)), SECRET, 0.5) as routing:
        message = rf"nothing is heard from partition 1 \({dead}\); it may or may not have been done"
        with pytest.raises(FsTimeout, match=message):
            await routing.ask("mkdir", "/a")
        zero.answer = lambda row: ("EHOSTDOWN", ()) if row.op == "mkdir" else done(row)
        with pytest.raises(FsError, match=rf"nothing is heard from partition 1 \({dead}\), which has to take part; nothing was done"):
            await routing.ask("mkdir", "/a")
        zero.answer = silent
        both = rf"nothing is heard from partition 0 \({zero.address}\), partition 1 \({dead}\); it may"
        with pytest.raises(FsTimeout, match=both):
            await routing.ask("mkdir", "/a")


@pytest.mark.anyio
async def test_a_partition_of_unknown_hosts_hides_no_other() -> None:
    async with FakeNameNode(done) as zero, AsyncClient(f"{zero.address};unknown.invalid:4001", SECRET) as fs:
        await fs.mkdir("/a")


def test_partitions_that_were_named_wrongly(tmp_path: Path) -> None:
    with LocalCluster(0, tmp_path, partitions=2) as cluster:
        zero, one = cluster.namenode.split(";")
        with cluster.client() as fs:
            for i in range(6):
                fs.mkdir(f"/d{i}")
        start = time.monotonic()
        for named, message in [
            (zero, "2 partitions or more, and 1 was named"),
            (one, "2 partitions or more, and 1 was named"),
            (f"{zero},{one}", "2 partitions or more, and 1 was named"),
            (f"{one};{zero}", "was named as partition ., and is another"),
        ]:
            with Client(named, cluster.secret) as fs, pytest.raises(FsError, match=message):
                for i in range(6):
                    fs.ls(f"/d{i}")
        assert time.monotonic() - start < 20
