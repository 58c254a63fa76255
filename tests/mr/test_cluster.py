"""End to end: a cluster with real nodes over TCP and real worker processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from bloompy.errors import CallTimeout
from bloompy_mr import Client, Job, LocalCluster, count
from bloompy_mr.errors import JobError, JobFailed, UnknownJob
from bloompy_mr.ready import wordcount

TEXT = "a rose is a rose\nis a rose\n\nüber alles 12 12\n" * 200


def lines_of(output: Path) -> list[str]:
    return [line for part in sorted(output.glob("part-*")) for line in part.read_text().splitlines()]


def counts_of(output: Path) -> dict[str, int]:
    return {word: int(number) for word, number in (line.split("\t") for line in lines_of(output))}


def until(condition: Any, timeout_s: float = 30.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(2, map_slots=2, reduce_slots=1, heartbeat_s=0.2) as made:
        yield made


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    directory = tmp_path / "in"
    directory.mkdir()
    for i in range(3):
        (directory / f"{i}.txt").write_text(TEXT * (i + 1))
    return directory


def test_wordcount_of_local_files(cluster: LocalCluster, texts: Path, tmp_path: Path):
    seen = []
    status = cluster.client.run(wordcount.make(), str(texts), str(tmp_path / "out"), split_bytes=5000, progress=seen.append)
    assert counts_of(tmp_path / "out") == Counter((TEXT * 6).split())
    assert status.maps > 5
    assert status.maps_done == status.maps
    assert (status.map_progress, status.reduce_progress) == (1.0, 1.0)
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["_SUCCESS", "part-00000", "part-00001"]
    assert seen[-1] == status


def test_a_job_of_maps_only_writes_what_they_emit(cluster: LocalCluster, texts: Path, tmp_path: Path):
    job = Job(map=lambda offset, line: [(offset, None)] if "über" in line else [], name="where")
    status = cluster.client.run(job, str(texts / "0.txt"), str(tmp_path / "out"), split_bytes=3000)
    assert status.reduces == 0
    found = [int(line) for line in lines_of(tmp_path / "out")]
    data = (texts / "0.txt").read_bytes()
    assert len(found) == 200
    assert all(data[at:].startswith("über".encode()) for at in found)


def test_counters_are_summed_over_tasks(cluster: LocalCluster, texts: Path, tmp_path: Path):
    def map(key: int, line: str):
        count("lines")
        if not line:
            count("empty lines")
        yield from ((word, 1) for word in line.split())

    status = cluster.client.run(evolve(wordcount.make(), map=map), str(texts / "*.txt"), str(tmp_path / "out"), split_bytes=4000)
    assert status.counters == {"lines": 4 * 1200, "empty lines": 1200}


def test_the_users_exception_fails_the_job_after_four_attempts_with_its_traceback(cluster: LocalCluster, texts: Path, tmp_path: Path):
    def map(key: int, line: str):
        yield line, int(line)

    with pytest.raises(JobFailed, match="failed 4 times") as found:
        cluster.client.run(Job(map=map, reduce=wordcount.add), str(texts / "0.txt"), str(tmp_path / "out"))
    assert "yield line, int(line)" in str(found.value)
    assert "ValueError: invalid literal for int() with base 10: 'a rose is a rose'" in str(found.value)
    assert found.value.status == "FAILED"
    attempts = cluster.client.attempts(found.value.jobid)
    assert [one.state for one in attempts if one.taskid == 0] == ["FAILED"] * 4


def test_a_task_that_fails_once_is_tried_again_elsewhere(cluster: LocalCluster, texts: Path, tmp_path: Path):
    marker = str(tmp_path / "failed")

    def map(key: int, line: str):
        if not os.path.exists(marker):
            Path(marker).touch()
            raise RuntimeError("the first time")
        yield from wordcount.map(key, line)

    client = cluster.client
    jobid = client.submit(evolve(wordcount.make(), map=map), str(texts / "0.txt"), str(tmp_path / "out"))
    assert client.wait(jobid, timeout_s=60).attempts["FAILED"] == 1
    first, second = [one for one in client.attempts(jobid) if one.taskid == 0]
    assert (first.state, second.state) == ("FAILED", "SUCCEEDED")
    assert first.tracker != second.tracker
    assert counts_of(tmp_path / "out") == Counter(TEXT.split())


def slow_job(marker: Path, seconds: float) -> Job:
    """A wordcount that takes so long for a map, once it has left a mark."""
    path = str(marker)

    def map(key: int, line: str):
        if key == 0:
            Path(path).touch()
            time.sleep(seconds)
        yield from wordcount.map(key, line)

    return evolve(wordcount.make(), map=map)


def test_kill_ends_a_job_at_once(cluster: LocalCluster, texts: Path, tmp_path: Path):
    client = cluster.client
    jobid = client.submit(slow_job(tmp_path / "mark", 1000), str(texts), str(tmp_path / "out"))
    until((tmp_path / "mark").exists)
    began = time.monotonic()
    client.kill(jobid)
    with pytest.raises(JobFailed, match="KILLED: killed by"):
        client.wait(jobid, timeout_s=30)
    until(lambda: not any(attempt[0] == jobid for tracker in cluster.trackers for attempt in tracker.pool.processes))
    assert time.monotonic() - began < 10
    assert next(job for job in client.jobs() if job.jobid == jobid).status == "KILLED"


def test_a_killed_worker_process_costs_one_attempt(cluster: LocalCluster, texts: Path, tmp_path: Path):
    client = cluster.client
    jobid = client.submit(slow_job(tmp_path / "mark", 1.5), str(texts / "0.txt"), str(tmp_path / "out"))
    until((tmp_path / "mark").exists)
    processes = [item for tracker in cluster.trackers for item in tracker.pool.processes.items()]
    (pid,) = [pid for attempt, pid in processes if attempt[:2] == (jobid, 0)]
    os.kill(pid, signal.SIGKILL)
    assert client.wait(jobid, timeout_s=60).attempts["FAILED"] == 1
    assert counts_of(tmp_path / "out") == Counter(TEXT.split())


def test_a_tracker_that_dies_in_the_middle_of_a_job_costs_nothing_but_time(texts: Path, tmp_path: Path):
    """Its running attempts and its completed maps run again; the result is the same."""
    with LocalCluster(2, map_slots=1, reduce_slots=1, heartbeat_s=0.2, expiry_s=3.0, check_s=0.2) as cluster:
        client = cluster.client

        def reduce(key: str, values: Iterator[int]):
            while not os.path.exists(gate):
                time.sleep(0.02)
            yield key, sum(values)

        gate = str(tmp_path / "gate")
        job = evolve(wordcount.make(), reduce=reduce)
        jobid = client.submit(job, str(texts), str(tmp_path / "out"), split_bytes=4000)
        victim, other = cluster.trackers
        until(lambda: client.status(jobid).maps_done == client.status(jobid).maps)
        until(lambda: {one.tracker for one in client.attempts(jobid) if one.kind == "reduce"} == {victim.address, other.address})
        lost = {one.taskid for one in client.attempts(jobid) if one.tracker == victim.address}
        victim.__exit__(None, None, None)
        until(lambda: [one.name for one in client.trackers()] == [other.address])
        Path(gate).touch()
        status = client.wait(jobid, timeout_s=90)
        assert counts_of(tmp_path / "out") == Counter((TEXT * 6).split())
        again = {one.taskid for one in client.attempts(jobid) if one.n > 0 and one.state == "SUCCEEDED"}
        assert len(lost) >= 2
        assert again == lost  # its maps, though they had succeeded, and its reduce
        # Killed with the tracker, or failed before that because their output could not be fetched any more.
        assert status.attempts["KILLED"] + status.attempts.get("FAILED", 0) == len(lost)


def test_a_hanging_attempt_is_overtaken_by_a_speculative_one(tmp_path: Path):
    """LATE with real processes: of six maps one hangs; a second attempt of it wins and the first is killed."""
    for i in range(6):
        (tmp_path / f"{i}.txt").write_text("word\n" * 150)
    marker = str(tmp_path / "hung")

    def map(key: int, line: str):
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            time.sleep(0.02)
        else:
            time.sleep(1000)
        yield line, 1

    policy = {"speculative_lag_s": 1.0, "count_finished": True, "slow_start": 1.0}
    with LocalCluster(3, map_slots=3, reduce_slots=1, heartbeat_s=0.2, **policy) as cluster:
        jobid = cluster.client.submit(evolve(wordcount.make(), map=map), str(tmp_path / "*.txt"), str(tmp_path / "out"))
        status = cluster.client.wait(jobid, timeout_s=60)
        attempts = cluster.client.attempts(jobid)
    assert counts_of(tmp_path / "out") == {"word": 900}
    assert status.attempts["SPECULATIVE"] >= 1
    overtaken = [one for one in attempts if one.state == "KILLED" and not one.speculative]
    assert overtaken
    for hung in overtaken:
        (winner,) = [one for one in attempts if one.taskid == hung.taskid and one.state == "SUCCEEDED"]
        assert winner.speculative
        assert winner.tracker != hung.tracker


def test_a_job_signed_with_another_secret_is_refused(cluster: LocalCluster, texts: Path, tmp_path: Path):
    client = Client(cluster.address, secret=cluster.secret)
    with client:
        client.secret = b"another"  # the connection is authenticated, the job is not
        with pytest.raises(JobError, match="not signed with this cluster's secret"):
            client.submit(wordcount.make(), str(texts), str(tmp_path / "out"))


def test_output_that_exists_is_not_touched(cluster: LocalCluster, texts: Path, tmp_path: Path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "part-00000").write_text("precious")
    with pytest.raises(JobError, match="holds output already"):
        cluster.client.submit(wordcount.make(), str(texts), str(tmp_path / "out"))


def test_an_unknown_job_is_said_to_be_unknown(cluster: LocalCluster):
    with pytest.raises(UnknownJob, match="knows no job 999"):
        cluster.client.status(999)
    with pytest.raises(UnknownJob, match="knows no job 999"):
        cluster.client.kill(999)


def test_a_lost_request_is_sent_again_and_counts_once(texts: Path, tmp_path: Path):
    with LocalCluster(1, heartbeat_s=0.2) as cluster:
        node = cluster.client._node
        lost: list[str] = []

        class Lossy:
            """The node, whose first answer to each request is lost."""

            address = node.address

            def call_sync(self, request: str, row: Any, **options: Any) -> Any:
                answer = node.call_sync(request, row, **options)
                if request not in lost:
                    lost.append(request)
                    raise CallTimeout("lost on the way")
                return answer

        cluster.client._node = Lossy()
        jobid = cluster.client.submit(wordcount.make(), str(texts / "0.txt"), str(tmp_path / "out"))
        cluster.client.wait(jobid, timeout_s=60)
        assert lost == ["submit", "ask_status"]
        assert [job.jobid for job in cluster.client.jobs()] == [jobid]
        cluster.client._node = node
    assert counts_of(tmp_path / "out") == Counter(TEXT.split())


def test_two_jobs_at_once(cluster: LocalCluster, texts: Path, tmp_path: Path):
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            with Client(cluster.address, secret=cluster.secret) as client:
                client.run(wordcount.make(), str(texts / f"{number}.txt"), str(tmp_path / f"out{number}"), split_bytes=8000)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    for number in (0, 1):
        assert counts_of(tmp_path / f"out{number}") == Counter((TEXT * (number + 1)).split())
