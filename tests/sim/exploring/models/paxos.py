# ruff: noqa: B015
# mypy: ignore-errors
# fmt: off
"""Single-decree Paxos as in Lamport's TLA+ module `Paxos`: one proposer a ballot, acceptors, and a set of messages.

Acceptors tell a learner what they have accepted, which is no part of the model: what it could learn is read off the messages.
"""

from itertools import combinations

from bloompy import Bloom, agg, bootstrap, channel, interface, param, rule, scratch, table
from bloompy.sim.exploring import Model, View


class Proposer(Bloom):
    """Asks for promises, then proposes the value of the highest ballot that a majority has told it of, or else any."""

    ballot = param(0)
    acceptors = param(())
    quorum = param(2)
    start = interface.input("go: bool")
    choose = interface.input("value")
    acceptor = table("name")
    started = table("-> go: bool")
    promised = table("acceptor -> voted: int, value")
    proposed = table("-> value")
    promises = scratch("-> number: int")
    newest = scratch("-> value")
    prepare = channel("@acceptor, ballot: int, proposer")
    promise = channel("@proposer, acceptor, ballot: int, voted: int, value")
    propose = channel("@acceptor, ballot: int, value")

    @bootstrap
    def begin(self):
        self.acceptor <= (name for name in self.acceptors)

    @rule
    def first_phase(self):
        self.started <+ self.start
        self.prepare <~ ((a.name, self.ballot, self.me) for a in self.acceptor for _ in self.started)
        self.promised <+- ((p.acceptor, p.voted, p.value) for p in self.promise)

    @rule
    def second_phase(self):
        self.promises <= (agg.count() for p in self.promised)
        self.newest <= (agg.argmax(p.value, p.voted) for p in self.promised if p.voted >= 0)
        self.proposed <+ (c.value for c in self.choose for n in self.promises
                          if n.number >= self.quorum and not any(v.value != c.value for v in self.newest)
                          and not any(True for _ in self.proposed))
        self.propose <~ ((a.name, self.ballot, p.value) for a in self.acceptor for p in self.proposed)


class Acceptor(Bloom):
    """Promises to heed no older ballot, and accepts what is proposed in one that it may heed."""

    highest = table("-> ballot: int")
    vote = table("-> ballot: int, value")
    prepare = channel("@acceptor, ballot: int, proposer")
    promise = channel("@proposer, acceptor, ballot: int, voted: int, value")
    propose = channel("@acceptor, ballot: int, value")
    accepted = channel("@learner, acceptor, ballot: int, value")

    @bootstrap
    def begin(self):
        self.highest <= (-1,)
        self.vote <= (-1, None)

    @rule
    def first_phase(self):
        self.highest <+- (p.ballot for p in self.prepare for h in self.highest if p.ballot > h.ballot)
        self.promise <~ ((p.proposer, self.me, p.ballot, v.ballot, v.value)
                         for p in self.prepare for h in self.highest for v in self.vote if p.ballot > h.ballot)

    @rule
    def second_phase(self):
        self.highest <+- (p.ballot for p in self.propose for h in self.highest if p.ballot >= h.ballot)
        self.vote <+- ((p.ballot, p.value) for p in self.propose for h in self.highest if p.ballot >= h.ballot)
        self.accepted <~ (("learner", self.me, p.ballot, p.value) for p in self.propose for h in self.highest if p.ballot >= h.ballot)


class Forgetful(Acceptor):
    """Promises, and does not remember what."""

    @rule
    def first_phase(self):
        self.promise <~ ((p.proposer, self.me, p.ballot, v.ballot, v.value) for p in self.prepare for v in self.vote)


ACCEPTORS = ("a1", "a2", "a3")
VALUES = ("x", "y")


def chosen(view: View) -> set[str]:
    """The values that a majority has accepted in one ballot."""
    votes = {(row.acceptor, row.ballot, row.value) for row in view.sent("accepted")}
    ballots = {(ballot, value) for _, ballot, value in votes}
    return {
        value for ballot, value in ballots
        if any(all((name, ballot, value) in votes for name in two) for two in combinations(ACCEPTORS, 2))
    }


def paxos(ballots: int, quorum: int = 2, acceptor: type[Acceptor] = Acceptor, **options) -> Model:
    """The model with so many proposers, each with one ballot."""
    model = Model(network="set", atomic=True, **options)
    model.outside("learner", seen=True)
    for ballot in range(ballots):
        model.add(Proposer, f"p{ballot}", ballot=ballot, acceptors=ACCEPTORS, quorum=quorum)
        model.input(f"p{ballot}", "start", (True,), times=None)
        for value in VALUES:
            model.input(f"p{ballot}", "choose", (value,), times=None)
    for name in ACCEPTORS:
        model.add(acceptor, name)
    model.always("agreement", lambda view: len(chosen(view)) < 2, reads=["accepted"])
    for value in VALUES:
        model.sometimes(f"{value} is chosen", lambda view, value=value: chosen(view) == {value}, reads=["accepted"])
    return model
