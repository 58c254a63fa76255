"""Two-phase commit, tick by tick: what is decided, by whom, over which crashes."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy import Bloom, interface, module, rule, table
from bloompy.std.two_phase_commit import Coordinator, Participant, TwoPhaseCommit

from .stepping import Stepped

PARTS = ("p", "q", "r")


class Willing(Participant):
    """Votes yes on everything but the work "no"; leaves the work "later" open."""

    @rule
    def opinion(self):
        self.vote <= ((a.coordinator, a.tx, a.work != "no") for a in self.ask if a.work != "later")


def cluster_of(participant: type[Participant] = Willing) -> Stepped:
    cluster = Stepped(lambda me: Coordinator(me) if me == "c" else participant(me), ("c", *PARTS))
    cluster.round()
    return cluster


def begin(cluster: Stepped, tx: Any = 1, work: dict[str, str] | None = None) -> None:
    cluster["c"].submit.insert(*((tx, part, (work or {}).get(part, "yes")) for part in PARTS))


def decisions(cluster: Stepped) -> dict[str, Any]:
    """What each participant that is up holds as decided of transaction 1."""
    rows = {part: cluster[part].decided.get(("c", 1)) for part in PARTS if part in cluster.nodes}
    return {part: row and row.commit for part, row in rows.items()}


def agreed(cluster: Stepped) -> set[Any]:
    """The different outcomes that anybody has seen of transaction 1."""
    told = {row[1] for row in cluster.out("outcome") if row[0] == 1}
    return told | {row[2] for row in cluster.out("learned") if row[1] == 1} | set(decisions(cluster).values()) - {None}


def test_all_vote_yes_and_all_learn_that_it_is_committed() -> None:
    cluster = cluster_of()
    begin(cluster)
    cluster.run(1)
    assert cluster.out("outcome") == [(1, True)]
    assert sorted(cluster.out("learned")) == [("c", 1, True, "yes")] * 3
    assert decisions(cluster) == dict.fromkeys(PARTS, True)


def test_a_no_aborts_for_all() -> None:
    cluster = cluster_of()
    begin(cluster, work={"q": "no"})
    cluster.run(1)
    assert cluster.out("outcome") == [(1, False)]
    assert decisions(cluster) == dict.fromkeys(PARTS, False)


def test_the_coordinator_keeps_nothing_of_what_is_over() -> None:
    cluster = cluster_of()
    begin(cluster)
    begin(cluster, 2, {"p": "no"})
    cluster.run(2)
    coordinator = cluster["c"]
    assert [len(each) for each in (coordinator.running, coordinator.party, coordinator.yes, coordinator.owed)] == [0] * 4
    assert [len(cluster[part].asked) + len(cluster[part].prepared) for part in PARTS] == [0] * 3
    before = cluster.sent.total()
    cluster.run(5)
    assert cluster.sent.total() == before


def test_a_missing_vote_aborts_after_the_timeout() -> None:
    cluster = cluster_of()
    begin(cluster, work={"r": "later"})
    cluster.run(4)
    assert cluster.out("outcome") == []
    cluster.run(4)
    assert cluster.out("outcome") == [(1, False)]
    assert agreed(cluster) == {False}


def test_a_vote_may_come_from_outside_in_a_later_tick() -> None:
    cluster = cluster_of()
    begin(cluster, work={"r": "later"})
    cluster.run(2)
    cluster["r"].vote.insert(("c", 1, True))
    cluster.run(1)
    assert decisions(cluster) == dict.fromkeys(PARTS, True)


def test_the_first_vote_counts() -> None:
    cluster = cluster_of()
    begin(cluster, work={"q": "later", "r": "later"})
    cluster.run(1)
    cluster["r"].vote.insert(("c", 1, False))
    cluster.round()
    cluster["r"].vote.insert(("c", 1, True))
    cluster["q"].vote.insert(("c", 1, True))
    cluster.run(3)
    assert agreed(cluster) == {False}


def test_a_vote_that_nobody_asked_for_is_no_vote() -> None:
    cluster = cluster_of()
    cluster["p"].vote.insert(("c", 9, True))
    cluster.run(1)
    assert len(cluster["p"].prepared) == 0


@pytest.mark.parametrize("channel", ["prepare", "voted", "decide", "done"])
def test_what_is_lost_is_said_again(channel: str) -> None:
    cluster = cluster_of()
    cluster.lose(channel)
    begin(cluster)
    cluster.run(2)
    cluster.lose()
    cluster.run(3)
    assert decisions(cluster) == dict.fromkeys(PARTS, True)
    assert len(cluster["c"].owed) == 0


def test_a_coordinator_that_crashes_before_it_decides_has_aborted() -> None:
    cluster = cluster_of()
    cluster.lose("voted")
    begin(cluster)
    cluster.run(1)
    assert all(len(cluster[part].prepared) for part in PARTS)
    cluster.crash("c")
    cluster.lose()
    cluster.run(3)
    assert decisions(cluster) == dict.fromkeys(PARTS), "in doubt, nobody may decide alone"
    cluster.start("c")
    cluster.run(2)
    assert agreed(cluster) == {False}
    assert decisions(cluster) == dict.fromkeys(PARTS, False)


def test_a_coordinator_that_crashes_after_it_decided_has_committed() -> None:
    cluster = cluster_of()
    cluster.lose("decide")
    begin(cluster)
    cluster.run(1)
    assert cluster.out("outcome") == [(1, True)]
    cluster.crash("c")
    cluster.lose()
    cluster.under_way.clear()
    cluster.start("c")
    cluster.run(2)
    assert decisions(cluster) == dict.fromkeys(PARTS, True)


def test_a_prepared_participant_that_crashes_learns_the_outcome() -> None:
    cluster = cluster_of()
    cluster.lose("decide")
    begin(cluster)
    cluster.run(1)
    cluster.crash("q")
    cluster.lose()
    cluster.run(2)
    cluster.start("q")
    cluster.run(2)
    assert decisions(cluster) == dict.fromkeys(PARTS, True)


def test_a_participant_that_said_no_says_no_again_after_a_crash() -> None:
    """It need not be asked again: its no is durable."""
    cluster = cluster_of()
    cluster.lose("voted")
    begin(cluster, work={"q": "no"})
    cluster.run(1)
    cluster.crash("q")
    cluster.start("q")
    cluster.lose()
    cluster.run(2)
    assert agreed(cluster) == {False}
    assert len(cluster.out("ask", "q")) == 1


def test_messages_of_old_ticks_change_nothing() -> None:
    cluster = cluster_of()
    begin(cluster)
    seen: list[Any] = []
    for _ in range(10):
        cluster.round()
        seen += cluster.under_way
    cluster.run(2)
    for message in seen:  # each alone, long after
        cluster.under_way.append(message)
        cluster.round()
    cluster.run(2)
    assert agreed(cluster) == {True}
    assert len(cluster.out("learned")) == 3


def test_an_inquiry_that_comes_after_all_is_forgotten_is_answered_by_an_abort_that_changes_nothing() -> None:
    cluster = cluster_of()
    begin(cluster)
    cluster.run(2)
    cluster.under_way.append(("q", "inquire", ("c", 1, "q")))
    cluster.round()
    assert [row for _, channel, row in cluster.under_way if channel == "decide"] == [("q", "c", 1, False)]
    cluster.run(1)
    assert agreed(cluster) == {True}


def test_a_hundred_transactions_at_once() -> None:
    cluster = cluster_of()
    for tx in range(100):
        begin(cluster, tx, {"q": "no" if tx % 3 == 0 else "yes"})
    cluster.run(2)
    assert sorted(cluster.out("outcome")) == [(tx, tx % 3 != 0) for tx in range(100)]
    assert cluster.sent["prepare"] == 300


def test_nothing_is_said_twice_where_nothing_is_lost() -> None:
    """The messages of the paper: 4 rounds between the coordinator and each participant."""
    cluster = cluster_of()
    begin(cluster)
    cluster.run(3)
    assert cluster.sent == {"prepare": 3, "voted": 3, "decide": 3, "done": 3}


def test_a_transaction_that_is_begun_again_while_it_runs_is_one() -> None:
    cluster = cluster_of()
    begin(cluster, work={"q": "later"})
    cluster.run(0.3)
    begin(cluster)
    cluster.run(0.3)
    cluster["q"].vote.insert(("c", 1, True))
    cluster.run(2)
    assert cluster.out("outcome") == [(1, True)]


def test_old_decisions_are_dropped() -> None:
    cluster = Stepped(lambda me: Coordinator(me) if me == "c" else Willing(me, keep_s=2.0, sweep_s=1.0), ("c", *PARTS))
    cluster.round()
    begin(cluster)
    cluster.run(1)
    assert len(cluster["p"].decided) == 1
    cluster.run(4)
    assert len(cluster["p"].decided) == 0


class Store(Bloom):
    """A table of one node; transactions set its values, if the old value is the one expected."""

    values = table("name: str -> value: int", durable=True)
    transfer = interface.input("tx, participant: str -> work: tuple")
    done = interface.output("tx -> commit: bool")
    commit = module(TwoPhaseCommit, retry_s=0.3)

    @rule
    def transact(self):
        self.commit.submit <= self.transfer
        self.commit.vote <= ((a.coordinator, a.tx, self.values.get(a.work[0], ("", 0)).value >= a.work[1]) for a in self.commit.ask)
        self.values <+- ((d.work[0], self.values.get(d.work[0], ("", 0)).value - d.work[1]) for d in self.commit.learned if d.commit)
        self.done <= self.commit.outcome


def test_a_program_that_holds_it_as_a_module_moves_money_or_does_not() -> None:
    bank = Stepped(Store, "ab")
    bank.round()
    bank["a"].values.insert(("x", 10))
    bank["b"].values.insert(("y", 0))
    bank["a"].transfer.insert((1, "a", ("x", 7)), (1, "b", ("y", -7)))
    bank.run(2)
    bank["b"].transfer.insert((1, "a", ("x", 7)), (1, "b", ("y", -7)))
    bank.run(2)
    assert bank.out("done", "a") == [(1, True)]
    assert bank.out("done", "b") == [(1, False)]
    assert {row.value for row in bank["a"].values} == {3}
    assert {row.value for row in bank["b"].values} == {7}
