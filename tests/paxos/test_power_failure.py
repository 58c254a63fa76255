"""Power failure of all replicas at any moment and any byte of their logs: what was answered is there, what was promised is kept.

A run is recorded; then for each moment the disks as they were are given to a new group.
"""

from __future__ import annotations

import shutil
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bloompy.engine.tick import Durable
from bloompy.program import machine_of
from bloompy.sim import Simulation
from bloompy.sim.disk import DiskStore
from bloompy.stores.embedded import EmbeddedStore
from tests.paxos.groups import ABC, Customer, Store, group, leader

Tables = dict[str, set[Any]]
LOG_HEADER, FRAME_HEADER = 32, 24


class Recording:
    """A run of a group on the simulation's disks and, beside them, on real stores.

    Args:
        directory: for the files of the real stores; without one there are none.

    Attributes:
        moments: who synchronised, in order, and how many requests were answered before.
        states: by node, the durable rows after each of its synchronisations, the first being those of the beginning.
        records: by node, what the simulation's disk holds: a record a synchronisation.
        ends: by node, the length of the real store's log after each of its synchronisations.
        answered: the (session, number) of the requests in the order in which they were answered.
        said: by node and synchronisation, the promises and votes in what it sent after it and before the next.
    """

    def __init__(self, directory: Path | None, writes: int) -> None:
        self.directory = directory
        self.sim = Simulation(4, trace=False)
        self.moments: list[tuple[str, int]] = []
        self.states: dict[str, list[Tables]] = {}
        self.ends: dict[str, list[int]] = {}
        self.answered: list[tuple[str, int]] = []
        self.said: dict[str, list[tuple[int, Any]]] = {name: [] for name in ABC}
        nodes = group(self.sim, batch_commands=2, keep=4)
        for node in nodes:
            self._record(node)
        self._run(nodes, writes)
        self.records = {node.address: list(node.disk._records) for node in nodes}

    def _run(self, nodes: list[Any], writes: int) -> None:
        head = leader(self.sim, nodes)
        x = Customer(self.sim, "x")
        for number in range(writes):
            answers = [x.send(head.address, "write", ("put", f"k{number % 3}", (number, one)), acked=1) for one in range(3)]
            self.sim.run_until(lambda answers=answers: all(answer.done() for answer in answers), limit_s=5)
            self.answered += [(x.name, answer.result().number) for answer in answers]
            if number == writes // 2:
                head.pause(0.5)  # another leads, so there are votes of two ballots
                self.sim.run(for_s=1)
                head = leader(self.sim, nodes)

    def _record(self, node: Any) -> None:
        tables: Tables = {one.name: set() for one in node.machine.program.collections if one.durable}
        states = self.states[node.address] = [{name: set() for name in tables}]
        ends = self.ends[node.address] = []
        inner = node.driver._store
        real = self._real_store(node)
        write, sync, told = inner.write, inner.sync, node.tell_ticks

        def writing(change: Durable) -> None:
            write(change)
            if real is not None:
                real.write(change)
            schemas = {one.name: one.schema for one in node.machine.program.collections}
            for name, keys in change.deleted.items():
                gone = set(keys)
                tables[name] = {row for row in tables[name] if schemas[name].key_of(row) not in gone}
            for name, rows in change.upserted.items():
                new = {schemas[name].key_of(row): tuple(row) for row in rows}
                tables[name] = {row for row in tables[name] if schemas[name].key_of(row) not in new} | set(new.values())

        def synchronising() -> None:
            sync()
            if real is not None:
                real.sync()
                ends.append(log_end(Path(real.path + "-wal")))
            states.append({name: set(rows) for name, rows in tables.items()})
            self.moments.append((node.address, len(self.answered)))

        def telling() -> None:
            for _, tick in node._unsafe:
                for channel in ("log.p1b", "log.p2b"):
                    self.said[node.address] += [(len(states) - 1, row) for row in tick.sent.get(channel, ())]
            told()

        inner.write, inner.sync, node.tell_ticks = writing, synchronising, telling
        node.driver._commit = node.driver._write

    def _real_store(self, node: Any) -> EmbeddedStore | None:
        if self.directory is None:
            return None
        store = EmbeddedStore(self.directory / node.address)
        store.open({one.name: one.schema for one in node.machine.program.collections if one.durable})
        store.load()
        return store

    def counts(self, moment: int) -> dict[str, int]:
        """How often each node has synchronised before a moment."""
        names = [name for name, _ in self.moments[:moment]]
        return {name: names.count(name) for name in ABC}


