"""What is odd about a program though it is one: parts that do nothing, tables without an end, sends that happen once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from attrs import field, frozen

from bloompy.analysis.dependencies import Reference, references
from bloompy.analysis.monotonicity import clocks
from bloompy.analysis.natures import CONSTANT, MOVES, Natures
from bloompy.ir.nodes import Collection, Condition, Const, Program, Rule
from bloompy.span import UNKNOWN, Span

Level = Literal["warning", "note"]


@frozen
class Finding:
    """Something odd.

    Attributes:
        level: a "warning" is most likely a mistake; a "note" is worth knowing.
        kind: stable name: "never-read", "never-filled", "unused", "never-fires", "never-violated", "stays", "only-grows",
            "sent-once", "elsewhere".
        collection: that it is about.
        message, hint: in words.
        span: where.
        rule: label of the rule that it is about, "" for none.
    """

    level: Level
    kind: str
    collection: str
    message: str
    hint: str
    span: Span = UNKNOWN
    rule: str = ""


def lint(program: Program, natures: Natures | None = None) -> list[Finding]:
    """The findings about a program's own class; inner modules are looked at by themselves.

    Args:
        program: it.
        natures: of its collections, where they are known already.
    """
    checker = _Checker(program, natures or Natures(program))
    found = [*checker.reading_and_filling(), *checker.firing(), *checker.tables(), *checker.sends()]
    return sorted(found, key=lambda one: (one.level == "note", one.span.file, one.span.line, one.kind))


@frozen
class _Checker:
    program: Program
    natures: Natures
    _reads: dict[int, list[Reference]] = field(factory=dict)
    _read: set[str] = field(factory=set)
    _fills: dict[str, list[Rule]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for rule in self.program.rules:
            self._reads[id(rule)] = references(rule, self.program.schemas)
            self._read.update(one.collection for one in self._reads[id(rule)])
            if rule.head and rule.statement >= 0:
                self._fills.setdefault(rule.head, []).append(rule)

    def own(self) -> Iterator[Collection]:
        """The collections of the class itself."""
        for one in self.program.collections:
            if "." not in one.name and one.name != "dead_letter":
                yield one

    # -- collections

    def reading_and_filling(self) -> Iterator[Finding]:
        """Collections never read, never filled, or neither."""
        for one in self.own():
            filled, read = one.name in self._fills, one.name in self._read
            level: Level
            if one.kind == "table":
                if not read and not filled:
                    yield _of(one, "note", "unused", "no rule reads or fills it", "is it only for those outside?")
            elif one.kind == "output" and not filled and self._fills:
                yield _of(one, "warning", "never-filled", "no rule fills it", "give it a rule, or leave it out")
            elif not filled and not read and one.kind != "stdio":
                level = "note" if one.kind in ("input", "output", "channel") else "warning"  # a protocol for subclasses has such
                yield _of(one, level, "unused", "no rule reads or fills it", "leave it out, unless a subclass has rules for it")
            elif one.kind in ("scratch", "temporary") and not filled:
                yield _of(one, "warning", "never-filled", "no rule fills it", "give it a rule, or make it an interface.input")
            elif one.kind in ("scratch", "temporary", "input", "periodic", "loopback") and not read:
                hint = "; if it is for those outside, an interface.output says so" if one.kind == "scratch" else ", or read it"
                level = "note" if one.kind == "scratch" else "warning"
                yield _of(one, level, "never-read", "no rule reads it", f"leave it out{hint}")
            elif one.kind == "loopback" and not filled:
                yield _of(one, "warning", "never-filled", "no rule sends to it", "give it a rule with <~")
            elif one.kind == "channel" and not read:
                yield _of(one, "note", "elsewhere", "sent, but not received by this program", "another program should receive it")
            elif one.kind == "channel" and not filled:
                yield _of(one, "note", "elsewhere", "received, but not sent by this program", "another program should send it")

    # -- rules that do nothing

    def firing(self) -> Iterator[Finding]:
        """Rules that can never fire, and invariants that cannot be violated."""
        possible = self._possible()
        for rule in self.program.rules:
            if rule.module or rule.statement < 0:
                continue
            empty = next((one for one in self._reads[id(rule)] if one.required and one.collection not in possible), None)
            never = next((clause for clause in rule.query.body if isinstance(clause, Condition) and _is_false(clause)), None)
            if empty is None and never is None:
                continue
            span = empty.span if empty is not None else never.span if never is not None else rule.span
            cause = f"{empty.collection} is always empty" if empty is not None else "its condition is never true"
            name = empty.collection if empty is not None else rule.head
            if rule.kind == "invariant":
                hint = "give it something to watch, or leave it out"
                yield Finding("warning", "never-violated", name, f"this invariant cannot be violated: {cause}", hint, span, rule.label)
            else:
                hint = f"fill {name}, or leave the rule out" if empty is not None else "leave the rule out"
                yield Finding("warning", "never-fires", name, f"this rule never fires: {cause}", hint, span, rule.label)

    def _possible(self) -> set[str]:
        """The collections that may ever hold something."""
        always = ("table", "input", "channel", "periodic", "stdio")
        kinds = {one.name: one.kind for one in self.program.collections if one.kind in always}
        found = {name for name, kind in kinds.items() if kind != "input" or name not in self._fills}
        rules = [rule for rule in self.program.rules if rule.head]
        grown = True
        while grown:
            new = {rule.head for rule in rules if rule.head not in found and self._can_fire(rule, found)}
            found |= new
            grown = bool(new)
        return found

    def _can_fire(self, rule: Rule, possible: set[str]) -> bool:
        false = any(isinstance(clause, Condition) and _is_false(clause) for clause in rule.query.body)
        return not false and all(one.collection in possible for one in self._reads[id(rule)] if one.required)

    # -- tables

    def tables(self) -> Iterator[Finding]:
        """Rows that stay when their cause goes; tables from which no rule deletes."""
        kinds = {one.name: one.kind for one in self.program.collections}
        for rule in self.program.rules:
            if rule.operator != "<=" or kinds.get(rule.head) != "table" or rule.module or rule.statement < 0:
                continue
            causes = [one for one in self._reads[id(rule)] if kinds[one.collection] == "table" and one.collection != rule.head]
            for one in causes[:1]:
                shrinks = any(each.operator in ("<-", "<+-") for each in self._fills.get(one.collection, ()))
                message = f"rows of {rule.head} stay when those of {one.collection} that they follow from are deleted"
                hint = f"make {rule.head} a scratch if they should go too; write <+ if they should stay, to say so"
                yield Finding("warning" if shrinks else "note", "stays", rule.head, message, hint, one.span, rule.label)
        for each in self.own():
            rules = self._fills.get(each.name, [])
            grows = self.natures.of[each.name] != CONSTANT and bool(each.schema.key_indexes)
            if each.kind == "table" and grows and rules and not any(rule.operator == "<-" for rule in rules):
                message = "no rule deletes from it: it needs ever more memory"
                yield _of(each, "note", "only-grows", message, "delete what nobody will ask for again")

    # -- sends

    def sends(self) -> Iterator[Finding]:
        """Standing sends without anything that repeats them."""
        repeated = {rule.head for rule in self.program.rules if rule.operator == "<~" and "repeats" in self.natures.derived(rule)}
        for rule in self.program.rules:
            if rule.operator != "<~" or rule.module or self.program.by_name[rule.head].kind != "channel" or rule.head in repeated:
                continue
            if not self.natures.derived(rule) & MOVES and rule.kind != "bootstrap" and not any(clocks(rule, self.program)):
                message = f"each row is sent to {rule.head} once, when it begins to hold; a message that is lost is not repeated"
                hint = "to repeat it, add a rule that joins with a periodic"
                yield Finding("note", "sent-once", rule.head, message, hint, rule.span, rule.label)


def _of(collection: Collection, level: Level, kind: str, message: str, hint: str) -> Finding:
    name = collection.name.rpartition(":")[2]
    return Finding(level, kind, collection.name, f"{name} ({collection.kind}): {message}", hint, collection.span)


def _is_false(clause: Condition) -> bool:
    return isinstance(clause.test, Const) and not clause.test.value
