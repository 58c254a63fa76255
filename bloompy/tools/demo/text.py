"""The demo's input, and the plain count that its result is checked against."""

from __future__ import annotations

import sysconfig
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click


def input_files(given: Sequence[Path]) -> list[Path]:
    """The files to count: those given, or the top-level modules of the running Python's standard library."""
    if given:
        return list(given)
    found = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    if not found:
        raise click.ClickException("this Python has no source files of its standard library; name files to count: bloompy demo FILE…")
    return found


def stored_names(files: Sequence[Path]) -> dict[str, Path]:
    """A name in the file system for each file; of equal names the later ones get a number."""
    names: dict[str, Path] = {}
    for path in files:
        name, number = path.name, 1
        while name in names:
            number += 1
            name = f"{path.stem}-{number}{path.suffix}"
        names[name] = path
    return names


def plain_count(files: Iterable[Path]) -> Counter[str]:
    """The words by collections.Counter in this process; a word is what stands between white space."""
    counts: Counter[str] = Counter()
    for path in files:
        with path.open(encoding="utf-8", errors="replace", newline="\n") as text:
            for line in text:
                counts.update(line.split())
    return counts


def counts_in(lines: Iterable[str]) -> Counter[str]:
    """The counts in the job's output, lines of word, tab, number. Raises ValueError for any other line."""
    counts: Counter[str] = Counter()
    for line in lines:
        word, _, number = line.rstrip("\n").rpartition("\t")
        counts[word] += int(number)
    return counts


def difference(found: Counter[str], expected: Counter[str]) -> str | None:
    """What is wrong with a count, in words; None when nothing is."""
    wrong = [word for word in sorted(found.keys() | expected.keys()) if found[word] != expected[word]]
    if not wrong:
        return None
    examples = ", ".join(f"{word!r} {found[word]} times, not {expected[word]}" for word in wrong[:3])
    return f"{len(wrong):,} words are counted wrongly: {examples}"
