# ruff: noqa: B015
# fmt: off
"""What may happen in a model: networks, pending changes, timers, crashes, draws, several stimuli in a tick."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bloompy import Bloom, bootstrap, channel, interface, invariant, lattice, loopback, param, periodic, rule, table
from bloompy.errors import CounterexampleFound, IncompleteExploration, NeverReached, RowError, UsageError
from bloompy.sim.exploring import Model, View, exploration
from tests.sim.exploring.models.two_phase import two_phase


class Sender(Bloom):
    go = interface.input("value")
    told = channel("@to, value")

    @rule
    def tell(self):
        self.told <~ (("b", g.value) for g in self.go)


class Last(Bloom):
    """Remembers the last two that came."""

    told = channel("@to, value")
    last = table("-> value, before")

    @bootstrap
    def begin(self):
        self.last <= [("", "")]

    @rule
    def note(self):
        self.last <+- ((t.value, l.value) for t in self.told for l in self.last)


def pair(network: str, *values: str, receiver: type[Bloom] = Last, **options: Any) -> Model:
    model = Model(network, atomic=True, **options)
    model.add(Sender, "a")
    model.add(receiver, "b")
    for value in values:
        model.input("a", "go", (value,), when=None)
    return model


def seen(model: Model) -> set[tuple[str, str]]:
    """What the receiver may have at the end."""
    found = model.explore()
    found.raise_if_failed()
    return {tuple(view["b"].last[()]) for view in found.ended()}


def test_messages_that_are_sent_in_any_order_arrive_in_any() -> None:
    assert seen(pair("bag", "x", "y")) == seen(pair("fifo", "x", "y")) == {("x", "y"), ("y", "x")}  # the inputs have no order


def test_an_input_comes_only_when_it_may() -> None:
    model = Model(atomic=True)
    model.add(Steps, "a")
    model.input("a", "put", (1,))
    model.input("a", "put", (2,), when=lambda node: 1 in node.one)
    model.always("1 is first", lambda view: 2 not in view["a"].one or 1 in view["a"].one)
    found = model.explore()
    found.raise_if_failed()
    assert found.states == 3


class Two(Bloom):
    """Sends two rows, one after the other."""

    go = interface.input("go: bool")
    sent = table("number: int")
    told = channel("@to, value: int")

    @rule
    def tell(self):
        self.sent <+ (1 for _ in self.go)
        self.sent <+ (s.number + 1 for s in self.sent if s.number < 2)
        self.told <~ (("b", s.number) for s in self.sent)


@pytest.mark.parametrize(("network", "ends"), [("fifo", {(2, 1)}), ("bag", {(2, 1), (1, 2)})])
@pytest.mark.parametrize("atomic", [False, True])
def test_a_fifo_keeps_the_order_of_two_ticks(network: Any, ends: Any, atomic: bool) -> None:
    model = Model(network, atomic=atomic)
    model.add(Two, "a")
    model.add(Last, "b")
    model.input("a", "go", (True,))
    assert seen(model) == ends


def test_a_set_delivers_any_number_of_times() -> None:
    model = pair("set", "x", "y")
    model.sometimes("x after x", lambda view: view["b"].last[()] == ("x", "x"))
    found = model.explore()
    found.raise_if_failed()
    assert found.ends == 0


@pytest.mark.parametrize(("options", "ends"), [
    ({}, {("x", "")}),
    ({"loss": 1}, {("x", ""), ("", "")}),
    ({"duplication": 1}, {("x", ""), ("x", "x")}),
    ({"duplication": 2, "loss": 1}, {("x", ""), ("", ""), ("x", "x")}),
])
def test_loss_and_duplication_happen_as_often_as_allowed(options: dict[str, int], ends: set[tuple[str, str]]) -> None:
    assert seen(pair("bag", "x", **options)) == ends
    assert seen(pair("fifo", "x", **options)) == ends


# -- pending changes


class Steps(Bloom):
    """What was put in is doubled a tick later."""

    put = interface.input("n: int")
    one = table("n: int")
    two = table("n: int")

    @rule
    def move(self):
        self.one <+ self.put
        self.two <+ self.one


def steps(**options: Any) -> Model:
    model = Model(**options)
    model.add(Steps, "a")
    model.input("a", "put", (1,))
    model.input("a", "put", (2,))
    return model


def test_a_tick_for_what_is_pending_is_a_step_of_its_own_or_shared() -> None:
    apart = steps()
    apart.sometimes("one without two", lambda view: len(view["a"].one) == 1 and not len(view["a"].two))
    assert apart.explore().ok
    together = steps(atomic=True)
    together.always("both have all", lambda view: view["a"].one.rows() == view["a"].two.rows())
    found = together.explore()
    found.raise_if_failed()
    assert found.states == 4


def test_rows_of_one_input_come_together() -> None:
    model = Model(atomic=True)
    model.add(Steps, "a")
    model.input("a", "put", (1,), (2,))
    found = model.explore()
    assert [set(view["a"].two) for view in found.views()] == [set(), {(1,), (2,)}]


def test_batches_take_several_at_once() -> None:
    def model(batch: int) -> Model:
        made = Model(batch=batch)
        made.add(Steps, "a")
        made.input("a", "put", (1,))
        made.input("a", "put", (2,))
        made.sometimes("both at once", lambda view: len(view["a"].one) == 2 and not len(view["a"].two))
        return made

    assert model(1).explore().missed == ("both at once",)
    assert model(2).explore().ok


class Echo(Bloom):
    put = interface.input("n: int")
    again = loopback("n: int")
    got = table("n: int")

    @rule
    def echo(self):
        self.again <~ self.put
        self.got <= self.again


def test_what_a_node_sends_itself_is_there_in_its_next_tick() -> None:
    model = Model()
    model.add(Echo, "a")
    model.input("a", "put", (1,))
    assert [step for step in [model.explore()] if (step.states, step.ends) == (3, 1)]
    atomic = Model(atomic=True)
    atomic.add(Echo, "a")
    atomic.input("a", "put", (1,))
    assert atomic.explore().states == 2


class Restless(Bloom):
    put = interface.input("n: int")
    flip = table("-> on: bool")

    @rule
    def turn(self):
        self.flip <+- (True for _ in self.put)
        self.flip <+- (not f.on for f in self.flip)


def test_a_node_that_never_rests_cannot_be_run_until_it_does() -> None:
    model = Model(atomic=True)
    model.add(Restless, "a")
    model.input("a", "put", (1,))
    with pytest.raises(UsageError, match="a has pending changes, or messages to itself, after 1,000 ticks"):
        model.explore()


# -- timers, draws, time


class Ticking(Bloom):
    beat = periodic(1)
    beats = table("no: int -> time: float")

    @rule
    def count(self):
        self.beats <+- ((b.no, b.time) for b in self.beat)


def test_timers_fire_as_often_as_allowed_and_show_it() -> None:
    model = Model(atomic=True)
    model.add(Ticking, "a")
    model.timer("a", "beat", times=2)
    found = model.explore()
    assert [set(view["a"].beats) for view in found.views()] == [set(), {(1, 1.0)}, {(1, 1.0), (2, 2.0)}]
    endless = Model(atomic=True)
    endless.add(Ticking, "a")
    endless.timer("a", "beat")
    assert [set(view["a"].beats) for view in endless.explore().views()] == [set(), {(1, 0.0)}]
    silent = Model(atomic=True)
    silent.add(Ticking, "a")
    assert silent.explore().states == 1


class Dice(Bloom):
    roll = interface.input("n: int")
    rolled = table("n: int -> draw: float")

    @rule
    def draw(self):
        self.rolled <+ ((r.n, self.rand) for r in self.roll)


def test_every_draw_is_tried() -> None:
    model = Model(atomic=True, draws=[0.1, 0.6])
    model.add(Dice, "a")
    for n in (1, 2):
        model.input("a", "roll", (n,))
    found = model.explore()
    assert (found.states, found.ends) == (9, 4)


# -- crashes


class Durable(Bloom):
    """Stores a value, then says so, once."""

    put = interface.input("n: int")
    kept = table("n: int", durable=True)
    lost = table("n: int")
    said = channel("@to, n: int")

    @rule
    def keep(self):
        self.kept <= self.put
        self.lost <= self.put
        self.said <~ (("b", p.n) for p in self.put)


class Heard(Bloom):
    said = channel("@to, n: int")
    heard = table("n: int", durable=True)

    @rule
    def hear(self):
        self.heard <= ((s.n,) for s in self.said)


def crashing(**options: Any) -> Model:
    model = Model("bag")
    model.add(Durable, "a")
    model.add(Heard, "b")
    model.input("a", "put", (1,))
    model.crash("a", **options)
    return model


def test_a_crash_keeps_durable_tables_and_may_keep_what_was_sent_from_leaving() -> None:
    model = crashing()
    model.sometimes("kept and not lost", lambda view: len(view["a"].kept) == len(view["a"].lost) == 1)
    model.sometimes("kept by the disk alone", lambda view: view["a"].up and len(view["a"].kept) == 1 and not len(view["a"].lost))
    model.sometimes("down", lambda view: not view["a"].up)
    model.sometimes("told although it crashed", lambda view: not view["a"].up and len(view["b"].heard) == 1)
    found = model.explore()
    found.raise_if_failed()
    assert {(len(view["a"].kept), len(view["b"].heard)) for view in found.ended()} == {(1, 1), (1, 0)}


def test_a_node_that_does_not_restart_stays_down_and_what_comes_is_lost() -> None:
    model = Model("bag")
    model.add(Durable, "a")
    model.add(Heard, "b")
    model.input("a", "put", (1,))
    model.crash("b", restart=False)
    found = model.explore()
    assert {view["b"].up for view in found.ended()} == {True, False}
    assert {len(view["b"].heard) for view in found.ended() if not view["b"].up} == {0, 1}
    assert all(not view.sent("said") for view in found.ended())


class Pending(Bloom):
    put = interface.input("n: int")
    kept = table("n: int", durable=True)

    @rule
    def keep(self):
        self.kept <+ self.put


def test_pending_changes_of_durable_tables_are_on_disk() -> None:
    model = Model()
    model.add(Pending, "a")
    model.input("a", "put", (1,))
    model.crash("a")
    model.at_end("nothing is lost", lambda view: len(view["a"].kept) == 1)
    model.explore().raise_if_failed()


def test_crashes_are_counted_together() -> None:
    model = Model()
    for address in ("a", "b"):
        model.add(Pending, address)
    model.crash("a", "b", times=1, restart=False)
    model.sometimes("both", lambda view: not view["a"].up and not view["b"].up)
    assert model.explore().missed == ("both",)


# -- properties


class Guarded(Bloom):
    put = interface.input("n: int")
    kept = table("n: int")

    @rule
    def keep(self):
        self.kept <= self.put

    @invariant
    def small(self):
        (k.n for k in self.kept if k.n > 1)


class Watched(Bloom):
    put = interface.input("n: int")
    kept = table("n: int")

    @rule
    def keep(self):
        self.kept <= self.put

    @invariant(scope="cluster")
    def apart(self):
        ((one.n,) for one in self.kept for other in self.kept if one.n == other.n and one.at_node < other.at_node)


def test_invariants_of_classes_are_checked() -> None:
    model = Model()
    model.add(Guarded, "a")
    model.input("a", "put", (1,))
    model.input("a", "put", (2,))
    found = model.explore()
    assert found.counterexample is not None
    assert "InvariantViolation" in found.counterexample.what
    assert [step.text for step in found.counterexample.steps] == ["a gets put (2,)"]


def test_invariants_of_the_cluster_are_checked() -> None:
    model = Model()
    for address in ("a", "b"):
        model.add(Watched, address)
        model.input(address, "put", (1,))
        model.input(address, "put", (2,))
    found = model.explore()
    assert found.counterexample is not None
    assert "Watched.apart" in found.counterexample.what
    assert len(found.counterexample) == 2


class Failing(Bloom):
    put = interface.input("n: int")
    kept = table("n: int -> half: float")

    @rule
    def keep(self):
        self.kept <= ((p.n, 1 / p.n) for p in self.put)


def test_an_input_that_makes_its_tick_fail_is_a_failure_or_gone() -> None:
    model = Model()
    model.add(Failing, "a")
    model.input("a", "put", (0,))
    with pytest.raises(CounterexampleFound, match="ZeroDivisionError"):
        model.explore().raise_if_failed()
    model = Model(dead_letters="drop")
    model.add(Failing, "a")
    model.input("a", "put", (0,), times=None)
    assert model.explore().ok


class Switch(Bloom):
    beat = periodic(1)
    lit = table("-> on: bool")
    ready = table("-> yes: bool")
    prepare = interface.input("go: bool")

    @bootstrap
    def begin(self):
        self.lit <= [(False,)]

    @rule
    def turn(self):
        self.ready <+ (True for _ in self.prepare)
        self.lit <+- (not l.on for _ in self.beat for l in self.lit)


def switch(prepared: bool = False) -> Model:
    model = Model(atomic=True)
    model.add(Switch, "a")
    model.timer("a", "beat")
    if prepared:
        model.input("a", "prepare", (True,))
    return model


def test_what_a_fair_run_must_reach_is_reached() -> None:
    model = switch()
    model.eventually("lit", lambda view: view["a"].lit[()].on)
    model.leads_to("dark after light", lambda view: view["a"].lit[()].on, lambda view: not view["a"].lit[()].on)
    model.explore().raise_if_failed()


def test_what_a_fair_run_need_not_reach_is_shown_with_the_cycle() -> None:
    model = switch(prepared=True)
    model.eventually("ready", lambda view: len(view["a"].ready))
    found = model.explore()
    assert found.counterexample is not None
    assert found.counterexample.loop == 0
    assert [step.text for step in found.counterexample.steps] == [
        "a gets timer beat; lit -(False,) +(True,)",
        "a gets timer beat; lit -(True,) +(False,)",
    ]
    assert "for ever:" in str(found.counterexample)


def test_an_end_without_the_goal_is_a_counterexample() -> None:
    model = pair("bag", "x", loss=1)
    model.leads_to("what is sent arrives", lambda view: len(view.sent("told")), lambda view: view["b"].last[()].value == "x")
    found = model.explore()
    assert found.counterexample is not None
    assert [step.text for step in found.counterexample.steps][-1] == "told ('b', 'x') to b is lost"
    reliable = pair("bag", "x")
    reliable.leads_to("what is sent arrives", lambda view: len(view.sent("told")), lambda view: view["b"].last[()].value == "x")
    reliable.explore().raise_if_failed()


def test_a_message_of_a_set_arrives_on_every_fair_run() -> None:
    model = pair("set", "x", "y")
    model.leads_to("x arrives", lambda view: ("b", "x") in view.sent("told"), lambda view: view["b"].last[()].value == "x")
    model.explore().raise_if_failed()


def test_deadlock_and_what_never_holds() -> None:
    model = pair("bag", "x")
    model.at_end("y has come", lambda view: view["b"].last[()].value == "y")
    with pytest.raises(CounterexampleFound, match=r"(?s)y has come: it does not hold, and nothing more can happen.*1\. a gets go \('x',\)"):
        model.explore().raise_if_failed()
    model = pair("bag", "x")
    model.sometimes("z", lambda view: view["b"].last[()].value == "z")
    with pytest.raises(NeverReached, match=r"sometimes\('z'\)"):
        model.explore().raise_if_failed()


# -- limits, and what cannot be


def test_a_limit_is_told() -> None:
    found = pair("bag", "x", "y").explore(max_states=3)
    assert (found.states, found.complete, found.ok) == (3, False, False)
    assert "not complete" in str(found)
    with pytest.raises(IncompleteExploration, match="after 3 states the limit was reached"):
        found.raise_if_failed()
    assert not pair("bag", "x", "y").explore(limit_s=-1).complete


def test_what_a_view_cannot_show_is_an_error_that_says_why() -> None:
    def asked(predicate: Any, **options: Any) -> None:
        model = pair("bag", "x")
        model.always("asked", predicate, **options)
        model.explore()

    with pytest.raises(UsageError, match=r"Sender.go may hold rows for the time of a tick only"):
        asked(lambda view: view["a"].go)
    with pytest.raises(UsageError, match="Last has no collection 'lost'"):
        asked(lambda view: view["b"].lost)
    with pytest.raises(UsageError, match="no node has a collection 'lost'"):
        asked(lambda view: view.all("lost"))
    with pytest.raises(UsageError, match="the property reads 'last', which is not among its reads"):
        asked(lambda view: view["b"].last, reads=["told"])
    with pytest.raises(UsageError, match="the property reads 'told', which is not among its reads"):
        asked(lambda view: view.sent("told"), reads=["last"])


def test_names_that_no_node_has_are_refused() -> None:
    with pytest.raises(UsageError, match="observe 'went', and no node has such a collection"):
        pair("bag", "x", observe=["went"]).explore()
    model = pair("bag", "x")
    model.always("p", lambda view: True, reads=["lost"])
    with pytest.raises(UsageError, match="'p' reads 'lost', and no node has such a collection"):
        model.explore()
    with pytest.raises(UsageError, match="there is a property 'p' already"):
        model.sometimes("p", lambda view: True)


def test_it_is_told_how_far_an_exploration_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(step=2)
    monkeypatch.setattr(exploration.time, "monotonic", lambda: next(seconds))
    told: list[str] = []
    assert two_phase(4).explore(progress=lambda progress: told.append(str(progress))).ok
    assert [line.split(",")[0] for line in told] == ["1 states", "1"]
    assert told[1].startswith("1,265 states, 241 waiting, depth 8, 4 s, ")


class Broken(Bloom):
    half = table("-> n: float")

    @bootstrap
    def begin(self):
        self.half <= (1 / n for n in (0,))


def test_a_program_that_cannot_start_is_a_failure() -> None:
    model = Model()
    model.add(Sender, "a")
    model.outside("b")
    model.add(Broken, "c")
    found = model.explore()
    assert found.counterexample is not None
    assert [step.text for step in found.counterexample.steps] == ["c starts"]
    assert "fault c#1 ZeroDivisionError: division by zero" in str(found.counterexample.trace())
    late = Model()
    late.add(Broken, "c")
    late.starts_late("c")
    assert [step.text for step in late.explore().counterexample.steps] == ["c starts"]
    assert "fault c#1 ZeroDivisionError: division by zero" in str(late.explore().counterexample.trace())


def test_a_transient_collection_can_be_made_part_of_the_state() -> None:
    model = pair("bag", "x", observe=["go"])
    model.sometimes("asked", lambda view: set(view["a"].go) == {("x",)})
    assert model.explore().ok


class Parts(Bloom):
    most = lattice.lmax()
    put = interface.input("n: int")

    @rule
    def grow(self):
        self.most <= (p.n for p in self.put)


def test_a_view_shows_rows_by_key_and_the_values_of_lattices() -> None:
    model = Model()
    model.add(Parts, "a")
    model.input("a", "put", (3,))
    assert [view["a"].most.value for view in model.explore().views()][-1] == 3
    views = list(pair("bag", "x", "y").explore().views())
    last: View = views[-1]
    assert list(last) == ["a", "b"]
    assert len(last) == 2
    assert () in last["b"].last
    assert last["b"].last.get((), None) == last["b"].last[()]
    assert last["b"].last.get("no") is None
    assert [address for address, _ in last.all("last")] == ["b"]


@pytest.mark.parametrize(("make", "match"), [
    (lambda: Model("ring"), "there is no network 'ring'"),
    (lambda: Model("set", loss=1), "in a set of messages each may be lost"),
    (lambda: Model(batch=0), "batch=0"),
    (lambda: Model(draws=[1.0]), r"draws=\[1.0\]"),
    (lambda: Model(dead_letters="keep"), "dead_letters='keep'"),
    (lambda: Model().explore(), "a model without nodes"),
    (lambda: pair("bag").add(Sender, "a"), "there is a node 'a' already"),
    (lambda: pair("bag").add(lambda me: Sender("c"), "d"), "made a program with the address 'c', not 'd'"),
    (lambda: pair("bag").input("c", "go", ("x",)), "there is no node 'c'"),
    (lambda: pair("bag").input("a", "went", ("x",)), "Sender has no collection 'went'"),
    (lambda: pair("bag").input("a", "go", ("x",), times=0), "times=0"),
    (lambda: pair("bag").input("a", "go"), "no rows for 'go'"),
    (lambda: pair("bag").timer("a", "go"), "'go' is no periodic"),
    (lambda: pair("bag").always("p", bool) or pair("bag"), ""),
])
def test_models_that_cannot_be_are_refused(make: Any, match: str) -> None:
    if not match:
        make()
        return
    with pytest.raises(UsageError, match=match):
        make()


def test_rows_are_checked_and_strangers_refused() -> None:
    with pytest.raises(RowError, match="put"):
        steps().input("a", "put", ("x",))
    alone = Model()
    alone.add(Sender, "a")
    alone.input("a", "go", ("x",))
    with pytest.raises(UsageError, match=r"a sends told \('b', 'x'\) to 'b', which is no node of the model"):
        alone.explore()
    alone.outside("b")
    assert alone.explore().states == 2
    watched = Model()
    watched.add(Sender, "a")
    watched.outside("b", seen=True)
    watched.input("a", "go", ("x",))
    watched.at_end("told", lambda view: view.sent("told") == [("b", "x")])
    watched.explore().raise_if_failed()


class Named(Bloom):
    name = param("")
    put = table("n: int")
    names = table("name")

    @bootstrap
    def begin(self):
        self.names <= (self.name,)


def test_functions_make_programs_and_tables_take_inputs() -> None:
    model = Model()
    model.add(lambda me: Named(me, name="x"), "a")
    model.input("a", "put", (1,))
    model.input("a", "put", (1,), operation="delete")
    found = model.explore()
    assert {len(view["a"].put) for view in found.ended()} == {0, 1}
    assert (found.states, found.ends) == (5, 2)


@pytest.mark.parametrize("option", ["debug", "profile", "provenance"])
def test_instances_with_other_options_are_explored_alike(option: str) -> None:
    model = Model(atomic=True)
    model.add(lambda me: Steps(me, **{option: True}), "a")
    model.input("a", "put", (1,))
    assert model.explore().states == 2
