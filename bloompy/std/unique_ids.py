# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Ids that no other request, node or incarnation of a node ever gets."""

from bloompy import Bloom, agg, interface, param, rule, scratch, table


class UniqueIds(Bloom):
    """Numbers from a durable counter; with the node's address they are unique in the cluster.

    Interface:
        ask: a request, by any key of the caller's.
        given: its id, a pair (address, number), in the same tick. The counter is durable before the tick's messages leave, so an
            id that anybody has seen is never given again, crash or not. A request that is repeated gets a new id.
    """

    ask = interface.input("request")
    given = interface.output("request -> id: tuple")

    counter = table("-> next: int", durable=True)
    place = scratch("request -> n")
    granted = scratch("request -> number")
    last = scratch("-> number")

    @rule
    def ids(self) -> None:
        # granted(R, Next + rank<R>) :- ask(R), counter(Next).
        self.place <= ((a.request, agg.rank(a.request)) for a in self.ask)
        self.granted <= ((p.request, self.counter.get((), (1,)).next + p.n) for p in self.place)
        self.given <= ((g.request, (self.me, g.number)) for g in self.granted)
        # counter(max<N> + 1) @next :- granted(_, N).
        self.last <= (agg.max(g.number) for g in self.granted)
        self.counter <+- ((x.number + 1,) for x in self.last)


SEQUENCE_BITS, WORKER_BITS = 12, 10


def snowflake(stamp: int, worker: int) -> int:
    """The id of a stamp, which is milliseconds and a number within the millisecond in one integer."""
    return (stamp >> SEQUENCE_BITS << WORKER_BITS | worker) << SEQUENCE_BITS | stamp & (1 << SEQUENCE_BITS) - 1


class Snowflakes(Bloom):
    """64-bit numbers that grow roughly with time, after Twitter's Snowflake (2010): 41 bits of time, 10 of worker, 12 of sequence.

    Params:
        worker: 0 … 1023, of which no two nodes may have the same.
        epoch_s: the second that counts as 0; the default is the first of 2020.

    Interface:
        ask, given: as in `UniqueIds`; the ids are integers.

    Ids of one node grow strictly, whatever the clock does: the last stamp is durable, and time only ever moves it forward. (The
    original refuses to answer while its clock is behind, and can repeat ids if it restarts then.)
    """

    worker = param(0)
    epoch_s = param(1_577_836_800)

    ask = interface.input("request")
    given = interface.output("request -> id: int")

    stamp = table("-> last: int", durable=True)
    place = scratch("request -> n")
    granted = scratch("request -> stamp")
    latest = scratch("-> stamp")

    def first_after(self, last: int, now: float) -> int:
        """The least stamp after `last` that is not before now."""
        return max(last + 1, int((now - self.epoch_s) * 1000) << SEQUENCE_BITS)

    @rule
    def ids(self) -> None:
        # granted(R, first + rank<R>) :- ask(R), stamp(Last), first = max(Last + 1, now).
        self.place <= ((a.request, agg.rank(a.request)) for a in self.ask)
        self.granted <= ((p.request, self.first_after(self.stamp.get((), (0,)).last, self.now) + p.n) for p in self.place)
        self.given <= ((g.request, snowflake(g.stamp, self.worker)) for g in self.granted)
        # stamp(max<S>) @next :- granted(_, S).
        self.latest <= (agg.max(g.stamp) for g in self.granted)
        self.stamp <+- ((x.stamp,) for x in self.latest)
