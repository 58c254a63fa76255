"""Imperative: to which NameNode a store belongs, in a file beside it, so that no other one takes it for its own.

What a replica has promised under its address, to its members, says nothing under another address or to others; and a replica that
is served alone, from what it had applied, is a second file system under the same name. Both go wrong long after the start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from bloompy.errors import BloomError, StoreError, UsageError
from bloompy.schema import Schema
from bloompy.stores.embedded import EmbeddedStore
from bloompy_fs.addresses import Groups

SUFFIX = ".owner"
"""Of the file that says whose the store beside it is."""


class WrongStore(BloomError):
    """The store of another NameNode, or of this one when it was told of other members."""

    code = "BLM511"


class StoreGone(BloomError):
    """A store that is not where it was, and with it what a NameNode must not forget."""

    code = "BLM512"


@frozen
class Owner:
    """The NameNode that a store belongs to, for good.

    Attributes:
        address: of a replica or partition; "" for a NameNode that is alone, which may change its address.
        groups: the members of all partitions; none for a NameNode that is alone.
    """

    address: str = ""
    groups: Groups = ()

    def __str__(self) -> str:
        """In words."""
        return f"the NameNode at {self.address} of the members {members_text(self.groups)}" if self.groups else "a NameNode that is alone"

    def is_same(self, other: Owner) -> bool:
        """Whether the two are one: replicas may be named in any order, partitions may not, as their numbers follow from it."""
        return self.address == other.address and list(map(frozenset, self.groups)) == list(map(frozenset, other.groups))


def members_text(groups: Groups) -> str:
    """Members as `addresses.groups` takes them."""
    return ";".join(map(",".join, groups))


class OwnedStore(EmbeddedStore):
    """A durable store that belongs to one NameNode as soon as it is there.

    A node opens its store last: a store whose first start failed, say at a port in use, belongs to nobody yet. A store without an
    owner, of an earlier version or whose first start was cut off, is taken as it is.

    Raises:
        WrongStore: if it belongs to another one.
        StoreGone: if only the file that says whose it is is left.
        UsageError: if that file cannot be understood.
    """

    def __init__(self, path: str | os.PathLike[str], owner: Owner) -> None:
        super().__init__(path)
        self._owner, self._known = owner, _known(Path(path))
        if self._known is not None:
            _check(Path(path), owner, self._known)

    def open(self, tables: Mapping[str, Schema]) -> None:
        """As any store."""
        super().open(tables)
        if self._known is not None:
            return
        try:
            _save(Path(self.path), self._owner)
        except OSError as error:
            self.close()
            raise StoreError(f"{self.path}{SUFFIX} cannot be written: {error}") from error


def _check(path: Path, owner: Owner, known: Owner) -> None:
    if not owner.is_same(known):
        options = f'by --listen {known.address} --members "{members_text(known.groups)}"' if known.groups else "without members"
        hint = f"start it {options}, or give this one a store of its own"
        raise WrongStore(f"{path} belongs to {known}, not to {owner}", hint=hint)
    if not path.exists() or not path.stat().st_size:
        raise _gone(path, owner)


def _gone(path: Path, owner: Owner) -> StoreGone:
    if owner.groups:
        message = f"the store of {owner} is gone, {path}, and with it what it has promised to the others"
        return StoreGone(message, hint='do not start it again; a majority goes on without it: docs/namenodes.md, "A lost store"')
    hint = f"restore the file from a copy, or remove {_file(path)} to begin with a new, empty file system"
    return StoreGone(f"{path} is gone, and with it all names of the file system", hint=hint)


def _known(path: Path) -> Owner | None:
    """Whom a store belongs to, as the file beside it says."""
    file = _file(path)
    try:
        return _owner(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        hint = "restore the file from a copy, or remove it if you know that the store is the right one"
        raise UsageError(f"{file} does not say whose store this is: {error}", hint=hint) from error


def _owner(found: Any) -> Owner:
    return Owner(str(found["address"]), tuple(tuple(map(str, group)) for group in found["groups"]))


def _save(path: Path, owner: Owner) -> None:
    """Write down whom a store belongs to, after the store was made and before anything is promised that is in it."""
    file = _file(path)
    temporary = file.with_name(f".{file.name}")
    with temporary.open("w", encoding="utf-8") as target:
        target.write(json.dumps({"address": owner.address, "groups": owner.groups}, indent=1) + "\n")
        target.flush()
        os.fsync(target.fileno())
    temporary.replace(file)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _file(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)
