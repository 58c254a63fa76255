"""The class keyword `state`: which tables become delayed, and the rules that take and restore snapshots."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# fmt: off

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bloompy import Bloom, channel, interface, invariant, lattice, module, param, rule, scratch, table
from bloompy.errors import DeclarationError
from bloompy.ir.text import rule_text
from bloompy.sim import Simulation
from bloompy.std.kvs import KeyValueStore
from bloompy.tools.commands import main
from bloompy_paxos.snapshots import Snapshots


class FakeLog(Bloom):
    """Asks for a snapshot and restores one when it is told to."""

    image = interface.input("table: str, row: tuple")
    wanted = interface.output("no: int")
    restoring = interface.output("no: int")
    restored = interface.output("table: str, row: tuple")

    take = interface.input("no: int")
    give = interface.input("table: str, row: tuple")
    began = interface.input("no: int")
    taken = table("table: str, row: tuple")

    @rule
    def work(self):
        self.wanted <= self.take
        self.taken <= self.image
        self.restoring <= self.began
        self.restored <= self.give


class Accounts(Snapshots, state=("kvs", "account")):
    """Two durable tables of its own, one of which is state, and a store."""

    log = module(FakeLog)
    kvs = module(KeyValueStore)
    account = table("name: str -> amount: int", durable=True)
    note = table("text: str", durable=True)
    put = interface.input("key, value")
    take = interface.input("no: int")
    began = interface.input("no: int")
    give = interface.input("table: str, row: tuple")
    seen = scratch("table: str, row: tuple")

    @rule
    def glue(self):
        self.kvs.put <= (((p.key, p.value), p.key, p.value) for p in self.put)
        self.log.take <= self.take
        self.log.began <= self.began
        self.log.give <= self.give

    @invariant
    def none_in_debt(self):
        (a for a in self.account if a.amount < 0)

    @invariant(scope="cluster")
    def one_name_one_amount(self):
        ((a.name, a.amount) for a in self.account for b in self.account if a.name == b.name and a.amount != b.amount)


def delayed(program: type[Bloom]) -> set[str]:
    return {one.name for one in program.program_ir.collections if one.delayed}


def texts(program: type[Bloom]) -> list[str]:
    return [rule_text(one, program.program_ir) for one in program.program_ir.rules if one.label.endswith(".snapshots")]


def make(**options: Any) -> Accounts:
    program = Accounts(**options)
    program.account.insert(("ann", 1), ("bob", 2))
    program.note.insert(("mine",))
    program.put.insert(("k", "v"), ("l", 7))
    program.tick()
    program.tick()
    return program


def state(program: Bloom) -> dict[str, set[Any]]:
    store = program.kvs.store  # type: ignore[attr-defined]
    return {"kvs.store": set(map(tuple, store)), "account": set(map(tuple, program.account))}  # type: ignore[attr-defined]


# --- what the keyword does to a program -------------------------------------------------------------------------


def test_what_is_named_becomes_delayed_and_nothing_else() -> None:
    assert delayed(Accounts) == {"kvs.store", "account"}
    assert Accounts.program_ir.by_name["note"].durable
    assert not KeyValueStore.program_ir.by_name["store"].delayed


def test_the_rules_that_are_added() -> None:
    assert texts(Accounts) == [
        "self.log.image <= (('kvs.store', (x.key, x.value)) for w in self.log.wanted for x in self.kvs.store)",
        "self.kvs.store <- ((x.key, x.value) for r in self.log.restoring for x in self.kvs.store)",
        "self.kvs.store <+- ((r.row[0], r.row[1]) for r in self.log.restored if r.table == 'kvs.store')",
        "self.log.image <= (('account', (x.name, x.amount)) for w in self.log.wanted for x in self.account)",
        "self.account <- ((x.name, x.amount) for r in self.log.restoring for x in self.account)",
        "self.account <+- ((r.row[0], r.row[1]) for r in self.log.restored if r.table == 'account')",
    ]


def test_they_stand_where_the_class_is_declared() -> None:
    found = [one for one in Accounts.program_ir.rules if one.label == "Accounts.snapshots"]
    assert [one.statement for one in found] == list(range(6))
    assert {Path(one.span.file).name for one in found} == {"test_snapshots.py"}
    assert "class Accounts" in found[0].span.text


class Savings(Accounts, state="rate"):
    """Names one more."""

    rate = table("-> percent: float", durable=True)


class Plain(Accounts):
    """Names none."""

    other = table("a", durable=True)


def test_subclasses_inherit_it_and_add_to_it() -> None:
    assert delayed(Savings) == {"kvs.store", "account", "rate"}
    assert delayed(Plain) == {"kvs.store", "account"}
    assert (len(texts(Savings)), len(texts(Plain))) == (9, 6)
    assert texts(Savings)[0] == "self.log.image <= (('rate', (x.percent,)) for w in self.log.wanted for x in self.rate)"
    assert delayed(Accounts) == {"kvs.store", "account"}


class Left(Snapshots, state=("a",)):
    a = table("n: int", durable=True)


class Right(Snapshots, state=("b",)):
    b = table("n: int", durable=True)


class Both(Left, Right):
    """From two sides."""


def test_a_class_has_the_state_of_all_its_bases() -> None:
    assert delayed(Both) == {"a", "b"}


def test_without_a_log_no_rules_are_added() -> None:
    assert texts(Both) == []


class Outer(Bloom):
    """Has the whole thing as a module."""

    accounts = module(Accounts)
    put = interface.input("key, value")
    take = interface.input("no: int")

    @rule
    def glue(self):
        self.accounts.put <= self.put
        self.accounts.take <= self.take


@pytest.mark.parametrize("evaluator", ["codegen", "naive"])
def test_a_rewritten_program_may_be_a_module(evaluator: str) -> None:
    program = Outer(evaluator=evaluator)
    program.put.insert(("k", "v"))
    program.tick()
    program.tick()
    program.take.insert((1,))
    program.tick()
    assert set(program.accounts.log.taken) == {("kvs.store", ("k", "v"))}
    assert "accounts.kvs.store" in delayed(Outer)


# --- what the rules do ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evaluator", ["codegen", "naive"])
def test_a_snapshot_has_all_rows_of_the_state_and_replaces_another_state(evaluator: str) -> None:
    first, second = make(evaluator=evaluator), Accounts(evaluator=evaluator, debug=True)
    first.take.insert((1,))
    first.tick()
    image = set(map(tuple, first.log.taken))
    assert image == {(name, row) for name, rows in state(first).items() for row in rows}
    second.account.insert(("ann", 5), ("eve", 6))
    second.put.insert(("m", 0))
    second.note.insert(("stays",))
    second.tick()
    second.tick()
    second.began.insert((1,))
    second.give.insert(*image)
    second.tick()
    second.tick()
    assert state(second) == state(first)
    assert set(second.note) == {("stays",)}


class Grown(Snapshots, state=("total", "most", "tags", "parts")):
    """State of every shape: one row, lattices, lattice columns."""

    log = module(FakeLog)
    total = table("-> n: int", durable=True)
    most = lattice.lmax(durable=True)
    tags = lattice.lset(durable=True)
    parts = table("key: str -> best: lmax, all: lset", durable=True)
    add = interface.input("n: int")
    take = interface.input("no: int")
    began = interface.input("no: int")
    give = interface.input("table: str, row: tuple")

    @rule
    def glue(self):
        self.total <+- ((a.n,) for a in self.add)
        self.most <= (a.n for a in self.add)
        self.tags <= (a.n for a in self.add)
        self.parts <= ((str(a.n % 2), a.n, a.n) for a in self.add)
        self.log.take <= self.take
        self.log.began <= self.began
        self.log.give <= self.give


@pytest.mark.parametrize("evaluator", ["codegen", "naive"])
def test_lattices_and_single_rows_are_state_as_well(evaluator: str) -> None:
    first, second = Grown(evaluator=evaluator), Grown(evaluator=evaluator, debug=True)
    for number in (1, 4, 3):
        first.add.insert((number,))
        first.tick()
    first.tick()
    first.take.insert((1,))
    first.tick()
    second.add.insert((1,))
    second.tick()
    second.began.insert((1,))
    second.give.insert(*first.log.taken)
    second.tick()
    second.tick()
    assert (second.most.value, set(second.tags.value)) == (4, {1, 3, 4})
    assert set(second.total) == set(first.total) == {(3,)}
    assert set(second.parts) == set(first.parts)


# --- everything else that looks at programs ---------------------------------------------------------------------


def test_explain_and_dataflow_tell_of_the_rules() -> None:
    program = make(profile=True)
    said = str(program.explain("snapshots"))
    assert "self.kvs.store <+- ((r.row[0], r.row[1]) for r in self.log.restored if r.table == 'kvs.store')" in said
    assert "delayed durable table" in str(program.explain("account"))
    assert "log.image" in str(Accounts.dataflow())


def test_why_leads_through_a_snapshot() -> None:
    program = make(provenance=True)
    program.began.insert((1,))
    program.give.insert(("account", ("eve", 9)))
    program.tick()
    program.tick()
    assert set(program.account) == {("eve", 9)}
    why = program.why("account", ("eve", 9))
    assert {fact.collection for fact in why.inputs} == {"give"}
    assert "Accounts.snapshots" in str(why)
    assert "Accounts.snapshots" in str(program.why_not("account", ("ann", 1)))


def test_the_command_that_checks_programs_takes_it() -> None:
    done = CliRunner().invoke(main, ["check", f"{Path(__file__)}:Accounts"])
    assert done.exit_code == 1, done.output
    assert "Accounts.snapshots replaces rows of account" in done.output


class Peer(Accounts):
    """Tells others what it has, to be simulated."""

    peer = param("b")
    tell = channel("@to, table: str, row: tuple")
    asked = interface.input("no: int")

    @rule
    def exchange(self):
        self.log.take <= self.asked
        self.tell <~ ((self.peer, "account", (a.name, a.amount)) for x in self.asked for a in self.account)
        self.log.give <= ((t.table, t.row) for t in self.tell)


def test_invariants_of_the_cluster_hold_and_are_found_violated() -> None:
    from bloompy.errors import InvariantViolation

    sim = Simulation()
    a, b = sim.add(Peer, "a", peer="b"), sim.add(Peer, "b", peer="a")
    a.account.insert(("ann", 1))
    sim.settle()
    a.asked.insert((1,))
    sim.settle()
    assert set(b.account) == {("ann", 1)}
    b.account.upsert(("ann", 2))
    with pytest.raises(InvariantViolation, match="one_name_one_amount"):
        sim.settle()


# --- what is wrong ----------------------------------------------------------------------------------------------


def wrong(*names: str) -> DeclarationError:
    with pytest.raises(DeclarationError) as caught:

        class Wrong(Snapshots, state=names):
            log = module(FakeLog)
            kvs = module(KeyValueStore)
            empty = module(FakeLog)
            account = table("a", durable=True)
            memory = table("a")
            passing = scratch("a")

    return caught.value


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("acount", "has no durable table or module 'acount'", "did you mean account"),
        ("ledger", "has no durable table or module 'ledger'", "it has kvs, account"),
        ("memory", "the table 'memory' is not durable", "declare it with durable=True"),
        ("passing", "the scratch 'passing' is not durable", "only tables with durable=True are state"),
        ("empty", "the module 'empty' has no durable tables", "leave it out"),
        ("log", "the log 'log' is no part of the state", "name the tables that its decrees fill"),
    ],
)
def test_a_name_that_is_no_state_is_told_with_what_there_is(name: str, message: str, hint: str) -> None:
    error = wrong(name)
    assert "Wrong" in str(error)
    assert message in str(error)
    assert hint in str([*error.__notes__, error])
    assert error.filename == __file__
    assert "class Wrong" in (error.text or "")


def test_a_class_without_durable_tables_is_told_how_to_have_some() -> None:
    with pytest.raises(DeclarationError, match="has no durable table or module 'a'") as caught:

        class None_(Snapshots, state=("a",)):
            b = table("n")

    assert "declare a table with durable=True" in str([*caught.value.__notes__, caught.value])
