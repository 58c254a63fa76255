# ruff: noqa: B015
# fmt: off
"""Mutual exclusion by a token that goes round a ring: safe as long as nothing makes two of it, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy import Bloom, bootstrap, channel, interface, param, rule, table
from bloompy.errors import CounterexampleFound
from bloompy.sim.exploring import Model


class Station(Bloom):
    """Enters only with the token, and passes it on only from outside."""

    next = param("")
    first = param(False)
    token = table("-> here: bool")
    critical = table("-> inside: bool")
    enter = interface.input("now: bool")
    leave = interface.input("now: bool")
    go_on = interface.input("now: bool")
    passed = channel("@to, sender")

    @bootstrap
    def begin(self):
        self.token <= (first for first in (self.first,) if first)

    @rule
    def hold(self):
        self.token <+ (True for _ in self.passed)
        self.critical <+ (True for _ in self.enter for _ in self.token)
        self.critical <- (c.inside for _ in self.leave for c in self.critical)
        self.passed <~ ((self.next, self.me) for _ in self.go_on for _ in self.token if not any(True for _ in self.critical))
        self.token <- (t.here for _ in self.go_on for t in self.token if not any(True for _ in self.critical))


class Sloppy(Station):
    """Passes the token on from inside."""

    @rule
    def hold(self):
        self.token <+ (True for _ in self.passed)
        self.critical <+ (True for _ in self.enter for _ in self.token)
        self.critical <- (c.inside for _ in self.leave for c in self.critical)
        self.passed <~ ((self.next, self.me) for _ in self.go_on for _ in self.token)
        self.token <- (t.here for _ in self.go_on for t in self.token)


def ring(size: int, program: type[Station] = Station, **options: Any) -> Model:
    model = Model("bag", atomic=True, **options)
    for i in range(size):
        model.add(program, f"s{i}", next=f"s{(i + 1) % size}", first=i == 0)
        for name in ("enter", "leave", "go_on"):
            model.input(f"s{i}", name, (True,), times=None)
    model.always("one is inside", lambda view: len(view.all("critical")) < 2, reads=["critical"])
    for i in range(size):
        model.sometimes(f"s{i} is inside", lambda view, i=i: len(view[f"s{i}"].critical) == 1)
    return model


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_token_is_here_idle_or_used_or_on_its_way(size: int) -> None:
    found = ring(size).explore()
    found.raise_if_failed()
    assert (found.states, found.ends) == (3 * size, 0)


@pytest.mark.parametrize(("program", "options", "steps"), [(Station, {"duplication": 1}, 7), (Sloppy, {}, 4)])
def test_two_tokens_let_two_in(program: type[Station], options: dict[str, int], steps: int) -> None:
    found = ring(3, program, **options).explore()
    with pytest.raises(CounterexampleFound, match="one is inside: it does not hold"):
        found.raise_if_failed()
    assert found.counterexample is not None
    assert len(found.counterexample) == steps


def test_a_token_that_is_lost_lets_none_in_any_more() -> None:
    model = ring(3, loss=1)
    model.at_end("somebody has the token", lambda view: len(view.all("token")) + len(view.sent("passed")) == 1)
    found = model.explore()
    assert found.counterexample is not None
    assert [step.text for step in found.counterexample.steps] == [
        "s0 gets go_on (True,); token -(True,); sends passed ('s1', 's0')",
        "passed ('s1', 's0') to s1 is lost",
    ]
