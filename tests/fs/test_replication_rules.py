"""Membership and the replication invariant, tick by tick."""

from __future__ import annotations

import pytest

from .ticks import Stepped

LENGTH = 100


class Replicated(Stepped):
    """A NameNode that checks replication every second and acts at once, out of safe mode, with DataNodes that beat by themselves."""

    def __init__(self, datanodes: int = 4, **options: float) -> None:
        options = {"repair_s": 1.0, "sweep_s": 1.0, "retention_s": 5.0, "propagation_s": 0.0, "order_timeout_s": 10.0} | options
        super().__init__(datanodes, **options)
        self.alive = {f"d{i}" for i in range(datanodes)}

    def second(self) -> list[tuple[str, str, int, str]]:
        """One second passes; returns the orders given: to whom, kind, chunk, target."""
        self.commands.clear()
        for node in sorted(self.alive):
            self.beat(node)
        self.tick(1.0)
        self.tick()
        self.tick()
        return sorted((address.split(":")[0], kind, chunk, target.split(":")[0]) for address, _, kind, chunk, target, _ in self.commands)

    def file(self, path: str, replication: int, *holders: str) -> int:
        """A file of one chunk that these DataNodes stored; returns the chunk."""
        self.ask("create", path, replication)
        chunk, _ = self.ask("addchunk", path, "nowhere", ())
        self.ask("commit", path, chunk, LENGTH, holders)
        for node in holders:
            self.report(node, chunk, LENGTH)
        self.tick()
        self.tick()
        return chunk

    def holders(self, path: str) -> list[str]:
        (row,) = self.ask("chunks", path, 0, 10)
        return [node for node, _, _ in row[3]]


def test_a_chunk_that_is_short_is_copied_from_a_holder_to_others() -> None:
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 3, "d0")
    assert cluster.second() == []  # it is only noticed
    orders = cluster.second()
    assert [(source, kind, number) for source, kind, number, _ in orders] == [("d0", "copy", chunk)] * 2
    assert len({target for *_, target in orders}) == 2
    assert "d0" not in {target for *_, target in orders}


def test_an_order_is_given_once_until_it_is_done_or_too_old() -> None:
    cluster = Replicated(order_timeout_s=4.0)
    cluster.second()
    chunk = cluster.file("/f", 2, "d0")
    cluster.second()
    ((_, _, _, target),) = cluster.second()
    assert [cluster.second() for _ in range(4)] == [[]] * 4
    again = cluster.second() + cluster.second()
    assert [(source, kind, number) for source, kind, number, _ in again] == [("d0", "copy", chunk)]
    cluster.report(again[0][3], chunk, LENGTH)
    assert [cluster.second() for _ in range(8)] == [[]] * 8
    assert cluster.holders("/f") == sorted(["d0", target])


def test_a_chunk_waits_for_the_propagation_time() -> None:
    cluster = Replicated(propagation_s=3.0)
    cluster.second()
    cluster.file("/f", 2, "d0")
    orders = [cluster.second() for _ in range(5)]
    assert [bool(given) for given in orders] == [False, False, False, True, False]


def test_a_datanode_that_falls_silent_is_given_up_by_the_namenodes_clock() -> None:
    cluster = Replicated()
    cluster.second()
    cluster.file("/f", 2, "d0", "d1")
    cluster.alive.remove("d0")
    for _ in range(5):
        cluster.second()
    assert "d0" in cluster.namenode.datanode
    cluster.second()
    assert "d0" not in cluster.namenode.datanode
    assert cluster.holders("/f") == ["d1"]
    assert not [row for row in cluster.namenode.hb_chunk if row.node == "d0"]
    assert [order[:2] for order in cluster.second() + cluster.second()] == [("d1", "copy")]


def test_the_fullest_surplus_replicas_are_deleted_and_told_again_until_gone() -> None:
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 2, "d0", "d1", "d2")
    orders = cluster.second()
    ((victim, kind, number, _),) = orders
    assert (kind, number) == ("delete", chunk)
    assert len(cluster.holders("/f")) == 2
    assert cluster.second() == orders
    cluster.report(victim, chunk, 0, "gone")
    cluster.tick()
    assert cluster.second() == []
    assert cluster.second() == []
    assert not len(cluster.namenode.condemned)


def test_a_chunk_of_no_file_is_deleted() -> None:
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 1, "d0")
    cluster.ask("rm", "/f", False)
    assert cluster.second() == [("d0", "delete", chunk, "")]


