"""Which functions are made of one derivation."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from bloompy.ir.nodes import Clause


class Form(Enum):
    """What a generated function does, and how it is called. `before`: read the relations as they were when the tick began.

    Attributes:
        PUT: (driven, rows, new, again): derive from the driver's rows, put into `rows` by key what is not there and
            append it to `new`; append what is there to `again`.
        LIST: (driven, out, before, skip): append to `out` what follows from the driver's rows; with aggregates, add to
            `out` by group the lists of arguments. At positions before the driver, rows in `skip[position]` are passed over.
        FIND: (driven, out, before, inner_before): put into `out` the bindings, as tuples of their scans' rows, in which
            a changed row takes part within an expression.
        CONTRIBUTE: (driven, out, before): as LIST, from bindings.
        SUPPORT: (rows, ranks, out): append to `out` the rows that do not follow now from rows that are there, of
            relations of their own component those of lower rank (`ranks` has the rows' own; without one it is infinite).
        FINISH: (group, lists, out): append to `out` the row of a group.
    """

    PUT = "put"
    LIST = "list"
    FIND = "find"
    CONTRIBUTE = "contribute"
    SUPPORT = "support"
    FINISH = "finish"


@frozen
class Variant:
    """One function of a derivation.

    Attributes:
        form: what it does.
        driver: position of the scan that takes the driver's rows, in the body followed by `inner`; None: all rows.
        exclusive: of a LIST, whether it takes `skip`.
        inner: of a FIND, the clauses that lead from the changed row to the bindings.
        inside: of a SUPPORT, the relations with ranks.
    """

    form: Form
    driver: int | None = None
    exclusive: bool = False
    inner: tuple[Clause, ...] = ()
    inside: frozenset[str] = frozenset()


ARGUMENTS = {
    Form.PUT: ("_driven", "_rows", "_new", "_again"),
    Form.LIST: ("_driven", "_out", "_before", "_skip"),
    Form.FIND: ("_driven", "_out", "_before", "_inner_before"),
    Form.CONTRIBUTE: ("_driven", "_out", "_before"),
    Form.SUPPORT: ("_candidates", "_ranks", "_out"),
    Form.FINISH: ("_group", "_lists", "_out"),
}
"""What the functions of a form are called with."""
