"""Mutants of single-decree Paxos: the usual mistakes, and those of the published Overlog programs."""

from __future__ import annotations

from typing import Any

from bloompy.sim import Faults, Simulation
from bloompy_paxos.quorums import LOWEST

from .mutant import Mutant, Subject, assert_within, right


class Observer:
    """What was promised, accepted and decided so far, by whom."""

    def __init__(self, sim: Simulation, members: tuple[str, ...]) -> None:
        self.sim, self.members = sim, members
        self.proposed: set[str] = set()
        self.chosen: set[str] = set()
        self.accepted: dict[Any, dict[Any, set[str]]] = {}
        self.promised: dict[str, Any] = {}
        self.begun: dict[Any, str] = {}

    def listen(self, node: Any) -> None:
        """To a node that starts."""
        node.accepted.on_insert(lambda row: self.note(node.address, row))

    def note(self, address: str, row: Any) -> None:
        """A node accepted a value in a ballot."""
        self.accepted.setdefault(row.ballot, {}).setdefault(row.value, set()).add(address)

    def propose(self, node: Any) -> None:
        """Have a node that starts wish for a value of its own, a new one at each start."""
        self.listen(node)
        value = f"{node.address}{node.incarnation}"
        self.proposed.add(value)
        node.propose.insert(value)

    def agreement(self) -> bool:
        """At most one value is decided."""
        self.chosen.update(row.value for node in self.sim.up for row in node.chosen)
        return len(self.chosen) <= 1

    def kept(self) -> bool:
        """Promises only grow, over crashes, and nothing is accepted above them."""
        for node in self.sim.up:
            for row in node.accepted:
                self.note(node.address, row)
            held = max(LOWEST, node.promised.value)
            if node.step and (held < self.promised.get(node.address, LOWEST) or any(row.ballot > held for row in node.accepted)):
                return False
            self.promised[node.address] = max(held, self.promised.get(node.address, LOWEST))
        return True

    def one_value(self) -> bool:
        """A ballot is begun once, and all that is accepted in it is one value."""
        for node in self.sim.up:
            for row in node.trying:
                if self.begun.setdefault(row.ballot, row.value) != row.value:
                    return False
        return all(len(values) == 1 for values in self.accepted.values())

    def backed(self) -> bool:
        """What is decided was accepted by a majority in one ballot."""
        most = {value: max(len(values.get(value, ())) for values in self.accepted.values()) for value in self.chosen}
        return all(most[value] > len(self.members) // 2 for value in self.chosen)


def synod(members: tuple[str, ...], proposers: tuple[str, ...]) -> Any:
    """The test: proposers with different values, which they draw anew at each start; the others only accept."""

    def test(programs: Any, sim: Simulation) -> None:
        observer = Observer(sim, members)
        for member in members:
            setup = observer.propose if member in proposers else observer.listen
            sim.add(programs.PatientSynod, member, acceptors=members, learners=members, setup=setup)
        sim.always(observer.agreement, "agreement")
        sim.always(observer.kept, "promises kept")
        sim.always(observer.one_value, "one value a ballot")
        sim.run(until=0.8)
        sim.calm()
        assert_within(sim, lambda: all(len(sim[member].chosen) for member in members), 20.0, "termination")
        assert observer.backed(), "backed by a majority"
        assert observer.chosen <= observer.proposed, "validity"

    return test


def one_ballot(programs: Any, sim: Simulation) -> None:
    """The test: all three promise, one of them is lost, and the two that are left accept: that is enough."""
    for member in MEMBERS:
        sim.add(programs.Synod, member, acceptors=MEMBERS, learners=MEMBERS)
    sim["a"].attempt.insert((1, "x"))
    sim.run_until(lambda: len(sim["a"].promises) == 3)
    sim["c"].crash()
    assert_within(sim, lambda: len(sim["a"].chosen) and len(sim["b"].chosen), 1.0, "termination")


MEMBERS = ("a", "b", "c")
INVARIANTS = (
    "agreement",
    "promises_are_kept",
    "votes_are_kept",
    "a_quorum_stands_behind_it",
    "accepted_within_promise",
    "one_value_a_ballot",
    "votes_of_a_ballot_agree",
    "one_value_is_chosen",
)
"""The watchdogs of the program itself; where it is edited, they find most of it before the observer does."""

SAFETY = (*INVARIANTS, "promises kept", "one value a ballot", "backed by a majority")
CRASHES = Faults(drop=0.2, delay=0.3, delay_s=(0.0, 0.3), crashes=3, down_s=(0.0, 0.2))
MODULES = ("bloompy_paxos.synod",)

SYNOD = Subject(
    name="Paxos",
    modules=MODULES,
    test=synod(MEMBERS, ("a", "b")),
    faults=Faults(drop=0.2, duplicate=0.1, delay=0.3, delay_s=(0.0, 0.3), crashes=2, down_s=(0.0, 0.3)),
)
SYNOD_OF_5 = Subject(
    name="Paxos of 5",
    modules=MODULES,
    test=synod(("a", "b", "c", "d", "e"), ("a", "b", "c")),
    faults=Faults(drop=0.2, duplicate=0.3, delay=0.3, delay_s=(0.0, 0.3), crashes=1, down_s=(0.0, 0.3)),
)
ONE_BALLOT = Subject(name="Paxos, one ballot", modules=MODULES, test=one_ballot, faults=Faults())

MUTANTS = (
    right(SYNOD),
    right(SYNOD_OF_5),
    right(ONE_BALLOT),
    Mutant(
        name="wrong quorum: half is enough",
        subject=SYNOD,
        edits=(("return count > len(self.acceptors) // 2", "return count >= len(self.acceptors) // 2"),),
        breaks=SAFETY, easy=True,
    ),
    Mutant(
        name="forgotten promise (not durable): it is sent before it is safe",
        subject=SYNOD,
        edits=(("promised = lattice.lmax(durable=True)", "promised = lattice.lmax()"),),
        breaks=SAFETY, easy=True,
        faults=CRASHES,
    ),
    Mutant(
        name="forgotten acceptance (not durable): a vote is sent before it is safe",
        subject=SYNOD,
        edits=(('accepted = table("-> ballot: tuple, value", durable=True)', 'accepted = table("-> ballot: tuple, value")'),),
        breaks=SAFETY, easy=True,
        faults=CRASHES,
    ),
    Mutant(
        name="forgotten round: a restarted proposer takes its old ballot for another value",
        subject=SYNOD,
        edits=(
            ("tried = lattice.lmax(durable=True)", "tried = lattice.lmax()"),
            ("max(LOWEST, self.tried.value, self.promised.value)[0] + 1", "max(LOWEST, self.tried.value)[0] + 1"),
        ),
        breaks=SAFETY,
        faults=CRASHES,
    ),
    Mutant(
        name="own value always, whatever was accepted",
        subject=SYNOD,
        edits=(("self.proposal <= ((t.ballot, p.value) for", "self.proposal <= ((t.ballot, t.value) for"),),
        breaks=SAFETY,
    ),
    Mutant(
        name="value of the lowest ballot reported",
        subject=SYNOD,
        edits=(("agg.max(p.accepted)) for p in self.promises)", "agg.min(p.accepted)) for p in self.promises)"),),
        breaks=SAFETY,
    ),
    Mutant(
        name="greatest value reported instead of that of the highest ballot",
        subject=SYNOD,
        edits=(
            ("self.proposal <= ((t.ballot, p.value) for", "self.proposal <= ((t.ballot, agg.max(p.value)) for"),
            ("and p.ballot == t.ballot and p.accepted == g.accepted)", "and p.ballot == t.ballot and p.accepted > LOWEST)"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="value of the latest report instead of that of the highest ballot",
        subject=SYNOD,
        edits=(
            ('promises = table("ballot: tuple, acceptor: str, accepted: tuple, value")',
             'promises = table("ballot: tuple, acceptor: str, accepted: tuple, value, step")'),
            ("self.promises <= ((p.ballot, p.acceptor, p.accepted, p.value) for",
             "self.promises <= ((p.ballot, p.acceptor, p.accepted, p.value, self.step) for"),
            ("self.proposal <= ((t.ballot, p.value) for", "self.proposal <= ((t.ballot, agg.argmax(p.value, p.step)) for"),
            ("and p.ballot == t.ballot and p.accepted == g.accepted)", "and p.ballot == t.ballot and p.accepted > LOWEST)"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="ballots of two proposers equal",
        subject=SYNOD,
        edits=(("self.begun <= ((agg.max((a.round, self.me)), ", 'self.begun <= ((agg.max((a.round, "x")), '),),
        breaks=SAFETY, easy=True,
    ),
    Mutant(
        name="a ballot may have two proposals: it goes on when more promises come",
        subject=SYNOD,
        edits=(("self.trying <- (t for t in self.trying for p in self.proposal if p.ballot == t.ballot)", ""),),
        breaks=SAFETY,
    ),
    Mutant(
        name="acceptor accepts in any ballot",
        subject=SYNOD,
        edits=(
            ("self.accepted <+- ((a.ballot, a.value) for a in self.accept if a.ballot >= self.promised.value)",
             "self.accepted <+- ((a.ballot, a.value) for a in self.accept)"),
            ("self.voted <~ ((learner, self.me, a.ballot, a.value) for a in self.accept if a.ballot >= self.promised.value",
             "self.voted <~ ((learner, self.me, a.ballot, a.value) for a in self.accept"),
        ),
        breaks=SAFETY, easy=True,
    ),
    Mutant(
        name="acceptor promises in any ballot",
        subject=SYNOD,
        edits=(("for p in self.prepare if p.ballot >= self.promised.value)", "for p in self.prepare)"),),
        why="what it accepts is still bounded by its promise, and a report of more than was asked for harms nobody",
    ),
    Mutant(
        name="acceptor checks a ballot against what it has accepted, not against what it has promised",
        subject=SYNOD,
        edits=(
            ("for p in self.prepare if p.ballot >= self.promised.value)",
             "for p in self.prepare if p.ballot >= self.accepted.get((), (LOWEST, None)).ballot)"),
        ),
        why="the same: more messages, and no other proposal is accepted",
    ),
    Mutant(
        name="promise not kept: nothing is recorded",
        subject=SYNOD,
        edits=(("self.promised <= (p.ballot for p in self.prepare)", ""),),
        breaks=SAFETY,
    ),
    Mutant(
        name="acceptance does not count as a promise",
        subject=SYNOD,
        edits=(("self.promised <= (a.ballot for a in self.accept)", ""),),
        breaks=SAFETY,
    ),
    Mutant(
        name="promise of this tick does not bind in this tick",
        subject=SYNOD,
        edits=(("self.promised <= (p.ballot for p in self.prepare)", "self.promised <+ (p.ballot for p in self.prepare)"),),
        breaks=SAFETY,
        faults=Faults(drop=0.2, delay=0.3, delay_s=(0.0, 0.3), pauses=3, pause_s=(0.0, 0.3)),  # what waits comes in one tick
    ),
    Mutant(
        name="nothing accepted is reported",
        subject=SYNOD,
        edits=(("*self.accepted.get((), (LOWEST, None)))", "LOWEST, None)"),),
        breaks=SAFETY,
    ),
    Mutant(
        name="what was accepted is reported under the new ballot",
        subject=SYNOD,
        edits=(
            ("*self.accepted.get((), (LOWEST, None)))", "p.ballot, self.accepted.get((), (LOWEST, 'none')).value)"),
        ),
        breaks=(*SAFETY, "validity", "KeyConflict"),
    ),
    Mutant(
        name="promises of different ballots mixed",
        subject=SYNOD,
        edits=(
            ("self.promises <= ((p.ballot, p.acceptor, p.accepted, p.value) for p in self.promise)",
             "self.promises <= ((t.ballot, p.acceptor, p.accepted, p.value) for p in self.promise for t in self.trying)"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="promises counted by message",
        subject=SYNOD_OF_5,
        edits=(
            ('promises = table("ballot: tuple, acceptor: str, accepted: tuple, value")',
             'promises = table("ballot: tuple, acceptor: str, accepted: tuple, value, step")'),
            ("self.promises <= ((p.ballot, p.acceptor, p.accepted, p.value) for",
             "self.promises <= ((p.ballot, p.acceptor, p.accepted, p.value, self.step) for"),
            ("agg.count_distinct(p.acceptor), agg.max(p.accepted)", "agg.count(), agg.max(p.accepted)"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="votes of different ballots counted together",
        subject=SYNOD,
        edits=(
            ("((v.ballot, v.value, agg.count_distinct(v.acceptor)) for v in self.votes)",
             "((LOWEST, v.value, agg.count_distinct(v.acceptor)) for v in self.votes)"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="votes for any value of a ballot counted together",
        subject=SYNOD,
        edits=(
            ("((v.ballot, v.value, agg.count_distinct(v.acceptor)) for v in self.votes)",
             "((v.ballot, v.value, agg.count_distinct(w.acceptor)) for v in self.votes for w in self.votes if w.ballot == v.ballot)"),
        ),
        why="a ballot has one proposer and one value, so that its votes are all for the same",
    ),
    Mutant(
        name="decision before a majority: the first vote decides",
        subject=SYNOD,
        edits=(("self.chosen <= ((t.value,) for t in self.tally if self.quorum(t.acceptors))", "self.chosen <= ((t.value,) for t in self.tally)"),),
        breaks=SAFETY, easy=True,
    ),
    Mutant(
        name="decided on its own acceptance",
        subject=SYNOD,
        edits=(
            ("self.chosen <= ((t.value,) for t in self.tally if self.quorum(t.acceptors))", "self.chosen <= ((a.value,) for a in self.accept)"),
        ),
        breaks=SAFETY, easy=True,
    ),
    Mutant(
        name="decision waits for the vote of all who promised",
        subject=ONE_BALLOT,
        edits=(
            (
                "class Synod(Proposer, Acceptor, Learner):\n",
                "class Waiting(Proposer, Acceptor, Learner):\n"
                "    @rule\n"
                "    def learning(self) -> None:\n"
                "        self.votes <= ((v.ballot, v.value, v.acceptor) for v in self.voted)\n"
                "        self.tally <= ((v.ballot, v.value, agg.count_distinct(v.acceptor)) for v in self.votes)\n"
                "        self.chosen <= ((t.value,) for t in self.tally for g in self.granted\n"
                "                        if g.ballot == t.ballot and g.acceptors == t.acceptors)\n"
                "\n"
                "class Synod(Waiting):\n",
            ),
        ),
        breaks="termination", easy=True,
    ),
    Mutant(
        name="votes counted twice: by message",
        subject=SYNOD,
        edits=(
            ('votes = table("ballot: tuple, value, acceptor: str")', 'votes = table("ballot: tuple, value, acceptor: str, step")'),
            ("((v.ballot, v.value, v.acceptor) for v in self.voted)", "((v.ballot, v.value, v.acceptor, self.step) for v in self.voted)"),
            ("((v.ballot, v.value, agg.count_distinct(v.acceptor)) for v in self.votes)", "((v.ballot, v.value, agg.count()) for v in self.votes)"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="lost retry: a proposer begins one ballot only",
        subject=SYNOD,
        edits=(
            ("if self.rand >= self.patience and not any(c for c in self.chosen))",
             "if not any(c for c in self.chosen) and self.tried.value < LOWEST)"),
        ),
        breaks="termination",
    ),
    Mutant(
        name="who has not learned does not ask",
        subject=SYNOD,
        edits=(("for b in self.beat for learner in self.learners if", "for b in self.beat for learner in () if"),),
        breaks="termination",
    ),
    Mutant(
        name="retry without patience",
        subject=SYNOD,
        edits=(("if self.rand >= self.patience and not any(c for c in self.chosen))", "if not any(c for c in self.chosen))"),),
        why="with the delays of one network, one of the proposers is soon ahead by more than a round trip",
    ),
)
