"""Calls that give another value each time, or do something: they have no place in a rule."""

from __future__ import annotations

from typing import Any

_CLOCK = "self.now is the time of the tick, in seconds"
_DRAW = "self.rand is one draw in [0, 1) for each tick; derive more from it and a key"
_NAME = "make names from self.me, self.step and a key"
_SEED = "it differs from process to process; use zlib.crc32(…) of bytes or hashlib"

_HINTS = {
    "time.time": _CLOCK,
    "time.time_ns": _CLOCK,
    "time.monotonic": _CLOCK,
    "time.monotonic_ns": _CLOCK,
    "time.perf_counter": _CLOCK,
    "time.perf_counter_ns": _CLOCK,
    "time.process_time": _CLOCK,
    "time.localtime": _CLOCK,
    "time.gmtime": _CLOCK,
    "datetime.now": _CLOCK,
    "datetime.utcnow": _CLOCK,
    "datetime.today": _CLOCK,
    "date.today": _CLOCK,
    "uuid.uuid1": _NAME,
    "uuid.uuid4": _NAME,
    "posix.urandom": _DRAW,
    "nt.urandom": _DRAW,
    "builtins.id": _NAME,
    "builtins.hash": _SEED,
    "builtins.print": "a stdio() collection prints: self.out <~ query",
    "builtins.input": "a stdio() collection has the lines typed as rows",
    "builtins.open": "read the file outside and .insert(…) what it holds",
    "builtins.eval": "write the expression into the rule",
    "builtins.exec": "write the expression into the rule",
}


def hint_against(function: Any) -> str | None:
    """What to use in the place of a function that does not belong in a rule; None for all others."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module in ("random", "secrets") and not isinstance(function, type):
        return _DRAW
    if module is None and type(getattr(function, "__self__", None)).__module__ == "random":
        return _DRAW
    return _HINTS.get(f"{module}.{name}" if module else name)
