"""The log of nodes while many runs are made."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Have nodes log nothing: what they would say of hundreds of runs hides what is said of the one that failed."""
    log = logging.getLogger("bloompy.node")
    log.addFilter(_nothing)
    try:
        yield
    finally:
        log.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False
