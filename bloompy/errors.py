"""One exception per cause. Each has a stable `code`, says what is wrong and where, and hints at the remedy.

Errors found when a class is created are `RuleError`s: `SyntaxError`s with file, line and columns, so that Python,
IPython, pytest and editors show the caret. Errors of a running program are plain `BloomError`s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bloompy.span import Span

if TYPE_CHECKING:
    from collections.abc import Sequence


class BloomError(Exception):
    """Base of every error of bloompy.

    Args:
        message: what is wrong, naming the thing.
        hint: the remedy, shown as a note below the message.
    """

    code: ClassVar[str] = "BLM000"
    message: str
    hint: str | None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"[{self.code}] {message}")
        self._describe(message, hint)

    def _describe(self, message: str, hint: str | None) -> None:
        self.message, self.hint = message, hint
        if hint:
            self.add_note(f"hint: {hint}")


class RuleError(BloomError, SyntaxError):
    """A class that cannot be a program; carries the place in the user's source.

    Args:
        message: what is wrong, naming the thing.
        span: where.
        hint: the remedy.
    """

    code = "BLM100"
    span: Span | None

    def __init__(self, message: str, span: Span | None = None, *, hint: str | None = None) -> None:
        text = f"[{self.code}] {message}"
        if span is None or span.line == 0:
            SyntaxError.__init__(self, text)
        else:
            start, end = span.characters()
            end_offset = end + 1 if span.end_line == span.line else None
            SyntaxError.__init__(
                self, text, (span.file, span.line, start + 1, span.text or None, span.line, end_offset or start + 2)
            )
        self.span = span
        self._describe(message, hint)


# --- declarations -----------------------------------------------------------------------------------------------


class SchemaError(RuleError):
    """A schema that cannot be read: bad column list, unknown type, two columns of one name."""

    code = "BLM101"


class ReservedName(RuleError):
    """A collection, parameter or module that takes a name the language gives to instances."""

    code = "BLM102"


class InheritanceConflict(RuleError):
    """Two parents bring different declarations, or two rule methods of one name."""

    code = "BLM103"


class DeclarationError(RuleError):
    """A declaration in the wrong place or with arguments that do not fit."""

    code = "BLM104"


# --- rules ------------------------------------------------------------------------------------------------------


class UnknownCollection(RuleError):
    """A rule names a collection, parameter or method that the class does not have."""

    code = "BLM201"


class UnknownColumn(RuleError):
    """A rule names a column that the collection does not have."""

    code = "BLM202"


class ArityError(RuleError):
    """A head, pattern, key or literal row of the wrong width."""

    code = "BLM203"


class ColumnTypeError(RuleError):
    """A value in a head, key or literal row that cannot have the type of its column."""

    code = "BLM204"


class IllegalOperator(RuleError):
    """An operator that the collection on its left does not take."""

    code = "BLM205"


class UnsupportedStatement(RuleError):
    """Something in a rule body that is no Bloom statement or query, often a look-alike of one."""

    code = "BLM206"


class Unstratifiable(RuleError):
    """Recursion through negation, aggregation, `get` or a lattice value used non-monotonically within a tick; shows the cycle."""

    code = "BLM207"


class SourceNotAvailable(RuleError):
    """The source of a rule method cannot be found, so it cannot be read."""

    code = "BLM208"


class InterfaceError(RuleError):
    """An interface used from the wrong side: an input filled inside, an output read inside."""

    code = "BLM209"


class AggregateError(RuleError):
    """An aggregate in the wrong place or with arguments that do not fit."""

    code = "BLM210"


class UnknownName(RuleError):
    """A name in a rule that is bound neither by the query nor by the module."""

    code = "BLM211"


# --- a running program ------------------------------------------------------------------------------------------


class KeyConflict(BloomError):
    """Two different rows with one key in one collection in one tick.

    Attributes:
        collection: its name.
        rows: the two rows.
        rules: what derived them, in the same order: a rule's label with its place, or a word such as "inserted".
    """

    code = "BLM301"

    def __init__(self, collection: str, rows: Sequence[Any], rules: Sequence[str]) -> None:
        self.collection, self.rows, self.rules = collection, tuple(rows), tuple(rules)
        first, second = self.rows
        super().__init__(
            f"two rows with one key in {collection!r}: {first!r} ({self.rules[0]}) and {second!r} ({self.rules[1]})",
            hint="make the key wider, choose one row by an aggregate, or replace the old row with <+-",
        )


class RowError(BloomError):
    """A row that does not fit its collection: width, type, unhashable value, None or NaN where not allowed."""

    code = "BLM302"


class InvariantViolation(BloomError):
    """An invariant query that is not empty.

    Attributes:
        rule: the label of the invariant, with its place.
        rows: the rows that should not be there.
    """

    code = "BLM303"

    def __init__(self, rule: str, rows: Sequence[Any]) -> None:
        self.rule, self.rows = rule, tuple(rows)
        shown = ", ".join(repr(row) for row in self.rows[:5]) + (", …" if len(self.rows) > 5 else "")
        super().__init__(f"invariant {rule} is violated by {shown}", hint="the tick was rolled back; error.batch holds its input")


class UnorderableValues(BloomError):
    """Values that an aggregate, a rank or a lattice must order and cannot; names rule and group, or collection, and values."""

    code = "BLM304"


class ParameterError(BloomError):
    """A parameter that the program does not have, or a value that does not fit."""

    code = "BLM305"


class UsageError(BloomError):
    """Something of the program used in a way that it does not offer."""

    code = "BLM306"


# --- nodes ------------------------------------------------------------------------------------------------------


class StoreError(BloomError):
    """The durable store failed; the node stops, since what was written last is unknown."""

    code = "BLM401"


class TransportError(BloomError):
    """A transport that cannot listen or be used as configured."""

    code = "BLM402"


class AuthenticationError(BloomError):
    """A peer without the shared secret, or a non-loopback listen without one."""

    code = "BLM403"


class CallTimeout(BloomError, TimeoutError):
    """A `call` whose reply did not come in time."""

    code = "BLM404"


class NodeStopped(BloomError):
    """A node that is not running was asked to do something."""

    code = "BLM405"


class WireError(BloomError):
    """A frame that is malformed, oversized, undeclared or does not fit the schema."""

    code = "BLM406"


# --- simulations --------------------------------------------------------------------------------------------------


class SimulationError(BloomError):
    """A simulated run that did not come to what was asked of it: a condition that never held, work that never ended."""

    code = "BLM501"


class DeadLetter(BloomError):
    """A node of a simulation set a message aside because its tick raised; the error is the cause."""

    code = "BLM502"


class ClusterViolation(BloomError):
    """Something that must hold over all nodes of a simulation does not.

    Attributes:
        found: what the check returned: False, or the rows in question.
    """

    code = "BLM503"

    def __init__(self, name: str, found: object) -> None:
        self.found = found
        super().__init__(f"{name} does not hold" + ("" if found is False else f": {found!r:.500}"))


# --- searching for failures -------------------------------------------------------------------------------------


class NeverReached(BloomError):
    """A campaign in which no run reached a state that the test declared by `sometimes`: it tested less than it claims.

    Attributes:
        names: of the states.
    """

    code = "BLM521"

    def __init__(self, names: Sequence[str], runs: int) -> None:
        self.names = tuple(names)
        shown = ", ".join(map(repr, self.names))
        super().__init__(
            f"no run of {runs:,} reached sometimes({shown})",
            hint="run more often, choose faults or operations that lead there, or correct the condition",
        )


class InjectedNothing(BloomError):
    """A campaign in which a kind of fault was allowed and none was injected.

    Attributes:
        kinds: of the faults.
    """

    code = "BLM522"

    def __init__(self, kinds: Sequence[str], runs: int) -> None:
        self.kinds = tuple(kinds)
        super().__init__(
            f"no fault of the kind {', '.join(self.kinds)} was injected in {runs:,} {'run' if runs == 1 else 'runs'}",
            hint="make it more probable, run longer or more often, or take it out of faults=Faults(…)",
        )


class NoProgress(BloomError):
    """A goal that did not hold in time although the faults had stopped (liveness).

    Attributes:
        name: of the goal.
        missing: what was missing, as the goal told it; None where it only said no.
    """

    code = "BLM523"

    def __init__(self, name: str, within_s: float, missing: object, state: str) -> None:
        self.name, self.missing = name, missing
        shown = str(missing) if str(missing).isprintable() else repr(missing)
        what = "" if missing is None else f"; missing: {shown}"
        super().__init__(f"{name}: not within {within_s:g} s after the faults had stopped{what}", hint=state)


class OutcomeMissing(BloomError):
    """A run at whose end a node does not hold a row that the test expects.

    Attributes:
        asked: node, collection and row, for `sim.why_not`; None where that is not known.
    """

    asked: tuple[str, str, Any] | None = None

    code = "BLM525"


class NotDeterministic(BloomError):
    """A test of which two runs from the same seed differ, so that nothing found by it could be shown again."""

    code = "BLM524"


# --- exhaustive exploration -------------------------------------------------------------------------------------


class CounterexampleFound(BloomError):
    """An exploration reached a state, or found an end or a cycle, that a property of the model forbids.

    Attributes:
        counterexample: the steps that lead there.
    """

    code = "BLM531"

    def __init__(self, what: str, counterexample: object) -> None:
        self.counterexample = counterexample
        super().__init__(f"{what}\n{counterexample}")


class IncompleteExploration(BloomError):
    """An exploration that reached its limit, so that nothing is proved: states that it has not seen may be wrong."""

    code = "BLM532"


class StatesMiscounted(BloomError):
    """An exhaustive exploration that found another number of states than the test says there are."""

    code = "BLM533"


# --- histories --------------------------------------------------------------------------------------------------


class HistoryError(BloomError):
    """A history that cannot be: a line that cannot be read, an end without a beginning, a value that the test wrote twice."""

    code = "BLM541"
