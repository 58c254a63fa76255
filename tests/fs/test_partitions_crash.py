"""A crash at every point, and the loss of every message, of what crosses partitions: it happens everywhere or nowhere (spec C, rows 3 and 4).

Every tick, synchronisation and frame of a run without faults is taken in turn as the place of the one fault of another run.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import pytest
from attrs import frozen

from bloompy.sim import Decision, Schedule, SimNode, Simulation
from bloompy_fs.placement import partition_of
from bloompy_fs.transactions import UNREACHED

from .partitions import Session, at_rest, join, start, tree

BEGUN = 1_000  # decrees before the test begins


def directory(home: int, partitions: int, other_than: tuple[int, ...] = ()) -> int:
    """A number for a directory whose files are on this partition."""
    return next(fid for fid in range(1, BEGUN) if partition_of(fid, partitions) == home and fid not in other_than)


def furnish(node: SimNode) -> None:
    """/a, /b and /c at home on partitions 0, 1 and 2 (or 0), an empty /a/d at home on 1, a file with two chunks in each."""
    join(node)
    if node.incarnation > 1:
        return
    here, partitions = node.program.partition, len(node.program.partitions)
    node.reached.insert((BEGUN,))
    fids: dict[str, int] = {}
    for name, home in (("a", 0), ("b", 1), ("c", 2 % partitions), ("d", 1)):
        fids[name] = directory(home, partitions, tuple(fids.values()))
    for name in "abc":
        node.inode.insert((0, name, fids[name], True, 0, 0.0))
    node.inode.insert((fids["a"], "d", fids["d"], True, 0, 0.0))
    for i, name in enumerate("abc"):
        if partition_of(fids[name], partitions) == here:
            fid = (10 + i) * partitions + here
            node.inode.insert((fids[name], "f", fid, False, 1, 0.0))
            node.fchunk.insert((fid, 0, (20 + i) * partitions + here, 5), (fid, 1, (30 + i) * partitions + here, 6))


@frozen
class Case:
    """A request, and how many partitions there are."""

    partitions: int
    request: tuple[Any, ...]
    code: str = ""

    def __str__(self) -> str:
        return f"{' '.join(map(str, self.request))} on {self.partitions}"


CASES = [
    Case(2, ("mkdir", "/a/x")),
    Case(2, ("mkdir", "/b/x")),
    Case(2, ("mkdir", "/b/f"), "EEXIST"),
    Case(2, ("rm", "/a/d", False)),
    Case(2, ("rm", "/b", True)),
    Case(2, ("rm", "/b", False), "ENOTEMPTY"),
    Case(2, ("rename", "/b", "/a/d/z", False, False)),
    Case(2, ("rename", "/a", "/b/f", False, False), "EEXIST"),
    Case(2, ("rename", "/a/f", "/b/g", False, False)),
    Case(2, ("rename", "/b/f", "/a/f", False, True)),
    Case(2, ("rename", "/b/f", "/a/f", False, False), "EEXIST"),
    Case(3, ("mkdir", "/c/x")),
    Case(3, ("rename", "/b/f", "/c/f", False, True)),
    Case(3, ("rename", "/c/f", "/a/d", True, False)),
    Case(3, ("rename", "/c/h", "/a/f", True, False), "ENOENT"),
]


def begin(case: Case, schedule: Schedule, **options: Any) -> tuple[Simulation, Any]:
    """A run up to the request."""
    sim = Simulation(schedule=schedule, trace=False)
    start(sim, case.partitions, setup=furnish, **options)
    return sim, sim.spawn(Session(sim["c0"], case.partitions).ask(*case.request))


def finish(sim: Simulation, task: Any) -> str:
    """The answer, when all is at rest."""
    sim.run_until(task.done, limit_s=60)
    code, _ = task.result()
    sim.run_until(lambda: at_rest(sim), limit_s=60)  # nobody restarts before its time
    return str(code)


def calm(case: Case) -> tuple[Any, Any, list[Decision]]:
    """The names before and after, and the places where a run without faults may be harmed."""
    sim, task = begin(case, Schedule())
    sim.run_until(lambda: all(node.up and len(node.fqpath) for node in sim if node.address != "c0"), limit_s=1)
    before = tree(sim)
    asked: list[tuple[str, str, int]] = []
    sim.mishaps.crashes = True
    sim.mishaps.crash = lambda node, *point: asked.append((node.address, *point))  # type: ignore[method-assign]
    assert finish(sim, task) == case.code
    nodes = [node.address for node in sim]
    frames = [(one, other, n) for one in nodes for other in nodes for n in range(1, 4) if one != other]
    crashes = [Decision("crash", point, [0.15, "crash"]) for point in asked if point[0] != "c0" and point[1] != "in_sync"]
    return before, tree(sim), [*crashes, *(Decision("drop", frame, True) for frame in frames)]


def harm(case: Case, decisions: tuple[Decision, ...], before: Any, after: Any, **options: Any) -> Simulation:
    """A run with these faults: the client has an answer, and it is true of all partitions."""
    sim, task = begin(case, Schedule(decisions), **options)
    code = finish(sim, task)
    assert code == case.code or (options and code == UNREACHED), code
    assert tree(sim) == (before if code else after), (Schedule(decisions).words(), code)
    return sim


@pytest.mark.parametrize("case", [CASES[0], CASES[8]], ids=str)
def test_one_crash_or_lost_message_at_any_place(case: Case) -> None:
    before, after, decisions = calm(case)
    assert (before == after) == bool(case.code)
    counts: Counter[str] = Counter()
    for decision in decisions if case is CASES[0] else decisions[::2]:
        counts.update(harm(case, (decision,), before, after).counts)
    assert counts["crash"] >= 10
    assert counts["drop"] >= 2


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_crash_of_any_kind_or_length_at_any_place(case: Case) -> None:
    before, after, decisions = calm(case)
    crashes = [one.at for one in decisions if one.kind == "crash"]
    for point in [*crashes, *((node, "in_sync", n) for node, kind, n in crashes if kind == "before_sync")]:
        for down_s, how in ((0.0, "crash"), (0.15, "power"), (3.0, "power")):
            harm(case, (Decision("crash", point, [down_s, how]),), before, after)
        harm(case, (Decision("crash", point, [3.0, "power"]),), before, after, transaction_timeout_s=1.0)
    for one in decisions:
        if one.kind == "drop":
            harm(case, (one,), before, after)


@pytest.mark.slow
@pytest.mark.parametrize("case", [CASES[0], CASES[8], CASES[12]], ids=str)
def test_two_faults_at_any_two_places(case: Case) -> None:
    before, after, decisions = calm(case)
    for one, other in combinations(decisions, 2):
        harm(case, (one, other), before, after)


def test_what_needs_a_partition_that_is_down_is_given_up() -> None:
    sim, task = begin(Case(2, ("mkdir", "/a/x")), Schedule(), transaction_timeout_s=1.0)
    sim.at(0.0005, sim["p1"].crash)
    sim.run_until(task.done, limit_s=60)
    assert (task.result(), sim.now > 1.0) == ((UNREACHED, ()), True)
    assert not len(sim["p0"].lock)
    sim["p1"].restart()
    sim.must(lambda: at_rest(sim), within_s=5)
    assert "/a/x" not in tree(sim)