def log_end(path: Path) -> int:
    """The length of the frames that are in a log of sqlite3, which is longer: https://sqlite.org/fileformat2.html#walformat"""
    data = path.read_bytes()
    frame = FRAME_HEADER + int.from_bytes(data[8:12], "big")
    end = LOG_HEADER
    while data[end + 8 : end + 16] == data[16:24]:
        end += frame
    return end


def recover(tables: dict[str, Any], torn: str = "", record: bytes = b"") -> tuple[Simulation, list[Any]]:
    """A new group that begins with these rows on its disks, one of which has half a record at its end as well."""
    sim = Simulation(9, trace=False)
    nodes = group(sim, batch_commands=2, keep=4)
    for node in nodes:
        node.crash()
        store = DiskStore(node.disk, Store, lambda point, data: None)
        store.open({one.name: one.schema for one in machine_of(node.program).program.collections if one.durable})
        store.write(Durable(upserted={name: sorted(rows, key=repr) for name, rows in tables[node.address].items()}))
        store.sync()
        if node.address == torn:
            node.disk.tear(record)
    for node in nodes:
        node.restart()
    return sim, nodes


def check_recovered(tables: dict[str, Any], answered: Iterable[Any], torn: str = "", record: bytes = b"") -> None:
    """The group comes up, has every request that was answered, and goes on."""
    sim, nodes = recover(tables, torn, record)
    head = leader(sim, nodes, 5)
    assert Customer(sim, "late").now(head.address, "write", ("put", "k", "late")) == "late"
    sim.run(for_s=0.3)
    for node in nodes:
        there = {(row.session, row.number) for row in node.program.journal}
        assert set(answered) <= there
        assert ("late", 1) in there
    assert head.program.kvs.store.rows() == nodes[0].program.kvs.store.rows() == nodes[2].program.kvs.store.rows()


def check_said(recording: Recording, name: str, count: int, tables: Any) -> None:
    """A node that has synchronised so often has on disk what it had said of promises and votes."""
    promised = max((row[0] for row in tables["log.promised"]), default=(0, ""))
    votes = {row[0]: row[1] for row in tables["log.vote"]}
    cut = max((row[0] for row in tables["log.truncated"]), default=0)
    for when, row in recording.said[name]:
        if when <= count:
            ballot = row[2]
            assert promised >= ballot, f"{name} said {row}"
            if len(row) == 4:
                assert row[3] <= cut or votes[row[3]] >= ballot, f"{name} said {row}"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return Recording(tmp_path_factory.mktemp("stores"), 10)


def moments(recording: Recording, step: int) -> list[int]:
    return list(range(0, len(recording.moments) + 1, step))


def fail_at(recording: Recording, moment: int) -> None:
    """All lose power while the next one that synchronises does so; half of its record is on its disk."""
    counts = recording.counts(moment)
    tables = {name: recording.states[name][count] for name, count in counts.items()}
    for name, count in counts.items():
        check_said(recording, name, count, tables[name])
    torn, answered = recording.moments[min(moment, len(recording.moments) - 1)]
    before = recording.moments[moment - 1][1] if moment else 0
    check_recovered(tables, recording.answered[:before], torn, recording.records[torn][-1])
    assert before <= answered


