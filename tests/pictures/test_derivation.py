"""Pictures of derivations: facts in their order, edges, alternatives; what is missing, as a tree."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.engine.provenance.answers import Absence, Attempt, Derivation, Fact, RuleText, Step, Why, WhyNot
from bloompy.pictures.derivation import DerivationPicture, WhyNotPicture, derivation_svg, picture_of
from tests.pictures.answers import STORE, chain, copied, lost
from tests.pictures.test_spacetime import SVG, WORDS, texts, tooltips


def test_causes_stand_above_what_follows_from_them() -> None:
    picture = DerivationPicture(copied())
    for fact, several in picture.why.derivations.items():
        for one in several:
            for premise in one.premises:
                assert picture.boxes[premise].y + picture.boxes[premise].height <= picture.boxes[fact].y
    assert picture.boxes[picture.why.root].y == max(box.y for box in picture.boxes.values())


def test_what_does_not_depend_on_each_other_stands_in_the_order_of_time() -> None:
    inputs = [Fact("a", 1, 1, "put", (number,), 0.1) for number in range(3)]
    later = [Fact("a", 1, 2, "kept", (number,), time) for number, time in enumerate((0.4, 0.2, 0.3))]
    root = Fact("a", 1, 3, "all", (), 0.5)
    derivations = {one: (Derivation(one, "inserted"),) for one in inputs}
    derivations |= {one: (Derivation(one, "next", STORE, (put,)),) for one, put in zip(later, inputs, strict=True)}
    picture = DerivationPicture(Why(root, {root: (Derivation(root, "next", STORE, tuple(later)),), **derivations}))
    assert [fact.row for fact in picture.boxes if fact.collection == "kept"] == [(1,), (2,), (0,)]


def test_causes_stand_above_even_where_clocks_say_otherwise() -> None:
    early, late = Fact("a", 1, 1, "put", (1,), 0.1), Fact("b", 1, 1, "put", (2,), 9.9)
    root = Fact("c", 1, 1, "both", (), 0.5)
    derivations = {root: (Derivation(root, "rule", STORE, (early, late)),)}
    derivations |= {one: (Derivation(one, "inserted"),) for one in (early, late)}
    assert list(DerivationPicture(Why(root, derivations)).boxes) == [early, late, root]


def test_every_node_has_a_column_and_no_box_covers_another() -> None:
    picture = DerivationPicture(copied())
    boxes = list(picture.boxes.values())
    assert {box.fact.node: box.x for box in boxes} == {"a": picture.columns["a"][0], "b": picture.columns["b"][0]}
    assert all(one.y + one.height <= two.y or two.y + two.height <= one.y for one, two in combinations(boxes, 2))
    assert all(box.y + box.height <= picture.height for box in boxes)


def test_boxes_name_rule_place_alternatives_and_what_had_to_be_absent() -> None:
    shown = texts(derivation_svg(copied()))
    assert "kv('k', 1)" in shown
    assert "tick 2 of b, 0.3 s" in shown
    assert "by Store.store, store.py:14, in the tick before" in shown
    assert "or by Store.store, store.py:14, in the tick before" in shown
    assert "while there is no lock('k')" in shown
    assert "received from outside" in shown
    assert any("self.kv <+- ((p.key, p.value) for p in self.put)" in one for one in tooltips(derivation_svg(copied())))


def test_an_edge_for_every_premise_and_those_of_other_derivations_are_dashed() -> None:
    paths = list(ElementTree.fromstring(derivation_svg(copied())).iter(f"{SVG}path"))
    assert len(paths) == 4
    assert [one.get("class") for one in paths].count("arrow-line") == 2  # the message has two premises
    assert [bool(one.get("stroke-dasharray")) for one in paths].count(True) == 1


def test_a_large_derivation_is_cut_far_from_the_row_and_says_so() -> None:
    picture = DerivationPicture(chain(100), limit=20)
    assert len(picture.boxes) == 20
    assert picture.why.root in picture.boxes
    assert "… 80 facts left out" in texts(picture.svg())
    assert "left out" not in DerivationPicture(chain(20), limit=20).svg()


def test_a_fact_that_was_not_followed_says_so() -> None:
    root, premise = Fact("a", 1, 2, "later", (1,)), Fact("a", 1, 1, "before", (1,))
    shown = texts(derivation_svg(Why(root, {root: (Derivation(root, "stayed", None, (premise,)),)})))
    assert "… not followed any further" in shown
    assert "in the table since tick 1 of a" in shown


def test_why_not_is_a_tree_of_what_was_met_and_what_was_not() -> None:
    picture = picture_of(lost())
    assert isinstance(picture, WhyNotPicture)
    assert [(line.depth, line.style, line.shown) for line in picture.lines] == [
        (0, "bad name", "✗ kv('k', _) at b, tick 2"),
        (1, "fault", "the 1st frame from a to b was lost at 0.1 s"),
        (1, "text", "Store.store, store.py:14, tick 1 of b"),
        (2, "good", "✓ for p in self.put (line 14): put('a', 'k', 1)"),
        (2, "bad", "✗ if p.key in self.lock (line 15): no lock('k')"),
        (3, "bad name", "✗ lock('k') at a, tick 1"),
        (4, "fault", "nothing was ever inserted into lock"),
    ]
    assert texts(picture.svg()) == [line.shown for line in picture.lines]
    assert texts(WhyNotPicture(lost(), limit=3).svg())[-1] == "… 4 lines left out"


def test_a_picture_is_the_text_elsewhere() -> None:
    assert str(picture_of(copied())) == str(copied())
    assert str(picture_of(lost())) == str(lost())
    assert DerivationPicture(copied()).page().startswith("<!doctype html>")


@st.composite
def answers(draw: Any) -> Why | WhyNot:
    """Answers in which every text is arbitrary."""
    word = st.shared(WORDS, key="word")
    rule = RuleText(draw(WORDS), draw(WORDS), draw(WORDS))
    if draw(st.booleans()):
        step = Step(draw(WORDS), draw(WORDS), draw(st.booleans()), 3)
        return WhyNot(draw(word), 1, draw(WORDS), draw(WORDS), (draw(WORDS),), (Attempt(rule, "rule", draw(WORDS), (step,), 0.0),))
    root, premise = Fact(draw(word), 1, 1, draw(WORDS), (draw(WORDS),), columns=(draw(WORDS),)), Fact(draw(WORDS), 1, 0, draw(WORDS), (1,))
    absence = Absence("a", 1, 1, draw(WORDS), None, draw(WORDS))
    return Why(root, {root: (Derivation(root, "rule", rule, (premise,), (absence,), ((draw(WORDS), draw(WORDS)),)),)})


@given(answers())
@settings(max_examples=60)
def test_no_value_becomes_markup_or_terminal_control(answer: Why | WhyNot) -> None:
    picture = picture_of(answer)
    root = ElementTree.fromstring(picture.svg())
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {"svg", "g", "style", "title", "rect", "path", "polygon", "text"}
    for text in (picture.svg(), picture.page()):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
        assert "<script" not in text
