"""Worker processes: really separate, killed with all they started, never loading what is not signed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bloompy_mr import jobfile
from bloompy_mr.job import Job
from bloompy_mr.jobfile import Split
from bloompy_mr.pool import Limits, Pool
from bloompy_mr.ready import wordcount
from bloompy_mr.shuffle import map_output_path
from bloompy_mr.worker.mapping import index_path

SECRET = b"secret of the tests"


class Bench:
    """A pool and what it said."""

    def __init__(self, directory: Path, limits: Limits | None = None) -> None:
        self.directory = directory
        self.said: list[tuple[Any, ...]] = []
        self.missed: list[tuple[Any, ...]] = []
        say, miss = (lambda *row: self.said.append(row)), (lambda *row: self.missed.append(row))
        self.pool = Pool(directory / "work", SECRET, "127.0.0.1:1", say, miss, limits)
        self.input = directory / "in"
        self.input.write_text("a rose is\na rose\n")

    def start(
        self, job: Job, taskid: int = 0, n: int = 0, kind: str = "map", secret: bytes = SECRET, maps: int = 1, jobid: int = 1
    ) -> tuple[int, int, int]:
        """Start an attempt of a job of one map."""
        split = Split(str(self.input), 0, self.input.stat().st_size)
        file = jobfile.make(job, (split,), str(self.directory / "out"), secret)
        self.pool.start(
            SimpleNamespace(
                jobid=jobid, taskid=taskid, n=n, kind=kind, partition=0, maps=maps,
                code=file.code, settings=file.settings, signature=file.signature,
            )
        )
        return jobid, taskid, n

    def states(self, attempt: tuple[int, int, int]) -> list[str]:
        """The states that were said of an attempt, without repetitions."""
        found = [row[4] for row in self.said if row[:3] == attempt]
        return [state for i, state in enumerate(found) if not i or found[i - 1] != state]

    def error(self, attempt: tuple[int, int, int]) -> str:
        return next(row[-1] for row in self.said if row[:3] == attempt and row[4] == "FAILED")


def until(condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Wait for something to become true."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z" if Path("/proc").exists() else True


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.pool.close()


def test_a_map_attempt_runs_in_a_process_of_its_own_and_leaves_its_output(bench: Bench):
    attempt = bench.start(wordcount.make())
    (pid,) = bench.pool.processes.values()
    assert pid != os.getpid()
    until(lambda: "DONE" in bench.states(attempt))
    assert bench.states(attempt) == ["RUNNING", "DONE"]
    assert index_path(map_output_path(bench.directory / "work", *attempt)).exists()


def waiting_job(go: Path) -> Job:
    """A job whose maps end only when a file appears, so that a test can look at them running."""

    def map(key: Any, line: str) -> Iterator[tuple[str, int]]:
        while not go.exists():
            time.sleep(0.01)
        yield line, 1

    return Job(map=map, reduce=wordcount.add)  # maps of a job with reduces do not wait for leave to commit


def test_the_next_attempt_of_a_job_takes_the_same_process(bench: Bench, tmp_path: Path):
    go = tmp_path / "go"
    job = waiting_job(go)
    first = bench.start(job)
    (pid,) = bench.pool.processes.values()
    go.touch()
    until(lambda: "DONE" in bench.states(first) and not bench.pool.processes)
    go.unlink()
    second = bench.start(job, n=1)
    assert list(bench.pool.processes.values()) == [pid]
    go.touch()
    until(lambda: "DONE" in bench.states(second) and not bench.pool.processes)
    go.unlink()
    bench.start(job, jobid=2)
    (other,) = bench.pool.processes.values()
    assert other != pid  # another job's code gets a process of its own


def test_output_gets_its_name_only_after_leave_to_commit(bench: Bench):
    job = Job(map=wordcount.map)
    attempt = bench.start(job)
    until(lambda: "DONE" in bench.states(attempt))
    assert not (bench.directory / "out" / "part-00000").exists()
    bench.pool.commit(SimpleNamespace(jobid=1, taskid=0, n=0))
    until(lambda: "COMMITTED" in bench.states(attempt))
    assert (bench.directory / "out" / "part-00000").read_text() == "a\t1\nrose\t1\nis\t1\na\t1\nrose\t1\n"


def test_an_attempt_is_killed_at_once_with_what_it_started(bench: Bench):
    def map(key: int, line: str):
        import subprocess
        import time

        child = subprocess.Popen(["sleep", "1000"])
        Path(marker).write_text(str(child.pid))
        time.sleep(1000)
        yield line, 1

    marker = str(bench.directory / "pid")
    attempt = bench.start(Job(map=map))
    (pid,) = bench.pool.processes.values()
    child = int(until(lambda: Path(marker).exists() and Path(marker).read_text()))
    began = time.monotonic()
    bench.pool.release(SimpleNamespace(jobid=1, taskid=0, n=0, state="KILLED"))
    until(lambda: not alive(pid) and not alive(child))
    assert time.monotonic() - began < 5
    assert "FAILED" not in bench.states(attempt)  # it was killed, it did not fail


def test_the_users_traceback_is_reported_and_the_worker_lives_on(bench: Bench):
    def map(key: int, line: str):
        yield line, {}["no such key"]

    attempt = bench.start(Job(map=map))
    until(lambda: "FAILED" in bench.states(attempt))
    error = bench.error(attempt)
    assert "KeyError: 'no such key'" in error
    assert 'in map\n    yield line, {}["no such key"]' in error
    assert "record: 'a rose is'" in error
    assert "bloompy_mr/worker" not in error


def test_a_process_that_dies_fails_its_attempt_with_what_it_wrote(bench: Bench):
    def map(key: int, line: str):
        import os
        import sys

        print("last words", file=sys.stderr, flush=True)
        os.kill(os.getpid(), 9)
        yield line, 1

    attempt = bench.start(Job(map=map))
    until(lambda: "FAILED" in bench.states(attempt))
    assert "signal SIGKILL; it wrote:\nlast words" in bench.error(attempt)


def test_a_job_that_is_not_signed_is_refused_in_the_worker(bench: Bench):
    marker = bench.directory / "loaded"

    class Bomb:
        def __reduce__(self):
            return Path.touch, (marker,)

    bomb = Bomb()
    attempt = bench.start(Job(map=lambda key, line: [(line, bomb)]), secret=b"guess")
    until(lambda: "FAILED" in bench.states(attempt))
    assert "not signed with this cluster's secret" in bench.error(attempt)
    assert not marker.exists()
    good = bench.start(Job(map=lambda key, line: [(line, bomb)]), n=1)
    until(lambda: bench.states(good)[-1] != "RUNNING")
    assert marker.exists()  # the bomb is live: with the right signature it does go off


def test_an_attempt_without_progress_fails(tmp_path: Path):
    def map(key: int, line: str):
        import time

        time.sleep(1000)
        yield line, 1

    bench = Bench(tmp_path, Limits(task_timeout_s=1.0))
    try:
        attempt = bench.start(Job(map=map))
        until(lambda: "FAILED" in bench.states(attempt))
        assert "no progress for 1 s" in bench.error(attempt)
    finally:
        bench.pool.close()


def test_memory_is_limited(tmp_path: Path):
    def map(key: int, line: str):
        yield line, len(bytearray(4 << 30))

    bench = Bench(tmp_path, Limits(memory_bytes=1 << 30))
    try:
        attempt = bench.start(Job(map=map))
        until(lambda: "FAILED" in bench.states(attempt))
        assert "MemoryError" in bench.error(attempt)
    finally:
        bench.pool.close()


def test_a_reduce_that_cannot_fetch_says_so_and_takes_the_next_address(bench: Bench):
    done = bench.start(wordcount.make())
    until(lambda: "DONE" in bench.states(done))
    reduce = bench.start(wordcount.make(), taskid=1, kind="reduce")
    row = {"jobid": 1, "taskid": 1, "n": 0, "map_taskid": 0}
    bench.pool.feed(SimpleNamespace(**row, map_n=7, data_address="127.0.0.1:2"))
    until(lambda: bench.missed)
    assert bench.missed[0][:5] == (1, 0, 7, 1, 0)
    bench.pool.feed(SimpleNamespace(**row, map_n=0, data_address="127.0.0.1:1"))  # its own tracker's: read from the disk
    until(lambda: "DONE" in bench.states(reduce))


def test_no_process_is_left_when_the_pool_closes(tmp_path: Path):
    bench = Bench(tmp_path)
    bench.start(wordcount.make())
    pids = list(bench.pool.processes.values())
    bench.pool.close()
    until(lambda: not any(alive(pid) for pid in pids))


def test_print_in_user_code_does_not_disturb_the_worker(bench: Bench):
    def map(key: int, line: str):
        print("hello")
        yield line, 1

    attempt = bench.start(Job(map=map))
    until(lambda: "DONE" in bench.states(attempt))
