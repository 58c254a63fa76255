"""What `why` costs a program: nothing while it is off, the keeping of batches while it is on, a replay when it is asked."""
# ruff: noqa: B015
# fmt: off

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable

from benchmarks.measure import Figure, WrongResult, command
from bloompy import Bloom, agg, channel, interface, param, periodic, rule, scratch, table
from bloompy.engine.codegen import Codegen
from bloompy.engine.tick import Evaluator
from bloompy.program import machine_of
from bloompy.sim import Simulation


class One(Bloom):
    """One rule, one input row a tick: the least that a tick can cost, so the most that anything beside it can weigh."""

    source = interface.input("a -> b")
    target = interface.output("a -> b")

    @rule
    def copy(self):
        self.target <= ((s.a, s.b + 1) for s in self.source)


class Orders(Bloom):
    """A table that grows by a row a tick, with views over it."""

    limit = param(20)
    order = table("no -> customer, amount: int")
    put = interface.input("no -> customer, amount: int")
    total = scratch("customer -> amount")
    large = scratch("customer")

    @rule
    def add(self):
        self.order <+ self.put
        self.total <= ((o.customer, agg.sum(o.amount)) for o in self.order)
        self.large <= ((t.customer,) for t in self.total if t.amount > self.limit)


def evaluator_of(program: Bloom) -> Evaluator:
    """What runs its ticks."""
    return machine_of(program).evaluator


def one(program: Bloom, ticks: int) -> float:
    """Seconds of some ticks of `One`."""
    start = time.process_time()
    for i in range(ticks):
        program.source.insert((i, i))
        program.tick(now=float(i))
    return time.process_time() - start


def orders(program: Bloom, ticks: int) -> float:
    """Seconds of some ticks of `Orders`."""
    start = time.process_time()
    for i in range(ticks):
        program.put.insert((i, i % 50, i % 7))
        program.tick(now=float(i))
    return time.process_time() - start


def compared(work: Callable[[Bloom, int], float], program: type[Bloom], ticks: int, rounds: int) -> dict[str, float]:
    """Median seconds without provenance, without it once more, and with it, in interleaved rounds."""
    seconds: dict[str, list[float]] = {"off": [], "off again": [], "on": []}
    for _ in range(rounds):
        for name, times in seconds.items():
            instance = program(provenance=name == "on")
            if name != "on" and type(evaluator_of(instance)) is not Codegen:
                raise WrongResult("without provenance something stands between the program and its evaluator")
            gc.collect()
            times.append(work(instance, ticks))
    return {name: statistics.median(times) for name, times in seconds.items()}


def asked(ticks: int) -> tuple[float, float]:
    """Milliseconds of the first question, which replays all ticks, and of another."""
    program = Orders(provenance=True)
    orders(program, ticks)
    taken = []
    for customer in (3, 4):
        start = time.process_time()
        found = program.why("total", customer)
        if len(found.inputs) < min(ticks // 50, 900):
            raise WrongResult(f"{len(found.inputs)} inputs of customer {customer}")
        taken.append((time.process_time() - start) * 1e3)
    return taken[0], taken[1]


class Gossip(Bloom):
    """Everybody sends all that it has to all others, every second."""

    member = table("address")
    log = table("text")
    again = periodic(1.0)
    message = channel("@to, text")

    @rule
    def go(self):
        self.message <~ ((m.address, e.text) for a in self.again for e in self.log for m in self.member if m.address != self.me)
        self.log <= ((m.text,) for m in self.message)


def simulated(seconds: float, rounds: int) -> float:
    """CPU seconds of a simulation whose nodes can be asked, against one whose nodes cannot."""
    taken: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for trace, times in taken.items():
            sim = Simulation(trace=trace)
            for name in "abcd":
                sim.add(Gossip, name).member.insert(*((other,) for other in "abcd"))
            sim["a"].log.insert(("one",), ("two",))
            start = time.process_time()
            sim.run(until=seconds)
            times.append(time.process_time() - start)
            if trace and not sim.why("d", "log", "two").messages:
                raise WrongResult("d heard of it by no message")
    return statistics.median(taken[True]) / statistics.median(taken[False])


def figures(small: bool = False) -> list[Figure]:
    ticks, rounds = (200, 1) if small else (10_000, 7)
    found = []
    for name, work, program in (("one rule", one, One), ("a table and views", orders, Orders)):
        times = compared(work, program, ticks, rounds)
        found += [
            Figure(f"{name}: a tick without provenance", times["off"] / ticks * 1e6, "µs"),
            Figure(f"{name}: once more without, against the first", times["off again"] / times["off"], "times", None if small else 1.1),
            Figure(f"{name}: with provenance, against without", times["on"] / times["off"], "times", 3),
        ]
    found.append(Figure("a simulation: with its trace, against without", simulated(3 if small else 60, rounds), "times", 3))
    asked_ticks = 200 if small else 2_000
    first, second = asked(asked_ticks)
    found += [
        Figure(f"the first why after {asked_ticks:,} ticks", first, "ms"),
        Figure("the second why", second, "ms"),
    ]
    return found


if __name__ == "__main__":
    command(__doc__, figures)
