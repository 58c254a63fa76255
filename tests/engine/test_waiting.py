"""What an evaluator tells of the changes that wait for the next tick."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy import Bloom, interface, rule, scratch, table
from bloompy.engine.tick import Waiting
from bloompy.program import machine_of


class Store(Bloom):
    put = interface.input("k, v")
    drop = interface.input("k")
    whole = interface.input("k, v")
    add = interface.input("k, v")
    kept = table("k -> v")
    most = table("k -> v: lmax")
    seen = scratch("k")

    @rule
    def changes(self):
        self.kept <+- self.put
        self.kept <+ self.add
        self.kept <- self.drop
        self.kept <- self.whole
        self.seen <+ (p.k for p in self.put)
        self.most <+ self.put


EVALUATORS = ["codegen", "naive"]


def told(store: Store, **rows: Any) -> dict[str, dict[Any, Waiting]]:
    for name, row in rows.items():
        getattr(store, name).insert(row)
    store.tick(now=0.0)
    return {name: dict(found) for name, found in machine_of(store).evaluator.waiting().items()}


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_a_row_to_be_there_is_told_with_what_its_key_holds_and_will_hold(evaluator: str) -> None:
    store = Store(evaluator=evaluator)
    assert told(store, put=("a", 1)) == {
        "kept": {"a": Waiting(("a", 1), True, (), None, ("a", 1))},
        "seen": {"a": Waiting(("a",), False, (), None, ("a",))},
        "most": {"a": Waiting(("a", 1), False, (), None, ("a", 1))},
    }
    assert told(store, put=("a", 2))["kept"] == {"a": Waiting(("a", 2), True, (), ("a", 1), ("a", 2))}


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_deletes_are_told_by_key_and_by_row(evaluator: str) -> None:
    store = Store(evaluator=evaluator)
    store.kept.insert(("a", 1), ("b", 2))
    assert told(store, drop="a") == {"kept": {"a": Waiting(None, False, None, ("a", 1), None)}}
    store.tick(now=0.0)
    assert told(store, whole=("b", 3)) == {"kept": {"b": Waiting(None, False, (("b", 3),), ("b", 2), ("b", 2))}}
    assert told(store, whole=("b", 2), add=("b", 4)) == {"kept": {"b": Waiting(("b", 4), False, (("b", 2),), ("b", 2), ("b", 4))}}


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_rows_of_a_lattice_merge_with_what_is_there(evaluator: str) -> None:
    store = Store(evaluator=evaluator)
    store.most.insert(("a", 5))
    assert told(store, put=("a", 1))["most"] == {"a": Waiting(("a", 1), False, (), ("a", 5), ("a", 5))}


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_nothing_waits_after_a_tick_that_asked_for_nothing(evaluator: str) -> None:
    store = Store(evaluator=evaluator)
    told(store, put=("a", 1))
    assert told(store) == {}
