"""Programs whose views are filled on columns behave as those filled row by row, also in the ticks that follow."""

from __future__ import annotations

import random

import pytest

from bloompy import Bloom, agg, rule, scratch, table
from bloompy.engine import filling
from bloompy.engine.loaded import Loaded
from bloompy.errors import KeyConflict
from bloompy.program import machine_of
from tests.engine.test_columnar import CLOSURES, Conditions, PointsTo, Triangles, pairs

pytest.importorskip("numpy")


@pytest.fixture(params=[0, 1])
def from_so_many(request, monkeypatch):
    """Columns are chosen from so many rows on."""
    monkeypatch.setattr(filling, "LEAST", request.param)
    monkeypatch.setattr(filling, "LEAST_TO_IMPORT", request.param)


def relation(program, name):
    return machine_of(program).evaluator._relations[name]


class Apsp(Bloom):
    edge = table("a, b -> w: int")
    dist = scratch("a, b -> cost: lmin")
    near = scratch("a, b")

    @rule
    def rules(self):
        self.dist <= ((e.a, e.b, e.w) for e in self.edge)
        self.dist <= ((d.a, e.b, d.cost + e.w) for d in self.dist for e in self.edge if d.b == e.a)
        self.near <= ((d.a, d.b) for d in self.dist if d.cost < 5)


class Above(Bloom):
    """Views over a recursive view."""

    edge = table("a, b")
    path = scratch("a, b")
    mutual = scratch("a, b")
    reach = scratch("a -> n")
    sink = scratch("a")

    @rule
    def rules(self):
        self.path <= self.edge
        self.path <= ((p.a, e.b) for p in self.path for e in self.edge if p.b == e.a)
        self.mutual <= ((p.a, p.b) for p in self.path if (p.b, p.a) in self.path)
        self.reach <= ((p.a, agg.count()) for p in self.path)
        self.sink <= (e.b for e in self.edge if not any(p.a == e.b for p in self.path))


class Mutual(Bloom):
    edge = table("a, b")
    odd, even = scratch("a, b"), scratch("a, b")

    @rule
    def rules(self):
        self.odd <= self.edge
        self.even <= ((p.a, e.b) for p in self.odd for e in self.edge if p.b == e.a)
        self.odd <= ((p.a, e.b) for p in self.even for e in self.edge if p.b == e.a)


@pytest.mark.usefixtures("from_so_many")
@pytest.mark.parametrize("program", [*CLOSURES, Above, Mutual, Triangles])
@pytest.mark.parametrize("seed", range(4))
def test_ticks_that_follow(program, seed):
    drawn = random.Random(seed)
    nodes = list(range(8)) if seed % 2 else [f"n{i}" for i in range(7)]
    one, other = program(), program(evaluator="naive")
    edges = pairs(nodes, 14, seed)
    for number in range(12):
        for each in (one, other):
            if number == 0:
                each.edge.insert(*edges)
        if number:
            change = (drawn.choice(nodes), drawn.choice(nodes))
            for each in (one, other):
                (each.edge.delete if change in other.edge else each.edge.insert)(change)
        ticks = [one.tick(), other.tick()]
        for name in [collection.name for collection in machine_of(one).program.collections]:
            assert sorted(map(repr, getattr(one, name))) == sorted(map(repr, getattr(other, name))), (number, name)
            for told in ("inserted", "deleted"):
                assert set(getattr(ticks[0], told).get(name, ())) == set(getattr(ticks[1], told).get(name, ())), (number, name, told)


@pytest.mark.usefixtures("from_so_many")
@pytest.mark.parametrize("seed", range(6))
def test_cheapest_paths_by_lattice(seed):
    drawn = random.Random(seed)
    one, other = Apsp(), Apsp(evaluator="naive")
    edges = [(a, b, drawn.randint(1, 9)) for a, b in pairs(list("abcdefgh"), 16, seed)]
    for each in (one, other):
        each.edge.insert(*edges)
        each.tick()
    assert isinstance(relation(one, "dist"), Loaded)
    assert one.dist.rows() == other.dist.rows()
    assert one.near.rows() == other.near.rows()
    for a, b, w in edges[:3]:
        for each in (one, other):
            each.edge.upsert((a, b, w + 3))
            each.tick()
        assert one.dist.rows() == other.dist.rows()
        assert one.near.rows() == other.near.rows()


def test_rows_are_made_when_one_is_asked_for(monkeypatch):
    monkeypatch.setattr(filling, "LEAST", 1)
    program = CLOSURES[0]()
    program.edge.insert((1, 2), (2, 3))
    tick = program.tick()
    held = relation(program, "path")
    assert type(held) is Loaded
    assert len(program.path) == 3
    assert sorted(program.path) == [(1, 2), (1, 3), (2, 3)]
    assert type(held) is Loaded
    assert (1, 3) in program.path
    assert type(held) is not Loaded
    assert sorted(tick.inserted["path"]) == [(1, 2), (1, 3), (2, 3)]


