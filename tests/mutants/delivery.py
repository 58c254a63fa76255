"""Mutants of reliable, FIFO and causal delivery."""

from __future__ import annotations

from typing import Any

from bloompy.sim import Faults, Simulation
from tests.std import scenarios

from .mutant import Mutant, Subject, right


def reliable(programs: Any, sim: Simulation) -> None:
    """Three nodes, five messages."""
    scenarios.exactly_once(sim, programs.ReliableDelivery, 5)


def fifo(programs: Any, sim: Simulation) -> None:
    """Three nodes, six messages."""
    scenarios.fifo(sim, programs.FifoDelivery, 6)


def causal(programs: Any, sim: Simulation) -> None:
    """Three nodes that pass messages on."""
    scenarios.causal(sim, programs.CausalDelivery, 5)


BASE = ("bloompy.std.delivery", "bloompy.std.reliable")
USUAL = Faults(drop=0.1, duplicate=0.1, delay=0.3, delay_s=(0.0, 0.4), crashes=1, down_s=(0.0, 0.2))
LOSS = Faults(drop=0.2)
CRASHES = Faults(drop=0.2, crashes=2, down_s=(0.0, 0.1))
LATE = Faults(delay=0.4, delay_s=(0.0, 0.6))

RELIABLE = Subject(name="reliable delivery", modules=BASE, test=reliable, faults=USUAL)
FIFO = Subject(name="FIFO delivery", modules=(*BASE, "bloompy.std.fifo"), test=fifo, faults=USUAL)
CAUSAL = Subject(name="causal delivery", modules=(*BASE, "bloompy.std.causal"), test=causal, faults=USUAL)


def mutant(
    subject: Subject, name: str, *edits: tuple[str, str], breaks: str | tuple[str, ...] = (), faults: Faults | None = None, why: str = ""
) -> Mutant:
    """One of a subject."""
    return Mutant(name=name, subject=subject, edits=edits, breaks=breaks, faults=faults, why=why)


def volatile(declaration: str) -> tuple[str, str]:
    """The edit that makes a collection forget at a crash."""
    return declaration, declaration.replace(", durable=True", "")


RETRY = "        self.message <~ ((p.dst, self.me, p.no, p.payload) for t in self.retry for p in self.pending)\n"
FORGET = "self.pending <- ((a.dst, a.no) for a in self.ack)"
SENT = "self.sent <= (p for a in self.ack for p in self.pending if p.dst == a.dst and p.no == a.no)"
KNOWN = "(m.src, m.no) not in self.delivered\n"

