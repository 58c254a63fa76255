"""The operations of the NameNode: what each takes, and whether a request is well formed. Pure functions, fit for rules."""

from __future__ import annotations

from typing import Any

from bloompy_fs.paths import path_fault

WRITES: dict[str, tuple[type, ...]] = {
    "create": (int,),  # replication
    "mkdir": (),
    "rm": (bool,),  # recursive
    "rename": (str, bool, bool),  # target path; into it if it is a directory; replace it if it is a file
    "addchunk": (str, tuple),  # host of the writer; DataNodes not to use
    "commit": (int, int, tuple),  # chunk; its length in bytes; DataNodes that stored it
    "abandon": (int,),  # chunk
}
"""Operations that change the name space: they go through the log, each is applied once."""

PREPARED = frozenset({"addchunk"})
"""Writes that are proposed with more than was asked for: what depends on who proposes must not depend on who applies."""

OWN_SESSIONS = frozenset({"", "transactions", "returned", "forget"})
"""Sessions of what NameNodes propose by themselves: they acknowledge nothing and are not forgotten."""

UNPLACED = frozenset({"decide", "end", "returned"})
"""What partitions propose to each other of transactions that hold their paths already, and of chunks (`transactions`, `lending`)."""

READS: dict[str, tuple[type, ...]] = {
    "ls": (str, int),  # names after this one; at most so many
    "stat": (),
    "exists": (),
    "chunks": (int, int),  # from this position in the file on; at most so many
    "locations": (int,),  # chunk
    "suspect": (int, str),  # chunk; DataNode whose replica could not be read
    "datanodes": (),
    "health": (),
}
"""Operations answered at once from what holds."""

REPLICATION_LIMIT = 512
LENGTH_LIMIT = 2**40
TEXT_LIMIT = 255
"""Most characters in the name of a session or a node."""
PAGE_LIMIT = 10_000
"""Most entries in one answer: a directory or a file with more is told page by page."""


def request_fault(reqid: int, acked: int, op: str, path: str, args: tuple[Any, ...]) -> str:
    """Why a request cannot be carried out whatever the tree holds: an errno name, or "" for a well-formed one.

    Rules read the arguments of well-formed requests only, so no request can make a rule raise.
    """
    wanted = WRITES.get(op, READS.get(op))
    if wanted is None:
        return "ENOSYS"
    if acked > reqid or len(args) != len(wanted) or any(type(value) is not kind for value, kind in zip(args, wanted, strict=True)):
        return "EINVAL"
    return path_fault(path) or _argument_fault(op, args)


def _argument_fault(op: str, args: tuple[Any, ...]) -> str:
    if op == "create":
        return "" if 1 <= args[0] <= REPLICATION_LIMIT else "EINVAL"
    if op in ("ls", "chunks"):
        return "" if 1 <= args[1] <= PAGE_LIMIT else "EINVAL"
    if op == "rename":
        return path_fault(args[0])
    if op == "addchunk":
        return "" if _are_names((args[0], *args[1])) else "EINVAL"
    if op == "commit":
        return "" if 0 < args[1] <= LENGTH_LIMIT and args[2] and _are_names(args[2]) else "EINVAL"
    return ""


def _are_names(values: tuple[Any, ...]) -> bool:
    """Whether these can be names of nodes; what goes through a log must be bounded."""
    return len(values) <= REPLICATION_LIMIT and all(type(value) is str and len(value) <= TEXT_LIMIT for value in values)


def paths_written(op: str, path: str, args: tuple[Any, ...]) -> tuple[str, ...]:
    """The paths that a write may change, in or below: two writes commute unless a path of one is at or above one of the other's.

    What a NameNode proposes by itself has the path "/": nothing is applied together with it.
    """
    if op in UNPLACED:
        return ()
    return (path, args[0]) if op in ("rename", "give", "take") else (path,)
