"""Jobs that are ready to run: `bloompy mr run wordcount --input … --output …`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from bloompy_mr.errors import JobError
from bloompy_mr.job import Job

NAMES = {"wordcount": "wordcount", "grep": "grep", "inverted-index": "inverted_index"}


def ready_job(name: str, arguments: Sequence[str] = ()) -> Job:
    """A ready job by name.

    Args:
        name: one of `NAMES`.
        arguments: what the job takes: grep a regular expression, the others nothing.

    Raises:
        JobError: the arguments do not fit.
    """
    job: Job = import_module(f"bloompy_mr.ready.{NAMES[name]}").make(*_checked(name, arguments))
    return job


def _checked(name: str, arguments: Sequence[str]) -> Sequence[str]:
    wanted = ["regular expression"] if name == "grep" else []
    if len(arguments) != len(wanted):
        raise JobError(
            f"{name} takes {len(wanted)} argument{'' if len(wanted) == 1 else 's'}, not {len(arguments)}",
            hint=f"write: bloompy mr run {name} {' '.join(repr(one) for one in wanted)} --input … --output …".replace("  ", " "),
        )
    return arguments
