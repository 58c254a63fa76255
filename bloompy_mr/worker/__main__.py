"""A worker process: runs attempts, one at a time, as its TaskTracker says over standard input and output."""

from __future__ import annotations

import gc
import os
import queue
import resource
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bloompy_mr import counters
from bloompy_mr.errors import FetchFailed
from bloompy_mr.files import files_of, join
from bloompy_mr.job import Job, Pair
from bloompy_mr.jobfile import JobFile, Settings, load
from bloompy_mr.runs import segment
from bloompy_mr.shuffle import Fetcher, map_output_path
from bloompy_mr.worker import talk
from bloompy_mr.worker.gauge import Gauge
from bloompy_mr.worker.mapping import pairs_of, read_index, run_map
from bloompy_mr.worker.reducing import Shuffled, reduced, write_pairs

PROGRESS_EVERY_S = 0.2
FETCH_RETRY_S = 1.0
SIGN_OF_LIFE_S = 5.0


class Worker:
    """One worker process."""

    def __init__(self, inbox: BinaryIO, outbox: BinaryIO) -> None:
        self.outbox = outbox
        self.hello: talk.Hello = talk.receive(inbox, talk.to_worker)
        self.directory = Path(self.hello.directory)
        self.messages: queue.Queue[talk.ToWorker] = queue.Queue()
        self._inbox = inbox
        self.gauge = Gauge()
        self._write = threading.Lock()
        self._told = (0.0, "")
        self._busy = False
        self._loaded: tuple[bytes, Job, Settings] | None = None

    def listen(self) -> None:
        """Read messages until the tracker is gone; then this process goes too, whatever it is doing."""
        try:
            while True:
                self.messages.put(talk.receive(self._inbox, talk.to_worker))
        except (EOFError, OSError):
            os._exit(0)

    def tell(self) -> None:
        """Report progress whenever there is some."""
        while True:
            time.sleep(PROGRESS_EVERY_S)
            now = (self.gauge.read(), self.gauge.phase)
            if self._busy and now != self._told:
                self._told = now
                self._say(talk.Progress(*now))

    def _say(self, message: talk.FromWorker) -> None:
        with self._write:
            talk.send(self.outbox, message)

    def run(self) -> None:
        """Run attempts for ever."""
        for task in (self.listen, self.tell):
            threading.Thread(target=task, daemon=True).start()
        if self.hello.memory_bytes:
            resource.setrlimit(resource.RLIMIT_AS, (self.hello.memory_bytes, self.hello.memory_bytes))
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)  # a map task makes many small objects that are no garbage
        while True:
            message = self.messages.get()
            if isinstance(message, talk.Start):
                self._attempt(message)

    def _attempt(self, start: talk.Start) -> None:
        counters.taken()
        self.gauge = Gauge()
        self._busy = True
        try:
            job, settings = self._load(start)
            if start.kind == "map" and settings.reduces:
                self._map(start, job, settings)
            else:
                self._write_output(start, job, settings)
        except Exception as error:  # whatever user code raises is reported, and the worker lives on
            self._end(talk.Failed(_told(error)))
        except SystemExit as error:
            self._end(talk.Failed(f"the job's code called sys.exit({error.code!r})"))

    def _end(self, message: talk.Done | talk.Committed | talk.Failed) -> None:
        """Say the last word on an attempt (or the last but Committed): no progress is told after it."""
        self._busy = False
        self._say(message)

    def _load(self, start: talk.Start) -> tuple[Job, Settings]:
        if self._loaded is None or self._loaded[0] != start.signature:
            job, settings = load(JobFile(start.code, start.settings, start.signature), self.hello.secret)
            self._loaded = (start.signature, job, settings)
        return self._loaded[1:]

    # -- map tasks

    def _map(self, start: talk.Start, job: Job, settings: Settings) -> None:
        split = settings.splits[start.partition]
        path = map_output_path(self.directory, start.jobid, start.taskid, start.n)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.gauge.set(0.0, "MAP")
        run_map(job, files_of(split.path, self.hello.fs_secret), split, settings.reduces, path, self.gauge)
        self._end(talk.Done(counters.taken()))

    # -- tasks with output: write to a temporary file, wait for leave, give it its name

    def _write_output(self, start: talk.Start, job: Job, settings: Settings) -> None:
        files = files_of(settings.output, self.hello.fs_secret)
        temporary = join(settings.output, "_temporary", f"{start.kind}-{start.taskid}-{start.n}")
        final = join(settings.output, f"part-{start.partition:05}")
        scratch = self.directory / f"job-{start.jobid}" / f"{start.kind}-{start.taskid}-{start.n}.runs"
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            with files.create(temporary) as out:
                write_pairs(job, self._pairs(start, job, settings, scratch), out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self._end(talk.Done(counters.taken(), commit=True))
        while not isinstance(self.messages.get(), talk.Commit):
            pass
        files.commit(temporary, final)
        self._end(talk.Committed())

    def _pairs(self, start: talk.Start, job: Job, settings: Settings, scratch: Path) -> Iterator[Pair]:
        if start.kind == "map":
            split = settings.splits[start.partition]
            self.gauge.set(0.0, "MAP")
            return pairs_of(job, files_of(split.path, self.hello.fs_secret), split, self.gauge)
        shuffled = self._shuffle(start, scratch)
        self.gauge.set(1 / 3, "SORT")  # a third each of the progress for copy, sort and reduce, as in Hadoop
        return reduced(job, shuffled.groups(), self.gauge)

    def _shuffle(self, start: talk.Start, scratch: Path) -> Shuffled:
        """Fetch this task's run from every map task, as the tracker tells where they are."""
        shuffled, fetcher = Shuffled(scratch), Fetcher(self.hello.secret)
        missing, known = set(range(start.maps)), dict[int, talk.MapOutputAt]()
        self.gauge.set(0.0, "SHUFFLE")
        while missing:
            wait = not any(taskid in known for taskid in missing)
            while wait or not self.messages.empty():
                message = self._next(SIGN_OF_LIFE_S)
                if isinstance(message, talk.MapOutputAt):
                    known[message.taskid] = message
                    wait = False
            for taskid in sorted(missing & known.keys()):
                try:
                    self._fetch(start, known[taskid], fetcher, shuffled)
                    missing.discard(taskid)
                except FetchFailed:
                    self._say(talk.FetchProblem(taskid, known[taskid].n))
                    time.sleep(FETCH_RETRY_S)
                    break  # a newer address may have come meanwhile
                self.gauge.set((1 - len(missing) / start.maps) / 3, "SHUFFLE")
        fetcher.close()
        return shuffled

    def _fetch(self, start: talk.Start, output: talk.MapOutputAt, fetcher: Fetcher, shuffled: Shuffled) -> None:
        if output.address != self.hello.data_address:
            shuffled.add(fetcher.fetch(output.address, start.jobid, output.taskid, output.n, start.partition))
            return
        path = map_output_path(self.directory, start.jobid, output.taskid, output.n)
        try:
            offset, length = read_index(path)[start.partition]
        except (OSError, IndexError) as error:
            raise FetchFailed(f"no map output at {path}") from error
        shuffled.add_source(lambda: segment(path, offset, length), length)

    def _next(self, timeout_s: float) -> talk.ToWorker | None:
        """The next message; while none comes, a sign of life now and then: a reduce that waits for maps is not stuck."""
        try:
            return self.messages.get(timeout=timeout_s)
        except queue.Empty:
            self._say(talk.Progress(self.gauge.read(), self.gauge.phase))
            return None


def _told(error: BaseException) -> str:
    """The traceback from the user's own code on: frames of this package above it say nothing to the user."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    frames = error.__traceback__
    first = frames
    while first is not None and first.tb_frame.f_code.co_filename.startswith(package + os.sep):
        first = first.tb_next
    return "".join(traceback.format_exception(type(error), error, first or frames)).rstrip()


def main() -> None:
    """Run the worker on what were standard input and output; user code that prints, prints to standard error."""
    inbox = os.fdopen(os.dup(0), "rb")
    outbox = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    Worker(inbox, outbox).run()


if __name__ == "__main__":
    main()