def test_a_chunk_being_written_is_no_garbage() -> None:
    cluster = Replicated()
    cluster.second()
    cluster.ask("create", "/f", 1)
    chunk, _ = cluster.ask("addchunk", "/f", "nowhere", ())
    cluster.report("d0", chunk, LENGTH)
    assert [cluster.second() for _ in range(3)] == [[]] * 3
    assert cluster.ask("chunks", "/f", 0, 10) == ()
    cluster.ask("commit", "/f", chunk, LENGTH, ("d0",))
    assert cluster.holders("/f") == ["d0"]


@pytest.mark.parametrize(("length", "state"), [(LENGTH, "corrupt"), (LENGTH - 1, "ok")])
def test_a_bad_replica_goes_only_when_a_whole_one_is_there(length: int, state: str) -> None:
    cluster = Replicated(datanodes=2)
    cluster.second()
    chunk = cluster.file("/f", 2, "d0", "d1")
    cluster.report("d0", chunk, length, state)
    cluster.tick()
    assert cluster.holders("/f") == ["d1"]
    cluster.report("d1", chunk, length, state)
    cluster.tick()
    assert cluster.second() == []  # both bad: neither is deleted
    assert cluster.ask("health", "/")[2] == 1
    cluster.report("d1", chunk, LENGTH)
    cluster.tick()
    assert ("d0", "delete", chunk, "") in cluster.second()
    cluster.report("d0", chunk, 0, "gone")
    cluster.tick()
    orders = [order for _ in range(3) for order in cluster.second()]
    assert ("d1", "copy", chunk, "d0") in orders


def test_nothing_is_done_in_safe_mode() -> None:
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 2, "d0")
    restarted = Replicated(datanodes=0, safe_timeout_s=6.0)
    tables = ("inode", "fchunk", "reached", "epoch", "cluster", "answered", "session")
    for name in tables:
        getattr(restarted.namenode, name).upsert(*getattr(cluster.namenode, name))
    restarted.alive = {"d0", "d1"}
    restarted.namenode.safe_mode.upsert((restarted.now,))
    restarted.tick()
    restarted.tick()
    assert restarted.ask("health", "/", session="t") == (1, 1, 1, True)
    restarted.second()
    restarted.report("d1", 1, LENGTH)  # of no file
    assert [restarted.second() for _ in range(3)] == [[]] * 3
    restarted.report("d0", chunk, LENGTH)
    orders = [order for _ in range(4) for order in restarted.second()]
    assert ("d0", "copy", chunk, "d1") in orders
    assert ("d1", "delete", 1, "") in orders


def test_safe_mode_ends_by_time_when_chunks_stay_away() -> None:
    cluster = Replicated(datanodes=1, safe_timeout_s=6.0)
    cluster.file("/f", 1, "d0")
    cluster.alive.clear()
    cluster.namenode.hb_chunk.delete(*[(row.node, row.chunk) for row in cluster.namenode.hb_chunk])
    cluster.namenode.safe_mode.upsert((cluster.now,))
    told = []
    for _ in range(8):
        cluster.second()
        told.append(cluster.ask("health", "/")[3])
    assert told == [True] * 6 + [False] * 2


def test_reports_count_only_under_the_present_registration() -> None:
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 2, "d0")
    old = cluster.namenode.datanode["d1"].registration
    cluster.beat("d1", incarnation=2)  # it has restarted
    cluster.report("d1", chunk, LENGTH)
    cluster.tick()
    cluster.tick()
    assert cluster.namenode.datanode["d1"].registration != old
    cluster.namenode.report.insert(("nn", "d1", 1, 999, chunk, "d1:1", old, LENGTH, "ok"))
    cluster.acks.clear()
    cluster.tick()
    assert cluster.acks == []
    assert cluster.holders("/f") == ["d0"]
    cluster.report("d1", chunk, LENGTH, incarnation=2)
    cluster.tick()
    assert len(cluster.acks) == 1
    assert cluster.holders("/f") == ["d0", "d1"]


def test_a_restarted_datanode_that_has_lost_its_disk_holds_nothing() -> None:
    cluster = Replicated()
    cluster.second()
    cluster.file("/f", 2, "d0", "d1")
    cluster.beat("d1", incarnation=2)
    cluster.tick()
    assert cluster.holders("/f") == ["d0"]


def test_of_two_reports_in_a_tick_the_newest_counts() -> None:
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 2, "d0")
    cluster.report("d1", chunk, LENGTH)
    cluster.report("d1", chunk, LENGTH, "corrupt")
    cluster.tick()
    cluster.tick()
    assert cluster.namenode.hb_chunk["d1", chunk].state == "corrupt"


