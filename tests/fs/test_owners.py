"""A store belongs to the NameNode that made it; no other one may be started with it, nor that one when it is gone."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from bloompy.errors import TransportError, UsageError
from bloompy.tools.servers import free_addresses
from bloompy_fs.blocking import Client
from bloompy_fs.commands import fs
from bloompy_fs.owners import StoreGone, WrongStore
from bloompy_fs.servers import namenode_server

A, B, C, D, E = (f"127.0.0.1:{port}" for port in range(20_001, 20_006))
"""Nobody listens there: what is wrong is refused before."""


def begin(store: Path, members: str = "") -> str:
    """A first start of the NameNode that is named first, which ends at once. Returns its address."""
    with namenode_server(members.replace(";", ",").split(",")[0] or "127.0.0.1:0", store, members=members) as node:
        return node.address


@pytest.fixture
def replica(tmp_path: Path) -> tuple[str, Path]:
    """The three members that the first of them was started with, and its store."""
    members, store = ",".join(free_addresses(3)), tmp_path / "names.db"
    begin(store, members)
    return members, store


def test_a_replica_is_not_served_alone(replica: tuple[str, Path]) -> None:
    members, store = replica
    address = members.split(",")[0]
    with pytest.raises(WrongStore, match=f"belongs to the NameNode at {address} of the members {members}, not to a NameNode that is alone"):
        namenode_server(address, store)
    said = CliRunner().invoke(fs, ["namenode", "--listen", address, "--store", str(store)])
    assert said.exit_code == 1
    assert "listening" not in said.output
    assert said.stderr.count("belongs to") == 1
    assert f'hint: start it by --listen {address} --members "{members}"' in said.stderr


def test_a_replica_keeps_its_address_and_members(replica: tuple[str, Path]) -> None:
    members, store = replica
    first, second, third = members.split(",")
    for listen, others in (
        (second, members),
        (first, f"{first},{second}"),
        (first, f"{members},{D},{E}"),
        (first, f"{first},{second},{D}"),
        (first, f"{members};{D},{E},{C}"),
        (first, f"{D},{E},{C};{members}"),
        (first, first),
    ):
        with pytest.raises(WrongStore, match="belongs to the NameNode at"):
            namenode_server(listen, store, members=others)
    namenode_server(first, store, members=f"{third},{first},{second}")
    begin(store, members)


def test_a_namenode_that_is_alone_stays_alone_and_may_move(tmp_path: Path) -> None:
    store = tmp_path / "names.db"
    with namenode_server("127.0.0.1:0", store) as node, Client(node.address) as client:
        client.mkdir("/kept")
    for members in (A, f"{A},{B},{C}", f"{A};{B}"):
        with pytest.raises(WrongStore, match=r"belongs to a NameNode that is alone, not to the NameNode at 127\.0\.0\.1:20001"):
            namenode_server(A, store, members=members)
    (moved,) = free_addresses(1)
    with namenode_server(moved, store) as node, Client(node.address) as client:
        assert client.exists("/kept")


def test_partitions_keep_their_number_and_order(tmp_path: Path) -> None:
    store, (first, second) = tmp_path / "names.db", free_addresses(2)
    begin(store, f"{first};{second}")
    for members in (f"{second};{first}", f"{first};{second};{A}", f"{first},{second}", first):
        with pytest.raises(WrongStore):
            namenode_server(first, store, members=members)
    begin(store, f"{first};{second}")


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("empty", [False, True])
def test_a_store_that_is_gone_is_noticed(tmp_path: Path, count: int, empty: bool) -> None:
    store = tmp_path / "names.db"
    members = ",".join(free_addresses(3)) if count > 1 else ""
    address = begin(store, members)
    store.unlink()
    if empty:
        store.touch()
    with pytest.raises(StoreGone, match="what it has promised" if count > 1 else "all names of the file system") as gone:
        namenode_server(address, store, members=members)
    assert ("do not start it again" if count > 1 else "names.db.owner") in str(gone.value.hint)
    assert not store.exists() or empty


def test_without_the_owner_a_new_file_system_begins(tmp_path: Path) -> None:
    store = tmp_path / "names.db"
    begin(store)
    for path in tmp_path.iterdir():
        path.unlink()
    begin(store)


def test_a_start_that_fails_makes_no_owner(tmp_path: Path) -> None:
    store = tmp_path / "names.db"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(TransportError, match="another program listens there|in use"), namenode_server(address, store, members=address):
            pass
    assert owners(tmp_path) == []
    begin(store)


def test_a_store_of_an_earlier_version_is_taken_as_it_is(replica: tuple[str, Path]) -> None:
    members, store = replica
    (owner,) = owners(store.parent)
    owner.unlink()
    begin(store, members)
    assert owners(store.parent) == [owner]
    with pytest.raises(WrongStore):
        namenode_server(A, store)


def test_an_owner_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    store = tmp_path / "names.db"
    begin(store)
    (owner,) = owners(tmp_path)
    for text in ("", "{}", '{"address": "a:1", "groups": 3}', "\x00"):
        owner.write_text(text)
        with pytest.raises(UsageError, match=r"names\.db\.owner does not say whose store this is"):
            namenode_server("127.0.0.1:0", store)


def owners(directory: Path) -> Sequence[Path]:
    return sorted(directory.glob("*.owner"))
