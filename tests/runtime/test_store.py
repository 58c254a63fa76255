"""The embedded store: all or nothing, one node at a time, damage is named."""

from __future__ import annotations

import enum
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.engine.tick import Durable
from bloompy.errors import StoreError, UsageError, WireError
from bloompy.runtime.interfaces import Store
from bloompy.schema import Schema, parse_schema
from bloompy.stores.embedded import EmbeddedStore
from bloompy.stores.keys import key_bytes
from bloompy.stores.memory import MemoryStore


class Colour(enum.Enum):
    RED = 1


class Shade(enum.Enum):
    LIGHT = "light"
    DARK = "dark"
    SOFT = "soft"


NAMES: dict[str, Any] = {"Shades": frozenset[Shade], "int": int, "str": str, "float": float, "Colour": Colour, "list": list, "Decimal": Decimal}


def schema(text: str) -> Schema:
    return parse_schema(text, NAMES.__getitem__)


TABLES = {"data": schema("key -> value"), "one": schema("-> a: int, b: str"), "pair": schema("a: int, b: Colour -> c: float")}


def commit(store: Store, change: Durable) -> None:
    """A change on its own, made safe."""
    store.write(change)
    store.sync()


def opened(path: Path, tables: dict[str, Schema] = TABLES) -> EmbeddedStore:
    store = EmbeddedStore(path)
    store.open(tables)
    return store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.mark.parametrize("kind", ["embedded", "memory"])
def test_rows_are_there_again(kind: str, path: Path) -> None:
    store: Store = EmbeddedStore(path) if kind == "embedded" else MemoryStore()
    store.open(TABLES)
    assert store.load() == {"data": [], "one": [], "pair": []}
    commit(store, Durable(upserted={"data": [(1, (2, frozenset({3}))), ("x", None)], "one": [(2**80, "x")], "pair": [(1, Colour.RED, 2.0)]}))
    commit(store, Durable(deleted={"data": ["x"], "pair": [(5, Colour.RED)]}, upserted={"data": [(1, "new")], "one": [(2, "y")]}))
    store.close()
    store.open(TABLES)
    assert store.load() == {"data": [(1, "new")], "one": [(2, "y")], "pair": [(1, Colour.RED, 2.0)]}
    store.close()


def test_commits_do_not_lengthen_the_log(path: Path) -> None:
    log = Path(f"{path}-wal")
    store = opened(path)
    size = log.stat().st_size
    for number in range(300):  # it begins anew in between
        commit(store, Durable(upserted={"data": [(number % 50, "x" * 20_000)]}))
    assert log.stat().st_size == size
    store.close()


def test_a_log_of_full_size_that_was_not_closed_is_read(path: Path) -> None:
    store = opened(path)
    commit(store, Durable(upserted={"data": [(1, "one")]}))
    left = path.with_name("left.db")
    left.write_bytes(path.read_bytes())
    Path(f"{left}-wal").write_bytes(Path(f"{path}-wal").read_bytes())
    again = opened(left)
    assert again.load()["data"] == [(1, "one")]
    commit(again, Durable(upserted={"data": [(2, "two")]}))
    for one in (store, again):
        one.close()
    assert opened(left).load()["data"] == [(1, "one"), (2, "two")]


def test_a_key_deleted_and_set_in_one_change_is_set(path: Path) -> None:
    store = opened(path)
    commit(store, Durable(deleted={"data": [1]}, upserted={"data": [(1, 2)]}))
    assert store.load()["data"] == [(1, 2)]
    store.close()


equal = [(1, 1.0), (1, True), (0.0, -0.0), (2**80, float(2**80)), ((1, (2.0,)), (1.0, (2,))), (frozenset({1, (2,)}), frozenset({1.0, (2.0,)}))]


@pytest.mark.parametrize(("first", "second"), equal)
def test_keys_that_are_equal_are_one_key(path: Path, first: Any, second: Any) -> None:
    assert first == second
    store = opened(path)
    commit(store, Durable(upserted={"data": [(first, "old")]}))
    commit(store, Durable(upserted={"data": [(second, "new")]}))
    assert [row[1] for row in store.load()["data"]] == ["new"]
    commit(store, Durable(deleted={"data": [first]}))
    assert store.load()["data"] == []
    store.close()


def test_keys_of_enums_are_the_same_bytes_in_every_process() -> None:
    members = msgspec.msgpack.decode(key_bytes("t", schema("key: Shades"), frozenset(Shade)))
    assert members == [["dark", "soft", "light"]]  # by their bytes, whatever the hash seed


def test_decimal_keys_that_are_equal_are_one_key() -> None:
    wanted = schema("key: Decimal")
    assert key_bytes("t", wanted, Decimal("1.0")) == key_bytes("t", wanted, Decimal("1.00"))
    assert key_bytes("t", wanted, Decimal("0E5")) == key_bytes("t", wanted, Decimal("0"))


keys = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.integers() | st.floats(allow_nan=False) | st.text(max_size=2) | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)


@given(keys, keys)
@settings(max_examples=300)
def test_key_bytes_are_equal_where_keys_are(first: Any, second: Any) -> None:
    wanted = schema("key -> value")
    assert (key_bytes("t", wanted, first) == key_bytes("t", wanted, second)) == (first == second)


