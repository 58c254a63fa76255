"""Trying whether order shows: one program, the same inputs, many orders, groupings and repetitions.

What `bloompy.analysis.order` claims of all runs is tried here on some: a program without points of order must end with the same
tables and have sent the same messages whatever the schedule, and for another one two runs that differ are searched for and shown
with as few inputs as possible. `docs/calm.md` tells what counts as the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from random import Random
from typing import Any, TypeAlias

from attrs import define, field, frozen

from bloompy.analysis.order import Order, order
from bloompy.engine.machine import Machine
from bloompy.engine.tick import Batch, PlainRow, Tick
from bloompy.ir.nodes import Parameter
from bloompy.program import Bloom, machine_of
from bloompy.runtime.splitting import Part, batch_of, letters, units

Inputs: TypeAlias = "Mapping[str, Iterable[Any]]"
"""Rows by collection: inputs, channels, loopbacks, stdio, and tables into which rows are inserted."""


@frozen
class Item:
    """One row that comes to a node."""

    node: str
    collection: str
    row: PlainRow

    def __str__(self) -> str:
        return f"{self.collection}{_shown(self.row)}"


Plan: TypeAlias = "tuple[tuple[Item, ...], ...]"
"""Which inputs come in which tick; messages of the nodes to each other come in the tick after they were sent."""


@frozen
class Outcome:
    """What can be told of a run when it is over.

    Attributes:
        tables: by (node, table) the rows at the end.
        sent: by channel the rows that were sent at any time, by (node, output) those that ever held; where value columns are
            lattices, the rows of one key merged.
        errors: what raised, by the input that did it alone.
        settled: whether it came to rest.
    """

    tables: Mapping[tuple[str, str], frozenset[PlainRow]]
    sent: Mapping[tuple[str, str], frozenset[PlainRow]]
    errors: frozenset[str]
    settled: bool = field(eq=False)


@frozen
class Run:
    """One run: the items of each tick that had some, and what came of it."""

    ticks: tuple[tuple[Item, ...], ...]
    outcome: Outcome

    def __str__(self) -> str:
        return "\n".join(f"  tick {i}: {', '.join(map(str, items))}" for i, items in enumerate(self.ticks, 1))


@frozen
class Difference:
    """Two runs with the same inputs that end differently.

    Attributes:
        program: its name.
        inputs: as few as were found to do.
        first, second: the runs.
    """

    program: str
    inputs: tuple[Item, ...]
    first: Run
    second: Run

    def __str__(self) -> str:
        lines = [f"two runs of {self.program} with the same {_count(len(self.inputs), 'input')} end differently"]
        lines += ["first run:", str(self.first), "second run:", str(self.second)]
        for what, one, other in self._sides():
            for name in {**one, **other}:
                mine, theirs = one.get(name, frozenset()), other.get(name, frozenset())
                if mine != theirs:
                    lines.append(f"{what} {_of_node(name)}:")
                    lines += _rows("in both runs", mine & theirs)
                    lines += [*_rows("in the first only", mine - theirs), *_rows("in the second only", theirs - mine)]
        if self.first.outcome.errors != self.second.outcome.errors:
            lines += ["raised:", *_errors("in the first only", self.first.outcome.errors - self.second.outcome.errors)]
            lines += _errors("in the second only", self.second.outcome.errors - self.first.outcome.errors)
        return "\n".join(lines)

    def _sides(self) -> Iterator[tuple[str, Mapping[Any, Any], Mapping[Any, Any]]]:
        yield "table", self.first.outcome.tables, self.second.outcome.tables
        yield "sent or shown", self.first.outcome.sent, self.second.outcome.sent


@frozen
class Confluence:
    """What a check found.

    Attributes:
        order: what the analysis says.
        runs: how many runs were compared.
        difference: two that differ, or None.
        unsettled: how many did not come to rest, and were left out.
    """

    order: Order
    runs: int
    difference: Difference | None
    unsettled: int = 0

    def __str__(self) -> str:
        points = len(self.order.points)
        said = f"the analysis finds {_count(points, 'point')} of order" if points else "the analysis finds no point of order"
        if self.difference is None:
            return f"{said}; {_count(self.runs, 'run')} ended alike"
        return f"{said}; {self.difference}"


def check_confluence(
    program: type[Bloom],
    inputs: Inputs,
    *,
    given: Inputs | None = None,
    nodes: Sequence[str] = ("local",),
    runs: int = 100,
    seed: int = 0,
    evaluator: str = "codegen",
    changing: Sequence[str] = (),
    confluent: bool | None = None,
    **parameters: Any,
) -> Confluence:
    """Run a program with the same inputs in many orders, groupings and repetitions, and compare the ends.

        found = check_confluence(Cart, {"add": [("ann", "milk")], "checkout": [("ann",)]})
        assert found.difference is None, found

    Args:
        program: the class; every node runs it.
        inputs: rows that come from outside at any time. A channel's go to the node that they name, others to the first node.
        given: rows of tables that are there before the first input, at every node.
        nodes: addresses. Messages to others are noted as sent.
        runs: how many are tried.
        seed: of the schedules.
        evaluator: as of `Bloom`.
        changing: tables of `inputs` are taken as such by the analysis; further ones.
        confluent: what is expected. True: a difference is an error. False: finding none is. None: a difference is an error if
            the analysis found no point of order.
        **parameters: of the program.

    Raises:
        AssertionError: for what is not as expected, with the smallest difference that was found.
    """
    tables = {one.name for one in program.program_ir.collections if one.kind == "table"}
    analysed = order(program.program_ir, {*changing, *(name for name in inputs if name in tables)})
    search = _Search(program, _items(program, inputs, nodes), given or {}, tuple(nodes), evaluator, parameters)
    found = search.explore(analysed, runs, Random(seed))
    expected = confluent if confluent is not None else (True if not analysed.points else None)
    if expected is True and found.difference is not None:
        raise AssertionError(str(found))
    if expected is False and found.difference is None:
        raise AssertionError(f"{program.__qualname__}: {found}, though order was expected to show")
    return found


def runs_of(
    program: type[Bloom],
    inputs: Inputs,
    *,
    given: Inputs | None = None,
    nodes: Sequence[str] = ("local",),
    runs: int = 100,
    seed: int = 0,
    evaluator: str = "codegen",
    **parameters: Any,
) -> Iterator[Run]:
    """The runs that `check_confluence` compares, for checks of one's own; its arguments."""
    search = _Search(program, _items(program, inputs, nodes), given or {}, tuple(nodes), evaluator, parameters)
    yield from search.runs(search.items, runs, Random(seed))


