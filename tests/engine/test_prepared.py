"""What instances of one program have in common: it is lowered once, and each function compiled once. Counted, never timed."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

import gc
from typing import Any

import pytest

from bloompy import Bloom, agg, aggregate, interface, module, param, rule, scratch, table
from bloompy.engine import lower, prepared
from bloompy.engine.generate import Generator
from bloompy.engine.template import Template
from bloompy.engine.variant import Variant


class Scaled(Bloom):
    factor = param(1)
    offset = param((0,))
    source = table("k -> v")
    asked = interface.input("k")
    scaled = scratch("k -> v, who")
    total = scratch("-> v")
    answer = interface.output("k -> v")

    @rule
    def scale(self):
        self.scaled <= ((s.k, s.v * self.factor + self.offset[0], self.me) for s in self.source if self.keeps(s.v))
        self.total <= (agg.sum(s.v) for s in self.scaled)
        self.answer <= ((a.k, s.v) for a in self.asked for s in self.scaled if s.k == a.k)

    def keeps(self, value):
        return value != self.factor


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How often something was made."""
    counts = {"lowered": 0, "compiled": 0}
    lowered, template = lower._Lowering.lowered, Generator.template

    def count_lowered(self: Any) -> lower.Lowered:
        counts["lowered"] += 1
        return lowered(self)

    def count_template(self: Generator, variant: Variant) -> Template:
        counts["compiled"] += 1
        return template(self, variant)

    monkeypatch.setattr(lower._Lowering, "lowered", count_lowered)
    monkeypatch.setattr(Generator, "template", count_template)
    return counts


def use(program: Scaled) -> None:
    program.source.insert(("a", 1), ("b", 2))
    program.tick()
    program.asked.insert(("a",))
    program.tick()
    program.source.delete("b")
    program.tick()


def test_later_instances_lower_and_compile_nothing(made: dict[str, int]) -> None:
    class Own(Scaled):
        pass

    use(Own(factor=5))
    assert made["lowered"] == 1
    assert made["compiled"] > 3
    first = dict(made)
    use(Own(factor=3, me="other"))
    use(Own(factor=4))
    assert made == first


def test_each_instance_has_its_own_parameters_address_and_rows() -> None:
    twice, thrice = Scaled("a", factor=2), Scaled("b", factor=3, offset=(10,))
    for program in (twice, thrice):
        program.source.insert(("x", 5), ("y", 2), ("z", 3))
        program.tick()
    twice.source.delete("x")
    twice.tick()
    assert set(twice.scaled) == {("z", 6, "a")}
    assert set(thrice.scaled) == {("x", 25, "b"), ("y", 16, "b")}
    assert (list(twice.total), list(thrice.total)) == ([(6,)], [(41,)])


def counter(start: int) -> type[Bloom]:
    def begin() -> int:
        return start

    @aggregate
    def first(values: list[int]) -> int:
        return min(values) + start

    class Counter(Bloom):
        seen = interface.input("n")
        moved = interface.output("n")
        least = interface.output("-> n")

        @rule
        def move(self):
            self.moved <= ((s.n + begin(),) for s in self.seen)
            self.least <= (first(s.n) for s in self.seen)

    return Counter


def test_classes_made_by_one_function_have_their_own_closures() -> None:
    for start in (10, 20):
        program: Any = counter(start)()
        program.seen.insert((1,))
        program.tick()
        assert (list(program.moved), list(program.least)) == ([(start + 1,)], [(start + 1,)])


class Outer(Bloom):
    small = module(Scaled, factor=2)
    large = module(Scaled, factor=100)


def test_modules_of_one_class_have_their_own_parameters() -> None:
    program = Outer()
    for inner in (program.small, program.large):
        inner.source.insert(("x", 5))
    program.tick()
    assert [row.v for row in (*program.small.scaled, *program.large.scaled)] == [10, 500]


def test_debugging_is_not_shared(made: dict[str, int]) -> None:
    class Typed(Bloom):
        source = table("k -> v")
        copy = scratch("k -> v: int")

        @rule
        def copies(self):
            self.copy <= self.source

    plain, checked = Typed(), Typed(debug=True)
    for program in (plain, checked):
        program.source.insert(("a", "no int"))
    plain.tick()
    with pytest.raises(Exception, match="is not of type int"):
        checked.tick()
    assert made["lowered"] == 2


def test_what_is_shared_goes_with_the_program() -> None:
    class Gone(Scaled):
        pass

    use(Gone())
    known = id(Gone.program_ir)
    assert known in prepared._PREPARED
    del Gone
    gc.collect()
    assert known not in prepared._PREPARED


class Joined(Bloom):
    asked = interface.input("k")
    few = table("k, v")
    many = table("v, w")
    found = interface.output("k, w")

    @rule
    def join(self):
        self.found <= ((f.k, m.w) for a in self.asked for m in self.many for f in self.few if f.v == m.v and f.k == a.k)


def joined(few: int, many: int) -> None:
    program = Joined()
    program.few.insert(*((i, i) for i in range(few)))
    program.many.insert(*((i, i) for i in range(many)))
    program.tick()
    program.asked.insert((1,))
    program.tick()
    assert list(program.found) == [(1, 1)]


def test_functions_are_shared_by_instances_of_like_sizes_only(made: dict[str, int]) -> None:
    joined(10, 100_000)
    compiled = made["compiled"]
    joined(11, 110_000)
    assert made["compiled"] == compiled
    joined(100_000, 10)
    assert made["compiled"] > compiled
