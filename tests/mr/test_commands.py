"""The command line: standalone, and with servers in processes of their own, of which one is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bloompy_mr import Client
from bloompy_mr.commands import mr

ROOT = str(Path(__file__).parents[2])
TEXT = "a rose is a rose\nis a rose\n\nüber alles 12 12\n" * 200
JOB = '''
class Initials:
    """Words by their first letter."""

    reduces = 3

    def map(self, key, line):
        for word in line.split():
            yield word[0], word

    def reduce(self, letter, words):
        yield letter, " ".join(sorted(set(words)))
'''


def counts_of(output: Path) -> dict[str, int]:
    lines = [line for part in output.glob("part-*") for line in part.read_text().splitlines()]
    return {word: int(number) for word, number in (line.split("\t") for line in lines)}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_text(TEXT)
    return path


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(mr, [str(one) for one in arguments])


def test_run_starts_a_cluster_of_its_own(text: Path, tmp_path: Path):
    result = invoke("run", "wordcount", "--input", text, "--output", tmp_path / "out", "--workers", 2, "--split-mb", 0.005)
    assert result.exit_code == 0, result.output
    assert re.search(r"wordcount: \d+ maps, 2 reduces, [\d.]+ s; output in ", result.output)
    assert counts_of(tmp_path / "out") == Counter(TEXT.split())


def test_a_job_of_ones_own_from_a_file(text: Path, tmp_path: Path):
    (tmp_path / "initials.py").write_text(JOB)
    result = invoke("run", f"{tmp_path / 'initials.py'}:Initials", "--input", text, "--output", tmp_path / "out", "--quiet")
    assert result.exit_code == 0, result.output
    lines = sorted(line for part in (tmp_path / "out").glob("part-*") for line in part.read_text().splitlines())
    assert lines == ["1\t12", "a\ta alles", "i\tis", "r\trose", "ü\tüber"]


def test_a_job_may_use_a_module_beside_it(text: Path, tmp_path: Path):
    (tmp_path / "beside.py").write_text("def letters(word):\n    return len(word)\n")
    (tmp_path / "lengths.py").write_text(
        "from bloompy_mr import Job\nimport beside\n"
        "def map(key, line):\n    for word in line.split():\n        yield beside.letters(word), 1\n"
        "def make():\n    return Job(map=map, reduce=lambda key, values: [(key, sum(values))])\n"
    )
    result = invoke("run", f"{tmp_path / 'lengths.py'}:make", "--input", text, "--output", tmp_path / "out", "--quiet")
    assert result.exit_code == 0, result.output
    expected = Counter(len(word) for word in TEXT.split())
    assert (tmp_path / "out" / "part-00000").read_text() == "".join(f"{length}\t{expected[length]}\n" for length in sorted(expected))


def test_grep_takes_an_expression(text: Path, tmp_path: Path):
    result = invoke("run", "grep", r"\d+", "--input", text, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "part-00000").read_text() == "über alles 12 12\t200\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "wordcont", "--input", "x", "--output", "y"), "there is no job 'wordcont'"),
        (("run", "grep", "--input", "x", "--output", "y"), "grep takes 1 argument, not 0"),
        (("run", "no_such_module:Job", "--input", "x", "--output", "y"), "module 'no_such_module' cannot be imported"),
        (("run", "os:path_of_nothing", "--input", "x", "--output", "y"), "module 'os' has no 'path_of_nothing'"),
        (("jobs", "--jobtracker", "127.0.0.1:1"), "a secret is needed"),
    ],
)
def test_mistakes_are_told_without_a_traceback(arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("BLOOMPY_SECRET", raising=False)
    result = invoke(*arguments)
    assert result.exit_code != 0
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_failing_job_shows_the_users_traceback(text: Path, tmp_path: Path):
    (tmp_path / "broken.py").write_text("def map(key, line):\n    yield int(line), 1\n\nfrom bloompy_mr import Job\njob = Job(map=map)\n")
    result = invoke("run", f"{tmp_path / 'broken.py'}:job", "--input", text, "--output", tmp_path / "out", "--quiet")
    assert result.exit_code == 1
    assert "FAILED: task 0 failed 4 times" in result.output
    assert "yield int(line), 1" in result.output
    assert "record: 'a rose is a rose'" in result.output
    assert not (tmp_path / "out" / "_SUCCESS").exists()


# -- servers


class Servers:
    """A JobTracker and two TaskTrackers, each a process."""

    def __init__(self, directory: Path) -> None:
        self.secret = "secret of the tests"
        self.processes: list[subprocess.Popen[str]] = []
        self.environment = {**os.environ, "BLOOMPY_SECRET": self.secret, "PYTHONPATH": ROOT}
        self.jobtracker = self.start("jobtracker", "--listen", "127.0.0.1:0", "--expiry-s", "2")
        arguments = ("--jobtracker", self.jobtracker, "--heartbeat-s", "0.2", "--map-slots", "1", "--reduce-slots", "1")
        self.trackers = [self.start("tasktracker", *arguments, "--directory", str(directory / f"t{i}")) for i in range(2)]

    def start(self, *arguments: str) -> str:
        """Start a server; its address."""
        process = subprocess.Popen(
            [sys.executable, "-c", "from bloompy_mr.commands import mr; mr()", *arguments],
            stdout=subprocess.PIPE, text=True, env=self.environment,
        )  # fmt: skip
        self.processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(arguments[0]), line
        return line.split()[1]

    def stop(self) -> list[int]:
        """Stop all; their exit codes."""
        for process in self.processes:
            process.terminate()
        return [process.wait(20) for process in self.processes]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_a_tasktracker_killed_in_the_middle_of_a_job(servers: Servers, tmp_path: Path, text: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BLOOMPY_SECRET", servers.secret)
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from bloompy_mr.ready import wordcount\n"
        "class Slow:\n"
        "    combine = reduce = staticmethod(wordcount.add)\n"
        "    def map(self, key, line):\n"
        "        time.sleep(0.002)\n"
        "        yield from wordcount.map(key, line)\n"
    )
    arguments = ["--input", str(text), "--output", str(tmp_path / "out"), "--split-mb", "0.001", "--jobtracker", servers.jobtracker]
    command = [sys.executable, "-c", "from bloompy_mr.commands import mr; mr()", "run", f"{tmp_path / 'slow.py'}:Slow", *arguments]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=servers.environment)
    with Client(servers.jobtracker, secret=servers.secret.encode()) as client:
        deadline = time.monotonic() + 30
        while not (client.jobs() and client.status(client.jobs()[0].jobid).maps_done >= 3):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        victim = servers.processes[1]
        victim.send_signal(signal.SIGKILL)
        output, _ = run.communicate(timeout=60)
        assert run.returncode == 0, output
        assert counts_of(tmp_path / "out") == Counter(TEXT.split())
        (job,) = client.jobs()
        assert any(one.state == "KILLED" and one.tracker == servers.trackers[0] for one in client.attempts(job.jobid))
    listed = invoke("jobs", "--jobtracker", servers.jobtracker)
    assert "SUCCEEDED" in listed.output
    shown = invoke("status", str(job.jobid), "--jobtracker", servers.jobtracker)
    assert "Slow: SUCCEEDED" in shown.output
    assert "KILLED" in shown.output
    unknown = invoke("kill", "7", "--jobtracker", servers.jobtracker)
    assert unknown.exit_code == 1
    assert "knows no job 7" in unknown.output


def test_servers_stop_on_a_signal(servers: Servers):
    assert servers.stop() == [0, 0, 0]
    assert not any(path.name.startswith("worker-") for path in Path("/tmp").glob("bloompy-tracker-*/*"))
