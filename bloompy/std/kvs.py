# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Key-value stores: what every store offers, one on a single node, and how clients reach it over a network.

The interface follows the one of "Consistency Analysis in Bloom: a CALM and Collected Approach" (Alvaro, Conway, Hellerstein,
Marczak; CIDR 2011, section 4.1).
"""

from bloompy import Bloom, agg, interface, module, param, rule, scratch, table
from bloompy.std.fifo import FifoDelivery


class KeyValueProtocol(Bloom):
    """What every key-value store offers to the program around it.

    Inputs:
        put: a value for a key, under a name of the request that is used once.
        get: asks for the value of a key, as it was before the puts of the same tick.

    Outputs:
        response: the request is done, and what it did is safe; to a get with the value, None where there is none.
    """

    put = interface.input("request -> key, value")
    get = interface.input("request -> key")
    response = interface.output("request -> key, value")


class KeyValueStore(KeyValueProtocol):
    """A store on one node, on disk: linearizable.

    Of several puts of one key in one tick the one of the greatest request stays, as if they had come in that order; a delete
    in the same tick comes before them.

    Inputs:
        delete: the key has no value any more; its response has the value None.
    """

    delete = interface.input("request -> key")

    store = table("key -> value", durable=True)
    last = scratch("key -> request")

    @rule
    def write(self) -> None:
        # last(K, max<R>) :- put(R, K, _).
        self.last <= ((p.key, agg.max(p.request)) for p in self.put)
        # store(K, V) @next :- put(R, K, V), last(K, R).
        self.store <+- ((p.key, p.value) for p in self.put for x in self.last if x.key == p.key and x.request == p.request)
        # del store(K) @next :- delete(_, K).
        self.store <- ((d.key,) for d in self.delete)

    @rule
    def respond(self) -> None:
        # response(R, K, V) :- put(R, K, V); delete(R, K), V = None; get(R, K), store(K, V).
        self.response <= self.put
        self.response <= ((d.request, d.key, None) for d in self.delete)
        self.response <= ((g.request, g.key, self.store.get(g.key, (g.key, None)).value) for g in self.get)


class Served(KeyValueProtocol):
    """Lets clients on other nodes use a store: `class Server(Served, SomeStore)`.

    A client's requests are applied once each and in the order in which it made them, over loss, repetition and crashes.

    Params:
        retry_s: seconds between two transmissions of a response that is not acknowledged.
    """

    retry_s = param(0.5)
    session = module(FifoDelivery, retry_s=retry_s)

    @rule
    def serve(self) -> None:
        # put((C, N), K, V) :- session.received(C, N, ("put", K, V)).
        self.put <= (((client, no), key, value) for client, no, (op, key, value) in self.session.received if op == "put")
        # get((C, N), K) :- session.received(C, N, ("get", K, _)).
        self.get <= (((client, no), key) for client, no, (op, key, _) in self.session.received if op == "get")

    @rule
    def reply(self) -> None:
        # session.send(C, N, (K, V)) :- response((C, N), K, V).           (requests from here have names of another kind)
        self.session.send <= ((r.request[0], r.request[1], (r.key, r.value)) for r in self.response if type(r.request) is tuple)


class KeyValueServer(Served, KeyValueStore):
    """The store of one node, for clients on others."""

    @rule
    def serve_deletes(self) -> None:
        # delete((C, N), K) :- session.received(C, N, ("delete", K, _)).
        self.delete <= (((client, no), key) for client, no, (op, key, _) in self.session.received if op == "delete")


class KeyValueClient(Bloom):
    """A client of one or more servers.

    Inputs:
        request: `op` is "put", "get" or, of a `KeyValueServer`, "delete"; by a number that this client uses once.

    Outputs:
        response: what the server answered.

    Params:
        retry_s: seconds between two transmissions of a request that is not acknowledged.
    """

    request = interface.input("no: int -> server: str, op: str, key, value")
    response = interface.output("no: int -> key, value")
    retry_s = param(0.5)
    session = module(FifoDelivery, retry_s=retry_s)

    @rule
    def ask(self) -> None:
        # session.send(S, N, (Op, K, V)) :- request(N, S, Op, K, V).
        self.session.send <= ((r.server, r.no, (r.op, r.key, r.value)) for r in self.request)
        # response(N, K, V) :- session.received(_, N, (K, V)).
        self.response <= ((no, key, value) for _, no, (key, value) in self.session.received)
