"""`Recorder`: makes a history while clients work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from bloompy.errors import HistoryError
from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Event, Kind, Process

if TYPE_CHECKING:
    from typing import Self


class Recorder:
    """Notes what clients ask for and what comes of it. May be used by several threads.

        recorder = Recorder(lambda: sim.now)
        with recorder.operation("c1", "put", ("x", 1)) as operation:
            reply = await client.call("put", ("x", 1), reply="stored", timeout_s=1)
            operation.ok()
        assert linearizable(recorder.history(), models.key_value())

    Args:
        now: a clock in seconds; the order of events is that of the calls, whatever it says.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._events: list[Event] = []
        self._under_way: dict[Process, str] = {}

    def operation(self, process: Process, function: str, argument: Any = None) -> Recording:
        """A context in which a client does one operation; begins at the `with`.

        In it, call `ok(result)`, `fail(why)` or `info(why)`, whichever is known first. Left without any of them, the operation
        is `info`: also when an exception leaves the block, which goes on to the caller.
        """
        return Recording(self, process, function, argument)

    def invoke(self, process: Process, function: str, argument: Any = None) -> None:
        """A client begins an operation.

        Raises:
            HistoryError: if it has one under way.
        """
        with self._lock:
            if process in self._under_way:
                raise HistoryError(
                    f"{process!r} began {function!r} before its {self._under_way[process]!r} ended",
                    hint="a process does one thing at a time: give each client a name of its own",
                )
            self._under_way[process] = function
            self._note("invoke", process, function, argument)

    def end(self, process: Process, kind: Literal["ok", "fail", "info"], result: Any = None, error: str = "") -> None:
        """The operation of a client ends.

        Raises:
            HistoryError: if it has none under way.
        """
        with self._lock:
            function = self._under_way.pop(process, None)
            if function is None:
                raise HistoryError(f"{process!r} has nothing under way that could end")
            self._note(kind, process, function, result, error)

    def _note(self, kind: Kind, process: Process, function: str, value: Any, error: str = "") -> None:
        self._events.append(Event(kind, process, function, value, self._now(), error))

    def history(self) -> History:
        """What was recorded until now; what is under way is `info`."""
        with self._lock:
            return History.of_events(self._events)


class Recording:
    """One operation that is being recorded."""

    def __init__(self, recorder: Recorder, process: Process, function: str, argument: Any) -> None:
        self._recorder, self._what, self._ended = recorder, (process, function, argument), False

    def __enter__(self) -> Self:
        """The operation begins."""
        self._recorder.invoke(*self._what)
        return self

    def ok(self, result: Any = None) -> None:
        """It happened, with this result."""
        self._end("ok", result)

    def fail(self, why: object = "") -> None:
        """It surely did not happen and never will."""
        self._end("fail", None, str(why))

    def info(self, why: object = "") -> None:
        """Nobody knows whether it happened or will happen."""
        self._end("info", None, str(why))

    def _end(self, kind: Literal["ok", "fail", "info"], result: Any, why: str = "") -> None:
        if self._ended:
            raise HistoryError(f"{self._what[1]!r} of {self._what[0]!r} has already ended")
        self._recorder.end(self._what[0], kind, result, why)
        self._ended = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """It ends as `info` if nothing else was said."""
        if not self._ended:
            self.info("" if error is None else f"{type(error).__name__}: {error}")
