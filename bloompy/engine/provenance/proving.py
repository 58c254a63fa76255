"""Derivations of rows of one instance, found by replaying its ticks and asking its rules backwards.

A row at the end of a tick was staged, arrived, was derived by a `<=` rule of the tick or asked for by a `<+` or `<+-` of the tick before,
stood in its table already, or came from the store. What other nodes have to say (who sent a message, what a store was told before a
restart) is asked of a `World`.

Within a tick derivations are well founded. Where rules recurse, each row gets the round in which naive evaluation would first derive it
(found over what can be reached backwards from the row asked for), and only derivations from rows of earlier rounds count. Where
rows merge in a recursion, or a condition asks for rows of it (`x in self.c or …` may be true for two reasons, one of them the row itself),
the rounds are run: what was true on the way cannot be read off the end.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Protocol

from attrs import field, frozen

from bloompy.analysis.dependencies import references
from bloompy.analysis.strata import Edge, components
from bloompy.engine.provenance.answers import Absence, Derivation, Fact, Message, RuleText
from bloompy.engine.provenance.guided import Found, Guided, Lack, Reads, Stop
from bloompy.engine.provenance.replay import Facts, Replay
from bloompy.engine.provenance.timeline import Rows
from bloompy.engine.tick import Batch, Change, PlainRow
from bloompy.ir.nodes import Rule, Scan
from bloompy.ir.text import rule_text
from bloompy.ir.walk import target_names
from bloompy.schema import Key, Schema

Row = tuple[str, PlainRow]
"""Collection and row, of a tick that is known."""


class World(Protocol):
    """What one instance cannot know of itself."""

    def messages(self, prover: Prover, fact: Fact) -> list[Message]:
        """The messages by which a row of a channel came into its tick; empty where nothing is known of them."""

    def stored(self, prover: Prover, fact: Fact) -> list[Derivation]:
        """The derivations of a restored row, from the incarnation before."""

    def prover(self, node: str, incarnation: int) -> Prover:
        """Of another node, or another incarnation."""

    def time(self, prover: Prover, tick: int) -> float:
        """Of a tick."""


@frozen
class _Round:
    """Of a recursion that is run in rounds: each row, also those on the way, with what derived it first."""

    derivations: dict[Row, list[tuple[Rule, list[Found], Row | None]]] = field(factory=dict)


class Prover:
    """Finds derivations of the rows of one incarnation of one node.

    Args:
        replay: its past.
        node, incarnation: of the facts.
        world: the rest.
    """

    def __init__(self, replay: Replay, node: str, incarnation: int, world: World) -> None:
        self.replay, self.node, self.incarnation, self.world = replay, node, incarnation, world
        self.program = program = replay.program
        self.rules: dict[str, list[Rule]] = {}
        for rule in program.rules:
            if rule.kind != "invariant":
                self.rules.setdefault(rule.head, []).append(rule)
        self._queries: dict[int, Guided] = {}
        self._texts: dict[int, RuleText] = {}
        self._recursive = _recursive(program.rules, program.schemas)
        stepwise = _stepwise(program.rules, program.schemas, self._recursive)
        self._stepwise = {name: names for name, names in self._recursive.items() if stepwise & names}
        self._known: dict[Fact, tuple[Derivation, ...]] = {}
        self._ranks: dict[int, dict[Row, int]] = {}
        self._rounds: dict[tuple[int, frozenset[str]], _Round] = {}

    # -- facts

    def fact(self, tick: int, collection: str, row: PlainRow, partial: bool = False) -> Fact:
        """A row of a tick."""
        names = self.program.schemas[collection].names
        time = self.world.time(self, tick) if tick else 0.0
        return Fact(self.node, self.incarnation, tick, collection, row, time, names, partial)

    def holds(self, fact: Fact) -> bool:
        """Whether it does."""
        return self.replay.at(fact.tick)[fact.collection].get(self.program.schemas[fact.collection].key_of(fact.row)) == fact.row

    def rule(self, rule: Rule) -> RuleText:
        """A rule, for people."""
        known = self._texts.get(id(rule))
        if known is None:
            text = rule_text(rule, self.program) if rule.statement >= 0 else f"self.{rule.head} begins with its bottom"
            known = self._texts[id(rule)] = RuleText(rule.label, str(rule.span) if rule.span.line else rule.label, text)
        return known

    def query(self, rule: Rule) -> Guided:
        """Its query, to be asked backwards."""
        known = self._queries.get(id(rule))
        if known is None:
            known = self._queries[id(rule)] = Guided(rule, self.program, self.replay.environment)
        return known

    def active(self, collection: str, operators: tuple[str, ...], tick: int) -> Iterator[Rule]:
        """The rules that fill a collection in a tick."""
        for rule in self.rules.get(collection, ()):
            if rule.operator in operators and (rule.kind != "bootstrap" or tick == 1):
                yield rule

    # -- derivations

    def derivations(self, fact: Fact, collapse: bool = True) -> tuple[Derivation, ...]:
        """The alternative derivations of a fact that holds.

        Args:
            fact: it.
            collapse: go from a row that stood in its table to the tick in which it was put there at once, as people do; else to the
                tick before, with all other derivations that each tick would have had for it.
        """
        found = self._known.get(fact)
        if found is None:
            found = self._known[fact] = tuple(dict.fromkeys(self._derivations(fact)))
        return self._collapsed(fact, found) if collapse else found

    def _collapsed(self, fact: Fact, found: tuple[Derivation, ...]) -> tuple[Derivation, ...]:
        if not any(one.how == "stayed" for one in found):
            return found
        schema = self.program.schemas[fact.collection]
        stretch = self.replay.timeline(fact.collection).stretch(schema.key_of(fact.row), fact.tick)
        assert stretch is not None
        return (Derivation(fact, "stayed", premises=(self.fact(stretch.since, fact.collection, fact.row),)),)

    def _derivations(self, fact: Fact) -> Iterator[Derivation]:
        name, row, tick = fact.collection, fact.row, fact.tick
        if tick == 0:
            yield from self.world.stored(self, fact)
            return
        if name in self._stepwise and self._round(fact).derivations.get((name, row)) is not None:
            yield from self._of_round(fact)
            return
        if self.program.schemas[name].lattices:
            yield from self._merged(fact)
            return
        yield from self._given(fact)
        if name in self._stepwise:  # it was there before the rounds began
            group = self._stepwise[name]
            yield from (one for one in self._by_rules(fact) if not any(premise.collection in group for premise in one.premises))
        elif name in self._recursive:
            yield from self._founded(fact)
        else:
            yield from self._by_rules(fact)

    def _given(self, fact: Fact) -> Iterator[Derivation]:
        """Derivations by what is there before the rules of the tick run."""
        yield from self._outside(fact)
        yield from self._before(fact)
        yield from self._stayed(fact)

    def _by_rules(self, fact: Fact) -> Iterator[Derivation]:
        for rule in self.active(fact.collection, ("<=", "="), fact.tick):
            for found in self._ways(rule, fact.tick, fact.row):
                yield self._derivation(fact, "rule", rule, fact.tick, found)

    def _ways(self, rule: Rule, tick: int, row: PlainRow) -> Iterator[Found]:
        columns = tuple(range(len(row)))
        return self.query(rule).found(self.replay.at(tick), self.batch(tick), row, columns)

    def batch(self, tick: int) -> Batch:
        """Of a tick."""
        return self.replay.batches[tick - 1]

    def _derivation(self, fact: Fact, how: str, rule: Rule, tick: int, found: Found, message: Message | None = None) -> Derivation:
        premises, absences = self.premises(tick, found.reads)
        return Derivation(
            fact,
            how,  # type: ignore[arg-type]
            self.rule(rule),
            premises,
            absences,
            self.bindings(rule, found),
            found.count,
            message,
            found.decisive,
        )

    def premises(self, tick: int, reads: Reads) -> tuple[tuple[Fact, ...], tuple[Absence, ...]]:
        """What was read, as facts of a tick."""
        rows = tuple(dict.fromkeys(self.fact(tick, collection, row) for collection, row in reads.rows))
        return rows, tuple(dict.fromkeys(self.absence(tick, lack) for lack in reads.lacks))

    def absence(self, tick: int, lack: Lack) -> Absence:
        """What was not there, in a tick."""
        return Absence(self.node, self.incarnation, tick, lack.collection, lack.key, f"no {lack.text}", lack=lack)

    def blocking(self, absence: Absence) -> tuple[Fact, ...]:
        """The rows of its tick that kept a row of a view absent, by what rules negate: without them it might have been there.

        Rows of tables could also have been put there in any earlier tick, and messages sent by anybody: those are not followed.
        """
        if absence.key is None:
            return ()
        indexes = self.program.schemas[absence.collection].key_indexes
        known = dict(zip(indexes, (absence.key,) if len(indexes) == 1 else absence.key, strict=True))
        found: dict[Fact, None] = {}
        self._block(absence.tick, absence.collection, known, found, set())
        return tuple(found)

    def _block(self, tick: int, collection: str, known: Mapping[int, object], found: dict[Fact, None], seen: set[str]) -> None:
        asked = f"{collection} {sorted(known.items())!r}"
        if asked in seen or self.program.by_name[collection].kind == "table":
            return
        seen.add(asked)
        for rule in self.active(collection, ("<=", "="), tick):
            stops: list[Stop] = []
            self.query(rule).nearest(self.replay.at(tick), self.batch(tick), known, stops.append)
            for stop in stops:
                found.update((self.fact(tick, *row), None) for row in stop.reads.rows)
                for lack in stop.reads.lacks:
                    if lack.key is not None:
                        indexes = self.program.schemas[lack.collection].key_indexes
                        key = (lack.key,) if len(indexes) == 1 else lack.key
                        self._block(tick, lack.collection, dict(zip(indexes, key, strict=True)), found, seen)
                clause = rule.query.body[stop.depth] if stop.depth < len(rule.query.body) else None
                if isinstance(clause, Scan):
                    self._block(tick, clause.collection, stop.wanted, found, seen)

    def bindings(self, rule: Rule, found: Found) -> tuple[tuple[str, object], ...]:
        """The variables of a rule, rows with their names."""
        shown: list[tuple[str, object]] = []
        for clause in rule.query.body:
            for name in target_names(getattr(clause, "target", ())):
                value = found.names.get(name)
                if isinstance(getattr(clause, "target", None), str) and hasattr(clause, "collection"):
                    value = self.program.schemas[clause.collection].row.make(value) if isinstance(value, tuple) else value
                shown.append((name, value))
        return tuple(dict(shown).items())

    # -- from outside

    def _outside(self, fact: Fact) -> Iterator[Derivation]:
        batch = self.batch(fact.tick)
        kind = self.program.by_name[fact.collection].kind
        if fact.row in batch.events.get(fact.collection, ()):
            if kind in ("channel", "loopback"):
                yield from self._arrived(fact)
            else:
                yield Derivation(fact, {"periodic": "timer", "stdio": "line"}.get(kind, "inserted"))  # type: ignore[arg-type]
        change = batch.changes.get(fact.collection, {}).get(self.program.schemas[fact.collection].key_of(fact.row))
        if fact.row in _staged(change):
            yield Derivation(fact, "inserted")

    def _arrived(self, fact: Fact) -> Iterator[Derivation]:
        """A message, by what its sender derived it from."""
        messages = self.world.messages(self, fact)
        for message in messages:
            sent = list(self.world.prover(message.source, message.incarnation).sent(fact, message)) if message.tick else []
            yield from sent or [Derivation(fact, "received", message=message)]
        if not messages:
            yield Derivation(fact, "received")

    def sent(self, fact: Fact, message: Message) -> Iterator[Derivation]:
        """Why this node sent a row that arrived as a fact elsewhere."""
        for rule in self.active(fact.collection, ("<~",), message.tick):
            for found in self._ways(rule, message.tick, fact.row):
                yield self._derivation(fact, "message", rule, message.tick, found, message)

    def _before(self, fact: Fact) -> Iterator[Derivation]:
        """By `<+` and `<+-` of the tick before."""
        if fact.tick > 1:
            for rule in self.active(fact.collection, ("<+", "<+-"), fact.tick - 1):
                for found in self._ways(rule, fact.tick - 1, fact.row):
                    yield self._derivation(fact, "next", rule, fact.tick - 1, found)

    def asked_for(self, fact: Fact, tick: int) -> Iterator[Derivation]:
        """Why a row was in the store after a tick in which it did not hold yet: by `<+` and `<+-` of that tick."""
        for rule in self.active(fact.collection, ("<+", "<+-"), tick):
            for found in self._ways(rule, tick, fact.row):
                yield self._derivation(fact, "restored", rule, tick, found)

    # -- tables

    def _stayed(self, fact: Fact) -> Iterator[Derivation]:
        if self.program.by_name[fact.collection].kind == "table" and self._left(fact.tick, fact.collection, fact.row):
            yield Derivation(fact, "stayed", premises=(self.fact(fact.tick - 1, fact.collection, fact.row),))

    def _left(self, tick: int, table: str, row: PlainRow) -> bool:
        """Whether a row stood in a table before a tick, and nothing of that tick took it out."""
        key = self.program.schemas[table].key_of(row)
        if self.replay.at(tick - 1)[table].get(key) != row:
            return False
        change = self.batch(tick).changes.get(table, {}).get(key)
        for operation, one in change.operations if change is not None else ():
            if operation == "upsert" or (operation == "delete" and one in (None, row)):
                return False
        return next(self.deletions(tick, table, row), None) is None

    def deletions(self, tick: int, table: str, row: PlainRow) -> Iterator[tuple[Rule, Found]]:
        """The rules that deleted a row at the start of a tick, in the tick before."""
        key = self.program.schemas[table].key_of(row)
        if tick > 1:
            for rule in self.active(table, ("<-",), tick - 1):
                target = row if not rule.by_key else key if isinstance(key, tuple) and len(rule.query.head) > 1 else (key,)
                for found in self._ways(rule, tick - 1, target):
                    yield rule, found

    # -- rows that merge

    def _merged(self, fact: Fact) -> Iterator[Derivation]:
        """A value that several rows may have made: each alone where one has it already, else all that make it."""
        parts = list(self._parts(fact))
        whole = [one for row, one in parts if row == fact.row]
        if whole:
            yield from whole
            return
        useful = [one for row, one in parts if self._adds(fact, row, [other for other, _ in parts])]
        yield _conjunction(fact, useful or [one for _, one in parts])

    def _adds(self, fact: Fact, row: PlainRow, others: list[PlainRow]) -> bool:
        schema = self.program.schemas[fact.collection]
        return not any(other != row and schema.merged(fact.collection, other, row) == other for other in others)

    def _parts(self, fact: Fact) -> Iterator[tuple[PlainRow, Derivation]]:
        """What was put at the key of a fact in its tick, each with how."""
        name, tick, schema = fact.collection, fact.tick, self.program.schemas[fact.collection]
        key = schema.key_of(fact.row)
        before = list(self._put(fact, ("<+", "<+-"), tick - 1)) if tick > 1 else []
        replaced = any(rule.operator == "<+-" for rule, _ in before)
        held = self.replay.at(tick - 1)[name].get(key) if self.program.by_name[name].kind == "table" else None
        if held is not None and not replaced and self._left(tick, name, held):
            yield held, Derivation(fact, "stayed", premises=(self.fact(tick - 1, name, held),))
        for row in [*_staged(self.batch(tick).changes.get(name, {}).get(key)), *self.batch(tick).events.get(name, ())]:
            if schema.key_of(row) == key:
                yield row, Derivation(fact, "inserted")
        for rule, found in before:
            yield schema.lifted(name, found.row), self._derivation(fact, "next", rule, tick - 1, found)
        for rule, found in self._put(fact, ("<=", "="), tick) if name not in self._stepwise else ():
            yield schema.lifted(name, found.row), self._derivation(fact, "rule", rule, tick, found)

    def _put(self, fact: Fact, operators: tuple[str, ...], tick: int) -> Iterator[tuple[Rule, Found]]:
        """What rules of a tick derive for the key of a fact."""
        keys = self.program.schemas[fact.collection].key_indexes
        for rule in self.active(fact.collection, operators, tick):
            for found in self.query(rule).found(self.replay.at(tick), self.batch(tick), fact.row, keys):
                yield rule, found

    # -- recursion

    def _founded(self, fact: Fact) -> Iterator[Derivation]:
        """Derivations by rules from rows of earlier rounds."""
        ranks = self._ranked(fact)
        mine = ranks[fact.collection, fact.row]
        for one in self._by_rules(fact):
            if all(self._rank(ranks, fact, premise) < mine for premise in one.premises):
                yield one

    def _rank(self, ranks: Mapping[Row, int], fact: Fact, premise: Fact) -> int:
        inside = premise.tick == fact.tick and premise.collection in self._recursive[fact.collection]
        return ranks.get((premise.collection, premise.row), 0) if inside else -1

    def _ranked(self, fact: Fact) -> dict[Row, int]:
        """The rounds of all rows that a row's derivations lead back to."""
        ranks = self._ranks.setdefault(fact.tick, {})
        if (fact.collection, fact.row) in ranks:
            return ranks
        group = self._recursive[fact.collection]
        waits: dict[Row, list[list[Row]]] = {}
        queue: list[Row] = [(fact.collection, fact.row)]
        for name, row in queue:
            if (name, row) in waits or (name, row) in ranks:
                continue
            here = self.fact(fact.tick, name, row)
            if next(self._given(here), None) is not None:
                ranks[name, row] = 0
                continue
            bodies = [
                [(one.collection, one.row) for one in derivation.premises if one.collection in group]
                for derivation in self._by_rules(here)
            ]
            waits[name, row] = bodies
            queue += [one for body in bodies for one in body]
        _number(ranks, waits)
        return ranks

    # -- recursion that is run in rounds

    def _round(self, fact: Fact) -> _Round:
        group = self._stepwise[fact.collection]
        found = self._rounds.get((fact.tick, group))
        if found is None:
            found = self._rounds[fact.tick, group] = self._run_rounds(fact.tick, group)
        return found

    def _run_rounds(self, tick: int, group: frozenset[str]) -> _Round:
        """Naive evaluation of a recursion, keeping how each row came about."""
        found = _Round()
        held = {name: self._start(tick, name) for name in group}
        now = self.replay.at(tick)
        rules = [rule for name in sorted(group) for rule in self.active(name, ("<=", "="), tick)]
        grown = True
        while grown:
            grown = False
            facts = _Within(now, {name: Rows(dict(rows)) for name, rows in held.items()})
            derived: dict[tuple[str, Key], list[tuple[Rule, Found, PlainRow]]] = {}
            for rule in rules:
                schema = self.program.schemas[rule.head]
                for one in self.query(rule).found(facts, self.batch(tick), None, ()):
                    row = schema.lifted(rule.head, one.row) if schema.lattices else one.row
                    derived.setdefault((rule.head, schema.key_of(row)), []).append((rule, one, row))
            for (name, key), several in derived.items():
                grown |= self._grow(found, held[name], name, key, several)
        return found

    def _grow(
        self, round_: _Round, rows: dict[Key, PlainRow], name: str, key: Key, several: list[tuple[Rule, Found, PlainRow]]
    ) -> bool:
        old, schema = rows.get(key), self.program.schemas[name]
        new = old if old is not None else several[0][2]
        if schema.lattices:
            for _, _, row in several:
                new = schema.merged(name, new, row)
        if old is not None and new == old:
            return False
        rows[key] = new
        alone = [(rule, [found], None) for rule, found, row in several if row == new]
        if alone:
            round_.derivations[name, new] = alone  # type: ignore[assignment]
        else:
            parts = [(rule, found) for rule, found, row in several if old is None or schema.merged(name, old, row) != old]
            round_.derivations[name, new] = [(parts[0][0], [found for _, found in parts], (name, old) if old is not None else None)]
        return True

    def _start(self, tick: int, name: str) -> dict[Key, PlainRow]:
        """The rows of a collection before the rules of the tick run."""
        schema = self.program.schemas[name]
        found: dict[Key, PlainRow] = {}
        for row in self._placed(tick, name):
            key = schema.key_of(row)
            found[key] = schema.merged(name, found[key], row) if key in found and schema.lattices else row
        return found

    def _placed(self, tick: int, name: str) -> Iterable[PlainRow]:
        schema, batch = self.program.schemas[name], self.batch(tick)
        if self.program.by_name[name].kind == "table":
            yield from (row for row in self.replay.at(tick - 1)[name].values() if self._left(tick, name, row))
        for change in batch.changes.get(name, {}).values():
            yield from _staged(change)
        yield from batch.events.get(name, ())
        for rule in self.active(name, ("<+", "<+-"), tick - 1) if tick > 1 else ():
            for one in self.query(rule).found(self.replay.at(tick - 1), self.batch(tick - 1), None, ()):
                yield schema.lifted(name, one.row) if schema.lattices else one.row

    def _of_round(self, fact: Fact) -> Iterator[Derivation]:
        final = self.replay.at(fact.tick)
        for rule, several, old in self._round(fact).derivations[fact.collection, fact.row]:
            rows = dict.fromkeys(one for found in several for one in found.reads.rows)
            premises = [self._of_tick(fact.tick, final, *one) for one in (*rows, *([old] if old is not None else []))]
            lacks = [lack for found in several for lack in found.reads.lacks if lack.collection not in self._stepwise[fact.collection]]
            absences = tuple(dict.fromkeys(self.absence(fact.tick, lack) for lack in lacks))  # what is recursive is never needed absent
            how = "rule" if len(several) == 1 and old is None else "merged"
            count = len(several) + (old is not None)
            bindings = self.bindings(rule, several[0])
            yield Derivation(fact, how, self.rule(rule), tuple(premises), absences, bindings, count)  # type: ignore[arg-type]

    def _of_tick(self, tick: int, final: Facts, name: str, row: PlainRow) -> Fact:
        held = final[name].get(self.program.schemas[name].key_of(row))
        return self.fact(tick, name, row, partial=held != row)


