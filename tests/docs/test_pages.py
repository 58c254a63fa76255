"""The pages on testing are run from top to bottom."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import Block, Shown, blocks, matches, pictures, rewritten, run_page

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["testing.md", "simulation.md", "paxos.md", "namenodes.md", "partitions.md"]


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_says_is_printed(name: str, tmp_path: Path) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    shown = list(run_page(page, tmp_path))
    assert len(shown) >= 3
    for one in shown:
        assert one.right, f"{one.source}\n--- prints\n{one.printed}\n--- the page says\n{one.wanted.text}"
    for picture in pictures(page):
        assert (tmp_path / picture).read_text(encoding="utf-8") == (DOCS / "pictures" / picture).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_every_output_belongs_to_something_that_is_run(name: str) -> None:
    languages = [block.language for block in blocks((DOCS / name).read_text(encoding="utf-8"))]
    assert all(before != "text" for before, one in zip(["text", *languages], languages, strict=False) if one == "text")


def test_texts_match_but_for_times_and_what_is_left_out() -> None:
    assert matches("one\n2 in 0.5 s\n", "one\n2 in 31.25 s\n")
    assert matches("…\ntwo\n…\nfour\n", "one\ntwo\nthree\nfour\n")
    assert matches("one\n…\n", "one\ntwo\n")
    assert not matches("one\n", "one\ntwo\n")
    assert not matches("two\n", "one\ntwo\n")
    assert not matches("…\ntwo\n…\none\n", "one\ntwo\n")


def test_a_page_can_be_rewritten() -> None:
    page = "```sh\necho b\n```\n\n```text\na\n```\nmore"
    shown = Shown("echo b\n", Block("text", "a\n", page.index("a\n```\nmore")), "b\n")
    assert rewritten(page, [shown]) == "```sh\necho b\n```\n\n```text\nb\n```\nmore"
