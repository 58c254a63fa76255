"""Compare the evaluators on many random programs: `python -m tests.random.campaign --programs 20000`.

Prints progress, what the programs did, and for a difference a minimal program with its input. Exits non-zero then.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from random import Random

import click

from tests.random.compare import compare
from tests.random.programs import Source, random_source
from tests.random.shrink import shrunk
from tests.random.streams import Input, random_stream


def case(seed: int) -> tuple[Source, tuple[Input, ...]]:
    """The program and the stream of a seed."""
    random = Random(seed)
    source = random_source(random)
    return source, random_stream(random, source)


def shown(source: Source, stream: tuple[Input, ...]) -> str:
    """A case as text that can be kept as a regression."""
    flags = [(", store_fails=True" if one.store_fails else "") + (", restart=True" if one.restart else "") for one in stream]
    inputs = "\n".join(f"    Input({one.now}, {one.operations!r}{flag})," for one, flag in zip(stream, flags, strict=True))
    return f"{source.text}\nstream = (\n{inputs}\n)"


@click.command()
@click.option("--programs", default=1000, help="how many programs")
@click.option("--first-seed", default=0, help="the seed of the first")
@click.option("--keep-going", is_flag=True, help="report every difference instead of stopping at the first")
def main(programs: int, first_seed: int, keep_going: bool) -> None:
    """Compare naive and codegen on random programs."""
    counts: Counter[str] = Counter()
    started, differences = time.monotonic(), 0
    for seed in range(first_seed, first_seed + programs):
        source, stream = case(seed)
        try:
            outcome = compare(source.text, stream, second=source.reversed_text if seed % 4 == 0 else None)
        except Exception as error:
            print(f"seed {seed}: {type(error).__name__}: {error}\n{shown(source, stream)}")
            raise
        counts.update(outcome.counts)
        counts["programs"] += 1
        if outcome.difference is not None:
            differences += 1
            small, little = shrunk(source, stream, lambda one, two: _difference(one, two) is not None)
            print(f"--- seed {seed} differs\n{shown(small, little)}\n{_difference(small, little)}", flush=True)
            if not keep_going:
                break
        if (seed - first_seed + 1) % 500 == 0:
            print(f"{seed - first_seed + 1} programs, {time.monotonic() - started:.0f} s, {differences} differences", flush=True)
    print(f"{counts['programs']} programs, {differences} differences, {time.monotonic() - started:.0f} s")
    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    sys.exit(1 if differences else 0)


def _difference(source: Source, stream: tuple[Input, ...]) -> str | None:
    return compare(source.text, stream).difference or compare(source.text, stream, second=source.reversed_text).difference


if __name__ == "__main__":
    main()
