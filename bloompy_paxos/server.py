"""Imperative: a replica of the key-value store as a server, with what it must not forget in a directory of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from bloompy.errors import BloomError, UsageError
from bloompy.runtime.limits import Limits
from bloompy.runtime.node import Node
from bloompy.schema import Schema
from bloompy.stores.embedded import EmbeddedStore
from bloompy.transports.addresses import split_address
from bloompy_paxos.kvs import ReplicatedKeyValueStore
from bloompy_paxos.parameters import check_parameters
from bloompy_paxos.snapshots import SNAPSHOT_BYTES

STORE, IDENTITY = "replica.db", "replica.json"


class WrongIdentity(BloomError):
    """A directory that belongs to a replica of another address: promises made under one name do not count under another."""

    code = "BLM603"


class LostStore(BloomError):
    """A directory of a replica without the store that it had: one that forgot its votes must not vote again."""

    code = "BLM606"


def replica_server(
    directory: str | os.PathLike[str],
    listen: str | None = None,
    members: Sequence[str] | None = None,
    secret: str | bytes | None = None,
    **parameters: Any,
) -> Node[ReplicatedKeyValueStore]:
    """A replica of the key-value store, ready to be entered or run.

    Args:
        directory: for its promises, its part of the log and its state; made if it is not there. It belongs to one replica, at one address,
            for good. If it is lost, so is the replica: it has to be removed from the members, and another added, at another address.
        listen: "host:port" by which all others reach it; None at a later start: as before.
        members: the first members of the group, the same for each of them; () for a replica that is to be added to a group.
            None at a later start: the members are in the directory then.
        secret: shared by the group; compulsory for any host but loopback.
        **parameters: of `ReplicatedKeyValueStore`, the same for all replicas.

    Raises:
        UsageError: for a first start without an address, or without saying who the members are.
        ParameterError: for a parameter that there is not, or a value with which a group could not work.

    Entering it raises LostStore where the directory has lost what the replica had promised.
        WrongIdentity: for the directory of another replica.
    """
    check_parameters(parameters)
    path = Path(directory)
    identity = identify(path, listen, members)
    program = ReplicatedKeyValueStore(members=identity.members, **parameters)
    limits = Limits(outgoing_bytes=SNAPSHOT_BYTES)
    return Node(program, listen=identity.address, store=_OwnedStore(path, identity), secret=secret, limits=limits)


class _OwnedStore(EmbeddedStore):
    """A store whose directory says to whom it belongs as soon as anything is kept in it, and that it is there.

    A node opens its store last: a directory whose first start failed, say at a port in use, belongs to nobody yet.
    """

    def __init__(self, directory: Path, identity: Identity) -> None:
        super().__init__(directory / STORE)
        self._directory, self._identity = directory, identity

    def open(self, tables: Mapping[str, Schema]) -> None:
        """As any store. Raises LostStore where there was one, and is none."""
        if self._identity.started and not (self._directory / STORE).exists():
            message = f"{self._directory} has no {STORE} any more, and with it is lost what {self._identity.address} promised and voted"
            raise LostStore(message, hint="remove it from the members of its group, and add another replica, at another address")
        self._identity.save(self._directory)
        super().open(tables)
        evolve(self._identity, started=True).save(self._directory)


@frozen
class Identity:
    """Who a replica is, for good.

    Attributes:
        address: of the replica.
        members: the first members of its group; none, if it is to be added to one.
        started: whether it has a store.
    """

    address: str
    members: tuple[str, ...]
    started: bool = False

    def save(self, directory: Path) -> None:
        """Make it that of a directory, which is made if it is not there."""
        directory.mkdir(parents=True, exist_ok=True)
        temporary = directory / f".{IDENTITY}"
        temporary.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        temporary.replace(directory / IDENTITY)


def identify(directory: Path, listen: str | None, members: Sequence[str] | None) -> Identity:
    """Who the replica of a directory is: as the directory says, or else as the arguments do. See `replica_server`."""
    known = _known(directory)
    if known is None:
        return _new_identity(listen, members)
    if listen is not None and listen != known.address:
        message = f"{directory} belongs to the replica at {known.address}, not at {listen}"
        raise WrongIdentity(message, hint="give each replica a directory of its own, and let it keep its address")
    return known


def _known(path: Path) -> Identity | None:
    try:
        found = json.loads((path / IDENTITY).read_text(encoding="utf-8"))
        return Identity(str(found["address"]), tuple(map(str, found["members"])), bool(found.get("started")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path / IDENTITY} does not say which replica this is: {error}", hint="restore the file from a copy") from error


def _new_identity(listen: str | None, members: Sequence[str] | None) -> Identity:
    if listen is None or members is None:
        raise UsageError(
            "a replica's first start needs its address and the members of its group",
            hint="say by which address all others reach it, and name the members, or that it is to be added to a group",
        )
    for address in (listen, *members):
        split_address(address)
    if split_address(listen)[1] == 0:
        raise UsageError(f"{listen}: a replica keeps its address for good", hint="choose a port")
    if members and listen not in members:
        raise UsageError(f"{listen} is not among the members {', '.join(members)}", hint="name all members, this one too")
    if len(set(members)) != len(members):
        raise UsageError(f"a member is named twice: {', '.join(members)}")
    return Identity(listen, tuple(members))
