"""The dataflow of a program as a graph, drawn and as text."""

from __future__ import annotations

import re
from itertools import combinations
from random import Random
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy import Bloom, agg, channel, exec_source, interface, module, rule, scratch, table
from bloompy.errors import UsageError
from bloompy.pictures.dataflow import Arrow, Dataflow, Vertex
from bloompy.pictures.layered import layout
from bloompy_fs.namenode import NameNode
from tests.analysis import carts
from tests.random.programs import random_source


class Relay(Bloom):
    """Receives and sends on one channel, with a module inside."""

    news = channel("@to, what")
    peer = table("address")
    known = table("what")
    number = scratch("n")
    cart = module(carts.Tombstones)
    out = interface.output("n")

    @rule
    def spread(self):
        self.known <+ ((n.what,) for n in self.news if n.what not in self.known)
        self.news <~ ((p.address, k.what) for p in self.peer for k in self.known)
        self.number <= [(agg.count(),) for k in self.known]
        self.out <= self.number
        self.cart.add <= ((k.what,) for k in self.known)


def arrows(flow):
    return {(one.start, one.operator, one.marks, one.end) for one in flow.arrows}


def test_rules_are_arrows_and_a_channel_that_is_received_and_sent_is_two():
    assert arrows(Relay.dataflow()) >= {
        ("news", "<+", "", "known"),
        ("known", "<+", "¬", "known"),
        ("peer", "<~", "", "news (sent)"),
        ("known", "<~", "", "news (sent)"),
        ("known", "<=", "Σ", "number"),
        ("known", "<=", "", "cart.add"),
        ("cart.gone", "<-", "", "cart.held"),
    }


def test_points_of_order_are_marked():
    hot = {(one.start, one.end) for one in Relay.dataflow().arrows if one.points}
    assert hot == {("known", "known"), ("known", "number")}
    assert {one.id for one in carts.Destructive.dataflow().vertices if one.points} == {"held"}


def test_a_part_is_what_is_near():
    flow = Relay.dataflow()
    assert {one.id for one in flow.around("peer").vertices} == {"peer", "news (sent)"}
    assert {one.id for one in flow.around("peer", 2).vertices} == {"peer", "news (sent)", "known"}
    with pytest.raises(UsageError, match="no collection 'absent'"):
        flow.around("absent")


def test_the_picture_is_xml_with_a_box_for_each_collection_and_a_lane_for_each_module():
    root = ElementTree.fromstring(Relay.dataflow().svg())
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"news", "peer", "known", "number", "out", "add", "held", "cart"} <= set(texts)
    classes = [one.get("class", "") for one in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert sum("lane" in one for one in classes) == 2
    assert sum("box" in one for one in classes) == len(Relay.dataflow().vertices)
    paths = [one.get("class", "") for one in root.iter("{http://www.w3.org/2000/svg}path")]
    assert sum("arrow" in one for one in paths) == len(Relay.dataflow().arrows)
    assert sum("hot" in one for one in paths) == 2


def test_a_notebook_gets_a_picture_and_mermaid():
    bundle = Relay.dataflow()._repr_mimebundle_()
    assert sorted(bundle) == ["image/svg+xml", "text/plain", "text/vnd.mermaid"]
    assert bundle["text/vnd.mermaid"].splitlines()[0] == "flowchart LR"


def test_modules_are_clusters_in_text():
    assert '  subgraph m1["cart"]' in Relay.dataflow().mermaid().splitlines()
    assert '    label="cart";' in Relay.dataflow().dot().splitlines()


HOSTILE = '<script>"]; end --> \x1b[31m\n\\"'


def test_values_never_become_markup():
    flow = Dataflow(
        HOSTILE,
        (Vertex("a", HOSTILE, "table", HOSTILE, HOSTILE), Vertex("b", "b", HOSTILE, "", "")),
        (Arrow("a", "b", "<=", HOSTILE, (HOSTILE,), ()),),
    )
    ElementTree.fromstring(flow.svg())
    for shown in (flow.svg(), flow.html(), flow.mermaid()):
        assert "<script" not in shown
        assert "\x1b" not in shown
    assert "\x1b" not in flow.dot()
    assert all(line.count('"') % 2 == 0 for line in flow.mermaid().splitlines())
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", flow.dot())
    assert "script" not in outside
    assert "script" not in re.sub(r'"[^"]*"', "", flow.mermaid())


def test_a_large_program_is_drawn_without_overlaps():
    flow = NameNode.dataflow()
    assert len(flow.vertices) > 60
    ElementTree.fromstring(flow.svg())


@given(st.randoms(use_true_random=False))
def test_boxes_never_overlap_and_lie_in_their_lanes(random: Random):
    nodes = [f"n{i}" for i in range(random.randint(1, 12))]
    edges = [(random.choice(nodes), random.choice(nodes)) for _ in range(random.randint(0, 20))]
    lanes = {node: random.choice(["", "a", "b"]) for node in nodes}
    leading = set(random.sample(edges, len(edges) // 2)) if random.random() < 0.5 else None
    found = layout({node: random.uniform(10, 90) for node in nodes}, edges, lanes, 30.0, leading)
    for one, other in combinations(found.nodes.values(), 2):
        apart = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert apart or one.y + one.height <= other.y or other.y + other.height <= one.y
    for node, box in found.nodes.items():
        lane = found.lanes[lanes[node]]
        assert lane.y <= box.y
        assert box.y + box.height <= lane.y + lane.height
        assert 0 <= box.x
        assert box.x + box.width <= found.width
    for one, other in combinations(found.lanes.values(), 2):
        assert one.y + one.height <= other.y or other.y + other.height <= one.y


def test_without_cycles_arrows_lead_to_the_right():
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")]
    found = layout(dict.fromkeys("abcd", 20.0), edges, dict.fromkeys("abcd", ""), 10.0)
    assert all(found.nodes[start].x < found.nodes[end].x for start, end in edges)
    (thread,) = found.threads["a", "c"]
    assert thread.x == found.nodes["b"].x


@pytest.mark.parametrize("seed", range(20))
def test_random_programs_can_be_drawn(seed):
    flow = exec_source(random_source(Random(seed)).text, name="<random>")["P"].dataflow()
    ElementTree.fromstring(flow.svg())
    assert flow.mermaid().count("\n  n") >= len(flow.arrows)
