# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""What the replicas of a log say to each other, and the parameters they have in common."""

from bloompy import Bloom, channel, param, periodic, scratch, table


class Messages(Bloom):
    """The messages of MultiPaxos; 1a to 2b are those of Lamport, "Paxos Made Simple" (2001), section 2.2.

    1a asks for a promise for all slots from `first` on, 1b gives it, with the slots and ballots of the votes there and the last slot
    applied; `report` has the value of such a vote. 2a asks for a vote, 2b gives it. `nack` says that a higher ballot is promised.
    `decision`: all slots up to this one are decided, by the value voted for in this ballot where there is such a vote.
    `heartbeat` says that the leader lives and asks, by a number, whether it still leads, `alive` says so.
    `canvass` asks, before a ballot is begun, whether it would find support (pre-vote), `favour` says so.
    `fetch` asks for decided values from a slot on, `learn` is one; `snapshot` and `piece` are a whole state and a row of it.

    Params, times in seconds:
        members: addresses of the first members, the same at each of them; () at a node that is to be added.
        pulse_s: period of heartbeats and of whatever is said again.
        election_s: a leader silent for so long, and up to twice that by chance, is replaced.
        window: most slots under way at once, the same at all members: a change of members counts so many slots later.
        batch_commands, batch_bytes: bounds of one slot.
        keep: slots kept, after they were applied, for those that lag.
        lease_s: greater than 0: the leader answers reads for so long after a majority has heard it, without asking again; see `reads`.
        drift: bound on the rates of clocks for leases.
    """

    members: tuple[str, ...] = param(())
    pulse_s = param(0.04)
    election_s = param(0.12)
    window = param(8)
    batch_commands = param(1_000)
    batch_bytes = param(1_000_000)
    keep = param(1_000)
    lease_s = param(0.0)
    drift = param(0.01)
    pulse = periodic(pulse_s)

    p1a = channel("@acceptor: str, leader: str, ballot: tuple, first: int")
    p1b = channel("@leader: str, acceptor: str, ballot: tuple, applied: int, votes: tuple")
    report = channel("@leader: str, acceptor: str, slot: int, ballot: tuple -> value: tuple")
    p2a = channel("@acceptor: str, leader: str, ballot: tuple, slot: int -> value: tuple")
    p2b = channel("@leader: str, acceptor: str, ballot: tuple, slot: int")
    nack = channel("@leader: str, acceptor: str, ballot: tuple, promised: tuple")
    decision = channel("@node: str, leader: str, ballot: tuple, slot: int")
    heartbeat = channel("@node: str, leader: str, ballot: tuple, no: int, slot: int, sent: float")
    alive = channel("@leader: str, node: str, ballot: tuple, no: int, applied: int, sent: float")
    canvass = channel("@member: str, candidate: str, ballot: tuple, applied: int")
    favour = channel("@candidate: str, member: str, ballot: tuple")
    fetch = channel("@node: str, asker: str, first: int")
    learn = channel("@node: str, slot: int -> value: tuple")
    snapshot = channel("@node: str, slot: int -> index: int, config: tuple, pieces: int")
    piece = channel("@node: str, slot: int, table: str, row: tuple")

    # What all parts read: the members, and those from slot `since` on; how far this node is; whom it follows; what ballot it begins.
    config = table("-> members: tuple, coming: tuple, since: int", durable="delayed")
    applied = table("-> slot: int, index: int", durable="delayed")
    following = table("-> leader: str, ballot: tuple, heard: float, until: float")
    begins = scratch("-> ballot")
