"""`bloompy explain`: what it loads, what it prints, how it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
from bloompy import Bloom, rule, scratch, table

class Copy(Bloom):
    a = table("k")
    b = scratch("k")

    @rule
    def copying(self):
        self.b <= self.a
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "copying.py").write_text(PROGRAM)
    (tmp_path / "wrong.py").write_text(PROGRAM.replace("self.b <= self.a", "self.b <= (x.q for x in self.a)"))
    (tmp_path / "broken.py").write_text("import nothing_of_this_name")
    return tmp_path


def explain(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "bloompy", "explain", *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, encoding="utf-8")


@pytest.mark.parametrize("target", ["copying:Copy", "copying.py:Copy", "./copying.py:Copy"])
def test_a_class_of_a_module_or_a_file(directory: Path, target: str) -> None:
    done = explain(directory, target)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Copy: 1 rule in 1 stratum" in done.stdout
    assert "Copy.copying, copying.py:10" in done.stdout
    assert "drive row of Δa" in done.stdout


def test_a_part(directory: Path) -> None:
    assert "a (k): table" not in explain(directory, "copying:Copy", "b").stdout


def test_a_page_for_a_browser(directory: Path) -> None:
    done = explain(directory, "copying:Copy", "--html")
    assert done.stdout.startswith("<!doctype html>")
    assert "drive row of Δa" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["copying"], 2, "'copying' names no class: write module:Class or file.py:Class"),
        (["copying:Coping"], 1, "copying has no Bloom class 'Coping'; it has Copy"),
        (["nowhere:Copy"], 1, "nowhere cannot be imported: ModuleNotFoundError"),
        (["nowhere.py:Copy"], 1, "there is no file nowhere.py"),
        (["broken:Copy"], 1, "broken cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        (["wrong:Copy"], 1, "a has no column 'q'"),
        (["copying:Copy", "c"], 1, "Copy has no collection or rule 'c'"),
    ],
)
def test_what_is_wrong_is_said_without_a_traceback(directory: Path, arguments: list[str], status: int, message: str) -> None:
    done = explain(directory, *arguments)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
