# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""A replicated key-value store that keeps concurrent writes as siblings, with quorums and read repair.

From "Dynamo: Amazon's Highly Available Key-value Store" (DeCandia et al., SOSP 2007, sections 4.4 to 4.7), with dotted version
vectors in the place of its vector clocks (see `versions`).
"""

from bloompy import Bloom, agg, channel, interface, module, param, periodic, rule, scratch, table
from bloompy.lattices import Map  # noqa: F401  (named in a schema)
from bloompy.std.fifo import FifoDelivery
from bloompy.std.versions import context_of, greatest, has, lversions, values_of, written


class VersionedStore(Bloom):
    """Any replica takes any request; a write replaces what its writer had read, and nothing else.

    No write that was answered is lost while the disk of one of `write_copies` replicas is left: it is read until a write that had
    read it replaces it. Siblings are concurrent writes only. With read_copies + write_copies greater than the number of
    replicas, a get that begins after the answer to a put finds it or what replaced it.

    A replica is named by its address; one that lost its disk needs a new address.

    Params:
        write_copies: a put is answered when so many replicas have it on disk, this one included.
        read_copies: a get is answered from so many replicas, this one included.
        retry_s: seconds between two transmissions for a request that is not answered.
        gossip_s: seconds between two transmissions of what a replica is not known to have.

    Inputs:
        join, leave: another replica, from the next tick on; the same set at all of them.
        put: a value for a key, with the context of the response that it follows (`Map()` for none), under a name used once.
        get: asks for a key.

    Outputs:
        response: the values of all siblings, after the put or at the get, and the context that covers them.
    """

    write_copies = param(1)
    read_copies = param(1)
    retry_s = param(0.5)
    gossip_s = param(10.0)
    retry = periodic(retry_s)
    gossip = periodic(gossip_s)

    join = interface.input("address: str")
    leave = interface.input("address: str")
    put = interface.input("request -> key, value, context: Map")
    get = interface.input("request -> key")
    response = interface.output("request -> key, values, context")

    write = channel("@to: str, src: str, key -> versions: lversions")
    wrote = channel("@to: str, src: str, key -> versions: lversions")
    read = channel("@to: str, src: str, request -> key")
    answer = channel("@to: str, src: str, request, key -> versions: lversions")

    replica = table("address: str", durable=True)
    store = table("key -> versions: lversions", durable=True)
    writing = table("request -> key, number: int", durable=True)
    reading = table("request -> key", durable=True)
    holds = table("address: str, key -> versions: lversions")
    found = table("request, address: str")

    turn = scratch("request -> key, turn")
    own = scratch("key -> number")
    accepted = scratch("request -> key, number, value, context")
    behind = scratch("address, key -> versions: lversions")
    copies = scratch("request -> n")
    answers = scratch("request -> n")
    done = scratch("request -> key")

    @rule
    def membership(self) -> None:
        # replica(A) @next :- join(A), A != me.
        self.replica <+ (j for j in self.join if j.address != self.me)
        # del replica(A), holds(A, K) @next :- leave(A).
        self.replica <- self.leave
        self.holds <- ((h.address, h.key) for gone in self.leave for h in self.holds if h.address == gone.address)

    @rule
    def accept(self) -> None:
        # own(K, N) :- put(_, K), store(K, Versions), N the greatest number of this node in them.       (0 at first)
        self.own <= ((p.key, greatest(self.store.get(p.key, (p.key, lversions.bottom)).versions, self.me)) for p in self.put)
        # turn(R, K, rank<R> per K) :- put(R, K).
        self.turn <= ((p.request, p.key, agg.rank(p.request, per=(p.key,))) for p in self.put)
        # accepted(R, K, N + 1 + Turn, V, C) :- put(R, K, V, C), own(K, N), turn(R, K, Turn).
        self.accepted <= ((p.request, p.key, self.own[p.key].number + 1 + self.turn[p.request].turn, p.value, p.context)
                          for p in self.put)
        # store(K, merge<written(me, N, V, C)>) @next :- accepted(_, K, N, V, C).
        self.store <+ ((a.key, written(self.me, a.number, a.value, a.context)) for a in self.accepted)
        # writing(R, K, N) @next :- accepted(R, K, N, _, _).
        self.writing <+ ((a.request, a.key, a.number) for a in self.accepted)
        # reading(R, K) @next :- get(R, K).
        self.reading <+ self.get

    @rule
    def replicate(self) -> None:
        # behind(A, K, V) :- replica(A), store(K, V), not holds(A, K, V).
        self.behind <= ((r.address, s.key, s.versions) for r in self.replica for s in self.store
                        if not any(h for h in self.holds if h.address == r.address and h.key == s.key and h.versions == s.versions))
        # write(@A, me, K, V) @async :- behind(A, K, V).                  (once, when it begins)
        self.write <~ ((b.address, self.me, b.key, b.versions) for b in self.behind)
        # write(@A, me, K, V) @async :- gossip(), behind(A, K, V); retry(), writing(_, K, _), behind(A, K, V).
        self.write <~ ((b.address, self.me, b.key, b.versions) for t in self.gossip for b in self.behind)
        self.write <~ ((b.address, self.me, b.key, b.versions) for t in self.retry for w in self.writing for b in self.behind
                       if b.key == w.key)
        # store(K, merge<V>) @next :- write(me, _, K, V).
        self.store <+ ((w.key, w.versions) for w in self.write)
        # wrote(@S, me, K, V) @async :- write(me, S, K, V).
        self.wrote <~ ((w.src, self.me, w.key, w.versions) for w in self.write)
        # holds(A, K, merge<V>) @next :- wrote(me, A, K, V); write(me, A, K, V).      (it sent what it has on disk)
        self.holds <+ ((w.src, w.key, w.versions) for w in self.wrote)
        self.holds <+ ((w.src, w.key, w.versions) for w in self.write)

    @rule
    def ask(self) -> None:
        # read(@A, me, R, K) @async :- reading(R, K), replica(A), Read > 1.                              (once, and at every retry)
        self.read <~ ((a.address, self.me, r.request, r.key) for r in self.reading for a in self.replica if self.read_copies > 1)
        self.read <~ ((a.address, self.me, r.request, r.key) for t in self.retry for r in self.reading for a in self.replica
                      if self.read_copies > 1)
        # answer(@S, me, R, K, V) @async :- read(me, S, R, K), store(K, V).
        self.answer <~ ((r.src, self.me, r.request, r.key, self.store.get(r.key, (r.key, lversions.bottom)).versions) for r in self.read)
        # found(R, A) @next :- answer(me, A, R, _, _), reading(R), not done(R).
        self.found <+ ((a.request, a.src) for a in self.answer if a.request in self.reading and a.request not in self.done)

    @rule
    def repair(self) -> None:
        # store(K, merge<V>) @next :- answer(me, _, _, K, V).
        self.store <+ ((a.key, a.versions) for a in self.answer)
        # write(@A, me, K, V) @async :- answer(me, A, _, K, Old), store(K, V), merge(Old, V) != Old.
        self.write <~ ((a.src, self.me, a.key, s.versions) for a in self.answer for s in self.store
                       if s.key == a.key and lversions.merge(a.versions, s.versions) != a.versions)

    @rule
    def respond(self) -> None:
        # copies(R, count<A>) :- writing(R, K, N), holds(A, K, V), (me, N) in V.
        self.copies <= ((w.request, agg.count()) for w in self.writing for h in self.holds
                        if h.key == w.key and has(h.versions, self.me, w.number))
        # done(R, K) :- writing(R, K, _), copies(R) + 1 >= Write.
        self.done <= ((w.request, w.key) for w in self.writing
                      if self.copies.get(w.request, (w.request, 0)).n + 1 >= self.write_copies)
        # answers(R, count<A>) :- found(R, A).
        self.answers <= ((f.request, agg.count()) for f in self.found)
        # done(R, K) :- reading(R, K), answers(R) + 1 >= Read.
        self.done <= ((r.request, r.key) for r in self.reading
                      if self.answers.get(r.request, (r.request, 0)).n + 1 >= self.read_copies)
        # response(R, K, values(V), context(V)) :- done(R, K), store(K, V).
        self.response <= ((d.request, d.key, values_of(versions), context_of(versions)) for d in self.done
                          for versions in (self.store.get(d.key, (d.key, lversions.bottom)).versions,))
        # del writing(R), reading(R), found(R, _) @next :- done(R).
        self.writing <- ((d.request,) for d in self.done)
        self.reading <- ((d.request,) for d in self.done)
        self.found <- (f for d in self.done for f in self.found if f.request == d.request)


class VersionedServer(VersionedStore):
    """A replica for clients on other nodes (`KeyValueClient`).

    A put's value is (value, context), and the value of a response (values, context). A client's requests are applied once each.
    """

    session = module(FifoDelivery, retry_s=VersionedStore.retry_s)

    @rule
    def serve(self) -> None:
        # put((C, N), K, V, Context) :- session.received(C, N, ("put", K, (V, Context))).
        self.put <= (((client, no), key, value[0], value[1])
                     for client, no, (op, key, value) in self.session.received if op == "put")
        # get((C, N), K) :- session.received(C, N, ("get", K, _)).
        self.get <= (((client, no), key) for client, no, (op, key, _) in self.session.received if op == "get")
        # session.send(C, N, (K, (Values, Context))) :- response((C, N), K, Values, Context).
        self.session.send <= ((r.request[0], r.request[1], (r.key, (r.values, r.context)))
                              for r in self.response if type(r.request) is tuple)
