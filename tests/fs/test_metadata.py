"""What a client sends to NameNodes that are silent, slow, strange or back."""

from __future__ import annotations

import asyncio
import errno
import time
from typing import Any

import anyio
import pytest
from attrs import evolve

from bloompy.errors import NodeStopped
from bloompy.tools.servers import free_addresses
from bloompy_fs import metadata
from bloompy_fs.errors import FsError, FsTimeout
from bloompy_fs.metadata import Metadata
from tests.fs.fakes import SECRET, FakeNameNode, done, silent

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_search_of_silent_namenodes_never_slows_down_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "PATIENCE", evolve(metadata.PATIENCE, searches=3))
    async with FakeNameNode(silent) as one, FakeNameNode(silent) as two:
        async with Metadata([one.address, two.address], SECRET, 4.0) as asking:
            with pytest.raises(FsTimeout):
                await asking.ask("mkdir", "/a")
        times = sorted(one.times + two.times)
        gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        assert max(gaps[3:]) < 1.5 * metadata.PATIENCE.slow_search_s + 0.2
        assert len({row.reqid for row in one.asked + two.asked}) == 1


@pytest.mark.parametrize("count", [1, 3])
async def test_a_client_is_served_soon_after_an_outage(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(metadata, "PATIENCE", evolve(metadata.PATIENCE, searches=3))
    addresses = free_addresses(count)
    async with Metadata(addresses, SECRET, 20.0) as asking, anyio.create_task_group() as group:
        back_at = 0.0

        async def wait() -> None:
            assert await asking.ask("mkdir", "/a") == (1,)
            assert time.monotonic() - back_at < 2.4

        group.start_soon(wait)
        await asyncio.sleep(4.0)
        async with FakeNameNode(done, listen=addresses[-1]):
            back_at = time.monotonic()
            while asking._waiting:
                await asyncio.sleep(0.01)


async def test_an_answer_counts_whoever_it_comes_from_and_however_late() -> None:
    async with (
        FakeNameNode(silent) as slow,
        FakeNameNode(silent) as other,
        Metadata([slow.address, other.address], SECRET, 20.0) as asking,
        anyio.create_task_group() as group,
    ):
        group.start_soon(asking.ask, "mkdir", "/a")
        while not other.asked:
            await asyncio.sleep(0.01)
        slow.reply(slow.asked[0], "", (1,))
        while asking._waiting:
            await asyncio.sleep(0.01)
        assert asking.target == slow.address


async def test_what_a_namenode_that_answers_others_is_slow_with_is_not_asked_of_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "PATIENCE", evolve(metadata.PATIENCE, silent_s=1.0))  # so that a busy machine does not look like silence

    def others_only(row: Any) -> tuple[str, tuple[Any, ...]] | None:
        return None if row.path == "/slow" else done(row)

    async with (
        FakeNameNode(others_only) as one,
        FakeNameNode(done) as two,
        Metadata([one.address, two.address], SECRET, 20.0) as asking,
        anyio.create_task_group() as group,
    ):
        group.start_soon(asking.ask, "ls", "/slow")
        end = time.monotonic() + 2.2
        while time.monotonic() < end:
            await asking.ask("ls", "/")
        asked = [row for row in one.asked if row.path == "/slow"]
        assert 2 <= len(asked) <= 4
        assert two.asked == []
        one.reply(asked[0], "", ())


async def test_while_all_are_silent_the_oldest_request_searches_and_the_others_follow() -> None:
    async with FakeNameNode(silent) as dead, FakeNameNode(done) as leader:
        async with Metadata([dead.address, leader.address], SECRET, 20.0) as asking, anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(asking.ask, "mkdir", f"/{number}")
        assert len({row.reqid for row in leader.asked}) == 50
        assert len(leader.asked) < 120


async def test_a_host_that_is_not_known_hides_no_other() -> None:
    async with FakeNameNode(done) as one, Metadata(["unknown.invalid:4001", one.address], SECRET, 10.0) as asking:
        assert await asking.ask("mkdir", "/a") == (1,)


async def test_a_write_that_timed_out_may_have_been_done() -> None:
    async with FakeNameNode(silent) as one, Metadata([one.address], SECRET, 0.1) as asking:
        with pytest.raises(FsTimeout, match="did not answer in 0.1 s; it may or may not have been done; does it run"):
            await asking.ask("mkdir", "/a")
        with pytest.raises(FsTimeout, match="did not answer in 0.1 s; does it run"):
            await asking.ask("ls", "/a")


@pytest.mark.parametrize(("mine", "theirs"), [(SECRET, b"another"), (SECRET, None), (None, SECRET)])
async def test_a_wrong_secret_ends_a_request_at_once(mine: bytes | None, theirs: bytes | None) -> None:
    async with (
        FakeNameNode(done, secret=theirs) as one,
        FakeNameNode(done, secret=theirs) as two,
        Metadata([one.address, two.address], mine, 30.0) as asking,
    ):
        for _ in range(2):
            start = time.monotonic()
            with pytest.raises(FsError, match="does not have the secret of this client") as caught:
                await asking.ask("ls", "/")
            assert (caught.value.errno, caught.value.filename) == (errno.EACCES, "/")
            assert time.monotonic() - start < 5.0


async def test_one_namenode_with_another_secret_hides_no_other() -> None:
    async with (
        FakeNameNode(done, secret=b"another") as one,
        FakeNameNode(done) as two,
        Metadata([one.address, two.address], SECRET, 10.0) as asking,
    ):
        assert await asking.ask("ls", "/") == (1,)
        assert asking.target == two.address


async def test_what_no_message_can_hold_is_said_at_once() -> None:
    async with FakeNameNode(done) as one, Metadata([one.address], SECRET, 30.0) as asking:
        with pytest.raises(FsError, match="no message can hold this request"):
            await asking.ask("ls", "/\udc80")


async def test_a_client_that_is_closed_leaves_nobody_waiting() -> None:
    async with FakeNameNode(silent) as one:
        async with Metadata([one.address], SECRET, 30.0) as asking:
            waiting = asyncio.ensure_future(asking.ask("ls", "/"))
            await asyncio.sleep(0.05)
        with pytest.raises(NodeStopped, match="closed"):
            await waiting
        with pytest.raises(NodeStopped):
            await asking.ask("ls", "/")
