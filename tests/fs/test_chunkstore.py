"""Chunk files: whole or found out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bloompy_fs.chunkstore import BLOCK_BYTES, ChunkDamaged, ChunkStore, Identity, data_bytes


@pytest.mark.parametrize("length", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES])
def test_what_is_written_is_read(tmp_path: Path, length: int) -> None:
    store = ChunkStore(tmp_path)
    data = os.urandom(length)
    with store.write(7) as writer:
        for start in range(0, length, 10_007):
            writer.write(data[start : start + 10_007])
        assert store.chunks() == {}
        assert writer.commit() == length
    assert store.chunks() == {7: length}
    assert store.verify(7) == length
    with store.open(7) as reader:
        assert b"".join(reader.block(i) for i in range(reader.blocks)) == data
    assert data_bytes((tmp_path / "7").stat().st_size) == length


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path)
    with store.write(1) as writer:
        writer.write(b"some data of a chunk")
        writer.commit()
    whole = (tmp_path / "1").read_bytes()
    for position in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            (tmp_path / "1").write_bytes(damaged)
            with pytest.raises(ChunkDamaged, match="block 0 of chunk 1"):
                store.verify(1)


def test_blocks_that_changed_places_or_chunks_are_found(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path)
    for chunk in (1, 2):
        with store.write(chunk) as writer:
            writer.write(b"a" * BLOCK_BYTES + b"b" * BLOCK_BYTES)
            writer.commit()
    whole, half = (tmp_path / "1").read_bytes(), (BLOCK_BYTES + 4)
    (tmp_path / "1").write_bytes(whole[half:] + whole[:half])
    with pytest.raises(ChunkDamaged, match="block 0 of chunk 1"):
        store.verify(1)
    (tmp_path / "2").write_bytes(whole)
    with pytest.raises(ChunkDamaged, match="block 0 of chunk 2"):
        store.verify(2)


def test_what_was_not_committed_leaves_nothing(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path)
    with pytest.raises(ZeroDivisionError), store.write(1) as writer:
        writer.write(b"x" * (1 // 0))
    assert os.listdir(tmp_path) == []
    (tmp_path / "5.0.part").write_bytes(b"left by a crash")
    store.clean()
    assert os.listdir(tmp_path) == []


def test_files_that_are_no_chunks_are_left_alone(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path)
    for name in ("007", "x", "-1", "lock", "\u0663"):
        (tmp_path / name).touch()
    assert store.chunks() == {}
    store.delete(99)
    assert len(os.listdir(tmp_path)) == 5


def test_the_identity_is_kept(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path)
    assert store.identity(Identity("dn-1")) == Identity("dn-1")
    store.set_identity(Identity("dn-1", "c"))
    assert ChunkStore(tmp_path).identity(Identity("dn-2")) == Identity("dn-1", "c")
