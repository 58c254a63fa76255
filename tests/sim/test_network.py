"""Links, loss, repetition, delay, damage, partitions, frames held back."""

from __future__ import annotations

import pytest

from bloompy.errors import UsageError
from bloompy.sim import Decision, Faults, Schedule, Simulation
from tests.sim.programs import Ping


def two(**options: object) -> Simulation:
    sim = Simulation(**options)  # type: ignore[arg-type]
    for name in "ab":
        sim.add(Ping, name)
    return sim


def texts(sim: Simulation, node: str = "b") -> list[str]:
    return [row.text for row in sorted(sim[node].got)]


def schedule(*decisions: tuple[object, ...]) -> Schedule:
    return Schedule(tuple(Decision(*one) for one in decisions))  # type: ignore[arg-type]


def say(sim: Simulation, *words: str, gap_s: float = 0.0) -> None:
    for text in words:
        sim["a"].put.insert(("b", text))
        sim.run(for_s=gap_s)


def test_a_message_takes_the_latency_of_its_link() -> None:
    sim = two(latency_s=0.5)
    sim.link("b", "a").latency_s = 2.0
    sim["a"].put.insert(("b", "there"))
    sim["b"].put.insert(("a", "back"))
    sim.run(until=0.49)
    assert texts(sim) == []
    sim.run(until=0.51)
    assert texts(sim) == ["there"]
    sim.run(until=1.99)
    assert texts(sim, "a") == []
    sim.run(until=2.01)
    assert texts(sim, "a") == ["back"]


def test_a_day_costs_nothing() -> None:
    sim = two()
    sim.run(for_s=86_400)
    say(sim, "late")
    sim.settle()
    assert texts(sim) == ["late"]
    assert sim.now == pytest.approx(86_400.001)


def test_decisions_lose_repeat_delay_and_damage_single_frames() -> None:
    sim = two(
        schedule=schedule(("drop", ("a", "b", 1), True), ("duplicate", ("a", "b", 2), 0.1), ("delay", ("a", "b", 3), 0.5), ("corrupt", ("a", "b", 5), 3))
    )
    say(sim, "1", "2", "3", "4", "5", gap_s=0.01)
    sim.settle()
    assert texts(sim) == ["2", "4", "2", "3"]
    assert sim.counts == {"drop": 1, "duplicate": 1, "delay": 1, "corrupt": 1}
    assert sim["b"].runtime_counters.refused == {"malformed": 1}  # damage is found out
    assert len(sim.schedule) == 4


def test_damage_is_found_out_wherever_it_is() -> None:
    for position in range(60):
        sim = two(schedule=schedule(("corrupt", ("a", "b", 1), position)))
        say(sim, "1", "2", gap_s=0.01)
        sim.settle()
        assert texts(sim) == ["2"]


def test_links_lose_and_repeat_by_hand_and_keep_order_if_told() -> None:
    sim = two()
    sim.link("a", "b").drop = lambda ordinal: ordinal % 2 == 1
    say(sim, "1", "2", "3", "4", gap_s=0.01)
    sim.settle()
    assert texts(sim) == ["2", "4"]

    late = schedule(("delay", ("a", "b", 1), 1.0))
    sim = two(schedule=late)
    sim.link("a", "b").fifo = True
    say(sim, "1", "2", gap_s=0.01)
    sim.settle()
    assert texts(sim) == ["1", "2"]


def test_a_share_by_hand_is_drawn_and_can_be_repeated() -> None:
    def run(plan: Schedule | None) -> Simulation:
        sim = two(seed=3, schedule=plan)
        sim.link("a", "b").drop = 0.5
        say(sim, *map(str, range(20)), gap_s=0.01)
        sim.settle()
        return sim

    drawn = run(None)
    assert 0 < len(texts(drawn)) < 20
    assert run(drawn.schedule).trace.difference(drawn.trace) is None


def test_partitions_one_way_and_two_way_for_a_time_and_until_healed() -> None:
    sim = two()
    cut = sim.partition("a", "b", one_way=True, for_s=1.0)
    sim["b"].put.insert(("a", "heard"))
    say(sim, "unheard", gap_s=1.5)
    assert (texts(sim), texts(sim, "a")) == ([], ["heard"])
    assert cut.end == 1.0
    sim.partition({"a"})
    sim["b"].put.insert(("a", "cut"))
    say(sim, "cut", gap_s=5.0)
    sim.heal()
    say(sim, "healed", gap_s=1.0)
    assert (texts(sim), texts(sim, "a")) == (["healed"], ["heard"])


