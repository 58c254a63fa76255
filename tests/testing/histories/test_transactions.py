"""Isolation of transactions: no false alarm and nothing missed beside brute force, and each anomaly by its name."""

from __future__ import annotations

import random
from itertools import combinations, permutations

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.errors import UsageError
from bloompy.testing.histories import Event, History, HistoryError, Operation
from bloompy.testing.histories.transactions import LEVELS, isolated
from tests.testing.histories.brute import in_real_time


def run(state, steps):
    """A transaction on a state: the state after it, and its steps with what was read."""
    state, done = dict(state), []
    for function, key, value in steps:
        if function == "append":
            state[key] = (*state.get(key, ()), value)
        elif function == "w":
            state[key] = value
        done.append((function, key, state.get(key) if function == "r" else value))
    return state, tuple(done)


def normal(steps):
    """Nothing and an empty list are the same."""
    return tuple((function, key, None if value == () else value) for function, key, value in steps)


def explains(order):
    state = {}
    for each in order:
        state, done = run(state, each.argument)
        if each.ok and normal(done) != normal(each.result):
            return False
    return True


def orders(history):
    perhaps = [each for each in history if each.unknown]
    for many in range(len(perhaps) + 1):
        for chosen in combinations(perhaps, many):
            yield from permutations([*(each for each in history if each.ok), *chosen])


def serializable(history):
    return any(explains(order) for order in orders(history))


def strict_serializable(history):
    return any(in_real_time(order) and explains(order) for order in orders(history))


def snapshot_isolated(history):
    """Brute force: every interleaving of beginnings and commits, snapshots, the first committer wins. Of committed ones only."""
    committed = list(history)
    marks = [(each.invoked, end) for each in committed for end in (False, True)]
    for order in set(permutations(marks)):
        if all(order.index((each.invoked, False)) < order.index((each.invoked, True)) for each in committed) and snapshots(order, committed):
            return True
    return False


def snapshots(order, committed):
    by_place = {each.invoked: each for each in committed}
    state, begun, written = {}, {}, {}
    for at, (place, end) in enumerate(order):
        each = by_place[place]
        if not end:
            begun[place] = (at, state)
            continue
        start, snapshot = begun[place]
        _, done = run(snapshot, each.argument)
        keys = {key for function, key, _ in each.argument if function != "r"}
        if normal(done) != normal(each.result) or any(written.get(key, -1) > start for key in keys):
            return False
        state, _ = run(state, each.argument)
        written.update(dict.fromkeys(keys, at))
    return True


@st.composite
def transactions(draw, *, most=3, write="append", statuses="ok ok ok ok info fail", final=True):
    """Any small history of transactions on two objects; reads are of any subset of what was written."""
    number, events, under_way = 0, [], {}
    left, values = draw(st.integers(1, most)), {"x": [], "y": []}
    while left or under_way:
        process = draw(st.integers(0, 2))
        if process in under_way:
            steps = under_way.pop(process)
            status = draw(st.sampled_from(statuses.split()))
            read = [(f, k, drawn_read(draw, write, values[k]) if f == "r" else v) for f, k, v in steps]
            events.append(Event(status, process, "txn", tuple(own_reads(read)) if status == "ok" else None))
        elif left:
            left -= 1
            steps = []
            for _ in range(draw(st.integers(1, 3))):
                key = draw(st.sampled_from("xy"))
                if draw(st.booleans()):
                    steps.append(("r", key, None))
                else:
                    number += 1
                    values[key].append(number)
                    steps.append((write, key, number))
            under_way[process] = tuple(steps)
            events.append(Event("invoke", process, "txn", tuple(steps)))
    if final:
        read = [("r", key, drawn_read(draw, write, values[key])) for key in "xy"]
        events += [Event("invoke", 9, "txn", tuple(("r", key, None) for key in "xy")), Event("ok", 9, "txn", tuple(read))]
    return History.of_events(events)


def drawn_read(draw, write, values):
    if write == "w":
        return draw(st.sampled_from([None, *values]))
    return tuple(draw(st.permutations(values)))[: draw(st.integers(0, len(values)))] if draw(st.booleans()) else tuple(values)[: draw(st.integers(0, len(values)))]


