"""What a user writes: the functions of a job."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from attrs import fields, frozen

from bloompy_mr.errors import JobError
from bloompy_mr.partition import stable_partition

Pair: TypeAlias = tuple[Any, Any]
Mapper: TypeAlias = Callable[[Any, Any], Iterable[Pair]]
Reducer: TypeAlias = Callable[[Any, Iterator[Any]], Iterable[Pair]]
Partitioner: TypeAlias = Callable[[Any, int], int]
OutputFormat: TypeAlias = Callable[[Any, Any], str]

INPUT_FORMATS = ("lines", "files")


def tab_separated(key: Any, value: Any) -> str:
    """The default output format: key, tab, value; a value None leaves just the key."""
    return f"{key}" if value is None else f"{key}\t{value}"


@frozen(kw_only=True)
class Job:
    """The functions of a MapReduce job (OSDI'04 §2).

    Keys and values between map and reduce are None, bool, int (64 bits), float, str, bytes, and tuples, lists or
    dicts of these; lists arrive as tuples. Keys of one job must have an order among themselves.

    Attributes:
        map: `map(key, value)` yields pairs. For the input format "lines" the key is the byte offset of the line
            in its file and the value the line without its end; for "files" path and whole text.
        combine: `combine(key, values)` yields pairs of the same key; run over what one map task holds, any number of times.
        reduce: `reduce(key, values)` yields pairs, once for each key in ascending order; `values` is an iterator.
        reduces: number of reduce tasks; 0 writes the pairs of the map as they come.
        partition: `partition(key, reduces)` gives the number of the reduce task; equal keys must give equal numbers.
        input_format: "lines" or "files".
        output_format: `output_format(key, value)` gives one line of the output.
        name: shown in listings.
    """

    map: Mapper
    combine: Reducer | None = None
    reduce: Reducer | None = None
    reduces: int = 1
    partition: Partitioner = stable_partition
    input_format: str = "lines"
    output_format: OutputFormat = tab_separated
    name: str = ""

    def __attrs_post_init__(self) -> None:
        for role in ("map", "combine", "reduce", "partition", "output_format"):
            function = getattr(self, role)
            if not callable(function) and (function is not None or role not in ("combine", "reduce")):
                raise JobError(f"{role} is {function!r}, no function")
        if isinstance(self.reduces, bool) or not isinstance(self.reduces, int) or self.reduces < 0:
            raise JobError(f"reduces is {self.reduces!r}", hint="give a number of reduce tasks, 0 for a job of maps only")
        if self.reduce is None and self.combine is not None:
            raise JobError("a combine without a reduce", hint="often the same function does for both: reduce=…, combine=…")
        if self.input_format not in INPUT_FORMATS:
            raise JobError(f"input_format {self.input_format!r} is unknown", hint=f"known are {', '.join(INPUT_FORMATS)}")

    @property
    def reduce_tasks(self) -> int:
        """Number of reduce tasks; none without a reduce function."""
        return 0 if self.reduce is None else self.reduces


def job_of(written: Any, name: str = "", **changes: Any) -> Job:
    """The job that a user wrote as a `Job`, as a class with `map`, `reduce`, … as methods, an instance of it, or a function that makes one.

    Args:
        written: one of these.
        name: the name if it brings none.
        changes: attributes to set otherwise than written.

    Raises:
        JobError: it has no `map`, or an attribute does not fit.
    """
    if inspect.isroutine(written):
        return job_of(_made(written), name, **changes)
    if isinstance(written, Job):
        found = {one.name: getattr(written, one.name) for one in fields(Job)}
    else:
        made = _instance(written)
        if not callable(getattr(made, "map", None)):
            raise JobError(f"{written!r} has no method map", hint="write `def map(self, key, line): yield key2, value2`, or give a Job")
        found = {one.name: getattr(made, one.name) for one in fields(Job) if getattr(made, one.name, None) is not None}
        found.setdefault("name", type(made).__name__)
    found.update(changes)
    found["name"] = found.get("name") or name or getattr(found["map"], "__module__", "") or "job"
    return Job(**found)


def _instance(written: Any) -> Any:
    return _made(written) if inspect.isclass(written) else written


def _made(maker: Callable[[], Any]) -> Any:
    try:
        inspect.signature(maker).bind()
    except (TypeError, ValueError) as error:
        hint = "a job class or a function that makes a job takes no arguments; give what it makes instead"
        raise JobError(f"{maker.__qualname__} cannot be called without arguments: {error}", hint=hint) from None
    return maker()
