"""The command line, against a cluster of threads; and once with every server and client a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bloompy_fs.cluster import LocalCluster
from bloompy_fs.commands import fs, human


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(2) as cluster:
        yield cluster


@pytest.fixture
def run(cluster: LocalCluster) -> Iterator[Callable[..., Result]]:
    environment = {"BLOOMPY_NAMENODE": cluster.namenode, "BLOOMPY_SECRET": cluster.secret, "TZ": "UTC"}

    def invoke(*arguments: str, **options: object) -> Result:
        return CliRunner().invoke(fs, arguments, env=environment, **options)  # type: ignore[arg-type]

    yield invoke
    with cluster.client() as client:
        for status in client.ls("/"):
            client.rm(status.path, recursive=True)


def test_a_file_goes_in_and_comes_out(run: Callable[..., Result], tmp_path: Path) -> None:
    source = tmp_path / "words.txt"
    source.write_text("some words\n")
    assert run("mkdir", "-p", "/books/old").exit_code == 0
    assert run("put", str(source), "/books").exit_code == 0
    assert run("put", "--replication", "1", "-", "/books/typed", input="typed words\n").exit_code == 0
    assert run("cat", "/books/words.txt", "/books/typed").output == "some words\ntyped words\n"
    assert run("get", "/books/words.txt", str(tmp_path / "copy.txt")).exit_code == 0
    assert (tmp_path / "copy.txt").read_text() == "some words\n"
    listed = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "<time>", line) for line in run("ls", "/books").output.splitlines()]
    assert listed == ["d  -     -  <time>  old/", "-  1  12 B  <time>  typed", "-  3  11 B  <time>  words.txt"]
    assert run("mv", "/books/typed", "/books/old").exit_code == 0
    stat = run("stat", "/books/old/typed").output
    assert "size:         12 bytes (12 B)" in stat
    assert "replication:  1" in stat
    assert "12 bytes from 0: dn-" in stat
    assert run("rm", "-r", "/books").exit_code == 0
    assert run("ls").output == ""


def test_errors_are_one_line_and_exit_status_1(run: Callable[..., Result], tmp_path: Path) -> None:
    missing = run("cat", "/missing")
    assert (missing.exit_code, missing.stderr) == (1, "Error: /missing: No such file or directory\n")
    full = run("mkdir", "-p", "/a/b") and run("rm", "/a")
    assert (full.exit_code, full.stderr) == (1, "Error: /a: Directory not empty\n")
    local = run("put", str(tmp_path / "missing"), "/x")
    assert (local.exit_code, local.stderr) == (1, f"Error: {tmp_path / 'missing'}: No such file or directory\n")


def test_it_asks_for_the_namenode() -> None:
    asked = CliRunner().invoke(fs, ["ls"], env={"BLOOMPY_NAMENODE": ""})
    assert asked.exit_code == 2
    assert "give --namenode HOST:PORT, or set BLOOMPY_NAMENODE" in asked.stderr


def test_a_bad_address_is_an_error_that_says_what_to_write() -> None:
    asked = CliRunner().invoke(fs, ["--namenode", "nowhere", "ls"])
    assert asked.exit_code == 1
    assert "'nowhere' is no address" in asked.stderr
    assert "host:port" in asked.stderr


def test_names_cannot_steer_the_terminal(run: Callable[..., Result]) -> None:
    assert run("mkdir", "/\x1b[31mred").exit_code == 0
    assert "\x1b" not in run("ls").output
    assert "\\x1b[31mred/" in run("ls").output


def test_health_names_datanodes_and_counts_chunks(run: Callable[..., Result]) -> None:
    told = run("health")
    assert told.exit_code == 0
    assert told.output.splitlines()[1].split()[1:3] == ["alone", "-"]
    assert told.output.count("dn-") == 2
    assert told.output.splitlines()[-1].startswith("0 chunks, 0 short of replicas, 0 lost")


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (5 << 40, "5.0 TiB"), (1 << 50, "1024.0 TiB")])
def test_sizes_are_short(size: int, text: str) -> None:
    assert human(size) == text


def test_processes_serve_and_end_in_order(tmp_path: Path) -> None:
    with LocalCluster(1, tmp_path, processes=True) as cluster:
        environment = {**os.environ, "BLOOMPY_NAMENODE": cluster.namenode, "BLOOMPY_SECRET": cluster.secret}

        def command(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                [sys.executable, "-m", "bloompy_fs", *arguments], input=given, env=environment, capture_output=True, timeout=60, check=False
            )

        put = command("put", "-", "/f", given=b"abc" * 1000)
        assert (put.returncode, put.stdout, put.stderr) == (0, b"", b"")
        got = command("cat", "/f")
        assert (got.returncode, got.stdout) == (0, b"abc" * 1000)
        server = cluster.datanodes["datanode0"].process  # type: ignore[union-attr]
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0


def test_ctrl_c_ends_a_copy_and_removes_what_was_copied(cluster: LocalCluster) -> None:
    environment = {**os.environ, "BLOOMPY_NAMENODE": cluster.namenode, "BLOOMPY_SECRET": cluster.secret}
    with cluster.client() as client:
        process = subprocess.Popen(
            [sys.executable, "-m", "bloompy_fs", "put", "-", "/endless"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        try:
            cluster.wait_for(lambda: bool(client.ls("/")), "the copy to begin")
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130  # though standard input is still open
            assert process.stderr is not None
            assert process.stderr.read() == b"interrupted\n"
        finally:
            process.kill()
            process.communicate()
        assert client.ls("/") == []
