"""`why_not`: how far each rule came on the way to a row that does not hold, and what else there is to say.

Each rule that could fill the collection is asked for the row, and of all bindings that came to nothing those count that got furthest.
What the nearest rule lacked is asked for in turn. (Missing answers: Chapman and Jagadish, "Why not?", SIGMOD 2009.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from attrs import field, frozen

from bloompy.engine.provenance.answers import Attempt, How, Step, WhyNot, value_text
from bloompy.engine.provenance.asking import check_tick, known_of, schema_of
from bloompy.engine.provenance.guided import Guided, Stop, pattern_text
from bloompy.engine.provenance.proving import Prover
from bloompy.engine.provenance.timeline import Stretch
from bloompy.errors import UsageError
from bloompy.ir.nodes import Clause, Condition, Exists, Expression, Iterate, Member, Rule, Scan, Target
from bloompy.ir.text import expression_text
from bloompy.ir.walk import free_names, walk

DEPTH = 8
"""How often what is missing is asked for in turn."""

_QUESTIONS = 10
"""So many rows are asked for in all."""

_FOLLOWED = 3
"""Of rules that came equally near, so many are asked what they lacked."""

_EARLIER = 20
"""Ticks before the one asked about that are looked at, where a row would have stayed, or a message could have come from."""

_SHOWN = 4

Wanted: TypeAlias = "tuple[str, dict[int, Any]]"
"""A row of which some columns are known."""


class Post(Protocol):
    """What is known of messages that did not arrive."""

    def undelivered(self, prover: Prover, channel: str, known: Mapping[int, Any], tick: int) -> tuple[list[str], list[tuple[Prover, int]]]:
        """What happened to such messages, in words; and who could have sent one, with the tick to look at, where none was sent."""


class NoPost:
    """Of one instance alone: it can only have sent to itself."""

    def undelivered(self, prover: Prover, channel: str, known: Mapping[int, Any], tick: int) -> tuple[list[str], list[tuple[Prover, int]]]:
        """See `Post`."""
        address = prover.program.schemas[channel].address
        own = address is None or known.get(address, prover.node) == prover.node
        return ["no such message arrived in this tick"], [(prover, tick - 1)] if own and tick > 1 else []


def why_not(prover: Prover, collection: str, given: Any, tick: int | None = None, post: Post | None = None) -> WhyNot:
    """Why a row does not hold.

    Args:
        prover: of the instance.
        collection: full name.
        given: the row, or its key; `...` in place of a value that does not matter.
        tick: at the end of which; by default the last.
        post: what is known of messages.

    Raises:
        UsageError: if it does hold.
    """
    check_tick(prover, tick)
    at = prover.replay.last if tick is None else tick
    known = known_of(schema_of(prover, collection), collection, given)
    search = _Search(post or NoPost())
    if (row := search.holding(prover, collection, known, at)) is not None:
        raise UsageError(f"{pattern_text(prover.program, collection, dict(enumerate(row)))} holds in tick {at}", hint="ask why")
    return search.lacking(prover, collection, known, at, DEPTH)


@frozen
class _Search:
    """One question and those that follow from it."""

    post: Post
    seen: dict[Any, None] = field(factory=dict)

    def holding(self, prover: Prover, collection: str, known: Mapping[int, Any], tick: int) -> Any:
        """A row that is as wanted, if there is one."""
        return next(iter(prover.replay.at(tick)[collection].find(dict(known))), None)

    def lacking(self, prover: Prover, collection: str, known: dict[int, Any], tick: int, depth: int) -> WhyNot:
        """What is to be said about a row that does not hold in a tick."""
        self.seen[prover.node, prover.incarnation, collection, repr(sorted(known.items())), tick] = None
        reasons = list(_reasons(prover, collection, known, tick))
        attempts = list(self._attempts(prover, collection, known, tick))
        if prover.program.by_name[collection].kind in ("channel", "loopback"):
            said, senders = self.post.undelivered(prover, collection, known, tick)
            reasons += said
            for sender, at in senders:
                attempts += self._sending(sender, collection, known, at)
        attempts.sort(key=lambda one: -one[0].reached)
        found = [attempt for attempt, _, _, _ in attempts]
        for i, tried in enumerate(attempts[:_FOLLOWED]):
            if i and tried[0].how == "message":  # one sender says enough of what nobody sent
                break
            if depth > 1 and len(self.seen) < _QUESTIONS and tried[0].reached == attempts[0][0].reached:
                found[i] = self._followed(*tried, depth=depth - 1)
        pattern = pattern_text(prover.program, collection, known)
        return WhyNot(prover.node, tick, collection, pattern, tuple(reasons), tuple(found))

    def _followed(self, attempt: Attempt, prover: Prover, tick: int, wanted: Wanted | None, depth: int) -> Attempt:
        """The same with what is to be said about the row that it lacked."""
        if wanted is None or tick < 1:
            return attempt
        collection, known = wanted
        if (prover.node, prover.incarnation, collection, repr(sorted(known.items())), tick) in self.seen:
            return attempt
        if self.holding(prover, collection, known, tick) is not None:
            return attempt
        below = self.lacking(prover, collection, known, tick, depth)
        return Attempt(attempt.rule, attempt.how, attempt.where, attempt.steps, attempt.reached, attempt.missing, below)

    # -- attempts

    def _attempts(self, prover: Prover, collection: str, known: dict[int, Any], tick: int) -> Iterator[_Tried]:
        for rule in prover.rules.get(collection, ()):
            if rule.operator in ("<=", "=", "<+", "<+-"):
                how: How = "rule" if rule.operator in ("<=", "=") else "next"
                stays = prover.program.by_name[collection].kind == "table"
                yield self._best(prover, rule, known, tick if how == "rule" else tick - 1, how, _EARLIER if stays else 1)

    def _sending(self, sender: Prover, channel: str, known: dict[int, Any], tick: int) -> Iterator[_Tried]:
        for rule in sender.rules.get(channel, ()):
            if rule.operator == "<~":
                yield self._best(sender, rule, known, tick, "message", _EARLIER)

    def _best(self, prover: Prover, rule: Rule, known: dict[int, Any], tick: int, how: How, ticks: int) -> _Tried:
        """The attempt that came nearest in some ticks, the last of them if several did: what a table or another node got earlier counts."""
        where = {"rule": "", "next": "in the tick before", "message": f"in tick {tick} of {prover.node}"}[how]
        best = self._attempt(prover, rule, known, tick, how, where)
        for earlier in range(tick - 1, max(0, tick - ticks), -1):
            one = self._attempt(prover, rule, known, earlier, how, f"in tick {earlier} of {prover.node}")
            if one[0].reached >= 1:  # it gave the row then, which is another story
                break
            if one[0].reached > best[0].reached:
                best = one
        return best

    def _attempt(self, prover: Prover, rule: Rule, known: dict[int, Any], tick: int, how: How, where: str) -> _Tried:
        text = prover.rule(rule)
        if tick < 1 or (rule.kind == "bootstrap" and tick != 1):
            said = "there is no tick before the first" if tick < 1 else "it takes part in the first tick of each start only"
            return Attempt(text, how, where, (Step("tick", said, False),), 0.0), prover, tick, None
        query = prover.query(rule)
        best: list[Stop] = []

        def watch(stop: Stop) -> None:
            if not best or stop.depth > best[0].depth:
                best[:] = [stop]

        query.nearest(prover.replay.at(tick), prover.batch(tick), known, watch)
        stop = best[0] if best else Stop(0, {})
        if stop.row is not None and not query.grouping and all(stop.row[i] == value for i, value in known.items()):
            once = "and sends it only in the tick in which it begins to give it"
            said = f"it gives the row, {once if how == 'message' else 'which merges with others'}"
            return Attempt(text, how, where, (Step("the row", said, False),), 1.0), prover, tick, None
        steps, wanted = _Words(prover, query, tick).steps(stop, known)
        reached = stop.depth / (len(rule.query.body) + 1)
        missing = pattern_text(prover.program, *wanted) if wanted is not None else ""
        return Attempt(text, how, where, steps, reached, missing), prover, tick, wanted


_Tried: TypeAlias = "tuple[Attempt, Prover, int, Wanted | None]"


# --- what is to be said besides rules ---------------------------------------------------------------------------


def _reasons(prover: Prover, collection: str, known: Mapping[int, Any], tick: int) -> Iterator[str]:
    declared = prover.program.by_name[collection]
    schema = declared.schema
    if set(schema.key_indexes) <= set(known):
        key = schema.key_of(tuple(known.get(i) for i in range(schema.width)))
        held = prover.replay.at(tick)[collection].get(key)
        if held is not None:
            merges = ", the merge of all that there is for it" if schema.lattices else ""
            yield f"its key has {pattern_text(prover.program, collection, dict(enumerate(held)))}{merges}"
    yield from _past(prover, collection, known, tick)
    if declared.kind in ("input", "periodic", "stdio"):
        yield {
            "input": "it is filled from outside only, and nothing such was inserted in this tick",
            "periodic": "the timer did not fire so in this tick",
            "stdio": "no such line was typed",
        }[declared.kind]
    if not any(rule.operator != "<-" for rule in prover.rules.get(collection, ())) and declared.kind in ("table", "scratch", "output"):
        ever = next(_stretches(prover, collection, known), None)
        yield "no rule fills it" + ("" if ever is not None else ", and nothing such was ever inserted")


def _stretches(prover: Prover, collection: str, known: Mapping[int, Any]) -> Iterator[Stretch]:
    schema, timeline = prover.program.schemas[collection], prover.replay.timeline(collection)
    keys: Any = timeline.by_key
    if set(schema.key_indexes) <= set(known):
        keys = [schema.key_of(tuple(known.get(i) for i in range(schema.width)))]
    for key in keys:
        for stretch in timeline.by_key.get(key, ()):
            if all(stretch.row[i] == value for i, value in known.items()):
                yield stretch


def _past(prover: Prover, collection: str, known: Mapping[int, Any], tick: int) -> Iterator[str]:
    """When such a row held, and what ended it."""
    found = sorted(_stretches(prover, collection, known), key=lambda one: one.since)
    before = [one for one in found if one.until is not None and one.until < tick]
    for one in before[-1:]:
        assert one.until is not None
        held = f"in tick {one.until}" if one.since == one.until else f"from tick {one.since} to tick {one.until}"
        yield f"{pattern_text(prover.program, collection, dict(enumerate(one.row)))} held {held}{_end(prover, collection, one)}"
    if len(before) > 1:
        yield f"such rows held {len(before) - 1:,} times before that"
    for one in [one for one in found if one.since > tick][:1]:
        yield f"it holds from tick {one.since} on" if one.until is None else f"it holds in tick {one.since}, later"


def _end(prover: Prover, collection: str, stretch: Stretch) -> str:
    """What ended a row in a table."""
    if prover.program.by_name[collection].kind != "table" or stretch.until is None:
        return ""
    tick, schema = stretch.until + 1, prover.program.schemas[collection]
    deleted = next(prover.deletions(tick, collection, stretch.row), None)
    if deleted is not None:
        rule, found = deleted
        text = prover.rule(rule)
        read = [pattern_text(prover.program, name, dict(enumerate(row))) for name, row in found.reads.rows if name != collection]
        return f", then {text.label}, {text.short_place}, deleted it" + (f" for {', '.join(read[:_SHOWN])}" if read else "")
    key = schema.key_of(stretch.row)
    change = prover.batch(tick).changes.get(collection, {}).get(key)
    if change is not None and any(operation == "delete" for operation, _ in change.operations):
        return ", then it was deleted from outside"
    new = prover.replay.at(tick)[collection].get(key)
    if new is not None:
        return f", then {pattern_text(prover.program, collection, dict(enumerate(new)))} took its place"
    return ""


# --- words for one attempt --------------------------------------------------------------------------------------


class _Words:
    """Tells how far one rule came."""

    def __init__(self, prover: Prover, query: Guided, tick: int) -> None:
        self.prover, self.query, self.tick = prover, query, tick
        self.program, self.rule = prover.program, query.rule

    def steps(self, stop: Stop, known: Mapping[int, Any]) -> tuple[tuple[Step, ...], Wanted | None]:
        """The clauses up to the one that failed, and the row whose lack made it fail, if one did."""
        body = self.rule.query.body
        met = [Step(self._clause(clause), self._met(clause, stop), True, clause.span.line) for clause in body[: stop.depth]]
        if stop.depth < len(body):
            said, wanted = self._failed(body[stop.depth], stop)
            return (*met, Step(self._clause(body[stop.depth]), said, False, body[stop.depth].span.line)), wanted
        said, wanted = self._other_head(stop, known)
        return (*met, Step("the row", said, False, self.rule.query.span.line)), wanted

    def _clause(self, clause: Clause) -> str:
        match clause:
            case Scan(target, collection):
                return f"for {_target(target)} in {self._named(collection)}"
            case Iterate(target, source):
                return f"for {_target(target)} in {self._text(source)}"
            case Condition(test):
                return f"if {self._text(test)}"

    def _named(self, collection: str) -> str:
        return collection.partition(":")[2] if ":" in collection else f"self.{collection}"

    def _text(self, expression: Expression) -> str:
        return expression_text(expression, self.rule, self.program)

    def _met(self, clause: Clause, stop: Stop) -> str:
        match clause:
            case Scan(str() as target, collection) if target in stop.names:
                return pattern_text(self.program, collection, dict(enumerate(stop.names[target])))
            case Scan(target) | Iterate(target):
                return self._values(_names(target), stop)
        return ""

    def _values(self, names: Any, stop: Stop) -> str:
        return ", ".join(f"{name} = {value_text(stop.names[name])}" for name in names if name in stop.names)

    def _failed(self, clause: Clause, stop: Stop) -> tuple[str, Wanted | None]:
        if stop.error is not None:
            return f"raises {type(stop.error).__name__}: {stop.error}", None
        match clause:
            case Scan(_, collection):
                return f"there is no {pattern_text(self.program, collection, stop.wanted)}", (collection, dict(stop.wanted))
            case Iterate(_, source):
                return f"yields nothing that fits{self._with(source, stop)}", None
            case Condition(test):
                return self._false(test, stop)

    def _false(self, test: Expression, stop: Stop) -> tuple[str, Wanted | None]:
        lack = next((one for one in stop.reads.lacks if one.key is not None), None)
        negated = isinstance(test, Member | Exists) and test.negated
        if lack is not None and not negated:
            return f"there is no {lack.text}", (lack.collection, self._key(lack.collection, lack.key))
        if stop.reads.rows:
            rows = [pattern_text(self.program, name, dict(enumerate(row))) for name, row in stop.reads.rows[:_SHOWN]]
            return f"there is {', '.join(rows)}" if negated else f"false with {', '.join(rows)}{self._with(test, stop, ' and')}", None
        if stop.reads.lacks:
            return f"there is no {stop.reads.lacks[0].text}", None
        return f"false{self._with(test, stop)}", None

    def _key(self, collection: str, key: Any) -> dict[int, Any]:
        indexes = self.program.schemas[collection].key_indexes
        return dict(zip(indexes, (key,) if len(indexes) == 1 else key, strict=True))

    def _with(self, expression: Expression, stop: Stop, word: str = " with") -> str:
        """The fields and variables that an expression mentions, with their values."""
        said: dict[str, None] = {}
        rows = {name for name in free_names(expression) if isinstance(stop.names.get(name), tuple)}
        for node in walk(expression):
            row = getattr(node, "row", None)
            if row is not None and getattr(row, "name", None) in rows:
                said[f"{row.name}.{node.name} = {value_text(stop.names[row.name][node.index])}"] = None  # type: ignore[union-attr]
        for name in free_names(expression):
            if name in stop.names and name not in rows:
                said[f"{name} = {value_text(stop.names[name])}"] = None
        return f"{word} {', '.join(said)}" if said else ""

    def _other_head(self, stop: Stop, known: Mapping[int, Any]) -> tuple[str, Wanted | None]:
        """All clauses hold, and yet the row is another."""
        if stop.error is not None:
            return f"raises {type(stop.error).__name__}: {stop.error}", None
        if stop.row is None:
            lack = next((one for one in stop.reads.lacks if one.key is not None), None)
            if lack is not None:
                return f"there is no {lack.text}", (lack.collection, self._key(lack.collection, lack.key))
            return "it looks up a row that is not there", None
        facts, batch = self.prover.replay.at(self.tick), self.prover.batch(self.tick)
        row = stop.row
        if self.query.grouping:
            plain = {i: value for i, value in enumerate(stop.row) if i in self.query.plain_columns}
            whole = tuple(plain.get(i) for i in range(len(stop.row)))
            found = next(self.query.found(facts, batch, whole, tuple(plain)), None)
            row = found.row if found is not None else row
        schema = self.program.schemas[self.rule.head]
        merged = ", which merges with what else there is" if schema.lattices else ""
        return f"it gives {pattern_text(self.program, self.rule.head, dict(enumerate(row)))}{merged}", None


def _target(target: Target) -> str:
    return target if isinstance(target, str) else f"{', '.join(map(_target, target))}{',' if len(target) == 1 else ''}"


def _names(target: Target) -> list[str]:
    return [target] if isinstance(target, str) else [name for part in target for name in _names(part)]


