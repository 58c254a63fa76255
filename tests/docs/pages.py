"""Pages whose programs are run: every block is a file, a command or a script, and the text below it is what it really prints.

A page is a sequence of blocks, run in one folder from top to bottom:

- a ```python block whose first line is `# name.py` is written to that file, another one is run as `example.py`;
- a ```sh block is run as a command;
- a ```text block after one of these is its output. A line "…" stands for lines left out; times may differ.

`python -m tests.docs.pages docs/testing.md` writes what is printed now into the text blocks without a "…", and shows the others; and it
keeps the pictures that the page links to.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"```(python|sh|text)\n(.*?)```", re.DOTALL)
_WORD = re.compile(r"bloompy1:[\w-]+")
_TIME = re.compile(r"\b\d+(\.\d+)?(e-\d+)? ?(s|ms|µs)\b(?=$|[\s,)])")


@frozen
class Block:
    """A block of a page: its language, its text, and where it begins in the page."""

    language: str
    text: str
    start: int


@frozen
class Shown:
    """What was run, what the page says that it prints, and what it printed."""

    source: str
    wanted: Block
    printed: str

    @property
    def right(self) -> bool:
        """Whether the page tells what was printed."""
        return matches(self.wanted.text, self.printed)


def blocks(page: str) -> list[Block]:
    """The blocks of a page."""
    return [Block(found[1], found[2], found.start(2)) for found in _BLOCK.finditer(page)]


def run_page(page: str, folder: Path) -> Iterator[Shown]:
    """Run a page in a folder; yields each output that it shows."""
    found = blocks(page)
    for number, block in enumerate(found):
        name = re.match(r"# ([\w/]+\.py)\n", block.text)
        if block.language == "text":
            continue
        if block.language == "python" and name:
            (folder / name[1]).write_text(block.text, encoding="utf-8")
            continue
        printed = _run(block, folder)
        if number + 1 < len(found) and found[number + 1].language == "text":
            yield Shown(block.text, found[number + 1], printed)


def pictures(page: str) -> list[str]:
    """The names of the pictures that a page shows, which its scripts draw."""
    return re.findall(r"!\[[^]]*\]\(pictures/([\w.-]+)\)", page)


def _run(block: Block, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1", "COLUMNS": "100"}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTEST_ADDOPTS": "-p no:cacheprovider"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    (folder / "example.py").write_text(block.text, encoding="utf-8")
    command = ["bash", "-c", block.text] if block.language == "sh" else [sys.executable, "example.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=300)
    if block.language == "python" and done.returncode:
        raise AssertionError(f"{block.text}\n{done.stdout}\n{done.stderr}")
    return done.stdout.replace(f"{folder}/", "")


def matches(wanted: str, printed: str) -> bool:
    """Whether a text is what was printed, but for times and what "…" stands for."""
    position, lines = 0, _lines(printed)
    parts = "\n".join(_lines(wanted)).split("\n…\n")
    for number, part in enumerate(parts):
        piece = [line for line in part.split("\n") if line != "…"]
        starts = range(position, len(lines) - len(piece) + 1) if number or wanted.startswith("…") else [0]
        start = next((one for one in starts if lines[one : one + len(piece)] == piece), None)
        if start is None:
            return False
        position = start + len(piece)
    return position == len(lines) or wanted.rstrip().endswith("\n…")


def _lines(text: str) -> list[str]:
    return [re.sub(r"^=+|=+$", "=", _TIME.sub("T", line.rstrip())) for line in text.rstrip().splitlines()]


def rewritten(page: str, shown: list[Shown]) -> str:
    """The page with what is printed now, where it shows all of it."""
    for one in sorted(shown, key=lambda each: -each.wanted.start):
        if not one.right and "…\n" not in one.wanted.text:
            end = one.wanted.start + len(one.wanted.text)
            page = page[: one.wanted.start] + one.printed.rstrip() + "\n" + page[end:]
    return page


def _with_present_word(page: str) -> str:
    """The page with the word that repeats the run that its first command finds now."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            first = next(run_page(page, Path(folder)))
        except StopIteration:
            return page
    word = _WORD.search(first.printed)
    return _WORD.sub(word[0], page) if word else page


def main() -> None:
    """Rewrite a page."""
    path = Path(sys.argv[1])
    page = _with_present_word(path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        shown = list(run_page(page, Path(folder)))
        for picture in pictures(page):
            (path.parent / "pictures" / picture).write_bytes((Path(folder) / picture).read_bytes())
    for one in shown:
        if not one.right and "…\n" in one.wanted.text:
            print(f"--- not as the page says:\n{one.source}\n{one.printed}")
    path.write_text(rewritten(page, shown), encoding="utf-8")


if __name__ == "__main__":
    main()