def own_reads(steps):
    """Mostly let a transaction see its own writes, as else nothing is ever right."""
    own = {}
    for function, key, value in steps:
        if function == "append":
            own[key] = (*own.get(key, ()), value)
        elif function == "w":
            own[key] = value
        elif key in own:
            value = own[key] if isinstance(own[key], int) else (*(each for each in value if each not in own[key]), *own[key])
        yield function, key, value


@settings(max_examples=150)
@given(transactions())
def test_lists_that_are_read_at_the_end_are_judged_exactly(history):
    assert isolated(history, "serializable").valid == serializable(history)
    assert isolated(history, "strict serializable").valid == strict_serializable(history)


@pytest.mark.slow
@settings(max_examples=3000)
@given(transactions(most=4))
def test_more_lists_that_are_read_at_the_end_are_judged_exactly(history):
    assert isolated(history, "serializable").valid == serializable(history)
    assert isolated(history, "strict serializable").valid == strict_serializable(history)


@settings(max_examples=100)
@given(transactions(final=False))
def test_no_false_alarm_about_lists(history):
    if serializable(history):
        assert isolated(history, "serializable")
    if strict_serializable(history):
        assert isolated(history, "strict serializable")


@settings(max_examples=150)
@given(transactions(write="w", final=False))
def test_no_false_alarm_about_registers(history):
    if serializable(history):
        assert isolated(history, "serializable", objects="registers")
    if strict_serializable(history):
        assert isolated(history, "strict serializable", objects="registers")


@settings(max_examples=80)
@given(transactions(statuses="ok", final=False))
def test_no_false_alarm_about_snapshots_of_lists(history):
    if snapshot_isolated(history):
        assert isolated(history, "snapshot isolation")


@settings(max_examples=80)
@given(transactions(statuses="ok", write="w", final=False))
def test_no_false_alarm_about_snapshots_of_registers(history):
    if snapshot_isolated(history):
        assert isolated(history, "snapshot isolation", objects="registers")


def history(*transactions, concurrent=True):
    """Committed transactions in shorthand: "ax1 ry12" appends 1 to x and reads y as (1, 2); a leading ! is aborted, ? is unknown."""
    return History([parsed(i, text, concurrent) for i, text in enumerate(transactions)])


def parsed(i, text, concurrent):
    status = {"!": "fail", "?": "info"}.get(text[0], "ok")
    steps = []
    for word in text.lstrip("!?").split():
        digits = tuple(map(int, word[2:]))
        if word[0] == "a":
            steps.append(("append", word[1], digits[0]))
        elif word[0] == "w":
            steps.append(("w", word[1], digits[0]))
        else:
            steps.append(("r", word[1], digits))
    argument = [(f, k, None if f == "r" else v) for f, k, v in steps]
    start = 0 if concurrent else 10 * i
    return Operation(f"c{i}", "txn", argument, steps if status == "ok" else None, status, start_s=start + i / 100, end_s=start + 5)


ANOMALIES = {
    "G0": (history("ax1 ay1", "ax2 ay2", "rx12 ry21"), "read uncommitted"),
    "G1a": (history("!ax1", "rx1"), "read committed"),
    "G1b": (history("ax1 ax2", "rx1", "rx12"), "read committed"),
    "G1c": (history("ax1 ry1", "ay1 rx1"), "read committed"),
    "dirty update": (history("!ax1", "ax2", "rx12"), "read uncommitted"),
    "phantom": (history("ax1", "rx17"), "read uncommitted"),
    "duplicate elements": (history("ax1", "rx11"), "read uncommitted"),
    "incompatible order": (history("ax1", "ax2", "rx12", "rx21"), "read uncommitted"),
    "internal": (history("ax1 rx"), "snapshot isolation"),
    "lost update": (history("rx ax1", "rx ax2", "rx12"), "snapshot isolation"),
    "G-single": (history("ax1 ay1", "rx1 ry", "ry1"), "snapshot isolation"),
    "G-nonadjacent": (history("ax1", "ay1", "rx1 ry", "rx ry1"), "snapshot isolation"),
    "G2-item": (history("rx ry ax1", "rx ry ay1", "rx1 ry1"), "serializable"),
    "G-single-realtime": (history("ax1", "rx", concurrent=False), "strong snapshot isolation"),
    "G1c-realtime": (history("rx1", "ax1", concurrent=False), "strong snapshot isolation"),
    "G0-realtime": (history("ax1", "ax2", "rx21", concurrent=False), "strong snapshot isolation"),
}


