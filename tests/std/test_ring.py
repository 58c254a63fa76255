"""The stable hash, and consistent hashing: who owns what, and how little moves."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy.errors import UsageError
from bloompy.std import HashRing, stable_hash
from bloompy.std.ring import owners
from tests.std.stepping import Stepped

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
ROOT = Path(__file__).parents[2]
KEYS = [f"key{i}" for i in range(300)]


# --- the hash ---------------------------------------------------------------------------------------------------


def test_the_hash_is_what_it_was() -> None:
    """Data placed by an older version must be found: these numbers never change."""
    found = [stable_hash(value) for value in ("", "bloom", 0, -1, 0.5, b"x", None, ("a", 1), frozenset({"a", "b"}))]
    assert found == HASHES


def test_the_hash_is_the_same_in_every_process() -> None:
    code = "from bloompy.std import stable_hash; print(stable_hash(('k', 1, frozenset({'a', 'b', 'c'}))))"
    seeds = ("1", "2")
    shown = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in seeds
    }
    assert shown == {f"{stable_hash(('k', 1, frozenset({'a', 'b', 'c'})))}\n"}


@given(VALUES, VALUES)
def test_equal_values_have_one_hash_and_different_ones_do_not(one: object, other: object) -> None:
    assert (stable_hash(one) == stable_hash(other)) == (one == other)


def test_numbers_that_are_equal_have_one_hash() -> None:
    assert stable_hash(1) == stable_hash(1.0) == stable_hash(True)
    assert stable_hash((2**70, 0)) == stable_hash((float(2**70), False))


def test_what_could_be_confused_is_not() -> None:
    values = ["1", b"1", 1, ("1",), (("1",),), ("1", ""), ("", "1"), ("1,",), frozenset({"1"}), None, "None", ()]
    assert len({stable_hash(value) for value in values}) == len(values)


@pytest.mark.parametrize("value", [float("nan"), object(), [1], {"a": 1}, ("a", [1])])
def test_what_has_no_stable_hash_is_an_error(value: object) -> None:
    with pytest.raises(UsageError, match="has no stable hash"):
        stable_hash(value)


HASHES = [
    16593940277942513374,
    9182470571284972213,
    8859566273657638067,
    17771941656146502823,
    15407738556549062398,
    7696552707475550450,
    6753767377493465268,
    3825050762102873863,
    91779413885653047,
]


# --- the ring ---------------------------------------------------------------------------------------------------


def ring_of(nodes: str, **parameters: object) -> HashRing:
    """A ring of these nodes that follows all keys."""
    ring = HashRing(**parameters)
    ring.join.insert(*((node, 1) for node in nodes))
    ring.hold.insert(*KEYS)
    for _ in range(3):
        ring.tick()
    return ring


def owned(ring: HashRing) -> dict[str, tuple[str, ...]]:
    """The owners of every key."""
    return {row.key: row.owners for row in ring.owner}


def test_every_key_has_owners_and_a_question_says_the_same(evaluator: str) -> None:
    ring = ring_of("abc", evaluator=evaluator, points=8, copies=2)
    found = owned(ring)
    assert set(found) == set(KEYS)
    assert all(len(set(nodes)) == 2 for nodes in found.values())
    ring.locate.insert(*((i, key) for i, key in enumerate(KEYS)))
    ring.tick()
    assert {KEYS[row.request]: row.owners for row in ring.located} == found


def test_an_empty_ring_has_no_owners() -> None:
    ring = HashRing()
    ring.locate.insert((1, "k"))
    ring.tick()
    assert ring.located.rows() == {(1, ())}


def test_fewer_nodes_than_copies_own_everything_together() -> None:
    assert {frozenset(nodes) for nodes in owned(ring_of("ab", copies=3)).values()} == {frozenset("ab")}


def test_shares_are_fair_and_follow_the_weights() -> None:
    shares = Counter(nodes[0] for nodes in owned(ring_of("abcd", points=128)).values())
    assert all(0.6 < shares[node] / (len(KEYS) / 4) < 1.4 for node in "abcd")
    ring = HashRing(points=128)
    ring.join.insert(("a", 1), ("b", 3))
    ring.hold.insert(*KEYS)
    ring.tick()
    ring.tick()
    shares = Counter(nodes[0] for nodes in owned(ring).values())
    assert 2 < shares["b"] / shares["a"] < 4.5


def test_who_joins_gains_about_its_share_and_nothing_else_moves() -> None:
    ring = ring_of("abcd", points=128)
    before = owned(ring)
    ring.join.insert(("e", 1))
    ring.tick()
    ring.tick()
    after = owned(ring)
    moved = {row.key: (row.gained, row.lost) for row in ring.moved}
    assert moved == {key: (("e",), before[key]) for key in KEYS if after[key] != before[key]}
    assert all(after[key] == ("e",) for key in moved)
    assert 0.1 < len(moved) / len(KEYS) < 0.3  # a fifth
    ring.tick()
    assert not ring.moved  # told once


def test_who_leaves_loses_its_own_and_nothing_else_moves() -> None:
    ring = ring_of("abcd")
    before = owned(ring)
    ring.leave.insert("b")
    ring.tick()
    ring.tick()
    moved = {row.key: row.lost for row in ring.moved}
    assert moved == {key: ("b",) for key in KEYS if before[key] == ("b",)}
    assert owned(ring) == owned(ring_of("acd"))


@given(st.sets(st.sampled_from("abcdefgh"), min_size=2), st.integers(1, 3), st.integers(1, 20))
def test_a_node_that_joins_changes_owners_only_by_itself(nodes: set[str], copies: int, points: int) -> None:
    *rest, newcomer = sorted(nodes)

    def ring(members: list[str]) -> tuple[tuple[int, str], ...]:
        return tuple(sorted((stable_hash((node, i)), node) for node in members for i in range(points)))

    for key in KEYS[:30]:
        before, after = (owners(ring(members), key, copies) for members in (rest, [*rest, newcomer]))
        assert [node for node in after if node != newcomer] == list(before)[: len(after) - (newcomer in after)]


def test_owners_do_not_depend_on_the_order_of_joining_and_survive_a_crash() -> None:
    node = Stepped(HashRing, "a")
    for name in "dbca":
        node["a"].join.insert((name, 1))
        node.round()
    node["a"].hold.insert(*KEYS)
    node.run(0.3)
    expected = owned(ring_of("abcd"))
    assert owned(node["a"]) == expected
    node.crash("a")
    node.start("a")
    node.round()
    assert owned(node["a"]) == expected
    assert not node["a"].moved


def test_a_key_that_is_dropped_is_followed_no_more() -> None:
    ring = ring_of("ab")
    ring.drop.insert("key0")
    ring.tick()
    ring.tick()
    ring.tick()
    assert ("key0" in ring.owner, "key0" in ring.before) == (False, False)
