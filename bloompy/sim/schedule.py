"""Schedules: what a simulated run does otherwise than the default, as data.

A run is a function of its test, its seed and its schedule. By default nothing is lost, every message takes the same time and no
node crashes; a `Decision` is one departure from that, named by the point where it is taken ("the 3rd frame from a to b") and not by
when it was drawn, so that it means the same when others are left out. That is what shrinking needs: fewer decisions are a milder run.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, TypeAlias

from attrs import field, frozen

from bloompy.errors import UsageError

Point: TypeAlias = "tuple[str | int, ...]"
"""Where a decision is taken."""

WORD_MARK = "bloompy1:"
"""How a schedule or a run as one word begins."""
_MOST_BYTES = 16 * 1024 * 1024
_NO_FAULTS = ("draw", "skip", "link")


@frozen
class Decision:
    """One departure from the default.

    Attributes:
        kind: "drop", "duplicate", "delay", "corrupt", "link", "partition", "crash", "pause", "skew", "drift", "rot", "disk",
            "draw" or "skip".
        at: the point: (source, destination, ordinal of the frame) for the first four, see `words` for the others.
        value: what is decided, made of JSON's types.
    """

    kind: str
    at: Point
    value: Any = field(hash=False)

    @property
    def is_fault(self) -> bool:
        """Whether it harms anybody; what the test draws, and how long frames take, does not."""
        return self.kind not in _NO_FAULTS and self.kind != "delay"

    @property
    def words(self) -> str:
        """What it does, as a person would say it."""
        say = _WORDS.get(self.kind)
        return say(self.at, self.value) if say is not None else f"{self.kind} {self.at} {self.value}"


@frozen
class Schedule:
    """The decisions of one run.

    Attributes:
        decisions: in the order in which they were first taken.
    """

    decisions: tuple[Decision, ...] = ()

    def __len__(self) -> int:
        return len(self.decisions)

    def __str__(self) -> str:
        return "\n".join(self.words()) or "no faults"

    @property
    def faults(self) -> tuple[Decision, ...]:
        """Those that harm somebody."""
        return tuple(one for one in self.decisions if one.is_fault)

    def words(self) -> list[str]:
        """A line for each decision."""
        return [one.words for one in self.decisions]

    def of(self, decisions: Iterable[Decision]) -> Schedule:
        """The same with just these decisions."""
        return Schedule(tuple(decisions))

    def encode(self) -> str:
        """One word that `decode` reads, for command lines and files."""
        data = [[one.kind, list(one.at), one.value] for one in self.decisions]
        return packed(data)

    @classmethod
    def decode(cls, text: str) -> Schedule:
        """The schedule of such a word.

        Raises:
            UsageError: if it is none.
        """
        data = unpacked(text)
        if isinstance(data, list) and len(data) == 2 and isinstance(data[0], int):
            raise UsageError(f"{text[:60]!r} is the word of a run: a seed with its schedule", hint="replay(test, word) repeats it")
        try:
            return cls(tuple(Decision(str(kind), tuple(_part(one) for one in at), value) for kind, at, value in data))
        except (TypeError, ValueError):
            raise _no_schedule(text) from None


def packed(data: Any) -> str:
    """Data of JSON's types as one word without blanks or quotes."""
    text = json.dumps(data, separators=(",", ":"), sort_keys=True, allow_nan=False)
    return WORD_MARK + base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def unpacked(text: str) -> Any:
    """The data of such a word.

    Raises:
        UsageError: if it is none.
    """
    body = text.strip()
    if not body.startswith(WORD_MARK):
        raise _no_schedule(text)
    body = body[len(WORD_MARK) :]
    try:
        data = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        inflater = zlib.decompressobj()
        return json.loads(inflater.decompress(data, _MOST_BYTES))
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        raise _no_schedule(text) from None


def _no_schedule(text: str) -> UsageError:
    return UsageError(f"{text[:60]!r} is no schedule", hint=f"copy the whole of it, from {WORD_MARK!r} to the end of the word")


def _part(value: Any) -> str | int:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise TypeError(value)


