"""Imperative: the command line `bloompy fs`."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click

from bloompy.tools.groups import Commands, log_to_stderr, printable, secret_option, settings_option
from bloompy_fs.addresses import groups
from bloompy_fs.blocking import Client
from bloompy_fs.files import Status
from bloompy_fs.parameters import check_settings
from bloompy_fs.servers import DataNodeServer, namenode_server
from bloompy_fs.standing import leader_among, standing, standing_rows

PROGRESS_FROM_BYTES = 4 * 1024 * 1024


@click.group(cls=Commands)
@click.option("--namenode", envvar="BLOOMPY_NAMENODE", metavar="HOST:PORT[,…]", help="The NameNode or all of them (or BLOOMPY_NAMENODE).")
@secret_option
@click.option("--timeout", "timeout_s", default=30.0, show_default=True, metavar="SECONDS", help="For each request with its retries.")
@click.pass_context
def fs(context: click.Context, namenode: str | None, secret: str | None, timeout_s: float) -> None:
    """The replicated file system: look, copy, and serve."""
    context.obj = {"namenode": namenode, "secret": secret, "timeout_s": timeout_s}


def _with_client(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the client that the options of the group describe, unless its own options say otherwise."""

    @click.option("--namenode", metavar="HOST:PORT[,…]", help="The NameNode or all of them (or BLOOMPY_NAMENODE).")
    @click.option("--secret", help="Shared by the cluster (or BLOOMPY_SECRET).")
    @click.pass_context
    @functools.wraps(command)
    def run(context: click.Context, /, namenode: str | None, secret: str | None, **options: Any) -> None:
        address = namenode or context.obj["namenode"]
        if not address:
            raise click.UsageError("which NameNode? give --namenode HOST:PORT, or set BLOOMPY_NAMENODE")
        context.obj["asked"] = address, secret or context.obj["secret"]
        with Client(*context.obj["asked"], timeout_s=context.obj["timeout_s"]) as client:
            command(client, **options)

    return run


# --- looking ----------------------------------------------------------------------------------------------------


@fs.command()
@_with_client
@click.argument("paths", nargs=-1)
def ls(client: Client, paths: tuple[str, ...]) -> None:
    """List directories (the root by default) and files."""
    for i, path in enumerate(paths or ("/",)):
        status = client.stat(path)
        rows = client.ls(path) if status.is_dir else [status]
        if len(paths) > 1:
            click.echo(f"{'' if i == 0 else chr(10)}{path}:")
        _table(rows)


def _table(rows: list[Status]) -> None:
    sizes = ["-" if row.is_dir else human(row.size) for row in rows]
    copies = ["-" if row.is_dir else str(row.replication) for row in rows]
    wide, wide_copies = max(map(len, sizes), default=0), max(map(len, copies), default=0)
    for row, size, count in zip(rows, sizes, copies, strict=True):
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.time))
        kind, mark = ("d", "/") if row.is_dir else ("-", "")
        click.echo(f"{kind}  {count:>{wide_copies}}  {size:>{wide}}  {made}  {printable(row.name)}{mark}")


def human(size: int) -> str:
    """A number of bytes, short: "17 B", "1.5 MiB"."""
    number, units = float(size), iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    while number >= 1024 and unit != "TiB":
        number, unit = number / 1024, next(units)
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


@fs.command()
@_with_client
@click.argument("paths", nargs=-1, required=True)
def stat(client: Client, paths: tuple[str, ...]) -> None:
    """Say all that is known of files and directories, and where their chunks are."""
    for path in paths:
        status = client.stat(path)
        click.echo(f"path:         {printable(status.path)}")
        click.echo(f"kind:         {'directory' if status.is_dir else 'file'}")
        click.echo(f"made:         {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(status.time))}")
        if status.is_dir:
            continue
        click.echo(f"size:         {status.size} bytes ({human(status.size)})")
        click.echo(f"replication:  {status.replication}")
        for chunk in client.chunks(path):
            holders = ", ".join(f"{printable(holder.node)} on {printable(holder.host)}" for holder in chunk.holders) or "LOST"
            click.echo(f"chunk {chunk.number}: {chunk.length} bytes from {chunk.start}: {holders}")


