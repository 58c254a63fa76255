"""Ids stay unique over crashes, clocks set back, and many nodes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bloompy.std.unique_ids import Snowflakes, UniqueIds, snowflake

from .stepping import Stepped, duplicates


def test_ids_count_up_from_one_in_the_order_of_requests() -> None:
    ids = UniqueIds("a")
    ids.ask.insert("y", "x")
    assert sorted(ids.tick().inserted["given"]) == [("x", ("a", 1)), ("y", ("a", 2))]
    ids.ask.insert("z")
    assert ids.tick().inserted["given"] == [("z", ("a", 3))]


def test_two_requests_in_two_ticks_get_two_ids_though_they_are_equal() -> None:
    ids = UniqueIds("a")
    found = []
    for _ in range(2):
        ids.ask.insert("x")
        found += ids.tick().inserted["given"]
    assert found == [("x", ("a", 1)), ("x", ("a", 2))]


@given(st.lists(st.tuples(st.sampled_from(["ask", "crash", "back", "on"]), st.sampled_from("ab"), st.integers(1, 3)), max_size=30))
def test_ids_are_unique_whatever_crashes_and_clocks_do(steps: list[tuple[str, str, int]]) -> None:
    cluster = Stepped(lambda me: Snowflakes(me, worker=ord(me) - 97), "ab")
    plain = Stepped(UniqueIds, "ab")
    number = 0
    for what, node, amount in steps:
        for each in (cluster, plain):
            if what == "crash":
                each.crash(node)
                each.start(node)
            elif what == "ask":
                for _ in range(amount):
                    number += 1
                    each[node].ask.insert(number)
                each.tick(node)
            else:
                each.now += amount if what == "on" else -amount
    for each in (cluster, plain):
        assert not list(duplicates(row[1] for row in each.out("given")))
    for node in "ab":
        found = [row[1] for row in cluster.out("given", node)]
        assert found == sorted(found)


def test_a_snowflake_holds_time_worker_and_sequence() -> None:
    id = snowflake(1234 << 12 | 7, 5)
    assert (id >> 22, id >> 12 & 1023, id & 4095) == (1234, 5, 7)


def test_more_ids_than_a_millisecond_has_go_on_in_the_next() -> None:
    ids = Snowflakes("a")
    ids.ask.insert(*range(5000))
    found = [row[1] for row in ids.tick(1_700_000_000.0).inserted["given"]]
    assert len(set(found)) == 5000
    assert max(found) >> 22 == (min(found) >> 22) + 1
    assert max(found) < 2**63
