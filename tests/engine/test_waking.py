"""What a change wakes, and what becomes of pending changes when a tick fails late."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

from typing import Any

import pytest

from bloompy import Bloom, agg, interface, rule, scratch, table
from bloompy.engine.fixpoint import Fixpoint
from bloompy.errors import StoreError
from bloompy.program import machine_of


class Asked(Bloom):
    """Rules that wait for events, beside a view."""

    link = table("src, dst -> cost: int")
    ask = interface.input("src")
    seal = interface.input("no: int")
    told = scratch("src, dst")
    both = scratch("src, dst, no")
    least = scratch("src -> cost")
    alone = scratch("src")

    @rule
    def rules(self):
        self.told <= ((a.src, l.dst) for a in self.ask for l in self.link if l.src == a.src)
        self.both <= ((t.src, t.dst, s.no) for t in self.told for s in self.seal for l in self.link if l.src == t.src)
        self.least <= ((l.src, agg.min(l.cost)) for l in self.link)
        self.alone <= ((l.src,) for l in self.link if not any(a for a in self.ask))


@pytest.fixture
def updated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The relations of the components that are brought up to date, in order."""
    found: list[str] = []
    make = Fixpoint.__init__

    def noting(self: Fixpoint, component: Any, *rest: Any) -> None:
        make(self, component, *rest)
        update = self.update

        def note(first: bool) -> None:
            found.extend(component.relations)
            update(first)

        self.update = note  # type: ignore[method-assign]

    monkeypatch.setattr(Fixpoint, "__init__", noting)
    return found


def test_a_change_of_a_table_wakes_no_rule_that_waits_for_events(updated: list[str]) -> None:
    program = Asked()
    program.tick()
    updated.clear()
    program.link.insert(("a", "b", 1))
    program.tick()
    assert updated == ["least", "alone"]
    assert set(program.alone) == {("a",)}
    updated.clear()
    program.seal.insert((7,))  # `both` waits for what is told
    program.tick()
    assert "both" not in updated
    updated.clear()
    program.ask.insert(("a",))
    program.seal.insert((8,))
    program.tick()
    assert {"told", "both"} <= set(updated)
    assert set(program.both) == {("a", "b", 8)}


class Kept(Bloom):
    """What is asked for stays pending, since its cause stands."""

    wish = table("key -> value")
    held = table("key -> value", durable=True)
    note = table("no: int", durable=True)

    @rule
    def grant(self):
        self.held <+- self.wish
        self.held <- ((h.key,) for h in self.held if h.key not in self.wish)


@pytest.mark.parametrize("evaluator", ["codegen", "naive"])
def test_pending_changes_outlive_a_tick_that_fails_after_they_were_applied(evaluator: str) -> None:
    program = Kept(evaluator=evaluator)
    machine = machine_of(program)

    def fail(change: object) -> None:
        raise StoreError("not now")

    program.wish.insert(("k", 1))
    program.tick()
    for number in range(2):
        program.note.insert((number,))
        with pytest.raises(StoreError, match="not now"):
            machine.run(machine.take(0.0), fail)
        assert (set(program.held), machine.pending()) == (set(), True)
    program.tick()
    assert set(program.held) == {("k", 1)}
    program.wish.delete(("k",))
    program.tick()
    program.note.insert((3,))
    with pytest.raises(StoreError, match="not now"):
        machine.run(machine.take(0.0), fail)
    assert set(program.held) == {("k", 1)}
    program.tick()
    assert (set(program.held), machine.pending()) == (set(), False)
