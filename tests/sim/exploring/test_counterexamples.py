# ruff: noqa: B015
# fmt: off
"""Counterexamples: the same in every process, and runs that can be run again and drawn."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bloompy.pictures.spacetime import SpaceTime
from bloompy.sim.exploring import Model
from tests.sim.exploring.models.paxos import paxos
from tests.sim.exploring.test_models import Durable, Failing, Heard, crashing, pair, switch

ROOT = Path(__file__).parents[3]


def told(model: Model) -> tuple[list[str], list[str]]:
    """The steps of a counterexample in words, and the lines of its trace without the times."""
    found = model.explore().counterexample
    assert found is not None
    return [step.text for step in found.steps], [" ".join(str(event).split()[1:]) for event in found.trace()]


def test_a_counterexample_is_a_run_that_can_be_drawn() -> None:
    model = pair("bag", "x")
    model.always("nothing comes", lambda view: view["b"].last[()].value == "")
    words, events = told(model)
    assert words == [
        "a gets go ('x',); sends told ('b', 'x')",
        "b gets told ('b', 'x'); last -('', '') +('x', '')",
    ]
    assert events == [
        "start a#1", "tick a#1 1 at 0.000000000",
        "start b#1", "tick b#1 1 at 0.000000000 +last [('', '')]",
        "tick a#1 2 at 0.000000000 go: (('x',),) +go [('x',)]", "send a#1 -> b frame 1 (no. 1) told: [('b', 'x')]",
        "deliver b#1 <- a frame 1 (no. 1) told: [('b', 'x')]",
        "tick b#1 2 at 0.000000000 told: (('b', 'x'),) +told [('b', 'x')]",
        "tick b#1 3 at 0.000000000 +last [('x', '')] -told [('b', 'x')] -last [('', '')]",
        "fault failure: [('nothing comes',)] nothing comes: it does not hold",
    ]
    found = model.explore().counterexample
    assert found is not None
    assert "nothing comes: it does not hold" in str(SpaceTime(found.trace()))
    assert "<svg" in found._repr_html_()


def test_crashes_and_restarts_are_told() -> None:
    model = crashing()
    model.at_end("it was told", lambda view: len(view["b"].heard) == 1)
    words, events = told(model)
    assert words == [
        "a gets put (1,) and crashes after the commit; said ('b', 1) is not sent",
        "a starts",
    ]
    assert [event.split()[0] for event in events[4:]] == ["tick", "crash", "restart", "tick", "fault"]
    assert events[6] == "restart a#2"


def test_losses_and_copies_are_told() -> None:
    lossy = pair("bag", "x", loss=1)
    lossy.at_end("it came", lambda view: view["b"].last[()].value == "x")
    words, events = told(lossy)
    assert words == ["a gets go ('x',); sends told ('b', 'x')", "told ('b', 'x') to b is lost"]
    assert "drop a#1 -> b frame 1 (no. 1) told: [('b', 'x')]" in events
    twice = pair("bag", "x", duplication=1)
    twice.always("it comes once", lambda view: view["b"].last[()].before != "x")
    words, events = told(twice)
    assert words[1].startswith("b gets told ('b', 'x'), of which there is another copy; last")
    assert [event.split()[0] for event in events].count("deliver") == 2
    assert [event.split()[0] for event in events].count("duplicate") == 1


def test_what_comes_to_a_node_that_is_down_is_told_as_lost() -> None:
    model = Model("bag")
    model.add(Durable, "a")
    model.add(Heard, "b")
    model.input("a", "put", (1,))
    model.crash("b", restart=False)
    model.at_end("it was heard", lambda view: len(view["b"].heard))
    words, events = told(model)
    assert words[-1] == "said ('b', 1) is lost: b is down"
    assert "drop a#1 -> b frame 1 (no. 1) said: [('b', 1)] b is down" in events


def test_a_tick_that_raises_is_the_last_step() -> None:
    model = Model()
    model.add(Failing, "a")
    model.input("a", "put", (0,))
    words, events = told(model)
    assert words == ["a gets put (0,)"]
    assert events[-2:] == [
        "fault a#1 ZeroDivisionError: division by zero",
        "fault failure: [('ZeroDivisionError',)] ZeroDivisionError: division by zero",
    ]


def test_a_run_without_end_is_told_once_around() -> None:
    model = switch(prepared=True)
    model.eventually("ready", lambda view: len(view["a"].ready))
    words, events = told(model)
    assert len(words) == 2
    assert [event.split()[0] for event in events] == ["start", "tick", "tick", "tick", "tick", "tick", "fault"]


PROGRAM = """
from tests.sim.exploring.models.two_phase import Hasty, two_phase
from tests.sim.exploring.models.paxos import paxos
found = [two_phase(3, Hasty).explore(), two_phase(3).explore(), paxos(1).explore(), paxos(2, quorum=1).explore(max_states=3000)]
for each in found:
    each.seconds = 0.0
    print(each)
    for view in list(each.views())[-3:]:
        print([(node, view[node].up) for node in view], view.sent("prepare") if "p0" in view else view.sent("prepared"))
print(found[0].counterexample.trace())
"""


def test_an_exploration_is_the_same_whatever_the_hash_seed() -> None:
    outputs = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert "consistent: it does not hold" in outputs[0]


def test_a_local_state_is_reached_again_by_the_inputs_that_led_there() -> None:
    model = paxos(1)
    found = model.explore()
    assert found._space is not None
    for process in found._space.processes:
        process._machines._kept.clear()
        for local in process.locals:
            if local.up:
                process.replayed(local.no)
        assert len(process.locals) == len({local.no for local in process.locals})
