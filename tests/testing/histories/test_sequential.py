"""Sequential consistency, as brute force has it, and in known cases."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.testing.histories import History, HistoryError, Operation, linearizable, models, sequentially_consistent
from tests.testing.histories import brute, small
from tests.testing.histories.test_linearizability import MODELS, hard, map_history


def check(history, model):
    found = sequentially_consistent(history, model)
    assert found.valid == brute.sequentially_consistent(history, model)
    if found.valid:
        assert brute.in_process_order(found.order)
        assert brute.explains(found.order, model)
        assert {each.invoked for each in found.order} >= {each.invoked for each in history if each.ok}
    else:
        assert not linearizable(history, model)


@pytest.mark.parametrize("name", ["register", "cas-register", "key-value", "queue", "lock", "counter"])
@settings(max_examples=50)
@given(data=st.data())
def test_small_histories_are_judged_as_by_brute_force(name, data):
    model, kinds = MODELS[name]
    check(data.draw(small.histories(kinds, statuses="ok ok ok info fail", processes=3)), model)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=1000)
@given(data=st.data())
def test_histories_of_six_operations(name, data):
    model, kinds = MODELS[name]
    check(data.draw(small.histories(kinds, operations=6, statuses="ok ok ok info", processes=3)), model)


def test_a_late_read_of_an_old_value_is_sequentially_consistent_and_not_linearizable():
    history = History([Operation("a", "write", 1, start_s=0, end_s=1), Operation("b", "read", None, None, start_s=2, end_s=3)])
    assert sequentially_consistent(history, models.register())
    assert linearizable(history, models.register()).valid is False


def test_dekker_is_not_sequentially_consistent_though_each_key_is():
    history = History(
        [
            Operation("a", "put", ("x", 1), start_s=0, end_s=1),
            Operation("a", "get", "y", None, start_s=2, end_s=3),
            Operation("b", "put", ("y", 1), start_s=0, end_s=1),
            Operation("b", "get", "x", None, start_s=2, end_s=3),
        ]
    )
    found = sequentially_consistent(history, models.key_value())
    assert found.valid is False
    assert "not sequentially consistent" in str(found)
    assert "at most 3 of 4 completed operations can be put into one order" in str(found)
    for key in "xy":
        assert sequentially_consistent(history.where(lambda each, key=key: models.key_value().key(each) == key), models.key_value())


@pytest.mark.parametrize("seed", range(5))
def test_long_histories_of_a_right_map_pass(seed):
    history = map_history(200, clients=5, keys=3, seed=seed, unknown=0.03 * (seed % 2))
    found = sequentially_consistent(history, models.key_value())
    assert found.valid
    assert brute.in_process_order(found.order)
    assert brute.explains(found.order, models.key_value())


def test_a_spent_budget_is_unknown_and_says_so():
    found = sequentially_consistent(hard(), models.counter(), configurations=500)
    assert found.valid is None
    assert "the budget was spent after 5" in str(found)


def test_a_process_that_does_two_things_at_a_time_is_refused():
    history = History([Operation("a", "read", start_s=0, end_s=3), Operation("a", "read", start_s=1, end_s=2)])
    with pytest.raises(HistoryError, match="began while its process did a: read"):
        sequentially_consistent(history, models.register())