def test_the_group_recovers_whenever_the_power_fails(recording: Recording) -> None:
    assert len(recording.moments) > 40
    ballots = {ballot for states in recording.states.values() for tables in states for _, ballot, _ in tables["log.vote"]}
    assert len(ballots) == 2
    for moment in moments(recording, 9):
        fail_at(recording, moment)


@pytest.mark.slow
def test_the_group_recovers_whenever_the_power_fails_at_every_moment(recording: Recording) -> None:
    for moment in moments(recording, 1):
        fail_at(recording, moment)


# --- the real store ----------------------------------------------------------------------------------------------


def cut_store(recording: Recording, name: str, length: int, directory: Path, rest: bytes = b"") -> dict[str, set[Any]]:
    """What a node finds that starts with the first bytes of its log, and others after them."""
    assert recording.directory is not None
    source = recording.directory / name
    target = directory / "store"
    for old in directory.glob("store*"):
        old.unlink()
    shutil.copyfile(source, target)
    with open(f"{source}-wal", "rb") as log:
        Path(f"{target}-wal").write_bytes(log.read(length) + rest)
    store = EmbeddedStore(target)
    store._lengthen_log = lambda: None  # type: ignore[method-assign]
    store.open({one.name: one.schema for one in Store.program_ir.collections if one.durable})
    found = {table: set(map(tuple, rows)) for table, rows in store.load().items()}
    store.close()
    return found


def lengths(recording: Recording, name: str, step: int) -> list[int]:
    """Where to cut: each end of a synchronisation and the bytes beside it, and others in between."""
    ends = recording.ends[name]
    found = {end + offset for end in ends for offset in (-1, 0, 1)}
    found |= set(range(ends[0], ends[-1], step))
    return sorted(one for one in found if ends[0] <= one <= ends[-1])


def check_cuts(recording: Recording, name: str, step: int, directory: Path) -> None:
    ends = recording.ends[name]
    for length in lengths(recording, name, step):
        count = bisect_right(ends, length)
        for rest in (b"", b"\xa5" * 5_000):
            found = cut_store(recording, name, length, directory, rest)
            assert found == recording.states[name][count], f"{name}, cut at {length}: not the rows of synchronisation {count}"
        check_said(recording, name, count, found)


def test_a_log_cut_at_any_byte_holds_what_was_synchronised_before(recording: Recording, tmp_path: Path) -> None:
    for name in ABC:
        check_cuts(recording, name, 20_011, tmp_path)


@pytest.mark.slow
def test_a_log_cut_at_any_byte_holds_what_was_synchronised_before_at_more_of_them(recording: Recording, tmp_path: Path) -> None:
    for name in ABC:
        check_cuts(recording, name, 97, tmp_path)


def recover_cut(recording: Recording, moment: int, part: float, directory: Path) -> None:
    """All lose power when the next one has written some of its frames, on real stores."""
    counts = recording.counts(moment)
    writing, _ = recording.moments[moment]
    found = {}
    for name, count in counts.items():
        ends = recording.ends[name]
        length = ends[count - 1] if count else LOG_HEADER
        if name == writing:
            length += int((ends[count] - length - 1) * part)
        if count:
            found[name] = cut_store(recording, name, length, directory)
        else:
            found[name] = recording.states[name][0]
    before = recording.moments[moment - 1][1] if moment else 0
    check_recovered(found, recording.answered[:before])


def test_the_group_recovers_from_cut_logs(recording: Recording, tmp_path: Path) -> None:
    for moment in moments(recording, 13)[1:-1]:
        recover_cut(recording, moment, (moment % 10) / 10, tmp_path)


@pytest.mark.slow
def test_the_group_recovers_from_cut_logs_at_every_moment(recording: Recording, tmp_path: Path) -> None:
    for moment in moments(recording, 1)[1:-1]:
        for part in (0.0, 0.3, 0.7, 1.0):
            recover_cut(recording, moment, part, tmp_path)
