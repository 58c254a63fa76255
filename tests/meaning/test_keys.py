"""Design §3.2 and §3.3: keys, and next-tick changes of one key."""

from __future__ import annotations

import pytest

from bloompy import Bloom, bootstrap, interface, rule, scratch, table
from bloompy.errors import KeyConflict, RowError


class Changes(Bloom):
    """Every way to change a table in the next tick, at will."""

    item = table("k -> v")
    add = interface.input("k, v")
    put = interface.input("k, v")
    drop = interface.input("k")
    drop_row = interface.input("k, v")

    @rule
    def rules(self):
        self.item <+ self.add
        self.item <+- self.put
        self.item <- self.drop
        self.item <- self.drop_row


def changed(evaluator, before=(), add=(), put=(), drop=(), drop_row=()):
    p = Changes(evaluator=evaluator)
    p.item.insert(*before)
    p.tick()
    p.add.insert(*add)
    p.put.insert(*put)
    p.drop.insert(*drop)
    p.drop_row.insert(*drop_row)
    p.tick()
    p.tick()
    return p.item.rows()


def test_a_collection_is_a_set_of_rows(evaluator):
    class P(Bloom):
        a = table("k")
        b = scratch("k")

        @rule
        def rules(self):
            self.b <= self.a
            self.b <= ((x.k,) for x in self.a for y in self.a)

    p = P(evaluator=evaluator)
    p.a.insert((1,), (1,), (2,))
    tick = p.tick()
    assert len(p.b) == 2
    assert sorted(tick.inserted["b"]) == [(1,), (2,)]


def test_two_rules_that_derive_different_rows_of_one_key_conflict_with_both_named(evaluator):
    class P(Bloom):
        a = table("k")
        b = scratch("k -> v")

        @rule
        def first(self):
            self.b <= ((x.k, "first") for x in self.a)

        @rule
        def second(self):
            self.b <= ((x.k, "second") for x in self.a)

    p = P(evaluator=evaluator)
    p.a.insert((1,))
    with pytest.raises(KeyConflict, match="'b'") as caught:
        p.tick()
    by_rule = dict(zip(caught.value.rules, caught.value.rows, strict=True))
    assert {rule.split(" at ")[0].rpartition(".")[2]: row for rule, row in by_rule.items()} == {
        "first": (1, "first"),
        "second": (1, "second"),
    }
    assert all(__file__ in rule for rule in caught.value.rules)
    assert caught.value.rows[0].v in ("first", "second")
    assert p.a.rows() == set()


def test_one_rule_that_derives_two_rows_of_one_key_conflicts(evaluator):
    class P(Bloom):
        a = table("k, v")
        b = scratch("k -> v")

        @rule
        def rules(self):
            self.b <= self.a

    p = P(evaluator=evaluator)
    p.a.insert((1, 2), (1, 3))
    with pytest.raises(KeyConflict, match="'b'") as caught:
        p.tick()
    assert set(caught.value.rows) == {(1, 2), (1, 3)}


def test_equal_rows_of_one_key_are_one(evaluator):
    class P(Bloom):
        a = table("k, v")
        b = scratch("k -> v")

        @rule
        def rules(self):
            self.b <= self.a
            self.b <= ((x.k, x.v) for x in self.a)

    p = P(evaluator=evaluator)
    p.a.insert((1, 2))
    p.tick()
    assert p.b.rows() == {(1, 2)}


def test_a_derived_row_conflicts_with_a_different_row_that_a_table_holds(evaluator):
    class P(Bloom):
        item = table("k -> v")
        wish = interface.input("k, v")

        @rule
        def rules(self):
            self.item <= self.wish

    p = P(evaluator=evaluator)
    p.wish.insert((1, "old"))
    p.tick()
    p.wish.insert((1, "old"))
    p.tick()
    p.wish.insert((1, "new"))
    with pytest.raises(KeyConflict, match="'item'") as caught:
        p.tick()
    assert caught.value.rows == ((1, "old"), (1, "new"))
    assert p.item.rows() == {(1, "old")}


