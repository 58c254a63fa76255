# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""A key-value store replicated by lattices: no coordination, and all replicas converge.

From "Logic and Lattices for Distributed Programming" (Conway, Marczak, Alvaro, Hellerstein, Maier; SoCC 2012, section 5.1).
"""

from bloompy import channel, interface, param, periodic, rule, scratch, table
from bloompy.lattices import ByType  # noqa: F401  (named in schemas)
from bloompy.std.kvs import KeyValueProtocol, Served


class ReplicatedStore(KeyValueProtocol):
    """Every replica takes puts and gets by itself; values of one key merge, here and between replicas.

    A value is of a lattice, by its type: numbers and texts by the greatest, booleans by `or`, sets by union, `lattice.Map`s key
    by key. Any replica is available alone; a get answers what this replica has, which may lack what others have not told yet.
    After the last put, when replicas can reach each other, all hold the same. What a replica is known to have it is not sent again.

    Params:
        gossip_s: seconds between two transmissions of what a replica is not known to have.

    Inputs:
        join, leave: another replica, from the next tick on; the same set at all replicas, or connected at least.
    """

    gossip_s = param(1.0)
    gossip = periodic(gossip_s)
    join = interface.input("address: str")
    leave = interface.input("address: str")

    replicate = channel("@to: str, src: str, key -> value: ByType")
    ack = channel("@to: str, src: str, key -> value: ByType")

    replica = table("address: str", durable=True)
    store = table("key -> value: ByType", durable=True)
    holds = table("address: str, key -> value: ByType")
    behind = scratch("address, key -> value: ByType")

    @rule
    def membership(self) -> None:
        # replica(A) @next :- join(A).
        self.replica <+ self.join
        # del replica(A) @next :- leave(A).
        self.replica <- self.leave
        # del holds(A, K) @next :- leave(A), holds(A, K, _).
        self.holds <- ((h.address, h.key) for gone in self.leave for h in self.holds if h.address == gone.address)

    @rule
    def use(self) -> None:
        # store(K, merge<V>) @next :- put(_, K, V).
        self.store <+ ((p.key, p.value) for p in self.put)
        # response(R, K, V) :- put(R, K, V); get(R, K), store(K, V); get(R, K), not store(K), V = None.
        self.response <= self.put
        self.response <= ((g.request, g.key, s.value) for g in self.get for s in self.store if s.key == g.key)
        self.response <= ((g.request, g.key, None) for g in self.get if g.key not in self.store)

    @rule
    def spread(self) -> None:
        # behind(A, K, V) :- replica(A), A != me, store(K, V), not holds(A, K, V).
        self.behind <= ((r.address, s.key, s.value) for r in self.replica for s in self.store
                        if r.address != self.me
                        and not any(h for h in self.holds if h.address == r.address and h.key == s.key and h.value == s.value))
        # replicate(@A, me, K, V) @async :- behind(A, K, V).               (once, when it begins)
        self.replicate <~ ((b.address, self.me, b.key, b.value) for b in self.behind)
        # replicate(@A, me, K, V) @async :- gossip(), behind(A, K, V).
        self.replicate <~ ((b.address, self.me, b.key, b.value) for t in self.gossip for b in self.behind)

    @rule
    def take(self) -> None:
        # store(K, merge<V>) @next :- replicate(me, _, K, V).
        self.store <+ ((r.key, r.value) for r in self.replicate)
        # ack(@S, me, K, V) @async :- replicate(me, S, K, V).
        self.ack <~ ((r.src, self.me, r.key, r.value) for r in self.replicate)
        # holds(A, K, merge<V>) @next :- ack(me, A, K, V); replicate(me, A, K, V).      (it sent what it has on disk)
        self.holds <+ ((a.src, a.key, a.value) for a in self.ack)
        self.holds <+ ((r.src, r.key, r.value) for r in self.replicate)


class ReplicatedServer(Served, ReplicatedStore):
    """A replica for clients on other nodes."""
