"""Imperative: the client for programs without an event loop, and files of the file system as Python file objects."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal

from bloompy.runtime.blocking import Blocking
from bloompy_fs.client import AsyncClient, Progress
from bloompy_fs.errors import ChunkLost
from bloompy_fs.files import Chunk, Health, Member, Status

_READ_BYTES = 1024 * 1024
_SPOOL_BYTES = 8 * 1024 * 1024


class Client(Blocking[AsyncClient]):
    """A client of one file system; takes the arguments of `AsyncClient`, and runs it in a thread of its own.

    It connects when it is first used; `close()` it, or use it by `with`. Several threads may use one client.

        with Client("127.0.0.1:8001") as fs:
            fs.put("words.txt", "/books/words.txt")
            print(fs.ls("/books"))
    """

    def __init__(self, namenode: str, secret: str | bytes | None = None, **options: Any) -> None:
        super().__init__(AsyncClient(namenode, secret, **options))

    # -- names

    def mkdir(self, path: str, parents: bool = False) -> None:
        """Make a directory; with `parents` those above it too, and none need be missing."""
        self._run(self._client.mkdir, path, parents)

    def create(self, path: str, replication: int | None = None) -> None:
        """Make an empty file."""
        self._run(self._client.create, path, replication)

    def rm(self, path: str, recursive: bool = False) -> None:
        """Remove a file or an empty directory; with `recursive` a directory with all that is in it."""
        self._run(self._client.rm, path, recursive)

    def mv(self, path: str, target: str, *, into: bool = True, replace: bool = False) -> str:
        """Rename in one step, and return the new path; see `AsyncClient.mv`."""
        return self._run(lambda: self._client.mv(path, target, into=into, replace=replace))

    def ls(self, path: str = "/") -> list[Status]:
        """What is in a directory, by name."""
        return self._run(self._client.ls, path)

    def stat(self, path: str) -> Status:
        """What is known of a path."""
        return self._run(self._client.stat, path)

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory."""
        return self._run(self._client.exists, path)

    def chunks(self, path: str) -> list[Chunk]:
        """The chunks of a file in order, and where each is."""
        return self._run(self._client.chunks, path)

    def datanodes(self) -> list[Member]:
        """The live DataNodes, by name."""
        return self._run(self._client.datanodes)

    def health(self) -> Health:
        """How well the chunks are kept."""
        return self._run(self._client.health)

    # -- data

    def put(
        self,
        source: str | os.PathLike[str] | BinaryIO | bytes,
        path: str,
        *,
        replace: bool = False,
        progress: Progress | None = None,
        chunk_size: int | None = None,
        replication: int | None = None,
    ) -> Status:
        """Copy into the file system; see `AsyncClient.put`."""
        return self._run(
            lambda: self._client.put(
                source, path, replace=replace, progress=progress, chunk_size=chunk_size, replication=replication
            )
        )

    def append(self, source: str | os.PathLike[str] | BinaryIO | bytes, path: str, *, progress: Progress | None = None) -> Status:
        """Add to the end of a file; see `AsyncClient.append`."""
        return self._run(lambda: self._client.append(source, path, progress=progress))

    def get(
        self, path: str, target: str | os.PathLike[str] | BinaryIO, *, replace: bool = False, progress: Progress | None = None
    ) -> int:
        """Copy out of the file system; see `AsyncClient.get`."""
        return self._run(lambda: self._client.get(path, target, replace=replace, progress=progress))

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a file, or of a stretch of it."""
        return self._run(self._client.read, path, offset, length)

    def _read(self, path: str, chunks: list[Chunk], offset: int, length: int) -> bytes:
        async def read() -> bytes:
            return b"".join([block async for block in self._client.blocks_of(path, chunks, offset, length)])

        return self._run(read)

    def blocks(self, path: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a file, or of a stretch of it, block by block."""
        blocks = self._client.blocks(path, offset, length)
        try:
            while True:
                try:
                    yield self._run(blocks.__anext__)
                except StopAsyncIteration:
                    return
        finally:
            self._run(blocks.aclose)

    def cat(self, path: str, target: BinaryIO) -> int:
        """Write the bytes of a file to a binary file object, and return how many they are."""
        return self.get(path, target)

    def open(self, path: str, mode: Literal["rb", "wb", "xb"] = "rb") -> BinaryIO:
        """A file as a Python file object.

        Args:
            path: the file.
            mode: "rb" to read, seekable; "wb" to write, in place of a file of that name; "xb" to write a new one.
                What is written appears when it is closed; an exception in its `with` block discards it.
        """
        if mode == "rb":
            return io.BufferedReader(_Reading(self, self.stat(path)), _READ_BYTES)
        if mode not in ("wb", "xb"):
            raise ValueError(f"mode {mode!r}: 'rb', 'wb' or 'xb'")
        if mode == "xb" or self.exists(path):
            self._run(self._client._goal, b"", path, mode == "wb")
        return _Writing(self, path, mode == "wb")  # type: ignore[return-value]


class _Reading(io.RawIOBase):
    """A file of the file system, read where it stands."""

    def __init__(self, client: Client, status: Status) -> None:
        self._client, self.name = client, status.path
        self._chunks = client.chunks(status.path)  # raises if it is a directory
        self._size, self._position = sum(chunk.length for chunk in self._chunks), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the beginning")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._position)
        if length <= 0:
            return 0
        try:
            data = self._client._read(self.name, self._chunks, self._position, length)
        except ChunkLost:  # its replicas may be elsewhere by now
            self._chunks = self._client.chunks(self.name)
            data = self._client._read(self.name, self._chunks, self._position, length)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class _Writing(tempfile.SpooledTemporaryFile):  # type: ignore[type-arg]
    """A file to be put when it is closed; large ones wait on the local disk."""

    def __init__(self, client: Client, path: str, replace: bool) -> None:
        super().__init__(max_size=_SPOOL_BYTES)
        self._client, self._path, self._replace = client, path, replace

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            super().close()

    def close(self) -> None:
        """Put the file; what fails is raised."""
        if self.closed:
            return
        try:
            self.seek(0)
            self._client.put(self, self._path, replace=self._replace)  # type: ignore[arg-type]
        finally:
            super().close()
