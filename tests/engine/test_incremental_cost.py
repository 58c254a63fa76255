"""After one change the work does not depend on the size of the tables: evaluations are counted, never time."""

from __future__ import annotations

import pytest

from bloompy import Bloom, agg, interface, rule, scratch, table

CALLS: list[object] = []
SIZES = (60, 600)
BAD = -99
"""A value for which a rule raises."""


def seen(value):
    CALLS.append(value)
    if value == BAD:
        raise ValueError("a bad value")
    return value


class Flat(Bloom):
    """Views without recursion over a table of groups of three."""

    item = table("k: int -> g: int, v: int")
    other = table("g: int -> w: int")
    barred = table("k: int")
    ask = interface.input("k: int")

    projected = scratch("g")
    joined = scratch("k, w")
    twins = scratch("k, l")
    kept = scratch("k")
    lonely = scratch("k")
    looked = scratch("k, w")
    defaulted = scratch("k, w")
    grouped = scratch("g -> s, n, low, high, who")
    listed = scratch("g -> all, middle")
    merged = scratch("g -> low: lmin, high: lmax, values: lset")
    ranked = scratch("k, place")
    above = scratch("n, groups")
    answer = scratch("k, s")

    @rule
    def rules(self):
        self.projected <= (seen(i.g) for i in self.item)
        self.joined <= ((i.k, seen(o.w)) for i in self.item for o in self.other if i.g == o.g)
        self.twins <= ((i.k, seen(j.k)) for i in self.item for j in self.item if i.g == j.g if i.k < j.k)
        self.kept <= (seen(i.k) for i in self.item if i.k not in self.barred)
        self.lonely <= (seen(i.k) for i in self.item if not any(j.v > i.v for j in self.item if j.g == i.g))
        self.looked <= ((i.k, seen(self.other[i.g].w)) for i in self.item)
        self.defaulted <= ((i.k, seen(self.other.get(i.g, (0, -1)).w)) for i in self.item)
        self.grouped <= ((i.g, agg.sum(seen(i.v)), agg.count(), agg.min(i.v), agg.max(i.v), agg.argmin(i.k, i.v)) for i in self.item)
        self.listed <= ((i.g, agg.collect(seen(i.v)), agg.percentile(i.v, 50)) for i in self.item)
        self.merged <= ((i.g, i.v, seen(i.v), i.v) for i in self.item)
        self.ranked <= ((i.k, agg.rank(seen(i.v), per=i.g)) for i in self.item)
        self.above <= ((seen(x.g) % 4, x.n) for x in self.grouped if x.g not in self.barred)
        self.answer <= ((a.k, seen(g.s)) for a in self.ask for i in self.item for g in self.grouped if i.k == a.k if g.g == i.g)


