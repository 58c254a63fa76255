"""Linearizability: as brute force has it on small histories of every model, right and wrong, and on long ones by construction."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.errors import UsageError
from bloompy.testing.histories import INCONSISTENT, Event, History, HistoryViolation, Model, Operation, linearizable, models
from bloompy.testing.histories.sampling import sample
from tests.testing.histories import brute, small

MODELS = {
    "register": (models.register(), small.REGISTER),
    "register at 1": (models.register(1), small.REGISTER),
    "cas-register": (models.cas_register(), small.CAS_REGISTER),
    "key-value": (models.key_value(), small.KEY_VALUE),
    "counter": (models.counter(), small.COUNTER),
    "queue": (models.queue(), small.QUEUE),
    "set": (models.elements(), small.ELEMENTS),
    "set read whole": (models.elements(), small.WHOLE_SET),
    "lock": (models.lock(), small.LOCK),
    "list": (models.append_list(), small.APPEND_LIST),
}


def independent(kinds: small.Kinds) -> small.Kinds:
    return {name: tuple(st.tuples(small.KEYS, each) for each in pair) for name, pair in kinds.items()}


MODELS["independent registers"] = (models.independent(models.cas_register()), independent(small.CAS_REGISTER))


def check(history: History, model: Model) -> None:
    """The verdict, the witness and the explanation are as brute force has them."""
    found = linearizable(history, model)
    assert found.valid == brute.linearizable(history, model)
    assert found.valid == linearizable(history, model, partition=False).valid
    if found.valid:
        for order in found.orders.values():
            assert brute.in_real_time(order)
            assert brute.explains(order, model)
        placed = {each.invoked for order in found.orders.values() for each in order}
        assert placed >= {each.invoked for each in history if each.ok}
    else:
        assert not brute.linearizable(found.prefix, model)
        assert found.operation in found.prefix
        shorter = history.until(found.operation.completed - 1)
        assert brute.linearizable(shorter, model)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=60)
@given(data=st.data())
def test_small_histories_are_judged_as_by_brute_force(name, data):
    model, kinds = MODELS[name]
    check(data.draw(small.histories(kinds)), model)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=40)
@given(data=st.data())
def test_small_histories_with_many_unknown_operations(name, data):
    model, kinds = MODELS[name]
    check(data.draw(small.histories(kinds, statuses="ok ok info info")), model)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=1500)
@given(data=st.data())
def test_histories_of_six_operations(name, data):
    model, kinds = MODELS[name]
    check(data.draw(small.histories(kinds, operations=6, statuses="ok ok ok info", processes=4)), model)


def put_and_get(state, process, function, argument):
    match function:
        case "get":
            return state, state.get(argument)
        case "put":
            return {**state, argument[0]: argument[1]}, None
        case "cas" if state.get(argument[0]) == argument[1]:
            return {**state, argument[0]: argument[2]}, True
    return state, False


def draw_map(keys, values):
    def draw(chance, number):
        key = chance.randrange(keys)
        function = chance.choice(["get", "get", "put", "cas"])
        value = chance.randrange(values) if values else number
        return function, {"get": key, "put": (key, value), "cas": (key, chance.randrange(values or 1), value)}[function]

    return draw


def map_history(operations=300, clients=10, keys=5, values=0, seed=0, unknown=0.0, failing=0.0):
    return sample({}, put_and_get, draw_map(keys, values), operations=operations, clients=clients, seed=seed, unknown=unknown, failing=failing)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("keys", "values"), [(1, 0), (1, 3), (10, 4)])
def test_long_histories_of_a_right_map_pass(keys, values, seed):
    history = map_history(200, keys=keys, values=values, seed=seed, unknown=0.03 * (seed % 4), failing=0.02 * (seed % 3))
    found = linearizable(history, models.key_value())
    assert found.valid
    for order in found.orders.values():
        assert brute.in_real_time(order)
        assert brute.explains(order, models.key_value())


def stale(history, place):
    """One read from the place on returns a value that was overwritten, surely, before the read began; values are written once."""
    operations = list(history)
    for i, read in enumerate(operations):
        if i < place or read.function != "get" or not read.ok:
            continue
        writes = [each for each in operations if each.function == "put" and each.argument[0] == read.argument]
        for old in writes:
            if any(old.precedes(newer) and newer.precedes(read) for newer in writes):
                operations[i] = evolve(read, result=old.argument[1])
                return History(operations), operations[i]
    raise AssertionError("there is no read to make stale")


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("keys", [1, 5])
def test_long_histories_with_one_stale_read_fail_there(keys, seed):
    history, read = stale(map_history(200, keys=keys, seed=seed, unknown=0.05 * (seed % 2)), 120)
    found = linearizable(history, models.key_value())
    assert found.valid is False
    assert found.operation == read
    assert found.prefix.operations[-1].invoked < read.completed


@pytest.mark.parametrize("seed", range(4))
def test_a_queue_that_gives_one_element_twice_is_found(seed):
    def perform(state, process, function, argument):
        return ((*state, argument), None) if function == "enqueue" else (state[1:], state[0] if state else None)

    def draw(chance, number):
        return ("enqueue", number) if chance.random() < 0.6 else ("dequeue", None)

    history = sample((), perform, draw, operations=30, clients=3, seed=seed, unknown=0.03)
    assert linearizable(history, models.queue())
    operations = list(history)
    taken = [i for i, each in enumerate(operations) if each.function == "dequeue" and each.ok and each.result is not None]
    operations[taken[-1]] = evolve(operations[taken[-1]], result=operations[taken[0]].result)
    assert linearizable(History(operations), models.queue()).valid is False


def test_many_unknown_writes_do_not_explode():
    lost = [Event("invoke", f"lost{i}", "write", i) for i in range(200)]
    reads = [event for i in range(50) for event in (Event("invoke", "r", "read"), Event("ok", "r", "read", 199 - 3 * i))]
    history = History.of_events([*lost, *reads])
    assert linearizable(history, models.register(), configurations=5000)
    again = [Event("invoke", "r", "read"), Event("ok", "r", "read", 199)]  # written once, so not back after 196 was read
    found = linearizable(History.of_events([*lost, *reads, *again]), models.register(), configurations=20_000)
    assert found.valid is False
    assert found.operation.invoked == found.history.operations[-1].invoked


def test_many_equal_unknown_operations_do_not_explode():
    lost = [Event("invoke", f"lost{i}", "add", 1) for i in range(60)]
    reads = [event for value in (20, 40, 60) for event in (Event("invoke", "r", "read"), Event("ok", "r", "read", value))]
    assert linearizable(History.of_events([*lost, *reads]), models.counter(), configurations=1000)
    more = [Event("invoke", "r", "read"), Event("ok", "r", "read", 61)]
    assert linearizable(History.of_events([*lost, *reads, *more]), models.counter(), configurations=1000).valid is False


@pytest.mark.parametrize(("second", "right"), [(6, True), (7, True), (11, False)])
def test_of_unknown_operations_any_may_have_led_to_a_state(second, right):
    """5 is 1 + 4 or 2 + 3; then 6 is only right after 2 + 3, and 7 only after 1 + 4."""
    lost = [Event("invoke", f"lost{i}", "add", i) for i in (1, 4, 2, 3)]
    reads = [event for value in (5, second) for event in (Event("invoke", "r", "read"), Event("ok", "r", "read", value))]
    history = History.of_events([*lost, *reads])
    assert brute.linearizable(history, models.counter()) == right
    assert linearizable(history, models.counter()).valid == right


def hard():
    """Adds of different powers of two that are all under way: every sum is a state of its own."""
    adds = [Event("invoke", f"c{i}", "add", 2**i) for i in range(20)]
    read = [Event("invoke", "r", "read"), Event("ok", "r", "read", -1)]
    return History.of_events([*adds, *read])


def test_a_spent_budget_is_unknown_and_says_so():
    found = linearizable(hard(), models.counter(), configurations=500)
    assert found.valid is None
    assert not found
    assert "unknown whether linearizable: the budget was spent after 5" in str(found)
    assert "of the 1 completed operations the first 0 can be placed" in str(found)
    with pytest.raises(HistoryViolation, match="unknown whether linearizable"):
        found.require()
    assert linearizable(hard(), models.counter(), limit_s=0.0).valid is None


def test_a_small_hard_history_is_known_with_budget_enough():
    history = History.of_events([*hard().events[16:20], *hard().events[20:]])
    assert linearizable(history, models.counter(), configurations=500).valid is False


@pytest.mark.parametrize("budget", [1, 2, 5, 20, 100, 4095, 4097])
def test_no_budget_makes_a_wrong_answer(budget):
    right = map_history(100, keys=2, unknown=0.1, seed=3)
    wrong, _ = stale(map_history(100, keys=2, unknown=0.1, seed=3), 60)
    assert linearizable(right, models.key_value(), configurations=budget).valid is not False
    assert linearizable(wrong, models.key_value(), configurations=budget).valid is not True


def test_a_hard_key_does_not_hide_a_wrong_one():
    model = models.independent(models.counter())
    hard_key = [evolve(each, value=("hard", each.value)) for each in hard().events]
    wrong = [Event("invoke", "w", "read", ("wrong", None)), Event("ok", "w", "read", ("wrong", 7))]
    found = linearizable(History.of_events([*hard_key, *wrong]), model, configurations=21_000)
    assert found.valid is False
    assert found.key == "wrong"


def test_the_explanation_says_what_when_and_why():
    history = History(
        [
            Operation("c1", "put", ("x", 1), start_s=0, end_s=1),
            Operation("c2", "put", ("x", 2), start_s=2, end_s=5),
            Operation("c3", "get", "x", 2, start_s=3, end_s=4),
            Operation("c4", "get", "y", None, start_s=3, end_s=4),
            Operation("c1", "get", "x", 1, start_s=6, end_s=7),
            Operation("c1", "get", "x", 1, start_s=8, end_s=9),
        ]
    )
    found = linearizable(history, models.key_value())
    assert str(found) == (
        "not linearizable (6 operations)\n"
        "- cannot be placed: c1: get 'x' -> 1 (6 s to 7 s). The shortest beginning of the history of 'x' that is not linearizable "
        "(as a key-value map) ends with it: 4 operations. However these are ordered, just before its end the state could only be: 2\n"
        "0 s  c1: put ('x', 1)  |--|\n"
        "2 s  c2: put ('x', 2)        |--------|\n"
        "3 s  c3: get 'x' -> 2           |--|\n"
        "6 s  c1: get 'x' -> 1                    |--|  <- here"
    )
    assert (found.key, found.states, len(found.prefix)) == ("x", ("2",), 4)
    assert found.operation == history.operations[4]
    assert "&#x27;x&#x27;" in found._repr_html_()


def test_the_shortest_prefix_does_not_use_what_is_known_later():
    history = History(
        [
            Operation("a", "enqueue", 1, start_s=0, end_s=1),
            Operation("a", "enqueue", 2, start_s=2, end_s=3),
            Operation("b", "dequeue", None, 9, start_s=4, end_s=9),  # nobody put in 9; known only at 9 s
            Operation("c", "dequeue", None, 2, start_s=5, end_s=6),
        ]
    )
    found = linearizable(history, models.queue())
    assert found.operation.result == 9
    assert len(found.prefix) == 4


def test_the_shortest_prefix_does_not_use_that_a_compare_and_set_will_have_failed():
    history = History(
        [
            Operation("a", "cas", (0, 1), False, start_s=0, end_s=9),  # might have been what wrote 1, until it said that it did not
            Operation("b", "cas", (1, 2), True, start_s=1, end_s=4),
        ]
    )
    found = linearizable(history, models.cas_register(0))
    assert (found.operation.process, found.states) == ("a", ())
    assert "Others saw its effect, but not as it says." in str(found)


def test_a_model_that_says_wrong_things_of_itself_is_found_out():
    def step(state, operation):
        return operation.argument if operation.function == "write" else state if operation.returned(state) else INCONSISTENT

    history = History([Operation("a", "write", 1, end_s=1, start_s=0), Operation("b", "read", None, 1, start_s=0, end_s=2)])
    assert linearizable(history, Model("mine", None, step))
    with pytest.raises(UsageError, match="says that 'write' observes, but it turns None into 1"):
        linearizable(history, Model("mine", None, step, observes=lambda operation: True))
    toggled = Model("toggle", False, lambda state, operation: not state, overwrites=lambda operation: True)
    with pytest.raises(UsageError, match="says that 'read' overwrites, but what it leads to depends on the state"):
        linearizable(History([Operation(i, "read", start_s=0, end_s=1, status="ok") for i in range(3)]), toggled)


def test_a_model_that_fails_says_where():
    history = History([Operation("a", "cas", 1, start_s=0, end_s=1)])
    with pytest.raises(TypeError) as raised:
        linearizable(history, models.cas_register())
    assert raised.value.__notes__ == ["in the model 'cas-register', at a: cas 1, in the state None"]
    with pytest.raises(UsageError, match="a register has no 'cas'"):
        linearizable(history, models.register())
    with pytest.raises(UsageError, match="the state after a: write {'a': 1} cannot be hashed"):
        linearizable(History([Operation("a", "write", {"a": 1}, start_s=0, end_s=1)]), models.register())


def test_who_releases_a_lock_must_hold_it():
    steps = [("a", "acquire"), ("a", "release"), ("b", "acquire")]
    history = [Operation(process, function, start_s=2 * i, end_s=2 * i + 1) for i, (process, function) in enumerate(steps)]
    assert linearizable(History([*history, Operation("b", "release", start_s=8, end_s=9)]), models.lock())
    assert linearizable(History([*history, Operation("a", "release", start_s=8, end_s=9)]), models.lock()).valid is False


def test_one_process_may_hold_a_lock_twice_only_if_the_model_says_so():
    history = History([Operation("a", "acquire", start_s=0, end_s=1), Operation("b", "release", start_s=2, end_s=3)])
    assert linearizable(history, models.lock()).valid is False
    anonymous = evolve(models.lock(), process_matters=False)
    assert linearizable(History(evolve(each, process="a") for each in history), anonymous)


def test_an_empty_history_is_linearizable():
    assert linearizable(History(), models.register())
    assert linearizable(History([Operation("a", "write", 1, status="info")]), models.register())
