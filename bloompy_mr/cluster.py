"""A whole cluster on this machine, for the command line, notebooks and tests. Plain Python."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from bloompy.runtime.node import Node
from bloompy_mr.client import Client
from bloompy_mr.errors import ClusterError
from bloompy_mr.jobtracker import JobTracker
from bloompy_mr.tasktracker import TaskTracker


class LocalCluster:
    """A JobTracker and TaskTrackers in threads of this process, on loopback; tasks run in processes of their own.

    Args:
        trackers: number of TaskTrackers.
        map_slots, reduce_slots: of each; by default such that all cores are used.
        heartbeat_s: seconds between heartbeats.
        secret: the cluster's secret; a new one by default.
        fs_secret: secret of the file systems; the cluster's by default, if one is given.
        parameters: params of the JobTracker.

    Attributes:
        client: a connected Client.
        trackers: the TaskTrackers.
    """

    def __init__(
        self,
        trackers: int = 1,
        *,
        map_slots: int | None = None,
        reduce_slots: int | None = None,
        heartbeat_s: float = 0.5,
        secret: bytes | None = None,
        fs_secret: bytes | None = None,
        **parameters: Any,
    ) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.count, self.heartbeat_s = trackers, heartbeat_s
        self.map_slots = map_slots if map_slots is not None else max(1, cores // trackers)
        self.reduce_slots = reduce_slots if reduce_slots is not None else max(1, cores // trackers)
        self.secret = secret or secrets.token_bytes(32)
        self.fs_secret = fs_secret if fs_secret is not None else secret or b""
        self.parameters = parameters
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.jobtracker = JobTracker(secret=self.secret, **self.parameters)
            node: Any = stack.enter_context(Node(self.jobtracker, listen="127.0.0.1:0", secret=self.secret))
            self.address = str(node.address)
            self.trackers = [
                stack.enter_context(
                    TaskTracker(
                        self.address,
                        secret=self.secret,
                        map_slots=self.map_slots,
                        reduce_slots=self.reduce_slots,
                        heartbeat_s=self.heartbeat_s,
                        fs_secret=self.fs_secret,
                    )
                )
                for _ in range(self.count)
            ]
            self.client = stack.enter_context(Client(self.address, secret=self.secret, fs_secret=self.fs_secret))
            self._await_trackers()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def _await_trackers(self, timeout_s: float = 10.0) -> None:
        deadline = time.monotonic() + timeout_s
        while len(self.jobtracker.tracker) < self.count:
            if time.monotonic() > deadline:
                raise ClusterError(f"{len(self.jobtracker.tracker)} of {self.count} TaskTrackers registered within {timeout_s:g} s")
            time.sleep(0.01)
