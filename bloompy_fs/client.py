"""Imperative: the file system as a Python program uses it, asynchronously. `bloompy_fs.Client` is the same without `await`."""

from __future__ import annotations

import errno
import io
import os
import random
import secrets
import socket
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, nullcontext, suppress
from typing import Any, BinaryIO, Self, TypeAlias

import anyio
from anyio import to_thread

from bloompy_fs.addresses import groups
from bloompy_fs.chunkio import ReplicaFailed, read_chunk, write_chunk
from bloompy_fs.errors import ChunkLost, FsError, FsExists, FsIsADirectory, FsNotADirectory, FsNotFound, FsTimeout
from bloompy_fs.files import Chunk, Health, Holder, Member, Status
from bloompy_fs.operations import PAGE_LIMIT, REPLICATION_LIMIT
from bloompy_fs.paths import join, name_of, normal, parent_of
from bloompy_fs.routing import Routing
from bloompy_fs.wire import Hop

CHUNK_BYTES = 64 * 1024 * 1024
BLOCK_BYTES = 256 * 1024
_SPOOL_BYTES = 8 * 1024 * 1024
_WRITE_TRIES = 5
_PAUSE_S = 0.2
_REMOVAL_S, _LAST_TRY_S = 5.0, 1.0
"""How long the unfinished file of a put is tried to be removed; the second where the whole time for a request is over already."""

Progress: TypeAlias = Callable[[int], object]
"""Called with the number of bytes done so far."""


