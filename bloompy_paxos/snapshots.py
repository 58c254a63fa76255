"""Which tables are the state behind a log, and the rules that put them into snapshots: programs to programs (design §4).

A state machine says by a class keyword what its state is, `class Accounts(ReplicatedState, state=("kvs", "account"))`: durable
tables, and inner modules, of which all durable tables count. They become delayed, since the log has all that they are made from, and for
each of them, T, rules are added that a program could write, but for the privacy of inner modules:

    self.log.image <= (("T", (x.key, x.value)) for w in self.log.wanted for x in self.T)
    self.T <- (x for r in self.log.restoring for x in self.T)
    self.T <+- ((r.row[0], r.row[1]) for r in self.log.restored if r.table == "T")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import attrs

from bloompy import Bloom
from bloompy.errors import DeclarationError
from bloompy.ir.nodes import (
    Collection,
    Condition,
    Const,
    Expression,
    Field,
    Lookup,
    Operator,
    Program,
    Python,
    RowVariable,
    Rule,
    Scan,
    Select,
)
from bloompy.lang.hints import did_you_mean
from bloompy.span import UNKNOWN, Span

SNAPSHOT_BYTES = 1024 * 1024 * 1024
"""For `Limits.outgoing_bytes` of replicas: a state leaves as what one tick sends, so a larger one reaches nobody that lags."""
LABEL = "snapshots"
"""The rules are told as those of a method of this name."""


def with_snapshots(program: Program, state: Sequence[str], log: str = "log", span: Span = UNKNOWN) -> Program:
    """The program with some tables delayed, and put into the snapshots of its log.

    Args:
        program: the program. Where it has no log, as a base class may not, no rules are added.
        state: names of durable tables, or of inner modules with durable tables.
        log: the prefix of the log's collections `image`, `wanted`, `restoring`, `restored`.
        span: where the state was named, for messages.

    Raises:
        DeclarationError: for a name that is neither.
    """
    tables = dict.fromkeys(table for name in state for table in _tables(program, name, log, span))
    collections = tuple(attrs.evolve(one, delayed=True) if one.name in tables else one for one in program.collections)
    rules: list[Rule] = []
    if f"{log}.image" in program.by_name:
        label = f"{program.name.rpartition('.')[2]}.{LABEL}"
        for table in tables:
            for head, operator, query in _queries(program.by_name[table], log, span):
                rules.append(Rule(label, len(rules), "rule", head, operator, query, span=span))
    return attrs.evolve(program, collections=collections, rules=(*program.rules, *rules))


def _tables(program: Program, name: str, log: str, span: Span) -> list[str]:
    """The durable tables that a name of the state stands for."""
    if name == log:
        hint = "name the tables that its decrees fill"
        raise DeclarationError(f"{program.name}: the log {name!r} is no part of the state", span, hint=hint)
    below = [one for one in program.collections if one.name == name or one.name.startswith(f"{name}.")]
    found = [one.name for one in below if one.durable]
    if found:
        return found
    if not below:
        known = _known(program, log)
        there = f"it has {', '.join(known)}" if known else "it has none: declare a table with durable=True"
        hint = did_you_mean(name, known, there)
        raise DeclarationError(f"{program.name} has no durable table or module {name!r} to be its state", span, hint=hint)
    if below[0].name == name:
        hint = "declare it with durable=True" if below[0].kind == "table" else "only tables with durable=True are state"
        raise DeclarationError(f"{program.name}: the {below[0].kind} {name!r} is not durable, so it cannot be state", span, hint=hint)
    raise DeclarationError(f"{program.name}: the module {name!r} has no durable tables to be state", span, hint="leave it out")


def _known(program: Program, log: str) -> list[str]:
    """What may be named: own durable tables, and modules that have some."""
    return list(dict.fromkeys(first for one in program.collections if one.durable and (first := one.name.partition(".")[0]) != log))


# --- the rules of one table --------------------------------------------------------------------------------------


def _queries(table: Collection, log: str, span: Span) -> Iterator[tuple[str, Operator, Select]]:
    """What the rules fill, how, and with what."""
    wanted, restoring, restored = (f"{log}.{name}" for name in ("wanted", "restoring", "restored"))
    columns = _columns(table, span)
    row = Python("(_0,)" if len(columns) == 1 else f"({', '.join(f'_{i}' for i in range(len(columns)))})", columns, span)
    scan = () if table.lattice else (Scan("x", table.name, span),)
    yield f"{log}.image", "<=", Select((Const(table.name, span), row), (Scan("w", wanted, span), *scan), span)
    if not table.lattice:
        yield table.name, "<-", Select(columns, (Scan("r", restoring, span), *scan), span)
    piece = RowVariable("r", restored, span)
    of_table = Condition(Python("_0 == _1", (Field(piece, "table", 0, span), Const(table.name, span)), span), span)
    values = tuple(Python("_0[_1]", (Field(piece, "row", 1, span), Const(i, span)), span) for i in range(len(columns)))
    # A lattice only grows, and the state that is put in its place is ahead of it.
    yield table.name, "<+" if table.lattice else "<+-", Select(values, (Scan("r", restored, span), of_table), span)


def _columns(table: Collection, span: Span) -> tuple[Expression, ...]:
    """The columns of a row of the table; of a lattice, its value."""
    if table.lattice:
        return (Field(Lookup(table.name, Python("()", (), span), span), "value", 0, span),)
    row = RowVariable("x", table.name, span)
    return tuple(Field(row, name, i, span) for i, name in enumerate(table.schema.names))


# --- the class keyword -------------------------------------------------------------------------------------------


class Snapshots(Bloom):
    """Programs whose state goes into the snapshots of a log: takes the class keyword `state`.

    Args (of the class):
        state: names of durable tables, or of inner modules with durable tables. What base classes named stays.

    A class that names what it does not have, or what is not durable, raises a DeclarationError.
    """

    LOG: ClassVar[str] = "log"
    """The name of the log among the modules."""

    _state_names: ClassVar[tuple[str, ...]] = ()
    _state_span: ClassVar[Span] = UNKNOWN

    def __init_subclass__(cls, *, state: Iterable[str] = (), **options: Any) -> None:
        cls._state_span = Span.of_caller()
        named = [state] if isinstance(state, str) else list(state)
        for base in cls.__mro__[1:]:
            named += vars(base).get("_state_names", ())
        cls._state_names = tuple(dict.fromkeys(named))
        super().__init_subclass__(**options)

    @classmethod
    def _rewritten(cls, program: Program) -> Program:
        return with_snapshots(super()._rewritten(program), cls._state_names, cls.LOG, cls._state_span)
