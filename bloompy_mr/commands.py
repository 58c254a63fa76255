"""The command line `bloompy mr`."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bloompy.errors import BloomError
from bloompy_mr.errors import JobError
from bloompy_mr.job import Job
from bloompy_mr.ready import NAMES, ready_job
from bloompy_mr.splits import SPLIT_BYTES

BAR_CHARACTERS = 20


class _Group(click.Group):
    """Shows errors of bloompy as messages with their hint, not as tracebacks."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BloomError as error:
            hint = f"\nhint: {error.hint}" if error.hint else ""
            raise click.ClickException(_printable(f"{error}{hint}")) from error


def _secret(context: click.Context, parameter: click.Parameter, path: str | None) -> bytes | None:
    if path is None:
        given = os.environ.get("BLOOMPY_SECRET")
        return given.encode() if given else None
    file = Path(path)
    if file.stat().st_mode & 0o077:
        click.echo(f"warning: others can read {path}; chmod 600 it", err=True)
    return file.read_bytes().strip()


_secret_option = click.option(
    "--secret-file",
    "secret",
    callback=_secret,
    type=click.Path(exists=True, dir_okay=False),
    help="File with the cluster's secret (or set BLOOMPY_SECRET).",
)
_jobtracker_option = click.option("--jobtracker", required=True, metavar="HOST:PORT", help="Address of the JobTracker.")


def _needed(secret: bytes | None) -> bytes:
    if not secret:
        raise click.UsageError("a secret is needed: --secret-file FILE, or BLOOMPY_SECRET (make one: openssl rand -hex 32 > FILE)")
    return secret


@click.group(cls=_Group)
def mr() -> None:
    """MapReduce: run jobs, see them, and the servers that run them."""


# --- jobs


@mr.command()
@click.argument("job")
@click.argument("arguments", nargs=-1)
@click.option("--input", "inputs", multiple=True, required=True, help="File, directory or glob, local or fs://host:port/path; repeatable.")
@click.option("--output", required=True, help="Directory for the part files; must hold none.")
@click.option("--jobtracker", metavar="HOST:PORT", help="A running cluster; without it one is started for this job on this machine.")
@click.option("--reduces", type=click.IntRange(0), help="Number of reduce tasks.")
@click.option("--priority", default=0, help="Jobs of a lower number go first.")
@click.option(
    "--split-mb",
    type=click.FloatRange(0, min_open=True),
    default=SPLIT_BYTES / (1 << 20),
    show_default=True,
    help="Input of a map task, MiB.",
)
@click.option("--workers", type=click.IntRange(1), help="Without --jobtracker: tasks of a kind that run at once; all cores by default.")
@click.option("--quiet", is_flag=True, help="No progress, only the result.")
@_secret_option
def run(
    job: str,
    arguments: tuple[str, ...],
    inputs: tuple[str, ...],
    output: str,
    jobtracker: str | None,
    reduces: int | None,
    priority: int,
    split_mb: float,
    workers: int | None,
    quiet: bool,
    secret: bytes | None,
) -> None:
    """Run JOB: wordcount, grep REGEX, inverted-index, or your own as module:Job or file.py:Job."""
    from bloompy_mr.client import Client
    from bloompy_mr.cluster import LocalCluster

    found = _job(job, arguments)
    changes: dict[str, Any] = {} if reduces is None else {"reduces": reduces}
    with ExitStack() as stack:
        if jobtracker is None:
            client = stack.enter_context(LocalCluster(1, map_slots=workers, reduce_slots=workers, secret=secret)).client
        else:
            client = stack.enter_context(Client(jobtracker, secret=_needed(secret)))
        bar = _Bar(quiet)
        try:
            status = client.run(
                found, list(inputs), output, priority=priority, split_bytes=max(1, int(split_mb * (1 << 20))), progress=bar.show, **changes
            )
        finally:
            bar.end()
    seconds = status.finish - status.submit
    click.echo(f"{_printable(status.name)}: {status.maps} maps, {status.reduces} reduces, {seconds:.1f} s; output in {output}")
    if extra := {state: number for state, number in status.attempts.items() if state not in ("SUCCEEDED", "RUNNING")}:
        click.echo("attempts: " + ", ".join(f"{number} {state.lower()}" for state, number in sorted(extra.items())))
    for name, value in sorted(status.counters.items()):
        click.echo(f"  {_printable(name)}: {value:,}")


