"""Failure detectors: whom they suspect, and whom in the end not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy.std.failure_detector import AccrualFailureDetector, FailureDetector, Heartbeats, averaged, phi
from bloompy.std.membership import Membership

from .stepping import Stepped

NODES = ("a", "b", "c")
KINDS = [FailureDetector, AccrualFailureDetector]


def cluster_of(kind: type[Heartbeats] = FailureDetector, **parameters: float) -> Stepped:
    cluster = Stepped(lambda me: kind(me, peers=NODES, interval_s=0.5, **parameters), NODES)
    cluster.run(3)
    return cluster


def suspected(cluster: Stepped, address: str) -> set[str]:
    return {row.peer for row in cluster[address].suspected}


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_suspected_while_all_are_heard(kind: type[Heartbeats]) -> None:
    cluster = cluster_of(kind)
    cluster.run(30)
    assert cluster.out("suspect") == []


@pytest.mark.parametrize("kind", KINDS)
def test_completeness_who_crashed_is_suspected_by_all_and_for_ever(kind: type[Heartbeats]) -> None:
    cluster = cluster_of(kind)
    cluster.crash("c")
    cluster.run(10)
    assert [suspected(cluster, node) for node in "ab"] == [{"c"}, {"c"}]
    cluster.run(60)
    assert cluster.out("suspect") == [("c",), ("c",)], "each says so once"
    assert cluster.out("trust") == []


@pytest.mark.parametrize("kind", KINDS)
def test_who_comes_back_is_trusted_again(kind: type[Heartbeats]) -> None:
    cluster = cluster_of(kind)
    cluster.crash("c")
    cluster.run(10)
    cluster.start("c")
    cluster.run(3)
    assert [suspected(cluster, node) for node in "ab"] == [set(), set()]
    assert cluster.out("trust") == [("c",), ("c",)]


def test_one_that_was_never_heard_is_suspected() -> None:
    cluster = Stepped(lambda me: FailureDetector(me, peers=("a", "nobody")), "a")
    cluster.run(6)
    assert cluster.out("suspect") == [("nobody",)]


def test_eventual_accuracy_the_timeout_grows_over_a_delay_that_stays() -> None:
    """Beats of c come at every fourth second only: it is wrongly suspected some times, and then no more."""
    cluster = cluster_of(timeout_s=1.0, increment_s=0.7)
    cluster.lost = lambda message: message[0] == "c" and round(cluster.now * 10) % 40 >= 10
    cluster.run(60)
    wrong = len(cluster.out("suspect"))
    assert wrong > 2
    cluster.run(200)
    assert len(cluster.out("suspect")) == wrong
    assert all(row.timeout_s == pytest.approx(1.0 + 0.7 * wrong / 2) for row in cluster["a"].last if row.peer == "c")


def test_who_is_not_watched_any_more_is_not_suspected() -> None:
    cluster = cluster_of()
    cluster.crash("c")
    cluster.run(10)
    cluster["a"].unwatch.insert("c")
    cluster.run(10)
    assert suspected(cluster, "a") == set()
    assert suspected(cluster, "b") == {"c"}
    cluster["a"].watch.insert("c")
    cluster.run(10)
    assert suspected(cluster, "a") == {"c"}


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0.1, 5), st.floats(0.05, 3))
def test_suspicion_grows_with_silence(one: float, other: float, mean: float, deviation: float) -> None:
    assert phi(min(one, other), mean, deviation) <= phi(max(one, other), mean, deviation)


def test_phi_is_what_the_paper_says() -> None:
    assert phi(1.0, 1.0, 0.2) == pytest.approx(0.30103)  # one in two
    assert phi(1.0 + 0.2 * 2.3263478740408408, 1.0, 0.2) == pytest.approx(2.0)  # one in a hundred
    assert phi(1000.0, 1.0, 0.2) == float("inf")


def test_the_level_says_how_sure_it_is() -> None:
    cluster = cluster_of(AccrualFailureDetector, threshold=1e9)
    cluster.crash("c")
    cluster.outputs.clear()
    cluster.run(1.6)
    levels = [row[1] for row in cluster.out("level", "a") if row[0] == "c"]
    assert levels == sorted(levels)
    assert len(set(levels)) > 1


def test_a_running_mean_goes_to_what_it_sees() -> None:
    mean = 0.0
    for _ in range(200):
        mean = averaged(mean, 3.0, 0.05)
    assert mean == pytest.approx(3.0, rel=1e-3)


# --- membership


def group(members: str = "abc", **parameters: float) -> Stepped:
    cluster = Stepped(lambda me: Membership(me, seeds=("a",), interval_s=0.5, timeout_s=2.0, **parameters), members)
    cluster.run(3)
    return cluster


def live(cluster: Stepped, address: str) -> set[str]:
    return {row.member for row in cluster[address].live}


def test_all_learn_of_all_through_one_seed() -> None:
    cluster = group("abcde")
    assert {node: live(cluster, node) for node in "abcde"} == dict.fromkeys("abcde", set("abcde"))


def test_one_that_is_silent_is_not_live_and_is_given_up_in_the_end() -> None:
    cluster = group(forget_s=10.0)
    cluster.crash("c")
    cluster.run(5)
    assert live(cluster, "a") == live(cluster, "b") == {"a", "b"}
    assert cluster.out("left") == []
    cluster.run(10)
    assert sorted(cluster.out("left")) == [("c",), ("c",)]
    assert {row.member for row in cluster["a"].member} == {"b"}


def test_one_that_leaves_is_gone_at_once_and_stays_so() -> None:
    cluster = group()
    cluster["c"].leave.insert("bye")
    cluster.run(0.3)
    assert live(cluster, "a") == live(cluster, "b") == {"a", "b"}
    assert live(cluster, "c") == set()
    cluster.run(20)
    assert live(cluster, "a") == live(cluster, "b") == {"a", "b"}


def test_a_restarted_member_and_a_late_one_come_in() -> None:
    cluster = group()
    cluster.crash("c")
    cluster.run(5)
    cluster.start("c")
    cluster.start("d")
    cluster.run(4)
    assert {node: live(cluster, node) for node in "abcd"} == dict.fromkeys("abcd", set("abcd"))


def test_both_sides_of_a_partition_go_on_and_meet_again() -> None:
    cluster = group("abcd")
    cluster.cut("c", "d")
    cluster.run(6)
    assert live(cluster, "a") == {"a", "b"}
    assert live(cluster, "c") == {"c", "d"}
    cluster.lost = lambda message: False
    cluster.run(6)
    assert live(cluster, "a") == live(cluster, "d") == set("abcd")
