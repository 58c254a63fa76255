"""Which messages of a node may as well arrive earlier or later: an analysis of rules, in the spirit of CALM, on the safe side.

A message commutes if what its tick does depends on it alone (its rules join it with nothing that can change), if it only adds to
what is there (rows to sets, values to lattices), and if whatever follows from that by standing rules follows monotonically.
Then it makes no difference to what the node holds in the end, nor to what it sends, when it comes among other things: the tables
grow to the same least fixpoint, and each standing row is sent once, when it begins to hold.
(Hellerstein and Alvaro, "Keeping CALM", 2020; here two messages are compared in one node, since those of different nodes commute
anyway.)
"""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterable

from attrs import frozen

from bloompy.analysis.dependencies import ranks_rows, reads_tick, references
from bloompy.ir.nodes import Aggregate, Program, Rule
from bloompy.ir.walk import walk
from bloompy.sim.exploring.standing import transient

_LATER = ("<+", "<-", "<+-")


@frozen
class Effect:
    """What the arrival of a row in a collection can do to its node.

    Attributes:
        simple: each of its rules reads one row of what arrived, and nothing else of the tick.
        reads: the lasting collections that its rules join it with.
        affects: every lasting collection that can change, and every channel on which something can be sent, because of it.
        changes: something in those can also be deleted or replaced.
    """

    simple: bool
    reads: frozenset[str]
    affects: frozenset[str]
    changes: bool


def commuting(program: Program, staged: Names[str], atomic: bool) -> dict[str, frozenset[str]]:
    """The channels and inputs of a program whose rows may as well arrive at any time, with what is affected by each.

    Args:
        program: it.
        staged: collections that are filled from outside: inputs, timers, tables.
        atomic: the node runs until nothing is pending.
    """
    if not atomic and any(rule.operator in _LATER for rule in program.rules):
        return {}  # what is pending shares a tick with what comes next
    analysis = _Analysis(program, frozenset(staged), atomic)
    channels = [one.name for one in program.collections if one.kind in ("channel", "loopback")]
    effects = {name: analysis.effect(name) for name in dict.fromkeys([*channels, *sorted(staged)])}
    return {
        name: effect.affects
        for name, effect in effects.items()
        if program.by_name[name].kind in ("channel", "loopback", "input", "scratch")
        and all(analysis.commute(effect, other) for other in effects.values())
    }


