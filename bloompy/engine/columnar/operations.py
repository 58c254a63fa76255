"""Plans of column operations, as data: what a rule does to whole columns at a time.

A pipeline starts from the rows of one relation, joins others to them, filters, and ends with the columns of a head. What it works
on is a *binding*: arrays of one length, each in a *slot*. An *attribute* is one column of one relation; attributes whose values
meet share one encoding (see `classes`).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from attrs import field, frozen

Attribute: TypeAlias = tuple[str, int]
"""A relation and the position of one of its columns."""


# --- expressions ------------------------------------------------------------------------------------------------


@frozen
class Slot:
    """The values in a slot; `attribute` tells how they are encoded."""

    number: int
    attribute: Attribute


@frozen
class Literal:
    """One value for all bindings: a constant, or a name of the rule's module that is looked up at each evaluation.

    Attributes:
        value: the value; of a `late` one the name.
        scope: where a late one is found.
        attribute: what it is compared with or put into; None for a plain number.
    """

    value: Any = field(eq=lambda value: (type(value), repr(value)))
    late: bool = False
    scope: str = ""
    attribute: Attribute | None = None


@frozen
class Arithmetic:
    """`left operator right` of integers: + - * // %."""

    operator: str
    left: Operand
    right: Operand


@frozen
class Folded:
    """An aggregate of the head, for each group."""

    number: int


Operand: TypeAlias = Slot | Literal | Arithmetic | Folded


@frozen
class Comparison:
    """== != < <= > >= of two operands in one encoding."""

    operator: str
    left: Operand
    right: Operand


@frozen
class Truth:
    """Whether a value counts as true."""

    operand: Slot


@frozen
class Logic:
    """`and`, `or`, `not` of conditions."""

    operator: str
    parts: tuple[Test, ...]


@frozen
class Belongs:
    """Whether a relation has a row with these values in these columns."""

    relation: str
    columns: tuple[int, ...]
    key: tuple[Operand, ...]
    negated: bool


@frozen
class Some:
    """Whether a pipeline that starts from the binding itself leaves anything of it.

    Attributes:
        needs: the slots that it reads; slot 0 holds the position of each binding.
    """

    steps: tuple[Step, ...]
    needs: frozenset[int]
    negated: bool


Test: TypeAlias = Comparison | Truth | Logic | Belongs | Some


# --- steps ------------------------------------------------------------------------------------------------------


@frozen
class Take:
    """Start from the rows of a relation, or from those new in it (`driven`): columns into slots."""

    relation: str
    driven: bool
    loads: tuple[tuple[int, int], ...]


@frozen
class Join:
    """To each binding the rows of a relation that have the values of `key` in `columns`.

    Attributes:
        loads: columns of the rows that are needed afterwards, with their slots.
        filters: all that matters is whether there is a row.
    """

    relation: str
    columns: tuple[int, ...]
    key: tuple[Operand, ...]
    loads: tuple[tuple[int, int], ...]
    filters: bool


@frozen
class Filter:
    """Go on only with the bindings for which a test holds."""

    test: Test


@frozen
class Narrow:
    """Forget all slots but some.

    Attributes:
        keep: the others, with their attributes.
        distinct: what is left may repeat, and repetitions do not count.
    """

    keep: tuple[Slot, ...]
    distinct: bool


Step: TypeAlias = Take | Join | Filter | Narrow


@frozen
class Aggregation:
    """An aggregate function and its argument (None for a count)."""

    function: str
    argument: Operand | None


@frozen
class Pipeline:
    """One rule for one driver.

    Attributes:
        head: the relation that it fills.
        steps: beginning with a Take, or none for literal rows.
        columns: the head's columns; of an aggregating rule, over the groups.
        groups: positions in `columns` by which an aggregating rule groups.
        aggregations: what `Folded` numbers stand for.
    """

    head: str
    steps: tuple[Step, ...]
    columns: tuple[Operand, ...]
    groups: tuple[int, ...] = ()
    aggregations: tuple[Aggregation, ...] = ()
