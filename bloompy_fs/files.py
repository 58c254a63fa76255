"""What a client says of files: plain frozen data."""

from __future__ import annotations

from attrs import frozen


@frozen
class Status:
    """What the NameNode knows of one path.

    Attributes:
        path: in normal form.
        fid: its number, for as long as it exists.
        is_dir: whether it is a directory.
        size: bytes; 0 for a directory.
        replication: replicas wanted of each chunk; 0 for a directory.
        time: when it was made, in seconds since 1970 by the NameNode's clock.
    """

    path: str
    fid: int
    is_dir: bool
    size: int
    replication: int
    time: float

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@frozen
class Holder:
    """A DataNode that holds a chunk: its name, the address of its data port, its machine."""

    node: str
    address: str
    host: str


@frozen
class Member:
    """A live DataNode: its name, the address of its data port, its machine, bytes free and used on its disk, when it was last heard."""

    node: str
    address: str
    host: str
    free: int
    used: int
    seen: float


@frozen
class Health:
    """How well the chunks are kept.

    Attributes:
        chunks: in all files.
        short: with fewer replicas than their files ask for, lost ones included.
        lost: with no live whole replica.
        safe_mode: whether the NameNode still waits for reports and repairs nothing.
    """

    chunks: int
    short: int
    lost: int
    safe_mode: bool


@frozen
class Chunk:
    """A stretch of a file.

    Attributes:
        number: of the chunk, unique in the file system.
        start, length: bytes.
        holders: live DataNodes with a whole replica.
    """

    number: int
    start: int
    length: int
    holders: tuple[Holder, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Machines that hold it."""
        return tuple(dict.fromkeys(holder.host for holder in self.holders))
