# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Single-decree Paxos: nodes agree on one value. To be read beside Lamport, "Paxos Made Simple" (2001), section 2.

The paper's three kinds of agents are three classes, `Synod` is all of them in one node, as is usual (section 2.5), and these are safe
whatever happens to messages and nodes. `PatientSynod` adds what makes them get somewhere (2.3 and 2.4), which nothing safe depends on.

The paper's proposal number is here a ballot, a pair (round, proposer): ballots have an order, and no two proposers share one. What the
paper keeps in stable storage is durable, and so is safe before any message of its tick leaves: what a proposer has tried, what an acceptor
has promised, and what it has accepted.
"""

from bloompy import Bloom, agg, channel, interface, invariant, lattice, param, periodic, rule, scratch, table
from bloompy_paxos.quorums import LOWEST


class Protocol(Bloom):
    """What the agents say.

    Params:
        acceptors: the addresses of all acceptors. More than half of them are a quorum, and any two quorums have one in common.
        learners: the addresses of all learners.
    """

    acceptors: tuple[str, ...] = param(())
    learners: tuple[str, ...] = param(())

    prepare = channel("@acceptor: str, proposer: str, ballot: tuple")
    promise = channel("@proposer: str, acceptor: str, ballot: tuple, accepted: tuple, value")
    accept = channel("@acceptor: str, ballot: tuple, value")
    voted = channel("@learner: str, acceptor: str, ballot: tuple, value")

    def quorum(self, count: int) -> bool:
        """Whether so many acceptors are a quorum."""
        return count > len(self.acceptors) // 2


class Proposer(Protocol):
    """Asks for promises in a ballot, and when a quorum has given them proposes a value.

    Interface:
        attempt: a ballot of this round, for this value unless the acceptors hold another. At any time; the ballot before is abandoned.
            Nothing comes of a round not above all those that this node has tried.
    """

    attempt = interface.input("round: int -> value")

    tried = lattice.lmax(durable=True)
    trying = table("-> ballot: tuple, value")                   # not durable: what it heard in this ballot is not
    promises = table("ballot: tuple, acceptor: str, accepted: tuple, value")

    begun = scratch("-> ballot, value")
    granted = scratch("ballot -> acceptors, accepted")
    proposal = scratch("-> ballot, value")

    @rule
    def phase_1a(self) -> None:
        """A proposer chooses a new number, and asks every acceptor for a promise and for what it has accepted."""
        # begun(max (R, me), V) :- attempt(R, V), tried(B), (R, me) > B.
        self.begun <= ((agg.max((a.round, self.me)), agg.argmax(a.value, a.round)) for a in self.attempt
                       if (a.round, self.me) > self.tried.value)
        # tried(B), trying(B, V) @next :- begun(B, V).
        self.tried <+ (b.ballot for b in self.begun)
        self.trying <+- self.begun
        # prepare(@A, me, B) @async :- begun(B, _), A in acceptors.
        self.prepare <~ ((acceptor, self.me, b.ballot) for b in self.begun for acceptor in self.acceptors)

    @rule
    def phase_2a(self) -> None:
        """With a quorum of promises it proposes the value of the highest ballot reported, or any (its own) if none is."""
        self.promises <= ((p.ballot, p.acceptor, p.accepted, p.value) for p in self.promise)
        # granted(B, count<A>, max<B1>) :- promises(B, A, B1, _).
        self.granted <= ((p.ballot, agg.count_distinct(p.acceptor), agg.max(p.accepted)) for p in self.promises)
        # proposal(B, V) :- trying(B, V), granted(B, N, none), N is a quorum.
        self.proposal <= (t for t in self.trying for g in self.granted
                          if g.ballot == t.ballot and self.quorum(g.acceptors) and g.accepted == LOWEST)
        # proposal(B, V) :- trying(B, _), granted(B, N, B1), N is a quorum, promises(B, _, B1, V).
        self.proposal <= ((t.ballot, p.value) for t in self.trying for g in self.granted for p in self.promises
                          if g.ballot == t.ballot and self.quorum(g.acceptors) and g.accepted > LOWEST
                          and p.ballot == t.ballot and p.accepted == g.accepted)
        # accept(@A, B, V) @async :- proposal(B, V), A in acceptors.
        self.accept <~ ((acceptor, p.ballot, p.value) for p in self.proposal for acceptor in self.acceptors)
        # One proposal a ballot: del trying() @next :- proposal(_, _).
        self.trying <- (t for t in self.trying for p in self.proposal if p.ballot == t.ballot)

    @invariant
    def values_come_from_somewhere(self) -> None:
        """What is proposed is the proposer's own value or was reported in its ballot."""
        [p for p in self.proposal if not any(t for t in self.trying if t.value == p.value)
         and not any(q for q in self.promises if q.ballot == p.ballot and q.value == p.value and q.accepted != LOWEST)]


