"""Small arbitrary histories, right and wrong, for comparison with brute force."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from bloompy.testing.histories import Event, History

Kinds = dict[str, tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]]
"""For each function its arguments and its results."""

VALUES = st.integers(0, 2)
NOTHING = st.none()

REGISTER: Kinds = {"read": (NOTHING, st.none() | VALUES), "write": (VALUES, NOTHING)}
CAS_REGISTER: Kinds = {**REGISTER, "cas": (st.tuples(VALUES, VALUES), st.booleans())}
KEYS = st.sampled_from("xy")
KEY_VALUE: Kinds = {
    "get": (KEYS, st.none() | VALUES),
    "put": (st.tuples(KEYS, VALUES), NOTHING),
    "delete": (KEYS, NOTHING),
    "cas": (st.tuples(KEYS, VALUES, VALUES), st.booleans()),
}
COUNTER: Kinds = {"read": (NOTHING, st.integers(0, 3)), "add": (st.integers(-1, 2), NOTHING), "add_and_get": (st.just(1), st.integers(0, 3))}
QUEUE: Kinds = {"enqueue": (VALUES, NOTHING), "dequeue": (NOTHING, st.none() | VALUES)}
ELEMENTS: Kinds = {"add": (VALUES, NOTHING), "remove": (VALUES, NOTHING), "contains": (VALUES, st.booleans())}
WHOLE_SET: Kinds = {**ELEMENTS, "read": (NOTHING, st.frozensets(VALUES))}
LOCK: Kinds = {"acquire": (NOTHING, st.sampled_from([None, True, False])), "release": (NOTHING, NOTHING)}
APPEND_LIST: Kinds = {"append": (VALUES, NOTHING), "read": (NOTHING, st.lists(VALUES, max_size=2, unique=True))}


@st.composite
def histories(draw: st.DrawFn, kinds: Kinds, *, operations: int = 5, statuses: str = "ok ok ok ok info fail", processes: int = 3) -> History:
    """Any history of these functions: nothing makes it right."""
    under_way: dict[int, tuple[str, Any]] = {}
    events: list[Event] = []
    left = draw(st.integers(1, operations))
    while left or under_way:
        process = draw(st.integers(0, processes - 1))
        if process in under_way:
            function, argument = under_way.pop(process)
            status = draw(st.sampled_from(statuses.split()))
            value = draw(kinds[function][1]) if status == "ok" else None
            events.append(Event(status, process, function, value, float(len(events))))
        elif left:
            left -= 1
            function = draw(st.sampled_from(sorted(kinds)))
            under_way[process] = (function, draw(kinds[function][0]))
            events.append(Event("invoke", process, *under_way[process], float(len(events))))
        elif draw(st.integers(0, 9)) == 0:  # what is under way may never end
            break
    return History.of_events(events)
