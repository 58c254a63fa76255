"""Mutants of leases and of the fence."""

from __future__ import annotations

from typing import Any

from bloompy import Bloom, channel, module, rule, table
from bloompy.sim import Faults, Simulation

from .mutant import Mutant, Subject, assert_within, right

HOLDERS = ("a", "b")
DRIFT = 0.1


def writers(programs: Any) -> tuple[type[Bloom], type[Bloom]]:
    """A holder that writes to a shared thing in every tick in which it holds the lease, and the fenced thing."""
    made: tuple[type[Bloom], type[Bloom]] | None = getattr(programs, "writers", None)
    if made is None:

        class Shared(Bloom):
            write = channel("@thing: str, writer: str, token: int, time: float")

        class Writer(Shared, programs.LeaseHolder):  # type: ignore[misc, name-defined]
            @rule
            def work(self):
                self.write <~ (("thing", self.me, h.token, self.now) for h in self.have)

        class Thing(Shared):
            written = table("writer, token, time")
            fence = module(programs.Fence)

            @rule
            def store(self):
                self.fence.attempt <= (("r", w.token, (w.writer, w.time)) for w in self.write)
                self.written <= ((a.work[0], a.token, a.work[1]) for a in self.fence.admitted)

        made = programs.writers = (Writer, Thing)
    return made


def test(programs: Any, sim: Simulation) -> None:
    """A server, two holders that want a thing and release it, and the thing, in which what they write arrives."""
    writer, thing = writers(programs)
    sim.add(programs.LeaseServer, "server", term_s=0.5)
    for holder in HOLDERS:
        sim.add(writer, holder, server="server", renew_s=0.1, drift=DRIFT)
    sim.add(thing, "thing")
    greatest = 0

    def holding(address: str) -> bool:
        node = sim[address]
        row = node.held.get("r") if node.up else None
        return row is not None and node.own_clock.now() < row.until

    def one_holder() -> bool:
        return not all(holding(address) for address in HOLDERS)

    def no_stale_write() -> bool:
        nonlocal greatest
        if sim["thing"].up:
            rows = sim["thing"].program.fence.admitted
            tokens = {row.token for row in rows}
            writers_by_token = {}
            for row in sim["thing"].written:
                writers_by_token.setdefault(row.token, set()).add(row.writer)
            if tokens and (min(tokens) < greatest or any(len(found) > 1 for found in writers_by_token.values())):
                return False
            greatest = max(greatest, *tokens) if tokens else greatest
        return True

    sim.always(one_holder, "one holder")
    sim.always(no_stale_write, "no stale write")
    for holder in sim.operations(4, lambda number: HOLDERS[number % 2]):
        if sim[holder].up:
            sim[holder].want.insert("r")
        sim.run(for_s=0.05 * sim.integer(0, 6))
        if sim[holder].up and sim.chance(0.5):
            sim[holder].release.insert("r")
            if sim.chance(0.3):
                sim.run(for_s=0.01)
                sim[holder].restart()
                sim[holder].want.insert("r")
    sim.run(until=2.0)
    sim.calm()
    for holder in HOLDERS:
        if holding(holder) and sim.chance(0.5):
            sim[holder].crash()
            break
        sim[holder].release.insert("r")
    others = [holder for holder in HOLDERS if sim[holder].up]
    sim.run(for_s=0.3)
    pause = sim[others[-1]].paused_until(sim.now)
    if pause is not None:  # in one tick, a release wins over a want
        sim.run(until=pause + 0.1)
    sim[others[-1]].want.insert("r")
    assert_within(sim, lambda: holding(others[-1]), 3.0, "progress")
    sim.run(for_s=1.0)
    assert holding(others[-1]), "renewal"


LEASES = Subject(
    name="leases",
    modules=("bloompy.std.leases", "bloompy.std.fence"),
    test=test,
    faults=Faults(drop=0.1, duplicate=0.2, delay=0.3, delay_s=(0.0, 0.6), crashes=2, down_s=(0.0, 0.1), pauses=1, pause_s=(0.1, 0.6),
                  drift=DRIFT, skew_s=50.0),
)


def mutant(name: str, *edits: tuple[str, str], breaks: str | tuple[str, ...] = (), why: str = "", faults: Faults | None = None, easy: bool = False) -> Mutant:
    """One of leases."""
    return Mutant(name=name, subject=LEASES, edits=edits, breaks=breaks, why=why, faults=faults, easy=easy)