# --- searching --------------------------------------------------------------------------------------------------


@frozen
class _Search:
    program: type[Bloom]
    items: tuple[Item, ...]
    given: Inputs
    nodes: tuple[str, ...]
    evaluator: str
    parameters: Mapping[str, Any]

    def explore(self, analysed: Order, runs: int, random: Random) -> Confluence:
        """Run, and where two ends differ make the inputs fewer."""
        done, unsettled = 0, 0
        first: Run | None = None
        for run in self.runs(self.items, runs, random):
            done += 1
            if not run.outcome.settled:
                unsettled += 1
            elif first is None:
                first = run
            elif run.outcome != first.outcome:
                return Confluence(analysed, done, self._smallest(first, run, random), unsettled)
        return Confluence(analysed, done, None, unsettled)

    def runs(self, items: tuple[Item, ...], number: int, random: Random) -> Iterator[Run]:
        """One by one, all at once, one by one backwards, and then at random."""
        plans = [tuple((item,) for item in items), (items,), tuple((item,) for item in reversed(items))]
        for plan in plans[: number if items else 1]:
            yield self.run(plan)
        for _ in range(max(number - len(plans), 0)):
            yield self.run(None, items, Random(random.getrandbits(64)))

    def _smallest(self, first: Run, second: Run, random: Random) -> Difference:
        best = Difference(self.program.__qualname__, self.items, first, second)
        shrunk = True
        while shrunk:
            shrunk = False
            for i in range(len(best.inputs)):
                fewer = best.inputs[:i] + best.inputs[i + 1 :]
                pair = self._differing(fewer, random)
                if pair is not None:
                    best, shrunk = Difference(best.program, fewer, *pair), True
                    break
        pair = self._differing(best.inputs, random)
        return Difference(best.program, best.inputs, *pair) if pair is not None else best

    def _differing(self, items: tuple[Item, ...], random: Random) -> tuple[Run, Run] | None:
        """Two runs that differ, those with few ticks first."""
        tried: list[Run] = []
        for run in (*map(self.run, _plans(items)), *self.runs(items, 60, random)) if len(items) <= 3 else self.runs(items, 60, random):
            if run.outcome.settled:
                other = next((one for one in tried if one.outcome != run.outcome), None)
                if other is not None:
                    return other, run
                tried = tried or [run]
        return None

    def run(self, plan: Plan | None, items: tuple[Item, ...] = (), random: Random | None = None) -> Run:
        """One run, by a plan or at random."""
        execution = _Execution(self.program, self.nodes, self.given, self.evaluator, self.parameters)
        if plan is not None:
            execution.follow(plan)
        else:
            assert random is not None
            execution.wander(items, random)
        return Run(tuple(execution.ticks), execution.outcome())


