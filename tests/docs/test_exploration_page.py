"""The page on exploration is run from top to bottom."""

from __future__ import annotations

from pathlib import Path

from tests.docs.pages import blocks, run_page

PAGE = (Path(__file__).parents[2] / "docs" / "exploration.md").read_text(encoding="utf-8")


def test_what_the_page_says_is_printed(tmp_path: Path) -> None:
    shown = list(run_page(PAGE, tmp_path))
    assert len(shown) == [block.language for block in blocks(PAGE)].count("text") == 5
    for one in shown:
        assert one.right, f"{one.source}\n--- prints\n{one.printed}\n--- the page says\n{one.wanted.text}"
