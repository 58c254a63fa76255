"""`bloompy fs health`: which NameNodes answer, who leads, how far each is."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bloompy_fs.cluster import LocalCluster
from bloompy_fs.commands import fs
from bloompy_fs.servers import namenode_server
from bloompy_fs.standing import leader_among
from bloompy_paxos.status import Status


def health(namenode: str, secret: str, timeout_s: float = 30.0) -> Result:
    return CliRunner().invoke(fs, ["--namenode", namenode, "--secret", secret, "--timeout", str(timeout_s), "health"])


def rows(told: Result) -> dict[str, list[str]]:
    """What is said of each NameNode, by its address."""
    words = [line.split() for line in told.stdout.splitlines()]
    return {found[0]: found[1:] for found in words if found[1] in ("leader", "follower", "silent", "candidate", "alone")}


def test_three_replicas_two_of_them_and_one_of_them(tmp_path: Path) -> None:
    # Threads keep each other waiting: elections would be called for no reason.
    with LocalCluster(0, tmp_path, namenodes=3, election_s=1.0) as cluster, cluster.client() as client:
        client.mkdir("/d")
        leader = cluster.leader()
        told = health(cluster.namenode, cluster.secret)
        assert told.exit_code == 0, told.output
        said = rows(told)
        assert [list(said), said[leader][:2]] == [cluster.namenode.split(","), ["leader", leader]]
        assert sorted(role for role, *_ in said.values()) == ["follower", "follower", "leader"]
        assert all(follows == leader and int(applied) > 0 and int(lag) >= 0 for _, follows, applied, lag in said.values())

        follower = next(address for address in said if address != leader)
        cluster.kill_namenode(follower)
        told = health(cluster.namenode, cluster.secret)
        assert (told.exit_code, rows(told)[follower]) == (1, ["silent", "-", "-", "-"])
        assert "0 chunks" in told.stdout

        cluster.kill_namenode(next(address for address in said if address not in (leader, follower)))
        told = health(cluster.namenode, cluster.secret, timeout_s=0.5)
        assert told.exit_code == 1
        assert "no majority of the NameNodes follows a leader" in told.stderr


def test_partitions_are_told_apart(tmp_path: Path) -> None:
    with LocalCluster(0, tmp_path, partitions=2) as cluster:
        told = health(cluster.namenode, cluster.secret)
        assert told.exit_code == 0, told.output
        first, second = cluster.namenode.split(";")
        assert [line.split()[:3] for line in told.stdout.splitlines()[1:3]] == [["0", first, "alone"], ["1", second, "alone"]]
        cluster.kill_namenode(second)
        told = health(cluster.namenode, cluster.secret, timeout_s=0.5)
        assert told.exit_code == 1
        assert told.stdout.splitlines()[2].split()[:3] == ["1", second, "silent"]
        assert "no majority of the NameNodes of partition 1 follows a leader" in told.stderr


def test_a_namenode_may_be_called_by_another_name() -> None:
    with namenode_server("127.0.0.1:0", None, "secret") as node:
        called = node.address.replace("127.0.0.1", "localhost")
        told = health(called, "secret")
        assert (told.exit_code, rows(told)[called][0]) == (0, "alone")


@pytest.mark.parametrize(
    ("found", "leader"),
    [
        ([Status("a", "leader", "a"), Status("b", "follower", "a"), Status("c")], "a"),
        ([Status("a", "leader", "a"), Status("b", "follower", "c"), Status("c")], None),
        ([Status("a", "leader", "a"), Status("b", "leader", "b"), Status("c", "follower", "b")], "b"),
        ([Status("a"), Status("b"), Status("c")], None),
    ],
)
def test_who_leads_is_followed_by_a_majority(found: list[Status], leader: str | None) -> None:
    assert leader_among(found) == leader
