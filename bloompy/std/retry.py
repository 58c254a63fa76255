# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Retrying with exponential, jittered back-off, as rules."""

from zlib import crc32

from bloompy import Bloom, interface, param, periodic, rule, scratch, table


def backoff_s(attempt: int, first_s: float, factor: float, most_s: float) -> float:
    """Seconds from attempt number `attempt` (from 1) to the next, before jitter; bounded by `most_s`."""
    if attempt <= 0 or first_s <= 0:
        return max(first_s, 0.0)
    try:
        return float(min(most_s, first_s * factor ** (attempt - 1)))
    except OverflowError:
        return most_s


def spread(draw: float, key: object) -> float:
    """A number in [0, 1) that differs from key to key, made of the one draw that a tick has."""
    return (draw + crc32(repr(key).encode()) / 2**32) % 1.0


class Retry(Bloom):
    """Says when to send what again: at once, then after first_s, first_s * factor, … up to most_s, until it is done.

    Params:
        first_s, factor, most_s: the gaps between attempts.
        jitter: each gap is shortened by a random share up to this one, so that many clients do not come all at once
            (Brooker, "Exponential Backoff and Jitter", 2015: 1 is his "full jitter", 0 none).
        attempts: after so many it gives up; 0 never.
        resolution_s: how often it is looked whether an attempt is due.

    Interface:
        start: attempt a key; a key that is being attempted is left as it is.
        done: stop, since it succeeded or is no longer wanted.
        attempt: keys to be tried in this tick, with the number of the attempt from 1.
        gave_up: keys given up, one gap after their last attempt.
    """

    first_s = param(0.1)
    factor = param(2.0)
    most_s = param(10.0)
    jitter = param(0.5)
    attempts = param(0)
    resolution_s = param(0.05)
    beat = periodic(resolution_s)

    start = interface.input("key")
    done = interface.input("key")
    attempt = interface.output("key -> number: int")
    gave_up = interface.output("key")

    trying = table("key -> number: int, due: float")
    due = scratch("key -> number")
    spent = scratch("key")

    def gap_s(self, number: int, draw: float, key: object) -> float:
        """Seconds from this attempt to the next."""
        return backoff_s(number, self.first_s, self.factor, self.most_s) * (1.0 - self.jitter * spread(draw, key))

    @rule
    def tries(self) -> None:
        # due(K, 1) :- start(K), not trying(K), not done(K).
        self.due <= ((s.key, 1) for s in self.start if s.key not in self.trying and s.key not in self.done)
        # due(K, N + 1) :- beat(Now), trying(K, N, Due), Due <= Now, N < attempts, not done(K).
        self.due <= ((t.key, t.number + 1) for b in self.beat for t in self.trying
                     if t.due <= b.time and (self.attempts == 0 or t.number < self.attempts) and t.key not in self.done)
        # spent(K) :- beat(Now), trying(K, N, Due), Due <= Now, N >= attempts > 0, not done(K).
        self.spent <= ((t.key,) for b in self.beat for t in self.trying
                       if t.due <= b.time and 0 < self.attempts <= t.number and t.key not in self.done)
        self.attempt <= self.due
        self.gave_up <= self.spent
        # trying(K, N, now + gap(N)) @next :- due(K, N).
        self.trying <+- ((d.key, d.number, self.now + self.gap_s(d.number, self.rand, d.key)) for d in self.due)
        # del trying(K) @next :- done(K); spent(K).
        self.trying <- ((d.key,) for d in self.done)
        self.trying <- ((s.key,) for s in self.spent)
