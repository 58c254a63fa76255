"""The inputs of all benchmarks: the same rows on every machine.

Generator: x <- (1103515245 x + 12345) mod 2**31 from the seed 42; draw(m) = (x >> 8) mod m.
"""

from __future__ import annotations

from pathlib import Path

CLOSURE_PATHS = {250: 8_983, 500: 39_559, 1000: 158_960, 2000: 650_546}
"""Edges of the graph -> rows of its transitive closure."""


class Generator:
    """A linear congruential generator."""

    def __init__(self, seed: int = 42) -> None:
        self._x = seed

    def draw(self, m: int) -> int:
        """The next draw, in 0..m-1."""
        self._x = (1103515245 * self._x + 12345) % 2**31
        return (self._x >> 8) % m


def graph(edges: int) -> list[tuple[int, int]]:
    """Distinct pairs over edges / 2 nodes, in the order drawn."""
    generator = Generator()
    found: dict[tuple[int, int], None] = {}
    while len(found) < edges:
        found[generator.draw(edges // 2), generator.draw(edges // 2)] = None
    return list(found)


def measurements(rows: int) -> list[tuple[int, int, int]]:
    """Rows (id, group, value): rows / 10 groups, values below 1000."""
    generator = Generator()
    return [(i, generator.draw(rows // 10), generator.draw(1000)) for i in range(rows)]


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
