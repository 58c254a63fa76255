"""What mypy --strict and pyright say of rule files: they accept the right ones and flag just the marked lines of the wrong ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent / "samples"
ROOT = Path(__file__).parents[2]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=180)


@pytest.fixture(scope="module")
def mypy_lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[int]]:
    """Lines that mypy flags, by sample."""
    cache = str(tmp_path_factory.mktemp("mypy"))
    files = [str(path) for path in sorted(SAMPLES.glob("*.py"))]
    done = run("mypy", "--config-file=", "--strict", "--follow-imports=silent", "--cache-dir", cache, *files)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, set[int]] = {}
    for name, line in re.findall(r"(\w+\.py):(\d+): error:", done.stdout):
        found.setdefault(name, set()).add(int(line))
    return found


@pytest.fixture(scope="module")
def pyright_lines() -> dict[str, set[int]]:
    """Lines that pyright flags, by sample."""
    try:
        report = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable, str(SAMPLES)).stdout)
    except (json.JSONDecodeError, subprocess.TimeoutExpired):
        pytest.skip("pyright cannot be started here: it fetches itself, and Node.js where there is none, at its first run")
    found: dict[str, set[int]] = {}
    for each in report["generalDiagnostics"]:
        found.setdefault(Path(each["file"]).name, set()).add(each["range"]["start"]["line"] + 1)
    return found


def marked(sample: str, checker: str) -> set[int]:
    lines = (SAMPLES / sample).read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if f"# error in {checker}:" in line or "# error:" in line}


@pytest.mark.parametrize("sample", [path.name for path in sorted(SAMPLES.glob("*.py"))])
def test_mypy_flags_just_the_marked_lines(sample: str, mypy_lines: dict[str, set[int]]) -> None:
    assert mypy_lines.get(sample, set()) == marked(sample, "mypy")


@pytest.mark.parametrize("sample", [path.name for path in sorted(SAMPLES.glob("*.py"))])
def test_pyright_flags_just_the_marked_lines(sample: str, pyright_lines: dict[str, set[int]]) -> None:
    assert pyright_lines.get(sample, set()) == marked(sample, "pyright")


def test_the_samples_mark_something() -> None:
    assert marked("wrong_heads.py", "pyright")
    assert marked("wrong_under_header.py", "mypy")
    assert not marked("right.py", "mypy")
