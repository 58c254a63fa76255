"""Fixtures of the runtime's tests. All nodes stand on loopback or in memory; no test is decided by time."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
