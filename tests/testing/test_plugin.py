"""The pytest plugin, run by pytest in folders of its own: what it reports, repeats, saves, counts, and that it costs nothing unused."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
import time
from signal import SIGINT

import pytest

import bloompy

pytest_plugins = ["pytester"]

# What a run of pytest in this process loads first, is forgotten after it: loaded again, its classes would be others.
for module in pkgutil.walk_packages(bloompy.__path__, "bloompy."):
    if not module.name.startswith(("bloompy.tools", "bloompy.__main__")):
        importlib.import_module(module.name)

PROGRAM = '''
import pytest
from bloompy import Bloom, channel, interface, invariant, rule, scratch, table
from bloompy.sim import Faults
from bloompy.testing import exhaustive, lineage_driven, random_faults


class Broadcast(Bloom):
    member = table("address")
    say = interface.input("id: int")
    log = table("id: int", durable=True)
    message = channel("@to, id: int")
    late = scratch("id")

    @rule
    def all(self):
        self.message <~ ((m.address, s.id) for s in self.say for m in self.member)
        self.log <= ((m.id,) for m in self.message)
        self.late <= ((one.id,) for one in self.log if one.id > 100)

    @invariant
    def small(self):
        ((one.id,) for one in self.log if one.id > 100)


def say(sim, *numbers):
    for name in "ab":
        sim.add(Broadcast, name, setup=lambda node: node.member.insert(("a",), ("b",)))
    sim.run(for_s=0.05)
    for number in numbers:
        if sim["a"].up:
            sim["a"].say.insert((number,))
        sim.run(for_s=0.05)
    sim.run(for_s=1)


def agree(sim):
    assert {tuple(row) for row in sim["a"].log} == {tuple(row) for row in sim["b"].log}
'''

LOSSY = '''
@random_faults(runs=50, faults=Faults(drop=0.2))
def test_agreement(sim):
    say(sim, 1, 2, 3)
    agree(sim)
'''


@pytest.fixture
def run(pytester):
    """Runs a test file in this process, and returns the result."""

    def run(tests, *options):
        pytester.makepyfile(test_it=PROGRAM + tests)
        return pytester.runpytest("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *options)

    return run


def word_of(result):
    return re.search(r"--bloompy-replay=(\S+)", result.stdout.str())[1]


# --- failures and their reports ---------------------------------------------------------------------------------


def test_a_failing_run_is_shrunk_drawn_and_can_be_had_again(run, pytester):
    result = run(LOSSY)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">       agree(sim)",
            "*AssertionError*",
            "*bloompy: a failing run*",
            "failed with the seed *, in run *",
            "shrunk from * to 1 in * runs, * s",
            "what goes wrong:",
            "  the 1st frame from a to b is lost",
            "what happens:",
            "* a * b",
            "*message(*",
            "again:",
            "  pytest 'test_it.py::test_agreement' --bloompy-replay=bloompy1:*",
        ]
    )
    assert "campaign.py" not in result.stdout.str()
    word = word_of(result)
    again = pytester.runpytest("-p", "no:cacheprovider", f"--bloompy-replay={word}")
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["failed in the run given by --bloompy-replay", "  the 1st frame from a to b is lost"])
    assert word_of(again) == word


def test_the_failure_of_an_invariant_tells_why(run):
    result = run("@random_faults(runs=3)\ndef test_small(sim):\n    say(sim, 500)\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*InvariantViolation: * invariant Broadcast.small at *is violated by Row(id=500)",
            "failed with the seed 0, in run 1",
            "  nothing: it fails without faults",
            "why:",
            "  log(500)*",
            "*message('*', 500)*",
            "*say(500)*inserted from outside",
        ]
    )


def test_operations_that_were_not_needed_are_named(run):
    result = run(
        """
@random_faults(runs=20, faults=Faults())
def test_that(sim):
    done = list(sim.operations(3, lambda i: i))
    assert sim.integer(1, 10) < 7 or 1 not in done
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["  nothing: *", "  of the test's 3 operations 1 is needed (left out: 1, 3)", "  the test's draws that are not their least: 1: 6"]
    )


def test_the_whole_traceback_is_shown_when_asked_for(run):
    result = run(LOSSY, "--full-trace")
    result.stdout.fnmatch_lines(["*running.py:*", "*bloompy: a failing run*"])


def test_a_replayed_run_that_passes_passes(run):
    run("@random_faults(runs=3)\ndef test_it(sim):\n    sim.sometimes('never', False)\n", "--bloompy-replay=bloompy1:eNqLjgUAARUAuQ").assert_outcomes(
        passed=1
    )


