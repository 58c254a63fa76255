"""Mutants of two-phase commit with presumed abort."""

from __future__ import annotations

from typing import Any

from bloompy import Bloom, rule
from bloompy.sim import Faults, Simulation

from .mutant import Mutant, Subject, assert_within, right

PARTS = ("p", "q", "r")


def voter(programs: Any) -> type[Bloom]:
    """A participant that votes by lot when it is asked, also when it is asked again."""
    made: type[Bloom] | None = getattr(programs, "voter", None)
    if made is None:

        class Voter(programs.Participant):  # type: ignore[misc, name-defined]
            @rule
            def opinion(self):
                self.vote <= ((a.coordinator, a.tx, self.rand < 0.8) for a in self.ask)

        made = programs.voter = Voter
    return made


class Observer:
    """What was said and decided so far, by transaction and node."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.decided: dict[Any, dict[str, bool]] = {}
        self.refused: set[Any] = set()

    def coordinate(self, node: Any) -> None:
        """Listen to a coordinator that starts."""
        node.outcome.on_insert(lambda row: self.decided.setdefault(row.tx, {}).setdefault("c", row.commit))

    def take_part(self, node: Any) -> None:
        """Listen to a participant that starts."""
        node.ballot.on_insert(lambda row: None if row.yes else self.refused.add(row.tx))

    def atomicity(self) -> bool:
        """No two nodes decide differently, and no node changes its mind."""
        for part in PARTS:
            node = self.sim[part]
            for row in node.decided if node.up else ():
                self.decided.setdefault(row.tx, {}).setdefault(part, row.commit)
                if self.decided[row.tx][part] != row.commit:
                    return False
        return all(len(set(found.values())) == 1 for found in self.decided.values())

    def validity(self) -> bool:
        """What anybody refused is not committed."""
        return not any(any(self.decided.get(tx, {}).values()) for tx in self.refused)

    def over(self) -> bool:
        """Nothing is open any more, and the coordinator has forgotten all."""
        coordinator = self.sim["c"]
        if len(self.sim.up) < len(PARTS) + 1:
            return False
        return not (len(coordinator.running) or len(coordinator.owed) or any(len(self.sim[part].prepared) for part in PARTS))

    def durable(self) -> bool:
        """What a participant decided it still knows, and with the coordinator all have committed."""
        for tx, found in self.decided.items():
            for part in PARTS:
                row = self.sim[part].decided.get(("c", tx))
                if (row is None or not row.commit) if any(found.values()) else (part in found and row is None):
                    return False
        return True


def test(programs: Any, sim: Simulation) -> None:
    """A coordinator, three participants, and up to three transactions."""
    observer = Observer(sim)
    coordinator = sim.add(programs.Coordinator, "c", setup=observer.coordinate, timeout_s=0.5, retry_s=0.1)
    for part in PARTS:
        sim.add(voter(programs), part, setup=observer.take_part, retry_s=0.1)
    sim.always(observer.atomicity, "atomicity")
    sim.always(observer.validity, "validity")
    for tx in sim.operations(3, lambda number: number):
        if coordinator.up:
            coordinator.submit.insert(*((tx, part, "work") for part in PARTS))
        sim.run(for_s=0.001 * sim.integer(0, 100))
    sim.run(until=0.7)
    sim.calm()
    assert_within(sim, observer.over, 10.0, "termination")
    assert observer.durable(), "durability: a participant forgot or never learned what was decided"


def mix(**changes: Any) -> Faults:
    """Faults that are over in time."""
    usual: dict[str, Any] = {"drop": 0.1, "duplicate": 0.1, "delay": 0.2, "delay_s": (0.0, 0.2), "crashes": 2, "down_s": (0.0, 0.2)}
    return Faults(**(usual | changes))


COMMIT = Subject(name="two-phase commit", modules=("bloompy.std.two_phase_commit",), test=test, faults=mix())


def mutant(name: str, *edits: tuple[str, str], breaks: str | tuple[str, ...] = (), faults: Faults | None = None, why: str = "", easy: bool = False) -> Mutant:
    """One of two-phase commit."""
    return Mutant(name=name, subject=COMMIT, edits=edits, breaks=breaks, faults=faults, why=why, easy=easy)


PREPARED = 'prepared = table("coordinator: str, tx -> work", durable=True)'
DECIDED = 'decided = table("coordinator: str, tx -> commit: bool, time: float", durable=True)'
OWED = 'owed = table("tx, participant: str", durable=True)'

MUTANTS = (
    right(COMMIT),
    mutant("yes before it is safe: prepared not durable", (PREPARED, PREPARED.replace(", durable=True", "")), breaks="durability"),
    mutant(
        "commit before it is safe: the commit record is not durable",
        (OWED, OWED.replace(", durable=True", "")),
        breaks=("atomicity", "durability"),
    ),
    mutant("decision not durable", (DECIDED, DECIDED.replace(", durable=True", "")), breaks=("durability", "atomicity", "validity")),
    mutant(
        "coordinator answers commit for what it does not know",
        ("self.decide <~ ((a.participant, self.me, a.tx, False)", "self.decide <~ ((a.participant, self.me, a.tx, True)"),
        breaks=("atomicity", "validity"), easy=True,
    ),
    mutant(
        "coordinator presumes abort while it still collects votes",
        ("if a.tx not in self.running and (a.tx, a.participant) not in self.owed)", "if (a.tx, a.participant) not in self.owed)"),
        breaks="atomicity",
    ),
    mutant(
        "decision before all voted: one yes is enough",
        (
            "for r in self.running if not any(m for m in self.missing if m.tx == r.tx))",
            "for r in self.running if any(f for f in self.in_favour if f.tx == r.tx))",
        ),
        breaks=("validity", "atomicity", "durability", "'verdict'"),
    ),
    mutant(
        "any vote counts as a yes",
        ("for v in self.voted if v.yes and (v.tx, v.participant) in self.party)", "for v in self.voted if (v.tx, v.participant) in self.party)"),
        breaks=("validity", "atomicity", "durability", "'verdict'"),
    ),
    mutant(
        "votes of different transactions mixed",
        (
            "self.in_favour <= ((v.tx, v.participant) for v in self.voted if v.yes and (v.tx, v.participant) in self.party)",
            "self.in_favour <= ((p.tx, v.participant) for v in self.voted for p in self.party if v.yes and p.participant == v.participant)",
        ),
        breaks=("validity", "atomicity", "durability", "'verdict'"),
    ),
    mutant(
        "a participant that is in doubt for long aborts by itself",
        (
            "        self.learned <= self.final\n",
            "        self.final <= ((p.coordinator, p.tx, False, p.work) for b in self.beat for p in self.prepared\n"
            "                       if not any(d for d in self.decide if d.tx == p.tx))\n        self.learned <= self.final\n",
        ),
        breaks="atomicity",
    ),
    mutant(
        "missing deduplication: a repeated prepare is asked about anew",
        ("not in self.prepared and (p.coordinator, p.tx) not in self.decided)", "not in self.prepared)"),
        breaks=("atomicity", "'decided'", "termination", "'voted'", "validity"),
    ),
    mutant(
        "a no is forgotten",
        ("for b in self.ballot if not b.yes)", "for b in self.ballot if False)"),
        breaks="validity",
    ),
    mutant(
        "one acknowledgement counts for all",
        (
            "self.owed <- ((d.tx, d.participant) for d in self.done)",
            "self.owed <- (o for d in self.done for o in self.owed if o.tx == d.tx)",
        ),
        breaks="atomicity",
    ),
    mutant(
        "lost retry: nobody in doubt asks",
        (
            "for b in self.beat for p in self.prepared\n                         if (p.coordinator, p.tx) not in self.final)",
            "for b in self.beat for p in self.prepared if False)",
        ),
        breaks="termination",
    ),
    mutant(
        "lost retry: a commit is said once",
        ("self.decide <~ ((o.participant, self.me, o.tx, True) for b in self.beat for o in self.owed)", ""),
        breaks="termination",
    ),
    mutant(
        "lost retry: prepare is said once",
        ("self.prepare <~ ((m.participant, self.me, m.tx, m.work) for b in self.beat for m in self.missing if m.tx not in self.verdict)", ""),
        why="what is lost aborts the transaction by its timeout",
    ),
    mutant(
        "a no does not abort at once",
        ("self.verdict <= ((v.tx, False) for v in self.voted if not v.yes and v.tx in self.running)", ""),
        why="the timeout does",
    ),
    mutant(
        "no timeout: missing votes are waited for",
        ("if r.deadline <= b.time and any(m for m in self.missing if m.tx == r.tx))", "if r.deadline < 0)"),
        why="prepare is said again until all have voted, and who refused refuses again",
    ),
    mutant(
        "a commit is not acknowledged by who does not remember it",
        ("for d in self.decide if d.commit)", "for d in self.decide if d.commit and (d.coordinator, d.tx) in self.prepared)"),
        breaks="termination",
    ),
    mutant(
        "the coordinator forgets whom it told before they know",
        (
            "self.owed <+ ((p.tx, p.participant) for v in self.verdict for p in self.party if p.tx == v.tx and v.commit)",
            "self.owed <+ ((p.tx, p.participant) for v in self.verdict for p in self.party if p.tx == v.tx and v.commit and p.participant < \"q\")",
        ),
        breaks="atomicity",
    ),
)

