"""NameNodes that only pretend: they answer what a test tells them to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self, TypeAlias

from bloompy import Node
from bloompy_fs.protocol import Protocol

SECRET = b"of the test"

Answer: TypeAlias = Callable[[Any], tuple[str, tuple[Any, ...]] | None]
"""Code and result for a request row; None: silence."""


class FakeNameNode:
    """A NameNode.

    Args:
        answer: what it answers. listen: its address. secret: its own.
        name: by which it says that it answers; its address by default.

    Attributes:
        asked: the request rows that came. times: when, by `time.monotonic`.
    """

    def __init__(self, answer: Answer, listen: str = "127.0.0.1:0", secret: bytes | None = SECRET, name: str = "") -> None:
        self.answer, self.name = answer, name
        self.node = Node(Protocol(), listen=listen, secret=secret)
        self.asked: list[Any] = []
        self.times: list[float] = []

    async def __aenter__(self) -> Self:
        await self.node.__aenter__()
        self.node.program.request.on_insert(self._take)
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self.node.__aexit__(*exception)

    @property
    def address(self) -> str:
        return self.node.address

    def _take(self, row: Any) -> None:
        self.asked.append(row)
        self.times.append(time.monotonic())
        answer = self.answer(row)
        if answer is not None:
            self.reply(row, *answer)

    def reply(self, row: Any, code: str, result: tuple[Any, ...]) -> None:
        """Answer a request, now."""
        self.node.send("response", (row.client, self.name or self.address, row.session, row.reqid, code, result))


def silent(row: Any) -> None:
    """Answers nothing."""


def done(row: Any) -> tuple[str, tuple[Any, ...]]:
    """Answers that all is well."""
    return "", (1,)
