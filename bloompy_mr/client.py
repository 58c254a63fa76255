"""Submitting jobs and watching them. Plain Python."""

from __future__ import annotations

import getpass
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from attrs import frozen

from bloompy.errors import CallTimeout
from bloompy.runtime.node import Node
from bloompy_mr import jobfile
from bloompy_mr.addresses import listen_towards
from bloompy_mr.errors import JobError, JobFailed, UnknownJob
from bloompy_mr.files import FS_SCHEME, files_of, join
from bloompy_mr.job import job_of
from bloompy_mr.messages import Messages
from bloompy_mr.splits import SPLIT_BYTES, splits_of

OVER = frozenset({"SUCCEEDED", "FAILED", "KILLED"})
POLL_S, MOST_POLL_S = 0.05, 0.5
TRIES = (0.2, 0.3, 0.5)
"""Parts of the timeout after which a request is sent again."""


@frozen
class JobStatus:
    """How a job stands.

    Attributes:
        status: RUNNING, SUCCEEDED, FAILED or KILLED.
        submit, finish: seconds of the JobTracker's clock; finish is 0 while it runs.
        error: why it failed.
        maps, maps_done, map_progress: number, number done, part of the work done (0 to 1); the same for reduces.
        attempts: number of attempts by state: RUNNING, SUCCEEDED, FAILED, KILLED; SPECULATIVE counts across states.
        counters: sums over the attempts that committed.
    """

    jobid: int
    name: str
    status: str
    submit: float
    finish: float
    error: str
    maps: int
    maps_done: int
    map_progress: float
    reduces: int
    reduces_done: int
    reduce_progress: float
    attempts: Mapping[str, int]
    counters: Mapping[str, int]

    @property
    def over(self) -> bool:
        """Whether the job has ended."""
        return self.status in OVER


class ListedJob(NamedTuple):
    """A job in the list of all."""

    jobid: int
    name: str
    user: str
    priority: int
    submit: float
    status: str
    finish: float


class ListedAttempt(NamedTuple):
    """An attempt of a task; finish is 0 while it runs."""

    taskid: int
    n: int
    kind: str
    tracker: str
    start: float
    speculative: bool
    state: str
    finish: float


class ListedTracker(NamedTuple):
    """A live TaskTracker."""

    name: str
    host: str
    map_slots: int
    reduce_slots: int


