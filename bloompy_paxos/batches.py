"""The value of a slot: many commands as one string of bytes, so that whoever keeps it or passes it on need not look into it.

A value is (time, data, count, change): the clock of the leader that proposed, `count` commands, and a change of members or (). A
command is packed by itself when it is proposed, so that one which cannot be sent is told to who proposed it, and to nobody else.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec.msgpack import Decoder

from bloompy.transports.values import ENCODER, pack, unpack

Command: TypeAlias = tuple[str, int, bytes]
"""(session, number, the command itself, packed)."""

NO_OP: tuple[float, bytes, int, tuple[Any, ...]] = (0.0, b"", 0, ())
"""The value that fills a hole: no commands, no change of members."""

_COMMAND: Decoder[Any] = Decoder()
_COMMANDS: Decoder[tuple[Command, ...]] = Decoder(tuple[Command, ...])


def request_fault(command: Any, most_bytes: int) -> str:
    """Why no log should take a command, whatever it means: "EINVAL" for a NaN anywhere in it, which no key of a table could hold,
    "E2BIG" for more than about so many bytes, for which all others would have to wait; else "".
    """
    weight = _weight(command)
    return "E2BIG" if weight > most_bytes else "" if weight == weight else "EINVAL"


def _weight(value: Any) -> float:
    """About how many bytes a value takes; NaN if there is one in it."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, tuple | frozenset):
        total = 1.0
        for item in value:
            total += _weight(item)
        return total
    return 8 if value == value else float("nan")


def packed(command: Any) -> bytes:
    """A command as bytes. Raises WireError for what cannot be sent."""
    return ENCODER.encode(pack(command))


def batch_of(commands: tuple[Command, ...], most: int, most_bytes: int) -> tuple[Command, ...]:
    """The first commands, as many as fit into one slot, but one at least."""
    batch = commands[:most]
    while len(batch) > 1 and sum([len(data) for _, _, data in batch]) > most_bytes:
        batch = batch[: len(batch) // 2]
    return batch


def value_of(time: float, commands: tuple[Command, ...], change: tuple[Any, ...]) -> tuple[float, bytes, int, tuple[Any, ...]]:
    """The value of a slot with these commands; of those with one name, sent again in time, the last stays."""
    distinct = {(session, number): data for session, number, data in commands}
    return time, ENCODER.encode([(*name, data) for name, data in distinct.items()]), len(distinct), change


def commands_of(value: tuple[float, bytes, int, tuple[Any, ...]]) -> tuple[tuple[str, int, Any], ...]:
    """The commands of a slot."""
    if not value[2]:
        return ()
    return tuple([(session, number, unpack(_COMMAND.decode(data))) for session, number, data in _COMMANDS.decode(value[1])])
