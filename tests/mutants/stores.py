"""Mutants of the key-value stores: of one node, replicated by lattices, and with versions."""

from __future__ import annotations

from typing import Any

from bloompy.sim import Faults, Simulation
from tests.std import scenarios

from .delivery import BASE, mutant, volatile
from .mutant import Subject, right


def linearizable(programs: Any, sim: Simulation) -> None:
    """Three clients of a server."""
    scenarios.linearizable_store(sim, programs.KeyValueServer, programs.KeyValueClient, 4)


def convergence(programs: Any, sim: Simulation) -> None:
    """Three replicas, eight puts."""
    scenarios.convergence(sim, programs.ReplicatedStore, 8)


def quorums(programs: Any, sim: Simulation) -> None:
    """Three replicas, two clients, quorums of two."""
    scenarios.no_lost_write(sim, programs.VersionedStore, write_copies=2, read_copies=2, rounds=3)


SINGLE = Subject(
    name="key-value server",
    modules=(*BASE, "bloompy.std.fifo", "bloompy.std.kvs"),
    test=linearizable,
    faults=Faults(drop=0.1, duplicate=0.1, delay=0.2, delay_s=(0.0, 0.5), crashes=1, down_s=(0.0, 0.2), spare={"c1", "c2", "c3"}),
)
SERVER_CRASHES = Faults(crashes=2, down_s=(0.0, 0.2), spare={"c1", "c2", "c3"})
LATTICES = Subject(
    name="replicated store",
    modules=("bloompy.std.replicated_store",),
    test=convergence,
    faults=Faults(drop=0.1, duplicate=0.1, delay=0.3, delay_s=(0.0, 0.3), crashes=1, down_s=(0.0, 0.2), partitions=1),
)
VERSIONS = Subject(
    name="versioned store",
    modules=("bloompy.std.versions", "bloompy.std.versioned_store"),
    test=quorums,
    faults=Faults(drop=0.1, duplicate=0.1, delay=0.3, delay_s=(0.0, 0.3), crashes=1, down_s=(0.0, 0.2), partitions=1),
)

SERVER_SESSION = '"""\n\n    retry_s = param(0.5)\n    session = module(FifoDelivery, retry_s=retry_s)'
CLIENT_SESSION = 'key, value")\n    retry_s = param(0.5)\n    session = module(FifoDelivery, retry_s=retry_s)'


def unordered(text: str) -> tuple[str, str]:
    """The edit that takes reliable delivery for FIFO delivery."""
    return text, text.replace("FifoDelivery", "ReliableDelivery")


STORE_PUT = "self.store <+- ((p.key, p.value) for p in self.put for x in self.last if x.key == p.key and x.request == p.request)"
STORE_DELETE = "        self.store <- ((d.key,) for d in self.delete)\n"
KNOWN = "(m.src, m.no) not in self.delivered\n"

