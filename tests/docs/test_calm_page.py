"""The page on order says what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bloompy.analysis.order import KINDS
from tests.docs.test_docs import ROOT, run

PAGE = (ROOT / "docs" / "calm.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("program", "shown"), EXAMPLES)
def test_programs_of_the_page_print_what_it_says(program: str, shown: str, tmp_path: Path) -> None:
    done = run(program, tmp_path)
    assert (done.stdout, done.stderr) == (shown, "")


def test_every_program_of_the_page_is_run() -> None:
    assert PAGE.count("```python\n") == len(EXAMPLES) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_point_is_in_the_table(kind: str) -> None:
    assert any(f"`{kind}`" in line for line in PAGE.splitlines() if line.startswith("| "))
