"""Mutants of reliable multicast and of total order by a sequencer."""

from __future__ import annotations

from typing import Any

from bloompy.sim import Faults, Simulation
from tests.std import scenarios

from .delivery import BASE, CRASHES, LATE, mutant, volatile
from .mutant import Subject, right


def agreement(programs: Any, sim: Simulation) -> None:
    """Four members, of which one may die for ever, and four messages."""
    scenarios.agreement(sim, programs.ReliableMulticast, 4)


def total_order(programs: Any, sim: Simulation) -> None:
    """Three members, of which one orders, and five messages."""
    scenarios.total_order(sim, programs.TotalOrderMulticast, 5)


USUAL = Faults(drop=0.1, duplicate=0.1, delay=0.3, delay_s=(0.0, 0.3), crashes=1, down_s=(0.0, 0.2))
RELIABLE = Subject(name="reliable multicast", modules=(*BASE, "bloompy.std.multicast"), test=agreement, faults=USUAL)
TOTAL = Subject(
    name="total order multicast",
    modules=(*BASE, "bloompy.std.fifo", "bloompy.std.multicast", "bloompy.std.total_order"),
    test=total_order,
    faults=USUAL,
)

MUTANTS = (
    right(RELIABLE),
    mutant(
        RELIABLE,
        "nobody relays but the caster",
        ("if m.address not in (self.me, r.src))", "if m.address != self.me and r.src == self.me)"),
        breaks="agreement",
        faults=Faults(drop=0.3, delay=0.3, delay_s=(0.0, 0.3)),
    ),
    mutant(
        RELIABLE,
        "relays once, over best-effort delivery",
        ("net = module(ReliableDelivery, retry_s=retry_s)", "net = module(BestEffortDelivery)"),
        breaks=("agreement", "validity"),
        faults=Faults(drop=0.4),
    ),
    mutant(RELIABLE, "no deduplication", (" if (h.src, h.no) not in self.seen)", ")"), breaks=("once", "agreement")),
    mutant(
        RELIABLE,
        "forgets what it has received (not durable)",
        volatile('seen = table("src: str, no", durable=True)'),
        breaks=("once", "agreement"),
        faults=CRASHES,
    ),
    mutant(
        RELIABLE,
        "relays under its own name",
        ("(m.address, (r.src, r.no), r.payload)", "(m.address, (self.me, r.no), r.payload)"),
        breaks=("agreement", "validity", "once"),
    ),
    mutant(
        RELIABLE,
        "deduplication by number alone, whoever cast it",
        (" if (h.src, h.no) not in self.seen)", " if not any(s for s in self.seen if s.no <= h.no and s.src < h.src))"),
        breaks=("agreement", "validity", "once"),
    ),
    mutant(RELIABLE, "the caster does not receive its own", ("        self.heard <= ((self.me, c.no, c.payload) for c in self.cast)\n", ""), breaks="validity"),
    right(TOTAL),
    mutant(
        TOTAL,
        "everybody orders for itself",
        ("((self.sequencer, c.no, c.payload) for c in self.cast)", "((self.me, c.no, c.payload) for c in self.cast)"),
        breaks=("one order", "exactly once", "one a tick"),
    ),
    mutant(
        TOTAL,
        "the order does not keep its order on the way",
        ("orders = module(FifoDelivery, retry_s=retry_s)", "orders = module(ReliableDelivery, retry_s=retry_s)"),
        breaks=("one order", "one a tick"),
        faults=LATE,
    ),
    mutant(
        TOTAL,
        "requests overtake each other",
        ("requests = module(FifoDelivery, retry_s=retry_s)", "requests = module(ReliableDelivery, retry_s=retry_s)"),
        breaks="caster's order",
        faults=LATE,
    ),
    mutant(
        TOTAL,
        "the sequencer forgets how far it is (not durable)",
        volatile('length = table("-> n: int", durable=True)'),
        breaks=("set aside", "one order", "exactly once"),
        faults=CRASHES,
    ),
    mutant(
        TOTAL,
        "two messages of a tick get one place",
        ("self.length.get((), (0,)).n + t.turn, r.src", "self.length.get((), (0,)).n, r.src"),
        why="their conflict has the node run them in two ticks",
    ),
    mutant(
        TOTAL,
        "the log is not told to who joins later",
        ("for j in self.join if j.address not in self.member for entry in self.log)", "for j in self.join if False for entry in self.log)"),
        breaks=("one order", "exactly once"),
        faults=Faults(delay=0.1),
    ),
)