def test_a_replay_word_must_be_one(run):
    result = run(LOSSY, "--bloompy-replay=nonsense")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*'nonsense' is no schedule*"])


# --- campaigns that lack something ------------------------------------------------------------------------------


def test_what_no_run_reached_fails_a_test_without_a_traceback(run):
    result = run("@random_faults(runs=3, faults=Faults())\ndef test_it(sim):\n    say(sim, 1)\n    sim.sometimes('two', len(sim['a'].log) == 2)\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*NeverReached: * no run of 3 reached sometimes('two')", "hint: run more often*"])
    assert "__tracebackhide__" not in result.stdout.str()


def test_faults_that_were_asked_for_must_occur(run):
    result = run(
        """
@random_faults(runs=3, faults=Faults(drop=0.5, skew_s=1.0))
def test_it(sim):
    sim.add(Broadcast, "a")

@random_faults(runs=3)
def test_usual(sim):
    sim.add(Broadcast, "a")

@random_faults(runs=3, faults=Faults(skew_s=1.0))
def test_enough(sim):
    sim.add(Broadcast, "a")
"""
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        ["*InjectedNothing: * no fault of the kind drop was injected in 3 runs", "*no fault of the kind drop, duplicate, delay, *"]
    )


# --- how tests may look -----------------------------------------------------------------------------------------


def test_decorators_go_with_classes_parameters_and_fixtures(run):
    result = run(
        """
@pytest.fixture
def numbers():
    return [1, 2]

class TestAll:
    @pytest.mark.parametrize("more", [3, 4])
    @random_faults(runs=2, faults=Faults())
    def test_it(self, numbers, sim, more, tmp_path):
        assert tmp_path.exists()
        say(sim, *numbers, more)
        assert len(sim["a"].log) == 3

    @random_faults(runs=2, faults=Faults())
    @pytest.mark.parametrize("more", [3])
    def test_other_order(self, sim, more, numbers):
        assert more == 3

@random_faults(faults=Faults(), runs=1)
def test_skipped(sim):
    pytest.skip("not today")

@pytest.mark.xfail(reason="known", raises=ValueError, strict=True)
@random_faults(runs=2)
def test_known(sim):
    raise ValueError
"""
    )
    result.assert_outcomes(passed=3, skipped=1, xfailed=1)


def test_the_fixture_has_a_seed_of_its_own_and_options(run, pytester):
    tests = """
SEEDS = []

@pytest.mark.parametrize("n", [1, 2])
def test_seeds(sim, n):
    SEEDS.append(sim.seed)
    assert len(set(SEEDS)) == n

def test_print(sim):
    print("seed", sim.seed)

@pytest.mark.bloompy(seed=7, faults=Faults(drop=1.0))
class TestMarked:
    def test_marked(self, sim):
        assert sim.seed == 7 and sim.faults.drop == 1.0

    @pytest.mark.bloompy(seed=8, latency_s=0.5)
    def test_nearer(self, sim):
        assert sim.seed == 8 and sim.faults.drop == 1.0
        assert sim.link("a", "b").latency_s == 0.5

@pytest.mark.parametrize("sim", [{"seed": 9}], indirect=True)
def test_indirect(sim):
    assert sim.seed == 9
"""
    result = run(tests, "-s")
    result.assert_outcomes(passed=6)
    seed = re.search(r"seed (\d+)", result.stdout.str())[1]
    elsewhere = pytester.mkdir("elsewhere")
    pytester.path.joinpath("test_it.py").rename(elsewhere / "test_it.py")
    assert f"seed {seed}" in pytester.runpytest("-s", "-p", "no:cacheprovider", "-k", "print", str(elsewhere)).stdout.str()


def test_a_failure_with_the_fixture_is_reported_and_comes_again(run, pytester):
    result = run("@pytest.mark.bloompy(seed=2, faults=Faults(drop=0.9))\ndef test_it(sim):\n    say(sim, 1, 2)\n    agree(sim)\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["failed with the seed 2", "*is lost", "what happens:", "  pytest 'test_it.py::test_it' --bloompy-replay=*"])
    again = pytester.runpytest("-p", "no:cacheprovider", f"--bloompy-replay={word_of(result)}")
    again.assert_outcomes(failed=1)
    assert word_of(again) == word_of(result)


@pytest.mark.parametrize(("option", "whole"), [("-q", False), ("--full-trace", True)])
def test_a_failure_inside_the_simulation_shows_the_lines_of_the_test(run, option, whole):
    result = run("def test_it(sim):\n    say(sim, 500)\n", option)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">*sim.run(for_s=0.05)", "*why:*"])
    assert ("simulation.py:" in result.stdout.str()) == whole