@fs.command()
@_with_client
@click.pass_context
def health(context: click.Context, client: Client) -> None:
    """Say who leads, how far each NameNode is, which DataNodes live, and whether all chunks have their replicas.

    Exit status 1 if a NameNode is silent, a partition has no leader, or a chunk is lost.
    """
    good = _show_namenodes(*context.obj["asked"])
    for member in client.datanodes():
        click.echo(f"{printable(member.node)}  {member.address}  {printable(member.host)}  {human(member.free)} free")
    state = client.health()
    click.echo(f"{state.chunks} chunks, {state.short} short of replicas, {state.lost} lost" + (", safe mode" if state.safe_mode else ""))
    if state.lost or not good:
        raise click.exceptions.Exit(1)


def _show_namenodes(namenode: str, secret: str | None) -> bool:
    """Say how the NameNodes stand, and return whether all is well with them."""
    partitions = asyncio.run(standing(groups(namenode), secret))
    rows = list(standing_rows(partitions))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    good = all(one.role != "silent" for found in partitions for one in found)
    for number, found in enumerate(partitions):
        if leader_among(found) is None:
            good = False
            what = f" of partition {number}" if len(partitions) > 1 else ""
            click.echo(f"no majority of the NameNodes{what} follows a leader", err=True)
    return good


# --- changing ---------------------------------------------------------------------------------------------------


@fs.command()
@_with_client
@click.option("-p", "--parents", is_flag=True, help="Make those above, too; none need be missing.")
@click.argument("paths", nargs=-1, required=True)
def mkdir(client: Client, paths: tuple[str, ...], parents: bool) -> None:
    """Make directories."""
    for path in paths:
        client.mkdir(path, parents)


@fs.command()
@_with_client
@click.option("-r", "--recursive", is_flag=True, help="Directories with all that is in them.")
@click.argument("paths", nargs=-1, required=True)
def rm(client: Client, paths: tuple[str, ...], recursive: bool) -> None:
    """Remove files and empty directories."""
    for path in paths:
        client.rm(path, recursive)


@fs.command()
@_with_client
@click.option("-f", "--force", is_flag=True, help="A file may take the place of a file.")
@click.argument("source")
@click.argument("target")
def mv(client: Client, source: str, target: str, force: bool) -> None:
    """Rename SOURCE to TARGET, or move it into the directory TARGET."""
    client.mv(source, target, replace=force)


# --- copying ----------------------------------------------------------------------------------------------------


@fs.command()
@_with_client
@click.option("-f", "--force", is_flag=True, help="Replace files of the same name.")
@click.option("--replication", type=click.IntRange(1, 512), help="Replicas of each chunk.  [default: 3]")
@click.option("--chunk-size", type=click.IntRange(1), metavar="BYTES", help="Bytes of a chunk.  [default: 64 MiB]")
@click.argument("sources", nargs=-1, required=True)
@click.argument("target")
def put(client: Client, sources: tuple[str, ...], target: str, force: bool, replication: int | None, chunk_size: int | None) -> None:
    """Copy local SOURCES ("-": standard input) to TARGET; several go into the directory TARGET."""
    if len(sources) > 1 and not client.stat(target).is_dir:
        raise click.UsageError(f"{target} is no directory; several files need one")
    for source in sources:
        given: str | BinaryIO = sys.stdin.buffer if source == "-" else source
        size = None if source == "-" else Path(source).stat().st_size
        with _progress(source, size) as progress:
            client.put(given, target, replace=force, progress=progress, replication=replication, chunk_size=chunk_size)