def test_a_partition_also_catches_what_is_under_way() -> None:
    sim = two(latency_s=1.0)
    say(sim, "under way", gap_s=0.5)
    sim.partition("a", for_s=1.0)
    sim.run(for_s=5)
    assert texts(sim) == []
    assert "drop" in [event.kind for event in sim.trace]


def test_a_node_on_both_sides_is_an_error() -> None:
    with pytest.raises(UsageError, match="a would be on both sides"):
        two().partition({"a"}, {"a", "b"})


def test_one_frame_held_back_is_released_after_later_ones() -> None:
    sim = two()
    held = sim.hold("a", "b")
    say(sim, "1", "2", "3", gap_s=0.01)
    assert [next(iter(one.frame.data)) is not None for one in held.frames] == [True] * 3
    held[1].release()
    sim.settle()
    assert texts(sim) == ["2"]
    held[0].drop()
    held.release()
    say(sim, "4", gap_s=0.01)
    sim.settle()
    assert texts(sim) == ["2", "3", "4"]


def test_a_message_to_nobody_is_lost_and_told() -> None:
    sim = two()
    sim["a"].put.insert(("nobody", "x"))
    sim.settle()
    assert [event.text for event in sim.trace if event.kind == "drop"] == ["there is no such node"]


def test_random_orders_differ_and_pct_makes_rare_ones() -> None:
    def orders(order: str) -> set[tuple[str, ...]]:
        found = set()
        for seed in range(40):
            sim = Simulation(seed, order=order, faults=Faults(delay=0.3))  # type: ignore[arg-type]
            for name in "abc":
                sim.add(Ping, name)
            for text in "12":
                sim["a"].put.insert(("c", "a" + text))
                sim["b"].put.insert(("c", "b" + text))
                sim.run(for_s=0.002)
            sim.settle()
            found.add(tuple(texts(sim, "c")))
        return found

    assert len(orders("latency")) > 4
    assert any(order.index("a2") < order.index("a1") for order in orders("pct"))
    assert any(order.index("b2") < order.index("a1") for order in orders("pct"))


def test_after_the_faults_all_links_are_quick_again() -> None:
    sim = Simulation(1, order="pct", faults=Faults(delay=1.0))
    for name in "abc":
        sim.add(Ping, name)
    sim["a"].put.insert(("b", "late"))
    sim.run(for_s=0.001)
    assert texts(sim) == []
    sim.run(for_s=1)
    sim.calm()
    sim["a"].put.insert(("b", "there"), ("c", "too"))
    sim.run(for_s=0.001)
    assert (texts(sim), texts(sim, "c")) == (["late", "there"], ["too"])


def test_links_and_groups_are_given_by_nodes_or_addresses_that_exist() -> None:
    sim = two()
    a, b = sim["a"], sim["b"]
    sim.link(a, b).drop = 1.0
    assert sim.link("a", "b").drop == 1.0
    held = sim.hold(b, a)
    b.put.insert(("a", "held"))
    say(sim, "lost", gap_s=0.1)
    assert (texts(sim), len(held)) == ([], 1)
    assert sim.partition(a, [b]).group == {"a"}
    for wrong in (lambda: sim.link("alpa", "b"), lambda: sim.hold("alpa"), lambda: sim.partition({"alpa"}), lambda: sim.link("a", 7)):  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"there is no node ('alpa'|7)"):
            wrong()


def test_links_may_be_set_before_there_are_nodes() -> None:
    sim = Simulation()
    sim.link("a", "b").latency_s = 1.0
    for name in "ab":
        sim.add(Ping, name)
    say(sim, "x", gap_s=0.5)
    assert texts(sim) == []
    sim.run(for_s=1)
    assert texts(sim) == ["x"]


def test_a_link_takes_no_nonsense() -> None:
    link = two().link("a", "b")
    for name, value in (("drop", 5), ("drop", "x"), ("duplicate", -1), ("duplicate", True)):
        with pytest.raises(UsageError, match="share from 0 to 1"):
            setattr(link, name, value)
    with pytest.raises(UsageError, match="give seconds"):
        link.latency_s = -3
    assert (link.drop, link.latency_s) == (0.0, 0.001)


def test_spared_nodes_are_given_by_address() -> None:
    sim = two()
    assert Faults(spare="alpha").spare == {"alpha"}
    assert Faults(spare=[sim["a"], "b"]).spare == {"a", "b"}  # type: ignore[list-item]
    with pytest.raises(UsageError, match="give addresses"):
        Faults(spare=[7])  # type: ignore[list-item]
    with pytest.raises(UsageError, match="the least and the most"):
        Faults(delay_s=(2, 1))
