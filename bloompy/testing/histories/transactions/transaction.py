"""Transactions: operations whose argument is a tuple of reads and writes.

Operation("c1", "txn", (("append", "x", 1), ("r", "y", None)), (("append", "x", 1), ("r", "y", (2, 3))))
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from bloompy.errors import HistoryError
from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Operation, literal

_READS = ("r", "read")


@frozen
class Step:
    """A read or write of a transaction.

    Attributes:
        reads: whether it is a read.
        key: of what.
        value: what was read or written.
    """

    reads: bool
    key: Any
    value: Any


@frozen(eq=False)
class Transaction:
    """One transaction.

    Attributes:
        name: for people, "T1".
        operation: the operation it was.
        steps: its reads and writes in order; of one that is not known to have committed the writes only.
    """

    name: str
    operation: Operation
    steps: tuple[Step, ...]

    @property
    def committed(self) -> bool:
        """Whether it surely committed."""
        return self.operation.ok

    @property
    def aborted(self) -> bool:
        """Whether it surely did not."""
        return self.operation.status == "fail"

    def writes(self, key: Any) -> list[Any]:
        """What it wrote to a key, in order."""
        return [step.value for step in self.steps if not step.reads and step.key == key]


def transactions_of(history: History, writes: tuple[str, ...]) -> list[Transaction]:
    """The transactions of a history.

    Args:
        history: of operations whose argument and result are tuples of `(function, key, value)`.
        writes: the names of writes.

    Raises:
        HistoryError: for other operations.
    """
    return [Transaction(f"T{i}", each, _steps(each, writes)) for i, each in enumerate(history, 1)]


def _steps(operation: Operation, writes: tuple[str, ...]) -> tuple[Step, ...]:
    given = operation.result if operation.ok else operation.argument
    try:
        steps = [(function in _READS, function, key, value) for function, key, value in given]
    except (TypeError, ValueError):
        raise HistoryError(
            f"{operation} is no transaction", hint=f"argument and result are tuples of ('r', key, value) and ({writes[0]!r}, key, value)"
        ) from None
    for reads, function, _, _ in steps:
        if not reads and function not in writes:
            raise HistoryError(f"{operation}: {function!r} is neither a read nor one of {', '.join(writes)}")
    return tuple(Step(reads, key, value) for reads, _, key, value in steps if operation.ok or not reads)


def writers_of(transactions: list[Transaction]) -> dict[tuple[Any, Any], Transaction]:
    """Who wrote which value to which key.

    Raises:
        HistoryError: if a value was written twice: then nobody can say which write was read.
    """
    found: dict[tuple[Any, Any], Transaction] = {}
    for transaction in transactions:
        for step in transaction.steps:
            if not step.reads:
                if (step.key, step.value) in found:
                    first = found[step.key, step.value].operation
                    raise HistoryError(
                        f"{literal(step.value)} was written to {literal(step.key)} twice: by {first} and by {transaction.operation}",
                        hint="let the test write each value once",
                    )
                found[step.key, step.value] = transaction
    return found
