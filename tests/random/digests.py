"""What a program did in every detail, orders included, one line a program: `python -m tests.random.digests FIRST COUNT FAMILY`."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator

from bloompy import BloomError, exec_source
from bloompy.program import machine_of
from tests.random.campaign import case


def digests(first: int, count: int, family: str) -> Iterator[str]:
    """A digest of each program's whole run on the default evaluator."""
    for seed in range(first, first + count):
        source, stream = case(seed, family)
        try:
            machine = machine_of(exec_source(source.text)["P"]("n1", seed=1))
        except BloomError:
            continue
        digest = hashlib.blake2b(digest_size=8)
        for given in stream:
            for operation, collection, rows in given.operations:
                machine.stage(collection, operation, rows)
            try:
                tick = machine.run(machine.take(given.now))
                told = (dict(tick.sent), dict(tick.inserted), dict(tick.deleted))
            except Exception as error:
                told = (type(error).__name__, str(error), getattr(error, "__notes__", []))
            held = {one.name: machine.rows(one.name) for one in machine.program.collections}
            digest.update(_text((told, held)).encode())
        yield f"{seed} {digest.hexdigest()}"


def _text(value: object) -> str:
    """A text that shows orders wherever they can be seen, and sets sorted."""
    match value:
        case dict():
            return "{" + ", ".join(f"{_text(key)}: {_text(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return "(" + ", ".join(map(_text, value)) + ")"
        case frozenset() | set():
            return "<" + ", ".join(sorted(map(_text, value))) + ">"
    return repr(value)


if __name__ == "__main__":
    print("\n".join(digests(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])))