def test_a_changed_schema_is_named_with_old_and_new(path: Path) -> None:
    opened(path).close()
    with pytest.raises(StoreError, match=r"state\.db: table 'data' was stored as 'key -> value', the program declares 'key, value'") as caught:
        opened(path, {"data": schema("key, value")})
    assert caught.value.code == "BLM401"
    assert "new name" in str(caught.value.hint)
    opened(path).close()  # the failed try has let go of the file


def test_a_memory_store_knows_a_changed_schema_too() -> None:
    store = MemoryStore()
    store.open(TABLES)
    store.close()
    with pytest.raises(StoreError, match="'data' was stored as 'key -> value', the program declares 'key'"):
        store.open({"data": schema("key")})


def test_tables_may_come_and_go(path: Path) -> None:
    store = opened(path, {"data": TABLES["data"]})
    commit(store, Durable(upserted={"data": [(1, 2)]}))
    store.close()
    other = opened(path, {"one": TABLES["one"]})
    assert other.load() == {"one": []}
    other.close()
    again = opened(path)
    assert again.load()["data"] == [(1, 2)]
    again.close()


@pytest.mark.parametrize("kind", ["embedded", "memory"])
def test_one_node_at_a_time(kind: str, path: Path) -> None:
    memory = MemoryStore()
    first: Store = EmbeddedStore(path) if kind == "embedded" else memory
    second: Store = EmbeddedStore(path) if kind == "embedded" else memory
    first.open(TABLES)
    with pytest.raises(StoreError, match="in use by another node"):
        second.open(TABLES)
    commit(first, Durable(upserted={"data": [(1, 2)]}))
    first.close()
    second.open(TABLES)
    assert second.load()["data"] == [(1, 2)]
    second.close()


def test_a_type_that_cannot_be_stored_is_named_before_the_file_is_touched(path: Path) -> None:
    with pytest.raises(UsageError, match="column 'a' of 't' has type list"):
        opened(path, {"t": schema("a: list")})
    assert not path.exists()


def test_a_value_that_cannot_be_stored_leaves_the_store_as_it_was(path: Path) -> None:
    store = opened(path)
    with pytest.raises(WireError, match="type object cannot be sent or stored"):
        commit(store, Durable(upserted={"data": [(1, 2), (2, object())]}))
    assert store.load()["data"] == []
    commit(store, Durable(upserted={"data": [(1, 2)]}))
    assert store.load()["data"] == [(1, 2)]
    store.close()


# --- damage -----------------------------------------------------------------------------------------------------


def filled(path: Path, rows: int = 2000) -> None:
    store = opened(path)
    commit(store, Durable(upserted={"data": [(i, "x" * 50) for i in range(rows)]}))
    store.close()
    assert not path.with_name("state.db-wal").exists()


def read(path: Path) -> None:
    store = EmbeddedStore(path)
    try:
        store.open(TABLES)
        store.load()
    finally:
        store.close()


@pytest.mark.parametrize("kept", [10, 1000, 4096, 40_000])
def test_a_truncated_file_is_named(path: Path, kept: int) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(StoreError, match=r"state\.db"):
        read(path)


def test_a_changed_byte_of_a_row_is_found(path: Path) -> None:
    filled(path)
    data = path.read_bytes()
    at = data.rindex(b"x" * 50)
    path.write_bytes(data[:at] + b"y" + data[at + 1 :])
    with pytest.raises(StoreError, match=r"state\.db is damaged: a row of 'data' does not have its checksum") as caught:
        read(path)
    assert "restore the file" in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"\x00" * 5000])
def test_a_file_that_is_no_database_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"state\.db"):
        read(path)


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE precious (a)")
    other.close()
    with pytest.raises(StoreError, match="a database of another program"):
        read(path)


def test_a_directory_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere.state\.db cannot be opened"):
        opened(tmp_path / "nowhere" / "state.db")


def test_after_an_error_nothing_is_tried_again(path: Path) -> None:
    store = opened(path)
    store._connected().execute("PRAGMA query_only = ON")  # stands for a disk that fails
    with pytest.raises(StoreError, match=r"state\.db cannot be written"):
        commit(store, Durable(upserted={"data": [(1, 2)]}))
    store._connected().execute("PRAGMA query_only = OFF")
    with pytest.raises(StoreError, match="failed before; what was written last is unknown"):
        commit(store, Durable(upserted={"data": [(1, 2)]}))
    store.close()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers())))
@settings(max_examples=25, deadline=None)
def test_the_embedded_store_does_what_the_one_in_memory_does(tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[bool, int, int]]) -> None:
    path = tmp_path_factory.mktemp("store") / "state.db"
    stores: list[Store] = [EmbeddedStore(path), MemoryStore()]
    for store in stores:
        store.open(TABLES)
        for upsert, key, value in changes:
            commit(store, Durable(upserted={"data": [(key, value)]}) if upsert else Durable(deleted={"data": [key]}))
    embedded, memory = (sorted(store.load()["data"]) for store in stores)
    assert embedded == memory
    for store in stores:
        store.close()