def test_an_empty_key_holds_one_row(evaluator):
    class P(Bloom):
        only = table("-> v")
        wish = interface.input("v")

        @rule
        def rules(self):
            self.only <+- self.wish

    p = P(evaluator=evaluator)
    p.wish.insert((1,))
    p.tick()
    p.wish.insert((2,))
    p.tick()
    assert p.only.rows() == {(1,)}
    assert p.only[()] == (1,)
    p.tick()
    assert p.only.rows() == {(2,)}
    p.wish.insert((1,), (2,))
    with pytest.raises(KeyConflict, match="'only'"):
        p.tick()


def test_rows_of_one_tick_that_share_a_key_conflict_in_an_input(evaluator):
    class P(Bloom):
        request = interface.input("k -> v")

    p = P(evaluator=evaluator)
    p.request.insert((1, 2), (1, 3))
    with pytest.raises(KeyConflict, match="'request'"):
        p.tick()


def test_a_row_that_comes_back_while_its_cause_holds_is_there_in_the_same_tick(evaluator):
    class P(Bloom):
        cause = table("k")
        effect = table("k")

        @rule
        def rules(self):
            self.effect <= self.cause

    p = P(evaluator=evaluator)
    p.cause.insert((1,))
    p.tick()
    p.effect.delete((1,))
    tick = p.tick()
    assert p.effect.rows() == {(1,)}
    assert "effect" not in tick.deleted
    p.cause.delete((1,))
    p.effect.delete((1,))
    p.tick()
    assert p.effect.rows() == set()


def test_a_derived_row_of_a_table_stays_when_its_cause_goes_and_that_of_a_scratch_does_not(evaluator):
    class P(Bloom):
        cause = table("k")
        kept = table("k")
        shown = scratch("k")

        @rule
        def rules(self):
            self.kept <= self.cause
            self.shown <= self.cause

    p = P(evaluator=evaluator)
    p.cause.insert((1,), (2,))
    p.tick()
    p.cause.delete((1,))
    tick = p.tick()
    assert p.kept.rows() == {(1,), (2,)}
    assert p.shown.rows() == {(2,)}
    assert tick.deleted == {"cause": [(1,)], "shown": [(1,)]}


def test_a_delete_loses_to_an_insert_of_the_same_key(evaluator):
    assert changed(evaluator, before=[("a", 1)], add=[("a", 2)], drop=[("a",)]) == {("a", 2)}
    assert changed(evaluator, before=[("a", 1)], add=[("a", 1)], drop=[("a",)]) == {("a", 1)}


def test_a_delete_loses_to_an_upsert_of_the_same_key(evaluator):
    assert changed(evaluator, before=[("a", 1)], put=[("a", 2)], drop=[("a",)]) == {("a", 2)}


def test_an_upsert_replaces_the_row_of_its_key(evaluator):
    assert changed(evaluator, before=[("a", 1), ("b", 1)], put=[("a", 2), ("c", 3)]) == {("a", 2), ("b", 1), ("c", 3)}


def test_equal_rows_from_insert_and_upsert_are_one(evaluator):
    assert changed(evaluator, add=[("a", 1)], put=[("a", 1)]) == {("a", 1)}
    assert changed(evaluator, before=[("a", 0)], add=[("a", 1)], put=[("a", 1)]) == {("a", 1)}


def test_different_rows_from_insert_and_upsert_conflict(evaluator):
    with pytest.raises(KeyConflict, match="'item'") as caught:
        changed(evaluator, add=[("a", 1)], put=[("a", 2)])
    assert set(caught.value.rows) == {("a", 1), ("a", 2)}
    assert all("Changes.rules" in rule for rule in caught.value.rules)


def test_different_rows_from_two_upserts_conflict(evaluator):
    with pytest.raises(KeyConflict, match="'item'"):
        changed(evaluator, put=[("a", 1), ("a", 2)])


