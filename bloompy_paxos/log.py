# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Logs: what state machines see of them, and the log of a single node.

A log takes commands and gives them back in one order, the same at every node that has a copy of it. What it gives back is decided
once and for all; what was proposed may be lost, and may be decided twice when it was proposed twice (`ReplicatedState` keeps
track of that). The commands of one slot come in one tick: they were under way at the same time, so nobody can tell their order.
"""

from bloompy import Bloom, agg, interface, rule, scratch, table


class Log(Bloom):
    """What every log offers to the state machine at its node.

    Inputs:
        propose: a command, under a name by which whoever proposed it knows it again.
        read: asks whether a read may be answered from the state at this node as if there were one copy only (linearizable).
        image: the rows of the state, by table, in the tick of a `wanted`.

    Outputs:
        decree: the decided commands in order, all of one slot in one tick, and one slot a tick; `index` ascends,
            `time` is the clock of the leader that proposed.
        leading: holds while this node may propose.
        leader: whom this node takes for the leader.
        readable: a read of this name may be answered now: all that was decided when it was asked for is in the state.
        wanted: a snapshot of the state is to be taken.
        restoring, restored: the state is to be replaced, as of the next tick, by these rows.
    """

    propose = interface.input("session: str, number: int, command")
    decree = interface.output("index: int -> slot: int, session: str, number: int, command, time: float")
    leading = interface.output("-> ballot: tuple")
    leader = interface.output("-> address: str")
    read = interface.input("id")
    readable = interface.output("id")

    image = interface.input("table: str, row: tuple")
    wanted = interface.output("no: int")
    restoring = interface.output("no: int")
    restored = interface.output("table: str, row: tuple")


class LocalLog(Log):
    """The log of a single node: what is proposed in a tick is decided in it."""

    applied = table("-> slot: int, index: int", durable=True)

    place = scratch("session, number, command -> place")
    slot = scratch("-> slot, index")
    last = scratch("-> slot, index")

    @rule
    def deciding(self) -> None:
        # place(S, N, C, rank<S, N>) :- propose(S, N, C).
        self.place <= ((p.session, p.number, p.command, agg.rank((p.session, p.number))) for p in self.propose)
        # slot(Last + 1, Index + 1) :- propose(_), applied(Last, Index).
        self.slot <= ((self.applied.get((), (0, 0)).slot + 1, self.applied.get((), (0, 0)).index + 1) for p in self.propose)
        # decree(Index + Place, Slot, S, N, C, now) :- place(S, N, C, Place), slot(Slot, Index).
        self.decree <= ((t.index + p.place, t.slot, p.session, p.number, p.command, self.now) for p in self.place for t in self.slot)
        # applied(Slot, max<Index>) @next :- decree(Index, Slot, ...).
        self.last <= ((agg.max(d.slot), agg.max(d.index)) for d in self.decree)
        self.applied <+- self.last

    @rule
    def leadership(self) -> None:
        self.leading <= [((1, self.me),)]
        self.leader <= [(self.me,)]
        self.readable <= self.read
