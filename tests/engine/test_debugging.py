"""Generated code shows as the user's: tracebacks, breakpoints, coverage."""

from __future__ import annotations

import bdb
import os
import subprocess
import sys
import textwrap
import traceback

import pytest

PROGRAM = textwrap.dedent(
    """
    from bloompy import Bloom, interface, rule, scratch, table

    class P(Bloom):
        t = table("k -> v: int")
        i = interface.input("k")
        small = scratch("k, q")
        never = scratch("k")

        @rule
        def rules(self):
            self.small <= (
                (x.k, 10 // x.v)
                for x in self.t
                if x.v < 5
            )
            self.never <= (
                y.k
                for y in self.i
            )

    p = P()
    p.t.insert(("a", 2), ("b", 9))
    p.tick()
    """
).lstrip()
LINES = {text.strip(): number for number, text in enumerate(PROGRAM.splitlines(), 1)}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "prog.py"
    file.write_text(PROGRAM)
    return file


def load(path):
    namespace = {"__name__": "prog", "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    return namespace


def test_a_traceback_shows_the_expression_with_carets_and_the_rows_at_hand(path):
    p = load(path)["p"]
    p.t.insert(("zero", 0))
    with pytest.raises(ZeroDivisionError) as caught:
        p.tick()
    shown = traceback.format_exception(caught.value)
    place = next(i for i, text in enumerate(shown) if "in rule P.rules" in text and str(path) in text)
    assert shown[place].splitlines()[0] == f'  File "{path}", line {LINES["(x.k, 10 // x.v)"]}, in rule P.rules'
    assert shown[place].splitlines()[1:] == ["    (x.k, 10 // x.v)", "          ~~~^^~~~~"]
    assert caught.value.__notes__ == [f"in rule P.rules at {path}:{LINES['self.small <= (']}", "  x = Row(k='zero', v=0)"]


def test_a_breakpoint_inside_a_rule_stops_there_with_the_variables_of_the_rule(path):
    stops = []

    class Debugger(bdb.Bdb):
        def user_line(self, frame):
            if frame.f_code.co_filename == self.canonic(str(path)) and self.break_here(frame):
                stops.append((frame.f_lineno, frame.f_locals["x"]))
            self.set_continue()

    debugger = Debugger()
    debugger.set_break(str(path), LINES["if x.v < 5"])
    debugger.runcall(load, path)
    assert stops == [(LINES["if x.v < 5"], ("a", 2)), (LINES["if x.v < 5"], ("b", 9))]


def test_coverage_reports_the_lines_of_rules_that_never_fired(path):
    run = [sys.executable, "-m", "coverage"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([*run, "run", path.name], cwd=path.parent, check=True, env=environment)
    report = subprocess.run(
        [*run, "report", "-m", "--include", path.name], cwd=path.parent, check=True, capture_output=True, text=True, env=environment
    )
    missing = report.stdout.splitlines()[2].split("%")[1].split()
    assert missing == [f"{LINES['self.never <= (']}"] or missing == [
        f"{LINES['self.never <= (']}-{LINES['for y in self.i'] + 1}"
    ]


def test_a_rule_keeps_its_name_in_a_traceback(path):
    p = load(path)["p"]
    p.t.insert(("zero", 0))
    with pytest.raises(ZeroDivisionError) as caught:
        p.tick()
    assert "in rule P.rules" in "".join(traceback.format_exception(caught.value))
