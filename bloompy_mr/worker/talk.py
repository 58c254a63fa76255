"""What a TaskTracker and its worker processes say to each other, over pipes: length-prefixed MessagePack of these types."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, TypeAlias

import msgspec

_LENGTH = struct.Struct(">I")


class Hello(msgspec.Struct, tag=True):
    """First message to a worker.

    Attributes:
        secret: the cluster's secret; sent here, so that it is seen neither in arguments nor in the environment.
        fs_secret: that of the file systems.
        directory: the tracker's work directory.
        data_address: the tracker's own data port, whose files the worker reads directly.
        memory_bytes: limit of the worker's address space, 0 for none.
    """

    secret: bytes
    fs_secret: bytes
    directory: str
    data_address: str
    memory_bytes: int = 0


class Start(msgspec.Struct, tag=True):
    """Run an attempt."""

    jobid: int
    taskid: int
    n: int
    kind: str
    partition: int
    maps: int
    code: bytes
    settings: bytes
    signature: bytes


class MapOutputAt(msgspec.Struct, tag=True):
    """The output of a map task is to be had at an address; for a running reduce attempt."""

    taskid: int
    n: int
    address: str


class Commit(msgspec.Struct, tag=True):
    """This attempt is the one that commits."""


class Progress(msgspec.Struct, tag=True):
    """Part of the work done, 0 to 1, and the phase: MAP, SHUFFLE or REDUCE."""

    progress: float
    phase: str


class Done(msgspec.Struct, tag=True):
    """The work is done; a task that writes output now waits for Commit if `commit`."""

    counters: dict[str, int]
    commit: bool = False


class Committed(msgspec.Struct, tag=True):
    """The output has its final name."""


class Failed(msgspec.Struct, tag=True):
    """The attempt failed; `error` is the traceback that the user sees."""

    error: str


class FetchProblem(msgspec.Struct, tag=True):
    """A map output could not be fetched."""

    taskid: int
    n: int


ToWorker: TypeAlias = Hello | Start | MapOutputAt | Commit
FromWorker: TypeAlias = Progress | Done | Committed | Failed | FetchProblem

_encode = msgspec.msgpack.Encoder().encode
to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


def send(pipe: BinaryIO, message: ToWorker | FromWorker) -> None:
    """Write one message."""
    payload = _encode(message)
    pipe.write(_LENGTH.pack(len(payload)) + payload)
    pipe.flush()


def receive(pipe: BinaryIO, decoder: msgspec.msgpack.Decoder[Any]) -> Any:
    """Read one message; EOFError when the other side is gone."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    payload = pipe.read(length)
    if len(payload) < length:
        raise EOFError
    return decoder.decode(payload)
