"""Members of a group that do what a test tells them to: they speak the protocol's messages, and have no rules."""

from __future__ import annotations

from typing import Any

from bloompy import Bloom, module, param
from bloompy.sim import Simulation
from bloompy_paxos.messages import Messages


class _Speaker(Bloom):
    pulse_s = param(3_600.0)
    log = module(Messages, pulse_s=pulse_s)


class Puppet:
    """A member by hand.

    Args:
        sim: the simulation.
        name: its address.
        faithful: channels that it answers as an acceptor without votes would: "canvass", "p1a", "p2a", "heartbeat".

    Attributes:
        heard: what came, by channel, oldest first.
    """

    def __init__(self, sim: Simulation, name: str, faithful: tuple[str, ...] = ()) -> None:
        self.sim, self.name, self.faithful = sim, name, set(faithful)
        self.heard: dict[str, list[Any]] = {}
        self.node = sim.add(_Speaker, name, setup=self._listen)

    def _listen(self, node: Any) -> None:
        for channel in ("canvass", "p1a", "p1b", "p2a", "p2b", "nack", "heartbeat", "decision", "learn", "fetch", "alive", "snapshot"):
            self.heard[channel] = []
            getattr(node.program.log, channel).on_insert(lambda row, channel=channel: self._hear(channel, row))

    def _hear(self, channel: str, row: Any) -> None:
        self.heard[channel].append(row)
        if channel in self.faithful:
            getattr(self, f"_answer_{channel}")(row)

    def say(self, channel: str, *row: Any) -> None:
        """Send a message; the first column of the row is to whom."""
        self.node.driver.outbox.add(f"log.{channel}", (row,))
        self.node.driver.wake()

    def promise(self, to: str, ballot: Any, applied: int = 0, votes: dict[int, Any] | None = None, whole: bool = True) -> None:
        """Give a promise, with the votes, {slot: (ballot, value)}; not whole: the last of their values is lost."""
        given = sorted((votes or {}).items())
        for slot, (voted, value) in given if whole else given[:-1]:
            self.say("report", to, self.name, slot, voted, value)
        self.say("p1b", to, self.name, ballot, applied, tuple((slot, voted) for slot, (voted, _) in given))

    def vote(self, row: Any) -> None:
        """Vote for what a 2a proposes."""
        self.say("p2b", row.leader, self.name, row.ballot, row.slot)

    def _answer_canvass(self, row: Any) -> None:
        self.say("favour", row.candidate, self.name, row.ballot)

    def _answer_p1a(self, row: Any) -> None:
        self.promise(row.leader, row.ballot)

    def _answer_p2a(self, row: Any) -> None:
        self.vote(row)

    def _answer_heartbeat(self, row: Any) -> None:
        self.say("alive", row.leader, self.name, row.ballot, row.no, row.slot, row.sent)

    def proposals(self) -> dict[int, Any]:
        """The value last proposed for each slot."""
        return {row.slot: row.value for row in self.heard["p2a"]}
