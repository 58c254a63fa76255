"""For each word the files it occurs in, sorted (OSDI'04 §2.3). A word is a run of letters, digits and underscores, in lower case."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bloompy_mr.job import Job

_words = re.compile(r"\w+").findall


def map(path: str, text: str) -> Iterator[tuple[str, str]]:
    """(word, path) for each different word of a file."""
    for word in sorted(set(_words(text.lower()))):
        yield word, path


def collect(word: str, paths: Iterator[str]) -> Iterator[tuple[str, str]]:
    """(word, "path path …")."""
    yield word, " ".join(sorted(set(paths)))


def make() -> Job:
    """The job."""
    return Job(map=map, reduce=collect, reduces=2, input_format="files", name="inverted-index")
