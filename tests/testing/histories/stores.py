"""Replicated key-value stores: one that is right, and two that are not."""
# ruff: noqa: B015
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off

from __future__ import annotations

from bloompy import Bloom, channel, param, rule, table


class Protocol(Bloom):
    """Requests and their replies."""

    put = channel("@server: str, client: str, number: int -> key: str, value: int")
    stored = channel("@client: str, server: str, number: int")
    get = channel("@server: str, client: str, number: int -> key: str")
    found = channel("@client: str, server: str, number: int -> value: int | None")


class Store(Protocol):
    """Keeps the last value of each key, does each put once, and sends it on to a replica."""

    replica = param("")
    data = table("key: str -> value: int | None", durable=True)
    done = table("client: str, number: int", durable=True)
    copy = channel("@node: str, number: int -> key: str, value: int")

    @rule
    def serve(self):
        self.data <+- ((p.key, p.value) for p in self.put if (p.client, p.number) not in self.done)
        self.done <+ ((p.client, p.number) for p in self.put)
        self.stored <~ ((p.client, p.server, p.number) for p in self.put)
        self.found <~ ((g.client, g.server, g.number, self.data.get(g.key, (g.key, None)).value) for g in self.get)

    @rule
    def replicate(self):
        self.copy <~ ((self.replica, p.number, p.key, p.value) for p in self.put if self.replica != "")
        self.data <+- ((c.key, c.value) for c in self.copy)


class Forgetful(Store):
    """Does a put again when its message comes again."""

    @rule
    def serve(self):
        self.data <+- ((p.key, p.value) for p in self.put)
        self.stored <~ ((p.client, p.server, p.number) for p in self.put)
        self.found <~ ((g.client, g.server, g.number, self.data.get(g.key, (g.key, None)).value) for g in self.get)
