"""Rules as data: what a class body means, as frozen values with source spans.

Spans do not take part in comparison, so a program printed and parsed again equals the first.
Every expression node may stand wherever an `Expression` is asked for, unless its docstring says where it belongs.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from bloompy.lattices import Growth
from bloompy.schema import Schema
from bloompy.span import UNKNOWN, Span

Target: TypeAlias = "str | tuple[Target, ...]"
"""What a `for` binds: a name ("_" binds nothing) or a pattern of targets."""


def _span() -> Any:
    return field(default=UNKNOWN, eq=False, repr=False)


# --- expressions ------------------------------------------------------------------------------------------------


@frozen
class Const:
    """A literal value; the type takes part in comparison, so that 1 and True differ."""

    value: Any = field(eq=lambda value: (type(value), repr(value)))
    span: Span = _span()


@frozen
class Variable:
    """A value bound by a target of the query, or inside a Python comprehension or lambda. Never a whole row."""

    name: str
    span: Span = _span()


@frozen
class RowVariable:
    """A whole row bound by `for name in self.collection`, used as a value (a row with named columns)."""

    name: str
    collection: str
    span: Span = _span()


@frozen
class Field:
    """One column of a row: `row.name`. `row` is a RowVariable, Lookup or Get."""

    row: RowVariable | Lookup | Get
    name: str
    index: int
    span: Span = _span()


@frozen
class Parameter:
    """A parameter of the instance; inner modules' parameters have dotted names."""

    name: str
    span: Span = _span()


@frozen
class TickValue:
    """A constant of the tick."""

    name: Literal["me", "now", "step", "rand"]
    span: Span = _span()


@frozen
class Global:
    """A name of the rule's scope: module global or builtin (late-bound), or closure (captured per instance)."""

    name: str
    span: Span = _span()


@frozen
class Method:
    """A static method, or a method that reads parameters only, named with its module's prefix."""

    name: str
    span: Span = _span()


@frozen
class Member:
    """`key in self.collection` (or `not in`). `key` yields a bare value for a one-column key, else a tuple."""

    collection: str
    key: Expression
    negated: bool = False
    span: Span = _span()


@frozen
class Lookup:
    """`self.collection[key]`: the row of that key; without one the binding is dropped, when it is reached."""

    collection: str
    key: Expression
    span: Span = _span()


@frozen
class Get:
    """`self.collection.get(key, default)`: the row of that key, or the default row (a full-width tuple)."""

    collection: str
    key: Expression
    default: Expression
    span: Span = _span()


@frozen
class Exists:
    """`any(condition for … in … if …)`, over at least one collection; the condition is the last one of the body.

    `all(p for …)` is the negation of `any(not p for …)`. The body may use variables of the query around it.
    """

    body: tuple[Clause, ...]
    negated: bool = False
    span: Span = _span()


@frozen
class Aggregate:
    """`agg.name(arguments)`, or a user aggregate of the rule's scope. Only in heads.

    `rank` has the arguments (order, per) where per is a Python tuple expression; `percentile` (x, q);
    `argmin` and `argmax` (what, by); `count` none.
    """

    function: str
    arguments: tuple[Expression, ...]
    user: bool = False
    span: Span = _span()


@frozen
class Python:
    """Any other Python expression: a template in which the names _0, _1, … stand for the parts.

    `f(x.a) + 1` is Python("_0 + _1", (Python("_0(_1)", (Global("f"), Field(…))), Const(1))).

    Attributes:
        growth: of a call, what is known of the function with regard to lattices.
    """

    template: str
    parts: tuple[Expression, ...]
    span: Span = _span()
    growth: Growth | None = None


Expression: TypeAlias = (
    Const
    | Variable
    | RowVariable
    | Field
    | Parameter
    | TickValue
    | Global
    | Method
    | Member
    | Lookup
    | Get
    | Exists
    | Aggregate
    | Python
)

# --- queries ----------------------------------------------------------------------------------------------------


@frozen
class Scan:
    """`for target in self.collection`: a name binds the row, a pattern of names unpacks its columns."""

    target: Target
    collection: str
    span: Span = _span()


@frozen
class Iterate:
    """`for target in <Python value>`: flat map."""

    target: Target
    source: Expression
    span: Span = _span()


@frozen
class Condition:
    """One conjunct of an `if`."""

    test: Expression
    span: Span = _span()


Clause: TypeAlias = Scan | Iterate | Condition


@frozen
class Select:
    """A comprehension: one expression for each column of the head, and the body in the order written.

    A literal row is a Select with an empty body. `self.c` as a query is a Select over one Scan.
    For `<-` the head has the width of the row or of the key (`Rule.by_key` says which).
    """

    head: tuple[Expression, ...]
    body: tuple[Clause, ...]
    span: Span = _span()


# --- programs ---------------------------------------------------------------------------------------------------

Kind: TypeAlias = Literal["table", "scratch", "input", "output", "channel", "loopback", "periodic", "stdio", "temporary"]
Operator: TypeAlias = Literal["<=", "<+", "<-", "<+-", "<~", "="]


@frozen
class Collection:
    """A declared collection. Those of inner modules have dotted names ("kvs.put"); temporaries are "method:name".

    Attributes:
        durable: its rows outlive a crash of the node.
        lattice: it was declared as a lattice: a table of one row, whose one value only grows and is read by `.value`.
        delayed: it is durable, but a tick that changes it need not wait until that is safe.
    """

    name: str
    kind: Kind
    schema: Schema
    durable: bool = False
    period: float | Parameter | None = None
    owner: str = ""
    span: Span = _span()
    lattice: bool = False
    delayed: bool = False


@frozen
class Rule:
    """One statement: `head operator query`.

    Attributes:
        label: "Class.method", as users know it.
        statement: number of the statement in its method, from 0; -1 for the rule that gives a lattice its bottom.
        kind: an "invariant" has the head "" and the operator "=": its rows must not exist.
        head: the collection filled; a temporary's statement has the operator "=".
        by_key: for `<-`, whether the head is just the key.
        scope: names the Scope (globals and closure) in which Global names are found: "inner.module.method@python.module:Class".
        module: dotted prefix of the inner module that the rule belongs to, "" for the program itself.
    """

    label: str
    statement: int
    kind: Literal["rule", "bootstrap", "invariant"]
    head: str
    operator: Operator
    query: Select
    by_key: bool = False
    scope: str = ""
    module: str = ""
    span: Span = _span()

    @property
    def place(self) -> str:
        """Label with file and line, for messages."""
        return f"{self.label} at {self.span}" if self.span.line else self.label


@frozen
class Program:
    """Everything that a class says, flattened: inherited and inner collections and rules in declaration order."""

    name: str
    collections: tuple[Collection, ...]
    rules: tuple[Rule, ...]
    parameters: tuple[str, ...] = ()
    by_name: dict[str, Collection] = field(init=False, eq=False, repr=False)
    schemas: dict[str, Schema] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "by_name", {collection.name: collection for collection in self.collections})
        object.__setattr__(self, "schemas", {collection.name: collection.schema for collection in self.collections})
