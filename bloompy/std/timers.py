# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""Timers: a key expires so many seconds after it was started, unless it is cancelled or started again.

The `late` of the talk "The Cloud Goes BOOM" (slide 72) counted rows of a one-second clock with random numbers and went on after the
response; here a timer stops when it is cancelled, and a new start of the same key is a new timer.
"""

from bloompy import Bloom, interface, param, periodic, rule, scratch, table


class Timers(Bloom):
    """Any number of timers by key, on one periodic.

    Params:
        resolution_s: how often timers are looked at; one expires between 0 and so many seconds late, never early.

    Interface:
        start: starts the timer of a key, or starts it again.
        cancel: ends it without expiry; in the tick of a start, the start wins.
        expired: keys whose time is over, each once.

    Timers are not durable: a node that restarts starts those it needs.
    """

    resolution_s = param(0.1)
    beat = periodic(resolution_s)

    start = interface.input("key -> after_s: float")
    cancel = interface.input("key")
    expired = interface.output("key")

    running = table("key -> due: float")
    over = scratch("key")

    @rule
    def time(self) -> None:
        # running(K, now + After) @next :- start(K, After).
        self.running <+- ((s.key, self.now + s.after_s) for s in self.start)
        # over(K) :- beat(Now), running(K, Due), Due <= Now, not start(K), not cancel(K).
        self.over <= ((r.key,) for b in self.beat for r in self.running
                      if r.due <= b.time and r.key not in self.start and r.key not in self.cancel)
        self.expired <= self.over
        # del running(K) @next :- over(K); cancel(K).
        self.running <- ((o.key,) for o in self.over)
        self.running <- ((c.key,) for c in self.cancel)
