"""Paths of the file system: absolute, slash-separated, in one normal form. Pure functions, fit for rules."""

from __future__ import annotations

NAME_LIMIT_BYTES = 255
PATH_LIMIT_BYTES = 4_096


def path_fault(path: str) -> str:
    """Why a string is no path in normal form: "EINVAL", "ENAMETOOLONG", or "" for a good one.

    A path begins with "/"; between its slashes stand names that are not empty, "." or ".."; it does not end with a
    slash unless it is "/". Names may hold every character but "/" and NUL.
    """
    if path == "/":
        return ""
    if not path.startswith("/") or "\0" in path:
        return "EINVAL"
    try:
        names = [name.encode() for name in path[1:].split("/")]
    except UnicodeEncodeError:
        return "EINVAL"
    if any(name in (b"", b".", b"..") for name in names):
        return "EINVAL"
    too_long = any(len(name) > NAME_LIMIT_BYTES for name in names) or len(path.encode()) > PATH_LIMIT_BYTES
    return "ENAMETOOLONG" if too_long else ""


def parent_of(path: str) -> str:
    """The directory that holds a path; that of "/" is "/"."""
    return path.rpartition("/")[0] or "/"


def name_of(path: str) -> str:
    """The last name of a path; "" for "/"."""
    return path.rpartition("/")[2]


def join(directory: str, name: str) -> str:
    """The path of a name in a directory."""
    return f"/{name}" if directory == "/" else f"{directory}/{name}"


def ancestors(path: str) -> tuple[str, ...]:
    """The directories above a path, from "/" down; none for "/"."""
    if path == "/":
        return ()
    above = ["/"]
    place = path.find("/", 1)
    while place > 0:
        above.append(path[:place])
        place = path.find("/", place + 1)
    return tuple(above)


def is_under(path: str, directory: str) -> bool:
    """Whether a path lies strictly below a directory."""
    return path != directory and (directory == "/" or path.startswith(directory + "/"))


def normal(path: str) -> str:
    """What a user wrote, without doubled and trailing slashes."""
    names = [name for name in path.split("/") if name]
    return "/" + "/".join(names) if path.startswith("/") else "/".join(names)