def _plans(items: tuple[Item, ...]) -> Iterator[Plan]:
    """All orders and groupings of a few items, and each item twice."""
    for ordered in dict.fromkeys(permutations(items)):
        for cuts in range(2 ** max(len(items) - 1, 0)):
            plan: list[list[Item]] = [[]]
            for i, item in enumerate(ordered):
                plan[-1].append(item)
                if i + 1 < len(items) and cuts >> i & 1:
                    plan.append([])
            batches = tuple(map(tuple, plan))
            yield batches
            for item in items:
                yield (*batches, (item,))


def _items(program: type[Bloom], inputs: Inputs, nodes: Sequence[str]) -> tuple[Item, ...]:
    found = []
    for name, rows in inputs.items():
        schema = program.program_ir.by_name[name].schema
        for given in rows:
            row = schema.check(name, given)
            found.append(Item(nodes[0] if schema.address is None else row[schema.address], name, row))
    return tuple(found)


# --- running ----------------------------------------------------------------------------------------------------


_MOST_TICKS = 300
_MOST_ARRIVALS = 3
"""So often at most one message comes, however often it is sent."""
_REST = 3
"""So many ticks without any change are rest, if timers fired in them."""


@define
class _Execution:
    """Some nodes, and what is under way between them."""

    program: type[Bloom]
    nodes: tuple[str, ...]
    given: Inputs
    evaluator: str
    parameters: Mapping[str, Any]
    machines: dict[str, Machine] = field(init=False)
    under_way: list[Item] = field(factory=list)
    arrived: dict[Item, int] = field(factory=dict)
    ticks: list[tuple[Item, ...]] = field(factory=list)
    now: float = 0.0
    errors: set[str] = field(factory=set)
    settled: bool = True
    _sent: dict[tuple[str, str], dict[Any, PlainRow]] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.machines = {me: machine_of(self.program(me, evaluator=self.evaluator, **self.parameters)) for me in self.nodes}
        for machine in self.machines.values():
            for name, rows in self.given.items():
                machine.stage(name, "insert", tuple(rows))
            self._note(machine, machine.run(machine.take(self.now)))

    def follow(self, plan: Plan) -> None:
        """The inputs by a plan, messages as soon as they can come."""
        for batch in plan:
            waiting, self.under_way = self.under_way, []
            self.deliver((*batch, *waiting))
        self.settle()

    def wander(self, items: tuple[Item, ...], random: Random) -> None:
        """All in any order, some twice, and time passing."""
        self.under_way += items
        while self.under_way and len(self.ticks) < _MOST_TICKS:
            if random.random() < 0.3:
                self.now += random.choice([0.1, 1.0, 5.0])
            if random.random() < 0.15:
                self.tick(random.choice(self.nodes), ())
            size = min(random.choice([1, 1, 1, 2, 2, 3, 5, 100]), len(self.under_way))
            batch = random.sample(self.under_way, size)
            for item in batch:
                self.under_way.remove(item)
            again = [item for item in batch if item not in self.arrived and random.random() < 0.3]
            self.deliver(batch)
            self.under_way += again
        self.settle()

    def settle(self) -> None:
        """Go on until nothing changes any more, though timers fire."""
        step = max((_period(machine) for machine in self.machines.values()), default=0.0)
        still, held = 0, None
        for _ in range(_MOST_TICKS):
            waiting = [item for item in dict.fromkeys(self.under_way) if item not in self.arrived]
            self.under_way = []
            self.now += step
            self.deliver(waiting)
            for node in self.nodes:
                self.tick(node, ())
            state = (self._tables(), {name: set(rows.values()) for name, rows in self._sent.items()})
            still = still + 1 if state == held and not any(item not in self.arrived for item in self.under_way) else 0
            held = state
            if still >= _REST:
                return
        self.settled = False

    def deliver(self, items: Iterable[Item]) -> None:
        """Items in one tick of each node that has some."""
        by_node: dict[str, list[Item]] = {}
        for item in items:
            by_node.setdefault(item.node, []).append(item)
        for node, batch in by_node.items():
            if node in self.machines:
                for item in batch:
                    self.arrived[item] = self.arrived.get(item, 0) + 1
                self.ticks.append(tuple(batch))
                self.tick(node, batch)

    def tick(self, node: str, items: Iterable[Item]) -> None:
        """One tick; if it raises, its input in parts, as a node does it."""
        machine = self.machines[node]
        for item in items:
            table = machine.program.by_name[item.collection].kind == "table"
            if table:
                machine.stage(item.collection, "insert", (item.row,))
            else:
                machine.deliver(item.collection, item.row)
        self._run(machine, machine.take(self.now))

    def _run(self, machine: Machine, batch: Batch) -> None:
        try:
            tick = machine.run(batch)
        except Exception as error:
            self._split(machine, batch, error)
        else:
            self._note(machine, tick)

    def _split(self, machine: Machine, batch: Batch, error: Exception) -> None:
        parts = units(batch)
        if not parts:
            self.errors.add(f"{type(error).__name__}: a tick without input")
            return
        if len(parts) == 1:  # perhaps the tick fails without it too, or it was only in bad company
            self._run(machine, batch_of(machine, Part((), letters(batch), self.now)))
            try:
                tick = machine.run(batch_of(machine, Part(parts, {}, self.now)))
            except Exception as again:
                self.errors.add(f"{type(again).__name__}: {parts[0].collection}{_shown(parts[0].row)}")
            else:
                self._note(machine, tick)
            return
        half = len(parts) // 2
        self._run(machine, batch_of(machine, Part(parts[:half], letters(batch), self.now)))
        self._run(machine, batch_of(machine, Part(parts[half:], {}, self.now)))

    def _note(self, machine: Machine, tick: Tick) -> None:
        for name, rows in tick.sent.items():
            collection = machine.program.by_name[name]
            address = collection.schema.address
            for row in rows:
                self._see((machine.me if collection.kind in ("loopback", "stdio") else "", name), machine, row)
                item = Item(machine.me if address is None else row[address], name, row)
                if collection.kind != "stdio" and item.node in self.machines and self.arrived.get(item, 0) < _MOST_ARRIVALS:
                    self.under_way.append(item)
        for collection in machine.program.collections:
            if collection.kind == "output" and "." not in collection.name:
                for row in machine.evaluator.read(collection.name).values():
                    self._see((machine.me, collection.name), machine, row)

    def _see(self, name: tuple[str, str], machine: Machine, row: PlainRow) -> None:
        schema = machine.program.by_name[name[1]].schema
        seen = self._sent.setdefault(name, {})
        key = schema.key_of(row) if schema.lattices else row
        seen[key] = schema.merged(name[1], seen[key], row) if schema.lattices and key in seen else row

    def _tables(self) -> dict[tuple[str, str], frozenset[PlainRow]]:
        return {
            (me, one.name): frozenset(machine.evaluator.read(one.name).values())
            for me, machine in self.machines.items()
            for one in machine.program.collections
            if one.kind == "table" and one.name != "dead_letter"
        }

    def outcome(self) -> Outcome:
        """What can be told at the end."""
        sent = {name: frozenset(rows.values()) for name, rows in self._sent.items()}
        return Outcome(self._tables(), sent, frozenset(self.errors), self.settled)


def _period(machine: Machine) -> float:
    """The longest period of a timer, in seconds."""
    values = machine.evaluator.environment.parameters
    periods = (one.period for one in machine.program.collections if one.kind == "periodic")
    return max((float(values[each.name] if isinstance(each, Parameter) else each or 0) for each in periods), default=0.0)


# --- showing ----------------------------------------------------------------------------------------------------


def _shown(row: PlainRow) -> str:
    return f"({', '.join(map(repr, row))})"


def _of_node(name: tuple[str, str]) -> str:
    return f"{name[1]} of {name[0]}" if name[0] not in ("", "local") else name[1]


def _rows(what: str, rows: Iterable[PlainRow]) -> list[str]:
    shown = sorted(map(_shown, rows))
    return [f"  {what}: {', '.join(shown[:8])}{', …' if len(shown) > 8 else ''}"] if shown else []


def _errors(what: str, errors: Iterable[str]) -> list[str]:
    return [f"  {what}: {one}" for one in sorted(errors)]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