class _Analysis:
    """The rules of one program."""

    def __init__(self, program: Program, staged: frozenset[str], atomic: bool) -> None:
        self.program, self.atomic = program, atomic
        self.tables = frozenset(one.name for one in program.collections if one.kind == "table")
        self.staged_tables = staged & self.tables
        self.passing = transient(program, staged - self.tables)
        self.rules = [rule for rule in program.rules if rule.kind == "rule"]
        self.read = {id(rule): references(rule, program.schemas) for rule in program.rules}
        self.events = [rule for rule in self.rules if any(one.collection in self.passing for one in self.read[id(rule)])]
        driven = {id(rule) for rule in self.events}
        self.lasting = [rule for rule in self.rules if id(rule) not in driven]

    def effect(self, name: str) -> Effect:
        """What the arrival of a row can do."""
        if name in self.tables:
            return self._staged(name)
        arrived = frozenset((name,))
        while True:
            arrived = self._arrived(arrived)
            mine = [rule for rule in self.events if any(one.collection in arrived for one in self.read[id(rule)])]
            affects = self._down({rule.head for rule in mine if rule.head not in self.passing})
            affects |= {rule.head for rule in mine if rule.operator == "<~"}
            more = (affects & self.passing) - arrived if self.atomic else frozenset()
            if not more:
                break
            arrived |= more  # what a node sends to itself arrives at once
        fills = [rule for rule in self.lasting if rule.head in arrived and rule.operator != "<~"]
        reads = {one.collection for rule in mine for one in self.read[id(rule)]} - self.passing
        return Effect(not fills and all(map(self._simple, mine)), frozenset(reads), affects, self._changes(affects, mine))

    def _staged(self, table: str) -> Effect:
        return Effect(True, frozenset(), self._down({table}), True)

    def _arrived(self, names: frozenset[str]) -> frozenset[str]:
        """All that can hold rows of a tick because of some."""
        found, more = set(names), True
        while more:
            new = {
                rule.head
                for rule in self.events
                if rule.head in self.passing
                and rule.head not in found
                and (rule.operator != "<~" or self.atomic)
                and any(one.collection in found for one in self.read[id(rule)])
            }
            found |= new
            more = bool(new)
        return frozenset(found)

    def _simple(self, rule: Rule) -> bool:
        """Whether a rule reads one row of the tick, by a `for` of its own, and none of its constants."""
        passing = [one for one in self.read[id(rule)] if one.collection in self.passing]
        return len(passing) == 1 and passing[0].scanned and passing[0].monotone and not reads_tick(rule)

    def _down(self, names: Iterable[str]) -> frozenset[str]:
        """Some collections and all that follows from them by lasting rules."""
        found, more = set(names), True
        while more:
            new = {
                rule.head
                for rule in self.lasting
                if rule.head and rule.head not in found and any(one.collection in found for one in self.read[id(rule)])
            }
            found |= new
            more = bool(new)
        return frozenset(found)

    def _changes(self, affected: Names[str], mine: Names[Rule]) -> bool:
        """Whether rows can go, or be replaced, or be in each other's way."""
        if any(rule.operator in ("<-", "<+-") and rule.head in affected for rule in self.rules) or self.staged_tables & set(affected):
            return True
        filled = [rule.head for rule in [*mine, *self.lasting] if rule.head in affected and rule.operator in ("<=", "<+")]
        return not all(self._grows(name) for name in filled)

    def _grows(self, name: str) -> bool:
        """Whether rows are never in each other's way: all columns are the key, or the others merge, or belong to the group of the key."""
        schema = self.program.by_name[name].schema
        values = [i for i in range(schema.width) if i not in schema.key_indexes]
        if not values or len(schema.lattices) == len(values):
            return True
        rules = [rule for rule in self.program.rules if rule.head == name]
        if len(rules) != 1 or ranks_rows(rules[0].query) or self.program.by_name[name].kind == "table":
            return False
        aggregated = [any(isinstance(node, Aggregate) for node in walk(expression)) for expression in rules[0].query.head]
        return aggregated == [i in values for i in range(schema.width)]

    def commute(self, one: Effect, other: Effect) -> bool:
        """Whether it makes no difference which of two comes first, whatever the tables hold."""
        if not one.simple or one.changes or one.reads & other.affects or other.reads & one.affects:
            return False
        if not one.affects & other.affects:
            return not self._meet(one, other)
        return other.simple and not other.changes and not self._meet(one, other)

    def _meet(self, one: Effect, other: Effect) -> bool:
        """Whether a lasting rule that both can affect is not monotone in what they affect."""
        either = one.affects | other.affects
        for rule in self.lasting:
            read = [each for each in self.read[id(rule)] if each.collection in either]
            both = all(any(each.collection in side for each in read) for side in (one.affects, other.affects))
            if both and not self._only_shows(rule) and not (all(each.monotone for each in read) and self._sends_rows(rule)):
                return True
        return False

    def _sends_rows(self, rule: Rule) -> bool:
        """Whether a rule, if it sends, sends no lattice values, of which each stage of growth would be a message of its own."""
        return rule.operator != "<~" or not self.program.by_name[rule.head].schema.lattices

    def _only_shows(self, rule: Rule) -> bool:
        """Whether nothing but views follows from a rule, which say no more than the tables do."""
        kinds = {self.program.by_name[name].kind for name in self._down({rule.head})}
        return rule.operator in ("<=", "=") and kinds <= {"scratch", "output", "temporary"}
