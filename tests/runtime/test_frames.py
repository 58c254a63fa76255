"""Frames: everything arrives, in frames that are not too large; nothing that a peer can send raises."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy import Bloom, channel, table
from bloompy.errors import WireError
from bloompy.transports.frames import FrameCodec
from bloompy.transports.framing import FrameReader, prefixed


class Mail(Bloom):
    note = channel("@to: str, number: int -> text: str")
    loose = channel("@to, what")
    private = table("a")


CODEC = FrameCodec(Mail.program_ir, 100)


def never(channel: str, row: Any, error: Exception) -> None:
    raise AssertionError((channel, row, error))


def decode(frame: bytes, codec: FrameCodec = CODEC) -> tuple[dict[str, list[Any]], list[str]]:
    refused: list[str] = []
    found: dict[str, list[Any]] = {}
    for name, rows in codec.decode(frame, lambda reason, error: refused.append(reason)):
        found.setdefault(name, []).extend(rows)
    return found, refused


@given(st.lists(st.text(max_size=40), max_size=300), st.lists(st.integers(), max_size=50), st.sampled_from([120, 400, 10_000]))
def test_all_rows_arrive_in_frames_that_fit(texts: list[str], numbers: list[int], frame_bytes: int) -> None:
    letters = {"note": [("b", i, text[:10]) for i, text in enumerate(texts)], "loose": [("b", number) for number in numbers]}
    arrived: dict[str, list[Any]] = {"note": [], "loose": []}
    for frame in CODEC.encode(letters, frame_bytes, never):
        assert len(frame) <= frame_bytes
        found, refused = decode(frame)
        assert not refused
        for name, rows in found.items():
            arrived[name] += rows
    assert arrived == letters


def test_a_tick_is_one_frame() -> None:
    letters = {"note": [("b", i, "x") for i in range(50)], "loose": [("b", i) for i in range(50)]}
    assert len(list(CODEC.encode(letters, 16_000, never))) == 1


def test_a_row_that_fits_no_frame_is_given_back_and_the_others_are_sent() -> None:
    failed: list[tuple[str, Any, Exception]] = []
    letters = {"note": [("b", 1, "x"), ("b", 2, "y" * 5000), ("b", 3, "z")]}
    frames = list(CODEC.encode(letters, 1000, lambda *all: failed.append(all)))
    assert [row[1] for frame in frames for row in decode(frame)[0]["note"]] == [1, 3]
    ((name, row, error),) = failed
    assert (name, row[1]) == ("note", 2)
    assert isinstance(error, WireError)
    assert "takes 5,0" in error.message
    assert "TCP instead of UDP" in str(error.hint)


def test_a_row_that_cannot_be_encoded_is_given_back_and_the_others_are_sent() -> None:
    failed: list[Any] = []
    (frame,) = CODEC.encode({"loose": [("b", 1), ("b", object())]}, 1000, lambda *all: failed.append(all))
    assert decode(frame)[0] == {"loose": [("b", 1)]}
    assert len(failed) == 1


def test_undeclared_channels_are_refused_and_declared_ones_taken() -> None:
    frame = msgspec.msgpack.encode([("nothing", [("b", 1)]), ("private", [(1,)]), ("note", [("b", 1, "x")]), ("dead_letter", [])])
    assert decode(frame) == ({"note": [("b", 1, "x")]}, ["undeclared", "undeclared", "undeclared"])


def test_a_frame_of_too_many_rows_is_refused_before_it_is_decoded() -> None:
    assert decode(msgspec.msgpack.encode([("loose", [("b", i) for i in range(101)])])) == ({}, ["oversized"])
    assert decode(msgspec.msgpack.encode([("loose", [("b", i) for i in range(60)])] * 2)) == ({}, ["oversized"])
    claims = msgspec.msgpack.encode("loose") + b"\xdd\xff\xff\xff\xff"
    assert decode(b"\x91\x92" + claims)[0] == {}


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoder_raise(data: bytes) -> None:
    found, refused = decode(data)
    assert not found or not refused


@given(st.data())
def test_no_damaged_frame_makes_the_decoder_raise(data: st.DataObject) -> None:
    (frame,) = CODEC.encode({"note": [("b", 1, "text")], "loose": [("b", (1, frozenset({2})))]}, 1000, never)
    at = data.draw(st.integers(0, len(frame) - 1))
    damaged = frame[:at] + bytes([data.draw(st.integers(0, 255))]) + frame[at + 1 :]
    for rows in decode(damaged)[0].values():
        assert all(isinstance(row, tuple) for row in rows)


@given(st.lists(st.binary(max_size=50)), st.data())
def test_frames_are_found_however_the_stream_is_cut(frames: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(prefixed, frames))
    reader, found = FrameReader(50), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert found == frames


def test_an_oversized_frame_is_refused_by_its_length_alone() -> None:
    with pytest.raises(WireError, match="a frame of 51 bytes, at most 50"):
        list(FrameReader(50).feed((51).to_bytes(4, "big")))
