"""`bloompy demo` as a user runs it: with real processes, in one process, interrupted, and with something wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import psutil
import pytest
from click.testing import CliRunner

from bloompy.tools.commands import main
from bloompy.tools.demo.processes import Server
from bloompy.tools.demo.screen import Screen
from bloompy.tools.demo.story import Story

ROOT = Path(__file__).parents[2]
TOLD = ["7 processes", "by SIGKILL", "lose a replica", "replicas again", "as collections.Counter counts them", "cleaned up"]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A dozen small texts."""
    directory = tmp_path / "texts"
    directory.mkdir()
    paths = [directory / f"text{i}.txt" for i in range(12)]
    for i, path in enumerate(paths):
        path.write_text("the quick brown fox\njumps over the lazy dog\n" * (i + 1) + f"number {i} é\n", encoding="utf-8")
    return paths


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the demo puts its temporary files; its servers have this path in their command lines."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    return directory


def start(files: list[Path], temporary: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "bloompy", "demo", *map(str, files)],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def nothing_is_left(temporary: Path) -> bool:
    """Whether no process of the demo runs and no file of it is there."""
    servers = [each for each in psutil.process_iter(["cmdline"]) if any(str(temporary) in part for part in each.info["cmdline"] or ())]
    return not servers and not list(temporary.iterdir())


def test_a_cluster_of_processes_survives_the_kill_and_counts_right(files: list[Path], temporary: Path) -> None:
    with start(files, temporary) as demo:
        told, _ = demo.communicate(timeout=120)
    assert demo.returncode == 0, told
    assert [text for text in TOLD if text not in told] == [], told
    assert "12 files named by you" in told
    assert "738 words" in told
    assert nothing_is_left(temporary)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_it_leaves_nothing_behind(files: list[Path], temporary: Path, number: signal.Signals) -> None:
    with start(files, temporary) as demo:
        assert demo.stdout is not None
        line = demo.stdout.readline()
        assert line.startswith("cluster"), line
        demo.send_signal(number)
        told, _ = demo.communicate(timeout=60)
    assert demo.returncode == 128 + number, told
    assert "Traceback" not in told
    assert ("interrupted; the cluster is gone" in told) == (number == signal.SIGINT)
    assert nothing_is_left(temporary)


def test_it_runs_in_one_process(files: list[Path], temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    done = CliRunner().invoke(main, ["demo", "--in-process", *map(str, files)])
    assert done.exit_code == 0, done.output
    assert [text for text in TOLD[2:] if text not in done.output] == [], done.output
    assert "by closing its sockets" in done.output
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert nothing_is_left(temporary)


@pytest.mark.parametrize("options", [["--in-process"], pytest.param([], marks=pytest.mark.slow)], ids=["threads", "processes"])
def test_killing_the_leader_of_three_namenodes_is_a_pause(
    files: list[Path], temporary: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    done = CliRunner().invoke(main, ["demo", "--replicated", *options, *map(str, files)])
    assert done.exit_code == 0, done.output
    assert "3 NameNodes that are one" in done.output
    assert done.output.count("another one leads, and writes were held up for") == 2
    assert [text for text in TOLD[2:] if text not in done.output] == [], done.output
    assert nothing_is_left(temporary)


def test_a_missing_file_is_said_at_once() -> None:
    done = CliRunner().invoke(main, ["demo", "/no/such/file"])
    assert done.exit_code == 2
    assert "'/no/such/file' does not exist" in done.output


def test_a_server_that_does_not_come_up_shows_its_log(tmp_path: Path) -> None:
    server = Server("namenode", ["fs", "namenode", "--no-such-option"], tmp_path, {})
    with pytest.raises(click.ClickException, match=r"(?s)namenode ended with exit status 2\n.*No such option"):
        server.wait_until_listening()


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    server = Server("sleeper", ["fs", "--help"], tmp_path, {})
    try:
        with pytest.raises(click.ClickException, match="sleeper did not begin to listen within 0 s"):
            server.wait_until_listening(timeout_s=0)
    finally:
        server.kill()


def test_wrong_counts_fail_the_demo(files: list[Path]) -> None:
    story = Story(cluster=_nowhere(), given=files, files=files[:1], screen=Screen())
    counts = {"the": 2, "quick": 3, "brown": 1, "fox": 1, "jumps": 1, "over": 1, "lazy": 1, "dog": 1, "number": 1, "0": 1, "é": 1}
    output = "".join(f"{word}\t{count}\n" for word, count in counts.items())
    names = [SimpleNamespace(path=f"/counts/{name}", name=name) for name in ("_SUCCESS", "part-00000")]
    story.fs = SimpleNamespace(ls=lambda path: names, read={"/counts/part-00000": output.encode()}.__getitem__)
    with pytest.raises(click.ClickException, match=r"counted otherwise .* 1 words are counted wrongly: 'quick' 3 times, not 1"):
        story.compare()


def _nowhere() -> Any:
    return SimpleNamespace(namenode="", jobtracker="", secret="")