def test_an_insert_over_a_row_that_stays_conflicts(evaluator):
    with pytest.raises(KeyConflict, match="'item'"):
        changed(evaluator, before=[("a", 1)], add=[("a", 2)])


def test_an_insert_over_an_equal_row_changes_nothing(evaluator):
    assert changed(evaluator, before=[("a", 1)], add=[("a", 1)]) == {("a", 1)}


def test_a_delete_of_a_whole_row_deletes_only_an_equal_one(evaluator):
    assert changed(evaluator, before=[("a", 1), ("b", 2)], drop_row=[("a", 1), ("b", 3)]) == {("b", 2)}


def test_a_delete_by_key_deletes_whatever_the_key_holds(evaluator):
    assert changed(evaluator, before=[("a", 1), ("b", 2)], drop=[("a",), ("z",)]) == {("b", 2)}


def test_a_delete_of_another_row_does_not_make_room_for_an_insert(evaluator):
    with pytest.raises(KeyConflict, match="'item'"):
        changed(evaluator, before=[("a", 1)], add=[("a", 2)], drop_row=[("a", 7)])


def test_a_staged_change_meets_a_pending_one_by_the_same_rules(evaluator):
    def after(stage):
        p = Changes(evaluator=evaluator)
        p.item.insert(("a", 0))
        p.tick()
        p.put.insert(("a", 1))
        p.tick()
        stage(p)
        p.tick()
        return p.item.rows()

    assert after(lambda p: p.item.delete("a")) == {("a", 1)}
    assert after(lambda p: p.item.upsert(("a", 1))) == {("a", 1)}
    with pytest.raises(KeyConflict, match="'item'"):
        after(lambda p: p.item.upsert(("a", 2)))


def test_a_tick_that_raised_for_a_staged_row_leaves_the_pending_one(evaluator):
    p = Changes(evaluator=evaluator)
    p.put.insert(("a", 1))
    p.tick()
    p.item.upsert(("a", 2), ("b", 2))
    with pytest.raises(KeyConflict, match="'item'"):
        p.tick()
    assert p.item.rows() == set()
    p.tick()
    assert p.item.rows() == {("a", 1)}


def test_staged_operations_are_folded_in_call_order(evaluator):
    class P(Bloom):
        item = table("k -> v")

    def after(*operations, before=()):
        p = P(evaluator=evaluator)
        p.item.insert(*before)
        p.tick()
        for name, row in operations:
            getattr(p.item, name)(row)
        tick = p.tick()
        return p.item.rows(), tick.inserted, tick.deleted

    assert after(("insert", ("a", 1)), ("delete", ("a", 1))) == (set(), {}, {})
    assert after(("insert", ("a", 1)), ("delete", "a")) == (set(), {}, {})
    assert after(("insert", ("a", 1)), ("delete", ("a", 2)))[0] == {("a", 1)}
    assert after(("delete", "a"), ("insert", ("a", 2)), before=[("a", 1)])[0] == {("a", 2)}
    assert after(("insert", ("a", 1)), ("upsert", ("a", 2)))[0] == {("a", 2)}
    assert after(("upsert", ("a", 1)), ("upsert", ("a", 2)))[0] == {("a", 2)}
    assert after(("delete", "a"), ("insert", ("a", 1)), before=[("a", 1)]) == ({("a", 1)}, {}, {})
    assert after(("insert", ("a", 2)), ("delete", ("a", 2)), before=[("a", 1)]) == ({("a", 1)}, {}, {})
    assert after(("insert", ("a", 2)), ("delete", ("a", 1)), before=[("a", 1)])[0] == {("a", 2)}
    assert after(("insert", ("a", 2)), ("delete", "a"), before=[("a", 1)])[0] == set()
    with pytest.raises(KeyConflict, match="'item'"):
        after(("insert", ("a", 1)), ("insert", ("a", 2)))
    with pytest.raises(KeyConflict, match="'item'"):
        after(("insert", ("a", 2)), before=[("a", 1)])