def _job(name: str, arguments: tuple[str, ...]) -> Job | Any:
    """A ready job, or `module:name` / `file.py:name`."""
    if name in NAMES:
        return ready_job(name, arguments)
    module, colon, attribute = name.rpartition(":")
    if not colon:
        raise JobError(f"there is no job {name!r}", hint=f"ready jobs are {', '.join(NAMES)}; your own is named module:Job or file.py:Job")
    if arguments:
        raise JobError(f"{name} takes no arguments", hint="only ready jobs do")
    if module.endswith(".py"):
        sys.path.insert(0, str(Path(module).resolve().parent))
        module = Path(module).stem
    else:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        hint = "run in its directory, or name a file: path/to/file.py:Job"
        raise JobError(f"module {module!r} cannot be imported: {error}", hint=hint) from error
    if found is None:
        raise JobError(f"module {module!r} has no {attribute!r}")
    return found


@mr.command()
@_jobtracker_option
@_secret_option
def jobs(jobtracker: str, secret: bytes | None) -> None:
    """List the jobs that a JobTracker knows."""
    from bloompy_mr.client import Client

    with Client(jobtracker, secret=_needed(secret)) as client:
        click.echo(f"{'job':>6}  {'status':9}  {'priority':>8}  {'submitted':19}  {'seconds':>8}  user, name")
        for job in client.jobs():
            seconds = f"{(job.finish or time.time()) - job.submit:8.1f}"
            submitted = datetime.fromtimestamp(job.submit).strftime("%Y-%m-%d %H:%M:%S")
            who = f"{_printable(job.user)}, {_printable(job.name)}"
            click.echo(f"{job.jobid:>6}  {job.status:9}  {job.priority:>8}  {submitted}  {seconds}  {who}")


@mr.command()
@click.argument("jobid", type=int)
@_jobtracker_option
@_secret_option
def status(jobid: int, jobtracker: str, secret: bytes | None) -> None:
    """Show how a job stands, and who ran what."""
    from bloompy_mr.client import Client

    with Client(jobtracker, secret=_needed(secret)) as client:
        found = client.status(jobid)
        done = f"{found.maps_done} of {found.maps} maps, {found.reduces_done} of {found.reduces} reduces"
        click.echo(f"{_printable(found.name)}: {found.status}, {done}")
        if found.error:
            click.echo(_printable(found.error))
        for one in client.attempts(jobid):
            mark = " speculative" if one.speculative else ""
            click.echo(f"  {one.kind} {one.taskid}.{one.n}  {one.state:9}  {_printable(one.tracker)}{mark}")


@mr.command()
@click.argument("jobid", type=int)
@_jobtracker_option
@_secret_option
def kill(jobid: int, jobtracker: str, secret: bytes | None) -> None:
    """End a job and all its attempts."""
    from bloompy_mr.client import Client

    with Client(jobtracker, secret=_needed(secret)) as client:
        client.kill(jobid)


# --- servers


@mr.command("jobtracker")
@click.option("--listen", default="127.0.0.1:9001", show_default=True, metavar="HOST:PORT")
@click.option("--expiry-s", default=10.0, show_default=True, help="A tracker silent for so long is lost.")
@_secret_option
def jobtracker_command(listen: str, expiry_s: float, secret: bytes | None) -> None:
    """Run a JobTracker until it is interrupted."""
    from bloompy.runtime.node import Node
    from bloompy_mr.jobtracker import JobTracker

    first_job = int(time.time()) // 60 * 1000  # trackers may still know jobs of a JobTracker that ran before
    node: Any = Node(JobTracker(secret=_needed(secret), first_job=first_job, expiry_s=expiry_s), listen=listen, secret=_needed(secret))
    with _Stop() as stop, node:
        click.echo(f"jobtracker {node.address}")
        stop.wait()


