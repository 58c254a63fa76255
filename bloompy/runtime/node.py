"""`Node`: a program that runs by itself and talks to others."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import anyio
import anyio.abc

from bloompy.errors import CallTimeout, InvariantViolation, NodeStopped, UsageError
from bloompy.program import Bloom, machine_of
from bloompy.runtime.clock import LoopClock
from bloompy.runtime.console import reads_lines, start_reading
from bloompy.runtime.counters import Counters
from bloompy.runtime.driver import Driver
from bloompy.runtime.interfaces import Store, Transport
from bloompy.runtime.limits import Limits
from bloompy.stores.embedded import EmbeddedStore
from bloompy.transports.frames import FrameCodec
from bloompy.transports.tcp import TcpTransport
from bloompy.transports.tls import TLS

if TYPE_CHECKING:
    from typing import Self

P = TypeVar("P", bound=Bloom)
T = TypeVar("T")

_LOG = logging.getLogger("bloompy.node")
_UNNAMED = "local"
_ALIVE_S = 1.0


class Node(Generic[P]):
    """Runs a program: takes messages in, ticks, keeps durable tables safe, sends.

        async with Node(program, listen="127.0.0.1:0", store="state.db") as node:
            reply = await node.call("put", (node.address, 1, "k", "v"), reply="response", timeout_s=5)

    or, outside of asyncio, `with Node(…) as node:` and `node.call_sync(…)`; the node then runs in a thread of its own.
    In both forms `program.c.insert(…)` may be called from any thread, and reads are of the last committed tick.

    Args:
        program: an instance; its `me`, if it has none of its own, becomes the node's address.
        listen: "host:port" for TCP, port 0 for any free one; None for a node that only sends.
        store: a path, or a `Store`, for durable tables.
        secret: shared by all nodes. Compulsory for any host but loopback, unless TLS asks for certificates.
        tls: contexts for TLS.
        transport: another transport in place of TCP (`UdpTransport`, `MemoryNetwork().join(…)`).
        on_invariant: "raise" aborts a tick that violates an invariant, "log" only says so.
        limits: bounds on sizes, queues and rates.

    Raises:
        UsageError: for a channel or durable column whose type cannot be sent or stored, and for arguments that do not fit.

    Entering it raises TransportError, AuthenticationError or StoreError for what cannot be opened. A store that fails later,
    or a tick that fails without any input, ends the node: the error is raised in the `async with` body or at its end.
    """

    def __init__(
        self,
        program: P,
        listen: str | None = None,
        *,
        store: str | os.PathLike[str] | Store | None = None,
        secret: str | bytes | None = None,
        tls: TLS | None = None,
        transport: Transport | None = None,
        on_invariant: Literal["raise", "log"] = "raise",
        limits: Limits | None = None,
    ) -> None:
        if transport is not None and not (listen is None and secret is None and tls is None):
            raise UsageError("a transport has its own listen, secret and tls", hint="give them to the transport")
        if on_invariant not in ("raise", "log"):
            raise UsageError(f"on_invariant={on_invariant!r}", hint='"raise" or "log"')
        self.program, self.counters = program, Counters()
        self._machine = machine_of(program)
        self._limits = limits or Limits()
        self._transport: Transport = transport or TcpTransport(
            listen, secret=_secret(secret), tls=tls, limits=self._limits, address=None if program.me == _UNNAMED else program.me
        )
        self._store: Store | None = EmbeddedStore(store) if isinstance(store, str | os.PathLike) else store
        self._codec = FrameCodec(self._machine.program, int(self._limits.frame_rows))
        self._on_invariant = on_invariant
        self._loop: asyncio.AbstractEventLoop | None = None
        self._driver: Driver | None = None
        self._error: BaseException | None = None
        self._stop: asyncio.Event | None = None
        self._woken = self._used = self._leaving = self._has_store = False
        self._address = ""

    def __repr__(self) -> str:
        """Program, address, and whether it runs."""
        if self._error is not None:
            state = f"ended by {type(self._error).__name__}"
        elif self._driver is None:
            state = "not started"
        else:
            state = "stopped" if self._driver.stopped else "running"
        return f"<Node {type(self.program).__name__} at {self._address or self.program.me}, {state}, {self.counters.ticks:,} ticks>"

    @property
    def address(self) -> str:
        """The address by which other nodes reach this one; "" if it does not listen."""
        return self._address

    @property
    def dropped(self) -> int:
        """Frames given up by the transport: a queue was full, or a peer could not be reached."""
        return self._transport.dropped

    # -- async form

    async def __aenter__(self) -> Self:
        """Open store and transport, restore durable tables, begin."""
        self._begin()
        try:
            await self._open()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._let_go()
            raise
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._watch)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        """Run what was staged, send what is queued, let go of everything."""
        with anyio.CancelScope(shield=True):
            await self._let_go()
        self._ended.set()
        try:
            return await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            found = _only(group, self._error)
            if found is error:
                return False
            raise found from found.__cause__

    async def wait(self) -> None:
        """Wait until the node ends by an error, which then is raised; for servers."""
        self._running()
        await self._ended.wait()
        self._check_error()

    # -- plain form

    def __enter__(self) -> Self:
        """As `async with`, in a thread of its own."""
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._check_unused()  # here: what fails below stops the thread, which may be that of the first `with`
        self._thread = threading.Thread(target=self._run_thread, args=(started,), name=f"bloompy node {self.program.me}", daemon=True)
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._stop_thread()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the node and wait for its end. Raises the error that ended it, if it ended before."""
        self._stop_thread()
        if kind is None:
            self._check_error()

    def run(self, started: Callable[[Self], object] = lambda node: None) -> None:
        """Run until Ctrl-C or SIGTERM, from the main thread; for the `main` of a server.

        Args:
            started: called with the node once it listens.

        Raises:
            UsageError: in another thread, or where an event loop runs already, as in a notebook.
        """
        if threading.current_thread() is not threading.main_thread() or _in_loop():
            raise UsageError("run() needs the main thread without a running event loop", hint="enter the node by `with` or `async with`")

        async def serve() -> None:
            loop, stop = asyncio.get_running_loop(), asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                with suppress(NotImplementedError):  # Windows: there Ctrl-C raises KeyboardInterrupt
                    loop.add_signal_handler(number, stop.set)
            async with self:
                started(self)
                await stop.wait()

        asyncio.run(serve())

    # -- requests

    def send(self, channel: str, *rows: Any) -> None:
        """Send rows of a channel, each to its address, without a tick: for clients whose program only knows the messages.

        Rows sent in one turn of the event loop share a frame. They may be lost, as all messages.

        Raises:
            UsageError: if there is no such channel, or from another event loop than the node's.
            RowError: if a row does not fit.
        """
        driver = self._running()
        if threading.get_ident() != self._ident:
            raise UsageError("send() belongs to the event loop of its node", hint="insert into a collection, of which a rule sends")
        declared = driver.calls.collection(channel)
        if declared.kind != "channel":
            raise UsageError(f"{channel!r} is a {declared.kind}, and only rows of channels are sent", hint="insert the rows")
        driver.outbox.add(channel, [declared.schema.check(channel, row) for row in rows])
        driver.wake()

    async def call(self, request: str, row: Any, *, reply: str, timeout_s: float = 10.0) -> Any:
        """Send or stage a request row, and wait for its reply.

        Args:
            request: a channel (the row goes to its address), or an input, scratch or table of this node.
            row: the request. Where the reply goes is for the row to say: give `node.address` where the channel has a column for it.
            reply: the first row that begins to hold in this collection, and has the key columns of the request under the
                same names with the same values, is the reply.
            timeout_s: seconds to wait.

        Returns:
            the reply, with named columns.

        Raises:
            CallTimeout: if none came; the request may or may not have been served.
            UsageError: if the two collections have no such columns in common, or from another event loop than the node's.
            RowError: if the row does not fit.
            whatever made the request's tick fail at this node, or kept the row from being sent.
        """
        driver = self._running()
        if self._loop is not asyncio.get_running_loop():
            raise UsageError("call() belongs to the event loop of its node", hint="use call_sync() with a node started by plain `with`")
        if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not timeout_s >= 0:
            raise UsageError(f"timeout_s={timeout_s!r}", hint="give seconds")
        declared = driver.calls.collection(request)
        plain = declared.schema.check(request, row)
        answer = self._loop.create_future()
        call = driver.calls.expect(request, plain, reply, answer)
        try:
            if declared.kind == "channel":
                driver.outbox.add(request, (plain,))
                driver.wake()
            else:
                self._machine.stage(request, "insert", (plain,))
            timer = self._loop.call_later(timeout_s, _expire, answer, request, plain, reply, timeout_s)
            try:
                return await answer
            finally:
                timer.cancel()
        finally:
            driver.calls.forget(call)

    def call_sync(self, request: str, row: Any, *, reply: str, timeout_s: float = 10.0) -> Any:
        """`call` for nodes started by plain `with`: blocks the calling thread, which may be any but the node's own."""
        self._running()
        if threading.get_ident() == self._ident:
            raise UsageError("call_sync() would block the node that must answer it", hint="use `await node.call(…)`, or another thread")
        return self._from_outside(self.call(request, row, reply=reply, timeout_s=timeout_s))

    # -- opening

    def _check_unused(self) -> None:
        if self._used:
            raise UsageError("a node runs once", hint="make a new Node, and for a restart a new program")

    def _begin(self) -> None:
        self._check_unused()
        if self._machine.on_stage is not None:
            raise UsageError("this program is run by another node", hint="make an instance for each node")
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise UsageError("a node needs an asyncio event loop", hint="run it by asyncio.run(…), or by plain `with`") from None
        self._used, self._ident = True, threading.get_ident()
        self._ended = anyio.Event()

    async def _open(self) -> None:
        machine = self._machine
        self._address = await self._transport.open()
        if self._address and machine.me == _UNNAMED:
            machine.move(self._address)
        self._open_store()
        if self._on_invariant == "log":
            machine.evaluator.on_violation = _log_violation
        self._driver = Driver(
            machine, self._codec, LoopClock(machine.clock), self._transport, self._store, self._limits, self.counters, self._fail
        )
        machine.on_stage = self._staged
        await self._transport.start(self._driver)
        for name in reads_lines(machine.program):
            start_reading(lambda line, name=name: self._typed(name, line))  # type: ignore[misc]
        self._driver.wake()

    def _open_store(self) -> None:
        tables = {one.name: one.schema for one in self._machine.program.collections if one.durable}
        if self._store is None:
            if tables:
                _LOG.warning("%s: %s would be durable, but the node has no store", self.program.me, ", ".join(tables))
            return
        if tables and self._machine.step:
            raise UsageError("a program that has ticked cannot take its durable tables from a store", hint="give the node a new instance")
        self._store.open(tables)
        self._has_store = True
        self._machine.restore(self._store.load())

    # -- closing

    async def _let_go(self) -> None:
        """Stop ticking first, then sending, then the store: nothing leaves that is not safe."""
        if self._driver is not None:
            self._driver.stop()
            self._driver.calls.close(NodeStopped("the node was stopped"))
        self._machine.on_stage = None
        try:
            await self._transport.close()
        finally:
            if self._store is not None and self._has_store:
                self._store.close()

    def _fail(self, error: BaseException) -> None:
        _LOG.error("node %s ends: %s: %s", self.program.me, type(error).__name__, error)
        self._error = error
        if self._driver is not None:
            self._driver.calls.close(_stopped_by(error))
        self._ended.set()

    async def _watch(self) -> None:
        await self._ended.wait()
        self._check_error()

    def _check_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _running(self) -> Driver:
        if self._driver is None or self._driver.stopped:
            if self._error is not None:
                raise _stopped_by(self._error)
            raise NodeStopped("the node is not running", hint="enter it by `async with` or `with`")
        return self._driver

    # -- other threads

    def _staged(self) -> None:
        """Wake up, from any thread; once for many rows."""
        assert self._driver is not None
        if threading.get_ident() == self._ident:
            self._driver.wake()
        elif not self._woken:
            self._woken = True
            self._soon(self._wake)

    def _wake(self) -> None:
        self._woken = False
        if self._driver is not None:
            self._driver.wake()

    def _typed(self, collection: str, line: str) -> None:
        self._machine.deliver(collection, (line,))
        self._soon(self._wake)

    def _soon(self, callback: Callable[[], None]) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has closed: what is staged now stays staged
            self._loop.call_soon_threadsafe(callback)

    def _from_outside(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # the loop has closed since
            work.close()
            raise NodeStopped("the node was stopped") from None
        try:
            while not concurrent.futures.wait((future,), _ALIVE_S).done:
                if self._loop.is_closed():  # it took the work, and ended before it began it
                    raise concurrent.futures.CancelledError
            return future.result()
        except concurrent.futures.CancelledError:
            raise NodeStopped("the node was stopped") from None
        except BaseException:
            future.cancel()
            raise

    def _run_thread(self, started: concurrent.futures.Future[None]) -> None:
        async def serve() -> None:
            self._stop = asyncio.Event()
            async with self:
                started.set_result(None)
                if not self._leaving:
                    await self._stop.wait()

        try:
            asyncio.run(serve())
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            elif self._error is None:
                self._error = error

    def _stop_thread(self) -> None:
        self._leaving = True
        if self._stop is not None and self._loop is not None:
            self._soon(self._stop.set)
        self._thread.join()


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _secret(given: str | bytes | None) -> bytes | None:
    if given is None:
        return None
    if not isinstance(given, str | bytes) or not given:
        raise UsageError("a secret is a str or bytes that is not empty", hint="for example secrets.token_hex(32), the same for all nodes")
    return given.encode() if isinstance(given, str) else given


def _expire(answer: asyncio.Future[Any], request: str, row: Any, reply: str, timeout_s: float) -> None:
    if not answer.done():
        answer.set_exception(
            CallTimeout(
                f"no row came in {reply!r} within {timeout_s:g} s for {request!r} {_shown(row)}",
                hint="the request may or may not have been served; a retry should carry the same key",
            )
        )


def _shown(row: Any) -> str:
    try:
        return f"{row!r:.200}"
    except ValueError:  # Python prints no integer of more than 4,300 digits
        return "(a row that cannot be printed)"


def _stopped_by(error: BaseException) -> NodeStopped:
    stopped = NodeStopped(f"the node ended: {type(error).__name__}: {error}")
    stopped.__cause__ = error
    return stopped


def _log_violation(violation: InvariantViolation) -> None:
    _LOG.error("%s", violation)


def _only(group: BaseExceptionGroup[BaseException], ending: BaseException | None) -> BaseException:
    """The one exception that nested groups hold, where those that follow from the node's end do not count; else the group."""
    leaves: list[BaseException] = []
    groups: list[BaseException] = [group]
    for each in groups:
        if isinstance(each, BaseExceptionGroup):
            groups += each.exceptions
        elif not any(each is leaf for leaf in leaves) and not (ending is not None and each.__cause__ is ending):
            leaves.append(each)
    return leaves[0] if len(leaves) == 1 else group
