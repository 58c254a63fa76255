"""`isolated`: whether transactions look as a level of isolation promises."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from bloompy.errors import UsageError
from bloompy.testing.histories.history import History
from bloompy.testing.histories.result import Result, Violation
from bloompy.testing.histories.transactions.cycles import cycles
from bloompy.testing.histories.transactions.graph import Graph, add_orders
from bloompy.testing.histories.transactions.levels import LEVELS
from bloompy.testing.histories.transactions.lists import Lists
from bloompy.testing.histories.transactions.registers import Registers
from bloompy.testing.histories.transactions.transaction import transactions_of


@frozen(repr=False)
class Isolation(Result):
    """Whether a level of isolation was kept.

    Attributes:
        permitted: anomalies that were found and that the level allows.
        levels: the levels that nothing speaks against, from the weakest on.
    """

    permitted: tuple[Violation, ...] = field(default=())
    levels: tuple[str, ...] = ()


def isolated(history: History, level: str = "serializable", *, objects: Literal["lists", "registers"] = "lists") -> Isolation:
    """Check that no anomaly is found that a level of isolation forbids.

    An operation is a transaction: its argument is a tuple of `("append", key, element)` (lists) or `("w", key, value)` (registers)
    and `("r", key, None)`, its result the same with the values that were read: a tuple for a list, None for a register that was
    never written. Every element of a list, and every value of a register, is written once by the test.

    What is found is there: there are no false alarms. What is not found may be there where reads do not show it. With lists, and
    all of them read after the last write, nothing hides: then "serializable" and "strict serializable" are decided exactly.

    Args:
        history: the transactions.
        level: one of `LEVELS`.
        objects: whether they append to lists, which shows far more, or write registers.

    Raises:
        HistoryError: for an operation that is no transaction, or a value that the test wrote twice.
        UsageError: for a level that there is not.
    """
    if level not in LEVELS:
        raise UsageError(f"there is no isolation level {level!r}", hint=f"there are {', '.join(LEVELS)}")
    transactions = transactions_of(history, ("append",) if objects == "lists" else ("w", "write"))
    versions = Lists(transactions) if objects == "lists" else Registers(transactions)
    graph = Graph()
    versions.add_to(graph)
    add_orders(graph, [each for each in transactions if versions.happened(each)])
    found = [*versions.violations, *cycles(graph)]
    kinds = {violation.kind for violation in found}
    wrong = tuple(each for each in found if each.kind in LEVELS[level])
    permitted = tuple(each for each in found if each.kind not in LEVELS[level])
    levels = tuple(name for name, forbidden in LEVELS.items() if not kinds & forbidden)
    counts = {"transactions": len(history)}
    return Isolation(level, not wrong, wrong, "", counts, history, permitted, levels)
