"""Mutants of the disorderly cart, and the destructive cart, which is wrong as it is."""

from __future__ import annotations

from typing import Any

from bloompy.sim import Faults, Simulation
from tests.std import scenarios

from .delivery import BASE, mutant, volatile
from .mutant import Mutant, Subject, right


def disorderly(programs: Any, sim: Simulation) -> None:
    """A shopper and two replicas."""
    scenarios.same_receipts(sim, programs.DisorderlyCart)


def destructive(programs: Any, sim: Simulation) -> None:
    """The same."""
    scenarios.same_receipts(sim, programs.DestructiveCart)


MODULES = (*BASE, "bloompy.std.carts")
USUAL = Faults(drop=0.1, duplicate=0.1, delay=0.3, delay_s=(0.0, 0.3), crashes=1, down_s=(0.0, 0.2))
REPLICA_CRASHES = Faults(drop=0.1, delay=0.4, delay_s=(0.0, 0.5), crashes=2, down_s=(0.0, 0.1), spare={"shopper"})
DISORDERLY = Subject(name="disorderly cart", modules=MODULES, test=disorderly, faults=USUAL)
DESTRUCTIVE = Subject(name="destructive cart", modules=MODULES, test=destructive, faults=Faults(delay=0.4, delay_s=(0.0, 0.2)))

MUTANTS = (
    Mutant(name="(as it is: not monotone)", subject=DESTRUCTIVE, breaks="receipts"),
    right(DISORDERLY),
    mutant(
        DISORDERLY,
        "checks out whatever has come",
        ("if self.count.get(c.session, (c.session, 0)).n >= c.actions)", "if self.count.get(c.session, (c.session, 0)).n >= 0)"),
        breaks="receipts",
        faults=Faults(delay=0.4, delay_s=(0.0, 0.2)),
    ),
    mutant(
        DISORDERLY,
        "checks out one action too early",
        ("(c.session, 0)).n >= c.actions)", "(c.session, 0)).n >= c.actions - 1)"),
        breaks="receipts",
        faults=Faults(delay=0.4, delay_s=(0.0, 0.2)),
    ),
    mutant(DISORDERLY, "actions are lost in a crash (not durable)", volatile('log = table("session, no -> item, change", durable=True)'), breaks="receipts", faults=REPLICA_CRASHES),
    mutant(DISORDERLY, "the checkout is lost in a crash (not durable)", volatile('closed = table("session -> actions", durable=True)'), breaks="receipts", faults=REPLICA_CRASHES),
    mutant(DISORDERLY, "two receipts: what is done is lost in a crash (not durable)", volatile('done = table("session", durable=True)'), breaks="receipts", faults=REPLICA_CRASHES),
    mutant(
        DISORDERLY,
        "actions over best-effort delivery",
        ("net = module(ReliableDelivery, retry_s=retry_s)", "net = module(BestEffortDelivery)"),
        breaks="receipts",
        faults=Faults(drop=0.2),
    ),
    mutant(
        DISORDERLY,
        "adds up in the order of arrival",
        ("agg.collect((k.no, k.item, k.change))) for c in self.complete", "agg.collect((k.item, k.change, k.no))) for c in self.complete"),
        ("for _, item, change in changes:", "for first, item, change in changes:\n        item, change = (item, change) if isinstance(first, int) else (first, item)"),
        breaks="receipts",
    ),
    mutant(
        DISORDERLY,
        "counts an action from the tick after its arrival on",
        ("        self.known <= self.action\n", ""),
        why="the receipt comes a tick later",
    ),
)
