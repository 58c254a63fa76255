"""Makes the helpers of this directory importable; the scheduler's tests run on both evaluators."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import harness  # noqa: E402


@pytest.fixture(params=["codegen", "naive"])
def evaluator(request: pytest.FixtureRequest):
    """The evaluator that `harness.Hand` uses in this test."""
    harness.EVALUATOR[0] = request.param
    yield request.param
    harness.EVALUATOR[0] = "codegen"