@pytest.mark.parametrize("name", ANOMALIES)
def test_each_anomaly_is_found_by_its_name(name):
    given, level = ANOMALIES[name]
    found = isolated(given, level)
    assert name in found.kinds
    levels = list(LEVELS)
    for weaker in levels[: levels.index(level)]:
        assert name not in isolated(given, weaker).kinds
        assert name not in LEVELS[weaker]
    assert level not in found.levels


@pytest.mark.parametrize(("read", "kind"), [("rx21", "incompatible order"), ("rx2", "incompatible order"), ("rx132", "G0")])
def test_what_one_transaction_appended_is_read_together_and_in_its_order(read, kind):
    assert kind in isolated(history("ax1 ax2", "ax3", read), "read uncommitted").kinds
    assert isolated(history("ax1 ax2", "ax3", "rx123"), "serializable")


def test_write_skew_is_snapshot_isolated_and_not_serializable():
    skew, _ = ANOMALIES["G2-item"]
    assert snapshot_isolated(skew)
    found = isolated(skew, "snapshot isolation")
    assert found
    assert [violation.kind for violation in found.permitted] == ["G2-item"]
    assert isolated(skew, "serializable").valid is False


def test_long_fork_is_not_snapshot_isolated():
    fork, _ = ANOMALIES["G-nonadjacent"]
    assert not snapshot_isolated(fork)
    assert isolated(fork, "snapshot isolation").valid is False


def test_the_order_of_one_process_counts_in_strong_sessions():
    operations = history("ax1", "rx", concurrent=False).map(lambda each: evolve(each, process="c"))
    assert isolated(operations, "serializable")
    assert isolated(operations, "strong session serializable").kinds == ("G-single-process",)


def test_a_cycle_that_a_weaker_name_covers_does_not_hide_a_stronger_one():
    # T1 and T2 are a write skew, allowed by snapshot isolation; that T1 was over before T2 began is not.
    skewed = history("rx ry ax1", "rx ry ay1", concurrent=False)
    found = isolated(skewed, "strong snapshot isolation")
    assert "G-single-realtime" in found.kinds


def test_an_unknown_transaction_counts_if_it_was_read():
    assert isolated(history("?ax1", "rx1"), "strict serializable")
    found = isolated(history("?ax1 ay1", "rx1 ry", "ry1"), "serializable")
    assert found.kinds == ("G-single",)
    assert isolated(history("?ax1 ay1", "rx ry"), "strict serializable")


def test_a_cycle_is_told_in_words():
    found = isolated(ANOMALIES["G-single"][0])
    assert str(found) == (
        "not serializable (3 transactions)\n"
        "- G-single: T1 before T2, because T2 read 1, which T1 appended to 'x' (wr); T2 before T1, because T2 read 'y' as (), without 1, "
        "which T1 appended (rw): a cycle. T1 is c0: txn (('append', 'x', 1), ('append', 'y', 1)) -> (('append', 'x', 1), ('append', 'y', "
        "1)); T2 is c1: txn (('r', 'x', None), ('r', 'y', None)) -> (('r', 'x', (1,)), ('r', 'y', ()))"
    )


REGISTERS = {
    "G1a": (("!wx1", "1"), [("r", "x", 1)]),
    "G1b": (("wx1 wx2",), [("r", "x", 1)]),
    "phantom": (("wx1",), [("r", "x", 7)]),
    "internal": (("wx1",), [("w", "x", 3), ("r", "x", 1)]),
}


@pytest.mark.parametrize("name", REGISTERS)
def test_anomalies_of_registers(name):
    (first, *_), steps = REGISTERS[name]
    other = Operation("r", "txn", [(f, k, None if f == "r" else v) for f, k, v in steps], steps, start_s=0, end_s=9)
    found = isolated(History([*map(clear, history(first)), other]), "serializable", objects="registers")
    assert name in found.kinds


def clear(operation):
    return evolve(operation, invoked=-1, completed=None)


