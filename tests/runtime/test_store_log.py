"""The log of the embedded store: what was synchronised is there or its loss is named, and what a power failure leaves is no damage."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.engine.tick import Durable
from bloompy.errors import StoreError
from bloompy.schema import parse_schema
from bloompy.stores.embedded import EmbeddedStore
from bloompy.stores.log import Log

TABLES = {"data": parse_schema("key -> value", {}.__getitem__)}
HEADER, FRAME_HEADER, SECTOR = 32, 24, 512

Rows: TypeAlias = list[tuple[Any, ...]]
Change: TypeAlias = dict[int, str]

ONES: list[Change] = [{key: f"v{key}"} for key in range(5)]
MANY: Change = dict.fromkeys(range(60), "y" * 90)


def commit(store: EmbeddedStore, change: Change) -> None:
    store.write(Durable(upserted={"data": list(change.items())}))
    store.sync()


class Run:
    """What the files of a store hold after each of some commits, and the rows.

    Args:
        directory: for the files.
        page_bytes: of the database.
        earlier: commits to the log before the one in question, whose frames remain behind its own.
        changes: the commits.
    """

    def __init__(self, directory: Path, page_bytes: int, earlier: Iterable[Change], changes: Iterable[Change]) -> None:
        self.path, self.page_bytes = directory / "run.db", page_bytes
        with sqlite3.connect(self.path, isolation_level=None) as connection:
            connection.execute(f"PRAGMA page_size = {page_bytes}")
            connection.execute("VACUUM")
        connection.close()
        store = EmbeddedStore(self.path)
        store.open(TABLES)
        for change in earlier:
            commit(store, change)
        if earlier:
            store._connected().execute("PRAGMA wal_checkpoint(PASSIVE)")
        self.main = self.path.read_bytes()
        self.before, self.rows = [self.log()], [store.load()["data"]]
        for change in changes:
            commit(store, change)
            self.before.append(self.log())
            self.rows.append(store.load()["data"])
        assert self.path.read_bytes() == self.main
        store.close()
        self.data = self.before[-1]
        self.ends = [log_end(log) for log in self.before[1:]]
        assert Log(self.data).taken == (self.ends[-1] - HEADER) / (FRAME_HEADER + page_bytes) > 4

    def log(self) -> bytes:
        return Path(f"{self.path}-wal").read_bytes()[: max(200_000, 20 * self.page_bytes)]

    def opened(self, directory: Path, log: bytes, main: bytes | None = None) -> Rows:
        """The rows that a store finds with this log."""
        path = self.laid(directory, log, main)
        store = EmbeddedStore(path)
        store._lengthen_log = lambda: None  # type: ignore[method-assign]
        try:
            store.open(TABLES)
            return store.load()["data"]
        finally:
            store.close()

    def laid(self, directory: Path, log: bytes, main: bytes | None = None) -> Path:
        path = directory / "laid.db"
        path.write_bytes(self.main if main is None else main)
        Path(f"{path}-wal").write_bytes(log)
        return path


def log_end(log: bytes) -> int:
    """The end of the frames with the salts of the header."""
    end = HEADER
    while log[end + 8 : end + 16] == log[16:24]:
        end += FRAME_HEADER + int.from_bytes(log[8:12], "big")
    return end


Maker: TypeAlias = Callable[[int, Iterable[Change], Iterable[Change]], Run]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return lambda *arguments: Run(tmp_path_factory.mktemp("run"), *arguments)


@pytest.fixture(scope="module")
def small(runs: Maker) -> Run:
    """A first log with pages of 512 bytes: each byte of it can be tried."""
    return runs(512, [], ONES)


@pytest.fixture(scope="module")
def again(runs: Maker) -> Run:
    """A log with older frames behind its own; the last commit has many."""
    return runs(512, [MANY, *ONES] * 3, [*ONES, MANY])


@pytest.fixture(scope="module")
def large(runs: Maker) -> Run:
    return runs(4096, [MANY] * 3, [*ONES, {1: "z" * 9000}])


def check_change(run: Run, directory: Path, log: bytes, at: int) -> None:
    """With a byte changed there is all that was synchronised, or an error; in the last commit it may as well be missing."""
    damaged = at < run.ends[-2]
    try:
        found = run.opened(directory, log)
    except StoreError as error:
        assert f"{directory / 'laid.db'}-wal" in str(error)
        assert "lost" in str(error)
        assert "restore the file" in str(error.hint)
        assert Path(f"{directory / 'laid.db'}-wal").read_bytes() == log  # to be copied or mended
        assert (directory / "laid.db").read_bytes() == run.main
        return
    assert not damaged or found == run.rows[-1], f"byte {at}"
    assert found in run.rows[-2:]


def changed(log: bytes, at: int, value: int) -> bytes:
    return log[:at] + bytes([value]) + log[at + 1 :]


def check_changes(run: Run, directory: Path, step: int) -> None:
    for at in (*range(0, run.ends[-2], step), *range(run.ends[-2], run.ends[-1], 50 * step)):
        for value in {0, run.data[at] ^ 1, run.data[at] ^ 0xFF} - {run.data[at]}:
            check_change(run, directory, changed(run.data, at, value), at)


@pytest.mark.parametrize("which", ["small", "again"])
def test_a_changed_byte_is_found(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    check_changes(request.getfixturevalue(which), tmp_path, 41)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["small", "again"])
def test_a_changed_byte_is_found_at_every_place(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    check_changes(request.getfixturevalue(which), tmp_path, 1)


def test_a_changed_byte_of_the_last_frames_headers_is_found(small: Run, tmp_path: Path) -> None:
    for end in small.ends[-3:-1]:
        for at in range(end - 536, end - 536 + FRAME_HEADER):
            for value in {0, small.data[at] ^ 1, small.data[at] ^ 0x80} - {small.data[at]}:
                check_change(small, tmp_path, changed(small.data, at, value), at)


def with_frames(run: Run, frames: int) -> int:
    """After which of its commits a log has so many."""
    return next(commits for commits, log in enumerate(run.before) if Log(log).taken == frames)


def test_a_changed_byte_is_found_where_a_sector_ends_behind_the_mark_of_a_commit(runs: Maker, tmp_path: Path) -> None:
    """Such a mark may be an older frame's; the rest of the frame shows that it is not."""
    run = runs(512, [], [{1: f"{number}"} for number in range(50)])
    commits = with_frames(run, 43)
    log, start = run.before[commits], HEADER + 41 * 536
    assert (start + 8) % SECTOR == 0
    assert run.ends[commits - 2] == start + 536 == run.ends[commits - 3] + 536 == run.ends[commits - 1] - 536
    for at in (*range(start, start + FRAME_HEADER), *range(start + FRAME_HEADER, start + 536, 9)):
        for value in {0, log[at] ^ 1} - {log[at]}:
            with pytest.raises(StoreError, match="1 or more"):
                run.opened(tmp_path, changed(log, at, value))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_byte_of_a_large_page_is_found(large: Run, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    at, value = data.draw(st.integers(0, large.ends[-1] - 1)), data.draw(st.integers(0, 255))
    check_change(large, tmp_path_factory.mktemp("one"), changed(large.data, at, value), at)


@pytest.mark.parametrize("lost", [(0, 512), (0, 4096), (512, 1024), (4096, 4608), (600, 4800)])
def test_lost_sectors_are_found(small: Run, tmp_path: Path, lost: tuple[int, int]) -> None:
    start, end = lost
    for filling in (b"\0", b"\xff"):
        log = small.data[:start] + filling * (end - start) + small.data[end:]
        assert end < small.ends[-2]
        with pytest.raises(StoreError, match=r"laid\.db-wal .*lost"):
            small.opened(tmp_path, log)


def test_a_main_file_that_is_gone_is_named_while_the_log_has_rows(small: Run, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"laid\.db-wal does not belong to .*laid\.db or is damaged"):
        small.opened(tmp_path, small.data, b"")
    path = small.laid(tmp_path, small.data)
    path.unlink()
    with pytest.raises(StoreError, match="what was synchronised last is lost"):
        EmbeddedStore(path).open(TABLES)
    assert not path.exists()


def test_the_message_says_where_and_how_much(small: Run, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"damaged at byte {small.ends[0] - 536}: 4 or more synchronised transactions behind it are lost"):
        small.opened(tmp_path, changed(small.data, small.ends[0] - 1, small.data[small.ends[0] - 1] ^ 1))


# --- a power failure --------------------------------------------------------------------------------------------


def test_the_mark_of_an_older_commit_in_a_torn_frame_is_no_damage(runs: Maker, tmp_path: Path) -> None:
    run = runs(512, [{1: f"{number}"} for number in range(60)], [*ONES, MANY, MANY, MANY])
    start = HEADER + 41 * 536
    commits = sum(end <= start for end in run.ends)
    before, after = run.before[commits], run.before[commits + 1]
    assert int.from_bytes(before[start + 4 : start + 8], "big") > 0 == int.from_bytes(after[start + 4 : start + 8], "big")
    missing = start // SECTOR
    log = torn(before, after, set(range(len(after) // SECTOR)) - {missing}, {})
    assert log[start : start + 8] == before[start : start + 8]
    assert log[start + 8 : start + 24] == after[start + 8 : start + 24]
    assert run.opened(tmp_path, log) == run.rows[commits]


def check_cut(run: Run, directory: Path, at: int) -> None:
    count = sum(end <= at for end in run.ends)
    for log in (run.data[:at], run.data[:at] + bytes(5_000), run.data[:at] + run.before[0][at:]):
        assert run.opened(directory, log) in (run.rows[count], *run.rows[count + 1 : count + 2]), f"cut at {at}"


@pytest.mark.parametrize("which", ["small", "again"])
def test_a_log_cut_at_any_byte_is_no_damage(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run = request.getfixturevalue(which)
    for at in range(max(0, run.ends[0] - 600), run.ends[-1], 331):
        check_cut(run, tmp_path, at)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["small", "again", "large"])
def test_a_log_cut_at_more_bytes_is_no_damage(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    run = request.getfixturevalue(which)
    for at in range(max(0, run.ends[0] - 600), run.ends[-1], 7):
        check_cut(run, tmp_path, at)


def torn(before: bytes, after: bytes, written: set[int], cuts: dict[int, int]) -> bytes:
    """A log of which some sectors were written, others up to some byte."""
    found = bytearray(before.ljust(len(after), b"\0"))
    for sector in range(0, len(after), SECTOR):
        size = SECTOR if sector // SECTOR in written else cuts.get(sector // SECTOR, 0)
        found[sector : sector + size] = after[sector : sector + size]
    return bytes(found)


@pytest.mark.parametrize("which", ["again", "large"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_sectors_written_in_any_order_are_no_damage(
    which: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    run: Run = request.getfixturevalue(which)
    commits = data.draw(st.integers(1, len(run.ends) - 1))  # the first one writes the header, which is synchronised before its frames
    before, after = run.before[commits], run.before[commits + 1]
    sectors = [at // SECTOR for at in range(0, len(after), SECTOR) if before[at : at + SECTOR] != after[at : at + SECTOR]]
    written = data.draw(st.sets(st.sampled_from(sectors)))
    cuts = data.draw(st.dictionaries(st.sampled_from(sectors), st.integers(0, SECTOR // 8).map(lambda eights: eights * 8), max_size=5))
    found = run.opened(tmp_path_factory.mktemp("torn"), torn(before, after, written, cuts))
    assert found in run.rows[commits : commits + 2]
    if written != set(sectors) and not cuts:
        assert found == run.rows[commits]


def test_a_header_half_written_over_an_old_one_is_no_damage(again: Run, tmp_path: Path) -> None:
    old, new = again.before[0], again.before[1]
    for at in range(HEADER + 1):
        assert again.opened(tmp_path, new[:at] + old[at:]) == again.rows[0]


def test_what_a_torn_commit_left_is_gone_before_the_next_one(again: Run, tmp_path: Path) -> None:
    """Else its commit frame would lie behind theirs like that of a later one."""
    first = again.ends[-2]
    log = again.data[:first] + bytes(SECTOR) + again.data[first + SECTOR :]
    assert Log(log).has_rest
    assert not Log(log).is_damaged
    path = again.laid(tmp_path, log)
    store = EmbeddedStore(path)
    store.open(TABLES)
    commit(store, {1: "new"})
    commit(store, {2: "newer"})
    copied = path.with_name("copied.db")
    copied.write_bytes(path.read_bytes())
    left = Path(f"{path}-wal").read_bytes()
    store.close()
    assert not Log(left).has_rest
    for end in (len(left), HEADER + 2 * 536 + 100):  # whole, and torn once more
        Path(f"{copied}-wal").write_bytes(left[:end])
        second = EmbeddedStore(copied)
        second.open(TABLES)
        assert (1, "new") in second.load()["data"] or end < len(left)
        second.close()


# --- the same as sqlite3 ----------------------------------------------------------------------------------------


def taken_by_sqlite(path: Path) -> int:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return int(connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])
    finally:
        connection.close()


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_sqlite_takes_the_same_frames(again: Run, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    log = bytearray(again.data)
    for at in data.draw(st.lists(st.integers(0, again.ends[-1] - 1), max_size=3)):
        log[at] = data.draw(st.integers(0, 255))
    path = again.laid(tmp_path_factory.mktemp("same"), bytes(log))
    assert Log(bytes(log), 512).taken == taken_by_sqlite(path)


def summed(order: str, data: bytes, before: tuple[int, int]) -> tuple[int, int]:
    first, second = before
    for one, other in struct.iter_unpack(f"{order}2I", data):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def big_endian(log: bytes, page_bytes: int, frames: int) -> bytes:
    """The same log as a machine of the other order of bytes would write it."""
    header = struct.pack(">I", 0x377F0683) + log[4:24]
    sums = summed(">", header, (0, 0))
    found = header + struct.pack(">2I", *sums)
    for frame in range(frames):
        start = HEADER + frame * (FRAME_HEADER + page_bytes)
        head, page = log[start : start + 8], log[start + FRAME_HEADER : start + FRAME_HEADER + page_bytes]
        sums = summed(">", page, summed(">", head, sums))
        found += head + log[16:24] + struct.pack(">2I", *sums) + page
    return found


def test_a_log_of_a_machine_with_the_other_order_of_bytes(small: Run, tmp_path: Path) -> None:
    frames = Log(small.data).taken
    log = big_endian(small.data, 512, frames)
    assert Log(log).taken == frames == taken_by_sqlite(small.laid(tmp_path, log))
    assert small.opened(tmp_path, log) == small.rows[-1]
    for at in range(0, small.ends[-2], 61):
        with pytest.raises(StoreError):
            small.opened(tmp_path, changed(log, at, log[at] ^ 1))


def test_pages_of_the_largest_size(runs: Maker, tmp_path: Path) -> None:
    run = runs(65536, [], [{1: "a"}])
    assert run.opened(tmp_path, run.data) == run.rows[-1]
    with pytest.raises(StoreError, match="damaged at byte 32"):
        run.opened(tmp_path, changed(run.data, 20_000, 1))
