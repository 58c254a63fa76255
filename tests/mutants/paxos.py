"""Mutants of single-decree Paxos."""

from __future__ import annotations

from typing import Any

from bloompy.sim import Faults, Simulation

from .mutant import Mutant, Subject, assert_within, right
from .programs.paxos import LOWEST


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
        self.chosen.update(row.value for node in self.sim.up for row in node.decided)
        return len(self.chosen) <= 1

    def kept(self) -> bool:
        """Promises only grow, over crashes, and nothing is accepted above them."""
        for node in self.sim.up:
            for row in node.accepted:
                self.note(node.address, row)
            held = max((row.ballot for row in node.promised), default=LOWEST)
            if node.step and (held < self.promised.get(node.address, LOWEST) or any(row.ballot > held for row in node.accepted)):
                return False
            self.promised[node.address] = max(held, self.promised.get(node.address, LOWEST))
        return True

    def one_value(self) -> bool:
        """A ballot is begun once, and all that is accepted in it is one value."""
        for node in self.sim.up:
            for row in node.ballot:
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
            sim.add(programs.Synod, member, members=members, setup=observer.propose if member in proposers else observer.listen)
        sim.always(observer.agreement, "agreement")
        sim.always(observer.kept, "promises kept")
        sim.always(observer.one_value, "one value a ballot")
        sim.run(until=0.8)
        sim.calm()
        assert_within(sim, lambda: all(len(sim[member].decided) for member in members), 20.0, "termination")
        assert observer.backed(), "backed by a majority"
        assert observer.chosen <= observer.proposed, "validity"

    return test


SAFETY = ("agreement", "promises kept", "one value a ballot", "backed by a majority")
CRASHES = Faults(drop=0.2, delay=0.3, delay_s=(0.0, 0.3), crashes=3, down_s=(0.0, 0.2))

SYNOD = Subject(
    name="Paxos",
    modules=("tests.mutants.programs.paxos",),
    test=synod(("a", "b", "c"), ("a", "b")),
    faults=Faults(drop=0.2, duplicate=0.1, delay=0.3, delay_s=(0.0, 0.3), crashes=2, down_s=(0.0, 0.3)),
)
SYNOD_OF_5 = Subject(
    name="Paxos of 5",
    modules=("tests.mutants.programs.paxos",),
    test=synod(("a", "b", "c", "d", "e"), ("a", "b", "c")),
    faults=Faults(drop=0.2, duplicate=0.3, delay=0.3, delay_s=(0.0, 0.3), crashes=1, down_s=(0.0, 0.3)),
)

