"""Imperative: chunk files of one DataNode on its disk.

A chunk is a file named by its number, opened relative to the directory's descriptor: no string from the network becomes a path.
It is written under another name, synchronised, then renamed; so a chunk under its number is whole, or was damaged later.
Its content is a sequence of blocks, each preceded by a CRC-32 of chunk number, block number and data, so that a block that is
damaged or in the wrong place is found when it is read.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from itertools import count
from pathlib import Path
from typing import Self
from zlib import crc32

import msgspec

BLOCK_BYTES = 256 * 1024
"""Data bytes of every block but the last."""

_CRC = struct.Struct(">I")
_SEED = struct.Struct(">QQ")
_STEP = BLOCK_BYTES + _CRC.size


class ChunkDamaged(Exception):
    """A chunk on disk that is not what was written."""


class Identity(msgspec.Struct, frozen=True):
    """Who a data directory belongs to: the DataNode's name, and its cluster ("" before the first contact)."""

    node: str
    cluster: str = ""


class ChunkStore:
    """The chunks in one directory. Safe for use from several threads.

    Args:
        directory: made if it is not there.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        self._temporary = count()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Give the directory back."""
        os.close(self._fd)

    def clean(self) -> None:
        """Remove what a crash left half written; to be called before the first write."""
        for name in os.listdir(self._fd):
            if name.endswith(".part"):
                os.unlink(name, dir_fd=self._fd)

    def chunks(self) -> dict[int, int]:
        """Length in bytes of every chunk by its number."""
        found = {}
        for name in os.listdir(self._fd):
            if name.isascii() and name.isdigit() and str(int(name)) == name:
                with contextlib.suppress(FileNotFoundError):
                    found[int(name)] = data_bytes(os.stat(name, dir_fd=self._fd).st_size)
        return found

    def identity(self, default: Identity) -> Identity:
        """Who the directory belongs to; on the first start the default, which it then keeps."""
        try:
            return msgspec.json.decode((self.directory / "identity.json").read_bytes(), type=Identity)
        except FileNotFoundError:
            self.set_identity(default)
            return default

    def set_identity(self, identity: Identity) -> None:
        """Keep who the directory belongs to."""
        fd = os.open("identity.part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=self._fd)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(identity))
            file.flush()
            os.fsync(file.fileno())
        os.replace("identity.part", "identity.json", src_dir_fd=self._fd, dst_dir_fd=self._fd)
        os.fsync(self._fd)

    def usage(self) -> tuple[int, int]:
        """Bytes free and bytes used on the disk of the directory."""
        disk = os.statvfs(self._fd)
        return disk.f_bavail * disk.f_frsize, (disk.f_blocks - disk.f_bfree) * disk.f_frsize

    def write(self, chunk: int) -> ChunkWriter:
        """Begin a chunk; it is there once `commit()` returns."""
        return ChunkWriter(self._fd, chunk, f"{_number(chunk)}.{next(self._temporary)}.part")

    def open(self, chunk: int) -> ChunkReader:
        """Open a chunk for reading. Raises FileNotFoundError."""
        return ChunkReader(os.open(_number(chunk), os.O_RDONLY, dir_fd=self._fd), chunk)

    def delete(self, chunk: int) -> None:
        """Remove a chunk, if it is there."""
        try:
            os.unlink(_number(chunk), dir_fd=self._fd)
        except FileNotFoundError:
            return
        os.fsync(self._fd)

    def verify(self, chunk: int) -> int:
        """Read all of a chunk and return its length in bytes. Raises ChunkDamaged, FileNotFoundError."""
        with self.open(chunk) as reader:
            for block in range(reader.blocks):
                reader.block(block)
            return reader.length


class ChunkWriter:
    """A chunk being written; `with` discards it unless it was committed."""

    def __init__(self, directory_fd: int, chunk: int, temporary: str) -> None:
        self.chunk, self.length = chunk, 0
        self._directory_fd, self._temporary = directory_fd, temporary
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=directory_fd)
        self._file = os.fdopen(fd, "wb", buffering=0)
        self._rest = bytearray()
        self._block = 0
        self._committed = False

    def write(self, data: bytes) -> None:
        """Append data."""
        self.length += len(data)
        self._rest += data
        while len(self._rest) >= BLOCK_BYTES:
            self._put(bytes(self._rest[:BLOCK_BYTES]))
            del self._rest[:BLOCK_BYTES]

    def commit(self) -> int:
        """Make the chunk safe and visible under its number; returns its length in bytes."""
        if self._rest:
            self._put(bytes(self._rest))
            self._rest.clear()
        os.fsync(self._file.fileno())
        self._file.close()
        name = _number(self.chunk)
        os.replace(self._temporary, name, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
        self._committed = True
        os.fsync(self._directory_fd)
        return self.length

    def _put(self, data: bytes) -> None:
        unwritten = memoryview(_CRC.pack(block_crc(self.chunk, self._block, data)) + data)
        while unwritten:
            unwritten = unwritten[self._file.write(unwritten) :]
        self._block += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        if not self._committed:
            os.unlink(self._temporary, dir_fd=self._directory_fd)


class ChunkReader:
    """A chunk open for reading."""

    def __init__(self, fd: int, chunk: int) -> None:
        self._fd, self.chunk = fd, chunk
        self.size = os.fstat(fd).st_size
        self.length = data_bytes(self.size)
        self.blocks = -(-self.size // _STEP)

    def block(self, number: int) -> bytes:
        """The data of a block. Raises ChunkDamaged when it is not what was written."""
        try:
            stored = os.pread(self._fd, _STEP, number * _STEP)
        except OSError as error:
            raise ChunkDamaged(f"block {number} of chunk {self.chunk} cannot be read: {error}") from error
        data = stored[_CRC.size :]
        if len(stored) <= _CRC.size or _CRC.unpack_from(stored)[0] != block_crc(self.chunk, number, data):
            raise ChunkDamaged(f"block {number} of chunk {self.chunk}")
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._fd)


def block_crc(chunk: int, block: int, data: bytes) -> int:
    """The checksum that precedes a block on disk."""
    return crc32(data, crc32(_SEED.pack(chunk, block)))


def data_bytes(file_bytes: int) -> int:
    """Data bytes in a chunk file of some size."""
    return max(0, file_bytes - _CRC.size * -(-file_bytes // _STEP))


def _number(chunk: int) -> str:
    if chunk < 0:
        raise ValueError(f"{chunk} is no chunk number")
    return f"{chunk:d}"
