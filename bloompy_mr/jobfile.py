"""A job as it travels: pickled functions, what they run on, and the signature of a submitter who has the cluster's secret.

Unpickling runs code, so it happens in one place only, `load`, which is called in worker processes and checks the
signature first. JobTracker and TaskTracker pass the bytes on unread.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sys
from types import ModuleType
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import msgspec

from bloompy_mr.errors import JobError, SignatureRefused
from bloompy_mr.job import Job


class Split(msgspec.Struct, frozen=True, array_like=True):
    """A piece of input: the lines of a file that begin in `length` bytes from `start`."""

    path: str
    start: int
    length: int


class Settings(msgspec.Struct, frozen=True):
    """What a job runs on.

    Attributes:
        splits: one map task each, in order.
        output: directory of the part files.
        reduces: number of reduce tasks.
        nonce: makes every signature one of its own.
    """

    splits: tuple[Split, ...]
    output: str
    reduces: int
    nonce: str = ""


class JobFile(msgspec.Struct, frozen=True):
    """A signed job."""

    code: bytes
    settings: bytes
    signature: bytes


def make(job: Job, splits: tuple[Split, ...], output: str, secret: bytes) -> JobFile:
    """Pickle and sign a job.

    Raises:
        JobError: something that its functions refer to cannot be pickled.
    """
    settings = msgspec.json.encode(Settings(splits, output, job.reduce_tasks, secrets.token_hex(8)))
    try:
        code = _pickled(job)
    except Exception as error:
        hint = "its functions must not hold open files, sockets, locks or running programs"
        raise JobError(f"job {job.name!r} cannot be pickled: {error}", hint=hint) from error
    return JobFile(code, settings, sign(secret, code, settings))


def sign(secret: bytes, code: bytes, settings: bytes) -> bytes:
    """HMAC-SHA256 over both parts, with their lengths so that bytes cannot move from one to the other."""
    made = hmac.new(secret, b"bloompy_mr job\0", hashlib.sha256)
    for part in (code, settings):
        made.update(len(part).to_bytes(8, "big"))
        made.update(part)
    return made.digest()


def is_signed(secret: bytes, code: bytes, settings: bytes, signature: bytes) -> bool:
    """Whether somebody with the secret signed exactly these bytes."""
    return hmac.compare_digest(sign(secret, code, settings), signature)


def refusal(
    secret: bytes, code: bytes, settings: bytes, signature: bytes, maps: int, reduces: int, hosts: tuple[tuple[str, ...], ...]
) -> str:
    """Why a JobTracker does not take a submission; "" if it does. Reads the settings, never the code."""
    if not is_signed(secret, code, settings, signature):
        return "the job is not signed with this cluster's secret"
    found = msgspec.json.decode(settings, type=Settings)
    if (len(found.splits), found.reduces, len(hosts)) != (maps, reduces, maps):
        return "the numbers of tasks do not fit the signed settings"
    return ""


def load(file: JobFile, secret: bytes) -> tuple[Job, Settings]:
    """The job, loaded only after its signature was found right. Only for worker processes.

    Raises:
        SignatureRefused: the signature is wrong.
    """
    if not is_signed(secret, file.code, file.settings, file.signature):
        raise SignatureRefused(
            "the job is not signed with this cluster's secret, and was not loaded", hint="submit it with the cluster's secret"
        )
    job = cloudpickle.loads(file.code)
    if not isinstance(job, Job):
        raise JobError(f"the job file holds a {type(job).__name__}, no Job")
    return job, msgspec.json.decode(file.settings, type=Settings)


def _pickled(job: Job) -> bytes:
    """The job with the modules of its functions, and those that lie beside them, by value: workers could not import them."""
    sent = _own_modules(job)
    for module in sent:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(job))
    finally:
        for module in sent:
            cloudpickle.unregister_pickle_by_value(module)


def _own_modules(job: Job) -> list[ModuleType]:
    functions: list[Any] = [job.map, job.combine, job.reduce, job.partition, job.output_format]
    named = [sys.modules.get(getattr(one, "__module__", None) or "") for one in functions]
    roots = {os.path.dirname(_file_of(module)) for module in named if module is not None and _is_users(module)}
    beside = [module for module in list(sys.modules.values()) if _is_users(module) and os.path.dirname(_file_of(module)) in roots]
    return [module for module in beside if module.__name__ != "__main__"]  # cloudpickle sends that one by value anyway


def _is_users(module: ModuleType) -> bool:
    """Whether the module may be missing where workers run: it is no installed package and not ours."""
    name, file = getattr(module, "__name__", "").partition(".")[0], _file_of(module)
    installed = "site-packages" in file or "dist-packages" in file or name in sys.stdlib_module_names or not file
    return not installed and name not in ("bloompy", "bloompy_fs", "bloompy_mr")


def _file_of(module: ModuleType) -> str:
    return os.path.abspath(file) if isinstance(file := getattr(module, "__file__", None), str) else ""
