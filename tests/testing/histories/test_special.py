"""Checkers of sets, counters, queues, identifiers, banks and long forks: beside brute force, and each violation by its name."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.testing.histories import (
    History,
    HistoryError,
    Operation,
    check_bank,
    check_counter,
    check_final_set,
    check_long_fork,
    check_queue,
    check_set,
    check_unique_ids,
    linearizable,
    models,
)
from bloompy.testing.histories.sampling import sample
from tests.testing.histories import brute, small


def one_by_one(*operations):
    """A history of operations one after the other: (function, argument, result) or with a status."""
    return History([Operation(f"c{i % 3}", *each, start_s=2 * i, end_s=2 * i + 1) for i, each in enumerate(operations)])


# -- sets

ONE_ELEMENT: small.Kinds = {"add": (st.just(1), st.none()), "read": (st.none(), st.sampled_from([(), (1,)]))}
TWO_ELEMENTS: small.Kinds = {"add": (st.sampled_from([1, 2]), st.none()), "read": (st.none(), st.sampled_from([(), (1,), (2,), (1, 2)]))}


@settings(max_examples=150)
@given(small.histories(ONE_ELEMENT))
def test_a_set_of_one_element_is_right_exactly_if_it_is_linearizable(history):
    assert check_set(history, linearizable=True).valid == brute.linearizable(history, models.elements())


@settings(max_examples=150)
@given(small.histories(TWO_ELEMENTS))
def test_a_linearizable_set_is_right(history):
    if brute.linearizable(history, models.elements()):
        assert check_set(history, linearizable=True)
        assert check_final_set(history).valid is not False
    if check_set(history, linearizable=True):
        assert check_set(history)


def add_to_set(state, process, function, argument):
    return (state | {argument}, None) if function == "add" else (state, tuple(sorted(state)))


def draw_of_set(chance, number):
    return ("add", number) if chance.random() < 0.7 else ("read", None)


@pytest.mark.parametrize("seed", range(4))
def test_long_histories_of_sets(seed):
    history = sample(frozenset(), add_to_set, draw_of_set, operations=300, clients=8, seed=seed, unknown=0.05, failing=0.05)
    assert check_set(history, linearizable=True)
    assert check_final_set(history)
    operations = list(history)
    last = max(i for i, each in enumerate(operations) if each.function == "read" and each.ok)
    operations[last] = evolve(operations[last], result=operations[last].result[:-40])
    wrong = History(operations)
    assert set(check_set(wrong, linearizable=True).kinds) & {"lost", "stale"}
    assert check_final_set(wrong).kinds == ("lost",)


SETS = {
    "lost": (one_by_one(("add", 1), ("read", None, (1,)), ("read", None, ())), True),
    "stale": (one_by_one(("add", 1), ("read", None, ()), ("read", None, (1,))), False),
    "phantom": (one_by_one(("read", None, (1,)), ("add", 1)), True),
    "duplicated": (one_by_one(("add", 1), ("read", None, (1, 1))), True),
}


@pytest.mark.parametrize("kind", SETS)
def test_what_is_wrong_with_a_set(kind):
    history, always = SETS[kind]
    assert check_set(history, linearizable=True).kinds == (kind,)
    assert check_set(history).kinds == ((kind,) if always else ())


def test_a_failed_addition_that_is_read_is_a_phantom():
    history = History([Operation("a", "add", 1, status="fail", start_s=0, end_s=1), Operation("b", "read", None, (1,), start_s=2, end_s=3)])
    assert check_set(history).kinds == ("phantom",)
    assert check_set(history.map(lambda each: evolve(each, status="ok"))).kinds == ()


def test_an_element_that_no_read_could_have_seen_is_counted():
    found = check_set(one_by_one(("read", None, ()), ("add", 1)))
    assert found
    assert found.counts == {"elements": 1, "reads": 1, "never read": 1, "stale": 0}
    assert check_final_set(one_by_one(("add", 1))).valid is None
    assert check_final_set(one_by_one(("add", 1), ("add", 2), ("read", None, {2}))).kinds == ("lost",)


# -- counters

INCREMENTS: small.Kinds = {"add": (st.just(1), st.none()), "read": (st.none(), st.integers(0, 4))}
CHANGES: small.Kinds = {"add": (st.integers(-2, 2), st.none()), "read": (st.none(), st.integers(-3, 3))}


@settings(max_examples=150)
@given(small.histories(INCREMENTS))
def test_each_read_of_increments_alone_is_in_bounds_exactly_if_it_is_linearizable(history):
    reads = [each for each in history if each.function == "read"]
    for read in reads:
        alone = history.where(lambda each, read=read: each.function == "add" or each is read)
        assert check_counter(alone).valid == brute.linearizable(alone, models.counter())


@settings(max_examples=100)
@given(small.histories(CHANGES))
def test_a_linearizable_counter_is_in_bounds(history):
    if brute.linearizable(history, models.counter()):
        assert check_counter(history)


def test_what_is_wrong_with_a_counter():
    history = one_by_one(("add", 5), ("add", -2), ("read", None, 4))
    assert str(check_counter(history)) == (
        "not a counter within bounds (2 additions, 1 reads)\n- out of bounds: c2: read -> 4 (4 s), but it can only be 3"
    )
    assert check_counter(history, initial=1)


# -- queues


@st.composite
def queue_histories(draw):
    """Small histories of `ok` operations with unique elements; what comes out is anything."""
    history = draw(small.histories({"enqueue": (st.just(0), st.none()), "dequeue": (st.none(), st.none() | st.integers(0, 3))}, statuses="ok", operations=6))
    ends = all(each.ok for each in history)
    numbers = {each.invoked: i for i, each in enumerate([each for each in history if each.function == "enqueue"])}
    return ends, history.map(lambda each: evolve(each, argument=numbers.get(each.invoked)))


@settings(max_examples=300)
@given(queue_histories())
def test_a_queue_is_right_exactly_if_it_is_linearizable(drawn):
    complete, history = drawn
    right = linearizable(history, models.queue()).valid  # itself held against brute force
    if complete:
        assert check_queue(history).valid == right
    elif right:
        assert check_queue(history)


@settings(max_examples=200)
@given(small.histories({"enqueue": (st.just(0), st.none()), "dequeue": (st.none(), st.none() | st.integers(0, 2))}, statuses="ok ok info fail"))
def test_no_false_alarm_about_queues_with_unknown_operations(history):
    numbers = {each.invoked: i for i, each in enumerate([each for each in history if each.function == "enqueue"])}
    history = history.map(lambda each: evolve(each, argument=numbers.get(each.invoked)))
    if linearizable(history, models.queue()):
        assert check_queue(history)


QUEUES = {
    "phantom": one_by_one(("dequeue", None, 2)),
    "duplicated": one_by_one(("enqueue", 1), ("dequeue", None, 1), ("dequeue", None, 1)),
    "lost": one_by_one(("enqueue", 1), ("enqueue", 2), ("dequeue", None, 1)),
    "order": one_by_one(("enqueue", 1), ("enqueue", 2), ("dequeue", None, 2), ("dequeue", None, 1)),
    "not empty": one_by_one(("enqueue", 1), ("dequeue", None, None), ("dequeue", None, 1)),
}


@pytest.mark.parametrize("kind", QUEUES)
def test_what_is_wrong_with_a_queue(kind):
    assert check_queue(QUEUES[kind], drained=True).kinds == (kind,)
    assert check_queue(QUEUES[kind], fifo=False).kinds == ((kind,) if kind in ("phantom", "duplicated") else ())


def test_an_unknown_dequeue_may_have_taken_what_is_missing():
    history = one_by_one(("enqueue", 1), ("dequeue", None, None, "info"), ("enqueue", 2), ("dequeue", None, 2))
    assert check_queue(history, drained=True)
    assert check_queue(history.where(lambda each: each.ok), drained=True).kinds == ("lost", "order")


def test_an_element_that_is_enqueued_twice_has_no_order():
    history = one_by_one(("enqueue", 1), ("enqueue", 1), ("dequeue", None, 1), ("dequeue", None, 1))
    assert check_queue(history, fifo=False, drained=True)
    with pytest.raises(HistoryError, match="1 was enqueued twice"):
        check_queue(history)


@pytest.mark.parametrize("seed", range(4))
def test_long_histories_of_queues(seed):
    def perform(state, process, function, argument):
        return ((*state, argument), None) if function == "enqueue" else (state[1:], state[0] if state else None)

    def draw(chance, number):
        return ("enqueue", number) if chance.random() < 0.5 else ("dequeue", None)

    history = sample((), perform, draw, operations=500, clients=10, seed=seed, unknown=0.04, failing=0.04)
    assert check_queue(history)
    operations = list(history)
    taken = [i for i, each in enumerate(operations) if each.function == "dequeue" and each.ok and each.result is not None]
    first, last = operations[taken[0]], operations[taken[-1]]
    operations[taken[0]], operations[taken[-1]] = evolve(first, result=last.result), evolve(last, result=first.result)
    assert not check_queue(History(operations))


# -- identifiers, banks, forks


def test_identifiers():
    assert check_unique_ids(one_by_one(("generate", None, 1), ("generate", None, 2), ("generate", None, None, "info")))
    twice = one_by_one(("generate", None, 1), ("generate", None, 2), ("generate", None, 1))
    assert str(check_unique_ids(twice)) == "not unique (3 identifiers)\n- duplicated: 1 was given 2 times: to c0, c2"
    falling = one_by_one(("generate", None, 1), ("generate", None, 5), ("generate", None, 3))
    assert check_unique_ids(falling)
    assert check_unique_ids(falling, increasing=True).kinds == ("not increasing",)
    beside = History([Operation(i, "generate", None, number, start_s=0, end_s=1) for i, number in enumerate([2, 1, 3])])
    assert check_unique_ids(beside, increasing=True)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 30), max_size=30))
def test_identifiers_are_unique_as_sets_have_it(identifiers):
    history = one_by_one(*(("generate", None, each) for each in identifiers))
    assert check_unique_ids(history).valid == (len(set(identifiers)) == len(identifiers))
    rising = all(a < b for i, b in enumerate(identifiers) for a in identifiers[:i])
    assert check_unique_ids(history, increasing=True).valid == rising


def test_banks():
    assert check_bank(one_by_one(("read", None, (("a", 3), ("b", 7))), ("read", None, {"a": 0, "b": 10})), total=10)
    assert check_bank(one_by_one(("read", None, (("a", 3), ("b", 8)))), total=10).kinds == ("total",)
    overdrawn = one_by_one(("read", None, (("a", -1), ("b", 11))))
    assert check_bank(overdrawn, total=10).kinds == ("negative",)
    assert check_bank(overdrawn, total=10, negative=True)


def forked(reads):
    """Brute force: two reads of which neither saw all that the other saw."""
    seen = [{key for key, value in read if value is not None} for read in reads]
    return any(not a <= b and not b <= a for a in seen for b in seen)


@settings(max_examples=100)
@given(st.lists(st.tuples(*(st.sampled_from([(key, None), (key, 1)]) for key in "xyz")), max_size=6))
def test_long_forks(reads):
    found = check_long_fork(one_by_one(*(("read", None, read) for read in reads)))
    assert found.valid == (not forked(reads))


def test_a_long_fork_in_words():
    history = one_by_one(("read", None, (("x", 1), ("y", None))), ("read", None, (("x", None), ("y", 1))))
    assert "saw 'x' without 'y'" in str(check_long_fork(history))
    with pytest.raises(HistoryError, match="'x' was read as 1 and as 2"):
        check_long_fork(one_by_one(("read", None, (("x", 1),)), ("read", None, (("x", 2),))))
