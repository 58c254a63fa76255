"""What a coordinator asks of the participants of a transaction, and whether it makes sense. Pure functions, fit for rules."""

from __future__ import annotations

from typing import Any

from bloompy_fs.paths import path_fault

PREPARE, DECIDE, END = 0, 1, 2
STEPS = 3
"""Transaction T is prepared under the number 3 T, decided under 3 T + 1 and ended under 3 T + 2."""

SHARES: dict[str, tuple[type, ...]] = {
    "mkdir": (),
    "rm": (bool,),
    "rename": (str, bool, bool),
    "give": (str,),  # the new path
    "take": (str, bool),  # the old path; replace a file
    "decide": (bool, float, tuple, str),  # commit; time of the request; cargo; why not
}
CARGO = (int, int, float, tuple)
"""fid, replication, time, chunks of a file that moves."""


def share_fault(number: int, op: str, path: str, args: tuple[Any, ...]) -> str:
    """Why something said by a coordinator makes no sense, or "".

    Nothing else gets into a log, so that no rule fails on what is decided.
    """
    wanted = SHARES.get(op)
    if wanted is None or number < 0 or number % STEPS != (DECIDE if op == "decide" else PREPARE) or not _fit(args, wanted):
        return "EINVAL"
    if op == "decide":
        return "" if args[2] == () or _is_cargo(args[2]) else "EINVAL"
    return path_fault(path) or (path_fault(args[0]) if op in ("rename", "give", "take") else "")


def _fit(values: tuple[Any, ...], kinds: tuple[type, ...]) -> bool:
    return len(values) == len(kinds) and all(type(value) is kind for value, kind in zip(values, kinds, strict=True))


def _is_cargo(cargo: tuple[Any, ...]) -> bool:
    return _fit(cargo, CARGO) and all(type(row) is tuple and _fit(row, (int, int, int)) for row in cargo[3])
