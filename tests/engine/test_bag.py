"""Arguments of a group come and go one by one: what is left aggregates as if it had been collected at once."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

from bloompy.agg import AGGREGATES
from bloompy.engine.bag import SMALL, Bag, take_out


@pytest.mark.parametrize(
    ("values", "value", "left"),
    [
        ([1.0, 1, True], 1, [1.0, True]),
        ([1.0, 1, True], True, [1.0, 1]),
        ([0.0, -0.0], -0.0, [0.0]),
        ([(1, 2.0), (1, 2)], (1, 2), [(1, 2.0)]),
        ([(1, (1.0,)), (1, (1,))], (1, (1,)), [(1, (1.0,))]),
        ([None, "a", None], None, ["a", None]),
        ([3, math.nan, 4], math.nan, [3, 4]),
        ([3, math.nan, 4], float("nan"), [3, 4]),
        ([1.0], 1, []),
    ],
)
def test_the_same_value_is_taken_out_rather_than_an_equal_one(values: list[Any], value: Any, left: list[Any]) -> None:
    take_out(values, value)
    assert list(map(repr, values)) == list(map(repr, left))


@pytest.mark.parametrize("name", ["count", "count_distinct", "sum", "avg", "min", "max", "choose", "collect", "collect_set"])
@pytest.mark.parametrize("kind", [int, float, str])
def test_a_bag_aggregates_as_a_list_does(name: str, kind: type) -> None:
    if kind is str and name in ("sum", "avg"):
        pytest.skip("no sum of texts")
    random = Random(f"{name} {kind}")
    values: list[Any] = [kind(random.randrange(20)) for _ in range(SMALL)]
    bag = Bag(list(values))
    for _ in range(200):
        if values and random.random() < 0.6:
            value = random.choice(values)
            bag.remove(value)
            take_out(values, value)
        else:
            value = kind(random.randrange(20))
            bag.add(value)
            values.append(value)
        assert len(bag) == len(values)
        if values:
            found, wanted = bag.aggregate(name), AGGREGATES[name](values)
            assert (type(found), found) == (type(wanted), wanted)


@pytest.mark.parametrize("name", ["argmin", "argmax"])
def test_a_bag_of_pairs_likewise(name: str) -> None:
    random = Random(name)
    values = [(random.randrange(20), random.randrange(5)) for _ in range(SMALL)]
    bag = Bag(list(values))
    while len(values) > 1:
        value = random.choice(values)
        bag.remove(value)
        take_out(values, value)
        assert bag.aggregate(name) == AGGREGATES[name](values)