class _Within(Mapping[str, Rows]):
    """The rows of a tick, but of some collections those of a round."""

    def __init__(self, facts: Facts, inner: Mapping[str, Rows]) -> None:
        self.facts, self.inner = facts, inner

    def __getitem__(self, collection: str) -> Rows:
        return self.inner[collection] if collection in self.inner else self.facts[collection]

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)


def _staged(change: Change | None) -> list[PlainRow]:
    """The rows that staged operations put at a key, as far as no later one takes them away again."""
    rows: list[PlainRow] = []
    for operation, row in change.operations if change is not None else ():
        if operation == "upsert" or row is None:
            rows = []
        if operation == "delete":
            rows = [one for one in rows if one != row]
        elif row is not None:
            rows.append(row)
    return rows


def _number(ranks: dict[Row, int], waits: Mapping[Row, list[list[Row]]]) -> None:
    """Give each row the first round in which all rows of one of its bodies have been derived. O(size of the bodies), and a heap."""
    users: dict[Row, list[tuple[Row, int]]] = {}
    missing: dict[tuple[Row, int], int] = {}
    ready: list[tuple[int, int, Row]] = []
    numbers = count()
    for row, bodies in waits.items():
        for i, body in enumerate(bodies):
            rows = dict.fromkeys(body)
            missing[row, i] = len(rows)
            for one in rows:
                users.setdefault(one, []).append((row, i))
            if not rows:
                ready.append((1, next(numbers), row))
    ready += [(ranks[one], next(numbers), one) for one in users if one in ranks]
    heapq.heapify(ready)
    done: set[Row] = set()
    while ready:
        number, _, row = heapq.heappop(ready)
        if row in done:
            continue
        done.add(row)
        ranks.setdefault(row, number)
        for user, i in users.get(row, ()):
            missing[user, i] -= 1
            if not missing[user, i]:
                heapq.heappush(ready, (number + 1, next(numbers), user))
    if not done.issuperset(waits):
        raise AssertionError(f"rows without a derivation: {[row for row in waits if row not in done][:3]}")