MUTANTS = (
    right(SYNOD),
    right(SYNOD_OF_5),
    Mutant(
        name="wrong quorum: half is enough",
        subject=SYNOD,
        edits=(("count >= len(self.members) // 2 + 1", "count >= len(self.members) // 2"),),
        breaks=SAFETY, easy=True,
    ),
    Mutant(
        name="forgotten promise (not durable)",
        subject=SYNOD,
        edits=(('promised = table("-> ballot: tuple", durable=True)', 'promised = table("-> ballot: tuple")'),),
        breaks=SAFETY,
        faults=CRASHES,
    ),
    Mutant(
        name="forgotten acceptance (not durable)",
        subject=SYNOD,
        edits=(('accepted = table("-> ballot: tuple, value", durable=True)', 'accepted = table("-> ballot: tuple, value")'),),
        breaks=SAFETY,
        faults=CRASHES,
    ),
    Mutant(
        name="forgotten round: a restarted proposer takes its old ballot for another value",
        subject=SYNOD,
        edits=(
            ('round = table("-> number: int", durable=True)', 'round = table("-> number: int")'),
            ("max(self.round.get((), (0,)).number, self.promised.get((), (LOWEST,)).ballot[0]) + 1", "self.round.get((), (0,)).number + 1"),
        ),
        breaks=SAFETY,
        faults=CRASHES,
    ),
    Mutant(
        name="own value always, whatever was accepted",
        subject=SYNOD,
        edits=(("b.value if x.accepted == LOWEST else x.value", "b.value"),),
        breaks=SAFETY,
    ),
    Mutant(
        name="value of the lowest ballot reported",
        subject=SYNOD,
        edits=(("agg.max(h.accepted), agg.argmax(h.value, h.accepted)", "agg.max(h.accepted), agg.argmin(h.value, h.accepted)"),),
        breaks=(*SAFETY, "validity"),
    ),
    Mutant(
        name="greatest value reported instead of that of the highest ballot",
        subject=SYNOD,
        edits=(("agg.max(h.accepted), agg.argmax(h.value, h.accepted)", "agg.max(h.accepted), agg.max(h.value)"),),
        breaks=SAFETY,
    ),
    Mutant(
        name="ballots of two proposers equal",
        subject=SYNOD,
        edits=((".ballot[0]) + 1, self.me), w.value)", '.ballot[0]) + 1, "x"), w.value)'),),
        breaks=SAFETY,
    ),
    Mutant(
        name="acceptor accepts in any ballot",
        subject=SYNOD,
        edits=(("for a in self.accept for f in self.floor\n                       if a.ballot >= f.ballot)", "for a in self.accept)"),),
        breaks=SAFETY,
    ),
    Mutant(
        name="acceptor promises in any ballot",
        subject=SYNOD,
        edits=(("for p in self.prepare for f in self.floor if p.ballot >= f.ballot)", "for p in self.prepare)"),),
        why="what it accepts is still bounded by its promise, and a report of more than was asked for harms nobody",
    ),
    Mutant(
        name="promise not kept: nothing is recorded",
        subject=SYNOD,
        edits=(("if f.ballot != LOWEST\n                           or any(t for t in self.taken))", "if any(t for t in self.taken))"),),
        breaks=SAFETY,
    ),
    Mutant(
        name="acceptance does not count as a promise",
        subject=SYNOD,
        edits=(("((max(f.ballot, self.taken.get((), (LOWEST, \"\")).ballot),) for f in self.floor", "((f.ballot,) for f in self.floor"),),
        breaks=SAFETY,
    ),
    Mutant(
        name="promise of this tick does not bind in this tick",
        subject=SYNOD,
        edits=(
            (
                "max(self.promised.get((), (LOWEST,)).ballot, self.asked.get((), (LOWEST,)).ballot),) for x in (1,)",
                "self.promised.get((), (LOWEST,)).ballot,) for x in (1,)",
            ),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="nothing accepted is reported",
        subject=SYNOD,
        edits=(
            (
                'self.promise <~ ((p.proposer, self.me, p.ballot, self.accepted.get((), (LOWEST, "")).ballot,',
                "self.promise <~ ((p.proposer, self.me, p.ballot, LOWEST,",
            ),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="what was accepted is reported under the new ballot",
        subject=SYNOD,
        edits=(
            (
                'self.promise <~ ((p.proposer, self.me, p.ballot, self.accepted.get((), (LOWEST, "")).ballot,',
                "self.promise <~ ((p.proposer, self.me, p.ballot, p.ballot,",
            ),
        ),
        breaks=(*SAFETY, "validity"),
    ),
    Mutant(
        name="promises of different ballots mixed",
        subject=SYNOD,
        edits=(
            ("self.heard <= ((p.ballot, p.acceptor, p.accepted, p.value) for p in self.promise)",
             "self.heard <= ((b.ballot, p.acceptor, p.accepted, p.value) for p in self.promise for b in self.ballot)"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="promises counted by message",
        subject=SYNOD_OF_5,
        edits=(
            ('promises = table("ballot: tuple, acceptor: str, accepted: tuple, value")',
             'promises = table("ballot: tuple, acceptor: str, accepted: tuple, value, step")'),
            ('heard = scratch("ballot, acceptor, accepted, value")', 'heard = scratch("ballot, acceptor, accepted, value, step")'),
            ("self.heard <= ((p.ballot, p.acceptor, p.accepted, p.value) for",
             "self.heard <= ((p.ballot, p.acceptor, p.accepted, p.value, self.step) for"),
            ("agg.count_distinct(h.acceptor)) for h in self.heard", "agg.count()) for h in self.heard"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="votes of different ballots counted together",
        subject=SYNOD,
        edits=(
            ("((s.ballot, s.value, agg.count_distinct(s.acceptor)) for s in self.seen)",
             "((LOWEST, s.value, agg.count_distinct(s.acceptor)) for s in self.seen)"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="votes for any value of a ballot counted together",
        subject=SYNOD,
        edits=(
            ("((s.ballot, s.value, agg.count_distinct(s.acceptor)) for s in self.seen)",
             "((s.ballot, s.value, agg.count_distinct(t.acceptor)) for s in self.seen for t in self.seen if t.ballot == s.ballot)"),
        ),
        why="a ballot has one proposer and one value, so that its votes are all for the same",
    ),
    Mutant(
        name="decision before a majority: the first vote decides",
        subject=SYNOD,
        edits=(("for b in self.backing if self.majority(b.acceptors))", "for b in self.backing)"),),
        breaks=SAFETY,
    ),
    Mutant(
        name="votes counted twice: by message",
        subject=SYNOD,
        edits=(
            ('votes = table("acceptor: str, ballot: tuple, value")', 'votes = table("acceptor: str, ballot: tuple, value, step")'),
            ('seen = scratch("acceptor, ballot, value")', 'seen = scratch("acceptor, ballot, value, step")'),
            ("((v.acceptor, v.ballot, v.value) for v in self.voted)", "((v.acceptor, v.ballot, v.value, self.step) for v in self.voted)"),
            ("agg.count_distinct(s.acceptor)) for s in self.seen", "agg.count()) for s in self.seen"),
        ),
        breaks=SAFETY,
    ),
    Mutant(
        name="lost retry: a proposer begins one ballot only",
        subject=SYNOD,
        edits=(
            ("if self.rand >= self.patience and not any(d for d in self.decided))",
             "if not any(d for d in self.decided) and not any(r for r in self.round))"),
        ),
        breaks="termination",
    ),
    Mutant(
        name="who has not learned does not ask",
        subject=SYNOD,
        edits=(("for b in self.beat for member in self.members if not any(d for d in self.decided))", "for b in self.beat for member in ())"),),
        breaks="termination",
    ),
    Mutant(
        name="retry without patience",
        subject=SYNOD,
        edits=(("if self.rand >= self.patience and not any(d for d in self.decided))", "if not any(d for d in self.decided))"),),
        why="with the delays of one network, one of the proposers is soon ahead by more than a round trip",
    ),
)
