"""Two requests at once, of which one may be a transaction or both: the outcome is that of one after the other."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from bloompy.sim import Faults, Simulation
from bloompy.sim.search.campaign import campaign

from .model import Fault, Model
from .partitions import Session, at_rest, compare_one, start, tree
from .test_namespace_random import shown

BEGINNING: list[tuple[Any, ...]] = [
    ("mkdir", "/a"),
    ("mkdir", "/b"),
    ("mkdir", "/a/d"),
    ("create", "/a/f", 1),
    ("create", "/b/f", 1),
    ("create", "/a/d/g", 2),
]
REQUESTS: list[tuple[Any, ...]] = [
    ("mkdir", "/a/x"),
    ("create", "/a/x", 3),
    ("mkdir", "/b/d"),
    ("rm", "/a/d", True),
    ("rm", "/b", True),
    ("rename", "/a", "/b/a", False, False),
    ("rename", "/b", "/a/b", False, False),
    ("rename", "/a/d", "/b/d", False, False),
    ("rename", "/a/f", "/b/f", False, True),
    ("rename", "/b/f", "/a/f", False, True),
    ("rename", "/a/d/g", "/b/g", False, False),
    ("rename", "/b/f", "/a/d", True, False),
    ("rename", "/a/f", "/a/x", False, False),
    ("create", "/a/d/x", 1),
    ("rm", "/a/f", False),
    ("rm", "/b/f", False),
    ("ls", "/a", "", 10),
    ("stat", "/b/f"),
]


def expected(requests: tuple[tuple[Any, ...], ...]) -> tuple[list[Any], Any]:
    """Answers and names if these come one after the other."""
    model, found = Model(), []
    for op, path, *args in BEGINNING:
        model.apply(op, path, tuple(args), 0)
    for op, path, *args in requests:
        try:
            found.append(("", model.apply(op, path, tuple(args), 0)))
        except Fault as fault:
            found.append((str(fault), None))
    return found, model.tree()


def at_once(sim: Simulation, one: tuple[Any, ...], other: tuple[Any, ...], partitions: int, members: int = 1) -> None:
    """Two clients, a request each."""
    start(sim, partitions, clients=2, members=members)
    sessions = [Session(sim[name], partitions, members) for name in ("c0", "c1")]

    async def begin() -> None:
        model = Model()
        for request in BEGINNING:
            await compare_one(sessions[0], model, request)

    first = sim.spawn(begin())
    sim.run_until(first.done, limit_s=60)
    first.result()
    tasks = [sim.spawn(session.ask(*request)) for session, request in zip(sessions, (one, other), strict=True)]
    sim.run_until(lambda: all(task.done() for task in tasks), limit_s=60)
    sim.must(lambda: at_rest(sim), within_s=60)
    found = [task.result() for task in tasks]
    answers = [(code, shown(op, result) if not code else None) for (op, *_), (code, result) in zip((one, other), found, strict=True)]
    in_order, tree_in_order = expected((one, other))
    reverse, tree_in_reverse = expected((other, one))
    assert (answers, tree(sim)) in [(in_order, tree_in_order), (reverse[::-1], tree_in_reverse)], (one, other, answers)


def of_two_drawn(sim: Simulation) -> None:
    """Any two requests."""
    at_once(sim, sim.choose(REQUESTS), sim.choose(REQUESTS), sim.choose((2, 3)))


def of_two_drawn_at_groups(sim: Simulation) -> None:
    """Any two requests, to partitions of three replicas."""
    at_once(sim, sim.choose(REQUESTS), sim.choose(REQUESTS), 2, members=3)


def test_two_requests_at_once_are_one_after_the_other() -> None:
    campaign(of_two_drawn, runs=12, faults=Faults(delay=0.5), first_seed=1).check(every_kind=False)


@pytest.mark.slow
@pytest.mark.parametrize("one", REQUESTS, ids=lambda request: " ".join(map(str, request)))
def test_every_two_requests(one: Any) -> None:
    for seed, (other, partitions) in enumerate(product(REQUESTS, (2, 3))):
        at_once(Simulation(seed=seed, faults=Faults(delay=0.5), trace=False), one, other, partitions)


@pytest.mark.slow
@pytest.mark.parametrize(("test", "runs"), [(of_two_drawn, 2_000), (of_two_drawn_at_groups, 300)])
def test_two_requests_at_once_under_faults(test: Any, runs: int) -> None:
    mix = Faults.mix(drop=0.1, duplicate=0.1, crashes=3, power_loss=0.5, spare=frozenset({"c0", "c1"}), until_s=5.0)
    campaign(test, runs=runs, faults=mix, first_seed=1).check()
