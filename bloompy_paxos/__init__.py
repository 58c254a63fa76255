"""Agreement in rules: a replicated log that Python programs can trust with data, and the protocol that it rests on.

    from bloompy_paxos import Client

    with Client(["127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"]) as store:
        store.put("x", 1)

Safety, in rules: `acceptor`, `proposer`, `learner`, `membership`, `reads`. Liveness, in rules: `election`, `catchup`. Together they are
`MultiPaxos`, a `Log`; `ReplicatedState` makes any program of inputs and tables a replicated one by it. `synod` is Paxos for one value, as
the papers tell it. Imperative: the client (`requests`, `client`), the servers and commands. How it works: docs/paxos.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bloompy_paxos.client import AsyncClient, Client
    from bloompy_paxos.cluster import LocalCluster
    from bloompy_paxos.errors import NoAnswer, RequestRefused
    from bloompy_paxos.kvs import ReplicatedKeyValueStore
    from bloompy_paxos.log import LocalLog, Log
    from bloompy_paxos.multipaxos import MultiPaxos
    from bloompy_paxos.server import replica_server
    from bloompy_paxos.state import ReplicatedState

__all__ = [
    "AsyncClient",
    "Client",
    "LocalCluster",
    "LocalLog",
    "Log",
    "MultiPaxos",
    "NoAnswer",
    "ReplicatedKeyValueStore",
    "ReplicatedState",
    "RequestRefused",
    "replica_server",
]

_WHERE = {
    "bloompy_paxos.client": ("AsyncClient", "Client"),
    "bloompy_paxos.cluster": ("LocalCluster",),
    "bloompy_paxos.errors": ("NoAnswer", "RequestRefused"),
    "bloompy_paxos.kvs": ("ReplicatedKeyValueStore",),
    "bloompy_paxos.log": ("LocalLog", "Log"),
    "bloompy_paxos.multipaxos": ("MultiPaxos",),
    "bloompy_paxos.server": ("replica_server",),
    "bloompy_paxos.state": ("ReplicatedState",),
}
_NAMES = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> object:
    """Names are loaded when they are first asked for: a client has no use for the rules, nor a single NameNode for a replicated log."""
    if name not in _NAMES:
        raise AttributeError(f"module 'bloompy_paxos' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(_NAMES[name]), name)
    return found