def registers(*transactions):
    return History([Operation(f"c{i}", "txn", [(f, k, None if f == "r" else v) for f, k, v in each], each, start_s=0, end_s=9) for i, each in enumerate(transactions)])


def test_cycles_of_registers():
    read_skew = registers([("w", "x", 1), ("w", "y", 1)], [("r", "x", 1), ("r", "y", None)])
    assert isolated(read_skew, objects="registers").kinds == ("G-single",)
    write_skew = registers([("r", "x", None), ("r", "y", None), ("w", "x", 1)], [("r", "x", None), ("r", "y", None), ("w", "y", 1)])
    assert isolated(write_skew, "snapshot isolation", objects="registers")
    assert isolated(write_skew, objects="registers").kinds == ("G2-item",)
    lost = registers([("r", "x", None), ("w", "x", 1)], [("r", "x", None), ("w", "x", 2)])
    assert "lost update" in isolated(lost, "snapshot isolation", objects="registers").kinds
    circle = registers([("r", "x", 2), ("w", "x", 1)], [("r", "x", 1), ("w", "x", 2)])
    assert "cyclic versions" in isolated(circle, "read committed", objects="registers").kinds


def database(seed, size, isolation):
    """A database of lists that takes in transactions of 8 clients at this level, and their history."""
    chance, state, last, events, open_ = random.Random(seed), {}, {}, [], {}
    begun = commits = 0
    while begun < size or open_:
        client = chance.randrange(8) if begun < size else chance.choice(list(open_))
        if client not in open_:
            steps = []
            for _ in range(chance.randint(1, 4)):
                key = chance.randrange(6)
                steps.append(("r", key, None) if chance.random() < 0.5 else ("append", key, (begun, len(steps))))
            begun += 1
            open_[client] = (tuple(steps), dict(state), commits)
            events.append(Event("invoke", client, "txn", tuple(steps)))
            continue
        steps, snapshot, start = open_.pop(client)
        if isolation == "strict serializable":
            snapshot, start = state, commits
        keys = {key for function, key, _ in steps if function == "append"}
        if any(last.get(key, -1) >= start for key in keys):
            events.append(Event("fail", client, "txn"))
            continue
        _, done = run(snapshot, steps)
        state, _ = run(state, steps)
        last.update(dict.fromkeys(keys, commits))
        commits += 1
        unknown = chance.random() < 0.05
        events.append(Event("info", client, "txn") if unknown else Event("ok", client, "txn", done))
    return History.of_events(events)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", ["strict serializable", "strong snapshot isolation"])
def test_long_histories_of_a_right_database_pass(level, seed):
    assert isolated(database(seed, 300, level), level)


@pytest.mark.parametrize("seed", range(4))
def test_a_database_of_snapshots_is_not_serializable(seed):
    found = isolated(database(seed, 300, "strong snapshot isolation"), "serializable")
    assert found.kinds == ("G2-item",)
    assert found.levels[-1] == "strong snapshot isolation"


@pytest.mark.parametrize("seed", range(4))
def test_a_long_history_with_one_element_too_few_in_a_read_fails(seed):
    given = database(seed, 300, "strict serializable")
    operations = list(given)
    for i in range(200, 300):
        each = operations[i]
        short = [("r", k, v[:-1]) if f == "r" and v and (f, k, v) == each.result[0] else (f, k, v) for f, k, v in each.result or ()]
        writer = [w for w in given if short and short[0] != each.result[0] and w.ok and ("append", *each.result[0][1:2], each.result[0][2][-1]) in w.argument]
        if writer and writer[0].precedes(each):
            operations[i] = evolve(each, result=short)
            break
    else:
        raise AssertionError("there is no read to shorten")
    assert isolated(History(operations), "strict serializable").valid is False


def test_what_is_no_transaction_is_refused():
    with pytest.raises(HistoryError, match="is no transaction"):
        isolated(History([Operation("a", "read", None, 1, end_s=1)]))
    with pytest.raises(HistoryError, match="'w' is neither a read nor one of append"):
        isolated(history("wx1"))
    with pytest.raises(HistoryError, match="1 was written to 'x' twice"):
        isolated(history("ax1", "ax1"))
    with pytest.raises(UsageError, match="there is no isolation level 'serialisable'"):
        isolated(History(), "serialisable")
