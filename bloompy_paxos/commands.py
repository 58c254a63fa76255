"""Imperative: the command line `bloompy paxos`."""

from __future__ import annotations

import functools
import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from bloompy.tools.groups import Commands, log_to_stderr, printable, secret_option, settings_option
from bloompy.tools.servers import ProcessServer
from bloompy_paxos.client import Client
from bloompy_paxos.directory import find, load
from bloompy_paxos.status import Status

_WHERE = "Replicas: host:port,host:port,…, or the directory of a local group (or BLOOMPY_REPLICAS)."
_LOOK_S = 0.2


@click.group(cls=Commands)
@click.option("--at", "where", envvar="BLOOMPY_REPLICAS", metavar="WHERE", help=_WHERE)
@secret_option
@click.option("--timeout", "timeout_s", default=30.0, show_default=True, metavar="SECONDS", help="For each request with its retries.")
@click.pass_context
def paxos(context: click.Context, where: str | None, secret: str | None, timeout_s: float) -> None:
    """A key-value store of 3 or 5 replicas, which agree by MultiPaxos: serve it, use it, look at it."""
    context.obj = {"where": where, "secret": secret, "timeout_s": timeout_s}


def _with_client(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the client that the options of the group describe, unless its own options say otherwise."""

    @click.option("--at", "where", metavar="WHERE", help=_WHERE)
    @click.option("--secret", help="Shared by the replicas (or BLOOMPY_SECRET).")
    @click.pass_context
    @functools.wraps(command)
    def run(context: click.Context, /, where: str | None, secret: str | None, **options: Any) -> None:
        where = where or context.obj["where"]
        if not where:
            raise click.UsageError("which replicas? give --at host:port,host:port,… or --at DIRECTORY, or set BLOOMPY_REPLICAS")
        group = find(where)
        with Client(group.replicas, secret or context.obj["secret"] or group.secret, timeout_s=context.obj["timeout_s"]) as client:
            command(client, **options)

    return run


# --- using it ---------------------------------------------------------------------------------------------------


@paxos.command(context_settings={"ignore_unknown_options": True})  # values such as -5
@_with_client
@click.argument("key")
@click.argument("value")
def put(client: Client, key: str, value: str) -> None:
    """Store VALUE for KEY; done when a majority of the replicas has it on disk."""
    client.put(key, value)


@paxos.command()
@_with_client
@click.option("--stale", is_flag=True, help="What some replica has: cheaper, works without a majority, and may be old.")
@click.argument("key")
def get(client: Client, key: str, stale: bool) -> None:
    """Print the value of KEY. Exit status 1 if there is none."""
    value = client.get(key, stale=stale)
    if value is None:
        raise click.ClickException(f"{key!r} has no value")
    click.echo(value if isinstance(value, str | bytes) else repr(value))


@paxos.command()
@_with_client
@click.argument("keys", nargs=-1, required=True)
def delete(client: Client, keys: tuple[str, ...]) -> None:
    """Have no values for KEYS any more."""
    for key in keys:
        client.delete(key)


# --- looking at it ----------------------------------------------------------------------------------------------


@paxos.command()
@_with_client
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(client: Client, as_json: bool) -> None:
    """Say who leads, and how far each replica is. Exit status 1 if no majority follows a leader."""
    found = client.status()
    leader = leader_of(found)
    if as_json:
        click.echo(json.dumps({"leader": leader, "replicas": [attrs.asdict(one) for one in found]}, indent=2))
    else:
        _table([["replica", "role", "follows", "ballot", "decided", "applied", "lag", "log from", "heard"], *_rows(found)])
        for line in _members(found):
            click.echo(line)
    if leader is None:
        click.echo("no majority follows a leader", err=True)
        raise click.exceptions.Exit(1)


def leader_of(found: Sequence[Status]) -> str | None:
    """Who leads: a member that says so, and that a majority of its members follows."""
    for one in found:
        followers = sum(other.leader == one.address and other.address in one.members for other in found)
        if one.role == "leader" and 2 * followers > len(one.members):
            return one.address
    return None


def _rows(found: Sequence[Status]) -> list[list[str]]:
    newest = max((one.decided for one in found), default=0)
    heard = {peer.address: f"{peer.heard_s:.2f} s ago" for one in found if one.role == "leader" for peer in one.peers}
    rows = []
    for one in found:
        if one.role == "silent":
            rows.append([one.address, "silent", *["-"] * 6, heard.get(one.address, "-")])
        else:
            ballot = f"{one.ballot[0]} of {one.ballot[1]}" if len(one.ballot) == 2 and one.ballot[1] else "-"
            numbers = [str(one.decided), str(one.applied), str(newest - one.applied), str(one.first)]
            rows.append([one.address, one.role, one.leader or "-", ballot, *numbers, heard.get(one.address, "-")])
    return rows


def _members(found: Sequence[Status]) -> list[str]:
    """The members, once where all replicas that answered have the same."""
    having: dict[tuple[str, ...], list[str]] = {}
    for one in found:
        if one.role != "silent":
            having.setdefault(tuple(sorted(one.members)), []).append(one.address)
    if len(having) == 1:
        return [f"members: {', '.join(group)}" for group in having]
    return [f"members, as {', '.join(addresses)} has them: {', '.join(group) or 'none yet'}" for group, addresses in having.items()]


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


# --- members ----------------------------------------------------------------------------------------------------


@paxos.group()
def members() -> None:
    """Change who takes part, one replica at a time."""


@members.command("add")
@_with_client
@click.argument("address", metavar="HOST:PORT")
def add_member(client: Client, address: str) -> None:
    """Have the replica at HOST:PORT take part; it runs already, started by `serve --join`."""
    client.add_member(address)


@members.command("remove")
@_with_client
@click.argument("address", metavar="HOST:PORT")
def remove_member(client: Client, address: str) -> None:
    """Have the replica at HOST:PORT take part no more; it may be gone for good."""
    client.remove_member(address)


# --- serving ----------------------------------------------------------------------------------------------------


@paxos.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--listen", metavar="HOST:PORT", help="By which all others reach this replica, for good; needed at its first start.")
@click.option("--members", "first", metavar="ADDRESSES", help="All first members, with commas between them; needed at the first start.")
@click.option("--join", is_flag=True, help="In place of --members: a replica that is to be added to a group by `members add`.")
@click.option("--local", type=click.IntRange(1, 9), metavar="N", help="Start N replicas on this machine, as processes of their own.")
@settings_option("A parameter of the replicas, the same for all, such as election_s=0.3.")
@secret_option
@click.pass_context
def serve(
    context: click.Context, directory: Path, listen: str | None, first: str | None, join: bool, local: int | None,
    settings: dict[str, Any], secret: str | None,
) -> None:  # fmt: skip
    """Serve one replica, its data in DIRECTORY, until Ctrl-C or SIGTERM; or a whole group by --local.

    \b
    bloompy paxos serve /tmp/store --local 3
    bloompy paxos serve /var/lib/store --listen a:4001 --members a:4001,b:4001,c:4001

    A replica that lost its directory must not be started again: remove it from the members, and add one at another address.
    """
    if local is not None:
        if listen or first or join:
            raise click.UsageError("--local goes without --listen, --members and --join: it finds addresses by itself")
        _serve_all(directory, local, settings)
        return
    if first is not None and join:
        raise click.UsageError("--members is for the first members of a group, --join for those that come later: give one of them")
    from bloompy_paxos.server import replica_server  # here: the rules take a while to load, and clients have no use for them

    log_to_stderr()
    named = () if join else None if first is None else tuple(part.strip() for part in first.split(","))
    node = replica_server(directory, listen, named, secret or context.obj["secret"] or _secret_beside(directory), **settings)
    node.run(lambda node: click.echo(f"replica listening on {node.address}"))


def _secret_beside(directory: Path) -> str | None:
    """That of the local group to which the directory belongs."""
    group = load(directory.resolve().parent)
    return group.secret if group is not None else None


def _serve_all(directory: Path, count: int, settings: dict[str, Any]) -> None:
    from bloompy_paxos.cluster import LocalCluster

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with LocalCluster(count, directory, processes=True, **settings) as cluster:
        if len(cluster.addresses) != count:
            click.echo(f"{directory} holds a group of {len(cluster.addresses)}, so these are started, not {count}", err=True)
        running = {address: server for address, server in cluster.servers.items() if isinstance(server, ProcessServer)}
        click.echo(f"{len(running)} replicas, their data in {directory}:")
        for address, server in running.items():
            click.echo(f"  {address}  process {server.process.pid}")
        this = f"bloompy paxos --at {directory}"
        click.echo(f"In another terminal:\n  {this} put greeting hello\n  {this} get greeting\n  {this} status\nCtrl-C ends them.")
        sys.stdout.flush()
        while not stop.wait(_LOOK_S):
            for address, server in list(running.items()):
                if server.process.poll() is not None:
                    del running[address]
                    again = f"bloompy paxos serve {server.log.with_suffix('')}"
                    click.echo(f"{address} has ended with exit status {server.process.returncode}; to start it again: {again}")
                    sys.stdout.flush()
        click.echo("ending the replicas")
