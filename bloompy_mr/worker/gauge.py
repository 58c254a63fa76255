"""How far a task is, readable at any moment from another thread, at no cost for each record."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from typing import Any

_NOTHING: Iterator[Any] = iter(())


class Gauge:
    """The progress of a running task.

    Attributes:
        phase: MAP, SHUFFLE or REDUCE.
    """

    def __init__(self) -> None:
        self.phase = "STARTING"
        self._state: tuple[float, float, Iterator[Any], int] = (0.0, 0.0, _NOTHING, 1)

    def set(self, progress: float, phase: str) -> None:
        """The part of the work that is done, 0 to 1."""
        self.phase = phase
        self._state = (progress, progress, _NOTHING, 1)

    def within(self, begin: float, end: float, values: Sequence[Any], rest: Iterator[Any]) -> None:
        """The work goes from one part to another while `rest` walks over `values`, a list."""
        self._state = (begin, end, rest, max(len(values), 1))

    def read(self) -> float:
        """The progress now."""
        begin, end, rest, count = self._state
        return end - (end - begin) * operator.length_hint(rest) / count
