"""Runs that failed once, in a text file beside the test: the test runs them first from then on.

    test_store.py::test_agreement
        AssertionError: a lacks (3,)
        the 2nd frame from a to b is lost
        bloompy1:eNqLNtSJ…

A paragraph is one run: the test, what happened, in words for people, and the run as one word, which alone counts. Delete the
paragraph to forget it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import frozen

from bloompy.pictures.words import one_line
from bloompy.sim.schedule import WORD_MARK

_HEAD = """\
# Runs that failed once, found by bloompy. Each test runs those under its name first.
# Only the last line of a paragraph counts, the words above it are for people. Delete a paragraph to forget its run.
"""


@frozen
class Regression:
    """A saved run.

    Attributes:
        test: "file.py::test_name", the file's name without folders.
        word: the run.
        words: what happened, a line each.
    """

    test: str
    word: str
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.test, *(f"    {one_line(line)}" for line in (*self.words, self.word))])


def read(path: Path) -> list[Regression]:
    """All that a file holds; none if there is no file."""
    if not path.exists():
        return []
    return list(_parsed(path.read_text(encoding="utf-8").splitlines()))


def of_test(path: Path, test: str) -> list[Regression]:
    """Those of one test."""
    return [one for one in read(path) if one.test == test]


def save(path: Path, regression: Regression) -> bool:
    """Add a run to a file, which is made if there is none; returns whether it was new."""
    if any((one.test, one.word) == (regression.test, regression.word) for one in read(path)):
        return False
    text = path.read_text(encoding="utf-8").rstrip("\n") + "\n" if path.exists() else _HEAD
    path.write_text(f"{text}\n{regression}\n", encoding="utf-8")
    return True


def _parsed(lines: Iterable[str]) -> Iterator[Regression]:
    test, words = "", list[str]()
    for line in lines:
        text = line.strip()
        if text.startswith("#"):
            continue
        if not text:
            test, words = "", []
        elif text.startswith(WORD_MARK) and test:
            yield Regression(test, text, tuple(words))
            words = []
        elif line[0].isspace():
            words.append(text)
        else:
            test, words = text, []
