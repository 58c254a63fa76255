"""The command line, against replicas that are threads; and once with all of them processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bloompy_paxos.cluster import LocalCluster
from bloompy_paxos.commands import leader_of, paxos
from bloompy_paxos.directory import NAME, Group, find
from bloompy_paxos.status import Status

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    # Threads keep each other waiting: elections would be called for no reason.
    with LocalCluster(3, tmp_path_factory.mktemp("store"), election_s=1.0) as cluster:
        yield cluster


@pytest.fixture
def run(cluster: LocalCluster) -> Run:
    def invoke(*arguments: str, **options: object) -> Result:
        return CliRunner().invoke(paxos, arguments, env={"BLOOMPY_REPLICAS": str(cluster.directory)}, **options)  # type: ignore[arg-type]

    return invoke


def test_what_is_put_is_printed_until_it_is_deleted(run: Run) -> None:
    assert run("put", "a key", "a value").output == ""
    assert run("get", "a key").output == "a value\n"
    assert run("get", "--stale", "a key").output == "a value\n"
    assert run("delete", "a key").exit_code == 0
    gone = run("get", "a key")
    assert (gone.exit_code, gone.stdout, gone.stderr) == (1, "", "Error: 'a key' has no value\n")


def test_a_value_may_look_like_an_option(run: Run) -> None:
    assert run("put", "x", "-5").exit_code == 0
    assert run("get", "x").output == "-5\n"


def test_values_of_other_types_are_shown_as_python_has_them(run: Run, cluster: LocalCluster) -> None:
    with cluster.client() as store:
        store.put("t", (1, "one"))
        store.put("b", b"bytes")
    assert run("get", "t").output == "(1, 'one')\n"
    assert run("get", "b").output == "bytes\n"


def test_addresses_do_as_well_with_the_secret(run: Run, cluster: LocalCluster) -> None:
    where = ",".join(cluster.addresses)
    assert run("--at", where, "--secret", cluster.secret, "put", "x", "1").exit_code == 0
    assert run("get", "--at", where, "--secret", cluster.secret, "x").output == "1\n"
    refused = run("--at", where, "--secret", "another", "get", "x")
    assert refused.exit_code == 1
    assert "do not have the secret of this client" in refused.stderr
    assert refused.stderr.count("hint: give the secret that the replicas share") == 1


def test_status_says_who_leads_and_how_far_all_are(run: Run, cluster: LocalCluster) -> None:
    leader = cluster.leader()
    said = run("status")
    assert said.exit_code == 0
    *table, members = said.output.splitlines()
    assert members == f"members: {', '.join(sorted(cluster.addresses))}"
    lines = [line.split() for line in table]
    assert lines[0] == ["replica", "role", "follows", "ballot", "decided", "applied", "lag", "log", "from", "heard"]
    assert sorted(line[0] for line in lines[1:]) == sorted(cluster.addresses)
    assert [line[:3] for line in lines[1:] if line[1] == "leader"] == [[leader, "leader", leader]]
    assert [line[-1] for line in lines[1:]].count("ago") == 2


def test_status_for_programs(run: Run, cluster: LocalCluster) -> None:
    leader = cluster.leader()
    found = json.loads(run("status", "--json").output)
    assert found["leader"] == leader
    assert {one["address"]: one["role"] for one in found["replicas"]} == {
        address: "leader" if address == leader else "follower" for address in cluster.addresses
    }
    assert all(set(one["members"]) == set(cluster.addresses) for one in found["replicas"])


def test_members_are_added_and_removed(tmp_path: Path) -> None:
    with LocalCluster(3, tmp_path, election_s=1.0) as cluster:
        environment = {"BLOOMPY_REPLICAS": str(tmp_path)}
        follower = next(address for address in cluster.addresses if address != cluster.leader())
        assert CliRunner().invoke(paxos, ["members", "remove", follower], env=environment).exit_code == 0
        found = json.loads(CliRunner().invoke(paxos, ["status", "--json"], env=environment).output)
        (leader,) = [one for one in found["replicas"] if one["address"] == found["leader"]]
        assert set(leader["members"]) == set(cluster.addresses) - {follower}
        cluster.stop(follower)
        added = cluster.add()
        with cluster.client() as store:
            store.put("x", "1")
            assert added in next(one for one in store.status() if one.role == "leader").members


def test_without_a_majority_status_fails_and_says_so(tmp_path: Path) -> None:
    with LocalCluster(3, tmp_path, election_s=0.3) as cluster:
        cluster.leader()
        for address in cluster.addresses[:2]:
            cluster.stop(address)
        deadline = time.monotonic() + 20
        while (said := CliRunner().invoke(paxos, ["--at", str(tmp_path), "status"])).exit_code == 0:
            assert time.monotonic() < deadline
        assert (said.exit_code, said.stderr) == (1, "no majority follows a leader\n")
        assert sum(line.split()[1] == "silent" for line in said.stdout.splitlines()) == 2


def test_a_leader_is_one_that_a_majority_of_its_members_follows() -> None:
    members = ("a", "b", "c")
    led = [Status(one, "leader" if one == "a" else "follower", "a", members=members) for one in "ab"]
    assert leader_of([*led, Status("c")]) == "a"
    assert leader_of([led[0], Status("b"), Status("c")]) is None
    assert leader_of([led[0], Status("b", "follower", "c", members=members), Status("c")]) is None
    assert leader_of([led[0], Status("d", "follower", "a", members=members)]) is None  # d is no member
    assert leader_of([]) is None


def test_it_asks_where_the_replicas_are(tmp_path: Path) -> None:
    asked = CliRunner().invoke(paxos, ["get", "x"], env={"BLOOMPY_REPLICAS": ""})
    assert asked.exit_code == 2
    assert "give --at host:port,host:port,… or --at DIRECTORY, or set BLOOMPY_REPLICAS" in asked.stderr
    empty = CliRunner().invoke(paxos, ["--at", str(tmp_path), "get", "x"])
    assert (empty.exit_code, "has no cluster.json" in empty.stderr) == (1, True)
    (tmp_path / NAME).write_text("{}")
    broken = CliRunner().invoke(paxos, ["--at", str(tmp_path), "get", "x"])
    assert (broken.exit_code, "does not say where replicas are" in broken.stderr) == (1, True)


def test_the_file_of_a_group_is_for_its_owner_only(tmp_path: Path) -> None:
    Group(("127.0.0.1:4001",), "secret").save(tmp_path)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert find(str(tmp_path)) == Group(("127.0.0.1:4001",), "secret")
    assert find("a:1, b:2,") == Group(("a:1", "b:2"))


@pytest.mark.parametrize(
    ("arguments", "status", "match"),
    [
        (["--local", "3", "--listen", "127.0.0.1:4001"], 2, "--local goes without --listen"),
        (["--members", "127.0.0.1:4001", "--join"], 2, "give one of them"),
        ([], 1, "first start needs its address"),
        (["--listen", "127.0.0.1:4001", "--members", "127.0.0.1:4002"], 1, "is not among the members"),
        (["--set", "pulse_s"], 2, "write NAME=VALUE"),
        (["--listen", "127.0.0.1:4001", "--join", "--set", "nothing=1"], 1, "nothing"),
        (["--listen", "127.0.0.1:4001", "--join", "--set", "election_s=soon"], 1, "election_s"),
        (["--listen", "127.0.0.1:4001", "--join", "--set", "window=0"], 1, "at least 1"),
        (["--listen", "127.0.0.1:4001", "--join", "--set", "pulse_s=0.1"], 1, "more than twice pulse_s"),
        (["--listen", "0.0.0.0:4001", "--join"], 1, "give a secret"),
        (["--listen", "192.0.2.1:4001", "--join", "--secret", "s"], 1, "listen on an address of this machine"),
    ],
)
def test_a_server_that_cannot_start_says_why_and_its_directory_belongs_to_nobody(
    tmp_path: Path, arguments: list[str], status: int, match: str
) -> None:
    said = CliRunner().invoke(paxos, ["serve", str(tmp_path / "replica"), *arguments])
    assert (said.exit_code, match in said.stderr) == (status, True), said.stderr
    assert not (tmp_path / "replica").exists()


@pytest.mark.parametrize(
    ("where", "match"),
    [("nowhere", "no directory, and no address"), ("nohost.invalid:77", "nohost.invalid:77 cannot be reached"), ("a:b", "is no address")],
)
def test_a_group_that_cannot_be_found_is_named(where: str, match: str) -> None:
    said = CliRunner().invoke(paxos, ["--at", where, "get", "x"])
    assert (said.exit_code, match in said.stderr, "hint:" in said.stderr) == (1, True, True), said.stderr


@pytest.mark.slow
def test_a_local_group_of_processes_from_its_start_to_its_end(tmp_path: Path) -> None:
    """As a user would: start, put, kill one, start it again, Ctrl-C."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}

    def bloompy(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bloompy", "paxos", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    group = subprocess.Popen(
        [sys.executable, "-m", "bloompy", "paxos", "serve", str(tmp_path), "--local", "3"],
        env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert group.stdout is not None
        said = []
        while not said or "Ctrl-C" not in said[-1]:
            said.append(group.stdout.readline())
        assert said[0] == f"3 replicas, their data in {tmp_path}:\n"
        address, _, process = said[1].split()
        assert bloompy("--at", str(tmp_path), "put", "x", "1").stderr == ""
        os.kill(int(process), signal.SIGKILL)
        gone = group.stdout.readline()
        assert gone.startswith(f"{address} has ended with exit status -9; to start it again: bloompy paxos serve {tmp_path}")
        assert bloompy("--at", str(tmp_path), "get", "x").stdout == "1\n"
        with subprocess.Popen(
            [sys.executable, "-m", "bloompy", *gone.rpartition("again: bloompy ")[2].split()], env=environment, stdout=subprocess.PIPE, text=True
        ) as again:
            assert again.stdout is not None
            assert again.stdout.readline() == f"replica listening on {address}\n"
            again.send_signal(signal.SIGTERM)
        group.send_signal(signal.SIGINT)
        assert group.stdout.read() == "ending the replicas\n"
        assert group.wait(20) == 0
        assert not any(Path(f"/proc/{line.split()[2]}").exists() for line in said[1:4]) or not Path("/proc").exists()
    finally:
        group.kill()
        group.wait()
