"""Hypothesis strategies: rows that fit a schema, input for a program, schedules of faults.

    from hypothesis import given
    from bloompy.testing import strategies as bst

    @given(bst.rows(Routes.link), bst.inputs(Routes))
    def test_routes(row, stream): …

Values come from small ranges more often than not, so that joins find partners and keys meet. Rows of a `Row` class are also what
`hypothesis.strategies.from_type` gives.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import field, frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bloompy import Bloom, Tick
from bloompy.declarations import Collection
from bloompy.errors import UsageError
from bloompy.ir.nodes import Collection as Declared
from bloompy.lattices import Lattice, is_lattice
from bloompy.schema import Row, Schema
from bloompy.sim.schedule import Decision, Schedule
from bloompy.testing.laws import values_of

NODES = ("a", "b", "c")
"""Addresses, where none are given."""

_SMALL_INTEGERS = st.integers(0, 5)
_PLAIN: Mapping[Any, SearchStrategy[Any]] = {
    int: _SMALL_INTEGERS | st.integers(),
    float: st.sampled_from([0.0, 0.5, 1.0, 2.5]) | st.floats(allow_nan=False),
    str: st.sampled_from("abc") | st.text(max_size=8),
    bytes: st.binary(max_size=8),
    bool: st.booleans(),
    type(None): st.none(),
}


def rows(
    of: Collection[Any, *tuple[Any, ...]] | Schema | type[Row], *, nodes: Sequence[str] = NODES, **columns: SearchStrategy[Any]
) -> SearchStrategy[Any]:
    """Rows that fit a collection, with named columns.

    Args:
        of: collection (declared or of an instance), schema or Row class.
        nodes: what stands in the address column of a channel.
        **columns: strategies of some columns, in place of those found by type.

    Raises:
        UsageError: for a column that there is not, or a type for which hypothesis has no strategy.
    """
    schema = of if isinstance(of, Schema) else of.schema
    unknown = [name for name in columns if name not in schema.index]
    if unknown:
        raise UsageError(f"there is no column {', '.join(unknown)}", hint=f"the columns are {schema}")
    parts = [_column(schema, i, nodes, columns) for i in range(schema.width)]
    return st.tuples(*parts).map(schema.row.make)


def values(type_: Any) -> SearchStrategy[Any]:
    """Hashable values that a column of a type takes; NaN is not among them."""
    if type_ is Any or type_ is object:
        return _SMALL_INTEGERS | st.sampled_from("abc") | st.none()
    if isinstance(type_, type) and type_ in _PLAIN:
        return _PLAIN[type_]
    if type_ is None:
        return st.none()
    if is_lattice(type_):
        return _lattice(type_)
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is typing.Union or origin is types.UnionType:
        return st.one_of(*sorted(map(values, arguments), key=lambda one: one is not _PLAIN[type(None)]))
    if origin is tuple and arguments:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return st.lists(values(arguments[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, arguments))
    if origin is frozenset and arguments:
        return st.frozensets(values(arguments[0]), max_size=3)
    return st.from_type(type_).filter(_hashable)


def _column(schema: Schema, i: int, nodes: Sequence[str], given: Mapping[str, SearchStrategy[Any]]) -> SearchStrategy[Any]:
    column = schema.columns[i]
    if column.name in given:
        return given[column.name]
    return st.sampled_from(list(nodes)) if column.address else values(column.type)


def _lattice(lattice: type[Lattice]) -> SearchStrategy[Any]:
    found = values_of(lattice)
    if found is None:
        raise UsageError(f"there is nothing to try for the lattice {lattice.__qualname__}", hint="give the column a strategy of its own")
    return found


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return bool(value == value)


# --- input of a program -----------------------------------------------------------------------------------------

Operation: TypeAlias = "tuple[str, str, tuple[Any, ...]]"
"""What to do ("insert", "upsert" or "delete"), the collection's full name, rows."""


@frozen
class Input:
    """What goes into one tick.

    Attributes:
        after_s: seconds since the tick before; timers fire by them.
        operations: in the order in which they are staged.
    """

    after_s: float
    operations: tuple[Operation, ...] = field(converter=tuple)


Stream: TypeAlias = "list[Input]"
"""Input for some ticks."""


def inputs(
    program: type[Bloom], *, ticks: int = 5, nodes: Sequence[str] = NODES, **collections: SearchStrategy[Any]
) -> SearchStrategy[Stream]:
    """Input for a program stepped by hand: rows for its tables, inputs, channels and loopbacks; see `feed`.

    Tables that no rule fills get inserts where all columns are the key, else upserts, which never conflict, and deletions; those that
    rules fill get rows where they are named below.

    Args:
        program: the class.
        ticks: most ticks.
        nodes: what stands in address columns.
        **collections: strategies of the rows of some collections (`kvs__put` for the collection `kvs.put` of an inner module); with
            `st.nothing()` a collection gets none.
    """
    known = {one.name: one for one in program.program_ir.collections if one.kind in ("table", "input", "channel", "loopback")}
    known.pop("dead_letter", None)
    given = {name.replace("__", "."): strategy for name, strategy in collections.items()}
    unknown = [name for name in given if name not in known]
    if unknown:
        hint = f"it does for {', '.join(known) or 'nothing'}"
        raise UsageError(f"{program.__qualname__} takes no input for {', '.join(unknown)}", hint=hint)
    if not known:
        raise UsageError(f"{program.__qualname__} takes no input", hint="it has neither table, input, channel nor loopback")
    filled = {rule.head for rule in program.program_ir.rules if rule.statement >= 0 and rule.operator not in ("<-", "=")}
    usual = [name for name, one in known.items() if name in given or one.kind != "table" or one.lattice or name not in filled]
    possible = [(known[name], given.get(name, rows(known[name].schema, nodes=nodes))) for name in usual]
    parts = [_operations(one, strategy) for one, strategy in possible if not strategy.is_empty]
    step = st.builds(Input, st.sampled_from([1.0, 0.0, 0.5, 10.0]), st.lists(st.one_of(*parts), max_size=4, unique_by=lambda one: one[:2]))
    return st.lists(step, min_size=1, max_size=ticks)


