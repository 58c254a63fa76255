"""Frames between nodes of one process, in the order in which they were sent."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from bloompy.errors import TransportError
from bloompy.runtime.interfaces import Receiver
from bloompy.runtime.limits import Limits


class MemoryNetwork:
    """A network in memory. Each node on it has an address of its own choice.

        network = MemoryNetwork()
        async with Node(Server(), transport=network.join("server")), Node(Client(), transport=network.join("client")): …

    Nodes of one event loop receive in the order of all sends, so that a run is the same every time.
    """

    def __init__(self) -> None:
        self._members: dict[str, MemoryTransport] = {}
        self._lock = threading.Lock()

    def join(self, address: str, *, limits: Limits | None = None) -> MemoryTransport:
        """The transport of a node with this address."""
        return MemoryTransport(self, address, limits or Limits())

    def _enter(self, member: MemoryTransport) -> None:
        with self._lock:
            if member.address in self._members:
                raise TransportError(f"{member.address!r} is taken in this network", hint="give each node an address of its own")
            self._members[member.address] = member

    def _leave(self, member: MemoryTransport) -> None:
        with self._lock:
            if self._members.get(member.address) is member:
                del self._members[member.address]

    def _find(self, address: str) -> MemoryTransport | None:
        with self._lock:
            return self._members.get(address)


class MemoryTransport:
    """A `Transport` to the other members of a `MemoryNetwork`. Made by `MemoryNetwork.join`."""

    def __init__(self, network: MemoryNetwork, address: str, limits: Limits) -> None:
        self.address, self.frame_bytes, self.dropped = address, limits.frame_bytes, 0
        self._network, self._limit = network, limits.outgoing_bytes
        self._receiver: Receiver | None = None
        self._queue: deque[tuple[str, bytes]] = deque()
        self._queued_bytes = 0
        self._paused = False

    async def open(self) -> str:
        """Enter the network; frames wait until `start`."""
        self._loop = asyncio.get_running_loop()
        self._network._enter(self)
        return self.address

    async def start(self, receiver: Receiver) -> None:
        """Pass frames in."""
        self._receiver = receiver
        self._loop.call_soon(self._pass_in)

    def send(self, address: str, frame: bytes) -> None:
        """Queue a frame at its destination."""
        member = self._network._find(address)
        if member is None:
            self.dropped += 1
        elif member._loop is self._loop:
            member._take(self.address, frame)
        else:
            member._loop.call_soon_threadsafe(member._take, self.address, frame)

    def pause(self) -> None:
        """Keep frames in the queue."""
        self._paused = True

    def resume(self) -> None:
        """Pass on what is in the queue."""
        self._paused = False
        self._loop.call_soon(self._pass_in)

    async def close(self) -> None:
        """Leave the network."""
        self._network._leave(self)
        self._receiver = None

    def _take(self, sender: str, frame: bytes) -> None:
        if self._queued_bytes + len(frame) > self._limit:
            self.dropped += 1
            return
        self._queue.append((sender, frame))
        self._queued_bytes += len(frame)
        if len(self._queue) == 1:
            self._loop.call_soon(self._pass_in)

    def _pass_in(self) -> None:
        while self._queue and not self._paused and self._receiver is not None:
            sender, frame = self._queue.popleft()
            self._queued_bytes -= len(frame)
            self._receiver.receive(sender, frame)
