# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""A fence: work for a resource is let through only with a token as high as any seen."""

from bloompy import Bloom, agg, interface, rule, scratch, table


class Fence(Bloom):
    """Stands before a resource and keeps out holders whose lease has passed to another (see `leases`).

    Interface:
        attempt: work for a resource under a token.
        admitted: the work, in the same tick. refused: the same with the token that is needed.

    The highest token is durable before work that it admitted has effects outside the tick, so that a restart does not let an old
    holder in. In one tick only the highest token's work is admitted.
    """

    attempt = interface.input("resource, token: int, work")
    admitted = interface.output("resource, token: int, work")
    refused = interface.output("resource, token: int, work -> needed: int")

    highest = table("resource -> token: int", durable=True)

    top = scratch("resource -> token")
    needed = scratch("resource -> token")

    @rule
    def fencing(self) -> None:
        # needed(R, max<Token>) :- attempt(R, Token); highest(R, Token).
        self.top <= ((a.resource, agg.max(a.token)) for a in self.attempt)
        self.needed <= ((t.resource, max(t.token, self.highest.get(t.resource, t).token)) for t in self.top)
        # admitted(R, Token, Work) :- attempt(R, Token, Work), needed(R, Token).
        self.admitted <= (a for a in self.attempt for n in self.needed if n.resource == a.resource and n.token == a.token)
        # refused(R, Token, Work, Needed) :- attempt(R, Token, Work), needed(R, Needed), Token < Needed.
        self.refused <= ((a.resource, a.token, a.work, n.token) for a in self.attempt for n in self.needed
                         if n.resource == a.resource and a.token < n.token)
        # highest(R, Token) @next :- needed(R, Token).
        self.highest <+- self.needed
