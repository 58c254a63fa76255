"""Timers and retries, tick by tick."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy import Bloom, interface, module, rule
from bloompy.std.retry import Retry, backoff_s, spread
from bloompy.std.timers import Timers


def expiries(timers: Timers, seconds: float, start: float, step_s: float = 0.1) -> list[tuple[float, Any]]:
    """When which key expired, in seconds after the start."""
    found = []
    for i in range(1, round(seconds / step_s) + 1):
        tick = timers.tick(start + i * step_s)
        found += [(round(i * step_s, 6), row[0]) for row in tick.inserted.get("expired", ())]
    return found


def started(**after_s: float) -> Timers:
    timers = Timers(resolution_s=0.1)
    timers.tick(0.0)
    timers.start.insert(*after_s.items())
    timers.tick(0.05)
    return timers


def test_a_timer_expires_once_never_early_and_at_most_the_resolution_late() -> None:
    found = expiries(started(a=0.5, b=0.2), 2, 0.0)
    assert [key for _, key in found] == ["b", "a"]
    for (time, _), due in zip(found, [0.25, 0.55], strict=True):
        assert due <= time <= due + 0.1 + 1e-9


def test_a_cancelled_timer_does_not_expire_and_its_key_can_be_used_again() -> None:
    timers = started(a=0.5)
    timers.cancel.insert("a")
    timers.tick(0.06)
    timers.start.insert(("a", 1.0))
    timers.tick(0.07)
    assert [round(time, 1) for time, _ in expiries(timers, 2, 0.0)] == [1.1]


def test_a_timer_cancelled_in_the_tick_in_which_it_is_due_does_not_expire() -> None:
    timers = started(a=0.5)
    timers.cancel.insert("a")
    assert timers.tick(5.0).inserted.get("expired") is None
    assert expiries(timers, 1, 5.0) == []


def test_a_start_in_the_tick_of_a_cancel_wins() -> None:
    timers = started(a=0.5)
    timers.cancel.insert("a")
    timers.start.insert(("a", 0.3))
    timers.tick(0.4)
    assert [round(time, 1) for time, _ in expiries(timers, 2, 0.4)] == [0.3]


class Patient(Bloom):
    """A program with timers within: a request is late when no response came."""

    request = interface.input("id")
    response = interface.input("id")
    late = interface.output("id")
    timeout = module(Timers, resolution_s=0.5)

    @rule
    def wait(self):
        self.timeout.start <= ((r.id, 2.0) for r in self.request)
        self.timeout.cancel <= self.response
        self.late <= self.timeout.expired


def test_timers_within_a_program() -> None:
    program, late = Patient(), []
    program.tick(0.0)
    program.request.insert(1, 2)
    program.tick(0.1)
    program.response.insert(1)
    for i in range(1, 10):
        late += program.tick(i * 0.5).inserted.get("late", [])
    assert late == [(2,)]


# --- retries


def attempts(retry: Retry, seconds: float, step_s: float = 0.05) -> list[tuple[float, int]]:
    found = []
    for i in range(1, round(seconds / step_s) + 1):
        tick = retry.tick(i * step_s)
        found += [(i * step_s, row[1]) for row in tick.inserted.get("attempt", ())]
    return found


def begun(**parameters: Any) -> tuple[Retry, list[tuple[float, int]]]:
    retry = Retry(**parameters)
    retry.tick(0.0)
    retry.start.insert("k")
    tick = retry.tick(0.001)
    return retry, [(0.001, row[1]) for row in tick.inserted["attempt"]]


def test_gaps_grow_by_the_factor_up_to_the_bound() -> None:
    retry, found = begun(first_s=0.1, factor=2.0, most_s=0.4, jitter=0.0)
    found += attempts(retry, 2)
    assert [number for _, number in found] == list(range(1, len(found) + 1))
    gaps = [later - earlier for (earlier, _), (later, _) in zip(found, found[1:], strict=False)]
    for gap, wanted in zip(gaps, [0.1, 0.2, 0.4, 0.4], strict=False):
        assert wanted <= gap <= wanted + 0.1
    assert len(found) >= 5


def test_done_stops_it_also_in_the_tick_of_an_attempt() -> None:
    retry, _ = begun(first_s=0.1, jitter=0.0)
    retry.done.insert("k")
    assert "attempt" not in retry.tick(5.0).inserted
    assert attempts(retry, 8) == []


def test_it_gives_up_after_the_last_attempt_and_once() -> None:
    retry, found = begun(first_s=0.1, jitter=0.0, attempts=3)
    gave_up = 0
    for i in range(1, 100):
        tick = retry.tick(i * 0.05)
        found += [(i, row[1]) for row in tick.inserted.get("attempt", ())]
        gave_up += len(tick.inserted.get("gave_up", ()))
    assert [number for _, number in found] == [1, 2, 3]
    assert gave_up == 1
    assert len(retry.trying) == 0


def test_jitter_spreads_keys_and_is_a_function_of_the_seed() -> None:
    def dues(seed: int) -> list[float]:
        retry = Retry(first_s=10.0, jitter=1.0, seed=seed)
        retry.start.insert(*range(50))
        retry.tick(0.0)
        retry.tick(0.0)
        return [row.due for row in retry.trying]

    assert dues(1) == dues(1) != dues(2)
    assert min(dues(1)) < 2 < 8 < max(dues(1)) <= 10


@given(st.integers(1, 10**6), st.floats(0.001, 10), st.floats(1, 10), st.floats(0.001, 100))
def test_gaps_are_bounded_and_never_shrink(attempt: int, first_s: float, factor: float, most_s: float) -> None:
    gap = backoff_s(attempt, first_s, factor, most_s)
    assert 0 < gap <= most_s
    assert gap <= backoff_s(attempt + 1, first_s, factor, most_s) + 1e-9


@given(st.floats(0, 1, exclude_max=True), st.text())
def test_a_spread_is_a_share(draw: float, key: str) -> None:
    assert 0 <= spread(draw, key) < 1


def test_a_period_that_is_none_is_refused() -> None:
    with pytest.raises(Exception, match="period of 'beat' is 0"):
        Timers(resolution_s=0).tick(0.0)
