# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""MultiPaxos: all its parts together. Which file is safety and which is liveness, its first line says."""

from bloompy import agg, interface, rule, scratch
from bloompy_paxos.quorums import LOWEST, both
from bloompy_paxos.reads import Reads


class MultiPaxos(Reads):
    """A replicated log: one at each member, as a module of the program that it is to replicate.

    Params: see `Messages`. The params `members` and `window` are the same at all members; a node that is to be added has no members.

    Interface, besides that of `Log` and `reconfigure`:
        inquiry, condition: how this node is: its role, whom it follows, the ballot it has promised, the last slot known to be decided
            and the last applied, the first slot it keeps, all members that count in some slot from here on, and, at the leader, of each
            other node (address, applied, seconds since it was heard).
    """

    inquiry = interface.input("no: int")
    condition = interface.output("-> role: str, leader: str, ballot: tuple, decided: int, applied: int, first: int, "
                                 "members: tuple, peers: tuple")

    newest_slot = scratch("-> slot")
    heard_from = scratch("-> peers")

    def role(self, leads: bool, stands: bool, is_member: bool) -> str:
        """What a node is to the log."""
        return "leader" if leads else "candidate" if stands else "follower" if is_member else "learner"

    @rule
    def conditions(self) -> None:
        # condition(...) :- inquiry(_), and all that there is to tell.
        self.newest_slot <= (agg.max(d.slot) for i in self.inquiry for d in self.decided)
        self.heard_from <= (agg.collect((p.node, p.applied, self.now - p.heard))
                            for i in self.inquiry for b in self.leads for p in self.peer if p.node != self.me)
        self.condition <= ((self.role(any(b for b in self.leads), any(b for b in self.ballot),
                                      self.me in self.config.get((), ((), (), 0)).coming),
                            self.following.get((), ("", LOWEST, 0.0, 0.0)).leader, self.promised.get((), (LOWEST,)).ballot,
                            max(self.newest_slot.get((), (0,)).slot, self.applied.get((), (0, 0)).slot), self.applied.get((), (0, 0)).slot,
                            self.truncated.get((), (0,)).slot + 1,
                            both(self.config.get((), ((), (), 0)).members, self.config.get((), ((), (), 0)).coming),
                            self.heard_from.get((), ((),)).peers) for i in self.inquiry)
