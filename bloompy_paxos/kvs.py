# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""The key-value store of the standard library, replicated."""

from typing import Any

from bloompy import module, rule
from bloompy.std.kvs import KeyValueStore
from bloompy_paxos.state import ReplicatedState


class ReplicatedKeyValueStore(ReplicatedState, state=("kvs",)):
    """Commands: ("put", key, value), ("delete", key). Reads: ("get", key), which results in the value, or None."""

    kvs = module(KeyValueStore)

    def fits(self, kind: str, command: Any) -> bool:
        """Whether a request is one of those above."""
        if kind == "member":
            return ReplicatedState.fits(self, kind, command)
        operations = {"put": 3, "delete": 2} if kind == "write" else {"get": 2} if kind in ("read", "stale") else {}
        return isinstance(command, tuple) and len(command) > 1 and operations.get(command[0]) == len(command)

    @rule
    def through_the_log(self) -> None:
        self.kvs.put <= ((c.request, c.command[1], c.command[2]) for c in self.command if c.command[0] == "put")
        self.kvs.delete <= ((c.request, c.command[1]) for c in self.command if c.command[0] == "delete")
        self.kvs.get <= ((q.request, q.command[1]) for q in self.query if q.command[0] == "get")
        self.result <= ((r.request, r.value) for r in self.kvs.response)