MUTANTS = (
    right(SINGLE),
    mutant(
        SINGLE,
        "values are lost in a crash (not durable)",
        volatile('store = table("key -> value", durable=True)'),
        breaks="linearizable",
        faults=SERVER_CRASHES,
    ),
    mutant(SINGLE, "a put does not replace", (STORE_PUT, STORE_PUT[:-1] + " and p.key not in self.store)"), breaks="linearizable"),
    mutant(SINGLE, "a delete is answered and not done", (STORE_DELETE, ""), breaks="linearizable"),
    mutant(
        SINGLE,
        "stale read: a get is answered from what held at the start",
        ("self.store.get(g.key, (g.key, None)).value)", "self.old.get(g.key, (g.key, None)).value)"),
        ("    last = scratch(\"key -> request\")\n", "    last = scratch(\"key -> request\")\n    old = table(\"key -> value\")\n"),
        ("        # last(K, max<R>) :- put(R, K, _).\n", "        self.old <+ (s for s in self.store if s.key not in self.old)\n"),
        breaks="linearizable",
    ),
    mutant(
        SINGLE,
        "a repeated request is applied again",
        unordered(SERVER_SESSION),
        unordered(CLIENT_SESSION),
        (KNOWN, "True\n"),
        breaks=("linearizable", "set aside"),
        faults=Faults(duplicate=0.5, delay=0.3, delay_s=(0.0, 0.5)),
    ),
    mutant(
        SINGLE,
        "sessions over reliable delivery, in no order",
        unordered(SERVER_SESSION),
        unordered(CLIENT_SESSION),
        why="a client that waits for each answer has one request under way",
    ),
    mutant(
        SINGLE,
        "of the puts of a tick the least request stays",
        ("agg.max(p.request)", "agg.min(p.request)"),
        why="they are concurrent: any order of them will do",
    ),
    mutant(
        SINGLE,
        "the answer is sent once",
        ("self.message <~ ((p.dst, self.me, p.no, p.payload) for t in self.retry for p in self.pending)", "self.message <~ ((p.dst, self.me, p.no, p.payload) for t in self.retry for p in self.pending if self.me != \"server\")"),
        breaks="answered",
    ),
    right(LATTICES),
    mutant(
        LATTICES,
        "no repetition",
        ("        self.replicate <~ ((b.address, self.me, b.key, b.value) for t in self.gossip for b in self.behind)\n", ""),
        breaks="every put",
        faults=Faults(drop=0.2),
    ),
    mutant(
        LATTICES,
        "a replica is taken to hold what it was sent",
        ("self.holds <+ ((a.src, a.key, a.value) for a in self.ack)", "self.holds <+ ((b.address, b.key, b.value) for b in self.behind)"),
        breaks="every put",
        faults=Faults(drop=0.2),
    ),
    mutant(
        LATTICES,
        "takes over keys that it does not have, and acknowledges all",
        ("self.store <+ ((r.key, r.value) for r in self.replicate)", "self.store <+ ((r.key, r.value) for r in self.replicate if r.key not in self.store)"),
        breaks="every put",
    ),
    mutant(
        LATTICES,
        "a put replaces what is there",
        ("self.store <+ ((p.key, p.value) for p in self.put)", "self.store <+- ((p.key, p.value) for p in self.put)"),
        breaks=("every put", "growing"),
    ),
    mutant(
        LATTICES,
        "values are lost in a crash (not durable)",
        volatile('store = table("key -> value: ByType", durable=True)'),
        breaks=("every put", "growing"),
        faults=Faults(crashes=2, down_s=(0.0, 0.2), drop=0.2),
    ),
    mutant(
        LATTICES,
        "acknowledges for itself what anybody holds",
        ("if h.address == r.address and h.key == s.key and h.value == s.value))", "if h.key == s.key and h.value == s.value))"),
        breaks="every put",
        faults=Faults(drop=0.3, partitions=1),
    ),
    mutant(
        LATTICES,
        "tells for ever what is known",
        ("        self.holds <+ ((a.src, a.key, a.value) for a in self.ack)\n", ""),
        breaks="quiet",
    ),
    mutant(
        LATTICES,
        "does not conclude that the sender holds what it sent",
        ("        self.holds <+ ((r.src, r.key, r.value) for r in self.replicate)\n", ""),
        why="it is told, and then acknowledges: one message more",
    ),
    right(VERSIONS),
    mutant(
        VERSIONS,
        "takes its own state for what the writer had read",
        ("written(self.me, a.number, a.value, a.context)) for", "written(self.me, a.number, a.value, context_of(self.store.get(a.key, (a.key, lversions.bottom)).versions))) for"),
        breaks=("siblings", "quorum"),
    ),
    mutant(
        VERSIONS,
        "what the writer had read is not replaced",
        ("written(self.me, a.number, a.value, a.context)) for", "written(self.me, a.number, a.value, {})) for"),
        breaks=("siblings",),
    ),
    mutant(
        VERSIONS,
        "a number is given again when its version was replaced",
        (
            "    number: int = context_of(versions).get(node, 0)\n",
            "    number: int = max((one[1] for one in versions[1] if one[0] == node), default=0)\n",
        ),
        breaks=("siblings", "own write", "quorum", "answered"),
    ),
    mutant(VERSIONS, "replaced versions come back", ("if one[1] > past.get(one[0], 0))", "if one[1] >= past.get(one[0], 0))"), breaks=("siblings", "quorum")),
    mutant(
        VERSIONS,
        "versions are lost in a crash (not durable)",
        volatile('store = table("key -> versions: lversions", durable=True)'),
        breaks=("siblings", "quorum", "own write"),
        faults=Faults(crashes=2, down_s=(0.0, 0.2), drop=0.3),
    ),
    mutant(
        VERSIONS,
        "wrong quorum: a put is answered with one copy too few",
        ("self.copies.get(w.request, (w.request, 0)).n + 1 >= self.write_copies)", "self.copies.get(w.request, (w.request, 0)).n + 2 >= self.write_copies)"),
        breaks="quorum",
        faults=Faults(drop=0.4, partitions=2, partition_s=(0.5, 3.0)),
    ),
    mutant(
        VERSIONS,
        "wrong quorum: a get is answered from one replica too few",
        ("self.answers.get(r.request, (r.request, 0)).n + 1 >= self.read_copies)", "self.answers.get(r.request, (r.request, 0)).n + 2 >= self.read_copies)"),
        breaks="quorum",
        faults=Faults(drop=0.4, partitions=2, partition_s=(0.5, 3.0)),
    ),
    mutant(
        VERSIONS,
        "stale read: answers are counted and not merged",
        ("        self.store <+ ((a.key, a.versions) for a in self.answer)\n", ""),
        breaks="quorum",
        faults=Faults(drop=0.4, partitions=2, partition_s=(0.5, 3.0)),
    ),
    mutant(
        VERSIONS,
        "a replica acknowledges what it does not keep",
        ("        self.store <+ ((w.key, w.versions) for w in self.write)\n", ""),
        breaks=("quorum", "siblings"),
    ),
    mutant(
        VERSIONS,
        "no repair",
        (
            """        self.write <~ ((a.src, self.me, a.key, s.versions) for a in self.answer for s in self.store
                       if s.key == a.key and lversions.merge(a.versions, s.versions) != a.versions)
""",
            "",
        ),
        why="gossip tells the replica later",
    ),
)