class AsyncClient:
    """A client of one file system; use it by `async with`.

    Args:
        namenode: "host:port" of the NameNode; "," stands between those of replicas, ";" between partitions. Or a list of groups.
        secret: shared by the cluster.
        timeout_s: for a request to the NameNode with its retries, and for each frame of data.
        chunk_size: bytes of a chunk of the files written.
        replication: replicas of each chunk of the files written.

    Every operation raises an `FsError`, an OSError with errno and path.
    """

    def __init__(
        self,
        namenode: str | Sequence[Sequence[str]],
        secret: str | bytes | None = None,
        *,
        timeout_s: float = 30.0,
        chunk_size: int = CHUNK_BYTES,
        replication: int = 3,
    ) -> None:
        if chunk_size < 1:
            raise ValueError(f"chunk_size={chunk_size}: at least 1 byte")
        if not 1 <= replication <= REPLICATION_LIMIT:
            raise ValueError(f"replication={replication}: 1 to {REPLICATION_LIMIT}")
        self.chunk_size, self.replication, self.host = chunk_size, replication, socket.gethostname()
        self._secret = secret.encode() if isinstance(secret, str) else secret
        self._timeout_s = timeout_s
        self._metadata = Routing(groups(namenode), self._secret, timeout_s)

    async def __aenter__(self) -> Self:
        await self._metadata.__aenter__()
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._metadata.__aexit__(*exception)

    # -- names

    async def mkdir(self, path: str, parents: bool = False) -> None:
        """Make a directory; with `parents` those above it too, and none need be missing."""
        path = normal(path)
        if not parents:
            await self._metadata.ask("mkdir", path)
            return
        try:
            await self._metadata.ask("mkdir", path)
        except FsNotFound:
            await self.mkdir(parent_of(path), parents=True)
            await self.mkdir(path, parents=True)
        except FsExists:
            if not (await self.stat(path)).is_dir:
                raise

    async def create(self, path: str, replication: int | None = None) -> None:
        """Make an empty file."""
        await self._metadata.ask("create", normal(path), replication or self.replication)

    async def rm(self, path: str, recursive: bool = False) -> None:
        """Remove a file or an empty directory; with `recursive` a directory with all that is in it."""
        await self._metadata.ask("rm", normal(path), recursive)

    async def mv(self, path: str, target: str, *, into: bool = True, replace: bool = False) -> str:
        """Rename, in one step.

        Args:
            path: a file or directory.
            target: its new path; a directory there takes it in, if `into`.
            replace: whether a file may take the place of a file.

        Returns:
            the new path.
        """
        (path,) = await self._metadata.ask("rename", normal(path), normal(target), into, replace)
        return str(path)

    async def ls(self, path: str = "/") -> list[Status]:
        """What is in a directory, by name."""
        path = normal(path)
        found: list[Status] = []
        while True:
            page = await self._metadata.ask("ls", path, found[-1].name if found else "", PAGE_LIMIT)
            found += [Status(join(path, name), *rest) for name, *rest in page]
            if len(page) < PAGE_LIMIT:
                return found

    async def stat(self, path: str) -> Status:
        """What is known of a path."""
        return Status(normal(path), *await self._metadata.ask("stat", normal(path)))

    async def exists(self, path: str) -> bool:
        """Whether there is a file or directory."""
        (found,) = await self._metadata.ask("exists", normal(path))
        return bool(found)

    async def chunks(self, path: str) -> list[Chunk]:
        """The chunks of a file in order, and where each is."""
        found: list[Chunk] = []
        first, start = 0, 0
        while True:
            page = await self._metadata.ask("chunks", normal(path), first, PAGE_LIMIT)
            for seq, number, length, holders in page:
                found.append(Chunk(number, start, length, tuple(Holder(*holder) for holder in holders)))
                first, start = seq + 1, start + length
            if len(page) < PAGE_LIMIT:
                return found

    async def datanodes(self) -> list[Member]:
        """The live DataNodes, by name."""
        return [Member(*row) for row in await self._metadata.ask("datanodes", "/")]

    async def health(self) -> Health:
        """How well the chunks are kept."""
        return Health(*await self._metadata.ask("health", "/"))

    # -- writing

    async def put(
        self,
        source: str | os.PathLike[str] | BinaryIO | bytes,
        path: str,
        *,
        replace: bool = False,
        progress: Progress | None = None,
        chunk_size: int | None = None,
        replication: int | None = None,
    ) -> Status:
        """Copy into the file system. The file appears under its name when it is complete.

        Args:
            source: a local path, a binary file object, which is read to its end, or bytes.
            path: where to; a directory there takes a local file in under its own name.
            replace: whether a file of that name may be replaced.
            progress: called with the bytes done so far.
            chunk_size, replication: for this file.
        """
        path = await self._goal(source, normal(path), replace)
        temporary = join(parent_of(path), f".{name_of(path)[:200]}.{secrets.token_hex(8)}.part")
        try:
            await self.create(temporary, replication)
            with _opened(source) as file:
                await self._write_chunks(file, temporary, chunk_size or self.chunk_size, progress)
            await self.mv(temporary, path, into=False, replace=replace)
        except BaseException as error:
            removed = await self._removed(temporary, _LAST_TRY_S if isinstance(error, FsTimeout) else _REMOVAL_S)
            _reword(error, path, temporary, removed)
            raise
        return await self.stat(path)

    async def _removed(self, path: str, limit_s: float) -> bool:
        """Remove a file of a put that failed, whatever made it fail, and say whether it is known to be gone."""
        with anyio.move_on_after(min(limit_s, self._timeout_s), shield=True), suppress(FsError):
            with suppress(FsNotFound, FsNotADirectory):
                await self.rm(path)
            return True
        return False

    async def append(self, source: str | os.PathLike[str] | BinaryIO | bytes, path: str, *, progress: Progress | None = None) -> Status:
        """Add to the end of a file; chunk by chunk, so a failure may leave a part of it there."""
        with _opened(source) as file:
            await self._write_chunks(file, normal(path), self.chunk_size, progress)
        return await self.stat(path)

    async def _goal(self, source: Any, path: str, replace: bool) -> str:
        """Where a put goes; what stands in its way is found before any data is sent."""
        try:
            there = await self.stat(path)
        except FsNotFound:
            return path
        if there.is_dir and isinstance(source, str | os.PathLike):
            return await self._goal(b"", join(path, os.path.basename(os.fspath(source))), replace)
        if there.is_dir:
            raise FsIsADirectory(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not replace:
            raise FsExists(errno.EEXIST, os.strerror(errno.EEXIST), path)
        return path

    async def _write_chunks(self, file: BinaryIO, path: str, chunk_size: int, progress: Progress | None) -> None:
        done = 0
        while True:
            with tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES) as spool:
                length = await to_thread.run_sync(_fill, spool, file, chunk_size, abandon_on_cancel=True)
                if not length:
                    return
                await self._write_chunk(spool, path, length, done, progress)  # type: ignore[arg-type]  # a binary file all the same
            done += length

    async def _write_chunk(self, spool: BinaryIO, path: str, length: int, done: int, progress: Progress | None) -> None:
        """Write one chunk, at other DataNodes when the first of a chain does not take it."""
        useless: list[str] = []
        for attempt in range(_WRITE_TRIES):
            try:
                chunk, chain = await self._metadata.ask("addchunk", path, self.host, tuple(useless))
            except FsError as error:
                if error.errno != errno.EAGAIN or attempt == _WRITE_TRIES - 1:
                    raise
                useless.clear()  # none is left: those that failed may do by now
                await anyio.sleep(_PAUSE_S * 2**attempt)
                continue
            hops = tuple(Hop(node, address) for node, address in chain)
            stored = await write_chunk(chunk, hops, lambda: _blocks(spool, done, progress), self._secret, self._timeout_s)
            if stored.nodes:
                await self._metadata.ask("commit", path, chunk, length, tuple(stored.nodes))
                return
            useless += [node for node, _ in stored.failures]
            await self._metadata.ask("abandon", path, chunk)
        raise FsError(errno.EIO, f"no DataNode stored a chunk in {_WRITE_TRIES} tries ({_said(stored.failures)})", path)

    # -- reading

    async def blocks(self, path: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes of a file, or of a stretch of it, block by block; close it (`contextlib.aclosing`) if you stop early.

        Raises:
            ChunkLost: no live DataNode has a whole replica of a chunk.
        """
        async with aclosing(self.blocks_of(path, await self.chunks(path), offset, length)) as blocks:
            async for block in blocks:
                yield block

    async def blocks_of(
        self, path: str, chunks: Sequence[Chunk], offset: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """As `blocks`, of a file whose chunks were asked for before."""
        path = normal(path)
        end = None if length is None else offset + length
        for chunk in chunks:
            first, last = max(offset - chunk.start, 0), chunk.length if end is None else min(chunk.length, end - chunk.start)
            if first < last:
                async with aclosing(self._chunk_blocks(path, chunk, first, last - first)) as blocks:
                    async for block in blocks:
                        yield block

    async def _chunk_blocks(self, path: str, chunk: Chunk, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        async def suspect(holder: Holder) -> None:
            with suppress(FsError):
                await self._metadata.ask("suspect", path, chunk.number, holder.node)

        holders = sorted(await self._holders(path, chunk), key=lambda holder: (holder.host != self.host, random.random()))
        try:
            async for block in read_chunk(chunk, offset, length, holders, suspect, self._secret, self._timeout_s):
                yield block
        except ReplicaFailed as error:
            raise ChunkLost(errno.EIO, f"chunk {chunk.number} cannot be read ({error})", path) from None

    async def _holders(self, path: str, chunk: Chunk) -> tuple[Holder, ...]:
        """Those that are known, or soon will be: a NameNode that was just started has not heard all DataNodes yet."""
        holders = chunk.holders
        with anyio.move_on_after(self._timeout_s), suppress(FsError):
            while not holders:
                waits = (await self.health()).safe_mode  # asked first: what it has heard when it waits no longer is known then
                holders = tuple(Holder(*one) for one in await self._metadata.ask("locations", path, chunk.number))
                if not waits:
                    break
                await anyio.sleep(_PAUSE_S)
        return holders

    async def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a file, or of a stretch of it."""
        return b"".join([block async for block in self.blocks(path, offset, length)])

    async def get(
        self, path: str, target: str | os.PathLike[str] | BinaryIO, *, replace: bool = False, progress: Progress | None = None
    ) -> int:
        """Copy out of the file system.

        Args:
            path: the file.
            target: a local path (a directory takes the file in under its own name), or a binary file object.
            replace: whether a local file of that name may be replaced.
            progress: called with the bytes done so far.

        Returns:
            the number of bytes.
        """
        if not isinstance(target, str | os.PathLike):
            return await self._copy_out(path, target, progress)
        local = os.fspath(target)
        if os.path.isdir(local):
            local = os.path.join(local, name_of(normal(path)))
        if os.path.lexists(local) and not replace:
            raise FsExists(errno.EEXIST, os.strerror(errno.EEXIST), local)
        await self.stat(path)
        temporary = f"{local}.{secrets.token_hex(8)}.part"
        try:
            with open(temporary, "xb") as file:
                count = await self._copy_out(path, file, progress)
            os.replace(temporary, local)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        return count

    async def _copy_out(self, path: str, file: BinaryIO, progress: Progress | None) -> int:
        done = 0
        async with aclosing(self.blocks(path)) as blocks:
            async for block in blocks:
                await to_thread.run_sync(file.write, block)
                done += len(block)
                if progress is not None:
                    progress(done)
        return done


def _opened(source: str | os.PathLike[str] | BinaryIO | bytes) -> Any:
    """A context with the source as a file; one that the caller gave stays open."""
    if isinstance(source, str | os.PathLike):
        return open(source, "rb")
    return io.BytesIO(source) if isinstance(source, bytes) else nullcontext(source)


def _fill(spool: Any, file: BinaryIO, chunk_size: int) -> int:
    """Take the next chunk out of a file; it is kept here, on disk if large, in case it has to be sent again."""
    length = 0
    while length < chunk_size and (data := file.read(min(BLOCK_BYTES, chunk_size - length))):
        spool.write(data)
        length += len(data)
    return length


async def _blocks(spool: BinaryIO, done: int, progress: Progress | None) -> AsyncGenerator[bytes, None]:
    spool.seek(0)
    while data := await to_thread.run_sync(spool.read, BLOCK_BYTES):
        yield data
        done += len(data)
        if progress is not None:
            progress(done)


def _said(failures: tuple[tuple[str, str], ...]) -> str:
    return "; ".join(f"{node}: {message}" for node, message in failures)


def _reword(error: BaseException, path: str, temporary: str, removed: bool) -> None:
    """Say what made a put fail to a user, who named a path and knows nothing of the file that it is first written to."""
    if isinstance(error, OSError) and error.filename == temporary:
        error.filename = path
    if removed:
        return
    if isinstance(error, FsError):
        error.strerror = f"{error.strerror}; {temporary} may be left behind"
    else:
        error.add_note(f"{temporary} may be left behind")
