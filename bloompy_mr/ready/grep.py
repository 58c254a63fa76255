"""Lines that match a regular expression, each with how often it occurs (OSDI'04 §2.3, Hadoop's example of that name)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import field, frozen

from bloompy_mr.errors import JobError
from bloompy_mr.job import Job


@frozen
class Grep:
    """Map and reduce functions for one pattern."""

    pattern: re.Pattern[str] = field()

    def map(self, key: int, line: str) -> Iterator[tuple[str, int]]:
        """(line, 1) for a line in which the pattern is found."""
        if self.pattern.search(line):
            yield line, 1

    def add(self, line: str, counts: Iterator[int]) -> Iterator[tuple[str, int]]:
        """(line, sum)."""
        yield line, sum(counts)


def make(expression: str) -> Job:
    """The job for a regular expression of Python's `re`."""
    try:
        found = Grep(re.compile(expression))
    except re.error as error:
        raise JobError(f"{expression!r} is no regular expression: {error}") from None
    return Job(map=found.map, combine=found.add, reduce=found.add, reduces=1, name=f"grep {expression}")
