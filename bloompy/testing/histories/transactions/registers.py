"""What read-write transactions show. Less than lists do: of two versions the order is known only where a transaction read one and
wrote the other, and for the first, None, which comes before all."""

from __future__ import annotations

from typing import Any

from bloompy.testing.histories.operation import literal
from bloompy.testing.histories.result import Violation
from bloompy.testing.histories.transactions.graph import RW, WR, WW, Graph
from bloompy.testing.histories.transactions.transaction import Transaction, writers_of


class Registers:
    """The versions of all registers of a history, as far as their order is known.

    Args:
        transactions: of the history.

    Raises:
        HistoryError: if a value was written twice to one register by the test.
    """

    def __init__(self, transactions: list[Transaction]) -> None:
        self.violations: list[Violation] = []
        self._writers = writers_of(transactions)
        self._readers: dict[tuple[Any, Any], list[Transaction]] = {}
        self._next: dict[Any, dict[Any, dict[Any, None]]] = {}
        for transaction in transactions:
            if transaction.committed:
                self._read(transaction)
        for (key, value), writer in self._writers.items():
            if self.happened(writer) and writer.writes(key)[-1] == value:
                self._next.setdefault(key, {}).setdefault(None, {})[value] = None
        for key in list(self._next):
            self._check_order(key)
        self._lost_updates()

    def happened(self, transaction: Transaction) -> bool:
        """Whether a transaction committed: it says so, or nobody knows and one of its writes was read."""
        if transaction.committed or transaction.aborted:
            return transaction.committed
        return any((step.key, step.value) in self._readers for step in transaction.steps)

    def add_to(self, graph: Graph) -> None:
        """Add what the reads show of the order of transactions."""
        for (key, value), readers in self._readers.items():
            writer = self._writers.get((key, value))
            for reader in readers:
                if writer is not None and not writer.aborted:
                    graph.add(writer, reader, WR, f"{reader.name} read {literal(value)}, which {writer.name} wrote to {literal(key)}")
        for key, versions in self._next.items():
            for value, later in versions.items():
                for newer in later:
                    self._add_replaced(graph, key, value, newer)

    def _add_replaced(self, graph: Graph, key: Any, value: Any, newer: Any) -> None:
        writer = self._writers.get((key, newer))
        if writer is None or writer.aborted:
            return
        older = self._writers.get((key, value))
        if older is not None and not older.aborted:
            why = f"{older.name} wrote {literal(value)} to {literal(key)} before {writer.name} wrote {literal(newer)}"
            graph.add(older, writer, WW, why)
        for reader in self._readers.get((key, value), ()):
            why = f"{reader.name} read {literal(key)} as {literal(value)}, before {writer.name} wrote {literal(newer)}"
            graph.add(reader, writer, RW, why)

    # -- reading

    def _wrong(self, kind: str, text: str, *transactions: Transaction) -> None:
        self.violations.append(Violation(kind, text, tuple(each.operation for each in transactions)))

    def _read(self, transaction: Transaction) -> None:
        own: dict[Any, Any] = {}
        first: dict[Any, Any] = {}
        for step in transaction.steps:
            if not step.reads:
                own[step.key] = step.value
            elif step.key in own:
                if own[step.key] != step.value:
                    text = f"{transaction.name} read {literal(step.key)} as {literal(step.value)} after it had itself written"
                    self._wrong("internal", f"{text} {literal(own[step.key])}: {transaction.operation}", transaction)
            else:
                if first.setdefault(step.key, step.value) != step.value:
                    text = f"{transaction.name} read {literal(step.key)} as {literal(first[step.key])} and then as {literal(step.value)}"
                    self._wrong("internal", f"{text}: {transaction.operation}", transaction)
                self._take(transaction, step.key, step.value)
        for key, value in first.items():
            if key in own:
                self._next.setdefault(key, {}).setdefault(value, {})[own[key]] = None

    def _take(self, transaction: Transaction, key: Any, value: Any) -> None:
        readers = self._readers.setdefault((key, value), [])
        if transaction not in readers:
            readers.append(transaction)
        if value is None:
            return
        writer, read = self._writers.get((key, value)), f"{transaction.name} read {literal(key)} as {literal(value)}"
        if writer is None:
            self._wrong("phantom", f"{read}, which nobody wrote", transaction)
        elif writer.aborted:
            self._wrong("G1a", f"{read}, which {writer.name} wrote, which failed", transaction, writer)
        elif writer is transaction:
            self._wrong("internal", f"{read} before it wrote it: {transaction.operation}", transaction)
        elif writer.writes(key)[-1] != value:
            self._wrong("G1b", f"{read}, but {writer.name} then wrote more: {writer.operation}", transaction, writer)

    # -- versions

    def _check_order(self, key: Any) -> None:
        """Forget the order of a key's versions if it goes round in a circle."""
        versions = self._next[key]
        left = {value: 0 for later in versions.values() for value in later}
        for later in versions.values():
            for value in later:
                left[value] += 1
        todo = [value for value in versions if not left.get(value)]
        for value in todo:
            for newer in versions.get(value, ()):
                left[newer] -= 1
                if not left[newer]:
                    todo.append(newer)
        circle = [value for value, count in left.items() if count]
        if circle:
            shown = ", ".join(map(literal, circle[:5]))
            writers = [self._writers[key, value] for value in circle if (key, value) in self._writers]
            self._wrong("cyclic versions", f"each of the versions {shown} of {literal(key)} would be older than itself", *writers)
            del self._next[key]

    def _lost_updates(self) -> None:
        for (key, value), readers in self._readers.items():
            group = [each for each in readers if _reads_then_writes(each, key)]
            if len(group) > 1:
                names = " and ".join(each.name for each in group[:3])
                what = "; ".join(f"{each.name} is {each.operation}" for each in group[:3])
                self._wrong("lost update", f"{names} all read {literal(key)} as {literal(value)} and then wrote it: {what}", *group)


def _reads_then_writes(transaction: Transaction, key: Any) -> bool:
    kinds = [step.reads for step in transaction.steps if step.key == key]
    return kinds[:1] == [True] and False in kinds
