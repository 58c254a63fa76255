# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Voting over the network: callers poll voters until a choice has a majority."""

from bloompy import agg, channel, interface, param, periodic, rule, scratch, table
from bloompy.std.tally import Tally


class Voting(Tally):
    """Every node may call ballots and is asked for its vote. One vote a voter and ballot, for all callers and for ever.

    Params:
        electorate: addresses of the voters.
        retry_s: how often voters whose vote has not come are polled again.

    Interface of the caller (and all that `Tally` has):
        open: opens a ballot with a question.
        elected, failed: its result.

    Interface of the voter:
        ask: a ballot in which this node has not voted, with its question; repeated until it has.
        answer: the node's choice. The first stays: it is durable before it is sent, so that all callers of one ballot, and callers
            that ask again after a crash, get the same vote. Hence no two callers of a ballot see different choices elected.
    """

    retry_s = param(0.5)
    beat = periodic(retry_s)

    poll = channel("@voter: str, caller: str, ballot, question")
    cast = channel("@caller: str, ballot, voter: str, choice")

    open = interface.input("ballot -> question")
    ask = interface.output("ballot, question")
    answer = interface.input("ballot, choice")

    called = table("ballot -> question")
    waiting = table("ballot, caller: str")
    given = table("ballot -> choice", durable=True)

    asking = scratch("ballot, caller")
    chosen = scratch("ballot -> choice")
    standing = scratch("ballot -> choice")

    @rule
    def polling(self) -> None:
        # called(B, Q) @next :- open(B, Q).
        self.called <+ (o for o in self.open if o.ballot not in self.called)
        # poll(@V, me, B, Q) @async :- open(B, Q), V in electorate.
        self.poll <~ ((voter, self.me, c.ballot, c.question) for c in self.open for voter in self.electorate)
        # poll(@V, me, B, Q) @async :- beat(), called(B, Q), V in electorate, not counted(B, V), not result(B).
        self.poll <~ ((voter, self.me, c.ballot, c.question) for b in self.beat for c in self.called for voter in self.electorate
                      if c.ballot not in self.result and c.ballot not in self.hopeless and (c.ballot, voter) not in self.counted)
        # vote(B, V, C) :- cast(B, V, C).
        self.vote <= ((c.ballot, c.voter, c.choice) for c in self.cast)

    @rule
    def answering(self) -> None:
        # asking(B, Caller) :- poll(Caller, B); waiting(B, Caller).
        self.asking <= ((p.ballot, p.caller) for p in self.poll)
        self.asking <= self.waiting
        # ask(B, Q) :- poll(B, Q), not given(B).
        self.ask <= ((p.ballot, p.question) for p in self.poll if p.ballot not in self.given)
        # chosen(B, choose<C>) :- answer(B, C), asking(B, _), not given(B).
        self.chosen <= ((a.ballot, agg.choose(a.choice)) for a in self.answer
                        if a.ballot not in self.given and any(x for x in self.asking if x.ballot == a.ballot))
        # given(B, C) @next :- chosen(B, C).
        self.given <+ self.chosen
        self.standing <= self.given
        self.standing <= self.chosen
        # cast(@Caller, B, me, C) @async :- asking(B, Caller), given(B, C) or chosen(B, C).
        self.cast <~ ((x.caller, x.ballot, self.me, s.choice) for x in self.asking for s in self.standing if s.ballot == x.ballot)
        # waiting(B, Caller) @next :- asking(B, Caller), until the vote is cast.
        self.waiting <+ (x for x in self.asking if x.ballot not in self.standing)
        self.waiting <- (w for w in self.waiting if w.ballot in self.standing)