LEASE = 'lease = table("resource -> holder: str, token: int, until: float", durable=True)'
SENT = "agg.max(g.sent + self.safe_s(g.term_s)), agg.argmax(g.token, g.sent + self.safe_s(g.term_s))"

MUTANTS = (
    right(LEASES),
    mutant("lease without a memory: the server's leases are not durable", (LEASE, LEASE.replace(", durable=True", "")), breaks=("one holder", "no stale write")),
    mutant(
        "the holder counts from the arrival of the grant",
        (SENT, "agg.max(self.now + self.safe_s(g.term_s)), agg.argmax(g.token, self.now + self.safe_s(g.term_s))"),
        breaks="one holder",
        faults=Faults(drop=0.2, delay=0.4, delay_s=(0.1, 0.6), partitions=1, partition_s=(0.4, 1.2)),
    ),
    mutant(
        "no margin for drift",
        ("return term_s * (1 - self.drift) / (1 + self.drift)", "return term_s"),
        breaks="one holder",
        faults=Faults(drop=0.1, drift=DRIFT, partitions=2, partition_s=(0.5, 1.0)),
    ),
    mutant(
        "the server counts on the holder's clock",
        ("g.token, self.now + self.term_s) for g in self.granted)",
         "g.token, r.sent + self.term_s) for g in self.granted for r in self.request if r.resource == g.resource and r.holder == g.holder)"),
        breaks=("one holder", "progress", "'lease'", "renewal"),
    ),
    mutant(
        "a lease goes to whoever asks",
        ("if not any(x for x in self.lease if x.resource == r.resource and x.until > self.now))",
         "if not any(x for x in self.renewed if x.resource == r.resource))"),
        breaks="one holder", easy=True,
    ),
    mutant(
        "a lease never ends",
        ("if not any(x for x in self.lease if x.resource == r.resource and x.until > self.now))",
         'if not any(x for x in self.lease if x.resource == r.resource and x.holder != ""))'),
        breaks=("progress", "renewal"),
    ),
    mutant(
        "any request renews the lease",
        ("if x.resource == r.resource and x.holder == r.holder and x.until > self.now", "if x.resource == r.resource and x.until > self.now"),
        breaks="progress",
    ),
    mutant(
        "lease without fencing: the token does not grow",
        ('(f.resource, "", 0, 0.0)).token + 1)', '(f.resource, "", 1, 0.0)).token)'),
        breaks=("no stale write", "progress", "one holder"),
    ),
    mutant(
        "a grant that comes again is a lease again",
        (" and g.token > self.given_up.get(g.resource, (g.resource, 0)).token)", ")"),
        breaks="one holder",
    ),
    mutant(
        "what was released is forgotten (not durable)",
        ('given_up = table("resource -> token: int", durable=True)', 'given_up = table("resource -> token: int")'),
        breaks="one holder",
        faults=Faults(duplicate=0.4, delay_s=(0.05, 0.4)),
    ),
    mutant("a holder that released goes on", ("        self.held <- ((r.resource,) for r in self.release)\n", ""), breaks="one holder"),
    mutant(
        "an old return frees a newer lease",
        ("if x.resource == g.resource and x.holder == g.holder and x.token == g.token and x.resource not in self.granted)",
         "if x.resource == g.resource and x.resource not in self.granted)"),
        breaks="one holder",
    ),
    mutant(
        "lost retry: a return is said once",
        ("        self.giveback <~ ((self.server, self.me, x.resource, x.token) for b in self.beat for x in self.returning)\n", ""),
        breaks="progress",
    ),
    mutant(
        "lost retry: a lease is asked for once",
        ("self.asking <= ((w.resource,) for b in self.beat for w in self.wanted)", ""),
        breaks=("progress", "renewal"),
    ),
    mutant(
        "the fence lets everything in",
        ("for n in self.needed if n.resource == a.resource and n.token == a.token)", "for n in self.needed if n.resource == a.resource)"),
        breaks="no stale write",
    ),
    mutant(
        "the fence compares within the tick only",
        ("max(t.token, self.highest.get(t.resource, t).token)) for t in self.top)", "t.token) for t in self.top)"),
        breaks="no stale write",
    ),
    mutant(
        "the fence forgets (not durable)",
        ('highest = table("resource -> token: int", durable=True)', 'highest = table("resource -> token: int")'),
        breaks="no stale write",
        faults=Faults(delay=0.2, delay_s=(0.1, 0.6), crashes=3, down_s=(0.0, 0.05), spare={"server", "a", "b"}),
    ),
)
