"""What can go wrong for a user of the file system: OSErrors with errno and path."""

from __future__ import annotations

import errno
import os


class FsError(OSError):
    """An operation of the file system that failed.

    Attributes:
        errno: as the operating system would number it.
        filename: the path.
    """

    def __init__(self, code: int, message: str, path: str) -> None:
        super().__init__(code, message, path)


class FsNotFound(FsError, FileNotFoundError):
    """A path that is not there."""


class FsExists(FsError, FileExistsError):
    """A path that is there already."""


class FsNotADirectory(FsError, NotADirectoryError):
    """A file where a directory is needed."""


class FsIsADirectory(FsError, IsADirectoryError):
    """A directory where a file is needed."""


class FsTimeout(FsError, TimeoutError):
    """The NameNode did not answer in time."""


class ChunkLost(FsError):
    """A chunk that no live DataNode can deliver whole."""


_BY_ERRNO: dict[int, type[FsError]] = {
    errno.ENOENT: FsNotFound,
    errno.EEXIST: FsExists,
    errno.ENOTDIR: FsNotADirectory,
    errno.EISDIR: FsIsADirectory,
}

_MESSAGES = {
    "EAGAIN": "no live DataNode to write to",
    "ESTALE": "the request is older than what its client has acknowledged",
    "ENOSYS": "the NameNode does not know this operation",
    "EBUSY": "the root directory stays where it is",
}


def error_of(code: str, path: str) -> FsError:
    """The exception for a NameNode's answer.

    Args:
        code: name of an errno, such as "ENOENT".
        path: of the operation.
    """
    number = getattr(errno, code, errno.EIO)
    return _BY_ERRNO.get(number, FsError)(number, _MESSAGES.get(code) or os.strerror(number), path)
