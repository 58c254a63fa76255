"""What all tests share."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["naive", "codegen"])
def evaluator(request: pytest.FixtureRequest) -> str:
    """Each evaluator in turn: they have one meaning."""
    name: str = request.param
    return name