@fs.command()
@_with_client
@click.option("-f", "--force", is_flag=True, help="Replace a local file of the same name.")
@click.argument("source")
@click.argument("target", default=".")
def get(client: Client, source: str, target: str, force: bool) -> None:
    """Copy the file SOURCE to the local file or directory TARGET."""
    with _progress(source, client.stat(source).size) as progress:
        client.get(source, target, replace=force, progress=progress)


@fs.command()
@_with_client
@click.argument("paths", nargs=-1, required=True)
def cat(client: Client, paths: tuple[str, ...]) -> None:
    """Write files to standard output."""
    for path in paths:
        client.cat(path, sys.stdout.buffer)
    sys.stdout.buffer.flush()


@contextmanager
def _progress(name: str, size: int | None) -> Iterator[Callable[[int], object] | None]:
    """A bar on standard error for long copies, if a person sees it."""
    if not sys.stderr.isatty() or (size is not None and size < PROGRESS_FROM_BYTES):
        yield None
        return
    with click.progressbar(length=size or 0, label=printable(os.path.basename(name)), file=sys.stderr) as bar:
        done = 0

        def progress(now: int) -> None:
            nonlocal done
            if now > done:  # a chunk that is sent again begins anew
                bar.update(now - done)
                done = now

        yield progress


# --- serving ----------------------------------------------------------------------------------------------------


@fs.command("namenode")
@click.option("--listen", default="127.0.0.1:8001", show_default=True, metavar="HOST:PORT", help="Its address; port 0 takes any free one.")
@click.option("--address", metavar="HOST:PORT", help="By which others reach it, if it listens elsewhere, as on 0.0.0.0:8001.")
@click.option("--store", type=click.Path(dir_okay=False), required=True, help="File of the metadata, made if it is not there.")
@click.option(
    "--members", metavar="HOST:PORT,…", help="All NameNodes, this one too: ',' between replicas (best 3 or 5), ';' between partitions."
)
@settings_option("A parameter of the NameNode, such as retention_s=15.")
@secret_option
@click.pass_context
def namenode_command(
    context: click.Context, listen: str, address: str | None, store: str, members: str | None, settings: dict[str, Any], secret: str | None
) -> None:
    """Serve the metadata until Ctrl-C or SIGTERM. The store belongs to this NameNode, with its members, for good."""
    check_settings(settings)  # before one of them takes the place of an option
    log_to_stderr()
    node = namenode_server(listen, store, secret or context.obj["secret"], address=address, members=members or (), **settings)
    node.run(lambda node: click.echo(f"NameNode listening on {node.address}"))


@fs.command("datanode")
@click.option("--namenode", metavar="HOST:PORT[,…]", help="The NameNode or all of them (or BLOOMPY_NAMENODE).")
@click.option("--data-dir", type=click.Path(file_okay=False), required=True, help="Directory of the chunks, made if it is not there.")
@click.option("--listen", default="127.0.0.1:0", show_default=True, metavar="HOST:PORT", help="Its address; the data port is another.")
@click.option("--host", help="Name of this machine, for placement.  [default: its own]")
@click.option("--heartbeat", "heartbeat_s", default=3.0, show_default=True, metavar="SECONDS", help="Pause between heartbeats.")
@secret_option
@click.pass_context
def datanode_command(
    context: click.Context, namenode: str | None, data_dir: str, listen: str, host: str | None, heartbeat_s: float, secret: str | None
) -> None:
    """Keep chunks until Ctrl-C or SIGTERM."""
    address = namenode or context.obj["namenode"]
    if not address:
        raise click.UsageError("which NameNode? give --namenode HOST:PORT, or set BLOOMPY_NAMENODE")
    log_to_stderr()
    server = DataNodeServer(address, data_dir, listen, secret or context.obj["secret"], host=host, heartbeat_s=heartbeat_s)
    asyncio.run(_until_signal(server, lambda: f"DataNode {server.identity.node} listening on {server.address}, data on {server.data}"))


async def _until_signal(server: AbstractAsyncContextManager[Any], said: Callable[[], str]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with server:
        click.echo(said())
        await stop.wait()
