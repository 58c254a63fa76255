# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Reliable delivery: acknowledgement, retry, and a memory of what has come.

From "Dedalus: Datalog in Time and Space" and Bud's sandbox (delivery/reliable.rb), with the memory of the receiver that these
leave to others, and with both memories on disk.
"""

from bloompy import channel, interface, param, periodic, rule, table
from bloompy.std.delivery import Delivery


class ReliableDelivery(Delivery):
    """Every message is received exactly once, if both nodes and the network between them are up long enough.

    Holds under loss, duplication, reordering, partitions that heal, and crashes of both sides with their stores. What the
    program of the receiver derives from `received` into durable tables is committed together with the memory that the
    message has come, so its effect happens once too.

    Params:
        retry_s: seconds between two transmissions of a message that is not acknowledged.

    Inputs:
        settled: all messages of `src` whose `no` is less than `below` have been received, and any that comes is a repetition.
            For protocols that number messages themselves (FifoDelivery); without it every name is remembered for ever.

    Outputs:
        sent: acknowledged, once.
    """

    retry_s = param(0.5)
    retry = periodic(retry_s)
    settled = interface.input("src: str -> below")

    message = channel("@dst: str, src: str, no -> payload")
    ack = channel("@src: str, dst: str, no")

    pending = table("dst: str, no -> payload", durable=True)
    delivered = table("src: str, no", durable=True)
    floor = table("src: str -> below: lmax", durable=True)

    @rule
    def keep(self) -> None:
        # pending(D, N, P) :- send(D, N, P).
        self.pending <= self.send
        # del pending(D, N) @next :- ack(me, D, N).
        self.pending <- ((a.dst, a.no) for a in self.ack)
        # sent(D, N, P) :- ack(me, D, N), pending(D, N, P).
        self.sent <= (p for a in self.ack for p in self.pending if p.dst == a.dst and p.no == a.no)

    @rule
    def transmit(self) -> None:
        # message(@D, me, N, P) @async :- pending(D, N, P).                (once, and once after every start)
        self.message <~ ((p.dst, self.me, p.no, p.payload) for p in self.pending)
        # message(@D, me, N, P) @async :- retry(), pending(D, N, P).
        self.message <~ ((p.dst, self.me, p.no, p.payload) for t in self.retry for p in self.pending)

    @rule
    def receive(self) -> None:
        # received(S, N, P) :- message(me, S, N, P), not delivered(S, N), not [floor(S, B), N < B].
        self.received <= ((m.src, m.no, m.payload) for m in self.message
                          if (m.src, m.no) not in self.delivered
                          and not any(f for f in self.floor if f.src == m.src and m.no < f.below))
        # ack(@S, me, N) @async :- message(me, S, N, _).                   (each time: the last one may be lost)
        self.ack <~ ((m.src, self.me, m.no) for m in self.message)

    @rule
    def remember(self) -> None:
        # delivered(S, N) @next :- received(S, N, _).
        self.delivered <+ ((r.src, r.no) for r in self.received)
        # floor(S, B) @next :- settled(S, B).
        self.floor <+ self.settled
        # del delivered(S, N) @next :- floor(S, B), delivered(S, N), N < B.
        self.delivered <- (d for f in self.floor for d in self.delivered if d.src == f.src and d.no < f.below)
