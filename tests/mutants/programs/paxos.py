# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Single-decree Paxos: nodes agree on one value (Lamport, "Paxos Made Simple", 2001; the rules are numbered as there)."""

from bloompy import Bloom, agg, channel, interface, param, periodic, rule, scratch, table

LOWEST = (0, "")


class Synod(Bloom):
    """Every node is proposer, acceptor and learner. A ballot is a pair (round, proposer), so no two proposers share one.

    Params:
        members: addresses of all nodes.
        retry_s: how often a proposer that has not learned a decision considers a new ballot.
        patience: chance that it begins none this time, so that two proposers do not overtake each other for ever.
    """

    members: tuple[str, ...] = param(())
    retry_s = param(0.1)
    patience = param(0.5)
    beat = periodic(retry_s)

    prepare = channel("@acceptor: str, proposer: str, ballot: tuple")
    promise = channel("@proposer: str, acceptor: str, ballot: tuple, accepted: tuple, value")
    accept = channel("@acceptor: str, proposer: str, ballot: tuple, value")
    voted = channel("@learner: str, acceptor: str, ballot: tuple, value")

    query = channel("@member: str, asker: str")
    told = channel("@asker: str, value")

    propose = interface.input("value")

    round = table("-> number: int", durable=True)
    wish = table("-> value")
    ballot = table("-> ballot: tuple, value")
    promised = table("-> ballot: tuple", durable=True)
    accepted = table("-> ballot: tuple, value", durable=True)
    promises = table("ballot: tuple, acceptor: str, accepted: tuple, value")
    offered = table("ballot: tuple")
    votes = table("acceptor: str, ballot: tuple, value")
    decided = table("value", durable=True)

    wanted = scratch("-> value")
    begun = scratch("-> ballot, value")
    asked = scratch("-> ballot")
    floor = scratch("-> ballot")
    taken = scratch("-> ballot, value")
    heard = scratch("ballot, acceptor, accepted, value")
    support = scratch("ballot -> acceptors")
    best = scratch("ballot -> accepted, value")
    offer = scratch("-> ballot, value")
    seen = scratch("acceptor, ballot, value")
    backing = scratch("ballot, value -> acceptors")

    def majority(self, count: int) -> bool:
        """Whether so many members are a quorum."""
        return count >= len(self.members) // 2 + 1

    @rule
    def proposing(self) -> None:
        self.wanted <= (agg.min(p.value) for p in self.propose)
        self.wish <+ (w for w in self.wanted if not any(x for x in self.wish))
        # Phase 1a: begin a ballot higher than any this node has begun or promised.
        self.begun <= (((max(self.round.get((), (0,)).number, self.promised.get((), (LOWEST,)).ballot[0]) + 1, self.me), w.value)
                       for b in self.beat for w in self.wish
                       if self.rand >= self.patience and not any(d for d in self.decided))
        self.round <+- ((b.ballot[0],) for b in self.begun)
        self.ballot <+- self.begun
        self.prepare <~ ((member, self.me, b.ballot) for b in self.begun for member in self.members)

    @rule
    def accepting(self) -> None:
        # Phase 1b: promise the highest ballot asked for, unless a higher one is promised; report what was accepted.
        self.asked <= (agg.max(p.ballot) for p in self.prepare)
        self.floor <= ((max(self.promised.get((), (LOWEST,)).ballot, self.asked.get((), (LOWEST,)).ballot),) for x in (1,))
        self.promise <~ ((p.proposer, self.me, p.ballot, self.accepted.get((), (LOWEST, "")).ballot,
                          self.accepted.get((), (LOWEST, "")).value)
                         for p in self.prepare for f in self.floor if p.ballot >= f.ballot)
        # Phase 2b: accept the highest ballot that is not below what is promised.
        self.taken <= ((agg.max(a.ballot), agg.argmax(a.value, a.ballot)) for a in self.accept for f in self.floor
                       if a.ballot >= f.ballot)
        self.accepted <+- self.taken
        self.promised <+- ((max(f.ballot, self.taken.get((), (LOWEST, "")).ballot),) for f in self.floor if f.ballot != LOWEST
                           or any(t for t in self.taken))
        self.voted <~ ((member, self.me, t.ballot, t.value) for t in self.taken for member in self.members)

    @rule
    def offering(self) -> None:
        # Phase 2a: with promises of a majority, offer the value of the highest ballot reported, or the node's own.
        self.heard <= self.promises
        self.heard <= ((p.ballot, p.acceptor, p.accepted, p.value) for p in self.promise)
        self.promises <+ (h for h in self.heard for b in self.ballot if h.ballot == b.ballot)
        self.support <= ((h.ballot, agg.count_distinct(h.acceptor)) for h in self.heard)
        self.best <= ((h.ballot, agg.max(h.accepted), agg.argmax(h.value, h.accepted)) for h in self.heard)
        self.offer <= ((b.ballot, b.value if x.accepted == LOWEST else x.value)
                       for b in self.ballot for s in self.support for x in self.best
                       if s.ballot == b.ballot and x.ballot == b.ballot and self.majority(s.acceptors) and b.ballot not in self.offered)
        self.offered <+ ((o.ballot,) for o in self.offer)
        self.accept <~ ((member, self.me, o.ballot, o.value) for o in self.offer for member in self.members)

    @rule
    def learning(self) -> None:
        # A value is chosen when a majority accepted it in one ballot.
        self.seen <= self.votes
        self.seen <= ((v.acceptor, v.ballot, v.value) for v in self.voted)
        self.votes <+ self.seen
        self.backing <= ((s.ballot, s.value, agg.count_distinct(s.acceptor)) for s in self.seen)
        self.decided <+ ((b.value,) for b in self.backing if self.majority(b.acceptors))
        # Who has not learned it asks all.
        self.query <~ ((member, self.me) for b in self.beat for member in self.members if not any(d for d in self.decided))
        self.told <~ ((q.asker, d.value) for q in self.query for d in self.decided)
        self.decided <+ ((t.value,) for t in self.told)
