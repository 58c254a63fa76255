"""A judge who sees every tick of every replica, and remembers what crashes take back: agreement, durability, prefix, exactly once."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from bloompy.sim import Simulation

Slot = int
STATE = ("kvs.store", "answered", "session", "journal")


class Judge:
    """Watches the replicas of one group, whatever happens to them; raises AssertionError in the tick in which something is wrong.

    Args:
        sim: the simulation; replicas are the nodes whose programs have a log.
        log: the prefix of the log's collections.
        state: the tables that have to be equal after equal slots.

    Attributes:
        decided: the value of each slot that any node ever knew to be decided.
        voters: who voted, by (slot, ballot); who said so counts, and who has it on disk.
        members: the members from a slot on, by that slot.
        states: the state after each slot.
        commands: (session, number) of the commands that took effect, by index.
    """

    def __init__(self, sim: Simulation, log: str = "log.", state: tuple[str, ...] = STATE) -> None:
        self.sim, self.log, self.state = sim, log, state
        self.decided: dict[Slot, Any] = {}
        self.values: dict[tuple[Slot, Any], Any] = {}
        self.voters: dict[tuple[Slot, Any], set[str]] = defaultdict(set)
        self.promised: dict[str, Any] = {}
        self.applied: dict[str, Slot] = {}
        self.leaders: dict[Any, str] = {}
        self.members: dict[Slot, tuple[str, ...]] = {}
        self.states: dict[Slot, Any] = {}
        self.commands: dict[int, tuple[str, int]] = {}
        self._backed: set[Slot] = set()
        self._held: dict[str, dict[str, set[Any]]] = defaultdict(lambda: {name: set() for name in state})
        self._ticked, self._restored = sim.ticked, sim.restored
        sim.ticked, sim.restored = self.ticked, self.restored  # type: ignore[method-assign]

    # -- what it sees

    def ticked(self, node: Any, batch: Any, tick: Any) -> None:
        if f"{self.log}applied" in node.machine.program.by_name:
            self._mirror(node.address, tick.deleted, tick.inserted)
            self._look(node, {name.removeprefix(self.log): rows for name, rows in tick.inserted.items() if name.startswith(self.log)})
            self._hear(node.address, tick.sent)
            self._look_at_journal(node, tick.inserted.get("journal", ()))
        self._ticked(node, batch, tick)

    def restored(self, node: Any, tables: Any) -> None:
        if f"{self.log}applied" in node.machine.program.by_name:
            self.applied.pop(node.address, None)
            held = {name.removeprefix(self.log): rows for name, rows in tables.items() if name.startswith(self.log)}
            found = held.get("promised", ())
            kept = found[0][0] if found else (0, "")
            was = self.promised.get(node.address, (0, ""))
            assert kept >= was, f"{node.address} forgot in a crash that it promised {was}, now {kept}"
            self._held[node.address] = {name: set(map(tuple, tables.get(name, ()))) for name in self.state}
            self._look(node, held)
        self._restored(node, tables)

    # -- what must hold

    def _look(self, node: Any, rows: Any) -> None:
        at = node.address
        for (ballot,) in rows.get("promised", ()):
            was = self.promised.get(at, (0, ""))
            assert ballot >= was, f"{at} promised {was}, and then {ballot}"
            self.promised[at] = ballot
        for slot, ballot, value in rows.get("vote", ()):
            self._propose(slot, ballot, value)
            self.voters[slot, ballot].add(at)
        for slot, ballot, value in ((p[1], p[0], p[2]) for p in rows.get("proposal", ())):
            assert ballot[1] == at, f"{at} proposes in {ballot}"
            self._propose(slot, ballot, value)
        for (ballot,) in rows.get("leads", ()):
            assert self.leaders.setdefault(ballot, at) == at, f"{at} and {self.leaders[ballot]} both lead in {ballot}"
        for members, coming, since in rows.get("config", ()):
            self._configure(at, members, coming, since)
        for slot, value in rows.get("decided", ()):
            self._decide(at, slot, value)
        for slot, _ in rows.get("applied", ()):
            self._apply(at, slot)

    def _propose(self, slot: Slot, ballot: Any, value: Any) -> None:
        known = self.values.setdefault((slot, ballot), value)
        assert known == value, f"two values in slot {slot}, ballot {ballot}: {known} and {value}"

    def _hear(self, at: str, sent: Any) -> None:
        for row in sent.get(f"{self.log}p2a", ()):
            self._propose(row[3], row[2], row[4])
        for row in sent.get(f"{self.log}p2b", ()):
            self.voters[row[3], row[2]].add(at)

    def _configure(self, at: str, members: tuple[str, ...], coming: tuple[str, ...], since: Slot) -> None:
        known = self.members.setdefault(since, coming)
        assert known == coming, f"{at}: the members from slot {since} on are {known} and {coming}"

    def members_of(self, slot: Slot) -> tuple[str, ...]:
        """Who counts in a slot."""
        return self.members[max(since for since in self.members if since <= slot)]

    def _decide(self, at: str, slot: Slot, value: Any) -> None:
        known = self.decided.setdefault(slot, value)
        assert known == value, f"{at} takes {value} for decided in slot {slot}, and others {known}"
        if slot not in self._backed:
            self._backed.add(slot)
            members = self.members_of(slot)
            behind = [ballot for (one, ballot), said in self.voters.items()
                      if one == slot and 2 * len(said & set(members)) > len(members)
                      and self.values.get((slot, ballot)) == value]  # fmt: skip
            assert behind, f"{at} takes slot {slot} for decided without a majority of {members}: {self.votes(slot)}"

    def votes(self, slot: Slot) -> dict[Any, set[str]]:
        """Who voted in a slot, by ballot."""
        return {ballot: said for (one, ballot), said in self.voters.items() if one == slot}

    def _apply(self, at: str, slot: Slot) -> None:
        was = self.applied.get(at)
        assert was is None or slot > was, f"{at} applied {was}, and then {slot}"
        self.applied[at] = slot
        missing = [number for number in range(max(1, slot - 50), slot + 1) if number not in self.decided]
        assert not missing, f"{at} applied {slot}, but {missing} were never decided"
        state = {name: frozenset(rows) for name, rows in self._held[at].items()}
        known = self.states.setdefault(slot, state)
        different = [name for name in self.state if known[name] != state[name]]
        assert not different, f"{at}: other state after slot {slot} in {different}: {[(known[name], state[name]) for name in different]}"

    def _mirror(self, at: str, deleted: Any, inserted: Any) -> None:
        """Follow the state: several ticks may have passed at the node when they are told."""
        held = self._held[at]
        for name, rows in held.items():
            rows.difference_update(map(tuple, deleted.get(name, ())))
            rows.update(map(tuple, inserted.get(name, ())))

    def _look_at_journal(self, node: Any, rows: Any) -> None:
        for index, session, number, _ in rows:
            known = self.commands.setdefault(index, (session, number))
            assert known == (session, number), f"{node.address}: command {index} is {(session, number)}, elsewhere {known}"

    # -- at the end

    def check_once(self) -> None:
        """No command took effect twice."""
        seen: dict[Any, int] = {}
        for index, name in sorted(self.commands.items()):
            assert name not in seen, f"{name} took effect as command {seen[name]} and again as {index}"
            seen[name] = index

    def check_kept(self, acknowledged: set[tuple[str, int]]) -> None:
        """Nothing acknowledged is lost."""
        lost = acknowledged - set(self.commands.values())
        assert not lost, f"acknowledged and lost: {sorted(lost)}"

