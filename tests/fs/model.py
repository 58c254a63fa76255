"""A file system in plain Python, one request at a time: what the NameNode's rules must amount to."""

from __future__ import annotations

from typing import Any

from attrs import define, field


@define
class File:
    """A file, or a directory if it has entries."""

    entries: dict[str, File] | None
    replication: int = 0
    chunks: list[list[int]] = field(factory=list)


class Fault(Exception):
    """The request failed with the name of an errno."""


class Model:
    """Names and chunks; ids are those that the NameNode gave, told by the caller."""

    def __init__(self) -> None:
        self.root = File({})

    def find(self, path: str) -> File:
        """The file at a path."""
        here = self.root
        for name in path.split("/")[1:] if path != "/" else ():
            if here.entries is None:
                raise Fault("ENOTDIR")
            if name not in here.entries:
                raise Fault("ENOENT")
            here = here.entries[name]
        return here

    def parent(self, path: str) -> tuple[dict[str, File], str]:
        """The entries of the directory above, and the last name."""
        above, _, name = path.rpartition("/")
        directory = self.find(above or "/")
        if directory.entries is None:
            raise Fault("ENOTDIR")
        return directory.entries, name

    def file(self, path: str) -> File:
        """A file that is no directory."""
        found = self.find(path)
        if found.entries is not None:
            raise Fault("EISDIR")
        return found

    def apply(self, op: str, path: str, args: tuple[Any, ...], new_id: int) -> Any:
        """Carry out one request and return what the NameNode should answer."""
        return getattr(self, op)(path, *args, **({"new_id": new_id} if op in ("create", "mkdir", "addchunk") else {}))

    def create(self, path: str, replication: int, new_id: int) -> Any:
        self._make(path, File(None, replication))

    def mkdir(self, path: str, new_id: int) -> Any:
        self._make(path, File({}))

    def _make(self, path: str, made: File) -> None:
        if path == "/":
            raise Fault("EEXIST")
        entries, name = self.parent(path)
        if name in entries:
            raise Fault("EEXIST")
        entries[name] = made

    def rm(self, path: str, recursive: bool) -> Any:
        found = self.find(path)
        if path == "/":
            raise Fault("EBUSY")
        if found.entries and not recursive:
            raise Fault("ENOTEMPTY")
        entries, name = self.parent(path)
        del entries[name]

    def rename(self, path: str, target: str, into: bool, replace: bool) -> Any:
        moved = self.find(path)
        if path == "/":
            raise Fault("EBUSY")
        entries, name = self.parent(path)
        if into and self._is_directory(target):
            target = ("" if target == "/" else target) + "/" + name
        if target.startswith(path + "/"):
            raise Fault("EINVAL")
        if target == path:
            return
        if target == "/":
            raise Fault("EEXIST")
        goal, goal_name = self.parent(target)
        there = goal.get(goal_name)
        if there is not None and not (replace and there.entries is None and moved.entries is None):
            raise Fault("EEXIST")
        del entries[name]
        goal[goal_name] = moved

    def _is_directory(self, path: str) -> bool:
        try:
            return self.find(path).entries is not None
        except Fault:
            return False

    def addchunk(self, path: str, host: str, excluded: tuple[str, ...], new_id: int) -> Any:
        chunks = self.file(path).chunks
        chunks.append([new_id, -1, max((row[2] for row in chunks), default=-1) + 1])

    def commit(self, path: str, chunk: int, length: int, stored: tuple[str, ...]) -> Any:
        row = self._chunk(path, chunk)
        if row[1] not in (-1, length):
            raise Fault("EINVAL")
        row[1] = length

    def abandon(self, path: str, chunk: int) -> Any:
        row = self._chunk(path, chunk)
        if row[1] != -1:
            raise Fault("EINVAL")
        self.file(path).chunks.remove(row)

    def _chunk(self, path: str, chunk: int) -> list[int]:
        for row in self.file(path).chunks:
            if row[0] == chunk:
                return row
        raise Fault("EINVAL")

    def ls(self, path: str, after: str, limit: int) -> Any:
        entries = self.find(path).entries
        if entries is None:
            raise Fault("ENOTDIR")
        found = [(name, file.entries is not None, size(file), file.replication) for name, file in sorted(entries.items())]
        return [one for one in found if one[0] > after][:limit]

    def stat(self, path: str) -> Any:
        found = self.find(path)
        return (found.entries is not None, size(found), found.replication)

    def exists(self, path: str) -> Any:
        try:
            self.find(path)
        except Fault:
            return False
        return True

    def chunks(self, path: str, first: int, limit: int) -> Any:
        return [(seq, chunk, length) for chunk, length, seq in self.file(path).chunks if length != -1 and seq >= first][:limit]

    def tree(self) -> dict[str, Any]:
        """Every path with what is known of it."""
        found: dict[str, Any] = {}

        def walk(path: str, file: File) -> None:
            found[path or "/"] = (file.entries is not None, file.replication, tuple((chunk, length) for chunk, length, _ in file.chunks))
            for name, inner in (file.entries or {}).items():
                walk(f"{path}/{name}", inner)

        walk("", self.root)
        return found


def size(file: File) -> int:
    """Bytes in committed chunks."""
    return sum(length for _, length, _ in file.chunks if length != -1)