@mr.command("tasktracker")
@_jobtracker_option
@click.option("--listen", metavar="HOST:PORT", help="By default a free port of the interface towards the JobTracker.")
@click.option("--host", help="Name of this machine for locality, as its DataNode has it; the host name by default.")
@click.option("--directory", type=click.Path(file_okay=False), help="Work directory; a temporary one by default.")
@click.option("--map-slots", default=2, show_default=True, type=click.IntRange(0))
@click.option("--reduce-slots", default=2, show_default=True, type=click.IntRange(0))
@click.option("--heartbeat-s", default=1.0, show_default=True)
@click.option("--memory-mb", default=0, help="Limit of a worker process, MiB; none by default.")
@click.option("--task-timeout-s", default=600.0, show_default=True, help="An attempt without progress for so long fails.")
@_secret_option
def tasktracker_command(
    jobtracker: str,
    listen: str | None,
    host: str | None,
    directory: str | None,
    map_slots: int,
    reduce_slots: int,
    heartbeat_s: float,
    memory_mb: int,
    task_timeout_s: float,
    secret: bytes | None,
) -> None:
    """Run a TaskTracker until it is interrupted."""
    from bloompy_mr.pool import Limits
    from bloompy_mr.tasktracker import TaskTracker

    tracker = TaskTracker(
        jobtracker,
        secret=_needed(secret),
        listen=listen,
        host=host,
        directory=directory,
        map_slots=map_slots,
        reduce_slots=reduce_slots,
        heartbeat_s=heartbeat_s,
        limits=Limits(memory_mb << 20, task_timeout_s, map_slots + reduce_slots),
    )
    with _Stop() as stop, tracker:
        click.echo(f"tasktracker {tracker.address}")
        stop.wait()


class _Stop:
    """Turns SIGINT and SIGTERM into the end of a wait, so that servers leave their `with`."""

    def __enter__(self) -> _Stop:
        self._event = threading.Event()
        self._before = {one: signal.signal(one, lambda *_: self._event.set()) for one in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self) -> None:
        """Wait for one of the signals."""
        sys.stdout.flush()
        self._event.wait()


# --- output


def _printable(text: str) -> str:
    """Text from elsewhere without characters that command a terminal."""
    return "".join(character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}" for character in text)


class _Bar:
    """Live progress on a terminal; a line now and then elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self.quiet, self.live = quiet, sys.stderr.isatty()
        self._shown = ""
        self._next = 0.0

    def show(self, status: Any) -> None:
        """Show how a job stands."""
        if self.quiet:
            return
        text = f"map {_bar(status.map_progress)} {status.maps_done}/{status.maps}  reduce {_bar(status.reduce_progress)} "
        text += f"{status.reduces_done}/{status.reduces}  running {status.attempts.get('RUNNING', 0)}"
        if failed := status.attempts.get("FAILED", 0):
            text += f"  failed {failed}"
        if self.live:
            click.echo("\r" + text.ljust(len(self._shown)), nl=False, err=True)
        elif time.monotonic() >= self._next and text != self._shown:
            click.echo(text, err=True)
            self._next = time.monotonic() + 2.0
        self._shown = text

    def end(self) -> None:
        """Leave the line."""
        if self.live and self._shown:
            click.echo(err=True)


def _bar(part: float) -> str:
    full = round(min(max(part, 0.0), 1.0) * BAR_CHARACTERS)
    return "[" + "#" * full + "." * (BAR_CHARACTERS - full) + f"] {part:4.0%}"
