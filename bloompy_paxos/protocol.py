"""The messages between clients and the replicas of a state machine."""

from bloompy import Bloom, channel


class Service(Bloom):
    """What both sides speak; `ReplicatedState` adds the rules of a replica.

    `session` names the client for as long as it lives, whatever its address; `number` numbers its requests, and a retry has the
    number of the first try. `acked` is the least number that the client still waits for. `kind` is "write" or "member", which go
    through the log, "read", which is linearizable, or "stale", which is answered from what the replica asked has applied.
    `code` is "" or the name of an error, `replica` who answered.
    `peers` of a status are (address, slots applied, seconds since it was heard) of the others, as the leader knows them.
    """

    request = channel("@replica: str, client: str, session: str, number: int -> acked: int, kind: str, command")
    reply = channel("@client: str, replica: str, session: str, number: int -> code: str, result")
    status_request = channel("@replica: str, client: str, no: int")
    status = channel(
        "@client: str, replica: str, no: int -> role: str, leader: str, ballot: tuple, decided: int, applied: int, first: int, "
        "members: tuple, peers: tuple"
    )