@pytest.mark.parametrize("state", ["corrupt", "gone"])
def test_a_report_that_was_overtaken_is_neither_believed_nor_acknowledged(state: str) -> None:
    """The DataNode has had its newer report acknowledged: it would never say it again."""
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 2, "d0")
    cluster.report("d1", chunk, LENGTH)
    (overtaken,) = cluster.tick().inserted["report"]
    cluster.report("d1", chunk, LENGTH, state)
    cluster.tick()
    cluster.tick()
    assert cluster.holders("/f") == ["d0"]
    cluster.acks.clear()
    cluster.namenode.report.insert(overtaken)
    cluster.tick()
    cluster.tick()
    assert cluster.acks == []
    assert cluster.holders("/f") == ["d0"]
    cluster.report("d1", chunk, LENGTH)
    cluster.tick()
    assert len(cluster.acks) == 1
    assert cluster.holders("/f") == ["d0", "d1"]


def test_a_datanode_given_up_leaves_nothing_behind() -> None:
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 2, "d0", "d1")
    cluster.report("d1", chunk, LENGTH)
    cluster.tick()
    cluster.alive.remove("d1")
    for _ in range(8):
        cluster.second()
    for name in ("datanode", "heard", "hb_chunk", "reported"):
        assert "d1" not in {row.node for row in getattr(cluster.namenode, name)}, name


def test_a_datanode_of_another_cluster_does_not_join() -> None:
    cluster = Replicated()
    cluster.namenode.heartbeat.insert(("nn", "stranger", 1, 1, "s:1", "s:2", "s", "another cluster", 1, 1, ()))
    tick = cluster.tick()
    cluster.tick()
    assert "stranger" not in cluster.namenode.datanode
    assert tick.sent["heartbeat_ack"] == [("s:1", "nn", "stranger", 1, 1, "", "cluster", ())]


def test_nothing_is_condemned_before_all_datanodes_obey() -> None:
    """What an earlier leader has had deleted may not have been reported yet."""
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 1, "d0", "d1")
    cluster.namenode.heard.upsert(*[(row.node, row.seen, row.free, row.used, ()) for row in cluster.namenode.heard if row.node == "d3"])
    cluster.alive.remove("d3")
    assert [cluster.second() for _ in range(3)] == [[]] * 3
    cluster.alive.add("d3")
    orders = [order for _ in range(2) for order in cluster.second()]
    assert {(kind, number) for _, kind, number, _ in orders} == {("delete", chunk)}
    assert len({node for node, *_ in orders}) == 1


def test_what_an_earlier_ballot_condemned_counts_again() -> None:
    cluster = Replicated()
    cluster.second()
    chunk = cluster.file("/f", 2, "d0", "d1")
    cluster.namenode.condemned.insert(("d0", chunk, (0, "nn")))
    cluster.tick()
    assert cluster.holders("/f") == ["d1"]
    assert cluster.second() == []
    assert cluster.holders("/f") == ["d0", "d1"]


def test_a_chunk_is_of_no_file_only_when_its_number_has_been_applied() -> None:
    cluster = Replicated()
    cluster.second()
    cluster.ask("create", "/f", 1)
    cluster.report("d0", 2, LENGTH)  # another replica has decided 2 already
    cluster.tick()
    assert [cluster.second() for _ in range(3)] == [[]] * 3
    cluster.namenode.decided.insert((2, "t", 1, 1, "mkdir", "/d", (), cluster.now))
    cluster.tick()
    assert ("d0", "delete", 2, "") in cluster.second() + cluster.second()


def test_what_a_writer_claims_is_believed_until_a_report_is_overdue() -> None:
    cluster = Replicated(claim_s=3.0)
    cluster.second()
    cluster.ask("create", "/f", 2)
    chunk, _ = cluster.ask("addchunk", "/f", "nowhere", ())
    cluster.ask("commit", "/f", chunk, LENGTH, ("d0", "d1"))
    cluster.report("d1", chunk, LENGTH)
    for _ in range(3):
        assert cluster.holders("/f") == ["d0", "d1"]
        cluster.tick(0.9)
    cluster.second()
    cluster.second()
    assert cluster.holders("/f") == ["d1"]
    assert not len(cluster.namenode.claim)


def test_streams_from_one_source_are_bounded_and_the_rarest_chunks_go_first() -> None:
    cluster = Replicated(streams_per_source=3, repair_s=1.0)
    cluster.second()
    chunks = [cluster.file(f"/f{i}", 2, "d0") for i in range(5)]
    cluster.second()
    first = cluster.second()
    assert [(source, chunk) for source, _, chunk, _ in first] == [("d0", chunk) for chunk in chunks[:3]]


def test_heartbeats_recompute_no_view_of_chunks() -> None:
    cluster = Replicated()
    cluster.second()
    for i in range(20):
        cluster.file(f"/f{i}", 1, "d0")
    cluster.beat("d1")
    cluster.tick()
    cluster.beat("d1")
    tick = cluster.tick()
    assert not {"hold", "copies", "short", "wanted", "holders"} & (set(tick.inserted) | set(tick.deleted))