class Acceptor(Protocol):
    """Promises, and accepts what it has not promised away."""

    promised = lattice.lmax(durable=True)                       # a maximum: a promise cannot become less
    accepted = table("-> ballot: tuple, value", durable=True)

    @rule
    def phase_1b(self) -> None:
        """An acceptor that is asked in a higher ballot than any before promises to accept none below, and reports what it has accepted."""
        # promised(max<B>) :- prepare(_, B).
        self.promised <= (p.ballot for p in self.prepare)
        # promise(@P, me, B, B1, V) @async :- prepare(P, B), promised(B), accepted(B1, V).
        self.promise <~ ((p.proposer, self.me, p.ballot, *self.accepted.get((), (LOWEST, None)))
                         for p in self.prepare if p.ballot >= self.promised.value)

    @rule
    def phase_2b(self) -> None:
        """An acceptor accepts a proposal unless it has promised a higher ballot."""
        # promised(max<B>) :- accept(B, _).
        self.promised <= (a.ballot for a in self.accept)
        # accepted(B, V) @next :- accept(B, V), promised(B).
        self.accepted <+- ((a.ballot, a.value) for a in self.accept if a.ballot >= self.promised.value)
        # voted(@L, me, B, V) @async :- accept(B, V), promised(B), L in learners.
        self.voted <~ ((learner, self.me, a.ballot, a.value) for a in self.accept if a.ballot >= self.promised.value
                       for learner in self.learners)

    @invariant
    def accepted_within_promise(self) -> None:
        """Nothing is accepted above what is promised."""
        [a for a in self.accepted if a.ballot > self.promised.value]

    @invariant
    def one_value_a_ballot(self) -> None:
        """Nothing but one value is proposed in a ballot."""
        [(a, b) for a in self.accept for b in self.accept if a.ballot == b.ballot and a.value != b.value]
        [(a, b) for a in self.accept for b in self.accepted if a.ballot == b.ballot and a.value != b.value]


class Learner(Protocol):
    """Learns which value was chosen: one that a quorum has accepted in one ballot.

    Tables to read:
        chosen: the value, once it is known.
    """

    votes = table("ballot: tuple, value, acceptor: str")
    chosen = table("value", durable=True)

    tally = scratch("ballot, value -> acceptors")

    @rule
    def learning(self) -> None:
        """Acceptors tell all learners what they accept."""
        self.votes <= ((v.ballot, v.value, v.acceptor) for v in self.voted)
        # tally(B, V, count<A>) :- votes(B, V, A).
        self.tally <= ((v.ballot, v.value, agg.count_distinct(v.acceptor)) for v in self.votes)
        # chosen(V) :- tally(_, V, N), N is a quorum.
        self.chosen <= ((t.value,) for t in self.tally if self.quorum(t.acceptors))

    @invariant
    def votes_of_a_ballot_agree(self) -> None:
        """Nothing but one value is accepted in a ballot."""
        [(v, w) for v in self.votes for w in self.votes if v.ballot == w.ballot and v.value != w.value]

    @invariant
    def one_value_is_chosen(self) -> None:
        """And nothing else ever is."""
        [(one, other) for one in self.chosen for other in self.chosen if one.value != other.value]


class Synod(Proposer, Acceptor, Learner):
    """Proposer, acceptor and learner in one node, and what must hold of all nodes together."""

    @invariant(scope="cluster")
    def agreement(self) -> None:
        """No two nodes learn different values."""
        [(one, other) for one in self.chosen for other in self.chosen if one.value != other.value]

    @invariant(scope="cluster")
    def promises_are_kept(self) -> None:
        """What an acceptor has promised to a proposer it knows, whatever happened to it since: promises never decrease."""
        [p for p in self.promises if not any(q for q in self.promised if q.at_node == p.acceptor and q.value >= p.ballot)]

    @invariant(scope="cluster")
    def votes_are_kept(self) -> None:
        """What an acceptor told a learner that it accepted it knows, or what it has accepted in a higher ballot since."""
        [v for v in self.votes if not any(a for a in self.accepted if a.at_node == v.acceptor and a.ballot >= v.ballot)]

    @invariant(scope="cluster")
    def a_quorum_stands_behind_it(self) -> None:
        """A chosen value was accepted by a quorum in one ballot, and none of these has accepted another value since."""
        backing = ((a.value, agg.count_distinct(a.at_node)) for a in self.accepted)
        [c for c in self.chosen if not any(self.quorum(count) for value, count in backing if value == c.value)]


class PatientSynod(Synod):
    """A synod that gets somewhere, if a quorum is up and messages arrive for long enough. Who has a value begins ballots until it learns.

    Params:
        retry_s: how often a proposer that knows of no decision considers a new ballot, and asks for the decision.
        patience: the chance that it begins none this time, so that two proposers do not overtake each other for ever.

    Interface:
        propose: a value. The first since the start counts.
    """

    retry_s = param(0.1)
    patience = param(0.5)
    beat = periodic(retry_s)

    propose = interface.input("value")
    ask = channel("@learner: str, asker: str")
    tell = channel("@asker: str, value")

    wish = table("-> value")

    @rule
    def retrying(self) -> None:
        # wish(least V) @next :- propose(V), not wish(_).
        self.wish <+ (agg.choose(p.value) for p in self.propose if not any(w for w in self.wish))
        # attempt(R + 1, V) :- beat(), wish(V), not chosen(_), R the highest round tried here or promised here, now and then.
        self.attempt <= ((max(LOWEST, self.tried.value, self.promised.value)[0] + 1, w.value) for b in self.beat for w in self.wish
                       if self.rand >= self.patience and not any(c for c in self.chosen))

    @rule
    def asking(self) -> None:
        # ask(@L, me) @async :- beat(), not chosen(_), L in learners.
        self.ask <~ ((learner, self.me) for b in self.beat for learner in self.learners if not any(c for c in self.chosen))
        # tell(@N, V) @async :- ask(N), chosen(V).
        self.tell <~ ((a.asker, c.value) for a in self.ask for c in self.chosen)
        # chosen(V) :- tell(V).
        self.chosen <= ((t.value,) for t in self.tell)