def flat(size):
    program = Flat()
    program.item.insert(*((k, k // 3, k % 5) for k in range(size)))
    program.other.insert(*((g, g % 7) for g in range(size // 3)))
    program.barred.insert(*(k for k in range(0, size, 10)))
    return program


class Whole(Bloom):
    """Aggregates over one group that is the whole table."""

    item = table("k: int -> v: int")
    total = scratch("-> s, n, mean")
    ends = scratch("-> low, high")
    best = scratch("-> k, worst")
    truths = scratch("-> some, every")
    count = scratch("-> n")

    @rule
    def rules(self):
        self.total <= ((agg.sum(seen(i.v)), agg.count(), agg.avg(i.v)) for i in self.item)
        self.ends <= ((agg.min(seen(i.v)), agg.max(i.v)) for i in self.item)
        self.best <= ((agg.argmin(seen(i.k), i.v), agg.argmax(i.k, i.v)) for i in self.item)
        self.truths <= ((agg.any(seen(i.v) > 90), agg.all(i.v >= 0)) for i in self.item)
        self.count <= (agg.count_distinct(seen(i.v) % 10) for i in self.item)


def whole(size):
    program = Whole()
    program.item.insert(*((k, k) for k in range(size)))
    return program


class Tree(Bloom):
    """Path names, and what is not reached from the first node by edges."""

    file = table("id: int -> parent: int, name: str")
    edge = table("a: int, b: int")
    path = scratch("id -> name")
    below = scratch("id")
    member = scratch("id")
    depth = scratch("id -> d")
    outside = scratch("id")
    sizes = scratch("parent -> n")

    @rule
    def rules(self):
        self.path <= [(0, "")]
        self.path <= ((f.id, seen(p.name) + "/" + f.name) for f in self.file for p in self.path if f.parent == p.id)
        self.below <= [(0,)]
        self.below <= (e.b for e in self.edge for x in self.below if e.a == x.id if seen(e.b) >= 0)
        self.member <= [(0,)]
        self.member <= (e.b for e in self.edge if e.a in self.member if seen(e.b) >= 0)
        self.depth <= [(0, 0)]
        self.depth <= ((f.id, self.depth[f.parent].d + 1) for f in self.file if seen(f.id) >= -1)
        self.outside <= (seen(f.id) for f in self.file if f.id not in self.below)
        self.sizes <= ((f.parent, agg.count()) for f in self.file for p in self.path if p.id == f.id)


def parent(k):
    """Three children each; what is more than the smallest tree is below its last node."""
    return (k - 1) // 3 if k < SIZES[0] else max(k - 1 - (k - SIZES[0]) % 3, SIZES[0] - 1)


def tree(size):
    program = Tree()
    program.file.insert(*((k, parent(k), f"n{k}") for k in range(1, size)))
    program.edge.insert(*((parent(k), k) for k in range(1, size)), *((k // 4, k) for k in range(4, SIZES[0], 4)))
    return program


CHANGES = {
    "insert into a new group": (flat, lambda p: p.item.insert((-1, -1, 2)), 40),
    "insert into a group": (flat, lambda p: p.item.insert((-1, 7, 2)), 80),
    "delete": (flat, lambda p: p.item.delete(22), 80),
    "delete of a group's least": (flat, lambda p: p.item.delete(25), 80),
    "upsert of a value": (flat, lambda p: p.item.upsert((22, 7, 9)), 120),
    "upsert into another group": (flat, lambda p: p.item.upsert((22, 8, 9)), 150),
    "delete and insert of one key": (flat, lambda p: (p.item.delete(22), p.item.insert((22, 7, 4))), 120),
    "delete of a joined row": (flat, lambda p: p.other.delete(7), 40),
    "upsert of a joined row": (flat, lambda p: p.other.upsert((7, 50)), 60),
    "insert of a negated row": (flat, lambda p: p.barred.insert(7), 20),
    "delete of a negated row": (flat, lambda p: p.barred.delete(10), 20),
    "an event": (flat, lambda p: p.ask.insert(22), 2),
    "nothing": (flat, lambda p: None, 0),
    "insert, one group": (whole, lambda p: p.item.insert((-1, 50)), 10),
    "delete, one group": (whole, lambda p: p.item.delete(33), 10),
    "delete of the least, one group": (whole, lambda p: p.item.delete(0), 10),
    "delete of one of the greatest, one group": (whole, lambda p: p.item.upsert((5, 59)), 20),
    "upsert, one group": (whole, lambda p: p.item.upsert((33, 12)), 20),
    "insert of a leaf": (tree, lambda p: p.file.insert((-1, 7, "leaf")), 8),
    "delete of a leaf": (tree, lambda p: p.file.delete(45), 10),
    "rename of a leaf": (tree, lambda p: p.file.upsert((45, 14, "other")), 16),
    "move of a leaf": (tree, lambda p: p.file.upsert((45, 2, "n45")), 16),
    "insert of an edge to what is reached": (tree, lambda p: p.edge.insert((1, 50)), 6),
    "delete of an edge beside another": (tree, lambda p: p.edge.delete((15, 48)), 30),
    "delete of the only edge to a leaf": (tree, lambda p: p.edge.delete((13, 42)), 30),
    "delete of a file that nothing reaches": (tree, lambda p: (p.file.insert((-1, 7, "x")), p.file.delete(-1)), 8),
}


def loaded(make, size):
    program = make(size)
    program.tick()
    program.tick()
    CALLS.clear()
    return program


@pytest.mark.parametrize("name", CHANGES)
def test_one_change_evaluates_as_much_whatever_the_size(name):
    make, change, most = CHANGES[name]
    counts = []
    for size in SIZES:
        program = loaded(make, size)
        change(program)
        program.tick()
        counts.append(len(CALLS))
    assert counts[0] == counts[1]
    assert counts[0] <= most


@pytest.mark.parametrize("name", CHANGES)
def test_one_change_gives_what_the_naive_evaluator_finds(name):
    make, change, _ = CHANGES[name]
    program = loaded(make, SIZES[0])
    change(program)
    program.tick()
    naive = type(program)(evaluator="naive")
    for table_ in ("item", "other", "barred", "file", "edge"):
        if hasattr(naive, table_):
            getattr(naive, table_).insert(*getattr(program, table_).rows())
    naive.tick()
    for one in program.program_ir.collections:
        if one.kind == "scratch" and one.name != "answer":
            assert getattr(program, one.name).rows() == getattr(naive, one.name).rows(), one.name


@pytest.mark.parametrize("size", SIZES)
def test_a_rename_of_a_directory_evaluates_its_subtree(size):
    program = loaded(tree, size)
    subtree = [5, 16, 17, 18, *range(49, 58)]
    program.file.upsert((5, 1, "renamed"))
    program.tick()
    assert {program.path[k].name.split("/")[2] for k in subtree if k in program.path} == {"renamed"}
    assert len(CALLS) <= 4 * len(subtree)  # a path is lost (in both states of the table), asked about, and gained


def test_a_rename_there_and_back_within_a_tick_evaluates_nothing():
    program = loaded(tree, SIZES[0])
    program.file.upsert((5, 1, "renamed"))
    program.file.upsert((5, 1, "n5"))
    program.tick()
    assert CALLS == []


def test_changes_of_many_ticks_evaluate_as_much_in_the_last_as_in_the_first():
    program = loaded(flat, SIZES[0])
    counts = []
    for _ in range(20):
        CALLS.clear()
        program.item.delete(22)
        program.tick()
        program.item.insert((22, 7, 2))
        program.tick()
        counts.append(len(CALLS))
    assert len(set(counts[1:])) == 1


@pytest.mark.parametrize("size", SIZES)
def test_a_tick_that_is_rolled_back_leaves_the_next_as_cheap(size):
    program = loaded(flat, size)
    before = {one.name: getattr(program, one.name).rows() for one in program.program_ir.collections if one.kind == "scratch"}
    program.item.delete(22, 23)
    program.item.insert((-1, 8, BAD))
    with pytest.raises(ValueError, match="a bad value"):
        program.tick()
    assert {name: getattr(program, name).rows() for name in before} == before
    CALLS.clear()
    program.item.insert((-1, -1, 2))
    program.tick()
    assert len(CALLS) <= 40