class Client:
    """A connection to a JobTracker; use it in a `with`.

    Args:
        jobtracker: its address, "host:port".
        secret: the cluster's secret; jobs are signed with it.
        listen: own address, for the replies; by default a free port of the interface towards the JobTracker.
        timeout_s: seconds to wait for a reply, with retries.
        fs_secret: secret of the file systems; the cluster's own by default.
    """

    def __init__(
        self, jobtracker: str, *, secret: bytes, listen: str | None = None, timeout_s: float = 10.0, fs_secret: bytes | None = None
    ) -> None:
        self.fs_secret = secret if fs_secret is None else fs_secret
        self.jobtracker, self.secret, self.timeout_s = jobtracker, secret, timeout_s
        self.listen = listen or listen_towards(jobtracker)
        self._reqid = random.getrandbits(40) << 20
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._node: Any = self._stack.enter_context(Node(Messages(), listen=self.listen, secret=self.secret))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def submit(
        self,
        written: Any,
        inputs: Sequence[str] | str,
        output: str,
        *,
        priority: int = 0,
        split_bytes: int = SPLIT_BYTES,
        **changes: Any,
    ) -> int:
        """Submit a job.

        Args:
            written: a Job, or a class or instance with `map`, `reduce`, … as methods.
            inputs: files, directories and globs, local or `fs://host:port/path`.
            output: a directory, made if missing; must hold no part files.
            priority: jobs of a lower number go first.
            split_bytes: length of a map task's input.
            changes: attributes of the job to set otherwise, such as reduces=4.

        Returns:
            the number of the job.

        Raises:
            JobError: the job, its input or its output does not do, or the JobTracker refuses it.
            CallTimeout: the JobTracker does not answer.
        """
        job = job_of(written, **changes)
        output = _absolute(output)
        _check_output(output, self.fs_secret)
        named = [inputs] if isinstance(inputs, str) else list(inputs)
        placed = splits_of(named, secret=self.fs_secret, split_bytes=split_bytes, whole_files=job.input_format == "files")
        files_of(output, self.fs_secret).make_directory(output)
        file = jobfile.make(job, tuple(one.split for one in placed), output, self.secret)
        reply = self._ask(
            "submit",
            (job.name, getpass.getuser(), priority, len(placed), job.reduce_tasks, tuple(one.hosts for one in placed),
             file.code, file.settings, file.signature),
            "submitted",
        )  # fmt: skip
        if reply.error:
            raise JobError(f"the JobTracker refused the job: {reply.error}", hint="client and JobTracker need the same secret")
        return int(reply.jobid)

    def status(self, jobid: int) -> JobStatus:
        """How a job stands.

        Raises:
            UnknownJob: the JobTracker does not know it.
        """
        reply = self._ask("ask_status", (jobid,), "job_status")
        if reply.status == "UNKNOWN":
            raise UnknownJob(f"the JobTracker knows no job {jobid}", hint="bloompy mr jobs lists those it knows")
        *values, attempts, counters = tuple(reply)[3:]
        return JobStatus(*[*values, dict(attempts), dict(counters)])

    def wait(self, jobid: int, progress: Callable[[JobStatus], object] | None = None, timeout_s: float | None = None) -> JobStatus:
        """Wait until a job has succeeded.

        Args:
            jobid: its number.
            progress: called with its status some times a second.
            timeout_s: how long to wait; the job runs on after that.

        Raises:
            JobFailed: it failed or was killed; the message holds the traceback of the user's code.
            TimeoutError: it is not over yet.
        """
        began = time.monotonic()
        deadline = None if timeout_s is None else began + timeout_s
        while True:
            status = self.status(jobid)
            if progress is not None:
                progress(status)
            if status.status == "SUCCEEDED":
                return status
            if status.over:
                raise JobFailed(f"job {jobid} ({status.name}) {status.status}: {status.error}", jobid=jobid, status=status.status)
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"job {jobid} is not over after {timeout_s:g} s")
            time.sleep(min(MOST_POLL_S, POLL_S + (time.monotonic() - began) / 20))

    def run(
        self,
        written: Any,
        inputs: Sequence[str] | str,
        output: str,
        *,
        progress: Callable[[JobStatus], object] | None = None,
        **options: Any,
    ) -> JobStatus:
        """Submit a job, wait for it, and mark its output as complete with the empty file `_SUCCESS`.

        Raises:
            as `submit` and `wait`.
        """
        jobid = self.submit(written, inputs, output, **options)
        try:
            status = self.wait(jobid, progress)
        except KeyboardInterrupt:
            self.kill(jobid)
            raise
        finally:
            files_of(output, self.fs_secret).remove(join(_absolute(output), "_temporary"))
        with files_of(output, self.fs_secret).create(join(_absolute(output), "_SUCCESS")):
            pass
        return status

    def kill(self, jobid: int) -> None:
        """End a job and all its attempts.

        Raises:
            UnknownJob: the JobTracker does not know it.
        """
        if not self._ask("kill_job", (jobid,), "job_killed").known:
            raise UnknownJob(f"the JobTracker knows no job {jobid}", hint="bloompy mr jobs lists those it knows")

    def set_priority(self, jobid: int, priority: int) -> None:
        """Change the priority of a running job.

        Raises:
            UnknownJob: no job of this number runs.
        """
        if not self._ask("set_priority", (jobid, priority), "priority_set").known:
            raise UnknownJob(f"no job {jobid} runs", hint="bloompy mr jobs lists those it knows")

    def jobs(self) -> list[ListedJob]:
        """The jobs that the JobTracker knows."""
        return [ListedJob(*row) for row in self._ask("ask_jobs", (), "job_list").jobs]

    def attempts(self, jobid: int) -> list[ListedAttempt]:
        """Who did what: the attempts of a job."""
        return [ListedAttempt(*row) for row in self._ask("ask_attempts", (jobid,), "attempt_list").attempts]

    def trackers(self) -> list[ListedTracker]:
        """The live TaskTrackers."""
        return [ListedTracker(*row) for row in self._ask("ask_trackers", (), "tracker_list").trackers]

    def _ask(self, request: str, values: tuple[Any, ...], reply: str) -> Any:
        self._reqid += 1
        row = (self.jobtracker, self._node.address, self._reqid, *values)
        for part in TRIES[:-1]:  # under one number, so that it counts once however often it arrives
            with suppress(CallTimeout):
                return self._node.call_sync(request, row, reply=reply, timeout_s=part * self.timeout_s)
        return self._node.call_sync(request, row, reply=reply, timeout_s=TRIES[-1] * self.timeout_s)


def _absolute(path: str) -> str:
    return path if path.startswith(FS_SCHEME) else str(Path(path).absolute())


def _check_output(output: str, secret: bytes) -> None:
    """Raises JobError for a directory that holds output already."""
    files = files_of(output, secret)
    if files.exists(join(output, "part-00000")) or files.exists(join(output, "_SUCCESS")):
        raise JobError(f"{output} holds output already", hint="give another directory, or remove that one")
