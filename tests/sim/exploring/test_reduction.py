"""Leaving out orders: clusters in which the order of two messages matters in one way each, explored with and without."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sim.exploring.random_models import model, program

KEEPS = "self.seen <= ((t.a, t.b) for t in self.told)"
SENDS = "self.told <~ ((self.peer, p.a, p.b) for p in self.put)"
ASKS = "self.asked <~ ((self.peer, q.a) for q in self.ask)"

PROGRAMS = {
    "joined with what grows": [KEEPS, SENDS, ASKS, "self.told <~ ((self.peer, s.a, 9) for q in self.asked for s in self.seen if s.a == q.a)"],
    "joined with what grows, on the way": [
        SENDS, ASKS, "self.stage <= ((t.a, t.b) for t in self.told)", "self.seen <= ((s.a, s.b) for s in self.stage)",
        "self.most <= ((s.a, 1) for q in self.asked for s in self.seen)",
    ],
    "deleted": [KEEPS, SENDS, ASKS, "self.seen <- ((s.a, s.b) for q in self.asked for s in self.seen)"],
    "replaced": [SENDS, "self.last <+- ((0, t.a) for t in self.told)"],
    "in each other's way": [SENDS, "self.last <= ((0, t.a) for t in self.told)"],
    "counted and sent": [KEEPS, SENDS, "self.count <= (agg.count() for s in self.seen)", "self.told <~ ((self.peer, 7, c.number) for c in self.count if c.number < 4)"],
    "counted and kept": [KEEPS, SENDS, "self.last <= ((agg.count(), 0) for s in self.seen)"],
    "missed": [KEEPS, SENDS, ASKS, "self.told <~ ((self.peer, 8, q.a) for q in self.asked if not any(True for _ in self.seen))"],
    "missed by a table": [
        KEEPS, SENDS, ASKS, "self.most <= ((q.a, 1) for q in self.asked)", "self.again <~ ((s.a, s.b) for s in self.seen if s.a not in self.most)",
        "self.last <= ((a.a, 5) for a in self.again)",
    ],
    "stages of a lattice": ["self.most <= ((0, t.a) for t in self.told)", SENDS, "self.told <~ ((self.peer, m.b, 4) for m in self.most)"],
    "a later tick": [SENDS, ASKS, "self.stage <+ ((t.a, t.b) for t in self.told)", "self.seen <= ((s.a, q.a) for s in self.stage for q in self.asked)"],
    "numbers of ticks": [SENDS, "self.seen <= ((t.a, self.step) for t in self.told)"],
    "the first alone": [KEEPS, SENDS, "self.told <~ ((self.peer, s.a, 3) for s in self.seen if not any(o.a != s.a for o in self.seen))"],
    "two in one tick": [
        SENDS, "self.again <~ ((t.a, t.b) for t in self.told)", "self.seen <= ((a.a, b.a) for a in self.again for b in self.again)",
    ],
    "with itself": [SENDS, "self.seen <= ((t.a, a.a) for t in self.told for a in self.again)", "self.again <~ ((t.b, 6) for t in self.told)"],
    "nothing": [KEEPS, SENDS, ASKS, "self.most <= ((q.a, 1) for q in self.asked)"],
}  # fmt: skip

INPUTS = [(0, "put", 1, 2), (0, "put", 2, 1), (0, "ask", 1, 1)]


@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_verdicts_and_ends_stay_what_they_are(name: str, atomic: bool, seen: bool) -> None:
    kind = program(PROGRAMS[name])
    assert kind is not None
    found = []
    for reduce in (False, True):
        one = model(kind, INPUTS, network="bag", atomic=atomic)
        if seen:
            one.sometimes("y is ahead", lambda view: len(view["y"].seen) > len(view["x"].seen), reads=["seen"])
            one.sometimes("x is ahead", lambda view: len(view["y"].seen) < len(view["x"].seen), reads=["seen"])
        found.append(one.explore(reduce=reduce, max_states=20_000))
    whole, reduced = found
    assert whole.complete or whole.counterexample is not None
    assert verdict(whole) == verdict(reduced)
    if name == "nothing" and not seen:
        assert reduced.states < whole.states


def verdict(found: Any) -> Any:
    if found.counterexample is not None:
        return found.counterexample.what.partition(":")[0]
    return found.missed, {view.content() for view in found.ended()}
