"""Messages that wait for a tick."""

from __future__ import annotations

from collections import deque

from bloompy.engine.tick import PlainRow


class Mailbox:
    """Messages in the order in which they came.

    Attributes:
        size: number of rows.
    """

    def __init__(self) -> None:
        self.size = 0
        self._chunks: deque[tuple[str, list[PlainRow]]] = deque()

    def put(self, channel: str, rows: list[PlainRow]) -> None:
        """Add rows of one channel."""
        self._chunks.append((channel, rows))
        self.size += len(rows)

    def take(self, limit: int) -> dict[str, list[PlainRow]]:
        """Remove the oldest rows, at most so many, and return them by channel."""
        found: dict[str, list[PlainRow]] = {}
        room = limit
        while self._chunks and room:
            channel, rows = self._chunks.popleft()
            if len(rows) > room:
                self._chunks.appendleft((channel, rows[room:]))
                rows = rows[:room]
            found.setdefault(channel, []).extend(rows)
            room -= len(rows)
        self.size -= limit - room
        return found