class Decisions:
    """Takes the decisions of one run and keeps them.

    Args:
        schedule: take these and no others; None to draw.
        random: where drawn decisions come from; None for the default everywhere.
    """

    def __init__(self, schedule: Schedule | None, random: Random | None) -> None:
        self.draws = random if schedule is None else None
        self._given: Mapping[tuple[str, Point], Decision] = {(one.kind, one.at): one for one in schedule.decisions} if schedule else {}
        self._taken: dict[tuple[str, Point], Decision] = {}
        self._kinds = frozenset(kind for kind, _ in self._given)
        self._calm = False

    def calm(self) -> None:
        """From now on nothing is decided that is a fault."""
        self._calm = True

    def may(self, kind: str) -> bool:
        """Whether a decision of a kind could be taken; saves asking at each point."""
        return self.draws is not None or kind in self._kinds

    def decide(self, kind: str, at: Point, draw: Callable[[Random], Any] | None = None) -> Any:
        """The value decided at a point, None for the default."""
        if self._calm and kind not in _NO_FAULTS:
            return None
        if self.draws is None:
            given = self._given.get((kind, at))
            if given is None:
                return None
            self._taken[kind, at] = given
            return given.value
        value = draw(self.draws) if draw is not None else None
        if value is not None:
            self._taken[kind, at] = Decision(kind, at, value)
        return value

    def given(self, kind: str) -> list[Decision]:
        """The decisions of a kind that are to be taken, whose points lie in time and are not come across; they count as taken."""
        found = [one for (known, _), one in self._given.items() if known == kind]
        self._taken.update(((kind, one.at), one) for one in found)
        return found

    def note(self, kind: str, at: Point, value: Any) -> None:
        """Keep a decision drawn elsewhere."""
        self._taken[kind, at] = Decision(kind, at, value)

    def taken(self) -> Schedule:
        """All that was decided so far."""
        return Schedule(tuple(self._taken.values()))


# --- words ------------------------------------------------------------------------------------------------------


def nth(number: Any) -> str:
    """1 as "1st"."""
    n = int(number)
    return f"{n}{'th' if n % 100 in (11, 12, 13) else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def seconds(value: Any) -> str:
    """A time for people."""
    return f"{float(value):.6g} s"


def _frame(at: Point) -> str:
    return f"the {nth(at[2])} frame from {at[0]} to {at[1]}"


def _partition(at: Point, value: Any) -> str:
    start, end, one, other, one_way = value
    until = f"until {seconds(end)}" if end is not None else "for ever"
    arrow = "from" if one_way else "apart from"
    groups = f"{', '.join(one)} cut off {'towards' if one_way else arrow} {', '.join(other)}"
    return f"at {seconds(start)} {groups} {until}"


_CRASHES = {
    "tick": "crashes after its {n} tick",
    "before_sync": "crashes before its {n} synchronisation",
    "in_sync": "crashes within its {n} synchronisation, which reaches the disk",
    "after_sync": "crashes after its {n} synchronisation, before it sends",
    "send": "crashes before it sends its {n} frame",
}


def _crash(at: Point, value: Any) -> str:
    node, point, number = at
    down = value[0]
    text = _CRASHES.get(str(point), f"crashes at {point} {{n}}").format(n=nth(number))
    how = {"power": " (power loss)", "wipe": " and loses its disk"}.get(value[1], "")
    until = "for ever" if down is None else f"and is down for {seconds(down)}" if down else "and restarts at once"
    return f"{node} {text}{how}, {until}"


def _disk(at: Point, value: Any) -> str:
    why, down = value
    return f"the {nth(at[1])} synchronisation of {at[0]} fails ({why}), " + (
        "it stays down" if down is None else f"it restarts after {seconds(down)}"
    )


_WORDS: dict[str, Callable[[Point, Any], str]] = {
    "drop": lambda at, value: f"{_frame(at)} is lost",
    "duplicate": lambda at, value: f"{_frame(at)} arrives again {seconds(value)} later",
    "delay": lambda at, value: f"{_frame(at)} takes {seconds(value)} longer",
    "corrupt": lambda at, value: f"{_frame(at)} is damaged at byte {value}",
    "link": lambda at, value: f"frames from {at[0]} to {at[1]} take {seconds(value)}",
    "partition": _partition,
    "crash": _crash,
    "pause": lambda at, value: f"{at[0]} stands still for {seconds(value[1])} from {seconds(value[0])} on",
    "skew": lambda at, value: f"the clock of {at[0]} is {seconds(abs(value))} {'fast' if value > 0 else 'slow'}",
    "drift": lambda at, value: f"the clock of {at[0]} runs {float(value):.6g} times as fast",
    "rot": lambda at, value: f"a bit of the disk of {at[0]} rots at its {nth(at[1])} restart",
    "disk": _disk,
    "draw": lambda at, value: f"draw {at[0]} of the test gives {value}",
    "skip": lambda at, value: f"operation {at[0]} of the test is left out",
}
