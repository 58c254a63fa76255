"""What replicas say of themselves."""

from __future__ import annotations

from typing import Any

from attrs import frozen


@frozen
class Peer:
    """What the leader knows of another replica.

    Attributes:
        address: of the replica.
        applied: the last slot that it has applied, as far as the leader has heard.
        heard_s: seconds since it was heard.
    """

    address: str
    applied: int
    heard_s: float


@frozen
class Status:
    """What a replica says of itself.

    Attributes:
        address: of the replica.
        role: such as "leader" and "follower"; "silent" for a replica that did not answer, all else is empty then.
        leader: whom it takes for the leader.
        ballot: the highest ballot that it knows: (round, node).
        decided: the last slot that it knows to be decided.
        applied: the last slot whose commands are in its state.
        first: the first slot that it still keeps; what was before is in snapshots.
        members: of the configuration that it has applied.
        peers: of a leader: what it knows of the others.
    """

    address: str
    role: str = "silent"
    leader: str = ""
    ballot: tuple[Any, ...] = ()
    decided: int = 0
    applied: int = 0
    first: int = 0
    members: tuple[str, ...] = ()
    peers: tuple[Peer, ...] = ()


def status_of(address: str, row: Any) -> Status:
    """The status in a row of the channel `status`, None for a replica that sent none."""
    if row is None:
        return Status(address)
    peers = tuple(sorted((Peer(*peer) for peer in row.peers), key=lambda peer: peer.address))
    return Status(address, row.role, row.leader, row.ballot, row.decided, row.applied, row.first, row.members, peers)
