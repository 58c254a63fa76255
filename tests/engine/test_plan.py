"""Join orders: chosen by what is bound, never at the expense of a guard."""

from __future__ import annotations

import pytest

from bloompy import Bloom, exec_source, rule, scratch, table
from bloompy.engine import plan as planning
from bloompy.engine.lower import lower
from bloompy.engine.plan import Drive, Find, Layout, Probe, ScanAll, plan
from bloompy.errors import UnsupportedStatement

TESTED = planning.Test


class Joins(Bloom):
    a = table("k -> v")
    b = table("x, y")
    out = scratch("v, y")

    @rule
    def rules(self):
        self.out <= ((p.v, q.y) for p in self.a for q in self.b if p.v > 0 and p.k == q.x)


def steps(program: type[Bloom], driver: int | None):
    lowered = lower(program.program_ir, frozenset(), False)
    [derivation] = [one for component in lowered.components for one in component.derivations]
    layouts = {name: Layout(one.kind, one.schema.key_indexes, one.schema.width) for name, one in lowered.relations.items()}
    return plan(derivation.query.body, layouts, driver)


def test_in_full_a_query_starts_as_written_and_probes_an_index():
    assert [type(step) for step in steps(Joins, None)] == [ScanAll, TESTED, Probe]


def test_driven_from_the_other_side_it_finds_by_key():
    assert [type(step) for step in steps(Joins, 1)] == [Drive, Find, TESTED]


def test_a_condition_is_tested_as_soon_as_its_variables_are_bound():
    driven, test, probe = steps(Joins, 0)
    assert isinstance(test, TESTED)
    assert (type(driven), type(probe)) == (Drive, Probe)


def test_a_condition_that_could_raise_waits_for_the_guard_before_it():
    class Guarded(Bloom):
        a = table("k -> ok: bool")
        b = table("k -> v: int")
        out = scratch("q")

        @rule
        def rules(self):
            self.out <= (10 // y.v for x in self.a for y in self.b if x.ok if x.k == y.k if 10 // y.v > 1)

    program = Guarded()
    program.a.insert(("zero", False), ("one", True))
    program.tick()
    program.b.insert(("zero", 0), ("one", 1))  # drives the rule from `b`, where v is 0
    program.tick()
    assert program.out.rows() == {(10,)}


def test_an_equality_that_could_raise_is_no_shortcut_past_its_guard():
    class Guarded(Bloom):
        a = table("d: int")
        b = table("v")
        out = scratch("v")

        @rule
        def rules(self):
            self.out <= (y.v for x in self.a for y in self.b if x.d != 0 and y.v == 10 // x.d)

    program = Guarded()
    program.b.insert(5)
    program.tick()
    program.a.insert(0, 2)
    program.tick()
    assert program.out.rows() == {(5,)}


@pytest.mark.parametrize("first", ["a", "b"])
def test_the_order_in_which_tables_fill_does_not_matter(first):
    program = Joins()
    loads = {"a": lambda: program.a.insert((1, 5), (2, -1)), "b": lambda: program.b.insert((1, "p"), (2, "q"), (3, "r"))}
    loads.pop(first)()
    program.tick()
    next(iter(loads.values()))()
    program.tick()
    assert program.out.rows() == {(5, "p")}


def _path_of(edges: int) -> type[Bloom]:
    loops = "".join(f" for x{i} in self.edge if x{i}.a == x{i - 1}.b" for i in range(1, edges))
    text = f"""
from bloompy import Bloom, rule, scratch, table

class Path(Bloom):
    edge = table("a, b")
    path = scratch("a, b")

    @rule
    def walk(self):
        self.path <= ((x0.a, x{edges - 1}.b) for x0 in self.edge{loops})
"""
    return exec_source(text)["Path"]


def test_a_join_of_a_dozen():
    p = _path_of(12)()
    p.edge.insert(*((i, i + 1) for i in range(13)))
    p.tick()
    assert p.path.rows() == {(0, 12), (1, 13)}


def test_a_join_deeper_than_python_nests_loops_says_what_to_do():
    p = _path_of(25)()
    p.edge.insert((1, 2))
    with pytest.raises(UnsupportedStatement, match=r"Path\.walk: too many statically nested blocks .*line 10\)\nhint: join a part of it in a temporary"):
        p.tick()
