"""Strategies: what they make fits schemas, programs take it, and counterexamples are small."""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from bloompy import Bloom, Row, channel, interface, key, lattice, module, periodic, rule, scratch, table
from bloompy.errors import KeyConflict, UsageError
from bloompy.schema import parse_schema
from bloompy.sim.schedule import Schedule
from bloompy.testing import strategies as bst


class Link(Row):
    src: str = key()
    dst: str = key()
    cost: float


class Store(Bloom):
    put = interface.input("k: str -> v: int")
    held = table("k: str -> v: int")
    got = interface.output("k -> v")

    @rule
    def keep(self):
        self.held <+- self.put
        self.got <= self.held


class Program(Bloom):
    link = table(Link)
    pair = table("a, b: int | None")
    low = table("k -> v: lmin, w: lset")
    most = lattice.lmax()
    tagged = table("t: tuple[str, ...], s: frozenset[int] -> x: Literal['u', 'v'], y: tuple[int, str]")
    said = channel("@dst, text: str")
    tick_tock = periodic(1)
    store = module(Store)
    seen = scratch("k -> v")

    @rule
    def all(self):
        self.seen <= ((one.k, one.v) for one in self.store.got)
        self.most <= (one.cost for one in self.link)


TAKING_INPUT = ["link", "pair", "low", "most", "tagged", "said", "store.put"]


@pytest.mark.parametrize("name", TAKING_INPUT)
@given(data=st.data())
def test_rows_fit_their_collection(name, data):
    schema = Program.program_ir.by_name[name].schema
    row = data.draw(bst.rows(schema))
    assert schema.check(name, row) == tuple(row)
    assert row.schema is schema


@given(bst.rows(Program.said, nodes=["x"], text=st.just("hi")))
def test_columns_may_be_given_and_addresses_are_nodes(row):
    assert row == ("x", "hi")


def test_what_is_not_there_is_named():
    with pytest.raises(UsageError, match="there is no column cots"):
        bst.rows(Program.link, cots=st.just(1))
    with pytest.raises(UsageError, match="Program takes no input for store.got"):
        bst.inputs(Program, store__got=st.just(1))
    with pytest.raises(UsageError, match="there is no fault flood to draw"):
        bst.schedules(kinds=["drop", "flood"])

    class Own(lattice.Lattice):
        bottom = 0
        merge = max

    with pytest.raises(UsageError, match="nothing to try for the lattice .*Own"):
        bst.values(Own)

    class Silent(Bloom):
        a = scratch("x")

    with pytest.raises(UsageError, match="Silent takes no input"):
        bst.inputs(Silent)


def test_columns_shrink_to_small_values():
    assert find(bst.rows(Link), lambda row: row.cost > 0.25) == ("a", "a", 0.5)
    assert find(bst.rows(parse_schema("a, b", str)), lambda row: row.a != row.b and None not in row) == (0, 1)


@given(bst.inputs(Program))
def test_a_program_takes_its_input(stream):
    program = Program()
    ticks = bst.feed(program, stream)
    assert [tick.step for tick in ticks] == list(range(1, len(stream) + 1))
    assert program.now == pytest.approx(sum(one.after_s for one in stream))


def test_every_collection_that_takes_input_gets_some():
    unshrunk = settings(phases=[Phase.generate], max_examples=1_000)
    for name in TAKING_INPUT:
        taken = lambda stream, name=name: any(one[1] == name for step in stream for one in step.operations)  # noqa: E731
        find(bst.inputs(Program), taken, settings=unshrunk)
    find(bst.inputs(Program), lambda stream: any(one[0] == "delete" for step in stream for one in step.operations), settings=unshrunk)


@given(bst.inputs(Program, link=st.nothing(), said=st.just(("z", "t"))))
def test_rows_of_collections_may_be_given(stream):
    for step in stream:
        for _, name, rows in step.operations:
            assert name != "link"
            assert name != "said" or set(rows) == {("z", "t")}


def test_a_wrong_program_is_found_with_little_input():
    class Wrong(Bloom):
        given = table("k: str, v: int")
        one = scratch("k -> v")

        @rule
        def lose(self):
            self.one <= self.given

    def conflicts(stream):
        try:
            bst.feed(Wrong(), stream)
        except KeyConflict:
            return True
        return False

    stream = find(bst.inputs(Wrong), conflicts)
    assert stream[0].after_s == 1.0
    assert sum(len(rows) for step in stream for _, _, rows in step.operations) <= 3  # two would do; shrinking promises no least one


def test_feeding_calls_back_after_each_tick():
    steps = []
    bst.feed(Store(), [bst.Input(1.0, [("insert", "put", (("a", 1),))]), bst.Input(2.0, [])], start_s=5.0, each=lambda tick: steps.append(tick.now))
    assert steps == [6.0, 8.0]


@given(bst.schedules(kinds=[*bst.USUAL, "corrupt", "skew"]))
def test_schedules_can_be_said_and_kept(schedule):
    assert Schedule.decode(schedule.encode()) == schedule
    assert len(schedule.words()) == len(schedule) <= 4
    assert all(line.isprintable() for line in schedule.words())


def test_a_node_alone_has_no_frames_to_lose():
    assert {one.kind for one in find(bst.schedules(nodes=["n"]), lambda found: len(found) > 1).decisions} <= {"crash", "pause"}
    assert find(bst.schedules(nodes=["n"], kinds=["drop"]), lambda found: True) == Schedule()


@given(st.from_type(Link))
def test_hypothesis_knows_row_classes(row):
    assert isinstance(row, Link)
    assert type(row.cost) is float
    assert row.cost == row.cost


@pytest.mark.parametrize("first", ["import bloompy, hypothesis", "import hypothesis, bloompy"])
def test_row_classes_are_known_without_importing_the_strategies(first, tmp_path):
    code = f"""
{first}
from hypothesis import find, strategies as st
class Link(bloompy.Row):
    src: str = bloompy.key()
    cost: int
print(tuple(find(st.from_type(Link), lambda row: row.cost > 2)))
"""
    path = tmp_path / "known.py"
    path.write_text(code)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert done.stdout == "('a', 3)\n", done.stderr


def test_literal_types_and_own_classes_have_values():
    assert find(bst.values(Literal["u", "v"]), lambda value: value == "v") == "v"
    with pytest.raises(Unsatisfiable, match="impossible to satisfy"):
        find(bst.values(list), lambda value: True)


def test_importing_hypothesis_loads_little_of_bloompy():
    code = "import sys, hypothesis; print([name for name in sys.modules if name.startswith(('bloompy.engine', 'bloompy.sim', 'bloompy.lang'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
