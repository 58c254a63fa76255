"""The graph of dependencies between transactions."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from attrs import define, field, frozen

from bloompy.testing.histories.operation import seconds
from bloompy.testing.histories.transactions.transaction import Transaction

WW, WR, RW, PROCESS, REALTIME = "ww", "wr", "rw", "process", "realtime"


@frozen(eq=False)
class Edge:
    """One transaction comes before another.

    Attributes:
        before, after: the transactions.
        kind: "ww": wrote the version that the other replaced; "wr": wrote what the other read; "rw": read what the other replaced;
            "process": was done first by one process; "realtime": was over when the other began.
        why: in words.
    """

    before: Transaction
    after: Transaction
    kind: str
    why: str


@define
class Graph:
    """Transactions and what orders them. Of edges of one kind between the same two the first is kept."""

    edges: dict[Transaction, dict[tuple[Transaction, str], Edge]] = field(factory=dict)

    def add(self, before: Transaction, after: Transaction, kind: str, why: str) -> None:
        """Note that a transaction comes before another one."""
        if before is not after:
            self.edges.setdefault(before, {}).setdefault((after, kind), Edge(before, after, kind, why))

    def after(self, transaction: Transaction, kinds: Collection[str]) -> Iterator[Edge]:
        """The edges of some kinds from a transaction."""
        return (edge for (_, kind), edge in self.edges.get(transaction, {}).items() if kind in kinds)

    def components(self, kinds: Collection[str]) -> list[list[Transaction]]:
        """The strongly connected components of more than one transaction (Tarjan 1972), with edges of these kinds only."""
        return _Components(self, kinds).found


def add_orders(graph: Graph, transactions: list[Transaction]) -> None:
    """Add the orders of processes and of real time; of the latter only edges that do not follow from others."""
    last: dict[object, Transaction] = {}
    for transaction in transactions:
        operation = transaction.operation
        before = last.get(operation.process)
        if before is not None and before.operation.precedes(operation):
            why = f"{operation.process} did {before.name} before {transaction.name}"
            graph.add(before, transaction, PROCESS, why)
        if transaction.committed:
            last[operation.process] = transaction
    events = [(each.operation.invoked, False, each) for each in transactions]
    events += [(each.operation.completed, True, each) for each in transactions if each.committed and each.operation.completed is not None]
    over: dict[Transaction, None] = {}
    earlier: dict[Transaction, list[Transaction]] = {}
    for _, ends, transaction in sorted(events, key=lambda event: event[0]):
        if ends:
            for each in earlier[transaction]:
                over.pop(each, None)
            over[transaction] = None
        else:
            earlier[transaction] = list(over)
            for each in over:
                why = (
                    f"{each.name} was over at {seconds(each.operation.end_s)}, before {transaction.name} began at "
                    f"{seconds(transaction.operation.start_s)}"
                )
                graph.add(each, transaction, REALTIME, why)


class _Components:
    """Tarjan's algorithm, without recursion."""

    def __init__(self, graph: Graph, kinds: Collection[str]) -> None:
        self._graph, self._kinds = graph, kinds
        self._index: dict[Transaction, int] = {}
        self._low: dict[Transaction, int] = {}
        self._stack: list[Transaction] = []
        self._on_stack: set[Transaction] = set()
        self.found: list[list[Transaction]] = []
        for transaction in graph.edges:
            if transaction not in self._index:
                self._visit(transaction)

    def _enter(self, transaction: Transaction) -> tuple[Transaction, Iterator[Edge]]:
        self._index[transaction] = self._low[transaction] = len(self._index)
        self._stack.append(transaction)
        self._on_stack.add(transaction)
        return transaction, self._graph.after(transaction, self._kinds)

    def _visit(self, root: Transaction) -> None:
        path = [self._enter(root)]
        while path:
            transaction, edges = path[-1]
            for edge in edges:
                if edge.after not in self._index:
                    path.append(self._enter(edge.after))
                    break
                if edge.after in self._on_stack:
                    self._low[transaction] = min(self._low[transaction], self._index[edge.after])
            else:
                path.pop()
                if path:
                    parent = path[-1][0]
                    self._low[parent] = min(self._low[parent], self._low[transaction])
                if self._low[transaction] == self._index[transaction]:
                    self._leave(transaction)

    def _leave(self, root: Transaction) -> None:
        component: list[Transaction] = []
        while not component or component[-1] is not root:
            component.append(self._stack.pop())
            self._on_stack.discard(component[-1])
        if len(component) > 1:
            self.found.append(component[::-1])
