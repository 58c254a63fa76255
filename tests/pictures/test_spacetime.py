"""Space-time diagrams: what they show, where it stands, and that no value gets out of its place."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.pictures.choosing import Gap, choose
from bloompy.pictures.drawing import LINE, Box, Drawing
from bloompy.pictures.lines import lines_of
from bloompy.pictures.spacetime import SpaceTime, spacetime_html, spacetime_svg, spacetime_text
from bloompy.pictures.story import Moment, tell
from bloompy.pictures.words import wide
from bloompy.sim.network import Partition
from tests.pictures.runs import Run, broadcast, long_run

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    """The labels of a picture, without tooltips."""
    found = []
    for text in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        found.append("".join([text.text or "", *(child.tail or "" for child in text)]))
    return found


def tooltips(svg: str) -> list[str]:
    return [title.text or "" for title in ElementTree.fromstring(svg).iter(f"{SVG}title")]


# --- the story ----------------------------------------------------------------------------------------------------


def test_a_message_goes_from_the_tick_that_sends_it_to_the_tick_that_takes_it() -> None:
    story = tell(broadcast().events)
    first, lost, again = story.arrows
    assert [(one.begin.node, one.begin.step) for one in story.arrows if one.begin] == [("a", 1)] * 3
    assert (first.fate, first.end.node, first.end.step) == ("arrived", "b", 1)  # type: ignore[union-attr]
    assert (again.again, again.end.step) == (True, 2)  # type: ignore[union-attr]
    assert (lost.fate, lost.why) == ("lost", "lost")


def test_an_arrival_that_no_tick_takes_stands_alone() -> None:
    run = Run().message(1, "a", "b", 0.0, 0.5, {"told": [("b", 1)]}).event(0.6, "crash", "b")
    assert [one.kind for one in tell(run.events).moments] == ["send", "arrival", "crash"]


def test_a_tick_takes_what_arrived_with_it_and_nothing_from_before() -> None:
    rows = {"told": [("b", 1)]}
    late = Run().message(1, "a", "b", 0.0, 0.5, rows).tick(0.9, "b", 1)  # it stood still
    assert [(one.kind, len(one.arrivals)) for one in tell(late.events).moments] == [("send", 0), ("arrival", 1), ("tick", 0)]
    run = Run().event(0.0, "send", "a", "b", frame=1, rows=rows).event(0.5, "deliver", "b", "a", frame=1, rows=rows, incarnation=1)
    run.event(0.5, "crash", "b", incarnation=1).event(0.5, "restart", "b", incarnation=2).tick(0.5, "b", 1, incarnation=2)
    assert [one.kind for one in tell(run.events).moments] == ["send", "arrival", "crash", "restart", "tick"]


def test_what_is_sent_later_does_not_belong_to_the_last_tick() -> None:
    run = Run().tick(0.0, "a", 1).message(1, "a", "b", 0.0, 0.1, {"told": [("b", 1)]}).message(2, "a", "b", 0.2, 0.3, {"told": [("b", 2)]})
    assert [(one.kind, len(one.sends)) for one in tell(run.events).moments if one.node == "a"] == [("tick", 1), ("send", 1)]


def test_the_address_is_left_out_of_a_message() -> None:
    story = tell(broadcast().events)
    assert story.label(story.arrows[0]) == "told(m, 7)"
    assert story.label(story.arrows[2]) == "again told(m, 7)"


def test_programs_tell_addresses_and_tables() -> None:
    from bloompy import Bloom, channel, rule, scratch, table

    class Told(Bloom):
        told = channel("number, @to")
        stored = table("number")
        new = scratch("number")

        @rule
        def store(self):
            self.stored <= ((one.number,) for one in self.told)  # noqa: B015

    rows = {"told": [(1, "b"), (2, "b")]}
    run = Run().message(1, "a", "b", 0.0, 0.5, rows).tick(0.5, "b", 1, {"stored": [(1,), (2,)], "told": rows["told"], "new": [(1,)]})
    story = tell(run.events, {"b": Told.program_ir})
    assert story.label(story.arrows[0]) == "told(1) +1"
    assert story.moments[-1].changes == ["+stored(1)", "+stored(2)"]


def test_what_is_held_or_never_arrives_says_so() -> None:
    run = Run()
    run.event(0.0, "send", "a", "b", frame=1, rows={"told": [("b", 1)]}).event(0.0, "hold", "a", "b", frame=1)
    run.event(0.0, "send", "a", "b", frame=2, rows={"told": [("b", 2)]}).event(0.0, "hold", "a", "b", frame=2)
    run.event(1.0, "release", "a", "b", frame=2).event(1.0, "deliver", "b", "a", frame=2, rows={"told": [("b", 2)]})
    story = tell(run.events)
    assert [(one.fate, one.was_held) for one in story.arrows] == [("held", True), ("arrived", True)]
    assert spacetime_text(run.events).splitlines()[-1].count("told(1)") == 1
    assert "told(1)" in texts(spacetime_svg(run.events))
    assert "after having been held back" in story.told(story.arrows[1])


def test_messages_of_no_interest_are_left_out() -> None:
    run = broadcast().message(9, "a", "b", 3.0, 3.1, {"beat": [("b",)]}).message(10, "a", "b", 3.0, None, {"beat": [("b",)]})
    assert "beat" in spacetime_text(run.events)
    assert "beat" not in spacetime_text(run.events, without=["beat"])


def test_a_call_lasts_until_its_reply() -> None:
    run = Run().event(0.0, "operation", "a", text="put('k', 1)").event(0.05, "operation", "b", text="put('k', 1) -> of another").event(0.1, "operation", "a", text="put('k', 2)")
    run.event(0.5, "operation", "a", text="put('k', 1) -> Row(ok=True)").event(0.9, "operation", "a", text="put('k', 2) -> CallTimeout")
    run.event(1.0, "operation", "a", text="put('k', 3)")
    operations = tell(run.events).operations
    assert [(one.text, one.outcome, one.end.time if one.end else None) for one in operations] == [
        ("put('k', 1)", "ok", 0.5),
        ("put('k', 1) -> of another", "unknown", None),
        ("put('k', 2)", "failed", 0.9),
        ("put('k', 3)", "unknown", None),
    ]


# --- the choice ---------------------------------------------------------------------------------------------------


def test_a_short_run_is_shown_whole_without_idle_ticks() -> None:
    run = broadcast().tick(9.0, "a", 2).tick(9.1, "a", 3).tick(9.2, "a", 4)
    chosen = choose(tell(run.events), 100)
    steps = [(one.node, one.step) for one in chosen if isinstance(one, Moment) and one.kind == "tick"]
    assert steps == [("a", 1), ("b", 1), ("b", 2), ("a", 4)]  # the last event is always shown
    assert not [one for one in chosen if isinstance(one, Gap)]


def test_of_a_long_run_the_causes_of_the_failure_stay() -> None:
    run = long_run(300)
    story = tell(run.events, failure="two leaders")
    chosen = choose(story, 30)
    shown = [one for one in chosen if isinstance(one, Moment)]
    assert len(chosen) <= 2 * 30
    assert shown[-1].kind == "failure"
    idle = [one for one in story.moments if one.idle]
    assert sum(one.count for one in chosen if isinstance(one, Gap)) == len(story.moments) - len(shown) - len(idle) > 250
    assert all(one.time > 28 for one in shown)  # causes nearest to the end


def test_the_focus_may_be_any_event() -> None:
    run = long_run(300)
    shown = [one for one in choose(tell(run.events), 10, focus=400) if isinstance(one, Moment)]
    assert any(one.no >= 400 for one in shown)
    assert all(one.no <= 410 for one in shown)


def test_crashes_and_failures_are_never_left_out_for_something_else() -> None:
    run = long_run(300)
    run.events[50:50] = [run.event(1.7, "crash", "n1").events.pop()]
    kinds = [one.kind for one in choose(tell(run.events, failure="lost"), 20) if isinstance(one, Moment)]
    assert "crash" in kinds


def test_a_moment_that_stands_alone_is_shown_in_place_of_a_gap() -> None:
    run = Run().tick(0.0, "a", 1, {"t": [(1,)]}).tick(0.1, "b", 1, {"t": [(1,)]}).tick(0.2, "a", 2, {"t": [(2,)]})
    assert [one.node for one in choose(tell(run.events), 2) if isinstance(one, Moment)] == ["a", "b", "a"]


def test_what_led_to_the_end_stays_however_long_ago_it_was() -> None:
    run = Run().tick(0.0, "a", 1, {"t": [(1,)]}).event(0.0, "send", "a", "b", frame=1, rows={"told": [("b", 1)]})
    run.event(0.0, "send", "a", "c", frame=2, rows={"told": [("c", 1)]}).event(0.0, "drop", "a", "c", frame=2, rows={"told": [("c", 1)]})
    for number in range(50):
        run.tick(1 + number, "x", number, {"t": [(number,)]}).message(10 + number, "x", "y", 1 + number, None, {"told": [("y", number)]})
    run.event(60.0, "deliver", "b", "a", frame=1, rows={"told": [("b", 1)]}).tick(60.0, "b", 1, {"t": [(1,)]})
    shown = [one for one in choose(tell(run.events, failure="c was not told"), 4) if isinstance(one, Moment)]
    assert [one.kind for one in shown] == ["tick", "lost", "tick", "failure"]
    assert [arrow.target for arrow in shown[1].arrivals] == ["c"]


# --- SVG ----------------------------------------------------------------------------------------------------------


def test_a_picture_names_nodes_messages_changes_and_faults() -> None:
    svg = spacetime_svg(broadcast().events)
    shown = texts(svg)
    for label in ("a", "b", "c", "told(m, 7)", "again told(m, 7)", "+stored(m)", "b crashes: power loss", "b restarts", "… 1.997 s later"):
        assert label in shown
    assert any("c: told(m, 7)" not in one and "is lost at 0.001 s (lost)" in one for one in tooltips(svg))


def test_a_failure_is_on_red_and_told_in_full() -> None:
    svg = spacetime_svg(broadcast().events, failure="ignored: the trace says what failed")
    assert 'class="bad band"' in svg
    assert "✗ invariant Broadcast.all_or_none is violated by ('m',)" in texts(svg)
    assert "ignored" not in svg
    assert "✗ two leaders" in texts(spacetime_svg(long_run(3).events, failure="two leaders\nassert 2 == 1"))


def test_a_lifeline_is_broken_while_the_node_is_down() -> None:
    root = ElementTree.fromstring(spacetime_svg(broadcast().events))
    lives = [path.get("d") or "" for path in root.iter(f"{SVG}path") if path.get("class") == "life-line"]
    by_lane: dict[str, int] = {}
    for life in lives:
        by_lane[life.split(" ")[0]] = by_lane.get(life.split(" ")[0], 0) + 1
    assert sorted(by_lane.values()) == [1, 1, 2]
    lane = max(by_lane, key=by_lane.__getitem__)
    (_, end), (start, _) = (map(float, life.split(" ")[1].split("V")) for life in lives if life.startswith(f"{lane} "))
    assert end + LINE < start


def test_partitions_are_shaded_while_they_last() -> None:
    cut = Partition(0.0015, 1.0, frozenset("a"), frozenset("bc"), False)
    svg = spacetime_svg(broadcast().events, partitions=[cut])
    assert svg.count('class="one band"') == 1
    assert svg.count('class="other band"') == 2
    assert "a and b, c are apart from 0.0015 s to 1 s" in tooltips(svg)
    ended = spacetime_svg(broadcast().events, partitions=[evolve(cut, end=0.0028)])
    (whole, part) = (next(ElementTree.fromstring(one).iterfind(f".//{SVG}rect[@class='one band']")) for one in (svg, ended))
    assert (part.get("y"), part.get("height")) == (whole.get("y"), f"{3 * LINE:g}")
    assert float(whole.get("height") or 0) == 5 * LINE
    assert 'class="one band"' not in spacetime_svg(broadcast().events, partitions=[evolve(cut, start=0.0026, end=0.0028)])
    later = Partition(100.0, None, frozenset("a"), frozenset("b"), True)
    assert 'class="one band"' not in spacetime_svg(broadcast().events, partitions=[later])


def overlapping(boxes: list[Box]) -> list[tuple[str, str]]:
    return [
        (one.text, other.text)
        for one, other in combinations(boxes, 2)
        if one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom
    ]


def crowd() -> Run:
    """A dozen nodes with long names and long rows."""
    run, names = Run(), [f"a node with a long name, number {number}" for number in range(12)]
    for number in range(40):
        source, target = names[number % 12], names[(number * 7 + 3) % 12]
        run.tick(number / 10, source, number * 1_000, {"table_with_a_long_name": [("a value that is long",) * 5]})
        run.message(number + 1, source, target, number / 10, number / 10 + 0.05, {"channel": [(target, "w" * 50)]})
    return run


@pytest.mark.parametrize(
    "run", [broadcast(), long_run(10), long_run(700), crowd()], ids=["broadcast", "short", "2000 events", "a dozen nodes"]
)
def test_labels_do_not_cover_each_other(run: Run) -> None:
    story = tell(run.events, failure="it failed")
    drawing = Drawing(story, lines_of(story, choose(story, 120)))
    drawing.svg()
    assert len(drawing.boxes) > 15
    assert overlapping(drawing.boxes) == []
    assert all(box.left >= 0 and box.right <= drawing.width for box in drawing.boxes)
    assert all(box.right - box.left < drawing.gap for box in drawing.boxes if box.left < drawing.notes and not box.text.startswith("✗"))


def test_labels_that_cover_each_other_would_be_found() -> None:
    assert overlapping([Box("a", 0, 0, 10, 10), Box("b", 5, 5, 15, 15), Box("c", 20, 0, 30, 10)]) == [("a", "b")]


def test_many_events_make_a_picture_of_bounded_size() -> None:
    short, long = spacetime_svg(long_run(400).events), spacetime_svg(long_run(2_000).events)
    assert len(long) < 1.5 * len(short) < 300_000
    assert any(re.fullmatch(r"… [\d,]+ events left out", one) for one in texts(long))


def test_messages_into_what_is_left_out_are_faint() -> None:
    story = tell(long_run(400).events)
    crossing = Drawing(story, lines_of(story, choose(story, 50, focus=400))).svg()
    assert 'class="arrow-line faint"' in crossing
    assert "faint" not in spacetime_svg(long_run(10).events).split("</style>")[1]


def test_names_are_kept_in_their_line() -> None:
    svg = spacetime_svg(Run().tick(0.0, "a\r\n\tb" * 20, 1).events)
    assert "\\r\\n\\tb" in svg
    assert "\r" not in svg


def test_a_run_without_events_is_an_empty_picture() -> None:
    assert ElementTree.fromstring(spacetime_svg([])).tag == f"{SVG}svg"
    assert spacetime_text([]) == ""


def test_a_page_stands_alone_and_a_piece_does_not() -> None:
    page = SpaceTime(broadcast().events).page("A <run>")
    assert page.startswith("<!doctype html>")
    assert "A &lt;run&gt;" in page
    assert "3 nodes, 4 ticks, 3 messages, 1 of them lost" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    assert spacetime_html(broadcast().events).startswith("<div")


# --- text ---------------------------------------------------------------------------------------------------------

DRAWN = """\
              a                        b                        c
    0.001 s   1                        │                        │   +stored(m)
              ├────────────────────────────── told(m, 7) ────✕  │
    0.002 s   ├───── told(m, 7) ──────▶1                        │   +stored(m)
   0.0025 s   ├── again told(m, 7) ───▶2                        │
    0.003 s   │                        ✕                        │   b crashes: power loss
              ⋮                        ⋮                        ⋮   … 1.997 s later
        2 s   │                        ○                        │   b restarts
              ⋮                        ⋮                        ⋮   … 0.5 s later
      2.5 s   │                        │                        ✕   ✗ invariant Broadcast.all_or_none is violated by ('m',)"""


def test_a_run_as_text() -> None:
    assert spacetime_text(broadcast().events, 130) == DRAWN


def test_a_run_in_ascii() -> None:
    drawn = spacetime_text(broadcast().message(9, "a", "ü", 3.0, 3.1, {"x": [("ü", "é…")]}).events, ascii=True)
    assert drawn.isascii()
    assert "\\xe9" in drawn
    assert "+stored(m)" in drawn
    assert "b crashes" in drawn


@pytest.mark.parametrize("width", [40, 60, 80, 110, 200])
def test_a_text_keeps_to_its_width(width: int) -> None:
    for run in (broadcast(), long_run(50)):
        for ascii in (False, True):
            lines = spacetime_text(run.events, width, ascii=ascii).splitlines()
            assert max(map(wide, lines)) <= width


def test_a_lifeline_is_broken_in_text_too() -> None:
    run = broadcast()
    run.events[-3:-3] = [Run().tick(1.0, "a", 2, {"stored": [("n",)]}).events[0]]
    lines = spacetime_text(run.events).splitlines()
    assert ["┊" in line for line in lines if "stored(n)" in line] == [True]
    assert "┊" not in lines[-1]


def test_a_message_that_is_not_of_the_last_tick_says_of_which() -> None:
    run = Run().tick(0.0, "a", 1, {"t": [(1,)]}).event(0.0, "send", "a", "b", frame=1, rows={"told": [("b", 7)]})
    run.tick(0.5, "a", 2, {"t": [(2,)]}).event(1.0, "deliver", "b", "a", frame=1, rows={"told": [("b", 7)]})
    assert "#1 told(" in spacetime_text(run.events)
    assert "#" not in spacetime_text(broadcast().events)


def test_where_columns_do_not_fit_there_is_a_list() -> None:
    drawn = spacetime_text(broadcast().events, 40)
    assert "a → c: told(m, 7) is lost" in drawn
    assert "b: tick 1  +stored(m)" in drawn


# --- nothing gets out of its place --------------------------------------------------------------------------------

WORDS = st.text(st.characters(), max_size=12) | st.sampled_from(["<script>alert(1)</script>", "\x1b[31m", "]]>", "&amp;", "a\nb", "\u202e", "\x00", "'\""])


@st.composite
def runs(draw: Any) -> Run:
    """Runs in which every text is arbitrary."""
    run, names = Run(), [one for one in draw(st.lists(WORDS, min_size=1, max_size=4, unique=True)) if one] or ["a"]
    frame, time = 0, 0.0
    for _ in range(draw(st.integers(1, 12))):
        time += draw(st.sampled_from([0.0, 0.001, 5.0]))
        node, peer, word = draw(st.sampled_from(names)), draw(st.sampled_from(names)), draw(WORDS)
        kind = draw(st.sampled_from(["tick", "message", "lost", "crash", "restart", "stop", "fault", "failure", "operation"]))
        rows = {word: [(peer, word, frozenset({word}), None)]}
        if kind == "tick":
            run.tick(time, node, 1, rows)
        elif kind in ("message", "lost"):
            frame += 1
            run.message(frame, node, peer, time, None if kind == "lost" else time, rows)
        elif kind == "failure":
            run.event(time, "fault", node, text=word, rows={"failure": [("x",)]})
        else:
            run.event(time, kind, node, text=word)
    return run


@given(runs(), WORDS)
@settings(max_examples=60)
def test_no_value_becomes_markup_or_terminal_control(run: Run, failure: str) -> None:
    drawn = SpaceTime(run.events, failure=failure)
    svg = drawn.svg()
    root = ElementTree.fromstring(svg)
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {"svg", "g", "style", "title", "rect", "path", "line", "circle", "polygon", "text"}
    assert not any(name.startswith("on") for one in root.iter() for name in one.attrib)
    for text in (svg, drawn.page(failure)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
        assert "<script" not in text
    for ascii in (False, True):
        assert all(line.isprintable() for line in drawn.text(90, ascii=ascii).split("\n"))
