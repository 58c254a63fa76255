"""What `why` and `why_not` answer, as data: the derivation of a row as a graph, and the attempts that did not derive one.

The graph of a `Why` has facts and derivations by turns. A `Fact` is a row that held at the end of one tick of one incarnation of one
node. `Why.derivations[fact]` are its alternative derivations: any one of them is reason enough (OR). A `Derivation` needs all its
`premises`, which are facts again, and all its `absences` (AND). A fact without an entry was not followed any further (`Why.limit`);
one with an empty premise list in a derivation comes from outside. The graph has no cycles: within a tick a row is only derived from
rows that were there before it. To draw it: vertices are `Why.derivations` (facts, in the order found, the asked one first) and their
derivations; edges lead from a fact to its derivations and from each of these to its premises.

    why.root                             the Fact asked for
    why.derivations                      {Fact: (Derivation, …)}
    fact.node, .incarnation, .tick, .time, .collection, .row, .columns, .partial; fact.text
    derivation.how                       one of `How`; derivation.rule: RuleText | None; derivation.message: Message | None
    derivation.premises, .absences       (Fact, …), (Absence, …)
    derivation.bindings                  ((name, value), …) of the rule's variables
    derivation.summary                   one line of words

How it is found: `proving.py`. Semantics: Green, Karvounarakis, Tannen, "Provenance semirings", PODS 2007; across ticks
and nodes: Alvaro, Rosen, Hellerstein, "Lineage-driven fault injection", SIGMOD 2015, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from bloompy.engine.tick import PlainRow

How: TypeAlias = Literal["rule", "next", "merged", "message", "received", "timer", "line", "inserted", "stayed", "restored"]
"""How a row came to hold: by a `<=` rule in its tick; by `<+` or `<+-` of the tick before; by the merge of several rows (lattices); as
a message whose sending is known, or not; by a timer; as a line typed; staged from outside; it was in its table already; from the store."""


@frozen
class RuleText:
    """A rule, for people.

    Attributes:
        label: "Class.method".
        place: file and line.
        text: the statement.
    """

    label: str
    place: str
    text: str

    @property
    def short_place(self) -> str:
        """The place without directories."""
        return self.place.replace("\\", "/").rpartition("/")[2]


@frozen
class Fact:
    """A row that held at the end of a tick.

    Attributes:
        node: the address.
        incarnation: from 1, one more after each restart.
        tick: number of the tick in this incarnation; 0 for what was restored before the first.
        collection, row: the row.
        time: of the tick, in seconds of the node's clock (of the simulation, in one).
        columns: their names.
        partial: of a collection whose rows merge, a value on its way to the one that held in the end.
    """

    node: str
    incarnation: int
    tick: int
    collection: str
    row: PlainRow
    time: float = field(default=0.0, eq=False)
    columns: tuple[str, ...] = field(default=(), eq=False, repr=False)
    partial: bool = False

    @property
    def text(self) -> str:
        """As `collection(values)`, with nothing in it that moves a cursor."""
        return f"{self.collection}({', '.join(map(value_text, self.row))})"

    @property
    def where(self) -> str:
        """The tick, in words."""
        again = f", incarnation {self.incarnation}" if self.incarnation > 1 else ""
        return f"tick {self.tick} of {self.node}{again}" if self.tick else f"the store of {self.node}{again}"


@frozen
class Absence:
    """What was not there, and had to be absent.

    Attributes:
        node, incarnation, tick: when and where.
        collection: of what was looked for; of an `any(…)`, the first that it reads.
        key: what key was looked for; None for an `any(…)`.
        text: in words.
        lack: what was looked for, as the engine knows it.
    """

    node: str
    incarnation: int
    tick: int
    collection: str
    key: Any
    text: str
    lack: Any = field(default=None, eq=False, repr=False)


@frozen
class Message:
    """A message that arrived.

    Attributes:
        source, target: addresses.
        frame: what a frame and its copies have in common; 0 where that is not known.
        ordinal: of the frame on its link, from 1; 0 where that is not known.
        sent, delivered: seconds.
        incarnation, tick: of the sender, when it sent.
    """

    source: str
    target: str
    frame: int = 0
    ordinal: int = 0
    sent: float = 0.0
    delivered: float = 0.0
    incarnation: int = 1
    tick: int = 0


@frozen
class Derivation:
    """One way in which a fact came to hold: all of its premises and absences.

    Attributes:
        fact: what follows.
        how: see `How`.
        rule: the rule; None where none took part.
        premises: facts of this tick, of the tick before (`how` is "next" or "stayed"), or of the sender's tick ("message").
        absences: what was not there.
        bindings: values of the variables of the rule; of an aggregate, those of its first binding.
        count: how many bindings of the rule took part, several in an aggregate.
        message: of a message, its way.
        decisive: of a minimum and the like, so many of the premises, the first ones, give the value; 0 where all do.
    """

    fact: Fact
    how: How
    rule: RuleText | None = None
    premises: tuple[Fact, ...] = ()
    absences: tuple[Absence, ...] = ()
    bindings: tuple[tuple[str, Any], ...] = field(default=(), eq=False)
    count: int = field(default=1, eq=False)
    message: Message | None = None
    decisive: int = field(default=0, eq=False)

    @property
    def summary(self) -> str:
        """One line of words."""
        by = f"{self.rule.label}, {self.rule.short_place}" if self.rule is not None else ""
        match self.how:
            case "rule":
                return f"by {by}"
            case "next":
                return f"by {by}, in the tick before"
            case "merged":
                return f"merged of {self.count} rows" + (f", by {by}" if by else "")
            case "message":
                assert self.message is not None
                sent = f"sent by {self.message.source} in tick {self.message.tick}"
                timed = f" at {self.message.sent:.6g} s, arrived at {self.message.delivered:.6g} s" if self.message.frame else ""
                return sent + timed + (f", {by}" if by else "")
            case "received" if self.message is not None:
                return f"sent by {self.message.source} at {self.message.sent:.6g} s, by no rule"
            case "stayed":
                return f"in the table since {self.premises[0].where}"
        return _PLAIN[self.how]


_PLAIN = {
    "received": "received from outside",
    "timer": "the timer fired",
    "line": "typed",
    "inserted": "inserted from outside",
    "restored": "restored from the store",
}


@frozen
class Why:
    """Why a row holds. Prints itself as a tree; in notebooks as a folded one.

    Attributes:
        root: the row asked for.
        derivations: by fact, its alternative derivations; the graph has no cycles.
        limit: so many facts were followed at most; those without an entry were not.
    """

    root: Fact
    derivations: Mapping[Fact, tuple[Derivation, ...]] = field(repr=False)
    limit: int = field(default=1_000, repr=False)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All facts, the root first; those that were not followed last."""
        found = dict.fromkeys(self.derivations)
        found.update((premise, None) for several in self.derivations.values() for one in several for premise in one.premises)
        return tuple(found)

    @property
    def inputs(self) -> tuple[Fact, ...]:
        """The facts that came from outside: inserted, received, typed, timers, restored from a store."""
        return tuple(
            fact for fact, several in self.derivations.items() if any(not one.premises and one.how in _PLAIN for one in several)
        )

    @property
    def messages(self) -> tuple[Message, ...]:
        """The messages in it, in the order of their arrival."""
        found = {one.message: None for several in self.derivations.values() for one in several if one.message is not None}
        return tuple(sorted(found, key=lambda one: (one.delivered, one.sent, one.source, one.target, one.frame)))

    def __str__(self) -> str:
        from bloompy.engine.provenance.text import why_text

        return why_text(self)

    def _repr_html_(self) -> str:
        from bloompy.engine.provenance.text import why_html

        return why_html(self)


