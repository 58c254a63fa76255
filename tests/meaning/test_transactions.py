"""Design §3.1: a tick is a transaction."""

from __future__ import annotations

import pytest

from bloompy import Bloom, agg, channel, interface, invariant, loopback, periodic, rule, scratch, table
from bloompy.engine.tick import Durable
from bloompy.errors import InvariantViolation, KeyConflict
from bloompy.program import machine_of


class Kept(Bloom):
    item = table("k -> v")
    other = table("k -> v", durable=True)
    request = interface.input("k, v")
    out = channel("@to, k")

    @rule
    def rules(self):
        self.other <+- ((r.k, r.v) for r in self.request)
        self.item <= ((r.k, 10 // r.v) for r in self.request)
        self.out <~ (("n2", r.k) for r in self.request)


def test_staged_input_is_applied_before_rules_run(evaluator):
    class P(Bloom):
        item = table("k")
        seen = scratch("k")

        @rule
        def rules(self):
            self.seen <= self.item

    p = P(evaluator=evaluator)
    p.item.insert((1,), (2,))
    p.tick()
    assert p.seen.rows() == {(1,), (2,)}


def test_pending_changes_are_applied_at_the_start_of_the_next_tick(evaluator):
    p = Kept(evaluator=evaluator)
    p.request.insert(("a", 5))
    p.tick()
    assert p.other.rows() == set()
    tick = p.tick()
    assert p.other.rows() == {("a", 5)}
    assert tick.inserted["other"] == [("a", 5)]


def test_right_sides_are_computed_on_the_fixpoint(evaluator):
    class P(Bloom):
        item = table("k")
        total = table("-> n")
        derived = scratch("k")

        @rule
        def rules(self):
            self.total <+- ((agg.count(),) for d in self.derived)
            self.derived <= ((d.k + 1,) for d in self.derived if d.k < 5)
            self.derived <= self.item

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    p.tick()
    p.tick()
    assert p.total.rows() == {(5,)}


def test_an_exception_in_a_rule_leaves_everything_as_it_was(evaluator):
    p = Kept(evaluator=evaluator)
    p.item.insert(("z", 1))
    p.request.insert(("a", 5))
    p.tick()
    before = (p.item.rows(), p.other.rows(), p.request.rows(), p.step, p.now)
    p.item.insert(("y", 2))
    p.request.insert(("b", 0))
    with pytest.raises(ZeroDivisionError, match="division") as caught:
        p.tick()
    assert (p.item.rows(), p.other.rows(), p.request.rows(), p.step, p.now) == before
    assert caught.value.batch.events == {"request": (("b", 0),)}
    assert list(caught.value.batch.changes) == ["item"]


def test_pending_changes_survive_a_tick_that_raises(evaluator):
    p = Kept(evaluator=evaluator)
    p.request.insert(("a", 5))
    p.tick()
    p.request.insert(("b", 0))
    with pytest.raises(ZeroDivisionError, match="division"):
        p.tick()
    assert p.other.rows() == set()
    p.tick()
    assert p.other.rows() == {("a", 5)}


def test_the_input_of_a_tick_that_raised_is_taken_out(evaluator):
    p = Kept(evaluator=evaluator)
    p.request.insert(("b", 0))
    with pytest.raises(ZeroDivisionError, match="division"):
        p.tick()
    tick = p.tick()
    assert p.request.rows() == set()
    assert tick.sent == {}
    assert p.step == 1


def test_an_exception_tells_rule_line_and_rows(evaluator):
    p = Kept(evaluator=evaluator)
    p.request.insert(("b", 0))
    with pytest.raises(ZeroDivisionError, match="division") as caught:
        p.tick()
    notes = "\n".join(caught.value.__notes__)
    assert "Kept.rules" in notes
    assert __file__ in notes
    assert "k='b'" in notes
    assert "v=0" in notes


def test_a_traceback_shows_the_users_own_line(evaluator):
    import traceback

    p = Kept(evaluator=evaluator)
    p.request.insert(("b", 0))
    with pytest.raises(ZeroDivisionError, match="division") as caught:
        p.tick()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.filename == __file__
    assert last.line == "self.item <= ((r.k, 10 // r.v) for r in self.request)"


def test_a_commit_that_fails_rolls_the_tick_back(evaluator):
    p = Kept(evaluator=evaluator)
    machine = machine_of(p)
    p.other.insert(("a", 1))

    def commit(durable: Durable) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full") as caught:
        machine.run(machine.take(1.0), commit)
    assert caught.value.batch.changes.keys() == {"other"}
    assert p.other.rows() == set()
    assert machine.step == 0


def test_the_commit_holds_the_net_change_with_pending_changes_applied(evaluator):
    p = Kept(evaluator=evaluator)
    machine = machine_of(p)
    commits: list[Durable] = []
    p.other.insert(("a", 1), ("b", 2))
    machine.run(machine.take(1.0), commits.append)
    p.other.delete("a")
    p.request.insert(("c", 3), ("b", 5))
    machine.run(machine.take(2.0), commits.append)
    machine.run(machine.take(3.0), commits.append)
    first, second = commits
    assert (first.deleted, {k: set(v) for k, v in first.upserted.items()}) == ({}, {"other": {("a", 1), ("b", 2)}})
    assert second.deleted == {"other": ["a"]}
    assert {k: set(v) for k, v in second.upserted.items()} == {"other": {("c", 3), ("b", 5)}}
    assert p.other.rows() == {("b", 5), ("c", 3)}


def test_only_durable_tables_are_committed(evaluator):
    p = Kept(evaluator=evaluator)
    machine = machine_of(p)
    commits: list[Durable] = []
    p.item.insert(("a", 1))
    machine.run(machine.take(1.0), commits.append)
    assert commits == []


def test_an_invariant_that_is_violated_aborts_the_tick_with_rule_and_rows(evaluator):
    class P(Bloom):
        account = table("name -> balance")
        payment = interface.input("name, amount")
        receipt = channel("@to, name")

        @rule
        def rules(self):
            self.account <+- ((p.name, self.account[p.name].balance - p.amount) for p in self.payment)
            self.receipt <~ (("n2", a.name) for a in self.account)

        @invariant
        def never_negative(self):
            (a for a in self.account if a.balance < 0)

    p = P(evaluator=evaluator)
    p.account.insert(("ann", 5))
    p.tick()
    p.payment.insert(("ann", 7))
    p.tick()
    with pytest.raises(InvariantViolation, match=r"never_negative.*-2") as caught:
        p.tick()
    assert caught.value.rows == (("ann", -2),)
    assert p.account.rows() == {("ann", 5)}


def test_invariants_are_checked_on_the_fixpoint(evaluator):
    class P(Bloom):
        item = table("k")
        next = scratch("k")

        @rule
        def rules(self):
            self.next <= ((i.k + 1,) for i in self.item)
            self.next <= ((n.k + 1,) for n in self.next if n.k < 4)

        @invariant
        def small(self):
            (n for n in self.next if n.k >= 4)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    with pytest.raises(InvariantViolation, match="small") as caught:
        p.tick()
    assert caught.value.rows == ((4,),)


def test_each_statement_of_an_invariant_method_is_checked(evaluator):
    class P(Bloom):
        item = table("k")

        @invariant
        def both(self):
            (i for i in self.item if i.k == 1)
            (i for i in self.item if i.k == 2)

    p = P(evaluator=evaluator)
    p.item.insert((2,))
    with pytest.raises(InvariantViolation, match="both"):
        p.tick()
    p.item.insert((1,))
    with pytest.raises(InvariantViolation, match="both"):
        p.tick()
    p.item.insert((3,))
    p.tick()
    assert p.item.rows() == {(3,)}


def test_a_temporary_of_an_invariant_method_may_have_rows(evaluator):
    class Stock(Bloom):
        item = table("name -> count: int")

        @invariant
        def few(self):
            counts = ((i.name, i.count) for i in self.item)
            (name for name, count in counts if count > 3)

    p = Stock(evaluator=evaluator)
    p.item.insert(("bolt", 2))
    p.tick()
    assert set(p.item) == {("bolt", 2)}
    p.item.insert(("nut", 4))
    with pytest.raises(InvariantViolation, match="nut"):
        p.tick()



def test_conflicts_among_pending_changes_are_found_in_the_tick_that_causes_them(evaluator):
    class P(Bloom):
        item = table("k -> v")
        request = interface.input("k, v")

        @rule
        def rules(self):
            self.item <+ self.request

    p = P(evaluator=evaluator)
    p.request.insert(("a", 1), ("a", 2))
    with pytest.raises(KeyConflict, match="item"):
        p.tick()
    p.request.insert(("a", 1))
    p.tick()
    p.tick()
    assert p.item.rows() == {("a", 1)}
    p.request.insert(("a", 2))
    with pytest.raises(KeyConflict, match="item") as caught:
        p.tick()
    assert set(caught.value.rows) == {("a", 1), ("a", 2)}
    p.tick()
    assert p.item.rows() == {("a", 1)}


def test_a_tick_that_raises_sends_nothing_and_calls_nobody_back(evaluator):
    class P(Bloom):
        request = interface.input("k")
        own = loopback("k")

        @rule
        def rules(self):
            self.own <~ ((r.k,) for r in self.request)

        @invariant
        def check(self):
            (r for r in self.request if r.k == 0)

    p = P(evaluator=evaluator)
    called = []
    p.request.on_insert(called.append)
    p.request.insert((0,))
    with pytest.raises(InvariantViolation, match="check"):
        p.tick()
    p.tick()
    assert called == []
    assert p.own.rows() == set()


def test_a_timer_that_fired_in_a_tick_that_raised_is_in_its_batch(evaluator):
    class P(Bloom):
        beat = periodic(1)
        bad = scratch("v")

        @rule
        def rules(self):
            self.bad <= ((1 // (b.no - 1),) for b in self.beat)

    p = P(evaluator=evaluator)
    p.tick(now=0)
    with pytest.raises(ZeroDivisionError, match="zero") as caught:
        p.tick(now=1)
    assert caught.value.batch.events == {"beat": ((1, 1),)}
