"""Rows staged many at a time are staged as if one by one."""

from __future__ import annotations

import pytest

from bloompy import Bloom, table
from bloompy.errors import KeyConflict, RowError

MANY = [(i, str(i)) for i in range(200)]


class Store(Bloom):
    kept = table("key: int -> value: str")
    numbers = table("x: float")
    any = table("x, y")


def test_many_rows_are_held_in_their_order() -> None:
    p = Store()
    p.kept.insert(*MANY)
    p.tick()
    assert list(p.kept) == MANY


def test_later_operations_on_staged_keys_are_folded_in_call_order() -> None:
    p = Store()
    p.kept.insert(*MANY)
    p.kept.delete(3, (4, "4"), (5, "other"))
    p.kept.upsert((6, "new"))
    p.kept.insert((3, "again"), *MANY[10:90])
    tick = p.tick()
    assert p.kept[3].value == "again"
    assert 4 not in p.kept
    assert (p.kept[5].value, p.kept[6].value) == ("5", "new")
    assert len(p.kept) == len(tick.inserted["kept"]) == 199


def test_many_rows_meet_those_that_are_there() -> None:
    p = Store()
    p.kept.insert(*MANY[:100])
    p.tick()
    p.kept.insert(*MANY)
    assert p.tick().inserted["kept"] == MANY[100:]
    p.kept.insert(*MANY[:100], (100, "different"))
    with pytest.raises(KeyConflict, match="different") as caught:
        p.tick()
    assert len(caught.value.batch.changes["kept"]) == 101
    assert list(p.kept) == MANY


def test_two_rows_of_one_key_among_many_conflict_and_equal_ones_do_not() -> None:
    p = Store()
    p.kept.insert(*MANY, *MANY)
    p.tick()
    p.kept.insert(*((key + 1000, value) for key, value in MANY), (1000, "other"))
    with pytest.raises(KeyConflict, match="1000"):
        p.tick()
    assert list(p.kept) == MANY


@pytest.mark.parametrize(
    ("bad", "why"), [((7.5, "x"), "not of type int"), ((True, "x"), "bool"), ((1, None), "None"), ((1,), "1 values"), ([1, "x"], "no row")]
)
def test_one_row_that_does_not_fit_refuses_all(bad: object, why: str) -> None:
    p = Store()
    with pytest.raises(RowError) as caught:
        p.kept.insert(*MANY, bad)  # type: ignore[arg-type]
    assert why in str(caught.value) + " ".join(getattr(caught.value, "__notes__", [])) + str(caught.value.hint)
    p.tick()
    assert len(p.kept) == 0


def test_values_that_need_a_closer_look_get_it() -> None:
    p = Store()
    p.numbers.insert(*range(100))
    p.any.insert(*((i, (i, 1.5)) for i in range(100)))
    p.tick()
    assert all(type(row.x) is float for row in p.numbers)
    assert len(p.any) == 100
    with pytest.raises(RowError, match="NaN"):
        p.any.insert(*((i, float("nan")) for i in range(100)))
    with pytest.raises(RowError, match="hashable"):
        p.any.insert(*((i, []) for i in range(100)))