# --- why not ----------------------------------------------------------------------------------------------------


@frozen
class Step:
    """A part of a rule's query that was satisfied, or not, on the way to a row.

    Attributes:
        text: of the clause, with the file's line in `line`.
        said: what was found, or was missing, with values.
        met: whether it was satisfied.
    """

    text: str
    said: str
    met: bool
    line: int = 0


@frozen
class Attempt:
    """How far one rule came on the way to a row that does not hold.

    Attributes:
        rule: it.
        how: "rule", "next" (it would have had to derive it in the tick before) or "message" (on another node).
        where: the tick and node that it was tried on, in words.
        steps: its clauses in order, up to the one that failed, which is the last.
        reached: the share of its clauses that were satisfied.
        missing: the rows whose lack, or presence, stopped it: collection, and a pattern such as "link('a', _, _)".
        below: why that row is missing; None where that was not followed.
    """

    rule: RuleText
    how: How
    where: str
    steps: tuple[Step, ...]
    reached: float
    missing: str = ""
    below: WhyNot | None = None


@frozen
class WhyNot:
    """Why a row does not hold. Prints itself as text.

    Attributes:
        node, tick, collection: where, and when.
        pattern: the row, or what is known of it.
        reasons: what is to be said besides rules: it was deleted, another row has its key, the message was lost, …
        attempts: one for each rule that could derive it, the nearest first.
    """

    node: str
    tick: int
    collection: str
    pattern: str
    reasons: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    @property
    def nearest(self) -> Attempt | None:
        """The rule that came nearest."""
        return self.attempts[0] if self.attempts else None

    def walk(self) -> Iterator[WhyNot]:
        """It and those below it."""
        yield self
        for attempt in self.attempts:
            if attempt.below is not None:
                yield from attempt.below.walk()

    def __str__(self) -> str:
        from bloompy.engine.provenance.text import why_not_text

        return why_not_text(self)

    def _repr_html_(self) -> str:
        from bloompy.engine.provenance.text import why_not_html

        return why_not_html(self)


# --- values -----------------------------------------------------------------------------------------------------

_LONGEST = 120


def value_text(value: Any) -> str:
    """A value in one line, sets in a fixed order, with nothing that a terminal obeys."""
    if isinstance(value, frozenset):
        text = f"{{{', '.join(sorted(map(value_text, value)))}}}"
    elif type(value) is tuple:
        text = f"({', '.join(map(value_text, value))}{',' if len(value) == 1 else ''})"
    else:
        try:
            text = repr(value)
        except Exception as error:  # the answer must not fail for a value's own fault
            text = f"<{type(value).__name__}: {type(error).__name__} in repr>"
    return printable(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


def printable(text: str) -> str:
    """A text whose controls, line ends and marks of direction are escapes."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)
