"""Histories as JSON lines, with the keys of Jepsen's histories.

    {"type": "invoke", "process": 0, "f": "write", "value": 1, "time": 12}

Lists become tuples. What JSON has not is written as an object with one key: `{"$set": […]}` and `{"$bytes": "base64"}`.
Times are taken as they stand; checkers use only their order.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from bloompy.errors import HistoryError
from bloompy.testing.histories.operation import Event, literal, printable

_KINDS = ("invoke", "ok", "fail", "info")


def write(events: Iterable[Event]) -> str:
    """Events as JSON, a line each.

    Raises:
        HistoryError: for a value that JSON cannot hold.
    """
    return "".join(f"{json.dumps(_object(event), ensure_ascii=False)}\n" for event in events)


def read(text: str) -> Iterator[Event]:
    """Events of JSON lines.

    Raises:
        HistoryError: naming the line.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield _event(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise HistoryError(
                    f"line {number} cannot be read ({type(error).__name__}: {error}): {printable(line[:80])!r}",
                    hint='a line is {"type": "invoke", "process": 0, "f": "write", "value": 1, "time": 12}',
                ) from error


def _object(event: Event) -> dict[str, Any]:
    found = {"type": event.kind, "process": event.process, "f": event.function, "value": _plain(event.value), "time": event.time_s}
    return {**found, "error": event.error} if event.error else found


def _event(found: dict[str, Any]) -> Event:
    kind, process, error = found["type"].lstrip(":"), found["process"], found.get("error") or ""
    if kind not in _KINDS:
        raise ValueError(f"type is one of {', '.join(_KINDS)}")
    if isinstance(process, bool) or not isinstance(process, str | int):
        raise TypeError("process is a number or a string")
    text = error if isinstance(error, str) else json.dumps(error)
    return Event(kind, process, str(found["f"]).lstrip(":"), _value(found.get("value")), float(found.get("time", 0.0)), text)


def _plain(value: Any) -> Any:
    """A value of JSON's types."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, frozenset):
        return {"$set": [_plain(each) for each in sorted(value, key=literal)]}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    raise HistoryError(
        f"{printable(repr(value)[:80])} cannot be written as JSON", hint="use numbers, strings, tuples and sets, or map the operations"
    )


def _value(value: Any) -> Any:
    """A value that does not change, from JSON's."""
    if isinstance(value, list):
        return tuple(_value(each) for each in value)
    if isinstance(value, dict):
        if value.keys() == {"$set"}:
            return frozenset(_value(each) for each in value["$set"])
        if value.keys() == {"$bytes"}:
            return base64.b64decode(value["$bytes"], validate=True)
        return tuple(sorted((key, _value(each)) for key, each in value.items()))
    return value