def _conjunction(fact: Fact, parts: list[Derivation]) -> Derivation:
    """One derivation that needs all of several."""
    premises = tuple(dict.fromkeys(premise for one in parts for premise in one.premises))
    absences = tuple(dict.fromkeys(absence for one in parts for absence in one.absences))
    rule = next((one.rule for one in parts if one.rule is not None), None)
    bindings = next((one.bindings for one in parts if one.rule is not None), ())
    return Derivation(fact, "merged", rule, premises, absences, bindings, len(parts))


def _stepwise(rules: Iterable[Rule], schemas: Mapping[str, Schema], recursive: Mapping[str, frozenset[str]]) -> set[str]:
    """Collections whose rows merge, and heads of rules in which a condition reads what depends on the head."""
    found = {name for name in recursive if schemas[name].lattices}
    for rule in rules:
        if rule.head in recursive and rule.operator in ("<=", "="):
            read = (one for one in references(rule, schemas) if not one.scanned)
            if any(one.collection in recursive[rule.head] for one in read):
                found.add(rule.head)
    return found


def _recursive(rules: Iterable[Rule], schemas: Mapping[str, Schema]) -> dict[str, frozenset[str]]:
    """By collection that depends on itself within a tick, all those that it depends on so."""
    edges = [
        Edge(reference, rule.head, rule)
        for rule in rules
        if rule.head and rule.operator in ("<=", "=")
        for reference in references(rule, schemas)
    ]
    found: dict[str, frozenset[str]] = {}
    for component in components(list(schemas), edges):
        group = frozenset(component)
        if len(group) > 1 or any(edge.head in group and edge.reference.collection in group for edge in edges):
            found |= dict.fromkeys(component, group)
    return found