def test_the_tick_tells_what_was_inserted_also_when_asked_later(monkeypatch):
    monkeypatch.setattr(filling, "LEAST", 1)
    program = CLOSURES[0]()
    program.edge.insert((1, 2), (2, 3))
    tick = program.tick()
    program.edge.delete((1, 2))
    program.tick()
    assert sorted(tick.inserted["path"]) == [(1, 2), (1, 3), (2, 3)]
    assert program.path.rows() == {(2, 3)}


def test_few_rows_are_left_to_python():
    program = CLOSURES[0]()
    program.edge.insert((1, 2), (2, 3))
    program.tick()
    assert type(relation(program, "path")) is not Loaded


def test_a_recursion_that_grows_goes_on_on_columns():
    program = CLOSURES[2]()
    program.edge.insert(*((i, i + 1) for i in range(200)))
    program.tick()
    assert type(relation(program, "path")) is Loaded
    assert len(program.path) == 200 * 201 // 2


def test_a_large_change_of_a_later_tick_is_followed_on_columns():
    one, other = CLOSURES[1](), CLOSURES[1]()
    edges = pairs(list(range(300)), 600, 5)
    for each, parts in ((one, (edges[:300], edges[300:])), (other, (edges,))):
        for part in parts:
            each.edge.insert(*part)
            each.tick()
        assert "filled on columns" in str(each.explain())
    assert one.path.rows() == other.path.rows()
    for each in (one, other):
        each.edge.delete(*edges[:3])
        each.tick()
    assert one.path.rows() == other.path.rows()


def test_what_columns_refuse_python_does_or_raises(monkeypatch):
    class Keyed(Bloom):
        a = table("x, y")
        out = scratch("x -> y")

        @rule
        def copy(self):
            self.out <= self.a

    monkeypatch.setattr(filling, "LEAST", 1)
    program = Keyed()
    program.a.insert((1, 2), (1, 3))
    with pytest.raises(KeyConflict, match="two rows|key"):
        program.tick()
    program.a.insert((1, 2), (2, True))
    program.tick()
    assert sorted(map(repr, program.out)) == ["Row(x=1, y=2)", "Row(x=2, y=True)"]
    mixed = CLOSURES[0]()
    mixed.edge.insert((1, 2), (2.0, 3))
    mixed.tick()
    assert {tuple(row) for row in mixed.path} == {(1, 2), (2.0, 3), (1, 3)}
    assert type(relation(mixed, "path")) is not Loaded


def test_a_tick_that_fails_after_a_load_leaves_nothing(monkeypatch):
    class Failing(CLOSURES[0]):
        bad = scratch("a -> b")

        @rule
        def fail(self):
            self.bad <= ((p.a, p.b) for p in self.path if len(str(p.a)) > 1)

    monkeypatch.setattr(filling, "LEAST", 1)
    program = Failing()
    program.edge.insert((10, 2), (2, 3))
    with pytest.raises(KeyConflict, match="two rows|key"):
        program.tick()
    assert len(program.path) == 0
    program.edge.insert((1, 2), (2, 3))
    program.tick()
    assert program.path.rows() == {(1, 2), (2, 3), (1, 3)}


def test_without_numpy_everything_is_done_row_by_row(monkeypatch):
    monkeypatch.setattr(filling, "LEAST", 0)
    monkeypatch.setattr(filling, "available", lambda: False)
    program = PointsTo()
    program.addr.insert((1, 2))
    program.assign.insert((3, 1))
    program.tick()
    assert program.pt.rows() == {(1, 2), (3, 2)}


@pytest.mark.usefixtures("from_so_many")
@pytest.mark.parametrize("seed", range(4))
def test_views_without_recursion(seed):
    nodes = list(range(6))
    one, other = Conditions(), Conditions(evaluator="naive")
    for number in range(4):
        rows = {"a": pairs(nodes, 9, seed + number), "c": pairs(nodes, 5, seed + number + 50)}
        for each in (one, other):
            for name, some in rows.items():
                getattr(each, name).insert(*some)
            each.b.upsert(*dict(pairs(nodes, 3, seed + number + 99)).items())
            if number:
                each.a.delete(*pairs(nodes, 4, seed + number))
            each.tick()
        for name in ("plain", "several", "without", "some", "none", "joined", "literal"):
            assert getattr(one, name).rows() == getattr(other, name).rows(), (number, name)
