"""What the README and the pages say is what happens."""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def run(program: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """A program from a page in a file of its own."""
    (directory / "routes.py").write_text(program, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
    return subprocess.run([sys.executable, "routes.py"], cwd=directory, env=environment, capture_output=True, text=True, encoding="utf-8")


def test_the_readme_program_prints_what_the_readme_says(tmp_path: Path) -> None:
    program, _ = blocks(README, "python")
    done = run(program, tmp_path)
    assert done.stderr == ""
    assert done.stdout == blocks(README, "text")[0]


def test_the_readme_error_is_the_one_that_comes(tmp_path: Path) -> None:
    program, _ = blocks(README, "python")
    assert "p.cost ==" in program
    done = run(program.replace("p.cost ==", "p.cots =="), tmp_path)
    shown = blocks(README, "text")[1].replace('File "', f'File "{tmp_path}/')
    assert done.returncode == 1
    assert done.stderr.endswith(shown)


def test_the_test_of_the_readme_passes(tmp_path: Path) -> None:
    _, program = blocks(README, "python")
    (tmp_path / "test_shops.py").write_text(program, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "test_shops.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_program_of_the_cheat_sheet_runs(tmp_path: Path) -> None:
    program, *_ = blocks((ROOT / "docs" / "cheat-sheet.md").read_text(encoding="utf-8"), "python")
    done = run(program + "\nr = Routes()\nr.link.insert(('a', 'b', 1), ('b', 'c', 2))\nr.tick()\nprint(r.best['a', 'c'].cost)\n", tmp_path)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_the_program_of_the_page_on_explain_prints_what_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    (program,) = blocks(page, "python")
    done = run(program, tmp_path)
    assert done.stderr == ""
    assert without_times(done.stdout) == without_times(blocks(page, "text")[0])


def without_times(text: str) -> list[str]:
    """The lines without shares, bars and times, the bars' lines sorted, since they are in the order of times.

    Also without those on columns, which need numpy.
    """
    lines = [re.sub(r"^ +\d+% █* *|[\d.]+ (s|ms|µs)\b", "", line) for line in text.splitlines() if not line.startswith("  filled ")]
    return sorted(lines[:6]) + lines[6:]


EVALUATION = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("program", "shown"), re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", EVALUATION, re.DOTALL))
def test_programs_of_the_page_on_evaluation_print_what_it_says(program: str, shown: str, tmp_path: Path) -> None:
    done = run(program, tmp_path)
    assert (done.stdout, done.stderr) == (shown, "")


def test_every_program_of_the_page_on_evaluation_is_run() -> None:
    assert EVALUATION.count("```python\n") == len(re.findall(r"```python\n.*?```\n\n```text\n", EVALUATION, re.DOTALL)) >= 3


LATTICES = (ROOT / "docs" / "lattices.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("program", "shown"), re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", LATTICES, re.DOTALL))
def test_programs_of_the_page_on_lattices_print_what_it_says(program: str, shown: str, tmp_path: Path) -> None:
    done = run(program, tmp_path)
    if done.returncode:  # the error that the page shows, without the file's directory
        assert shown in done.stderr.replace(f"{tmp_path}/", "")
    else:
        assert (done.stdout, done.stderr) == (shown, "")


def test_every_program_of_the_page_on_lattices_is_run() -> None:
    assert LATTICES.count("```python\n") == len(re.findall(r"```python\n.*?```\n\n```text\n", LATTICES, re.DOTALL)) == 5


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")))])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        assert (ROOT / page).parent.joinpath(target).exists(), target


STD = sorted((ROOT / "docs" / "std").glob("*.md"))


@pytest.mark.parametrize("page", STD, ids=lambda page: page.stem)
def test_programs_of_the_pages_on_std_print_what_they_say(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    assert len(found) == text.count("```python\n") >= 1, "every program says what it prints"
    for no, (program, shown) in enumerate(found):
        file = tmp_path / f"program{no}.py"
        file.write_text(program, encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()) as printed:  # in this process: the pages are many
            runpy.run_path(str(file))
        assert printed.getvalue() == shown


@pytest.mark.parametrize("page", STD, ids=lambda page: page.stem)
def test_links_of_the_pages_on_std_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert page.parent.joinpath(target).exists(), target