def test_what_the_fixture_declares_must_be_reached(run):
    result = run("def test_it(sim):\n    sim.sometimes('never', False)\n\ndef test_that(sim):\n    sim.sometimes('now')\n")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*NeverReached: * no run of 1 reached sometimes('never')"])


def test_exhaustive_tests_count_their_states(run):
    result = run(
        """
def fill(model):
    model.add(Broadcast, "a")
    model.input("a", "say", (1,))

@exhaustive(network="set", states=2)
def test_right(model):
    fill(model)

@exhaustive(network="set", states=5)
@pytest.mark.parametrize("n", [1])
def test_miscounted(model, n):
    fill(model)

@exhaustive(network="set")
def test_wrong(model):
    fill(model)
    model.always("silence", lambda view: not view.all("say"))

@exhaustive(network="set", max_states=1)
def test_cut(model):
    fill(model)
""",
        "-v",
    )
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "*StatesMiscounted: * there are 2 states, and not 5",
            "*IncompleteExploration: *",
            "*bloompy: campaigns*",
            "test_it.py::test_right: 2 states, *",
        ]
    )


def test_lineage_driven_tests_find_the_message_that_matters(run):
    result = run(
        """
from bloompy.sim.lineage import expect

@lineage_driven(end_of_faults_s=1.0)
def test_it(sim):
    say(sim, 1)
    expect(sim, "b", "log", (1,))

@lineage_driven(end_of_faults_s=0.01)
def test_safe(sim):
    say(sim, 1)
    expect(sim, "b", "log", (1,))

@lineage_driven(end_of_faults_s=1.0, max_runs=1)
def test_cut(sim):
    say(sim, 1)
    expect(sim, "b", "log", (1,))
""",
        "-v",
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*OutcomeMissing: * b does not hold log(1) at *",
            "found in run 2 of a search led by lineage",
            "  the 1st frame from a to b is lost",
            "why:",
            "*was sent by a *lost*",
            "  pytest 'test_it.py::test_it' --bloompy-replay=*",
            "*IncompleteExploration: *",
            "*test_it.py::test_safe: complete after *",
        ]
    )


# --- options ----------------------------------------------------------------------------------------------------


def test_failing_runs_are_saved_and_run_first_from_then_on(run, pytester):
    result = run(LOSSY, "--bloompy-save")
    saved = pytester.path / "bloompy-regressions.txt"
    text = saved.read_text()
    assert text.count("test_it.py::test_agreement\n") == 1
    assert f"    {word_of(result)}\n" in text
    assert "    the 1st frame from a to b is lost\n" in text
    assert text.startswith("# Runs that failed once")
    again = pytester.runpytest("-p", "no:cacheprovider", "--bloompy-save", "--bloompy-runs=1")
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["failed in a saved run (bloompy-regressions.txt)"])
    assert saved.read_text() == text
    saved.write_text(text.replace("test_agreement", "test_another"))
    pytester.runpytest("-p", "no:cacheprovider", "--bloompy-runs=1").assert_outcomes(passed=1)


def test_runs_and_seeds_may_be_given_on_the_command_line(run):
    tests = "SEEDS = []\n@random_faults(faults=Faults())\ndef test_it(sim):\n    SEEDS.append(sim.seed)\n\ndef test_seeds():\n    print(SEEDS)\n"
    run(tests, "-s", "--bloompy-runs=3", "--bloompy-seed=40").stdout.fnmatch_lines(["*[[]40, 41, 42]*"])


TWICE = '''
from itertools import count
numbers = count()

@random_faults(runs=1, faults=Faults())
def test_decorated(sim):
    say(sim, next(numbers))

def test_fixture(sim):
    say(sim, next(numbers))

def test_right(sim):
    say(sim, 1)
'''


def test_everything_may_be_run_twice(run):
    run(TWICE).assert_outcomes(passed=3)


def test_running_twice_shows_the_first_difference(run):
    result = run(TWICE, "--bloompy-twice")
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*NotDeterministic: * two runs from seed 0 differ: once",
            "*say: ((0,),)*",
            "and then",
            "*say: ((1,),)*",
            "*NotDeterministic: * two runs from seed * differ: once",
        ]
    )


