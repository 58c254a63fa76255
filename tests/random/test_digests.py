"""A run is a function of its inputs, in any process: whatever the seed of Python's hashes, orders included (design §3.8)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("family", ["views", "programs"])
def test_a_run_does_not_depend_on_hash_seeds(family):
    command = [sys.executable, "-m", "tests.random.digests", "0", "25", family]
    running = [
        subprocess.Popen(command, env={**os.environ, "PYTHONHASHSEED": seed}, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)
        for seed in ("1", "2")
    ]
    one, other = (process.communicate(timeout=120)[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert one.splitlines() == other.splitlines()
    assert len(one.splitlines()) > 20