def test_a_scratch_holds_a_next_tick_row_for_one_tick(evaluator):
    class P(Bloom):
        request = interface.input("k")
        later = scratch("k")

        @rule
        def rules(self):
            self.later <+ self.request

    p = P(evaluator=evaluator)
    p.request.insert((1,))
    p.tick()
    assert p.later.rows() == set()
    tick = p.tick()
    assert p.later.rows() == {(1,)}
    assert tick.inserted == {"later": [(1,)]}
    assert tick.deleted == {"request": [(1,)]}
    tick = p.tick()
    assert p.later.rows() == set()
    assert tick.deleted == {"later": [(1,)]}


def test_pending_rows_of_a_scratch_conflict_when_they_are_asked_for(evaluator):
    class P(Bloom):
        request = interface.input("k, v")
        later = scratch("k -> v")

        @rule
        def rules(self):
            self.later <+ self.request

    p = P(evaluator=evaluator)
    p.request.insert((1, 1), (1, 2))
    with pytest.raises(KeyConflict, match="'later'"):
        p.tick()


def test_nan_is_refused_in_keys(evaluator):
    class P(Bloom):
        item = table("v: float")
        again = scratch("v")

        @rule
        def rules(self):
            self.again <= ((x.v - x.v,) for x in self.item)

    p = P(evaluator=evaluator)
    with pytest.raises(RowError, match="NaN"):
        p.item.insert((float("nan"),))
    p.item.insert((float("inf"),))
    with pytest.raises(RowError, match="NaN"):
        p.tick()


def test_equality_is_pythons_and_the_first_stays(evaluator):
    class P(Bloom):
        item = table("k -> v")

    p = P(evaluator=evaluator)
    p.item.insert((1, True))
    p.tick()
    p.item.insert((1.0, 1))
    tick = p.tick()
    assert tick.inserted == {}
    assert [repr(tuple(row)) for row in p.item] == ["(1, True)"]


def test_bootstrap_rows_are_there_in_the_first_tick_only(evaluator):
    class P(Bloom):
        item = table("k")
        later = table("k")
        seen = scratch("k")

        @bootstrap
        def start(self):
            self.item <= (1,)
            self.later <+ (2,)
            self.seen <= [(3,), (4,)]

    p = P(evaluator=evaluator)
    p.tick()
    assert (p.item.rows(), p.later.rows(), p.seen.rows()) == ({(1,)}, set(), {(3,), (4,)})
    p.item.delete((1,))
    p.tick()
    assert (p.item.rows(), p.later.rows(), p.seen.rows()) == (set(), {(2,)}, set())


def test_bootstrap_takes_part_again_when_the_first_tick_raised(evaluator):
    class P(Bloom):
        item = table("k -> v")
        request = interface.input("k, v")

        @bootstrap
        def start(self):
            self.item <= (1, "start")

        @rule
        def rules(self):
            self.item <= self.request

    p = P(evaluator=evaluator)
    p.request.insert((1, "other"))
    with pytest.raises(KeyConflict, match="'item'"):
        p.tick()
    p.tick()
    assert p.item.rows() == {(1, "start")}


def test_every_conflict_shows_its_rows_with_their_columns(evaluator):
    class P(Bloom):
        item = table("k -> v")
        want = scratch("k, v")

        @rule
        def rules(self):
            self.item <+ ((w.k, w.v) for w in self.want)

    p = P(evaluator=evaluator)
    p.want.insert(("a", 1), ("a", 2))
    with pytest.raises(KeyConflict, match=r"Row\(k='a', v=1\) \(.*P\.rules.*Row\(k='a', v=2\)"):
        p.tick()
    p.item.insert(("a", 1))
    p.tick()
    p.want.insert(("a", 2))
    with pytest.raises(KeyConflict, match=r"Row\(k='a', v=1\) \(.*Row\(k='a', v=2\) \(.*P\.rules"):
        p.tick()
    p.item.insert(("a", 3))
    with pytest.raises(KeyConflict, match=r"Row\(k='a', v=1\) \(.*Row\(k='a', v=3\) \(inserted"):
        p.tick()
