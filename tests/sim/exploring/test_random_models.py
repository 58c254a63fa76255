"""Random clusters, explored in several ways that must agree."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from bloompy.sim.exploring import Exploration
from tests.sim.exploring.direct import explored
from tests.sim.exploring.random_models import FIRST, RULES, SECOND, THIRD, model, program

RULE_SETS = st.tuples(*map(st.sampled_from, (FIRST, SECOND, THIRD, RULES, RULES, RULES))).map(lambda rules: list(dict.fromkeys(rules)))
INPUT = st.tuples(st.integers(0, 1), st.sampled_from(["put", "put", "ask"]), st.integers(0, 2), st.integers(0, 2))
INPUTS = st.lists(INPUT, min_size=2, max_size=4, unique=True)
FEW = st.lists(INPUT, min_size=1, max_size=2, unique=True)
NETWORKS = st.sampled_from(["set", "bag", "fifo"])
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@settings(QUIET, max_examples=25)
@given(RULE_SETS, FEW, NETWORKS)
def test_the_states_are_those_found_by_doing_every_run_again(rules: list[str], inputs: Any, network: str) -> None:
    kind = program(rules)
    assume(kind is not None)
    assert kind is not None
    by_hand = explored(model(kind, inputs, network=network), 60)
    assume(by_hand is not None)
    found = model(kind, inputs, network=network).explore()
    if by_hand == "error":
        assert found.counterexample is not None
    else:
        assert by_hand is not None
        assert (found.states, found.ends) == (by_hand[0], len(by_hand[1]))


@settings(QUIET, max_examples=40)
@given(RULE_SETS, INPUTS, NETWORKS, st.booleans())
def test_both_evaluators_find_the_same(rules: list[str], inputs: Any, network: str, atomic: bool) -> None:
    kind = program(rules)
    assume(kind is not None)
    assert kind is not None
    found = [
        model(kind, inputs, network=network, atomic=atomic, evaluator=evaluator).explore(max_states=400) for evaluator in ("codegen", "naive")
    ]
    assert told(found[0]) == told(found[1])


def told(found: Exploration) -> Any:
    what = None if found.counterexample is None else (found.counterexample.what.partition(":")[0], len(found.counterexample))
    return found.states, found.transitions, found.ends, found.complete, what


@settings(QUIET, max_examples=60)
@given(RULE_SETS, INPUTS, NETWORKS, st.booleans(), st.sets(st.sampled_from(["seen", "last", "most"]), max_size=2))
def test_leaving_out_orders_changes_no_verdict_and_no_end(rules: list[str], inputs: Any, network: str, atomic: bool, reads: set[str]) -> None:
    kind = program(rules)
    assume(kind is not None)
    assert kind is not None
    explorations = []
    for reduce in (False, True):
        one = model(kind, inputs, network=network, atomic=atomic)
        for name in sorted(reads):
            one.sometimes(f"apart in {name}", lambda view, name=name: view["x"][name].rows() != view["y"][name].rows(), reads=[name])
            one.sometimes(f"more in {name}", lambda view, name=name: len(view["x"][name]) + len(view["y"][name]) > 2, reads=[name])
        explorations.append(one.explore(reduce=reduce, max_states=800))
    whole, reduced = explorations
    assume(whole.complete or whole.counterexample is not None)
    assert reduced.states <= whole.states
    assert (whole.counterexample is None, whole.missed) == (reduced.counterexample is None, reduced.missed)
    if whole.counterexample is None:
        assert {view.content() for view in whole.ended()} == {view.content() for view in reduced.ended()}
