"""Mutants of unique ids, timers and retries."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bloompy import Bloom, channel, interface, module, rule, table
from bloompy.sim import Faults, Simulation

from .mutant import Mutant, Subject, assert_within, right

# --- ids


def ids(name: str, worker: bool) -> Any:
    """The test of a class of ids: two nodes are asked, crash, and their clocks jump."""

    def test(programs: Any, sim: Simulation) -> None:
        given: Counter[Any] = Counter()

        def watch(node: Any) -> None:
            node.given.on_insert(lambda row: given.update([row.id]))

        def unique() -> list[Any]:
            return [id for id, times in given.items() if times > 1]

        nodes = [sim.add(getattr(programs, name), me, setup=watch, **({"worker": number} if worker else {})) for number, me in enumerate("ab")]
        sim.always(unique, "unique")
        for number in sim.operations(12, lambda number: number):
            node = nodes[number % 2]
            if not node.up:
                node.restart()
            node.ask.insert(*((number, i) for i in range(1 + sim.integer(0, 2))))
            sim.run(for_s=0.001 * sim.integer(0, 2))
            if sim.chance(0.3) and node.up:
                node.restart()
            if sim.chance(0.3):
                node.skew(-0.001 * sim.integer(0, 5))
        sim.run(for_s=0.01)

    return test


IDS = Subject(name="unique ids", modules=("bloompy.std.unique_ids",), test=ids("UniqueIds", False), faults=Faults(crashes=2, down_s=(0.0, 0.01)))
FLAKES = Subject(name="snowflakes", modules=("bloompy.std.unique_ids",), test=ids("Snowflakes", True), faults=Faults(crashes=2, down_s=(0.0, 0.01)))

COUNTER = 'counter = table("-> next: int", durable=True)'
STAMP = 'stamp = table("-> last: int", durable=True)'
FIRST = "return max(last + 1, int((now - self.epoch_s) * 1000) << SEQUENCE_BITS)"

ID_MUTANTS = (
    right(IDS),
    Mutant(name="the counter is not durable", subject=IDS, edits=((COUNTER, COUNTER.replace(", durable=True", "")),), breaks="unique"),
    Mutant(
        name="all requests of a tick get one id",
        subject=IDS,
        edits=(("self.counter.get((), (1,)).next + p.n) for p in self.place)", "self.counter.get((), (1,)).next) for p in self.place)"),),
        breaks="unique", easy=True,
    ),
    Mutant(
        name="the counter moves on by one, however many were given",
        subject=IDS,
        edits=(("self.last <= (agg.max(g.number) for g in self.granted)", "self.last <= (agg.min(g.number) for g in self.granted)"),),
        breaks="unique",
    ),
    Mutant(
        name="ids without the node",
        subject=IDS,
        edits=(("self.given <= ((g.request, (self.me, g.number)) for g in self.granted)", "self.given <= ((g.request, (g.number,)) for g in self.granted)"),),
        breaks="unique",
    ),
    right(FLAKES),
    Mutant(name="the last stamp is not durable, and the clock jumps", subject=FLAKES, edits=((STAMP, STAMP.replace(", durable=True", "")),), breaks="unique"),
    Mutant(name="time alone", subject=FLAKES, edits=((FIRST, "return int((now - self.epoch_s) * 1000) << SEQUENCE_BITS"),), breaks="unique", easy=True),
    Mutant(name="ids without the worker", subject=FLAKES, edits=(("<< WORKER_BITS | worker)", "<< WORKER_BITS)"),), breaks="unique"),
    Mutant(
        name="a counter without time",
        subject=FLAKES,
        edits=((FIRST, "return last + 1"),),
        why="they are unique all the same, only no longer in the order of time between nodes",
    ),
)

# --- timers


def timing(programs: Any, sim: Simulation) -> None:
    """Timers are started, cancelled and started again; each that is not cancelled expires once, in time."""
    node = sim.add(programs.Timers, "t", resolution_s=0.05)
    due: dict[Any, float] = {}
    seen = 0

    def as_started() -> str:
        nonlocal seen
        if node.step == seen:
            return ""
        seen = node.step
        for row in node.expired:
            if row.key not in due:
                return f"{row.key} was cancelled, or has expired"
            if sim.now < due.pop(row.key) - 1e-6:
                return f"{row.key} expired early"
        return ""

    sim.always(as_started, "as started")
    for number in sim.operations(12, lambda number: number):
        key = number % 4
        if key in due and sim.chance(0.4):  # the tick that takes the input comes before the next timer
            node.cancel.insert(key)
            del due[key]
        else:
            after_s = 0.03 * sim.integer(1, 10)
            node.start.insert((key, after_s))
            due[key] = sim.now + after_s
        sim.run(for_s=0.02 * sim.integer(0, 10))
    assert_within(sim, lambda: not due, 2.0, "expiry")
    sim.run(for_s=0.2)


TIMERS = Subject(name="timers", modules=("bloompy.std.timers",), test=timing, faults=Faults())


class Request(Bloom):
    """What is tried again and again."""

    request = channel("@server: str, client: str, id")
    response = channel("@client: str, id")


class Server(Request):
    """Answers."""

    @rule
    def answer(self):
        self.response <~ ((r.client, r.id) for r in self.request)


def client(programs: Any) -> type[Bloom]:
    """Tries a request until it is answered."""
    made: type[Bloom] | None = getattr(programs, "client", None)
    if made is None:

        class Client(Request):
            ask = interface.input("id")
            answered = table("id")
            tries = module(programs.Retry, first_s=0.05, factor=2.0, most_s=0.4, resolution_s=0.02)

            @rule
            def trying(self):
                self.tries.start <= self.ask
                self.request <~ (("server", self.me, a.key) for a in self.tries.attempt)
                self.tries.done <= ((r.id,) for r in self.response)
                self.answered <= ((r.id,) for r in self.response)

        made = programs.client = Client
    return made


def retrying(programs: Any, sim: Simulation) -> None:
    """Every request is answered, soon after the faults end, and then nothing more is sent."""
    sim.add(Server, "server")
    asking = sim.add(client(programs), "client")
    ids = list(sim.operations(3, lambda number: number))
    for number in ids:
        asking.ask.insert(number)
        sim.run(for_s=0.1)
    sim.run(until=1.5)
    sim.calm()
    assert_within(sim, lambda: len(asking.answered) == len(ids), 1.0, "answered")
    sim.run(for_s=0.1)
    before = sim.link("client", "server").sent
    sim.run(for_s=2.0)
    assert sim.link("client", "server").sent == before, "silence: requests go on after the answer"
    numbers = [row.number for row in asking.program.tries.trying]
    assert not numbers, "silence: still trying"


RETRY = Subject(name="retry", modules=("bloompy.std.retry",), test=retrying, faults=Faults(drop=0.4, delay=0.2, partitions=1, partition_s=(0.2, 1.5)))

OVER = "if r.due <= b.time and r.key not in self.start and r.key not in self.cancel)"

TIMER_MUTANTS = (
    right(TIMERS),
    Mutant(name="a cancel is not heard", subject=TIMERS, edits=(("        self.running <- ((c.key,) for c in self.cancel)\n", ""),), breaks="as started"),
    Mutant(name="a timer expires again and again", subject=TIMERS, edits=(("        self.running <- ((o.key,) for o in self.over)\n", ""),), breaks="as started"),
    Mutant(name="a timer may expire early", subject=TIMERS, edits=((OVER, OVER.replace("r.due <= b.time", "r.due <= b.time + self.resolution_s")),), breaks="as started", easy=True),
    Mutant(
        name="a timer that runs is not started again",
        subject=TIMERS,
        edits=(("(s.key, self.now + s.after_s) for s in self.start)", "(s.key, self.now + s.after_s) for s in self.start if s.key not in self.running)"),),
        breaks=("as started", "expiry"),
    ),
    Mutant(
        name="a timer expires at the tick after it is due only",
        subject=TIMERS,
        edits=((OVER, OVER.replace("r.due <= b.time", "r.due < b.time and b.time < r.due + self.resolution_s / 2")),),
        breaks="expiry",
    ),
    right(RETRY),
    Mutant(
        name="lost retry: one attempt only",
        subject=RETRY,
        edits=(("if t.due <= b.time and (self.attempts == 0 or t.number < self.attempts)", "if t.due <= b.time and t.number < self.attempts"),),
        breaks="answered",
    ),
    Mutant(
        name="back-off without a bound",
        subject=RETRY,
        edits=(("return float(min(most_s, first_s * factor ** (attempt - 1)))", "return float(first_s * 3 * factor ** (attempt - 1))"),),
        breaks="answered",
    ),
    Mutant(name="what is done is tried on", subject=RETRY, edits=(("        self.trying <- ((d.key,) for d in self.done)\n", ""),), breaks="silence"),
    Mutant(
        name="gives up after two attempts",
        subject=RETRY,
        edits=(("    attempts = param(0)", "    attempts = param(2)"),),
        breaks="answered", easy=True,
    ),
    Mutant(name="back-off without jitter", subject=RETRY, edits=(("    jitter = param(0.5)", "    jitter = param(0.0)"),), why="jitter spreads load; nothing is lost"),
)

MUTANTS = ID_MUTANTS + TIMER_MUTANTS
