# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Liveness: who leads. Nothing here can make two leaders harmful; the ballots see to that.

A leader is heard from every pulse. Who hears of none for a time drawn by lot asks the others whether they miss one, too (pre-vote:
Ongaro, "Consensus: Bridging Theory and Practice", 2014, section 9.6), so that a node which only was away disturbs nobody, and begins
a ballot when a majority does. A leader that a majority does not answer steps down.
"""

from bloompy import agg, rule, scratch, table
from bloompy_paxos.learner import Learner
from bloompy_paxos.quorums import LOWEST, both_reached, is_majority

LONGEST = 4
"""A candidate waits twice as long after each try, so often."""
FREE, CALMED_S = 4, 10.0
"""So many ballots after one another make nobody more patient; half as many when nothing has happened for so long."""


def calmed(level: float, since_s: float) -> float:
    """What is left of a turmoil after some time."""
    return float(level * 0.5 ** (max(since_s, 0.0) / CALMED_S))


class Election(Learner):
    """Heartbeats, timeouts, pre-vote, stepping down."""

    candidacy = table("-> ballot: tuple, tries: int, since: float, until: float")
    turmoil = table("-> level: float, since: float")
    supporter = table("ballot: tuple, member: str")
    peer = table("node: str -> no: int, applied: int, sent: float, heard: float")

    greeted = scratch("node")
    sign = scratch("leader, ballot")
    newest = scratch("-> ballot")
    lonely = scratch("-> ballot, tries")
    backing = scratch("ballot -> members")
    answer = scratch("node -> ack")
    heard_of = scratch("-> times")

    @rule
    def heartbeats(self) -> None:
        # greeted(N) :- leads(_), audience(N), pulse() or read(_); leads(_), canvass(N).      (who does not know that it was removed, too)
        self.greeted <= (n for p in self.pulse for b in self.leads for n in self.audience)
        self.greeted <= (n for r in self.read for b in self.leads for n in self.audience if n.node != self.me)
        self.greeted <= ((m.candidate,) for m in self.canvass for b in self.leads)
        # heartbeat(@N, me, B, step, S, now) @async :- greeted(N), claim(B, S).
        self.heartbeat <~ ((n.node, self.me, k.ballot, self.step, k.slot, self.now) for n in self.greeted for k in self.claim)
        # decision(@N, me, B, S) @async :- last(_), claim(B, S), audience(N).      (with the proposals, so no frame of its own)
        self.decision <~ ((n.node, self.me, k.ballot, k.slot) for x in self.last for k in self.claim for n in self.audience
                          if n.node != self.me)

    @rule
    def follow(self) -> None:
        # sign(L, B) :- heartbeat(L, B), floor(B); begins(B), floor(B), L = me.      (a late one of an older ballot is none)
        self.sign <= ((h.leader, h.ballot) for h in self.heartbeat for f in self.floor if h.ballot == f.ballot)
        self.sign <= ((self.me, b.ballot) for b in self.begins for f in self.floor if b.ballot == f.ballot)
        # sign(L, B) :- asked(L, B, _), floor(B), promised(P), B > P.      (once a ballot: who never gets to lead is not followed for ever)
        self.sign <= ((m.leader, m.ballot) for m in self.asked for f in self.floor
                      if m.ballot == f.ballot and m.ballot > self.promised.get((), (LOWEST,)).ballot)
        # alive(@L, me, B, No, A, Sent) @async :- heartbeat(L, B, No, _, Sent), sign(L, B), applied(A).
        self.alive <~ ((h.leader, self.me, h.ballot, h.no, self.applied.get((), (-1, 0)).slot, h.sent) for h in self.heartbeat
                       if (h.leader, h.ballot) in self.sign)
        # following(L, max<B>, now, now + patience_s * (1 + rand)) @next :- sign(L, B), patience(patience_s).
        self.newest <= (agg.max(s.ballot) for s in self.sign)
        self.following <+- ((s.leader, s.ballot, self.now, self.now + self.patience_s(x.level, self.now - x.since) * (1 + self.rand))
                            for s in self.sign for n in self.newest for x in self.turmoil if s.ballot == n.ballot)
        # del candidacy(_) @next :- sign(_, _), not begins(_).
        self.candidacy <- (x for n in self.newest for x in self.candidacy if not any(b for b in self.begins))
        # leader(L) :- following(L, _, _, Until), now < Until.
        self.leader <= ((f.leader,) for f in self.following if f.leader and self.now < f.until)

    @rule
    def patience(self) -> None:
        # turmoil(Level + 1, now) @next :- floor(B), promised(P), B > P, turmoil(Level).      (the Level is halved in CALMED_S)
        self.turmoil <+- ((calmed(x.level, self.now - x.since) + 1, self.now) for f in self.floor for x in self.turmoil
                          if f.ballot > self.promised.get((), (LOWEST,)).ballot)
        self.turmoil <+ ((0.0, self.now) for s in self.starting)

    def patience_s(self, level: float, since_s: float) -> float:
        """How long a leader may be silent: election_s, and longer where one ballot has followed the other for some time.

        Where a synchronisation or a tick takes longer than election_s, all would depose each other for ever otherwise.
        """
        return float(self.election_s * 2 ** min(max(int(calmed(level, since_s)) - FREE, 0), LONGEST))

    @rule
    def canvassing(self) -> None:
        # lonely(promised + 1, Tries) :- pulse(Now), config(me), not leads(_), not sign(_), not following(Until) or candidacy(Until),
        #                                Until > Now.      (a late sign in this tick: the node was held up itself, and heartbeats waited)
        self.lonely <= (((self.promised.get((), (LOWEST,)).ballot[0] + 1, self.me), self.candidacy.get((), (LOWEST, 0, 0.0, 0.0)).tries + 1)
                        for p in self.pulse for c in self.config
                        if (self.me in c.members or self.me in c.coming) and not any(b for b in self.leads)
                        and not any(s for s in self.sign) and not any(f for f in self.following if f.heard <= p.time < f.until)
                        and not any(x for x in self.candidacy if x.since <= p.time < x.until))
        # candidacy(B, Tries, now + longer and longer) @next :- lonely(B, Tries).
        self.candidacy <+- ((x.ballot, x.tries, self.now, self.now + self.election_s * (1 + self.rand) * 2 ** min(x.tries - 1, LONGEST))
                            for x in self.lonely)
        # canvass(@N, me, B, A) @async :- lonely(B, _), audience(N), applied(A).
        self.canvass <~ ((n.node, self.me, x.ballot, a.slot) for x in self.lonely for n in self.audience for a in self.applied)
        # favour(@C, me, B) @async :- canvass(C, B, Its), promised(P), B > P, not sign(_), following(_, _, Heard),
        #     Heard + election_s <= now, applied(A), A <= Its + window.      (who would have to catch up first is not favoured)
        self.favour <~ ((m.candidate, self.me, m.ballot) for m in self.canvass if m.ballot > self.promised.get((), (LOWEST,)).ballot
                        and self.applied.get((), (0, 0)).slot <= m.applied + self.window
                        and not any(s for s in self.sign)
                        and any(f for f in self.following if not f.heard <= self.now < f.heard + self.election_s))
        # nack(@C, me, B, P) @async :- canvass(C, B), promised(P), B <= P.
        self.nack <~ ((m.candidate, self.me, m.ballot, p.ballot) for m in self.canvass for p in self.promised if m.ballot <= p.ballot)

    @rule
    def beginning(self) -> None:
        # supporter(B, M) @next :- favour(M, B), candidacy(B).
        self.supporter <+ ((m.ballot, m.member) for m in self.favour for x in self.candidacy if m.ballot == x.ballot)
        self.supporter <- (s for x in self.lonely for s in self.supporter)
        # begins(B) :- candidacy(B), collect<M> of supporter(B, M) is a majority of the members, now and to come, promised(P), B > P.
        self.backing <= ((s.ballot, agg.collect_set(s.member)) for s in self.supporter)
        self.begins <= (x.ballot for x in self.candidacy for s in self.backing for c in self.config
                        if s.ballot == x.ballot > self.promised.get((), (LOWEST,)).ballot
                        and is_majority(s.members, c.members) and is_majority(s.members, c.coming))

    @rule
    def stepping_down(self) -> None:
        # peer(N, No, A, Sent, now) @next :- alive(N, B, No, A, Sent), leads(B), the latest of a node.
        self.answer <= ((m.node, agg.max((m.no, m.applied, m.sent))) for m in self.alive for b in self.leads if m.ballot == b.ballot)
        self.peer <+- ((x.node, x.ack[0], x.ack[1], x.ack[2], self.now) for x in self.answer)
        # deposed(B) :- pulse(Now), ballot(B, Since), peer(N, Heard): no majority was heard for twice patience_s.
        self.heard_of <= (agg.collect((x.node, x.heard)) for p in self.pulse for x in self.peer if x.heard <= p.time)
        silent = ((2 * self.patience_s(x.level, p.time - x.since), p.time) for p in self.pulse for x in self.turmoil)
        self.deposed <= ((b.ballot,) for silent_s, now in silent for b in self.ballot for c in self.config
                         if not now - silent_s <= b.since <= now
                         and both_reached(self.heard_of.get((), ((),)).times, c.members, c.coming) < now - silent_s)
