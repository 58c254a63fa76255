"""What can go wrong for a user of the file system: OSErrors with errno and path."""

from __future__ import annotations

import errno
import os

from bloompy_fs.paths import is_under, path_fault


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
    "EHOSTDOWN": "a partition that has to take part did not answer; nothing was done",
}
_NO_PATH = "not an absolute path: it begins with '/', and no name in it is '.' or '..' or holds a NUL"


def error_of(code: str, path: str, target: str | None = None) -> FsError:
    """The exception for a NameNode's answer.

    Args:
        code: name of an errno, such as "ENOENT".
        path: of the operation. target: the new path, of a rename.
    """
    number = getattr(errno, code, errno.EIO)
    path, reason = _reason(code, path, target)
    return _BY_ERRNO.get(number, FsError)(number, reason or _MESSAGES.get(code) or os.strerror(number), path)


def _reason(code: str, path: str, target: str | None) -> tuple[str, str]:
    """The path that is to blame, and why if more is known than the code says."""
    for one in (path,) if target is None else (path, target):
        if path_fault(one) == code:
            return one, _NO_PATH if code == "EINVAL" else ""
    if code == "EINVAL" and target is not None and (target == path or is_under(target, path)):
        return path, f"a directory cannot be moved into itself ({target})"
    return path, ""
