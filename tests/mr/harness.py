"""A JobTracker stepped by hand: says what the outside world says, reads what it sends."""

from __future__ import annotations

from typing import Any

from bloompy_mr import jobfile
from bloompy_mr.jobfile import Split
from bloompy_mr.jobtracker import FcfsJobTracker, JobTracker
from bloompy_mr.ready.wordcount import make

SECRET = b"secret of the tests"
EVALUATOR = ["codegen"]  # set by the fixture `evaluator`


class Hand:
    """A JobTracker, its time, and the messages it sent in the last tick."""

    def __init__(self, *, late: bool = False, **parameters: Any) -> None:
        kind = JobTracker if late else FcfsJobTracker
        self.jt: Any = kind(me="jt", secret=SECRET, evaluator=EVALUATOR[0], **parameters)
        self.now = 0.0
        self.seq = 0
        self.sent: dict[str, list[tuple[Any, ...]]] = {}

    def tick(self, seconds: float = 0.0) -> dict[str, list[tuple[Any, ...]]]:
        """One tick, so many seconds later."""
        self.now += seconds
        self.sent = {channel: list(rows) for channel, rows in self.jt.tick(now=self.now).sent.items()}
        return self.sent

    def settle(self, ticks: int = 10) -> dict[str, list[tuple[Any, ...]]]:
        """Ticks until nothing changes; all that was sent in them."""
        sent: dict[str, list[tuple[Any, ...]]] = {}
        for _ in range(ticks):
            for channel, rows in self.tick().items():
                sent.setdefault(channel, []).extend(rows)
            if not self.jt._machine.pending():
                return sent
        raise AssertionError("the JobTracker does not come to rest")

    def submit(self, maps: int = 2, reduces: int = 1, hosts: Any = None, priority: int = 0, reqid: int = 0, client: str = "c") -> None:
        """A job of so many tasks; hosts: one tuple for each map."""
        splits = tuple(Split(f"/in/{i}", 0, 10) for i in range(maps))
        from attrs import evolve

        file = jobfile.make(evolve(make(), reduces=reduces), splits, "/out", SECRET)
        self.jt.submit.insert(
            ("jt", client, reqid or self._next(), "a job", "me", priority, maps, reduces, hosts or ((),) * maps,
             file.code, file.settings, file.signature)
        )

    def heartbeat(self, *trackers: str, slots: tuple[int, int] = (2, 2), incarnation: str = "i", host: str = "") -> None:
        """Heartbeats; the host of tracker t1 is h1 unless given."""
        for name in trackers:
            self.jt.heartbeat.insert(("jt", name, self._next(), incarnation, host or name.replace("t", "h"), name + ":data", *slots))

    def report(
        self, tracker: str, taskid: int, n: int = 0, state: str = "RUNNING", progress: float = 0.0, jobid: int = 1, error: str = "",
        counters: tuple[tuple[str, int], ...] = (),
    ) -> None:
        """An attempt's state."""
        self.jt.report.insert(("jt", tracker, jobid, taskid, n, self._next(), state, "MAP", progress, counters, error))

    def launched(self, sent: dict[str, list[tuple[Any, ...]]] | None = None) -> list[tuple[str, int, int, int]]:
        """(tracker, job, task, attempt) of the launches sent."""
        return [(row[0], *row[1:4]) for row in (sent or self.sent).get("launch", [])]

    def _next(self) -> int:
        self.seq += 1
        return self.seq


def started(*, maps: int = 2, reduces: int = 1, trackers: int = 2, slots: tuple[int, int] = (2, 2), **parameters: Any) -> Hand:
    """A JobTracker with some trackers and one job, all that has a slot launched."""
    hand = Hand(**parameters)
    hand.heartbeat(*(f"t{i + 1}" for i in range(trackers)), slots=slots)
    hand.submit(maps, reduces)
    hand.settle()
    return hand
