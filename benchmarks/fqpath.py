"""Path names of 1,000,000 files, a recursive view: create and remove files, rename directories, one change a tick."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count

from benchmarks.inputs import Generator, file_tree
from benchmarks.measure import Figure, WrongResult, command, timed
from benchmarks.ticks import Step, in_turns, nothing
from bloompy import Bloom, rule, scratch, table

SUBTREES = [1, 10, 100, 1000, 10_000]
"""Directories of about so many paths are renamed."""


class Files(Bloom):
    """The path of a file is that of its directory and its name."""

    file = table("id -> parent, name")
    path = scratch("id -> path")

    @rule
    def paths(self):
        self.path <= ((f.id, f.name) for f in self.file if f.parent is None)
        self.path <= ((f.id, p.path + "/" + f.name) for p in self.path for f in self.file if f.parent == p.id)


class Tree:
    """The same tree in dictionaries, with its paths: what a programmer would keep by hand."""

    def __init__(self, rows: list[tuple[int, int | None, str]]) -> None:
        self.files: dict[int, tuple[int | None, str]] = {}
        self.children: dict[int | None, set[int]] = defaultdict(set)
        self.paths: dict[int, str] = {}
        for id, parent, name in rows:
            self.insert(id, parent, name)

    def insert(self, id: int, parent: int | None, name: str) -> None:
        self.files[id] = parent, name
        self.children[parent].add(id)
        self.paths[id] = name if parent is None else f"{self.paths[parent]}/{name}"

    def delete(self, id: int) -> None:
        parent, _ = self.files.pop(id)
        self.children[parent].remove(id)
        del self.paths[id]

    def rename(self, id: int, name: str) -> None:
        parent, _ = self.files[id]
        self.files[id] = parent, name
        todo = [id]
        while todo:
            at = todo.pop()
            parent, name = self.files[at]
            self.paths[at] = name if parent is None else f"{self.paths[parent]}/{name}"
            todo += self.children.get(at, ())

    def subtree_sizes(self) -> dict[int, int]:
        """Paths under each directory, itself included; a parent's number is below its children's."""
        sizes = dict.fromkeys(self.files, 1)
        for id in sorted(self.files, reverse=True):
            parent = self.files[id][0]
            if parent is not None:
                sizes[parent] += sizes[id]
        return sizes


def leaf_changes(create: Callable[[int, int, str], object], remove: Callable[[int], object], files: int) -> Iterator[list[Step]]:
    """Without end: make a file in a random directory, and remove one of the last made."""
    generator = Generator()
    made: list[int] = []
    for new in count(files):
        parent, name = generator.draw(files // 10), f"new{new}"
        steps: list[Step] = [("insert", lambda new=new, parent=parent, name=name: create(new, parent, name))]  # type: ignore[misc]
        made.append(new)
        if len(made) > 10:
            old = made.pop(generator.draw(10))
            steps.append(("delete", lambda old=old: remove(old)))  # type: ignore[misc]
        yield steps


def renames(rename: Callable[[int, str], object], directories: list[int]) -> Iterator[list[Step]]:
    """One a round."""
    for i, id in enumerate(directories):
        yield [("rename", lambda i=i, id=id: rename(id, f"renamed{i}"))]  # type: ignore[misc]


def nearest(sizes: dict[int, int], wanted: int, files: int) -> list[int]:
    """Twenty directories (leaves for 1) whose subtrees have about the wanted size, apart from the root."""
    candidates = range(files // 10, files) if wanted == 1 else range(1, files // 10)
    return sorted(candidates, key=lambda id: abs(sizes[id] - wanted))[:20]


def figures(small: bool = False) -> list[Figure]:
    files, rounds = (2000, 50) if small else (1_000_000, 5000)
    rows = file_tree(files)
    program, tree = Files(), Tree(rows)
    program.file.insert(*rows)
    load_s = timed(program.tick)

    def upsert(id: int, name: str) -> None:
        program.file.upsert((id, tree.files[id][0], name))

    leaf = in_turns({
        "bloompy": (program.tick, leaf_changes(lambda *row: program.file.insert(row), program.file.delete, files)),
        "by hand": (nothing, leaf_changes(tree.insert, tree.delete, files)),
    }, rounds)
    found = []
    for kind in ("insert", "delete"):
        what = f"path names of {files:,} files: {kind} a file"
        found += [
            Figure(what, leaf["bloompy"].median_us(kind), "µs", 15),
            Figure(f"{what}, mean", leaf["bloompy"].mean_us(kind), "µs"),
            Figure(f"{what}, by hand", leaf["by hand"].median_us(kind), "µs"),
        ]
    sizes = tree.subtree_sizes()
    for wanted in [each for each in SUBTREES if each * 20 < files]:
        chosen = nearest(sizes, wanted, files)
        paths = statistics.fmean(sizes[id] for id in chosen)
        times = in_turns({
            "bloompy": (program.tick, renames(upsert, chosen)),
            "by hand": (nothing, renames(tree.rename, chosen)),
        }, len(chosen) - 1)
        what = f"path names: rename of {paths:,.0f} path{'' if paths == 1 else 's'}"
        found += [
            Figure(what, times["bloompy"].median_us("rename") / paths, "µs a path", 15),
            Figure(f"{what}, by hand", times["by hand"].median_us("rename") / paths, "µs a path"),
        ]
    if dict(program.path) != tree.paths:
        raise WrongResult(f"the paths are wrong after {program.step} ticks")
    return [
        *found,
        Figure("path names: first tick, all paths", load_s / files * 1e6, "µs a file"),
        Figure("path names: first insert after it", leaf["bloompy"].first_s * 1000, "ms"),
    ]


if __name__ == "__main__":
    command(__doc__, figures)
