"""The command `bloompy demo`, and the same as a function."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from bloompy.errors import BloomError
from bloompy.tools.demo.cluster import InProcess, Processes
from bloompy.tools.demo.screen import Screen
from bloompy.tools.demo.story import Story
from bloompy.tools.demo.text import input_files

_EXIT_AFTER_SIGNAL = 128


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--in-process", is_flag=True, help="Servers as threads of this process instead of processes, as in a notebook.")
@click.option("--replicated", is_flag=True, help="Three NameNodes that are one; the one that leads is killed as well, twice.")
def demo(files: tuple[Path, ...], in_process: bool, replicated: bool) -> None:
    """Start a small cluster on this machine, and count the words of FILES in it while a part of it dies.

    Without FILES, of the source files of this Python's standard library. The cluster is a NameNode, three DataNodes, a
    JobTracker and two TaskTrackers, all of them rules; one DataNode is killed while the job runs. The result is checked
    against a plain count. Everything is gone afterwards.
    """
    try:
        with _unwinding_at_sigterm():
            run(files, in_process=in_process, replicated=replicated)
    except KeyboardInterrupt:
        click.echo("\nstopped   interrupted; the cluster is gone")
        sys.exit(_EXIT_AFTER_SIGNAL + signal.SIGINT)
    except (BloomError, OSError) as error:
        raise click.ClickException(f"{type(error).__name__}: {error}") from error


def run(files: Sequence[Path] = (), *, in_process: bool = False, replicated: bool = False) -> None:
    """The demo, for notebooks and programs.

    Args:
        files: what is counted; by default the standard library's source files.
        in_process: servers as threads of this process.
        replicated: three NameNodes that are one; the leader is killed while files are copied and while the job runs.

    Raises:
        click.ClickException, BloomError, OSError: something is not as it should be; the ends of the servers' logs were
            written to standard error.
    """
    started, screen = time.monotonic(), Screen()
    chosen = input_files(files)
    with InProcess(replicated) if in_process else Processes(replicated) as cluster:
        screen.done("cluster", f"{cluster.about}, {time.monotonic() - started:.1f} s")
        try:
            Story(cluster, files, chosen, screen, replicated).tell()
        except Exception:
            click.echo(cluster.logs(), err=True)
            raise
    screen.done("done", f"all of it in {time.monotonic() - started:.1f} s, and cleaned up")


@contextmanager
def _unwinding_at_sigterm() -> Iterator[None]:
    """SIGTERM unwinds as any error does, so that the servers end too. Outside the main thread it stays as it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(_EXIT_AFTER_SIGNAL + number)
