"""What list-append transactions show: every read of a list shows all versions before it, in their order."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from attrs import frozen

from bloompy.testing.histories.operation import literal
from bloompy.testing.histories.result import Violation
from bloompy.testing.histories.transactions.graph import RW, WR, WW, Graph
from bloompy.testing.histories.transactions.transaction import Transaction, writers_of


@frozen
class Read:
    """What a transaction saw of others.

    Attributes:
        transaction: it.
        key: of what.
        value: the list without what the transaction itself had appended.
    """

    transaction: Transaction
    key: Any
    value: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.transaction.name} read {literal(self.key)} as {literal(self.value)}"


class Lists:
    """The versions of all lists of a history, as far as they were seen.

    Args:
        transactions: of the history.

    Raises:
        HistoryError: if an element was appended twice by the test.
    """

    def __init__(self, transactions: list[Transaction]) -> None:
        self.violations: list[Violation] = []
        self._transactions = transactions
        self._writers = writers_of(transactions)
        self._reads: dict[Any, list[Read]] = {}
        for transaction in transactions:
            if transaction.committed:
                self._read(transaction)
        self._seen = {(key, element) for key, reads in self._reads.items() for read in reads for element in read.value}
        self._unseen: dict[Any, list[tuple[Any, Transaction]]] = {}
        for (key, element), writer in self._writers.items():
            if self.happened(writer) and (key, element) not in self._seen:
                self._unseen.setdefault(key, []).append((element, writer))
        self._chains = {key: self._chain(key, reads) for key, reads in self._reads.items()}
        self._lost_updates()

    def happened(self, transaction: Transaction) -> bool:
        """Whether a transaction committed: it says so, or nobody knows and its writes were read."""
        if transaction.committed or transaction.aborted:
            return transaction.committed
        return any((step.key, step.value) in self._seen for step in transaction.steps)

    def add_to(self, graph: Graph) -> None:
        """Add what the reads show of the order of transactions."""
        for key, reads in self._reads.items():
            for read in reads:
                self._add_writer(graph, read)
            chain = self._chains[key]
            if chain is not None:
                known = list(self._committed(key, chain))
                self._add_versions(graph, key, known)
                for read in reads:
                    self._add_next(graph, read, known)

    # -- reading

    def _wrong(self, kind: str, text: str, *transactions: Transaction) -> None:
        self.violations.append(Violation(kind, text, tuple(each.operation for each in transactions)))

    def _read(self, transaction: Transaction) -> None:
        """Take in the reads of a transaction, and see whether they agree with each other and with its own writes."""
        own: dict[Any, list[Any]] = {}
        before: dict[Any, tuple[Any, ...]] = {}
        for step in transaction.steps:
            if not step.reads:
                own.setdefault(step.key, []).append(step.value)
                continue
            value, mine = tuple(step.value or ()), tuple(own.get(step.key, ()))
            others = value[: len(value) - len(mine)]
            if value[len(others) :] != mine:
                text = f"{transaction.name} read {literal(step.key)} as {literal(value)} after it had itself appended {literal(mine)}"
                self._wrong("internal", f"{text}: {transaction.operation}", transaction)
                continue
            if before.setdefault(step.key, others) != others:
                text = f"{transaction.name} read {literal(step.key)} as {literal(before[step.key])} and then as {literal(others)}"
                self._wrong("internal", f"{text}, apart from its own: {transaction.operation}", transaction)
            self._take(Read(transaction, step.key, others))

    def _take(self, read: Read) -> None:
        if len(set(read.value)) < len(read.value):
            twice = next(element for i, element in enumerate(read.value) if element in read.value[:i])
            self._wrong("duplicate elements", f"{read}: {literal(twice)} is there twice", read.transaction)
            return
        for element in read.value:
            self._judge(read, element)
        if read.value:
            writer = self._writers.get((read.key, read.value[-1]))
            if writer is not None and writer is not read.transaction and writer.writes(read.key)[-1] != read.value[-1]:
                text = f"{read}, which ends with {literal(read.value[-1])}, but {writer.name} then appended more: {writer.operation}"
                self._wrong("G1b", text, read.transaction, writer)
        self._reads.setdefault(read.key, []).append(read)

    def _judge(self, read: Read, element: Any) -> None:
        writer = self._writers.get((read.key, element))
        if writer is None:
            self._wrong("phantom", f"{read}: nobody appended {literal(element)}", read.transaction)
        elif writer.aborted:
            self._wrong("G1a", f"{read}: {literal(element)} was appended by {writer.name}, which failed", read.transaction, writer)
        elif writer is read.transaction:
            self._wrong("internal", f"{read}: it saw {literal(element)} before it appended it: {writer.operation}", writer)

    # -- versions

    def _chain(self, key: Any, reads: list[Read]) -> tuple[Any, ...] | None:
        """The longest version of a list; None where versions contradict each other."""
        longest = max(reads, key=lambda read: len(read.value))
        for read in reads:
            if longest.value[: len(read.value)] != read.value:
                self._wrong("incompatible order", f"{longest}, but {read}", longest.transaction, read.transaction)
                return None
        self._appended_in_order(longest)
        self._appended_to_aborted(longest)
        return longest.value

    def _appended_in_order(self, longest: Read) -> None:
        """What one transaction appended is there in its order, up to some element."""
        seen: dict[Transaction, list[Any]] = {}
        for element in longest.value:
            writer = self._writers.get((longest.key, element))
            if writer is not None and not writer.aborted:
                seen.setdefault(writer, []).append(element)
        for writer, elements in seen.items():
            if writer.writes(longest.key)[: len(elements)] != elements:
                text = f"{longest}, of which {writer.name} appended {literal(tuple(elements))} in another order, or more before"
                self._wrong("incompatible order", f"{text}: {writer.operation}", longest.transaction, writer)

    def _appended_to_aborted(self, longest: Read) -> None:
        key = longest.key
        aborted = [element for element in longest.value if self._aborted(key, element)]
        for element in aborted[:1]:
            after = longest.value[longest.value.index(element) + 1 :]
            kept = [each for each in after if (key, each) in self._writers and not self._aborted(key, each)]
            if kept:
                writer, other = self._writers[key, element], self._writers[key, kept[0]]
                what = f"was appended to a version with {literal(element)}, of {writer.name}, which failed"
                text = f"{longest}: {literal(kept[0])}, of {other.name}, {what}"
                self._wrong("dirty update", text, other, writer)

    def _aborted(self, key: Any, element: Any) -> bool:
        writer = self._writers.get((key, element))
        return writer is not None and writer.aborted

    def _committed(self, key: Any, chain: tuple[Any, ...]) -> Iterator[tuple[int, Any, Transaction]]:
        """The elements of a version whose transactions committed, with their places."""
        for place, element in enumerate(chain):
            writer = self._writers.get((key, element))
            if writer is not None and not writer.aborted:
                yield place, element, writer

    def _lost_updates(self) -> None:
        """Transactions that read one version and both appended to it."""
        readers: dict[tuple[Any, tuple[Any, ...]], list[Transaction]] = {}
        for key, reads in self._reads.items():
            for read in reads:
                group = readers.setdefault((key, read.value), [])
                if read.transaction not in group and _reads_then_writes(read.transaction, key):
                    group.append(read.transaction)
        for (key, value), group in readers.items():
            if len(group) > 1:
                names = " and ".join(each.name for each in group[:3])
                what = "; ".join(f"{each.name} is {each.operation}" for each in group[:3])
                self._wrong("lost update", f"{names} all read {literal(key)} as {literal(value)} and then appended to it: {what}", *group)

    # -- edges

    def _add_writer(self, graph: Graph, read: Read) -> None:
        writer = self._writers.get((read.key, read.value[-1])) if read.value else None
        if writer is not None and not writer.aborted:
            why = f"{read.transaction.name} read {literal(read.value[-1])}, which {writer.name} appended to {literal(read.key)}"
            graph.add(writer, read.transaction, WR, why)

    def _add_versions(self, graph: Graph, key: Any, known: list[tuple[int, Any, Transaction]]) -> None:
        """Versions replace each other; what was appended and never read comes after all that was."""
        for (_, *first), (_, *then) in pairwise(known):
            graph.add(first[1], then[1], WW, _appended(key, first, then))
        if known:
            _, *last = known[-1]
            for each in self._unseen.get(key, ()):
                graph.add(last[1], each[1], WW, _appended(key, last, each))

    def _add_next(self, graph: Graph, read: Read, known: list[tuple[int, Any, Transaction]]) -> None:
        """Who read a version comes before who replaced it."""
        next_one = bisect.bisect_left(known, len(read.value), key=lambda version: version[0])
        then = [(element, writer) for _, element, writer in known[next_one : next_one + 1]]
        for element, writer in then or self._unseen.get(read.key, []):
            graph.add(read.transaction, writer, RW, f"{read}, without {literal(element)}, which {writer.name} appended")


def _appended(key: Any, first: Sequence[Any], then: Sequence[Any]) -> str:
    return f"{first[1].name} appended {literal(first[0])} to {literal(key)} before {then[1].name} appended {literal(then[0])}"


def _reads_then_writes(transaction: Transaction, key: Any) -> bool:
    """Whether a transaction read a key, then wrote it, and committed."""
    kinds = [step.reads for step in transaction.steps if step.key == key]
    return kinds[:1] == [True] and False in kinds
