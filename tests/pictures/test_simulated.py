"""Pictures of runs that a simulation has made: nothing in the trace is lost on the way to them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from bloompy.pictures.choosing import choose
from bloompy.pictures.derivation import DerivationPicture, derivation_svg
from bloompy.pictures.drawing import Drawing
from bloompy.pictures.lines import lines_of
from bloompy.pictures.spacetime import SpaceTime
from bloompy.pictures.story import Story, tell
from bloompy.pictures.words import wide
from bloompy.sim import Decision, Faults, Schedule, Simulation
from tests.pictures.test_spacetime import overlapping, texts, tooltips
from tests.sim.programs import Broadcast, Journal, Ping


def run(seed: int) -> Simulation:
    """A few nodes that write to each other, under faults."""
    faults = Faults.mix(drop=0.2, duplicate=0.2, corrupt=0.1, crashes=3, partitions=2, power_loss=0.5)
    sim = Simulation(seed, faults=faults)
    names = ("a", "b", "c")
    for name in names:
        sim.add(Ping, name)
    for number in range(30):
        node = sim[names[number % 3]]
        if node.up:
            node.put.insert((names[(number + 1) % 3], f"m{number}"))
        sim.run(for_s=0.05)
    return sim


def story(sim: Simulation) -> Story:
    return tell(sim.trace, sim.trace.programs, partitions=sim.trace.partitions)


@pytest.mark.parametrize("seed", range(20))
def test_every_frame_is_an_arrow_and_ends_as_the_trace_says(seed: int) -> None:
    sim = run(seed)
    found, kinds = story(sim), Counter(one.kind for one in sim.trace.events)
    fates = Counter(arrow.fate for arrow in found.arrows)
    assert len(found.arrows) == kinds["send"] + kinds["duplicate"]
    assert (fates["arrived"], fates["lost"], fates["refused"]) == (kinds["deliver"], kinds["drop"], kinds["refuse"])
    assert sum(one.kind == "tick" for one in found.moments) == kinds["tick"]
    assert sum(len(one.arrivals) for one in found.moments) == kinds["deliver"] + kinds["drop"] + kinds["refuse"]
    for arrow in found.arrows:
        assert arrow.begin is not None
        assert arrow.begin.node == arrow.source
        assert arrow.end is None or arrow.begin.index < arrow.end.index
    assert all(one.time <= other.time for one, other in pairwise(found.moments))
    assert all(moment.before is None or moment.before.index < moment.index for moment in found.moments)


@pytest.mark.parametrize("seed", range(8))
def test_labels_of_simulated_runs_do_not_cover_each_other(seed: int) -> None:
    found = story(run(seed))
    for limit in (10, 1_000):
        drawing = Drawing(found, lines_of(found, choose(found, limit)))
        ElementTree.fromstring(drawing.svg())
        assert overlapping(drawing.boxes) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_tick_and_its_arrows_can_be_read_in_the_text(seed: int) -> None:
    sim = run(seed)
    drawn = SpaceTime(sim.trace, limit=1_000).text(140)
    assert max(map(wide, drawn.splitlines())) <= 140
    assert drawn.count("▶") + drawn.count("◀") == sum(one.kind == "deliver" for one in sim.trace.events)
    for text in {row[1] for one in sim.trace.events if one.kind == "deliver" for row in one.rows["note"]}:
        assert f"note({text}, " in drawn


def test_partitions_by_hand_are_shaded_from_split_to_heal() -> None:
    sim = Simulation()
    a, _ = sim.add(Ping, "a"), sim.add(Ping, "b")
    sim.run(for_s=1)
    sim.partition("a", "b")
    for number in range(4):
        if number == 2:
            sim.heal()
        a.put.insert(("b", f"m{number}"))
        sim.run(for_s=1)
    svg = SpaceTime(sim.trace).svg()
    assert svg.count('class="one band"') == 1
    assert "a and b are apart from 1 s to 3 s" in tooltips(svg)
    assert [one for one in texts(svg) if "partition" in one]


def test_partitions_that_were_drawn_are_told_and_say_why_a_message_is_lost() -> None:
    cut = Decision("partition", (0,), [1.5, 2.5, ["a"], ["b"], False])
    sim = Simulation(schedule=Schedule((cut,)))
    a, _ = sim.add(Ping, "a"), sim.add(Ping, "b")
    for number in range(4):
        a.put.insert(("b", f"m{number}"))
        sim.run(for_s=1)
    lines = SpaceTime(sim.trace).text().splitlines()
    told = [i for i, line in enumerate(lines) if "a and b are apart from 1.5 s to 2.5 s" in line]
    assert len(told) == 1
    assert "note(m1, a)" in "".join(lines[: told[0]])
    assert [line.split()[-1] for line in lines if "✕" in line] == ["partition"]
    assert "✕" in lines[told[0] + 2]


def test_clients_are_bars_from_call_to_reply() -> None:
    sim = Simulation()
    a = sim.add(Journal, "a")
    answers = [a.call("put", (item,), reply="kept") for item in "xy"]
    sim.settle()
    assert [answer.done() for answer in answers] == [True, True]
    operations = story(sim).operations
    assert [(one.client, one.outcome) for one in operations] == [("a", "ok")] * 2
    assert SpaceTime(sim.trace).svg().count('class="good faint"') == 2


def test_the_derivation_of_a_simulated_row_crosses_nodes() -> None:
    sim = Simulation()
    for name in "abcd":
        sim.add(Broadcast, name)
    sim["a"].put.insert("hello")
    sim.settle()
    picture = DerivationPicture(sim.why("c", "got", ("hello",)))
    assert picture.nodes == ["a", "c"]
    shown = texts(picture.svg())
    assert "put('hello')" in shown
    assert "got('hello')" in shown
    assert any("got('nothing')" in one for one in texts(derivation_svg(sim.why_not("c", "got", ("nothing",)))))


def test_a_simulation_shows_itself_in_notebooks() -> None:
    sim = run(1)
    assert sim._repr_html_() == sim.trace._repr_html_()
    ElementTree.fromstring(sim.trace._repr_svg_())
    assert sim.trace._repr_svg_() in sim.trace._repr_html_()


def test_pictures_are_the_same_every_time() -> None:
    assert SpaceTime(run(3).trace).svg() == SpaceTime(run(3).trace).svg()
