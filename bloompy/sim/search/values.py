"""Simpler values for decisions: rounder times, shorter faults, smaller draws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bloompy.sim.schedule import Decision

_DIGITS = (0, 1, 2, 3, 4)


def candidates(decision: Decision) -> Iterator[Any]:
    """Values in place of a decision's own, the simplest first; each is milder, or easier to read."""
    value = decision.value
    match decision.kind:
        case "draw":
            yield from _smaller(int(value))
        case "link" | "delay" | "duplicate" | "skew":
            yield from _rounder(float(value))
        case "drift":
            yield from (round(float(value), digits) for digits in (1, 2, 3) if round(float(value), digits) != 1.0)
        case "pause":
            start, length = value
            yield from ([one, length] for one in _rounder(start, zero=True))
            yield from ([start, one] for one in _rounder(length))
        case "crash":
            yield from _crashes(*value)
        case "disk":
            why, down = value
            yield from ([why, one] for one in _rounder(down, zero=True))
        case "partition":
            yield from _partitions(*value)
        case "corrupt" | "rot":
            yield 0


def complexity(value: Any) -> float:
    """How hard a value is to read: about the number of digits and words in it."""
    if value is None or isinstance(value, bool):
        return 0
    if isinstance(value, int):
        size = abs(value)
        return size + 1 if size < 10 else 10 + len(str(size)) + size / (size + 1000)
    if isinstance(value, float):
        return len(f"{abs(value):.9f}".rstrip("0").replace(".", "").lstrip("0")) + (abs(value) > 0) + min(abs(value), 100.0) / 1000
    if isinstance(value, list):
        return sum(map(complexity, value))
    return {"crash": 0, "power": 1, "wipe": 2}.get(str(value), 1)


def _smaller(value: int) -> Iterator[int]:
    """Whole numbers towards 0, by halves."""
    step = value
    while step:
        step //= 2
        if step:
            yield value - max(step, 1)
    if value > 1:
        yield value - 1
        yield 1


def _rounder(value: float, zero: bool = False) -> Iterator[float]:
    """Times with fewer digits, and short ones."""
    if zero and value:
        yield 0.0
    seen = {value, 0.0}
    for one in (1.0, 0.1, 0.01, *(round(value, digits) for digits in _DIGITS)):
        if one not in seen and abs(one) <= max(abs(value), 1.0):
            seen.add(one)
            yield one if value > 0 else -abs(one)


def _crashes(down: float | None, how: str) -> Iterator[Any]:
    if how != "crash":
        yield [down, "crash"]
    if down is not None:
        yield [None, how]
        yield from ([one, how] for one in _rounder(down, zero=True))


def _partitions(start: float, end: float | None, one: list[str], other: list[str], one_way: bool) -> Iterator[Any]:
    for group in ([name for name in one if name != gone] for gone in one if len(one) > 1):
        yield [start, end, group, other, one_way]
    for group in ([name for name in other if name != gone] for gone in other if len(other) > 1):
        yield [start, end, one, group, one_way]
    if one_way:
        yield [start, end, one, other, False]
    if end is not None:
        yield [start, None, one, other, one_way]
    yield from ([time, end, one, other, one_way] for time in _rounder(start, zero=True) if end is None or time < end)
    if end is not None:
        later = (round(end + 0.5 * 10**-digits, digits) for digits in _DIGITS)
        yield from ([start, time, one, other, one_way] for time in later if time > start)
