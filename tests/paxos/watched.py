# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off
"""A log with watchdogs that cost too much to run everywhere: they remember every vote ever given."""

from __future__ import annotations

from bloompy import Bloom, agg, channel, invariant, module, param, rule, table
from bloompy_paxos.multipaxos import MultiPaxos
from bloompy_paxos.quorums import is_majority


class Witnessed(MultiPaxos):
    """Remembers, on disk, who voted for what in which ballot, what was decided, and who counts from a slot on."""

    given = table("slot: int, ballot: tuple -> value: tuple", durable=True)
    known = table("slot: int -> value: tuple", durable="delayed")
    charter = table("since: int -> members: tuple", durable="delayed")

    @rule
    def remembering(self) -> None:
        # given(S, B, V) @next :- p2a(_, B, S, V), floor(B).
        self.given <+ ((m.slot, m.ballot, m.value) for m in self.p2a for f in self.floor if m.ballot == f.ballot)
        # known(S, V) @next :- learned(S, V).      charter(Since, Coming) @next :- config(_, Coming, Since).
        self.known <+ (x for x in self.learned)
        self.charter <+ ((c.since, c.coming) for c in self.config)

    def members_of(self, slot: int, charters: tuple[tuple[int, tuple[str, ...]], ...]) -> tuple[str, ...]:
        """Who counts in a slot."""
        return max(((since, members) for since, members in charters if since <= slot), default=(0, ()))[1]

    @invariant
    def promises_grow(self) -> None:
        """A promise never decreases."""
        ((f.ballot, p.ballot) for f in self.floor for p in self.promised if f.ballot < p.ballot)

    @invariant
    def votes_are_not_taken_back(self) -> None:
        """A vote in a slot is only followed by one of a higher ballot."""
        ((g.slot, g.ballot) for g in self.given for v in self.vote if v.slot == g.slot and v.ballot < g.ballot)

    @invariant
    def no_gaps(self) -> None:
        """What is applied is a prefix of what is decided."""
        ((a.slot, slot) for a in self.applied for slot in range(self.truncated.get((), (0,)).slot + 1, a.slot + 1)
         if slot not in self.decided)

    @invariant(scope="cluster")
    def one_value_a_ballot_for_ever(self) -> None:
        """Nobody ever voted in a ballot and slot for something else than anybody else did."""
        ((one.slot, one.ballot, one.at_node, other.at_node) for one in self.given for other in self.given
         if one.slot == other.slot and one.ballot == other.ballot and one.value != other.value)

    @invariant(scope="cluster")
    def agreement_for_ever(self) -> None:
        """No two nodes ever knew different values to be decided in a slot."""
        ((one.slot, one.at_node, other.at_node) for one in self.known for other in self.known
         if one.slot == other.slot and one.value != other.value)

    @invariant(scope="cluster")
    def a_majority_stands_behind_it(self) -> None:
        """What is decided in a slot was voted for by a majority of its members in one ballot."""
        charters = (agg.collect((c.since, c.members)) for c in self.charter)
        backing = ((g.slot, g.value, g.ballot, agg.collect_set(g.at_node)) for g in self.given)
        ((k.slot, k.at_node) for k in self.known for (known_charters,) in charters
         if not any(g for g in backing
                    if g[0] == k.slot and g[1] == k.value and is_majority(g[3], self.members_of(k.slot, known_charters))))


class WitnessedLog(Bloom):
    """A state machine that only writes down what it is told, and tells who asked."""

    members: tuple[str, ...] = param(())
    keep = param(3)
    log = module(Witnessed, members=members, window=3, keep=keep, batch_commands=2)

    ask = channel("@replica: str, client: str, number: int -> command")
    done = channel("@client: str, number: int, index: int")
    written = table("index: int -> client: str, number: int, command")

    @rule
    def passing(self) -> None:
        self.log.propose <= ((a.client, a.number, a.command) for a in self.ask)
        self.written <+ ((d.index, d.session, d.number, d.command) for d in self.log.decree)
        self.done <~ ((d.session, d.number, d.index) for d in self.log.decree for b in self.log.leading)

    @invariant(scope="cluster")
    def the_same_is_written(self) -> None:
        """A command has one index, at all nodes."""
        ((one.index, one.at_node, other.at_node) for one in self.written for other in self.written
         if one.index == other.index and (one.client, one.number) != (other.client, other.number))
