"""What one partition says and does, tick by tick."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy_fs.partitioned import PartitionedNameNode
from bloompy_fs.placement import home_of, partition_of
from bloompy_fs.shares import DECIDE, PREPARE, STEPS, share_fault

PARTITIONS = (("p0",), ("p1",))
TX = 40  # what the coordinator calls its transaction; even, so it may have come from partition 0


class Partition:
    """A partition stepped by hand."""

    def __init__(self, number: int, **options: Any) -> None:
        self.program = PartitionedNameNode(f"p{number}", partition=number, partitions=PARTITIONS, **options)
        self.number, self.now, self.requests = number, 0.0, 0
        self.sent: list[tuple[str, tuple[Any, ...]]] = []
        self.settle()

    def settle(self, seconds: float = 0.0) -> None:
        """Ticks until nothing moves."""
        self.now += seconds
        for _ in range(5):
            for channel, rows in self.program.tick(self.now).sent.items():
                self.sent += [(channel, tuple(row)) for row in rows]

    def ask(self, op: str, path: str, *args: Any, again: bool = False) -> list[Any]:
        """The answers to a request."""
        self.requests += not again
        self.sent.clear()
        self.program.request.insert((f"p{self.number}", "c", "s", self.requests, self.requests, op, path, args))
        self.settle()
        return self.answers()

    def answers(self) -> list[Any]:
        """Code and result of what was answered."""
        return [row[4:] for channel, row in self.sent if channel == "response"]

    def instruct(self, step: int, op: str, path: str, *args: Any, tx: int = TX, oldest: int = 0) -> list[Any]:
        """What the partition says to the coordinator's instruction."""
        self.sent.clear()
        self.program.instruct.insert((f"p{self.number}", STEPS * tx + step, oldest, op, path, args))
        self.settle()
        return self.votes()

    def votes(self) -> list[Any]:
        """Number, code and result of what the coordinator was told."""
        return [(row[1] - STEPS * TX, *row[3:]) for channel, row in self.sent if channel == "instructed"]


def directory(home: int) -> int:
    """A number of a directory whose files are on this partition."""
    return next(fid for fid in range(100, 200) if partition_of(fid, 2) == home)


def furnished(number: int, **options: Any) -> Partition:
    """With /a at home on 0 and /b on 1, a file /a/f or /b/f."""
    partition = Partition(number, **options)
    partition.program.inode.insert((0, "a", directory(0), True, 0, 0.0), (0, "b", directory(1), True, 0, 0.0))
    partition.program.inode.insert((directory(number), "f", 10 + number, False, 1, 7.0))
    partition.program.fchunk.insert((10 + number, 0, 20 + number, 5))
    partition.program.reached.insert((30,))
    partition.settle()
    return partition


def test_the_files_of_a_directory_are_where_its_number_says() -> None:
    assert [partition_of(fid, 3) for fid in range(12)] == [2, 0, 1, 1, 2, 0, 0, 2, 1, 0, 2, 2]
    assert {partition_of(fid, 1) for fid in range(50)} == {0}
    assert [home_of(chunk, 3) for chunk in range(5)] == [0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("number", "op", "path", "args", "where"),
    [
        (0, "create", "/b/x", (1,), (1, "/b")),
        (1, "create", "/a/x", (1,), (0, "/a")),
        (0, "stat", "/b/f", (), (1, "/b")),
        (0, "exists", "/b/f/x", (), (1, "/b")),
        (0, "ls", "/b", ("", 9), (1, "/b")),
        (0, "ls", "/b/f", ("", 9), (1, "/b")),
        (1, "mkdir", "/b/x", (), (0, "")),
        (0, "mkdir", "/b/f/x", (), (1, "/b")),
        (1, "rm", "/b", (False,), (0, "")),
        (0, "rm", "/b/f", (False,), (1, "/b")),
        (0, "rename", "/b/f", ("/b/g", False, False), (1, "/b")),
        (1, "rename", "/b/f", ("/a", True, False), (0, "")),
        (1, "rename", "/b", ("/a/b", False, False), (0, "")),
        (0, "rename", "/a", ("/b/x/y", False, False), (1, "")),
        (0, "chunks", "/b/f", (0, 9), (1, "/b")),
    ],
)
def test_what_belongs_elsewhere_is_sent_there(number: int, op: str, path: str, args: tuple[Any, ...], where: tuple[int, str]) -> None:
    partition = furnished(number)
    assert partition.ask(op, path, *args) == [("EREMOTE", where)]
    assert partition.ask(op, path, *args, again=True) == [("EREMOTE", where)]
    assert not len(partition.program.transaction)


