"""What sqlite3 does not say of its log: whether commits that were synchronised lie behind the last frame it takes.

sqlite3 ends a log at the first frame that does not have its checksum, be it one of those that a power failure left half-written or one
in the middle that the disk has damaged; in the second case it forgets, without a word, all commits from there on. The two can be told
apart, because each transaction is synchronised before the next one begins: a power failure leaves frames of one transaction behind the
frames taken, and its commit frame is the last. Where a commit frame has any frame of the same log behind it, it was synchronised.

Sectors of 512 bytes or more are taken to be written in any order, each whole or up to some byte. The format of the log:
https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from array import array
from functools import cached_property
from typing import TypeAlias

_HEADER_BYTES, _FRAME_HEADER_BYTES, _SECTOR_BYTES = 32, 24, 512
_MAGIC_LITTLE, _MAGIC_BIG = 0x377F0682, 0x377F0683
"""How a log begins, by the order of the bytes in the words that are summed."""
_WORD = 0xFFFFFFFF

_Pair: TypeAlias = tuple[int, int]


class Log:
    """A log as a crash or a power failure has left it.

    Args:
        data: the whole file.
        page_bytes: of the main file, for a log whose header does not say it.

    Attributes:
        has_header: whether sqlite3 takes the header; if not, it takes the log for empty.
    """

    def __init__(self, data: bytes, page_bytes: int = 0) -> None:
        self._data = data
        self.has_header = _is_header(data[:_HEADER_BYTES])
        self._page_bytes = int.from_bytes(data[8:12], "big") if self.has_header else page_bytes
        self._frame_bytes = _FRAME_HEADER_BYTES + self._page_bytes
        slots = (len(data) - _HEADER_BYTES) // self._frame_bytes if _is_page_size(self._page_bytes) and len(data) > _HEADER_BYTES else 0
        self._heads = [(both >> 32, both & _WORD) for both in self._column(data, 0, slots)]
        self._salts = self._column(data, 8, slots)
        self._salt = int.from_bytes(data[16:24], "big") if self.has_header else next(filter(None, self._salts), 0)
        own = [frame for frame, salt in enumerate(self._salts) if salt == self._salt != 0]
        self._count = own[-1] + 1 if own else 0  # behind them lie frames of earlier logs, whose pages are in the main file

    # -- what sqlite3 makes of it

    @cached_property
    def taken(self) -> int:
        """How many frames sqlite3 takes: those up to the last commit before the first wrong frame."""
        return self._last_commit(self._first_wrong) if self.has_header else 0

    @property
    def has_rest(self) -> bool:
        """Whether frames of this log lie behind those taken."""
        return self._count > self.taken

    # -- what that loses

    @property
    def is_damaged(self) -> bool:
        """Whether there is a commit behind the frames taken that was synchronised."""
        return any(map(self._commits, range(self.taken, self._count - 1)))

    @property
    def lost(self) -> int:
        """How many commits, at least, were synchronised behind the frames taken."""
        return max(1, sum(commit > 0 for _, commit in self._heads[self.taken : self._count - 1]))

    @property
    def damaged_at(self) -> int:
        """The byte at which the first wrong frame begins."""
        return self._start(self._first_wrong)

    def pages(self) -> dict[int, bytes]:
        """The pages as the last commit left them by their numbers, whether sqlite3 takes it or not."""
        last = self._last_commit(self._count)
        starts = {self._heads[frame][0]: self._start(frame) + _FRAME_HEADER_BYTES for frame in range(last)}
        database_pages = self._heads[last - 1][1] if last else 0
        return {page: self._data[at : at + self._page_bytes] for page, at in starts.items() if 0 < page <= database_pages}

    def _commits(self, frame: int) -> bool:
        """Whether a frame is surely a commit of this log. A torn one may have the mark of an older one, where a sector ends behind it."""
        commit = self._heads[frame][1]
        other = self._salts[frame] ^ self._salt
        if other & _WORD and other >> 32:
            return False
        if commit and (self._whole[frame] or (self._start(frame) + 8) % _SECTOR_BYTES):
            return True
        return frame == self._first_wrong and not self._whole[frame] and self._mended_commit(frame) > 0

    def _mended_commit(self, frame: int) -> int:
        """The mark of a frame that has its checksum but for one word, which so was written as a whole; 0 for others."""
        before, stored = self._sums[frame], self._sums[frame + 1]
        words = [*self._words(self._start(frame), 8), *self._words(self._start(frame) + _FRAME_HEADER_BYTES, self._page_bytes)]
        wanted = _minus(stored, _sum(words, before))
        commit = self._heads[frame][1]
        for word, weight in enumerate(_weights(len(words))):
            if (wanted[0] * weight[1] - wanted[1] * weight[0]) & _WORD == 0:
                return (commit + _quotient(wanted, weight)) & _WORD if word == 1 else commit
        return commit if 0 in wanted else 0  # a word of the checksum itself

    # -- frames

    @cached_property
    def _first_wrong(self) -> int:
        for frame, whole in enumerate(self._whole):
            if not (whole and self._salts[frame] == self._salt and self._heads[frame][0]):
                return frame
        return self._count

    def _last_commit(self, count: int) -> int:
        """How many of the first frames there are up to the last commit."""
        return max((frame + 1 for frame in range(count) if self._heads[frame][1]), default=0)

    def _start(self, frame: int) -> int:
        return _HEADER_BYTES + frame * self._frame_bytes

    def _column(self, data: bytes | memoryview, offset: int, count: int) -> tuple[int, ...]:
        """Eight bytes of each frame, as a number."""
        return struct.unpack(f">{count}Q", self._column_bytes(data, offset, count))

    def _column_bytes(self, data: bytes | memoryview, offset: int, count: int) -> bytes:
        if not count:
            return b""
        frames = memoryview(data)[_HEADER_BYTES : self._start(count)].cast("Q")  # all lengths are multiples of eight
        return frames[offset // 8 :: self._frame_bytes // 8].tobytes()

    # -- checksums

    @cached_property
    def _sums(self) -> list[_Pair]:
        """Those that are stored: of the header, then of each frame, which goes on from the one before."""
        stored = (int.from_bytes(self._data[24:32], "big"), *self._column(self._data, 16, self._count))
        return [(both >> 32, both & _WORD) for both in stored]

    @cached_property
    def _whole(self) -> list[bool]:
        """For each frame whether it has its checksum, going on from the one stored in the frame before.

        All frames at once: a long integer has 64 bits for each, of which a sum takes 32.
        """
        count = self._count
        mask = _lanes([_WORD] * count)
        first, second = (_lanes([pair[side] for pair in self._sums[:count]]) for side in (0, 1))
        for step, offset in enumerate((0, *range(_FRAME_HEADER_BYTES, self._frame_bytes, 8))):
            words = int.from_bytes(self._column_bytes(self._summed, offset, count), "little")
            first += (words & mask) + second
            second += (words >> 32 & mask) + first
            if step % 16 == 0:  # each step adds less than two bits
                first, second = first & mask, second & mask
        sums = zip(_numbers(first & mask, count), _numbers(second & mask, count), strict=True)
        return [one == stored for one, stored in zip(sums, self._sums[1:], strict=True)]

    @cached_property
    def _summed(self) -> bytes:
        """The file with all words in little-endian order."""
        return _little(self._data)

    def _words(self, start: int, size: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{size // 4}I", self._summed, start)


def _is_header(header: bytes) -> bool:
    if len(header) < _HEADER_BYTES or int.from_bytes(header[:4], "big") not in (_MAGIC_LITTLE, _MAGIC_BIG):
        return False
    if not _is_page_size(int.from_bytes(header[8:12], "big")):
        return False
    return _sum(struct.unpack("<6I", _little(header)[:24]), (0, 0)) == struct.unpack(">2I", header[24:])


def _is_page_size(size_bytes: int) -> bool:
    return 512 <= size_bytes <= 65536 and size_bytes.bit_count() == 1


def _little(data: bytes) -> bytes:
    if data[3:4] != b"\x83":
        return data
    words = array("I", data[: len(data) // 4 * 4])
    words.byteswap()
    return words.tobytes()


def _sum(words: tuple[int, ...] | list[int], before: _Pair) -> _Pair:
    first, second = before
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & _WORD
        second = (second + other + first) & _WORD
    return first, second


def _weights(count: int) -> list[_Pair]:
    """What each of so many words adds to the two sums, for each 1 in it."""
    found: list[_Pair] = []
    one, other = (1, 1), (0, 1)
    for _ in range(count // 2):
        found += [other, one]
        one, other = _step(one), _step(other)
    return found[::-1]


def _step(sums: _Pair) -> _Pair:
    """The sums after two words of zero."""
    first = (sums[0] + sums[1]) & _WORD
    return first, (sums[1] + first) & _WORD


def _minus(left: _Pair, right: _Pair) -> _Pair:
    return (left[0] - right[0]) & _WORD, (left[1] - right[1]) & _WORD


def _quotient(product: _Pair, weight: _Pair) -> int:
    """By what a weight is multiplied, of which one side is odd as they are neighbours among Fibonacci's numbers."""
    side = 0 if weight[0] % 2 else 1
    return product[side] * pow(weight[side], -1, _WORD + 1) & _WORD


def _lanes(numbers: list[int]) -> int:
    return int.from_bytes(struct.pack(f"<{len(numbers)}Q", *numbers), "little")


def _numbers(lanes: int, count: int) -> tuple[int, ...]:
    return struct.unpack(f"<{count}Q", lanes.to_bytes(count * 8, "little"))
