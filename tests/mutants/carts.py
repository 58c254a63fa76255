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
        ("for n in c.closed if len(c.actions) >= n)", "for n in c.closed)"),
        breaks="receipts",
        faults=Faults(delay=0.4, delay_s=(0.0, 0.2)),
    ),
    mutant(
        DISORDERLY,
        "checks out one action too early",
        ("if len(c.actions) >= n)", "if len(c.actions) >= n - 1)"),
        breaks="receipts",
        faults=Faults(delay=0.4, delay_s=(0.0, 0.2)),
    ),
    mutant(
        DISORDERLY,
        "actions are lost in a crash (not durable)",
        volatile('cart = table("session -> actions: lset, closed: lset", durable=True)'),
        breaks="receipts",
        faults=REPLICA_CRASHES,
    ),
    mutant(
        DISORDERLY,
        "actions over best-effort delivery",
        ("net = module(ReliableDelivery, retry_s=retry_s)", "net = module(BestEffortDelivery)"),
        breaks="receipts",
        faults=Faults(drop=0.2),
    ),
    mutant(DISORDERLY, "adds up in no order", ("changed((), tuple(sorted(c.actions)))", "changed((), tuple(sorted(c.actions, key=lambda a: a[2])))"), breaks="receipts"),
    mutant(
        DISORDERLY,
        "equal changes count once",
        ("frozenset({(a.no, a.item, a.change)})", "frozenset({(0, a.item, a.change)})"),
        breaks="receipts",
    ),
    mutant(
        DISORDERLY,
        "remembers from the next tick on",
        ("self.cart <= ((a.session, frozenset({", "self.cart <+ ((a.session, frozenset({"),
        why="the receipt comes a tick later",
    ),
)
