"""What the page on provenance says is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.test_docs import ROOT, run

PAGE = (ROOT / "docs" / "provenance.md").read_text(encoding="utf-8")
PAIRS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("program", "shown"), PAIRS, ids=["why", "nodes", "lineage"])
def test_programs_of_the_page_print_what_it_says(program: str, shown: str, tmp_path: Path) -> None:
    done = run(program, tmp_path)
    assert (done.stdout, done.stderr) == (shown, "")


def test_every_program_of_the_page_is_run() -> None:
    assert PAGE.count("```python\n") == len(PAIRS) == 3
