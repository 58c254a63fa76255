"""Clients in virtual time: coroutines that call nodes and sleep."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeAlias

from bloompy.errors import UsageError
from bloompy.sim.trace import shown


class Answer:
    """A result to come, to be awaited by a coroutine given to `Simulation.spawn`, or read when it is there."""

    def __init__(self) -> None:
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._then: list[Callable[[], None]] = []

    def done(self) -> bool:
        """Whether the result, or an error, is there."""
        return self._done

    def result(self) -> Any:
        """The result. Raises the error in its place, and a UsageError before there is any."""
        if not self._done:
            raise UsageError("there is no answer yet", hint="run the simulation on, or await it in a coroutine")
        if self._error is not None:
            raise self._error
        return self._value

    def set_result(self, value: Any) -> None:
        """Have it be there; what comes later does not count."""
        self._settle(value, None)

    def set_exception(self, error: BaseException) -> None:
        """Have it fail."""
        self._settle(None, error)

    def then(self, callback: Callable[[], None]) -> None:
        """Have a callback called when it is there."""
        if self._done:
            callback()
        else:
            self._then.append(callback)

    def _settle(self, value: Any, error: BaseException | None) -> None:
        if self._done:
            return
        self._done, self._value, self._error = True, value, error
        waiting, self._then = self._then, []
        for callback in waiting:
            callback()

    @property
    def text(self) -> str:
        """What came of it, in short."""
        if not self._done:
            return "…"
        return type(self._error).__name__ if self._error is not None else shown(self._value)

    def __await__(self) -> Generator[Answer, None, Any]:
        if not self._done:
            yield self
        return self.result()

    def __repr__(self) -> str:
        if not self._done:
            return "<Answer to come>"
        return f"<Answer {self._error!r}>" if self._error is not None else f"<Answer {self._value!r}>"


Work: TypeAlias = Coroutine[Answer, None, Any]


class Task(Answer):
    """A coroutine under way; itself the answer that is the coroutine's result.

    Args:
        work: it.
        soon: has a callback called in a turn of its own, now.
        failed: told an error that nobody awaits.
    """

    def __init__(self, work: Work, soon: Callable[[Callable[[], None]], object], failed: Callable[[BaseException], None]) -> None:
        super().__init__()
        self._work, self._soon, self._failed = work, soon, failed
        soon(self._go_on)

    def _go_on(self) -> None:
        try:
            waits_for = self._work.send(None)
        except StopIteration as stop:
            self.set_result(stop.value)
        except Exception as error:
            if isinstance(error, RuntimeError) and "no running event loop" in str(error):
                error.add_note("hint: a simulated client awaits sim.sleep(…) and node.call(…), and nothing of asyncio")
            awaited = bool(self._then)
            self.set_exception(error)
            if not awaited:
                self._failed(error)
        else:
            if not isinstance(waits_for, Answer):
                self._work.close()
                raise UsageError(
                    f"a simulated client awaits {type(waits_for).__name__}", hint="await only sim.sleep(…), node.call(…) and other tasks"
                )
            waits_for.then(self._go_on_soon)

    def _go_on_soon(self) -> None:
        self._soon(self._go_on)

    def cancel(self) -> None:
        """End the coroutine where it waits."""
        if not self.done():
            self._work.close()
            self.set_result(None)