def feed(program: Bloom, stream: Sequence[Input], *, start_s: float = 0.0, each: Callable[[Tick], object] | None = None) -> list[Tick]:
    """Step a program by hand through a stream.

    Args:
        program: an instance, which may have ticked.
        stream: its input.
        start_s: time before the first tick, in seconds.
        each: called with every tick when it is done.

    Returns:
        the ticks.
    """
    now, found = start_s, []
    for step in stream:
        now += step.after_s
        for operation, collection, rows in step.operations:
            program._machine.stage(collection, operation, rows)
        found.append(program.tick(now=now))
        if each is not None:
            each(found[-1])
    return found


def _operations(declared: Declared, of: SearchStrategy[Any]) -> SearchStrategy[Operation]:
    put = "upsert" if declared.kind == "table" and not declared.schema.all_key else "insert"
    key: Callable[[Any], Any] = declared.schema.key_of
    some = st.lists(of, min_size=1, max_size=3, unique_by=key).map(tuple)
    puts = st.tuples(st.just(put), st.just(declared.name), some)
    if declared.kind != "table" or declared.lattice:
        return puts
    return puts | st.tuples(st.just("delete"), st.just(declared.name), some)


# --- schedules --------------------------------------------------------------------------------------------------

USUAL = ("drop", "delay", "duplicate", "partition", "crash", "pause")
"""The kinds of faults drawn where none are named."""

_TIMES = st.integers(0, 40).map(lambda n: n / 20)
_SPANS = st.integers(1, 40).map(lambda n: n / 20)


def schedules(*, nodes: Sequence[str] = NODES, kinds: Sequence[str] = USUAL, most: int = 4) -> SearchStrategy[Schedule]:
    """Schedules of faults, for `Simulation(schedule=…)`: early frames, ticks and seconds more often than late ones.

    Args:
        nodes: addresses that they concern.
        kinds: of "drop", "delay", "duplicate", "corrupt", "partition", "crash", "pause" and "skew".
        most: faults.
    """
    unknown = [kind for kind in kinds if kind not in _KINDS]
    if unknown:
        raise UsageError(f"there is no fault {', '.join(unknown)} to draw", hint=f"there are {', '.join(_KINDS)}")
    possible = [kind for kind in kinds if len(nodes) > 1 or kind in _ALONE]
    if not possible:
        return st.just(Schedule())
    decisions = st.one_of(*(_KINDS[kind](list(nodes)) for kind in possible))
    some = st.lists(decisions, max_size=most, unique_by=lambda one: (one.kind, one.at))
    return some.map(lambda found: Schedule(tuple(found)))


def _decision(kind: str, at: SearchStrategy[Any], value: SearchStrategy[Any]) -> SearchStrategy[Decision]:
    return st.builds(Decision, st.just(kind), at, value)


def _frames(nodes: list[str]) -> SearchStrategy[Any]:
    return _two(nodes).flatmap(lambda two: st.integers(1, 12).map(lambda n: (*two, n)))


def _two(nodes: list[str]) -> SearchStrategy[tuple[str, ...]]:
    return st.permutations(nodes).map(lambda order: tuple(order[:2]))


def _partitions(nodes: list[str]) -> SearchStrategy[Decision]:
    def sides(cut: tuple[list[str], int], start: float, more: float, one_way: bool) -> list[Any]:
        order, size = cut
        return [start, start + more, sorted(order[:size]), sorted(order[size:]), one_way]

    cut = st.tuples(st.permutations(nodes), st.integers(1, len(nodes) - 1))
    value = st.builds(sides, cut, _TIMES, _SPANS, st.booleans())
    return _decision("partition", st.tuples(st.integers(0, 3)), value)


def _crashes(nodes: list[str]) -> SearchStrategy[Decision]:
    points = st.sampled_from(["tick", "before_sync", "after_sync", "send", "in_sync"])
    at = st.tuples(st.sampled_from(nodes), points, st.integers(1, 8))
    value = st.tuples(st.none() | _TIMES, st.sampled_from(["crash", "power"])).map(list)
    return _decision("crash", at, value)


_KINDS: Mapping[str, Callable[[list[str]], SearchStrategy[Decision]]] = {
    "drop": lambda nodes: _decision("drop", _frames(nodes), st.just(True)),
    "delay": lambda nodes: _decision("delay", _frames(nodes), _SPANS),
    "duplicate": lambda nodes: _decision("duplicate", _frames(nodes), _TIMES),
    "corrupt": lambda nodes: _decision("corrupt", _frames(nodes), st.integers(0, 99)),
    "partition": _partitions,
    "crash": _crashes,
    "pause": lambda nodes: _decision(
        "pause", st.tuples(st.sampled_from(nodes), st.integers(0, 3)), st.tuples(_TIMES, _SPANS).map(list)
    ),
    "skew": lambda nodes: _decision("skew", st.tuples(st.sampled_from(nodes)), st.integers(-20, 20).filter(bool).map(lambda n: n / 10)),
}
_ALONE = frozenset({"crash", "pause", "skew"})
