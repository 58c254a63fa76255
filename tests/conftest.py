"""What all tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No test fails for being slow: the machine may be busy.
settings.register_profile("bloompy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("bloompy")


@pytest.fixture(params=["naive", "codegen"])
def evaluator(request: pytest.FixtureRequest) -> str:
    """Each evaluator in turn: they have one meaning."""
    name: str = request.param
    return name


@pytest.fixture(autouse=True, scope="module")
def what_stays_is_looked_through_once() -> Iterator[None]:
    """What is left after the tests of a file stays, mostly: the collector would look through hundreds of megabytes again and again."""
    yield
    gc.collect()
    gc.freeze()
