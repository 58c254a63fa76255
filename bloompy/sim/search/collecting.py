"""The garbage collector during a campaign."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_EVERY, _WHOLLY = 50, 1_000


def collecting(runs: Iterable[T]) -> Iterator[T]:
    """Go through runs with garbage collected after every fiftieth, and not within them.

    A run makes thousands of objects, keeps them all and drops them together; the collector would look through them again and
    again, a fifth of the time. Most often only what is new is looked through. Afterwards, also where the loop is left early, it
    goes on as before; one that was off stays off.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        for number, run in enumerate(runs, 1):
            yield run
            if number % _EVERY == 0:
                gc.collect(2 if number % _WHOLLY == 0 else 1)
    finally:
        if enabled:
            gc.enable()
