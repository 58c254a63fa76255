"""`why` of one instance: its past as a world of one node, and the graph of derivations that leads back from a row."""

from __future__ import annotations

from collections import deque
from typing import Any

from bloompy.engine.machine import Machine
from bloompy.engine.provenance.answers import Derivation, Fact, Message, Why, value_text
from bloompy.engine.provenance.proving import Prover
from bloompy.engine.provenance.replay import Recording, Replay
from bloompy.engine.tick import PlainRow
from bloompy.errors import UsageError
from bloompy.schema import Row, Schema

FOLLOWED = 1_000
"""Facts of a derivation that are followed unless more are asked for."""


class Alone:
    """The `World` of one instance, of which all that arrives from elsewhere comes from outside."""

    def __init__(self, replay: Replay, node: str) -> None:
        self.only = Prover(replay, node, 1, self)
        self._sent: dict[tuple[str, PlainRow], list[int]] = {}
        self._looked = 0

    def messages(self, prover: Prover, fact: Fact) -> list[Message]:
        """What it sent to itself."""
        replay = prover.replay
        while self._looked < replay.last:
            self._looked += 1
            for channel, rows in replay.tick(self._looked).sent.items():
                for row in rows:
                    self._sent.setdefault((channel, row), []).append(self._looked)
        address = prover.program.schemas[fact.collection].address
        if address is not None and fact.row[address] != fact.node:
            return []
        ticks = [tick for tick in self._sent.get((fact.collection, fact.row), ()) if tick < fact.tick]
        times = [(prover.replay.batches[tick - 1].now, tick) for tick in ticks[-1:]]
        return [Message(fact.node, fact.node, sent=sent, delivered=fact.time, tick=tick) for sent, tick in times]

    def stored(self, prover: Prover, fact: Fact) -> list[Derivation]:
        """What the store was told earlier is not known."""
        return [Derivation(fact, "restored")]

    def prover(self, node: str, incarnation: int) -> Prover:
        """The only one."""
        return self.only

    def time(self, prover: Prover, tick: int) -> float:
        """By its own clock."""
        return prover.replay.batches[tick - 1].now


def prover_of(machine: Machine) -> Prover:
    """Of an instance that records its past.

    Raises:
        UsageError: if it does not.
    """
    recording = machine.evaluator
    if not isinstance(recording, Recording):
        raise UsageError(
            f"{machine.program.name} keeps no record of its ticks", hint=f"make it as {machine.program.name}(…, provenance=True)"
        )
    if recording.world is None:
        replay = Replay(machine.program, recording.environment, recording.restored, recording.batches)
        recording.world = Alone(replay, machine.me)
    return recording.world.only


def why(prover: Prover, collection: str, given: Any, tick: int | None = None, limit: int = FOLLOWED) -> Why:
    """Why a row holds.

    Args:
        prover: of the instance.
        collection: full name.
        given: the row, or its key.
        tick: at the end of which it holds; by default the last in which it does.
        limit: follow at most so many facts.

    Raises:
        UsageError: if it does not hold, or there is no such collection or tick.
    """
    check_tick(prover, tick)
    root = holding(prover, collection, given, tick)
    if root is None:
        when = f"in tick {tick}" if tick is not None else "in any tick"
        raise UsageError(f"{shown(prover, collection, given)} does not hold {when} of {prover.node}", hint="ask why_not")
    return graph(prover, root, limit)


def graph(prover: Prover, root: Fact, limit: int = FOLLOWED) -> Why:
    """The derivations of a fact and of all that it comes from, breadth first."""
    found: dict[Fact, tuple[Derivation, ...]] = {}
    queue = deque([root])
    while queue and len(found) < limit:
        fact = queue.popleft()
        if fact in found:
            continue
        found[fact] = prover.world.prover(fact.node, fact.incarnation).derivations(fact)
        queue.extend(premise for one in found[fact] for premise in one.premises)
    return Why(root, found, limit)


def holding(prover: Prover, collection: str, given: Any, tick: int | None) -> Fact | None:
    """The fact of a row or key: in a tick, or in the last in which it holds."""
    schema = schema_of(prover, collection)
    timeline = prover.replay.timeline(collection)
    known = known_of(schema, collection, given)
    key = schema.key_of(tuple(known.get(i) for i in range(schema.width)))
    for stretch in reversed(timeline.by_key.get(key, ())):
        if all(stretch.row[i] == value for i, value in known.items()):
            last = prover.replay.last if stretch.until is None else stretch.until
            if tick is None or stretch.holds(tick):
                return prover.fact(last if tick is None else tick, collection, stretch.row)
    return None


def schema_of(prover: Prover, collection: str) -> Schema:
    """Of a collection.

    Raises:
        UsageError: if there is none of that name.
    """
    found = prover.program.by_name.get(collection)
    if found is None:
        names = [one.name for one in prover.program.collections if ":" not in one.name]
        raise UsageError(f"{prover.program.name} has no collection {collection!r}", hint=f"it has {', '.join(names)}")
    return found.schema


def known_of(schema: Schema, collection: str, given: Any) -> dict[int, Any]:
    """What is known of a row by column: all of it, or its key; `...` stands for what is not known.

    Raises:
        UsageError: for what is neither a row nor a key.
    """
    if isinstance(given, tuple) and len(given) == schema.width:
        return {i: value for i, value in enumerate(given) if value is not ...}
    if given == () and not schema.key_indexes:
        return {}
    if schema.width == 1:
        return {0: given} if given is not ... else {}
    key = schema.normal_key(given)
    values = (key,) if len(schema.key_indexes) == 1 else key
    if not isinstance(values, tuple) or len(values) != len(schema.key_indexes):
        raise UsageError(f"{collection}: {given!r} is neither a row nor a key", hint=f"its columns are {schema}")
    return {i: value for i, value in zip(schema.key_indexes, values, strict=True) if value is not ...}


def check_tick(prover: Prover, tick: int | None) -> None:
    """Raises UsageError for a tick that there was not."""
    last = prover.replay.last
    if last == 0:
        raise UsageError(f"{prover.node} has not ticked yet", hint="nothing holds before the first tick")
    if tick is not None and not 1 <= tick <= last:
        raise UsageError(f"{prover.node} has no tick {tick}", hint=f"there are 1 to {last}")


def shown(prover: Prover, collection: str, given: Any) -> str:
    """What was asked for, as text."""
    schema = schema_of(prover, collection)
    known = known_of(schema, collection, given)
    return f"{collection}({', '.join(value_text(known[i]) if i in known else '_' for i in range(schema.width))})"


def asked(machine: Machine, what: Any, row: Any) -> tuple[str, Any]:
    """Collection and row of a question: `("best", row)`, or a row alone, which was read from a collection and knows its columns.

    Raises:
        UsageError: if that does not say which collection is meant.
    """
    if isinstance(what, str) and row is not None:
        return what, row
    if row is not None or not isinstance(what, Row):
        raise UsageError(f"why({what!r}) names no row", hint='write why("collection", row), or give a row that was read from a collection')
    names = [one.name for one in machine.program.collections if one.schema.row is type(what)]
    holding_it = [name for name in names if machine.row(name, machine.program.schemas[name].key_of(what)) == what]
    names = holding_it or names
    if len(names) != 1:
        raise UsageError(f"{what!r} may be of {', '.join(names) or 'no collection of this program'}", hint='write why("collection", row)')
    return names[0], what
