"""Design §2.2, §3.1: what a start finds, terminals, and modules within modules."""

from __future__ import annotations

from bloompy import Bloom, bootstrap, channel, interface, loopback, module, rule, scratch, stdio, table
from bloompy.engine.tick import Durable
from bloompy.program import machine_of


class Kept(Bloom):
    item = table("k -> v", durable=True)
    lost = table("k")
    starts = table("n", durable=True)
    request = interface.input("k, v")
    view = scratch("k")
    out = channel("@to, k")

    @bootstrap
    def start(self):
        self.starts <= ("started",)
        self.lost <+ ("started",)

    @rule
    def rules(self):
        self.item <+- self.request
        self.lost <= ((r.k,) for r in self.request)
        self.view <= ((i.k,) for i in self.item)
        self.out <~ (("n2", v.k) for v in self.view)


def crashed_and_restarted(evaluator, ticks):
    """A program after some ticks, then a new one with what the first had stored."""
    stored: dict[str, dict] = {}

    def commit(durable: Durable) -> None:
        for name, keys in durable.deleted.items():
            for key in keys:
                del stored[name][key]
        for name, rows in durable.upserted.items():
            schema = Kept.program_ir.by_name[name].schema
            stored.setdefault(name, {}).update((schema.key_of(row), row) for row in rows)

    first = Kept(evaluator=evaluator)
    for rows in ticks:
        first.request.insert(*rows)
        machine_of(first).run(machine_of(first).take(1.0), commit)
    second = Kept(evaluator=evaluator)
    machine_of(second).restore({name: list(rows.values()) for name, rows in stored.items()})
    return second


def test_durable_tables_come_back_with_what_was_pending_and_others_do_not(evaluator):
    p = crashed_and_restarted(evaluator, [[("a", 1)], [("a", 2), ("b", 3)]])
    assert p.item.rows() == {("a", 2), ("b", 3)}
    p.tick()
    assert p.item.rows() == {("a", 2), ("b", 3)}
    assert p.lost.rows() == set()
    assert p.view.rows() == {("a",), ("b",)}


def test_what_comes_back_did_not_begin_to_hold_in_the_first_tick_but_what_follows_from_it_did(evaluator):
    p = crashed_and_restarted(evaluator, [[("a", 1)]])
    tick = p.tick()
    assert "item" not in tick.inserted
    assert tick.inserted["view"] == [("a",)]
    assert tick.sent == {"out": [("n2", "a")]}
    assert p.tick().sent == {}


def test_bootstrap_rules_take_part_in_the_first_tick_of_every_start(evaluator):
    p = crashed_and_restarted(evaluator, [[]])
    assert p.starts.rows() == {("started",)}
    assert p.lost.rows() == set()
    p.tick()
    p.tick()
    assert p.lost.rows() == {("started",)}


def test_lines_typed_arrive_as_rows(evaluator, capsys):
    class P(Bloom):
        terminal = stdio()

        @rule
        def rules(self):
            self.terminal <~ ((line.upper(),) for line, in self.terminal)

    p = P(evaluator=evaluator)
    machine_of(p).deliver("terminal", ("hello",))
    p.tick()
    assert p.terminal.rows() == {("hello",)}
    assert capsys.readouterr().out == "HELLO\n"
    p.tick()
    assert p.terminal.rows() == set()
    assert capsys.readouterr().out == ""


def test_modules_nest(evaluator):
    class Doubler(Bloom):
        given = interface.input("n")
        doubled = interface.output("n")

        @rule
        def rules(self):
            self.doubled <= ((g.n * 2,) for g in self.given)

    class Quadrupler(Bloom):
        given = interface.input("n")
        result = interface.output("n")
        first = module(Doubler)
        second = module(Doubler)

        @rule
        def rules(self):
            self.first.given <= self.given
            self.second.given <= self.first.doubled
            self.result <= self.second.doubled

    class P(Bloom):
        item = table("n")
        seen = table("n")
        again = loopback("n")
        four = module(Quadrupler)

        @rule
        def rules(self):
            self.four.given <= self.item
            self.four.given <+ ((a.n,) for a in self.again)
            self.seen <= self.four.result
            self.again <~ ((r.n,) for r in self.four.result if r.n < 20)

    p = P(evaluator=evaluator)
    p.item.insert((1,))
    p.tick()
    assert p.seen.rows() == {(4,)}
    assert p.four.second.doubled.rows() == {(4,)}
    p.tick()
    p.tick()
    assert p.seen.rows() == {(4,), (16,)}