MUTANTS = (
    right(RELIABLE),
    mutant(RELIABLE, "forgotten retry", (RETRY, ""), breaks=("exactly once", "acknowledged once"), faults=LOSS),
    mutant(
        RELIABLE,
        "sends nothing again at a start",
        ("self.message <~ ((p.dst, self.me, p.no, p.payload) for p in self.pending)", "self.message <~ ((s.dst, self.me, s.no, s.payload) for s in self.send)"),
        why="the retry does; a message only comes later",
    ),
    mutant(RELIABLE, "no deduplication", (KNOWN, "True\n"), breaks=("exactly once", "acknowledged once"), faults=Faults(duplicate=0.3)),
    mutant(
        RELIABLE,
        "deduplication by name alone, whoever sent it",
        (KNOWN, "not any(d for d in self.delivered if d.no == m.no)\n"),
        breaks=("exactly once", "too early"),
    ),
    mutant(
        RELIABLE,
        "the receiver forgets what has come (not durable)",
        volatile('delivered = table("src: str, no", durable=True)'),
        breaks=("exactly once", "acknowledged once"),
        faults=CRASHES,
    ),
    mutant(
        RELIABLE,
        "the sender forgets what it was to send (not durable)",
        volatile('pending = table("dst: str, no -> payload", durable=True)'),
        breaks=("exactly once", "acknowledged once"),
        faults=CRASHES,
    ),
    mutant(
        RELIABLE,
        "deletion before the acknowledgement",
        (FORGET, "self.pending <- ((s.dst, s.no) for s in self.send)"),
        breaks=("exactly once", "acknowledged once"),
        faults=LOSS,
    ),
    mutant(
        RELIABLE,
        "wrong acknowledgement: for all messages to the node",
        (FORGET, "self.pending <- ((p.dst, p.no) for a in self.ack for p in self.pending if p.dst == a.dst)"),
        breaks=("exactly once", "acknowledged once"),
        faults=LOSS,
    ),
    mutant(
        RELIABLE,
        "wrong acknowledgement: for messages of that name to anybody",
        (FORGET, "self.pending <- ((p.dst, p.no) for a in self.ack for p in self.pending if p.no <= a.no)"),
        breaks=("exactly once", "acknowledged once"),
        faults=LOSS,
    ),
    mutant(
        RELIABLE,
        "acknowledges only what it has not had yet",
        ("self.ack <~ ((m.src, self.me, m.no) for m in self.message)", "self.ack <~ ((r.src, self.me, r.no) for r in self.received)"),
        breaks=("acknowledged once", "quiet"),
        faults=LOSS,
    ),
    mutant(RELIABLE, "sends for ever: the acknowledgement deletes nothing", (f"        {FORGET}\n", ""), breaks=("acknowledged once", "quiet")),
    mutant(RELIABLE, "sent before it is acknowledged", (SENT, "self.sent <= self.send"), breaks="acknowledged too early"),
    mutant(
        RELIABLE,
        "the memory comes one tick late",
        ("self.delivered <+ ((r.src, r.no) for r in self.received)", "self.delivered <+ ((d.src, d.no) for d in self.late)\n        self.late <+ ((r.src, r.no) for r in self.received)"),
        ('delivered = table("src: str, no", durable=True)', 'delivered = table("src: str, no", durable=True)\n    late = scratch("src, no")'),
        ("from bloompy import channel, interface, param, periodic, rule, table", "from bloompy import channel, interface, param, periodic, rule, scratch, table"),
        breaks=("exactly once", "acknowledged once"),
        faults=Faults(duplicate=0.3, drop=0.2, crashes=2, down_s=(0.0, 0.1)),
    ),
    right(FIFO),
    mutant(
        FIFO,
        "a gap in the sequence is passed over",
        ("if a.seq == self.next.get(a.src, (a.src, 1)).seq)", "if a.seq >= self.next.get(a.src, (a.src, 1)).seq)"),
        breaks=("order", "one a tick", "exactly once", "set aside"),
        faults=LATE,
    ),
    mutant(
        FIFO,
        "the receiver forgets where it is (not durable)",
        volatile('next = table("src: str -> seq: int", durable=True)'),
        breaks=("exactly once", "order"),
        faults=CRASHES,
    ),
    mutant(
        FIFO,
        "the sender forgets its numbers (not durable)",
        volatile('last = table("dst: str -> seq: int", durable=True)'),
        breaks=("exactly once", "set aside", "acknowledged once"),
        faults=CRASHES,
    ),
    mutant(
        FIFO,
        "what came early is lost in a crash (not durable)",
        volatile('early = table("src: str, seq: int -> no, payload", durable=True)'),
        breaks=("exactly once", "acknowledged once"),
        faults=Faults(delay=0.5, delay_s=(0.1, 1.0), crashes=15, down_s=(0.0, 0.01)),
    ),
    mutant(
        FIFO,
        "one number for all messages of a tick",
        ("+ 1 + p.place, s.no, s.payload)", "+ 1, s.no, s.payload)"),
        why="their conflict has the node run them in two ticks",
    ),
    mutant(
        FIFO,
        "settles one message too many",
        ("self.net.settled <= self.next", "self.net.settled <= ((n.src, n.seq + 1) for n in self.next)"),
        breaks=("exactly once", "acknowledged"),
    ),
    mutant(
        FIFO,
        "what is settled is received again",
        ("\n                          and not any(f for f in self.floor if f.src == m.src and m.no < f.below))", ")"),
        breaks="nothing waits",
        faults=Faults(duplicate=0.3, delay=0.3, delay_s=(0.0, 0.5)),
    ),
    mutant(
        FIFO,
        "numbers are per sender, not per pair",
        ("self.last.get(s.dst, (s.dst, 0)).seq + 1", 'self.last.get("all", ("all", 0)).seq + 1'),
        ("self.last <+- ((o.dst, agg.max(o.seq)) for o in self.outgoing)", 'self.last <+- (("all", agg.max(o.seq)) for o in self.outgoing)'),
        breaks=("exactly once", "order"),
    ),
    mutant(
        FIFO,
        "what waits is kept for ever",
        ("        self.early <- ((d.src, d.seq) for d in self.due)\n", ""),
        breaks="nothing waits",
        faults=LATE,
    ),
    right(CAUSAL),
    mutant(CAUSAL, "messages say nothing of their past", ("tuple(self.known.value.items())", "()"), breaks="causes first", faults=LATE),
    mutant(
        CAUSAL,
        "the clock of a message is not merged",
        ("        self.known <= (Map(d.past) for d in self.due)\n", ""),
        breaks="causes first",
        faults=LATE,
    ),
    mutant(
        CAUSAL,
        "the clock of a message is merged a tick too late",
        ("self.known <= (Map(d.past) for d in self.due)", "self.known <+ (Map(d.past) for d in self.due)"),
        breaks="causes first",
        faults=LATE,
    ),
    mutant(
        CAUSAL,
        "waits for earlier messages of the same sender only",
        ("for (cause, dst), count in a.past if dst == self.me)", "for (cause, dst), count in a.past if dst == self.me and cause == a.src)"),
        breaks="causes first",
        faults=LATE,
    ),
    mutant(
        CAUSAL,
        "does not wait for earlier messages of the same sender",
        ("        self.needs <= ((a.src, a.seq, a.src, a.seq - 1) for a in self.arrived)\n", ""),
        breaks=("causes first", "exactly once", "set aside"),
        faults=LATE,
    ),
    mutant(
        CAUSAL,
        "waits for one more than there is",
        ("self.done.get(n.cause, (n.cause, 0)).seq < n.count)", "self.done.get(n.cause, (n.cause, 0)).seq <= n.count)"),
        breaks=("exactly once", "acknowledged once"),
    ),
    mutant(
        CAUSAL,
        "forgets what it knows (not durable)",
        volatile("known = lattice.lmap(lattice.lmax, durable=True)"),
        breaks=("causes first", "exactly once", "set aside"),
        faults=CRASHES,
    ),
    mutant(
        CAUSAL,
        "what came early is lost in a crash (not durable)",
        volatile('early = table("src: str, seq: int -> no, payload, past: tuple", durable=True)'),
        breaks=("exactly once", "acknowledged once"),
        faults=Faults(drop=0.2, delay=0.4, delay_s=(0.0, 0.5), crashes=2, down_s=(0.0, 0.1)),
    ),
    mutant(
        CAUSAL,
        "received as soon as it comes",
        ("if self.done.get(n.cause, (n.cause, 0)).seq < n.count)", "if self.done.get(n.cause, (n.cause, 0)).seq < 0)"),
        breaks=("causes first", "set aside"),
        faults=LATE,
    ),
)
