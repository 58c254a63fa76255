"""The messages between clients and the NameNode."""

from bloompy import Bloom, channel

REMOTE = "EREMOTE"
"""The code of an answer that says which partition a request belongs to, and the directory by which it does, or ""."""


class Protocol(Bloom):
    """A client's side as it stands; the NameNode adds its rules.

    `session` names the client for as long as it lives, whatever its address; `reqid` numbers its requests, and a retry has the
    number of the first try. `acked` is the least number that the client still waits for. `code` is "" or the name of an errno.
    `by` is the NameNode that answers: of several, the one to ask next time.
    `status` is what a NameNode says of itself, as a replica in `bloompy_paxos.protocol.Service` does.
    """

    request = channel("@nn: str, client: str, session: str, reqid: int -> acked: int, op: str, path: str, args: tuple")
    response = channel("@client: str, by: str, session: str, reqid: int -> code: str, result: tuple")
    status_request = channel("@nn: str, client: str, no: int")
    status = channel(
        "@client: str, nn: str, no: int -> role: str, leader: str, ballot: tuple, decided: int, applied: int, first: int, "
        "members: tuple, peers: tuple"
    )
