"""Where input comes from and output goes: local paths and globs, or a bloompy_fs by `fs://host:port/path`."""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path
from typing import BinaryIO, Protocol

from attrs import frozen

from bloompy_mr.errors import JobError

FS_SCHEME = "fs://"


@frozen
class Block:
    """A stretch of a file and the hosts that hold it; no hosts: as near to all."""

    start: int
    length: int
    hosts: tuple[str, ...] = ()


class Files(Protocol):
    """A file system as map and reduce tasks need it. Paths are those the user wrote, with scheme and address."""

    def expand(self, pattern: str) -> list[str]:
        """The files of a path: a file itself, those in a directory, or those that match a glob; sorted."""
        ...

    def blocks(self, path: str) -> list[Block]:
        """The stretches of a file with their hosts."""
        ...

    def open(self, path: str) -> BinaryIO:
        """A file for reading, seekable."""
        ...

    def exists(self, path: str) -> bool:
        """Whether a file or directory is there."""
        ...

    def make_directory(self, path: str) -> None:
        """Make a directory and those above it."""
        ...

    def create(self, path: str) -> BinaryIO:
        """A new file for writing, in place of one of that name; it may be complete only once it is closed."""
        ...

    def commit(self, temporary: str, final: str) -> None:
        """Move a file to its final name in one step. A final file that is there already stays, and the temporary one goes."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file or a whole directory, if it is there."""
        ...


def files_of(path: str, secret: bytes = b"") -> Files:
    """The file system that a path belongs to.

    Args:
        path: local, or `fs://host:port/path`.
        secret: that of the bloompy_fs.
    """
    if path.startswith(FS_SCHEME):
        from bloompy_mr.fsfiles import FsFiles

        return FsFiles(secret)
    return LocalFiles()


def join(directory: str, *names: str) -> str:
    """A path within a directory, local or not."""
    return "/".join((directory.rstrip("/"), *names))


class LocalFiles:
    """Files of this machine, or of a directory that all machines mount."""

    def expand(self, pattern: str) -> list[str]:
        path = Path(pattern)
        if path.is_dir():
            found = [one for one in path.iterdir() if one.is_file() and not one.name.startswith((".", "_"))]
        elif path.is_file():
            found = [path]
        else:
            found = [Path(one) for one in glob.glob(pattern, recursive=True) if os.path.isfile(one)]
        if not found:
            raise JobError(f"no file at {pattern!r}", hint="give a file, a directory, or a glob such as 'logs/**/*.txt'")
        return sorted(str(one.resolve()) for one in found)

    def blocks(self, path: str) -> list[Block]:
        return [Block(0, os.path.getsize(path))]

    def open(self, path: str) -> BinaryIO:
        return open(path, "rb")

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def make_directory(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)

    def create(self, path: str) -> BinaryIO:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        return open(path, "wb")

    def commit(self, temporary: str, final: str) -> None:
        try:
            os.link(temporary, final)  # unlike rename, never replaces what another attempt has committed
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            if not os.path.exists(final):
                os.replace(temporary, final)
                return
        os.unlink(temporary)

    def remove(self, path: str) -> None:
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.exists(path):
            os.unlink(path)
