"""Imperative: where the replicas of a group are, in a file beside their data, for commands that are to find them."""

from __future__ import annotations

import json
import os
from pathlib import Path

from attrs import frozen

from bloompy.errors import UsageError

NAME = "cluster.json"


@frozen
class Group:
    """How a group of replicas is reached.

    Attributes:
        replicas: their addresses.
        secret: that they share; None if none.
    """

    replicas: tuple[str, ...]
    secret: str | None = None

    def save(self, directory: Path) -> None:
        """Keep it in a directory, for nobody else to read."""
        text = json.dumps({"replicas": self.replicas, "secret": self.secret}, indent=1) + "\n"
        temporary = directory / f".{NAME}"
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        temporary.replace(directory / NAME)


def load(directory: Path) -> Group | None:
    """The group whose data are in a directory; None where none is."""
    path = directory / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Group(tuple(found["replicas"]), found["secret"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} does not say where replicas are: {error}", hint="give their addresses instead") from error


def find(where: str) -> Group:
    """The group that a user names.

    Args:
        where: addresses with commas between them, or the directory of a local group.

    Raises:
        UsageError: if there is no group.
    """
    if Path(where).is_dir():
        group = load(Path(where))
        if group is None:
            raise UsageError(f"{where} has no {NAME}: no group of replicas was started there", hint="give addresses: host:port,host:port,…")
        return group
    if "," not in where and ":" not in where:
        hint = "give addresses, host:port,host:port,…, or the directory of a local group"
        raise UsageError(f"{where} is no directory, and no address", hint=hint)
    return Group(tuple(part.strip() for part in where.split(",") if part.strip()))