def test_what_was_sent_away_is_not_applied_when_it_comes_again_and_would_belong_here_by_now() -> None:
    partition = furnished(1)
    assert partition.ask("rm", "/b", True) == [("EREMOTE", (0, ""))]
    partition.program.inode.delete((0, "b"))
    partition.program.inode.insert((directory(1), "b", 99, False, 1, 0.0))
    partition.settle()
    assert partition.ask("rm", "/b", True, again=True) == [("EREMOTE", (0, ""))]


def test_numbers_are_unique_over_partitions() -> None:
    for number in (0, 1):
        partition = furnished(number)
        ((code, (fid,)),) = partition.ask("create", f"/{'ab'[number]}/x", 1)
        assert (code, fid % 2, fid // 2) == ("", number, 31)


def test_a_participant_votes_once_and_remembers_it() -> None:
    partition = furnished(1)
    assert partition.instruct(PREPARE, "mkdir", "/b/x") == [(0, "", ())]
    assert partition.instruct(PREPARE, "mkdir", "/b/x") == [(0, "", ())]
    assert [tuple(row) for row in partition.program.prepared] == [(TX, 31, "mkdir", "/b/x", ())]
    assert "/b/x" not in partition.program.fqpath
    assert partition.instruct(DECIDE, "decide", "/", True, 3.0, (), "") == [(1, "", (TX,))]
    assert partition.instruct(DECIDE, "decide", "/", True, 3.0, (), "") == [(1, "", (TX,))]
    assert partition.program.fqpath["/b/x"].fid == TX
    assert not len(partition.program.lock)


def test_a_participant_that_says_no_locks_nothing() -> None:
    partition = furnished(1)
    assert partition.instruct(PREPARE, "mkdir", "/b/f") == [(0, "EEXIST", ())]
    assert not len(partition.program.prepared)
    assert partition.instruct(DECIDE, "decide", "/", False, 3.0, (), "EEXIST") == [(1, "ECANCELED", ())]


def test_a_prepare_after_the_abort_is_void() -> None:
    partition = furnished(1)
    assert partition.instruct(DECIDE, "decide", "/", False, 3.0, (), "EHOSTDOWN") == [(1, "ECANCELED", ())]
    assert partition.instruct(PREPARE, "mkdir", "/b/x") == []
    assert not len(partition.program.prepared)


def test_a_prepare_that_the_log_decides_once_more_is_void() -> None:
    partition = furnished(1)
    partition.instruct(PREPARE, "mkdir", "/b/x")
    partition.instruct(DECIDE, "decide", "/", False, 3.0, (), "EEXIST")
    partition.program.decided.insert((50, "transactions", STEPS * TX + PREPARE, 0, "mkdir", "/b/x", (), 1.0))
    partition.settle()
    assert not len(partition.program.prepared)


def test_a_decision_waits_for_its_prepare() -> None:
    partition = furnished(1)
    partition.instruct(PREPARE, "mkdir", "/b/x", tx=TX - 2)
    assert partition.instruct(PREPARE, "mkdir", "/b/x") == []
    assert partition.instruct(DECIDE, "decide", "/", False, 3.0, (), "EHOSTDOWN") == []
    partition.instruct(DECIDE, "decide", "/", True, 3.0, (), "", tx=TX - 2)
    assert partition.votes()[-2:] == [(0, "EEXIST", ()), (1, "ECANCELED", ())]
    assert not len(partition.program.lock)


def coordinator_of_three() -> PartitionedNameNode:
    """Partition 0 of three, with /b at home on 1 and /c on 2."""
    coordinator = PartitionedNameNode("p0", partition=0, partitions=(("p0",), ("p1",), ("p2",)))
    homes = [next(fid for fid in range(100, 200) if partition_of(fid, 3) == home) for home in (1, 2)]
    coordinator.inode.insert((0, "b", homes[0], True, 0, 0.0), (0, "c", homes[1], True, 0, 0.0))
    coordinator.tick(0.0)
    return coordinator


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_why_a_move_fails_is_what_its_giver_says_if_both_object(order: tuple[int, int]) -> None:
    coordinator = coordinator_of_three()
    coordinator.request.insert(("p0", "c", "s", 1, 1, "rename", "/b/f", ("/c/g", False, False)))
    number = next(iter(coordinator.tick(0.0).sent["instruct"]))[1]
    answers = []
    for partition in order:
        coordinator.instructed.insert(("p0", number, partition, ["", "ENOENT", "EEXIST"][partition], ()))
        answers += coordinator.tick(0.0).sent.get("response", ())
    assert [tuple(row[4:]) for row in answers] == [("ENOENT", ())]


def test_the_coordinator_locks_what_it_has_no_share_in() -> None:
    coordinator = coordinator_of_three()
    coordinator.request.insert(("p0", "c", "s", 1, 1, "rename", "/b/f", ("/c/g", False, False)))
    sent = coordinator.tick(0.0).sent["instruct"]
    assert {(row[0], row[3], row[4], row[5]) for row in sent} == {
        ("p1", "give", "/b/f", ("/c/g",)),
        ("p2", "take", "/c/g", ("/b/f", False)),
    }
    coordinator.request.insert(("p0", "c", "t", 1, 1, "mkdir", "/c/g", ()), ("p0", "c", "u", 1, 1, "rename", "/b", ("/x", False, False)))
    for _ in range(3):
        coordinator.tick(0.0)
    assert {row.session for row in coordinator.waiting} == {"t", "u"}
    assert len(coordinator.transaction) == 1


def test_what_touches_a_locked_path_waits_and_nothing_else_does() -> None:
    partition = furnished(1)
    partition.instruct(PREPARE, "rename", "/a", "/b/a", False, False)
    assert partition.ask("create", "/b/x", 1)[0][0] == ""
    assert partition.ask("stat", "/b/f")[0][0] == ""
    assert partition.ask("create", "/b/a", 1) == []
    assert partition.ask("exists", "/b/a") == []
    assert partition.ask("ls", "/b", "", 9) == []
    partition.sent.clear()
    partition.instruct(DECIDE, "decide", "/", True, 3.0, (), "")
    answers = partition.answers()
    assert ("EEXIST", ()) in answers
    assert ("", (True,)) in answers
    assert [len(result) for code, result in answers if code == "" and result != (True,)] == [3]


def test_a_file_is_given_and_lent_and_taken_back() -> None:
    partition = furnished(1, session_sweep_s=1_000.0)
    assert partition.instruct(PREPARE, "give", "/b/f", "/a/g") == [(0, "", (11, 1, 7.0, ((0, 21, 5),)))]
    assert {row.path for row in partition.program.lock} == {"/b/f", "/a/g"}
    assert partition.instruct(DECIDE, "decide", "/", True, 3.0, (), "") == [(1, "", ())]
    assert {row.chunk for row in partition.program.lent} == {21}
    assert not len(partition.program.fchunk)
    partition.sent.clear()
    for _ in range(2):
        partition.program.returns.insert(("p1", 0, 21))
        partition.settle()
    assert not len(partition.program.lent)
    assert [row for channel, row in partition.sent if channel == "returned"] == [("p0", 21)] * 2


def test_a_chunk_is_not_taken_back_before_it_is_known_to_be_given() -> None:
    partition = furnished(1)
    partition.program.returns.insert(("p1", 0, 21))
    partition.settle()
    assert "returned" not in dict(partition.sent)


def test_a_file_is_taken_with_its_chunks_in_the_place_of_another() -> None:
    partition = furnished(1)
    cargo = (30, 2, 8.0, ((0, 40, 6), (1, 42, -1)))
    assert partition.instruct(PREPARE, "take", "/b/f", "/a/g", False) == [(0, "EEXIST", ())]
    assert partition.instruct(DECIDE, "decide", "/", False, 3.0, (), "EEXIST")[0][1] == "ECANCELED"
    partition.program.instruct.insert(("p1", STEPS * (TX + 2), 0, "take", "/b/f", ("/a/g", True)))
    partition.settle()
    partition.program.instruct.insert(("p1", STEPS * (TX + 2) + DECIDE, 0, "decide", "/", (True, 3.0, cargo, "")))
    partition.settle()
    assert partition.ask("stat", "/b/f") == [("", (30, False, 6, 2, 8.0))]
    assert {row.chunk for row in partition.program.fchunk} == {40, 42}
    assert not len(partition.program.returning)


def test_a_chunk_of_another_home_is_given_back_until_that_has_written_it_down() -> None:
    partition = furnished(1)
    partition.program.fchunk.insert((11, 1, 40, 6))
    partition.settle()
    partition.ask("rm", "/b/f", False)
    for _ in range(2):
        partition.sent.clear()
        partition.settle(1.0)
        assert ("returns", ("p0", 1, 40)) in partition.sent
    partition.program.returned.insert(("p1", 40))
    partition.settle()
    assert not len(partition.program.returning)


def test_transactions_that_ended_are_forgotten_and_stay_void() -> None:
    partition = furnished(1, session_sweep_s=5.0)
    partition.instruct(PREPARE, "mkdir", "/b/x")
    partition.instruct(DECIDE, "decide", "/", True, 3.0, (), "")
    partition.instruct(PREPARE, "mkdir", "/b/y", tx=TX + 2, oldest=TX + 2)
    partition.settle(6.0)
    partition.settle()
    assert {row.reqid // STEPS for row in partition.program.answered if row.session == "transactions"} == {TX + 2}
    assert [tuple(row) for row in partition.program.horizon] == [(TX + 2,)]
    assert partition.instruct(PREPARE, "mkdir", "/b/x") == []
    assert {row.tx for row in partition.program.prepared} == {TX + 2}


@pytest.mark.parametrize(
    ("number", "op", "path", "args"),
    [
        (0, "format", "/", ()),
        (-3, "mkdir", "/a", ()),
        (1, "mkdir", "/a", ()),
        (0, "mkdir", "a", ()),
        (0, "mkdir", "/a", (1,)),
        (0, "give", "/a", ("b",)),
        (0, "take", "/a", ("/b", 1)),
        (0, "decide", "/", (True, 1.0, (), "")),
        (1, "decide", "/", (True, 1.0, (1,), "")),
        (1, "decide", "/", (True, 1.0, (1, 1, 1.0, ((1, 2),)), "")),
        (1, "decide", "/", (True, 1, (), "")),
    ],
)
def test_an_instruction_that_makes_no_sense_does_not_get_into_the_log(number: int, op: str, path: str, args: tuple[Any, ...]) -> None:
    assert share_fault(number, op, path, args)
    partition = furnished(1)
    before = set(partition.program.reached)
    partition.program.instruct.insert(("p1", number, 0, op, path, args))
    partition.settle()
    assert set(partition.program.reached) == before
