"""Counting votes once, and voting over a network that loses and repeats."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy import rule
from bloompy.std.tally import MajorityTally, RatioTally, Tally, UnanimousTally
from bloompy.std.voting import Voting

from .stepping import Stepped

VOTERS = ("a", "b", "c")


def results(tally: Tally, votes: list[tuple[Any, ...]]) -> tuple[list[Any], list[Any]]:
    """What is elected and what fails when the votes come one a tick."""
    elected: list[Any] = []
    failed: list[Any] = []
    for vote in votes:
        tally.vote.insert(vote)
        tick = tally.tick()
        elected += tick.inserted.get("elected", ())
        failed += tick.inserted.get("failed", ())
    return elected, failed


def test_a_voter_counts_once_however_often_it_votes() -> None:
    assert results(MajorityTally(electorate=VOTERS), [(1, "a", "x")] * 5) == ([], [])
    assert results(MajorityTally(electorate=VOTERS), [(1, "a", "x"), (1, "a", "x"), (1, "b", "x")]) == ([(1, "x")], [])


def test_the_first_vote_of_a_voter_stays() -> None:
    assert results(MajorityTally(electorate=VOTERS), [(1, "a", "x"), (1, "a", "y"), (1, "b", "y")])[0] == []


def test_of_two_votes_in_a_tick_the_least_counts() -> None:
    tally = MajorityTally(electorate=VOTERS)
    tally.vote.insert((1, "a", "y"), (1, "a", "x"), (1, "b", "x"))
    assert tally.tick().inserted["elected"] == [(1, "x")]


def test_who_is_not_of_the_electorate_does_not_count() -> None:
    assert results(MajorityTally(electorate=VOTERS), [(1, "x", "x"), (1, "y", "x"), (1, "a", "x")]) == ([], [])


def test_ballots_are_counted_apart() -> None:
    assert results(MajorityTally(electorate=VOTERS), [(1, "a", "x"), (2, "b", "x"), (3, "c", "x")]) == ([], [])


def test_a_ballot_is_elected_once() -> None:
    assert results(MajorityTally(electorate=VOTERS), [(1, "a", "x"), (1, "b", "x"), (1, "c", "x")]) == ([(1, "x")], [])


def test_a_ballot_that_nothing_can_win_fails_once() -> None:
    assert results(MajorityTally(electorate=VOTERS), [(1, "a", "x"), (1, "b", "y"), (1, "c", "z")]) == ([], [(1,)])
    assert results(UnanimousTally(electorate=VOTERS), [(1, "a", "x"), (1, "b", "y"), (1, "c", "y")]) == ([], [(1,)])


@pytest.mark.parametrize(("tally", "voters", "needed"), [
    (MajorityTally, 1, 1), (MajorityTally, 2, 2), (MajorityTally, 3, 2), (MajorityTally, 4, 3), (MajorityTally, 5, 3),
    (UnanimousTally, 4, 4), (RatioTally, 3, 2), (RatioTally, 4, 3), (RatioTally, 6, 4), (RatioTally, 1, 1),
])
def test_how_many_votes_elect(tally: type[Tally], voters: int, needed: int) -> None:
    electorate = tuple(f"v{i}" for i in range(voters))
    for given_votes in range(1, voters + 1):
        elected, _ = results(tally(electorate=electorate), [(1, voter, "x") for voter in electorate[:given_votes]])
        assert bool(elected) == (given_votes >= needed)


@given(st.lists(st.tuples(st.integers(1, 2), st.sampled_from("abcde"), st.sampled_from("xy")), max_size=20), st.integers(1, 4))
def test_how_votes_are_batched_elects_no_other_choice(votes: list[tuple[Any, ...]], size: int) -> None:
    """Once each voter votes one way."""
    ways = {}
    votes = [(ballot, voter, ways.setdefault((ballot, voter), choice)) for ballot, voter, choice in votes]
    one, many = MajorityTally(electorate=tuple("abcde")), MajorityTally(electorate=tuple("abcde"))
    found = results(one, votes)
    batched: list[Any] = []
    for i in range(0, len(votes), size):
        many.vote.insert(*votes[i : i + size])
        batched += many.tick().inserted.get("elected", ())
    assert sorted(batched) == sorted(found[0])


# --- over the network


class Fond(Voting):
    """Votes for its own name, or for what the question begins with."""

    @rule
    def opinion(self):
        self.answer <= ((a.ballot, self.me if a.question == "who" else a.question) for a in self.ask)


def polled(cluster: Stepped, caller: str, question: str = "x", ballot: int = 1) -> None:
    cluster[caller].open.insert((ballot, question))


def cluster_of(program: type[Voting] = Fond) -> Stepped:
    return Stepped(lambda me: program(me, electorate=VOTERS), VOTERS)


def test_a_majority_elects_though_one_is_down_and_messages_are_lost() -> None:
    cluster = cluster_of()
    cluster.round()
    cluster.crash("c")
    cluster.lose("cast")
    polled(cluster, "a")
    cluster.run(1)
    cluster.lose()
    cluster.run(2)
    assert cluster.out("elected") == [(1, "x")]


def test_callers_of_one_ballot_see_one_choice_though_a_voter_restarts_between() -> None:
    cluster = cluster_of()
    cluster.round()
    polled(cluster, "a", "x")
    cluster.run(0.5)
    assert cluster.out("elected", "a") == [(1, "x")]
    cluster.crash("c")
    cluster.start("c")
    polled(cluster, "b", "y")
    cluster.run(2)
    assert cluster.out("elected", "b") == [(1, "x")]


def test_polling_stops_when_the_ballot_is_over() -> None:
    cluster = cluster_of()
    cluster.round()
    polled(cluster, "a")
    cluster.run(3)
    before = cluster.sent["poll"]
    cluster.run(5)
    assert cluster.sent["poll"] == before


def test_a_voter_may_answer_later() -> None:
    cluster = cluster_of(Voting)
    cluster.round()
    polled(cluster, "a")
    cluster.run(1)
    for voter in VOTERS:
        cluster[voter].answer.insert((1, "later"))
    cluster.run(0.5)
    assert cluster.out("elected") == [(1, "later")]


def test_an_answer_that_nobody_asked_for_does_not_count() -> None:
    cluster = cluster_of(Voting)
    cluster.round()
    for voter in VOTERS:
        cluster[voter].answer.insert((1, "x"))
    cluster.run(1)
    assert not len(cluster["a"].given)
