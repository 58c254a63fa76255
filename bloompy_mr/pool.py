"""The worker processes of a TaskTracker. Plain Python, not rules.

Each attempt has a process of its own while it runs. A process serves one job only, one attempt after another; to kill an
attempt is to kill its process, with everything that it started.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen

import bloompy_mr
from bloompy_mr.shuffle import map_output_path
from bloompy_mr.worker import talk
from bloompy_mr.worker.mapping import index_path

Attempt: TypeAlias = tuple[int, int, int]
Say: TypeAlias = Callable[..., object]
Miss: TypeAlias = Callable[..., object]

_log = logging.getLogger(__name__)
_STDERR_TAIL_BYTES = 4096
CLOSE_TIMEOUT_S = 5.0


@frozen
class Limits:
    """What a worker may take.

    Attributes:
        memory_bytes: of address space; 0 for no limit.
        task_timeout_s: an attempt that reports no progress for so long fails.
        idle_workers: processes kept for further attempts.
    """

    memory_bytes: int = 0
    task_timeout_s: float = 600.0
    idle_workers: int = 4


class Pool:
    """Runs attempts in worker processes and says how they do.

    Args:
        directory: the tracker's work directory, made if missing.
        secret: the cluster's secret.
        data_address: the tracker's own data port.
        say: called as say(jobid, taskid, n, seq, state, phase, progress, counters, error), from threads of the pool.
        miss: called as miss(jobid, map taskid, map n, reduce taskid, reduce n, seq) when map output cannot be fetched.
        limits: what a worker may take.
        fs_secret: secret of the file systems that hold input and output.
    """

    def __init__(
        self,
        directory: Path,
        secret: bytes,
        data_address: str,
        say: Say,
        miss: Miss,
        limits: Limits | None = None,
        fs_secret: bytes = b"",
    ) -> None:
        self.directory, self.say, self.miss, self.limits = directory, say, miss, limits or Limits()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._hello = talk.Hello(secret, fs_secret, str(directory), data_address, self.limits.memory_bytes)
        self._lock = threading.RLock()
        self._running: dict[Attempt, Worker] = {}
        self._idle: list[Worker] = []
        self._closed = False
        threading.Thread(target=self._watch, name="pool", daemon=True).start()

    def start(self, row: Any) -> None:
        """Run an attempt: a row of the relation `start`."""
        with self._lock:
            attempt = (row.jobid, row.taskid, row.n)
            if self._closed or attempt in self._running:
                return
            worker = next((one for one in self._idle if one.jobid == row.jobid), None)
            if worker is not None:
                self._idle.remove(worker)
            else:
                worker = Worker(self, row.jobid)
            self._running[attempt] = worker
        worker.begin(attempt, talk.Start(*attempt, row.kind, row.partition, row.maps, row.code, row.settings, row.signature))

    def feed(self, row: Any) -> None:
        """Tell a reduce attempt where a map output is: a row of the relation `feed`."""
        self._send((row.jobid, row.taskid, row.n), talk.MapOutputAt(row.map_taskid, row.map_n, row.data_address))

    def commit(self, row: Any) -> None:
        """Let an attempt commit: a message `commit`."""
        self._send((row.jobid, row.taskid, row.n), talk.Commit())

    def release(self, row: Any) -> None:
        """The attempt is over: a message `release`. Whatever of it still runs is killed; lost or failed output is removed."""
        attempt = (row.jobid, row.taskid, row.n)
        with self._lock:
            worker = self._running.pop(attempt, None)
        if worker is not None:
            worker.kill()
        if row.state != "SUCCEEDED":
            path = map_output_path(self.directory, *attempt)
            for one in (index_path(path), path):
                one.unlink(missing_ok=True)

    def forget(self, row: Any) -> None:
        """A job is over: a message `forget_job`. Its processes end and its files go."""
        with self._lock:
            workers = [one for one in self._idle if one.jobid == row.jobid]
            self._idle = [one for one in self._idle if one.jobid != row.jobid]
            for attempt in [one for one in self._running if one[0] == row.jobid]:
                workers.append(self._running.pop(attempt))
        for worker in workers:
            worker.kill()
        shutil.rmtree(self.directory / f"job-{row.jobid}", ignore_errors=True)

    def close(self) -> None:
        """Kill all workers, and wait until they are gone."""
        with self._lock:
            self._closed = True
            workers = [*self._running.values(), *self._idle]
            self._running.clear()
            self._idle.clear()
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.listener.join(CLOSE_TIMEOUT_S)

    @property
    def processes(self) -> dict[Attempt, int]:
        """Process numbers of the running attempts."""
        with self._lock:
            return {attempt: worker.process.pid for attempt, worker in self._running.items()}

    def _send(self, attempt: Attempt, message: talk.ToWorker) -> None:
        with self._lock:
            worker = self._running.get(attempt)
        if worker is not None:
            worker.send(message)

    def finished(self, worker: Worker, attempt: Attempt) -> None:
        """An attempt has ended by itself; its worker may run another of the same job."""
        with self._lock:
            if self._running.get(attempt) is not worker:
                return
            del self._running[attempt]
            if not self._closed and len(self._idle) < self.limits.idle_workers:
                self._idle.append(worker)
                return
        worker.kill()

    def died(self, worker: Worker) -> Attempt | None:
        """A process has ended; which attempt went with it."""
        with self._lock:
            if worker in self._idle:
                self._idle.remove(worker)
            found = next((attempt for attempt, one in self._running.items() if one is worker), None)
            if found is not None:
                del self._running[found]
            return found

    def _watch(self) -> None:
        """Fail attempts that have said nothing for too long."""
        while not self._closed:
            time.sleep(min(self.limits.task_timeout_s / 4, 5.0))
            with self._lock:
                late = [one for one in self._running.values() if time.monotonic() - one.last_heard > self.limits.task_timeout_s]
            for worker in late:
                worker.kill(f"no progress for {self.limits.task_timeout_s:g} s")


class Worker:
    """One worker process and the thread that listens to it."""

    def __init__(self, pool: Pool, jobid: int) -> None:
        self.pool, self.jobid = pool, jobid
        self.attempt: Attempt | None = None
        self.last_heard = time.monotonic()
        self._seq = 0
        self._why = ""
        self._counters: tuple[tuple[str, int], ...] = ()
        self._log_path = pool.directory / f"worker-{id(self)}.log"
        self._write = threading.Lock()
        with self._log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bloompy_mr.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(),
                cwd=pool.directory,
                start_new_session=True,
            )
        self.send(pool._hello)
        self.listener = threading.Thread(target=self._listen, name=f"worker {self.process.pid}", daemon=True)
        self.listener.start()

    def begin(self, attempt: Attempt, start: talk.Start) -> None:
        """Run an attempt."""
        self.attempt, self._counters, self.last_heard = attempt, (), time.monotonic()
        self._say("RUNNING", "STARTING", 0.0)
        self.send(start)

    def send(self, message: talk.ToWorker) -> None:
        """Tell the process something; if it is dead, its listener notices."""
        assert self.process.stdin is not None
        with self._write, contextlib.suppress(OSError, ValueError):
            talk.send(self.process.stdin, message)  # type: ignore[arg-type]

    def kill(self, why: str = "") -> None:
        """End the process and all that it started, at once.

        Args:
            why: reported as the error of the attempt, if it still counts.
        """
        self._why = self._why or why
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                message = talk.receive(self.process.stdout, talk.from_worker)  # type: ignore[arg-type]
                self.last_heard = time.monotonic()
                self._heard(message)
        except EOFError:
            pass
        except Exception:
            _log.exception("worker %s said what cannot be understood", self.process.pid)
            self.kill("the worker process broke its protocol")
        status = self.process.wait()
        with self._write:
            for pipe in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
        if self.pool.died(self) is not None:
            self._say("FAILED", "", 0.0, error=self._why or f"the worker process ended with {_exit(status)}{self._tail()}")
        self._log_path.unlink(missing_ok=True)

    def _heard(self, message: talk.FromWorker) -> None:
        attempt = self.attempt
        assert attempt is not None
        if isinstance(message, talk.Progress):
            self._say("RUNNING", message.phase, message.progress)
        elif isinstance(message, talk.Done):
            self._counters = tuple(sorted(message.counters.items()))
            self._say("DONE", "COMMIT" if message.commit else "MAP", 1.0)
            if not message.commit:
                self.pool.finished(self, attempt)
        elif isinstance(message, talk.Committed):
            self._say("COMMITTED", "COMMIT", 1.0)
            self.pool.finished(self, attempt)
        elif isinstance(message, talk.Failed):
            self._say("FAILED", "", 0.0, error=message.error)
            self.pool.finished(self, attempt)
        else:
            self._seq += 1
            self.pool.miss(attempt[0], message.taskid, message.n, attempt[1], attempt[2], self._seq)

    def _say(self, state: str, phase: str, progress: float, error: str = "") -> None:
        assert self.attempt is not None
        self._seq += 1
        self.pool.say(*self.attempt, self._seq, state, phase, progress, self._counters, error)

    def _tail(self) -> str:
        with contextlib.suppress(OSError):
            text = self._log_path.read_bytes()[-_STDERR_TAIL_BYTES:].decode("utf-8", "replace").strip()
            return f"; it wrote:\n{text}" if text else ""
        return ""


def _exit(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def _environment() -> dict[str, str]:
    """The environment of workers: they find this package, and what they write is seen at once."""
    root = str(Path(bloompy_mr.__file__).resolve().parent.parent)
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{known}" if known else root, "PYTHONUNBUFFERED": "1"}