def test_campaigns_are_summed_up_with_v(run):
    tests = "@random_faults(runs=5, faults=Faults(drop=0.9))\ndef test_it(sim):\n    say(sim, 1)\n    sim.sometimes('said')\n"
    result = run(tests, "-v")
    result.stdout.fnmatch_lines(["*bloompy: campaigns*", "test_it.py::test_it: 5 runs in * s, * frames; faults: *drop *; reached: said 5"])
    assert "bloompy: campaigns" not in run(tests).stdout.str()


def test_long_campaigns_show_how_far_they_are(run, monkeypatch):
    monkeypatch.setattr("bloompy.testing.plugin.PROGRESS_S", 0.0)
    result = run("@random_faults(runs=3, faults=Faults())\ndef test_it(sim):\n    say(sim, 1)\n", "-v")
    result.stdout.fnmatch_lines(["test_it: 2 of 3 runs, * frames"])


COVERED = "@random_faults(runs=2, faults=Faults())\ndef test_it(sim):\n    say(sim, 1)\n\nclass Unused(Broadcast): ...\n"


def test_rules_that_never_fired_are_shown(run):
    result = run(COVERED, "--bloompy-coverage")
    line = PROGRAM.strip().splitlines().index("        self.late <= ((one.id,) for one in self.log if one.id > 100)") + 1
    result.stdout.fnmatch_lines(
        [
            "*bloompy: rules that never fired*",
            "Broadcast (test_it.py): 2 of 3 rules fired",
            f"  test_it.py:{line}: Broadcast.all: self.late <= ((one.id,) for one in self.log if one.id > 100)",
        ]
    )
    assert "never fired" not in run(COVERED).stdout.str()


def test_programs_stepped_by_hand_are_covered_and_counting_ends(run):
    from bloompy import Bloom
    from bloompy.engine import codegen

    before = Bloom.__init__, codegen._profile
    tests = "def test_it():\n    program = Broadcast()\n    program.log.insert((200,))\n    with pytest.raises(Exception, match='small'):\n        program.tick()\n"
    run(tests, "--bloompy-coverage").stdout.fnmatch_lines(["Broadcast (test_it.py): * of 3 rules fired"])
    assert (Bloom.__init__, codegen._profile) == before


# --- processes of its own ---------------------------------------------------------------------------------------


def test_it_works_in_another_process(pytester):
    pytest.importorskip("xdist")
    more = "@random_faults(runs=2, faults=Faults())\ndef test_late(sim):\n    sim.add(Broadcast, 'a').log.insert((5,))\n    sim.run(for_s=1)\n"
    pytester.makepyfile(test_it=PROGRAM + LOSSY + COVERED + more)
    result = pytester.runpytest_subprocess("-n", "1", "-v", "--bloompy-coverage", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(["*bloompy: a failing run*", "  the 1st frame from a to b is lost"])
    result.stdout.fnmatch_lines(["*bloompy: campaigns*"])
    result.stdout.fnmatch_lines(["test_it.py::test_it: 2 runs in *"])
    result.stdout.fnmatch_lines(["Broadcast (test_it.py): 2 of 3 rules fired"])


def test_a_start_of_pytest_loads_nothing_of_the_language(pytester):
    pytester.makepyfile("import sys\ndef test_it():\n    assert not [name for name in sys.modules if name.startswith(('bloompy.engine', 'bloompy.lang', 'bloompy.sim'))]\n")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--help")
    result.stdout.fnmatch_lines(["*--bloompy-replay=WORD*"])
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_ctrl_c_ends_a_campaign_with_what_was_done(pytester):
    tests = "import pathlib\n@random_faults(runs=10**9, faults=Faults())\ndef test_it(sim):\n    pathlib.Path('begun').touch()\n    say(sim, 1)\n"
    pytester.makepyfile(test_it=PROGRAM + tests)
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"], cwd=pytester.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 60
    while not (pytester.path / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert re.search(r"test_it\.py::test_it: [\d,]+ runs? in .* frames; no faults; interrupted", output), output


def test_ctrl_c_while_shrinking_reports_the_failure_and_stops(pytester):
    tests = """
CALLS = []

@random_faults(runs=3)
def test_it(sim):
    CALLS.append(sim)
    if len(CALLS) == 4:
        raise KeyboardInterrupt
    sim.integer(0, 1000)
    raise ValueError("wrong")

def test_next(): ...
"""
    pytester.makepyfile(test_it=PROGRAM + tests)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*ValueError: wrong", "shrunk from * until Ctrl-C", "*Ctrl-C while a failing run was being shrunk*", "*1 failed*"])
    assert "passed" not in result.stdout.str()
