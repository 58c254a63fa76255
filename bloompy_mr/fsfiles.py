"""Files of a bloompy_fs, named `fs://host:port/path` by the address of its NameNode. Plain Python."""

from __future__ import annotations

import atexit
import fnmatch
from contextlib import suppress
from typing import BinaryIO

from bloompy_fs import Client, FsError
from bloompy_fs.errors import FsExists, FsNotFound
from bloompy_mr.errors import JobError
from bloompy_mr.files import FS_SCHEME, Block

_clients: dict[tuple[str, bytes], Client] = {}
_WILD = frozenset("*?[")


class FsFiles:
    """The file systems that paths name, each with one connection for the whole process.

    Args:
        secret: their secret; b"" for one on loopback without.
    """

    def __init__(self, secret: bytes) -> None:
        self.secret = secret

    def expand(self, pattern: str) -> list[str]:
        """As `Files.expand`; wildcards stand for parts of names and cross no slash."""
        client, root, path = self._of(pattern)
        try:
            found = self._matching(client, path)
        except FsNotFound:
            found = []
        if not found:
            raise JobError(f"no file at {pattern!r}", hint="give a file, a directory, or a pattern such as fs://host:port/logs/*.txt")
        return [root + one for one in sorted(found)]

    def _matching(self, client: Client, path: str) -> list[str]:
        if not _WILD & set(path):
            return _files_in(client, path) if client.stat(path).is_dir else [path]
        reached = [""]
        *parts, last = path.strip("/").split("/")
        for part in parts:
            reached = [f"{above}/{name}" for above in reached for name, is_dir in _entries(client, above, part) if is_dir]
        return [f"{above}/{name}" for above in reached for name, is_dir in _entries(client, above, last) if not is_dir]

    def blocks(self, path: str) -> list[Block]:
        """As `Files.blocks`: one a chunk, with the machines that hold it."""
        client, _, path = self._of(path)
        return [Block(chunk.start, chunk.length, chunk.hosts) for chunk in client.chunks(path)]

    def open(self, path: str) -> BinaryIO:
        """As `Files.open`."""
        client, _, path = self._of(path)
        return client.open(path, "rb")

    def exists(self, path: str) -> bool:
        """As `Files.exists`."""
        client, _, path = self._of(path)
        return client.exists(path)

    def make_directory(self, path: str) -> None:
        """As `Files.make_directory`."""
        client, _, path = self._of(path)
        client.mkdir(path, parents=True)

    def create(self, path: str) -> BinaryIO:
        """As `Files.create`; the file appears when it is closed."""
        client, _, path = self._of(path)
        client.mkdir(path.rpartition("/")[0] or "/", parents=True)
        return client.open(path, "wb")

    def commit(self, temporary: str, final: str) -> None:
        """As `Files.commit`: the NameNode renames in one step, and only if the name is free."""
        client, _, source = self._of(temporary)
        target = self._of(final)[2]
        try:
            client.mv(source, target, into=False)
        except FsExists:
            client.rm(source)

    def remove(self, path: str) -> None:
        """As `Files.remove`."""
        client, _, path = self._of(path)
        with suppress(FsNotFound):
            client.rm(path, recursive=True)

    def _of(self, path: str) -> tuple[Client, str, str]:
        """The client of a path, `fs://host:port`, and the path within."""
        address, slash, rest = path.removeprefix(FS_SCHEME).partition("/")
        if not slash or ":" not in address:
            raise JobError(f"{path!r} names no file of a bloompy_fs", hint="write fs://host:port/path, with the address of its NameNode")
        key = (address, self.secret)
        if key not in _clients:
            _clients[key] = Client(address, self.secret or None)
        return _clients[key], FS_SCHEME + address, "/" + rest.strip("/")


def _files_in(client: Client, path: str) -> list[str]:
    return [one.path for one in client.ls(path) if not one.is_dir and not one.name.startswith((".", "_"))]


def _entries(client: Client, directory: str, pattern: str) -> list[tuple[str, bool]]:
    with suppress(FsError):
        return [(one.name, one.is_dir) for one in client.ls(directory or "/") if fnmatch.fnmatchcase(one.name, pattern)]
    return []


@atexit.register
def _close() -> None:
    for client in _clients.values():
        client.close()
    _clients.clear()
