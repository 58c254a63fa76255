"""Mutants of the failure detector."""

from __future__ import annotations

from typing import Any

from bloompy.sim import Faults, Simulation

from .mutant import Mutant, Subject, assert_within, right

NODES = ("a", "b", "c")


def test(programs: Any, sim: Simulation) -> None:
    """Three nodes watch one another; b stands still again and again for longer than the first timeout; in the end c crashes."""
    for name in NODES:
        sim.add(programs.FailureDetector, name, peers=NODES, interval_s=0.1, timeout_s=0.3, increment_s=0.2)
    for number in range(20):
        sim.at(0.9 * number + 0.5, lambda: sim["b"].pause(0.5))
    sim.run(until=2.0)
    sim.calm()

    def suspected(address: str) -> set[str]:
        return {row.peer for row in sim[address].suspected}

    sim.run(for_s=5.0)
    wrong: list[str] = []
    for name in NODES:
        for peer in NODES:
            if peer in suspected(name):
                wrong.append(f"{name} still suspects {peer}")
        sim[name].program.suspect.on_insert(lambda row, name=name: wrong.append(f"{name} suspects {row.peer}"))
    sim.run(for_s=2.0)
    assert not wrong, f"accuracy: {', '.join(wrong)}"
    sim["c"].crash()
    if sim.chance(0.5):
        sim["a"].restart()
    wrong.clear()
    assert_within(sim, lambda: all("c" in suspected(name) for name in "ab"), 5.0, "completeness")
    sim.run(for_s=1.0)
    assert all("c" in suspected(name) for name in "ab"), "completeness: not for ever"


DETECTOR = Subject(
    name="failure detector",
    modules=("bloompy.std.failure_detector",),
    test=test,
    faults=Faults(drop=0.2, duplicate=0.1, delay=0.2, delay_s=(0.0, 0.2), crashes=1, partitions=1, partition_s=(0.2, 2.0)),
)


def mutant(name: str, *edits: tuple[str, str], breaks: str | tuple[str, ...] = (), why: str = "", easy: bool = False) -> Mutant:
    """One of the failure detector."""
    return Mutant(name=name, subject=DETECTOR, edits=edits, breaks=breaks, why=why, easy=easy)


MUTANTS = (
    right(DETECTOR),
    mutant("the timeout does not grow", ("x.timeout_s + self.increment_s) for c", "x.timeout_s) for c"), breaks="accuracy"),
    mutant("a suspicion is never taken back", ("        self.suspected <- self.cleared\n", ""), breaks="accuracy"),
    mutant(
        "suspected peers get no heartbeats",
        ("self.heartbeat <~ ((p.peer, self.me) for b in self.beat for p in self.peer)",
         "self.heartbeat <~ ((p.peer, self.me) for b in self.beat for p in self.peer if p.peer not in self.suspected)"),
        breaks="accuracy",
    ),
    mutant(
        "only who was heard before is suspected",
        ("        self.last <+- ((w.peer, self.now, self.timeout_s) for w in self.watched)\n", ""),
        ("if x.peer == f.peer and x.peer in self.peer and x.peer not in self.suspected)", "if x.peer == f.peer and x.peer not in self.suspected)"),
        ("        self.last <+- ((x.peer, self.now, x.timeout_s) for f in self.fresh for x in self.last\n",
         "        self.last <+- ((f.peer, self.now, self.timeout_s) for f in self.fresh if f.peer not in self.last)\n"
         "        self.last <+- ((x.peer, self.now, x.timeout_s) for f in self.fresh for x in self.last\n"),
        breaks="completeness",
    ),
    mutant(
        "any heartbeat counts for all",
        ("for f in self.fresh for x in self.last\n                       if x.peer == f.peer and x.peer in self.peer",
         "for f in self.fresh for x in self.last\n                       if x.peer in self.peer"),
        breaks="completeness",
    ),
    mutant(
        "the silence is counted from the last look",
        ("if b.time - x.time > x.timeout_s and x.peer in self.peer", "if b.time - self.now + self.interval_s > x.timeout_s and x.peer in self.peer"),
        breaks="completeness",
    ),
    mutant(
        "heartbeats are sent once",
        ("self.heartbeat <~ ((p.peer, self.me) for b in self.beat for p in self.peer)",
         "self.heartbeat <~ ((p.peer, self.me) for b in self.beat for p in self.peer if b.no == 1)"),
        breaks="accuracy", easy=True,
    ),
    mutant(
        "a suspicion is said at every look",
        ("self.suspect <= ((s.peer,) for s in self.silent if s.peer not in self.suspected)", "self.suspect <= self.silent"),
        why="only what is said is repeated; who is suspected is the same",
    ),
)
