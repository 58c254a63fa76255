# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Total order multicast by a sequencer: all members receive the same messages in the same order.

The fixed sequencer of "Total Order Broadcast and Multicast Algorithms: Taxonomy and Survey" (Défago, Schiper, Urbán; ACM Computing
Surveys 36(4), 2004, section 4.1), in its unicast-broadcast form.
"""

from bloompy import agg, module, param, rule, scratch, table
from bloompy.std.fifo import FifoDelivery
from bloompy.std.multicast import Multicast


class TotalOrderMulticast(Multicast):
    """Members receive one message a tick, all of them in one order, which keeps the order of each caster.

    Every node runs this class; the one whose address is `sequencer` gives each message its place and keeps the log. Only its
    knowledge of members counts. A member that joins later receives everything from the first message on. While the
    sequencer is down nothing is received; when it is back with its store, all goes on.

    Params:
        sequencer: the address of the node that orders.
        retry_s: seconds between two transmissions of a message that is not acknowledged.
    """

    sequencer = param("")
    retry_s = param(0.5)
    requests = module(FifoDelivery, retry_s=retry_s)
    orders = module(FifoDelivery, retry_s=retry_s)

    length = table("-> n: int", durable=True)
    log = table("place: int -> src: str, no, payload", durable=True)

    turn = scratch("src, no -> turn")
    placed = scratch("place -> src, no, payload")
    audience = scratch("address")

    @rule
    def request(self) -> None:
        # requests.send(Sequencer, N, P) :- cast(N, P).
        self.requests.send <= ((self.sequencer, c.no, c.payload) for c in self.cast)

    @rule
    def sequence(self) -> None:
        # turn(S, N, rank<S, N>) :- requests.received(S, N, _).
        self.turn <= ((r.src, r.no, agg.rank((r.src, r.no))) for r in self.requests.received)
        # placed(Length + Turn, S, N, P) :- requests.received(S, N, P), turn(S, N, Turn), length(Length).
        self.placed <= ((self.length.get((), (0,)).n + t.turn, r.src, r.no, r.payload)
                        for r in self.requests.received for t in self.turn if t.src == r.src and t.no == r.no)
        # log(I, S, N, P) @next :- placed(I, S, N, P).
        self.log <+ self.placed
        # length(max<I> + 1) @next :- placed(I, _, _, _).
        self.length <+- ((agg.max(p.place + 1),) for p in self.placed)

    @rule
    def tell(self) -> None:
        # audience(M) :- member(M); join(M).
        self.audience <= self.member
        self.audience <= self.join
        # orders.send(M, I, (S, N, P)) :- placed(I, S, N, P), audience(M).
        self.orders.send <= ((a.address, p.place, (p.src, p.no, p.payload)) for p in self.placed for a in self.audience)
        # orders.send(M, I, (S, N, P)) :- join(M), not member(M), log(I, S, N, P).
        self.orders.send <= ((j.address, entry.place, (entry.src, entry.no, entry.payload))
                             for j in self.join if j.address not in self.member for entry in self.log)

    @rule
    def receive(self) -> None:
        # received(S, N, P) :- orders.received(_, _, (S, N, P)).
        self.received <= ((src, no, payload) for _, _, (src, no, payload) in self.orders.received)
