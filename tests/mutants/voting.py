"""Mutants of voting."""

from __future__ import annotations

from typing import Any

from bloompy import Bloom, rule
from bloompy.sim import Faults, Simulation

from .mutant import Mutant, Subject, assert_within, right

VOTERS = ("a", "b", "c")


def fickle(programs: Any) -> type[Bloom]:
    """A voter that, asked again, may answer otherwise; it leans to what it was asked, and is sure of w."""
    made: type[Bloom] | None = getattr(programs, "fickle", None)
    if made is None:

        class Fickle(programs.Voting):  # type: ignore[misc, name-defined]
            @rule
            def opinion(self):
                self.answer <= ((a.ballot, a.question if a.question == "w" or self.rand < 0.6 else "neither") for a in self.ask)

        made = programs.fickle = Fickle
    return made


def test(programs: Any, sim: Simulation) -> None:
    """Two callers of one ballot, with different questions; another ballot at the same time; an outsider who votes as well."""
    for voter in VOTERS:
        sim.add(fickle(programs), voter, electorate=VOTERS, retry_s=0.1)
    sim.add(fickle(programs), "outsider", electorate=VOTERS, retry_s=0.1)
    results: dict[Any, set[str]] = {}

    def one_result() -> bool:
        for node in sim.up:
            for row in node.result:
                results.setdefault(row.ballot, set()).add(row.choice)
        return all(len(found) == 1 for found in results.values())

    def backed() -> bool:
        """Each result is what a majority of the voters gave."""
        for ballot, found in results.items():
            given = [sim[voter].given.get(ballot) for voter in VOTERS]
            if sum(row is not None and row.choice in found for row in given) < 2:
                return False
        return True

    sim.always(one_result, "one result")
    for caller, question in (("a", "x"), ("b", "y"), ("outsider", "z")):
        if sim[caller].up:
            sim[caller].open.insert((1, question), (2, "w"))
        sim.run(for_s=0.001 * sim.integer(0, 50))
    for voter in VOTERS:
        if sim[voter].up:
            sim[voter].cast.insert((voter, 1, "outsider", "z"))
    sim.run(until=0.6)
    sim.calm()
    for caller, question in (("a", "x"), ("b", "y")):
        sim[caller].open.insert((1, question))
    assert_within(sim, lambda: all(sim[caller].result.get(1) or 1 in sim[caller].hopeless for caller in "ab"), 10.0, "termination")
    sim["c"].crash()
    sim.partition("a", "b", for_s=0.3)
    sim["a"].open.insert((3, "w"))
    assert_within(sim, lambda: 3 in sim["a"].result, 10.0, "termination")
    sim["c"].restart()
    assert backed(), "backed: a result without a majority of votes given"


VOTING = Subject(
    name="voting",
    modules=("bloompy.std.tally", "bloompy.std.voting"),
    test=test,
    faults=Faults(drop=0.2, duplicate=0.2, delay=0.2, delay_s=(0.0, 0.2), crashes=2, down_s=(0.0, 0.1)),
)


def mutant(name: str, *edits: tuple[str, str], breaks: str | tuple[str, ...] = (), why: str = "", easy: bool = False) -> Mutant:
    """One of voting."""
    return Mutant(name=name, subject=VOTING, edits=edits, breaks=breaks, why=why, easy=easy)


MUTANTS = (
    right(VOTING),
    mutant("wrong quorum: half is enough", ("return len(self.electorate) // 2 + 1", "return len(self.electorate) // 2"), breaks=("one result", "backed"), easy=True),
    mutant("wrong quorum: all are needed", ("return len(self.electorate) // 2 + 1", "return len(self.electorate)"), breaks="termination"),
    mutant(
        "vote counted twice: by message",
        ('counted = table("ballot, voter: str -> choice")', 'counted = table("ballot, voter: str, step -> choice")'),
        ('new = scratch("ballot, voter -> choice")', 'new = scratch("ballot, voter, step -> choice")'),
        ('valid = scratch("ballot, voter -> choice")', 'valid = scratch("ballot, voter, step -> choice")'),
        ("((v.ballot, v.voter, agg.choose(v.choice)) for v in self.vote", "((v.ballot, v.voter, self.step, agg.choose(v.choice)) for v in self.vote"),
        ("if v.voter in self.electorate and (v.ballot, v.voter) not in self.counted)", "if v.voter in self.electorate)"),
        (" and (c.ballot, voter) not in self.counted)", ")"),
        breaks=("one result", "backed"),
    ),
    mutant("who has no vote is counted", ("if v.voter in self.electorate and", "if"), breaks=("one result", "backed")),
    mutant("a vote is forgotten (not durable)", ('given = table("ballot -> choice", durable=True)', 'given = table("ballot -> choice")'), breaks=("one result", "backed")),
    mutant(
        "a vote is not kept",
        ("        self.given <+ self.chosen\n", ""),
        breaks=("one result", "backed", "termination"),
    ),
    mutant(
        "a voter changes its mind when it is asked again",
        ("for p in self.poll if p.ballot not in self.given)", "for p in self.poll)"),
        ("if a.ballot not in self.given and any(", "if any("),
        ("self.given <+ self.chosen", "self.given <+- self.chosen"),
        ("self.standing <= self.given\n", "self.standing <= (g for g in self.given if g.ballot not in self.chosen)\n"),
        breaks=("one result", "backed"),
    ),
    mutant(
        "asked again, the first answer stays all the same",
        ("for p in self.poll if p.ballot not in self.given)", "for p in self.poll)"),
        why="only the question is repeated",
    ),
    mutant(
        "decision before a majority: the leading choice wins",
        ("if c.votes >= self.enough() and c.ballot not in self.result)", "if c.ballot not in self.result)"),
        breaks=("one result", "backed"),
    ),
    mutant(
        "votes of different ballots counted together",
        (
            "self.count <= ((v.ballot, v.choice, agg.count()) for v in self.valid)",
            "self.count <= ((v.ballot, v.choice, agg.count()) for v in self.valid for w in self.valid if w.choice == v.choice)",
        ),
        breaks=("one result", "backed"),
    ),
    mutant(
        "lost retry: voters are polled once",
        ("if c.ballot not in self.result and c.ballot not in self.hopeless and", "if False and"),
        breaks="termination",
    ),
    mutant(
        "who has voted is polled again and again",
        (" and (c.ballot, voter) not in self.counted)", ")"),
        why="it gives the vote it gave, which is counted once",
    ),
)
