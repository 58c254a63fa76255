"""`bloompy why`: programs given rows as text, tests of simulations, and what is asked wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bloompy.sim import Decision, Schedule
from bloompy.tools.commands import main

PROGRAM = """
from bloompy import Bloom, agg, channel, interface, param, rule, scratch, table
from bloompy.sim.lineage import expect

class Routes(Bloom):
    limit = param(100)
    link = table("src, dst -> cost: int")
    best = scratch("src, dst -> cost")

    @rule
    def paths(self):
        self.best <= ((l.src, l.dst, l.cost) for l in self.link if l.cost < self.limit)

class Simple(Bloom):
    log = table("text: str")
    said = interface.input("to, text: str")
    message = channel("@to, text: str")

    @rule
    def go(self):
        self.message <~ self.said
        self.log <= ((m.text,) for m in self.message)

def tells(sim):
    a, b = sim.add(Simple, "a"), sim.add(Simple, "b")
    a.said.insert(("b", "7"))
    sim.run(until=1)
    expect(sim, "b", "log", "7")

nothing = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "asked_programs.py"
    path.write_text(PROGRAM)
    return str(path)


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["why", *arguments])


def test_a_program_is_given_rows_as_text(file):
    done = asked(f"{file}:Routes", "best", "a,b", "--insert", "link", "a,b,1")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("best('a', 'b', 1), tick 1 of local (1 s)\n  by Routes.paths, asked_programs.py:")
    assert "link('a', 'b', 1): inserted from outside" in done.output


def test_a_row_that_does_not_hold_is_answered_as_well(file):
    done = asked(f"{file}:Routes", "best", "a,z,_", "--insert", "link", "a,b,1")
    assert done.output.startswith("best('a', 'z', _) does not hold in tick 1 of local")


def test_params_and_ticks(file):
    done = asked(f"{file}:Routes", "best", "a,b", "--insert", "link", "a,b,7", "--param", "limit", "5", "--ticks", "2", "--tick", "2")
    assert "does not hold in tick 2 of local" in done.output
    assert "false with l.cost = 7" in done.output


def test_a_test_of_a_simulation_is_run(file):
    done = asked(f"{file}:tells", "b", "log", "7")
    assert done.exit_code == 0, done.output
    assert "log('7'), tick 2 of b" in done.output
    assert "sent by a in tick 1" in done.output


def test_a_failing_run_is_replayed(file):
    word = Schedule((Decision("drop", ("a", "b", 1), True),)).encode()
    done = asked(f"{file}:tells", "b", "log", "7", "--replay", word)
    assert done.exit_code == 0, done.output
    assert "the test failed: OutcomeMissing" in done.output
    assert "message('b', '7') was sent by a at 0 s and was lost at 0 s" in done.output


@pytest.mark.parametrize(("shown_as", "start"), [("html", "<!doctype html>"), ("svg", "<svg")])
def test_other_forms(file, shown_as, start):
    done = asked(f"{file}:Routes", "best", "a,b", "--insert", "link", "a,b,1", "--format", shown_as)
    assert done.output.startswith(start)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Routes", "best"), "a question about a program is COLLECTION ROW"),
        (("Routes", "bset", "a,b"), "there is no collection 'bset'"),
        (("Routes", "best", "a"), "'a' is neither a row nor a key"),
        (("tells", "log", "7"), "NODE COLLECTION ROW"),
        (("tells", "z", "log", "7"), "there is no node 'z'"),
        (("nothing", "log", "7"), "is no program and no test"),
        (("nobody", "log", "7"), "has no 'nobody'"),
        (("Routes", "best", "a,b", "--param", "limt", "3"), "has no parameter 'limt'"),
    ],
)
def test_what_is_asked_wrongly(file, arguments, said):
    done = asked(f"{file}:{arguments[0]}", *arguments[1:])
    assert done.exit_code != 0
    assert said in done.output


def test_values_in_brackets_and_quotes(file):
    done = asked(f"{file}:Routes", "best", "'a,1',(2, 3)", "--insert", "link", "'a,1',(2, 3),4")
    assert done.output.startswith("best('a,1', (2, 3), 4)")
