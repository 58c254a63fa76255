"""Clients for programs without an event loop: an asynchronous one in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")
C = TypeVar("C", bound=AbstractAsyncContextManager[Any])


class Blocking(Generic[C]):
    """Base of clients that block. They connect when they are first used; several threads may use one.

    Args:
        client: the asynchronous client, not entered yet.
    """

    def __init__(self, client: C) -> None:
        self._client = client
        self._lock, self._stack = threading.Lock(), ExitStack()
        self._portal: BlockingPortal | None = None
        self._closed = False

    def __enter__(self) -> Self:
        """Connect."""
        self._opened()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go of the connection."""
        self.close()

    def close(self) -> None:
        """Let go of the connection. A closed client cannot be used again."""
        with self._lock:
            self._closed, self._portal = True, None
            self._stack.close()

    def _opened(self) -> BlockingPortal:
        with self._lock:
            if self._closed:
                raise ValueError("the client is closed")
            if self._portal is None:
                portal = self._stack.enter_context(start_blocking_portal())
                try:
                    self._stack.enter_context(portal.wrap_async_context_manager(self._client))
                except BaseException:
                    self._stack.close()
                    raise
                self._portal = portal
            return self._portal

    def _run(self, operation: Callable[..., Awaitable[T]], *args: Any) -> T:
        future = self._opened().start_task_soon(operation, *args)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C here ends the operation there
            raise
