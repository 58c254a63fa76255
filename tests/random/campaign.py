"""Compare the evaluators on many random programs: `python -m tests.random.campaign --family views --ticks 100000`.

Prints progress, what the programs did, and for a difference a minimal program with its input. Exits non-zero then, and where a long
campaign over views never saw something that maintenance has to get right.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count, islice
from multiprocessing import get_context
from random import Random

import click
from attrs import field, frozen

from tests.random.compare import THRESHOLDS, compare, lowered
from tests.random.growing import random_growing
from tests.random.happened import missing
from tests.random.programs import Source, random_source
from tests.random.shrink import shrunk
from tests.random.streams import Input, random_stream
from tests.random.view_streams import view_stream
from tests.random.views import random_views

BLOCK = 20
"""Programs that a process is given at once."""

LONG = 20_000
"""Ticks of views from which on everything has to have happened."""


def case(seed: int, family: str = "programs") -> tuple[Source, tuple[Input, ...]]:
    """The program and the stream of a seed; of the family "all", by turns."""
    random = Random(seed)
    if family == "growing" or (family == "all" and seed % 5 == 4):
        source = random_growing(random)
        return source, random_stream(random, source)
    if family == "views" or (family == "all" and seed % 2):
        source = random_views(random)
        return source, view_stream(random, source)
    source = random_source(random)
    return source, random_stream(random, source)


def shown(source: Source, stream: tuple[Input, ...]) -> str:
    """A case as text that can be kept as a regression."""
    flags = [(", store_fails=True" if one.store_fails else "") + (", restart=True" if one.restart else "") for one in stream]
    inputs = "\n".join(f"    Input({one.now}, {one.operations!r}{flag})," for one, flag in zip(stream, flags, strict=True))
    return f"{source.text}\nstream = (\n{inputs}\n)"


@frozen
class Block:
    """What some programs in a row did, and their differences as text."""

    counts: Counter[str] = field(factory=Counter)
    differences: list[str] = field(factory=list)


def run_block(first_seed: int, family: str, evaluators: tuple[str, str], programs: int = BLOCK) -> Block:
    """Compare some programs in a row, every other with the engine going the ways meant for large tables."""
    block = Block()
    for seed in range(first_seed, first_seed + programs):
        with lowered(*thresholds(seed)):
            _run(seed, family, evaluators, block)
    return block


def thresholds(seed: int) -> tuple[str, ...]:
    """Which thresholds are lowered for a seed: none, some or all."""
    return tuple(name for number, name in enumerate(THRESHOLDS) if seed % 2 and (seed % 16 == 15 or (seed >> number + 1) % 2))


def _run(seed: int, family: str, evaluators: tuple[str, str], block: Block) -> None:
    source, stream = case(seed, family)
    low = f", lowered: {', '.join(thresholds(seed))}" if thresholds(seed) else ""
    try:
        outcome = compare(source.text, stream, evaluators, source.reversed_text if seed % 4 == 0 else None, deep=seed % 8 == 1)
    except Exception as error:
        block.differences.append(f"--- seed {seed}{low}: {type(error).__name__}: {error}\n{shown(source, stream)}")
        return
    block.counts.update(outcome.counts)
    block.counts.update(f"lowered {name}" for name in thresholds(seed))
    block.counts["programs"] += 1
    if outcome.difference is not None:
        small, little = shrunk(source, stream, lambda one, two: _difference(one, two, evaluators) is not None)
        block.differences.append(f"--- seed {seed}{low} differs\n{shown(small, little)}\n{_difference(small, little, evaluators)}")


def _difference(source: Source, stream: tuple[Input, ...], evaluators: tuple[str, str]) -> str | None:
    found = compare(source.text, stream, evaluators).difference
    return found or compare(source.text, stream, evaluators, second=source.reversed_text).difference


@click.command()
@click.option("--family", type=click.Choice(["programs", "views", "growing", "all"]), default="programs", help="which random programs")
@click.option("--programs", default=1000, help="how many programs, where --ticks is not given")
@click.option("--ticks", default=0, help="go on until there were as many ticks")
@click.option("--first-seed", default=0, help="the seed of the first")
@click.option("--evaluators", default="naive,codegen", help="the two to compare")
@click.option("--processes", default=1, help="how many at once")
@click.option("--keep-going", is_flag=True, help="report every difference instead of stopping at the first")
def main(family: str, programs: int, ticks: int, first_seed: int, evaluators: str, processes: int, keep_going: bool) -> None:
    """Compare two evaluators on random programs."""
    first, second = evaluators.split(",")
    run = partial(run_block, family=family, evaluators=(first, second))
    seeds = count(first_seed, BLOCK) if ticks else iter(range(first_seed, first_seed + programs, BLOCK))
    counts: Counter[str] = Counter()
    started, differences, shown_at = time.monotonic(), 0, 0
    for block in _blocks(run, seeds, processes):
        counts.update(block.counts)
        differences += len(block.differences)
        for text in block.differences:
            print(text, flush=True)
        if counts["ticks"] - shown_at >= 10_000:
            shown_at = counts["ticks"]
            took_s = time.monotonic() - started
            print(f"{counts['programs']} programs, {counts['ticks']} ticks, {took_s:.0f} s, {differences} differences", flush=True)
        if (ticks and counts["ticks"] >= ticks) or (differences and not keep_going):
            break
    print(f"{counts['programs']} programs, {counts['ticks']} ticks, {differences} differences, {time.monotonic() - started:.0f} s")
    print(", ".join(f"{name} {number}" for name, number in sorted(counts.items())))
    unseen = missing(counts) if family != "programs" and counts["ticks"] >= LONG and first == "naive" else []
    if unseen:
        print(f"never happened: {', '.join(unseen)}")
    sys.exit(1 if differences or unseen else 0)


def _blocks(run: partial[Block], seeds: Iterator[int], processes: int) -> Iterator[Block]:
    """Blocks in the order of their seeds, some of them under way at once."""
    if processes == 1:
        yield from map(run, seeds)
        return
    pool = ProcessPoolExecutor(processes, get_context("forkserver"))
    try:
        under_way = [pool.submit(run, seed) for seed in islice(seeds, 2 * processes)]
        while under_way:
            block = under_way.pop(0).result()
            under_way += [pool.submit(run, seed) for seed in islice(seeds, 1)]
            yield block
    finally:
        pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    main()
