"""The inputs of all benchmarks: the same rows on every machine.

Two sources of chance, since two families of published figures exist:
- `Generator`, x <- (1103515245 x + 12345) mod 2**31 from the seed 42, draw(m) = (x >> 8) mod m: the ticks one by one, and `graph`;
- numpy's `default_rng(7 + n)`: the other bulk fixpoints, of size n. These need the extra `bench`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

Pair = tuple[int, int]
Triple = tuple[int, int, int]

CLOSURE_PATHS = {250: 8_983, 500: 39_559, 1000: 158_960, 2000: 650_546}
"""Edges of `graph` -> rows of its transitive closure."""

DIGRAPH_PATHS = {100: 5_464, 200: 26524, 1250: 1_022_069, 4000: 10_260_217}
"""Nodes of `digraph` with out-degree 2 -> rows of its transitive closure."""

TRIANGLES = {500: 8_003, 20_000: 7_967}
"""Nodes of `digraph` with out-degree 20 -> its triangles."""

SAME_GENERATION = {100: 1_726, 2900: 817_974}
"""Nodes of `tree` -> pairs of different nodes of the same generation."""

CHEAPEST = {100: 5_464, 1000: 628_248}
"""Nodes of `weighted` with out-degree 2 -> pairs of nodes with a path."""

POINTS_TO = {300: 439, 6000: 1_663_481}
"""Variables of `assignments` -> what they may point to."""


# --- by the linear congruential generator -----------------------------------------------------------------------


class Generator:
    """A linear congruential generator."""

    def __init__(self, seed: int = 42) -> None:
        self._x = seed

    def draw(self, m: int) -> int:
        """The next draw, in 0..m-1."""
        self._x = (1103515245 * self._x + 12345) % 2**31
        return (self._x >> 8) % m


def graph(edges: int) -> list[Pair]:
    """Distinct pairs over edges / 2 nodes, in the order drawn."""
    return random_edges(edges // 2, edges, Generator())


def random_edges(nodes: int, edges: int, generator: Generator) -> list[Pair]:
    """Distinct pairs over some nodes, in the order drawn."""
    found: dict[Pair, None] = {}
    while len(found) < edges:
        found[generator.draw(nodes), generator.draw(nodes)] = None
    return list(found)


def measurements(rows: int, groups: int | None = None) -> list[Triple]:
    """Rows (id, group, value): rows / 10 groups where not told, values below 1000."""
    generator = Generator()
    groups = groups or rows // 10
    return [(i, generator.draw(groups), generator.draw(1000)) for i in range(rows)]


def file_tree(files: int) -> list[tuple[int, int | None, str]]:
    """Rows (id, parent, name): the root 0, directories under a directory drawn among those before them, then nine times as many files."""
    generator = Generator()
    directories = files // 10
    rows: list[tuple[int, int | None, str]] = [(0, None, "")]
    for id in range(1, files):
        rows.append((id, generator.draw(min(id, directories)), f"{'d' if id < directories else 'f'}{id}"))
    return rows


def text(path: Path, megabytes: int) -> int:
    """Write lines of ten words from a vocabulary of 10,000, the product of two draws so that small ranks are common.

    One megabyte is drawn and then repeated. Returns the number of bytes.
    """
    generator = Generator()
    lines: list[str] = []
    size = 0
    while size < 1_000_000:
        line = " ".join(f"w{generator.draw(100) * generator.draw(100)}" for _ in range(10)) + "\n"
        lines.append(line)
        size += len(line)
    block = "".join(lines).encode()
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write(block)
    return len(block) * megabytes


# --- by numpy ---------------------------------------------------------------------------------------------------


def _random(n: int) -> numpy.random.Generator:
    from numpy.random import default_rng

    return default_rng(7 + n)


def _rows(array: Any) -> list[Any]:
    """Tuples of Python integers."""
    return list(map(tuple, array.tolist()))


def _edges(random: numpy.random.Generator, n: int, count: int) -> Any:
    """Distinct pairs of different nodes in a random order: a few more than wanted are drawn, doubles and loops dropped."""
    import numpy as np

    pairs = random.integers(0, n, (int(count * 1.05), 2))
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    random.shuffle(pairs)
    return pairs[:count]


def digraph(n: int, degree: int) -> list[Pair]:
    """Edges of a random directed graph of n nodes with a mean out-degree."""
    return _rows(_edges(_random(n), n, degree * n))


def weighted(n: int, degree: int) -> list[Triple]:
    """Edges (src, dst, cost) likewise, costs 1..99."""
    import numpy as np

    random = _random(n)
    edges = _edges(random, n, degree * n)
    return _rows(np.column_stack([edges, random.integers(1, 100, len(edges))]))


def tree(n: int) -> list[Pair]:
    """Rows (node, parent) of a random recursive tree: each node hangs under one drawn among those before it."""
    random = _random(n)
    return [(node, int(random.integers(0, node))) for node in range(1, n)]


def assignments(n: int) -> dict[str, list[Pair]]:
    """The statements of a program of n variables: `v = &w`, `v = w`, `v = *w`, `*v = w` as pairs (v, w)."""
    import numpy as np

    random = _random(n)
    counts = {"address": n // 2, "copy": n * 6 // 10, "load": n // 20, "store": n // 20}
    return {
        name: _rows(np.unique(np.column_stack([random.integers(0, n, count), random.integers(0, n, count)]), axis=0))
        for name, count in counts.items()
    }
