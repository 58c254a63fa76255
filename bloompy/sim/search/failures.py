"""What makes two failures the same: that is what shrinking keeps."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import TypeAlias

import bloompy
from bloompy.errors import ClusterViolation, DeadLetter, InvariantViolation, KeyConflict, NeverReached, NoProgress, NotDeterministic

Kind: TypeAlias = tuple[str, ...]
"""The class of an error, and where it arose."""

_PACKAGE = os.path.dirname(os.path.abspath(bloompy.__file__)) + os.sep
_OF_CAMPAIGNS = (NeverReached, NotDeterministic)


def is_failure(error: BaseException) -> bool:
    """Whether an exception says that a run failed: an `Exception`, or `pytest.fail`; not Ctrl-C, and not `pytest.skip`."""
    outcomes = sys.modules.get("_pytest.outcomes")
    return isinstance(error, Exception) or (outcomes is not None and isinstance(error, outcomes.Failed))


def kind_of(error: BaseException) -> Kind:
    """Class and place: the invariant or goal, what conflicted, else the innermost line outside bloompy that was being run."""
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    if isinstance(error, InvariantViolation):
        return name, error.rule
    if isinstance(error, ClusterViolation):
        return name, error.message.partition(" does not hold")[0]
    if isinstance(error, NoProgress):
        return name, error.name
    if isinstance(error, KeyConflict):
        return name, error.collection, *sorted(error.rules)
    if isinstance(error, DeadLetter) and error.__cause__ is not None:
        return name, *kind_of(error.__cause__)
    return name, place_of(error)


def place_of(error: BaseException) -> str:
    """The innermost line outside bloompy that an exception passed, as "file:line"; "" if there is none."""
    found, traceback = "", error.__traceback__
    while traceback is not None:
        if not is_ours(traceback.tb_frame):
            found = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return found


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of bloompy, or of the import machinery, and not of a test or program."""
    return frame.f_code.co_filename.startswith((_PACKAGE, "<frozen"))
