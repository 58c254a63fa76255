"""Histories: events and operations, text and JSON lines in and out, recording, pictures."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.testing.histories import (
    Event,
    History,
    HistoryError,
    HistoryViolation,
    Operation,
    Recorder,
    check_counter,
    linearizable,
    models,
)
from tests.testing.histories import small

ALL = {**small.KEY_VALUE, **small.LOCK, **small.COUNTER, **small.APPEND_LIST, **small.WHOLE_SET}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.sets(st.integers() | st.text(), max_size=3),
    max_leaves=6,
)


@settings(max_examples=150)
@given(small.histories(ALL, operations=6))
def test_events_and_operations_are_the_same_history(history):
    assert History.of_events(history.events) == history
    assert History(reversed(history.operations)) == history


@settings(max_examples=150)
@given(st.text(min_size=1) | st.integers(), st.text(min_size=1), values, values)
def test_text_and_json_lines_give_the_history_back(process, function, argument, result):
    events = [Event("invoke", process, function, argument, 0.25), Event("ok", process, function, result, 1.5), Event("invoke", f"{process} too", "f")]
    history = History.of_events(events)
    assert History.parse(history.text()) == history
    assert types(History.parse(history.text())) == types(history)
    if not function.startswith(":"):
        assert History.parse_json_lines(history.json_lines()) == history
        assert types(History.parse_json_lines(history.json_lines())) == types(history)


def types(history):
    return [(type(each.argument), type(each.result), type(each.process)) for each in history]


@settings(max_examples=100)
@given(st.text(max_size=30))
def test_any_text_is_a_history_or_refused_with_its_line(text):
    for parse in (History.parse, History.parse_json_lines):
        try:
            parse(text)
        except HistoryError as error:
            assert "line" in error.message or "began" in error.message or "ended" in error.message  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 a invoke f 1\nnonsense", "line 2 cannot be read: 'nonsense'"),
        ("0 a invoke f __import__('os')", "line 1 cannot be read"),
        ("0 a begin f", "line 1 cannot be read"),
        ("0 a ok f", "'a' ended 'f' without having begun it"),
        ("0 a invoke f\n1 a invoke g", "'a' began 'g' before its 'f' ended"),
        ("0 a invoke f\n1 a ok g", "'a' began 'f' and ended 'g'"),
    ],
)
def test_a_text_that_is_no_history_is_refused(text, message):
    with pytest.raises(HistoryError, match=message.replace("(", r"\(")):
        History.parse(text)


@pytest.mark.parametrize("line", ["[]", "{}", '{"type": "x", "process": 0, "f": "g"}', '{"type": "ok", "process": [1], "f": "g"}', "nonsense"])
def test_a_json_line_that_is_no_event_is_refused(line):
    with pytest.raises(HistoryError, match="line 2 cannot be read"):
        History.parse_json_lines('{"type": "invoke", "process": 0, "f": "g"}\n' + line)


def test_a_history_of_jepsen_is_read():
    text = """
{"type": "invoke", "process": 0, "f": "write", "value": [1, 5], "time": 10}
{"type": "info", "process": "nemesis", "f": "start", "value": null, "time": 11}
{"type": "ok", "process": 0, "f": "write", "value": [1, 5], "time": 12}
{"type": ":invoke", "process": 1, "f": ":cas", "value": [1, [5, 6]], "time": 13}
{"type": "ok", "process": 1, "f": "cas", "value": [1, [5, 6]], "time": 14}
{"type": "invoke", "process": 0, "f": "read", "value": [1, null], "time": 15}
{"type": "ok", "process": 0, "f": "read", "value": [1, 6], "time": 16}
"""
    history = History.parse_json_lines(text)
    assert len(history) == 3
    assert linearizable(history, models.independent(models.cas_register()))
    wrong = History.parse_json_lines(text.replace("[1, 6]", "[1, 5]"))
    assert linearizable(wrong, models.independent(models.cas_register())).valid is False


def test_what_json_cannot_hold_is_refused():
    history = History([Operation("a", "f", complex(1, 2), start_s=0, end_s=1)])
    with pytest.raises(HistoryError, match=r"\(1\+2j\) cannot be written as JSON"):
        history.json_lines()


def test_operations_at_one_time_count_as_concurrent():
    first, second = History([Operation("a", "write", 1, start_s=0, end_s=1), Operation("b", "read", start_s=1, end_s=2)])
    assert not first.precedes(second)
    first, second = History([Operation("a", "write", 1, start_s=0, end_s=1), Operation("b", "read", start_s=1.5, end_s=2)])
    assert first.precedes(second)


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (Operation("a", "f", start_s=2, end_s=1), "ended before it began"),
        (Operation("a", "f", invoked=3, completed=2), "ended before it began"),
        (Operation("a", "f"), "has no end"),
        (Operation("a", "f", status="fail"), "has no end"),
    ],
)
def test_operations_that_cannot_be_are_refused(operation, message):
    with pytest.raises(HistoryError, match=message):
        History([operation])


def test_a_recorder_notes_what_clients_do():
    times = iter(range(100))
    recorder = Recorder(lambda: float(next(times)))
    with recorder.operation("a", "put", ("x", [1])) as operation:
        operation.ok(2)
    with recorder.operation("a", "put", 1) as operation:
        operation.fail("no room")
    with pytest.raises(TimeoutError, match="late"), recorder.operation("a", "put", 2):
        raise TimeoutError("late")
    with recorder.operation("b", "get"):
        pass
    recorder.invoke("c", "get")
    found = [(each.process, each.argument, each.result, each.status, each.start_s, each.end_s, each.error) for each in recorder.history()]
    assert found == [
        ("a", ("x", (1,)), 2, "ok", 0.0, 1.0, ""),
        ("a", 1, None, "fail", 2.0, 3.0, "no room"),
        ("a", 2, None, "info", 4.0, 5.0, "TimeoutError: late"),
        ("b", None, None, "info", 6.0, 7.0, ""),
        ("c", None, None, "info", 8.0, None, ""),
    ]


def test_a_recorder_refuses_what_makes_no_sense():
    recorder = Recorder()
    recorder.invoke("a", "get")
    with pytest.raises(HistoryError, match="'a' began 'put' before its 'get' ended"):
        recorder.invoke("a", "put")
    with pytest.raises(HistoryError, match="'b' has nothing under way"):
        recorder.end("b", "ok")
    with recorder.operation("b", "get") as operation:
        operation.ok()
        with pytest.raises(HistoryError, match="'get' of 'b' has already ended"):
            operation.fail()


def test_threads_may_record_together():
    recorder = Recorder()

    def work(name):
        for i in range(200):
            with recorder.operation(name, "add", i) as operation:
                operation.ok()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = recorder.history()
    assert len(history) == 800
    assert sorted(place for each in history for place in (each.invoked, each.completed)) == list(range(1600))


NASTY = "<script>alert(1)</script>\x1b[31m\n&\"'"


def test_pictures_escape_every_value():
    history = History([Operation(NASTY, NASTY, NASTY, NASTY, "ok", 0, 1), Operation("b", "read", None, 1, "info", 0, 2, error=NASTY)])
    timeline = history.timeline(history.operations[:1])
    result = check_counter(History([Operation(NASTY, "read", None, 7, "ok", 0, 1)]))
    for html in (timeline.html(), history._repr_html_(), result._repr_html_()):
        assert "<script" not in html
        assert "\x1b" not in html
    for text in (timeline.text(), str(result), str(history.operations[0])):
        assert "\x1b" not in text
    assert len(timeline.text().splitlines()) == 2
    ElementTree.fromstring(timeline.svg())


def test_a_timeline_shows_each_operation():
    history = History(
        [
            Operation("a", "write", 1, status="ok", start_s=0, end_s=3),
            Operation("b", "write", 2, status="info", start_s=1, end_s=2),
            Operation("c", "write", 3, status="fail", start_s=2.5, end_s=4, error="full"),
        ]
    )
    assert history.timeline(history.operations[2:]).text() == (
        "  0 s  a: write 1                   |-----------|\n"
        "  1 s  b: write 2 -> ?                 |~~~~~~~~~~~~~~>\n"
        "2.5 s  c: write 3 -> failed (full)           |-----|  <- here"
    )
    assert History().timeline().text() == "no operations"


def test_a_long_timeline_keeps_what_matters():
    writes = [Operation("a", "write", i, start_s=2 * i, end_s=2 * i + 1) for i in range(100)]
    read = Operation("b", "read", None, 40, start_s=201, end_s=202)
    found = linearizable(History([*writes, read]), models.register())
    shown = found.prefix.timeline([found.operation]).around([found.operation])
    functions = [each.name for each in shown.operations]
    assert functions == ["write 40", *(f"write {i}" for i in range(94, 100)), "read"]
    assert "(93 more operations are not shown)" in str(found)


def test_a_result_is_true_only_if_it_is_surely_right():
    history = History([Operation("a", "read", None, 3, start_s=0, end_s=1)])
    result = check_counter(history)
    assert not result
    with pytest.raises(HistoryViolation, match="it can only be 0") as raised:
        result.require()
    assert raised.value.result is result
    right = check_counter(history, initial=3)
    assert right.require() is right
