"""Chunks of a file, and where they go, tick by tick."""

from __future__ import annotations

from typing import Any

from .ticks import Stepped


def file(cluster: Stepped, replication: int = 2) -> None:
    cluster.ask("create", "/f", replication)


def chain(cluster: Stepped, host: str = "nowhere", excluded: tuple[str, ...] = ()) -> list[str]:
    _, nodes = cluster.ask("addchunk", "/f", host, excluded)
    return [node for node, _ in nodes]


def test_the_writers_own_machine_comes_first() -> None:
    cluster = Stepped(datanodes=5)
    file(cluster)
    assert [chain(cluster, f"d{i}")[0] for i in range(5)] == [f"d{i}" for i in range(5)]


def test_a_chain_has_as_many_datanodes_as_the_file_has_replicas_or_as_there_are() -> None:
    cluster = Stepped(datanodes=4)
    file(cluster, 3)
    found = chain(cluster)
    assert len(found) == len(set(found)) == 3
    assert len(chain(cluster, excluded=("d0", "d1"))) == 2
    assert cluster.outcome("addchunk", "/f", "h", ("d0", "d1", "d2", "d3")) == ("EAGAIN", ())


def test_chunks_spread_over_the_datanodes() -> None:
    cluster = Stepped(datanodes=4)
    file(cluster, 1)
    first = [chain(cluster)[0] for _ in range(80)]
    assert all(10 <= first.count(node) <= 35 for node in ("d0", "d1", "d2", "d3"))


def test_a_datanode_that_is_nearly_full_gets_no_chunk() -> None:
    cluster = Stepped(datanodes=2)
    file(cluster)
    cluster.beat("d0", free=1_000_000)
    cluster.settle()
    assert chain(cluster, "d0") == ["d1"]


def test_a_retried_addchunk_has_the_chunk_of_the_first() -> None:
    cluster = Stepped(datanodes=2)
    file(cluster)
    reqid = cluster.send("s", "addchunk", "/f", "h", ())
    cluster.settle()
    cluster.send("s", "addchunk", "/f", "h", (), reqid=reqid)
    cluster.settle()
    assert len(cluster.namenode.fchunk) == 1
    cluster.answers()


def test_chunks_are_told_in_order_and_a_commit_says_who_has_them() -> None:
    cluster = Stepped(datanodes=3)
    file(cluster)
    chunks: list[Any] = [cluster.ask("addchunk", "/f", "h", ())[0] for _ in range(3)]
    for chunk, length in zip(reversed(chunks), (10, 20, 30), strict=True):
        cluster.ask("commit", "/f", chunk, length, ("d1", "d2", "unknown"))
    told = cluster.ask("chunks", "/f", 0, 10)
    assert [(seq, chunk, length) for seq, chunk, length, _ in told] == [(0, chunks[0], 30), (1, chunks[1], 20), (2, chunks[2], 10)]
    assert {tuple(node for node, _, _ in holders) for *_, holders in told} == {("d1", "d2")}
    assert cluster.ask("locations", "/f", chunks[0]) == (("d1", "d1:2", "d1"), ("d2", "d2:2", "d2"))
    assert cluster.ask("stat", "/f")[2] == 60


def test_a_suspected_replica_is_checked_by_its_own_datanode() -> None:
    cluster = Stepped(datanodes=2)
    file(cluster)
    chunk, _ = cluster.ask("addchunk", "/f", "h", ())
    cluster.ask("commit", "/f", chunk, 10, ("d0", "d1"))
    cluster.ask("suspect", "/f", chunk, "d0")
    assert cluster.commands == [("d0:1", "nn", "verify", chunk, "", (1, "nn"))]
    assert len(cluster.ask("locations", "/f", chunk)) == 2  # the word of a reader is no proof


def test_chunk_operations_are_on_chunks_of_that_file() -> None:
    cluster = Stepped(datanodes=2)
    file(cluster)
    cluster.ask("create", "/g", 1)
    cluster.ask("mkdir", "/d")
    chunk, _ = cluster.ask("addchunk", "/f", "h", ())
    for op, args in (("commit", (chunk, 5, ("d0",))), ("abandon", (chunk,)), ("locations", (chunk,)), ("suspect", (chunk, "d0"))):
        assert cluster.outcome(op, "/g", *args) == ("EINVAL", ())
        assert cluster.outcome(op, "/d", *args) == ("EISDIR", ())
        assert cluster.outcome(op, "/f/x", *args) == ("ENOTDIR", ())
        assert cluster.outcome(op, "/x", *args) == ("ENOENT", ())
    assert cluster.namenode.owner[chunk].length == -1
