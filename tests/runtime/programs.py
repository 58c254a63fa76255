"""Programs that the runtime's tests run."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off

from __future__ import annotations

from bloompy import Bloom, bootstrap, channel, interface, loopback, periodic, rule, stdio, table


class Protocol(Bloom):
    """Requests and their answers."""

    put = channel("@server: str, client: str, number: int -> key: str, value")
    stored = channel("@client: str, server: str, number: int -> value")


class KeyValue(Protocol):
    """Keeps the last value of each key, and answers when it is safe."""

    data = table("key: str -> value", durable=True)
    copy = table("key: str -> value", durable=True)

    @rule
    def serve(self):
        self.data <+- ((p.key, p.value) for p in self.put)
        self.copy <+- ((p.key, p.value) for p in self.put)
        self.stored <~ ((p.client, p.server, p.number, p.value) for p in self.put)


class Stages(Protocol):
    """Serves each request in four ticks, of which three change durable tables."""

    stages = table("stage: int, key: str -> value", durable=True)
    copy = table("stage: int, key: str -> value", durable=True)
    stage = loopback("no: int, client: str, server: str, number: int -> key: str, value")

    @rule
    def serve(self):
        self.stage <~ ((1, p.client, p.server, p.number, p.key, p.value) for p in self.put)
        self.stage <~ ((s.no + 1, s.client, s.server, s.number, s.key, s.value) for s in self.stage if s.no < 3)
        self.stages <+- ((s.no, s.key, s.value) for s in self.stage)
        self.copy <+- ((s.no, s.key, s.value) for s in self.stage)
        self.stored <~ ((s.client, s.server, s.number, s.value) for s in self.stage if s.no == 3)


class Inverse(Bloom):
    """Divides: a zero makes its tick fail."""

    ask = interface.input("number: int -> divisor: int")
    request = channel("@server: str, client: str, number: int -> divisor: int")
    answer = interface.output("number: int -> quotient")
    reply = channel("@client: str, number: int -> quotient")
    seen = table("number: int")

    @rule
    def divide(self):
        self.answer <= ((a.number, 100 // a.divisor) for a in self.ask)
        self.reply <~ ((r.client, r.number, 100 // r.divisor) for r in self.request)
        self.seen <= ((r.number,) for r in self.request)
        self.seen <= ((a.number,) for a in self.ask)


class Beat(Bloom):
    """Counts its beats."""

    beat = periodic(10.0)
    beats = table("no: int -> time: float")

    @rule
    def count(self):
        self.beats <= ((b.no, b.time) for b in self.beat)


class Ledger(Protocol):
    """Notes every request in a delayed table, and those of key "prompt" in a durable one as well; answers at once."""

    noted = table("number: int -> value", durable="delayed")
    kept = table("number: int -> value", durable=True)

    @rule
    def serve(self):
        self.noted <+- ((p.number, p.value) for p in self.put)
        self.kept <+- ((p.number, p.value) for p in self.put if p.key == "prompt")
        self.stored <~ ((p.client, p.server, p.number, p.value) for p in self.put)


class Counter(Bloom):
    """Never idle: counts in a delayed table, and keeps and prints every seventh number."""

    count = table("-> n: int", durable="delayed")
    seventh = table("-> n: int", durable=True)
    out = stdio()

    @bootstrap
    def begin(self):
        self.count <+ ((0,) for _ in [0] if not any(True for c in self.count))

    @rule
    def go_on(self):
        self.count <+- ((c.n + 1,) for c in self.count)
        self.seventh <+- ((c.n + 1,) for c in self.count if (c.n + 1) % 7 == 0)
        self.out <~ ((str(c.n),) for c in self.count if c.n and c.n % 7 == 0)
