"""Waiting for what must happen: the time limit only ends a test that would fail anyhow."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio

PATIENCE_S = 20


async def until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds."""
    with anyio.fail_after(PATIENCE_S):
        while not condition():
            await anyio.sleep(0.002)


def until_sync(condition: Callable[[], object]) -> None:
    """The same outside of an event loop."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)
