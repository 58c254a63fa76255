"""Count the words of a text (OSDI'04 §2.1). A word is what stands between white space."""

from __future__ import annotations

from collections.abc import Iterator

from bloompy_mr.job import Job


def map(key: int, line: str) -> Iterator[tuple[str, int]]:
    """(word, 1) for each word."""
    for word in line.split():
        yield word, 1


def add(word: str, counts: Iterator[int]) -> Iterator[tuple[str, int]]:
    """(word, sum): both the combine and the reduce function."""
    yield word, sum(counts)


def make() -> Job:
    """The job."""
    return Job(map=map, combine=add, reduce=add, reduces=2, name="wordcount")
