# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Counting votes: each voter once for a ballot, whatever repeats."""

from math import ceil

from bloompy import Bloom, agg, interface, param, rule, scratch, table


class Tally(Bloom):
    """Counts votes by ballot until a choice has enough of them. Subclasses say what is enough.

    Params:
        electorate: the voters, as a tuple; votes of others do not count.

    Interface:
        vote: a voter's choice for a ballot. The first that is counted stays; of several in one tick, the least choice.
        elected: ballot and choice, once, in the tick in which the choice has enough votes.
        failed: ballots in which no choice can get enough any more, once.

    Two choices can both have enough only if half the electorate is enough; then the one with more votes is elected, of equals the
    least. `result` keeps what was elected, `counted` every vote. Neither is durable.
    """

    electorate: tuple[str, ...] = param(())

    vote = interface.input("ballot, voter: str, choice")
    elected = interface.output("ballot -> choice")
    failed = interface.output("ballot")

    counted = table("ballot, voter: str -> choice")
    result = table("ballot -> choice")
    hopeless = table("ballot")

    new = scratch("ballot, voter -> choice")
    valid = scratch("ballot, voter -> choice")
    count = scratch("ballot, choice -> votes")
    best = scratch("ballot -> votes, voted")
    turnout = scratch("ballot -> voters")
    winner = scratch("ballot -> choice")
    loser = scratch("ballot")

    def enough(self) -> int:
        """How many votes elect: here, more than half the electorate."""
        return len(self.electorate) // 2 + 1

    @rule
    def counting(self) -> None:
        # new(B, V, choose<C>) :- vote(B, V, C), not counted(B, V), V in electorate.
        self.new <= ((v.ballot, v.voter, agg.choose(v.choice)) for v in self.vote
                     if v.voter in self.electorate and (v.ballot, v.voter) not in self.counted)
        # counted(B, V, C) @next :- new(B, V, C).
        self.counted <+ self.new
        self.valid <= self.counted
        self.valid <= self.new
        # count(B, C, count<>) :- valid(B, _, C).
        self.count <= ((v.ballot, v.choice, agg.count()) for v in self.valid)
        self.turnout <= ((v.ballot, agg.count()) for v in self.valid)
        self.best <= ((t.ballot, agg.max(c.votes), t.voters) for c in self.count for t in self.turnout if t.ballot == c.ballot)

    @rule
    def electing(self) -> None:
        # winner(B, argmax<C, Votes>) :- count(B, C, Votes), Votes >= enough(), not result(B).
        self.winner <= ((c.ballot, agg.argmax(c.choice, c.votes)) for c in self.count
                        if c.votes >= self.enough() and c.ballot not in self.result)
        self.elected <= self.winner
        self.result <+ self.winner
        # loser(B) :- best(B, Votes, Voted), Votes + |electorate| - Voted < enough(), not hopeless(B).
        self.loser <= ((b.ballot,) for b in self.best
                       if b.votes + len(self.electorate) - b.voted < self.enough() and b.ballot not in self.hopeless)
        self.failed <= self.loser
        self.hopeless <+ self.loser


class MajorityTally(Tally):
    """More than half of the electorate elects: two elected choices of one ballot would share a voter."""


class UnanimousTally(Tally):
    """All of the electorate must make the same choice."""

    def enough(self) -> int:
        """All."""
        return len(self.electorate)


class RatioTally(Tally):
    """A share of the electorate elects.

    Params:
        ratio: the share, above 1/2 for what must be unique.
    """

    ratio = param(2 / 3)

    def enough(self) -> int:
        """The least whole number of votes that is the share or more, and at least one."""
        return max(1, ceil(self.ratio * len(self.electorate) - 1e-9))
