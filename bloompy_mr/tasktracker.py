"""A TaskTracker: its rules on a node, its worker processes, its data port. Plain Python around the rules of `slots`."""

from __future__ import annotations

import secrets
import shutil
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bloompy.runtime.node import Node
from bloompy.transports.addresses import split_address
from bloompy_mr.addresses import listen_towards
from bloompy_mr.pool import Limits, Pool
from bloompy_mr.shuffle import ShuffleServer
from bloompy_mr.slots import Slots


class TaskTracker:
    """Runs tasks for a JobTracker; use it in a `with`.

    Args:
        jobtracker: the JobTracker's address.
        secret: the cluster's secret.
        listen: address to listen at, whose host is also that of the data port; by default as for a `Client`.
        host: name of the machine for locality; as DataNodes name it; by default its host name.
        directory: work directory; by default a temporary one, removed at the end.
        map_slots, reduce_slots: tasks of each kind that run at once.
        heartbeat_s: seconds between heartbeats.
        limits: what a worker process may take.
        fs_secret: secret of the file systems; the cluster's own by default.
    """

    def __init__(
        self,
        jobtracker: str,
        *,
        secret: bytes,
        listen: str | None = None,
        host: str | None = None,
        directory: str | Path | None = None,
        map_slots: int = 2,
        reduce_slots: int = 2,
        heartbeat_s: float = 1.0,
        limits: Limits | None = None,
        fs_secret: bytes | None = None,
    ) -> None:
        self.jobtracker, self.secret = jobtracker, secret
        self.listen = listen or listen_towards(jobtracker)
        self.fs_secret = secret if fs_secret is None else fs_secret
        self.host = host or socket.gethostname()
        self.directory = Path(directory).resolve() if directory is not None else None
        self.map_slots, self.reduce_slots, self.heartbeat_s = map_slots, reduce_slots, heartbeat_s
        self.limits = limits or Limits(idle_workers=map_slots + reduce_slots)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            directory = self.directory or self._temporary(stack)
            shuffle = ShuffleServer(directory, self.secret, split_address(self.listen)[0])
            stack.callback(shuffle.close)
            self.program = Slots(
                jobtracker=self.jobtracker,
                incarnation=secrets.token_hex(8),
                host=self.host,
                data_address=shuffle.address,
                map_slots=self.map_slots,
                reduce_slots=self.reduce_slots,
                heartbeat_s=self.heartbeat_s,
            )
            self.pool = Pool(directory, self.secret, shuffle.address, self._say, self._miss, self.limits, self.fs_secret)
            stack.callback(self.pool.close)
            self._connect()
            self.node = stack.enter_context(Node(self.program, listen=self.listen, secret=self.secret))
            self.program.register.insert((-1,))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def address(self) -> str:
        """host:port of the node."""
        return str(self.node.address)

    def _temporary(self, stack: ExitStack) -> Path:
        made = Path(tempfile.mkdtemp(prefix="bloompy-tracker-"))
        stack.callback(shutil.rmtree, made, ignore_errors=True)
        return made

    def _connect(self) -> None:
        """What the rules decide, the pool does."""
        program, pool = self.program, self.pool
        program.start.on_insert(pool.start)
        program.feed.on_insert(pool.feed)
        program.commit.on_insert(pool.commit)
        program.release.on_insert(pool.release)
        program.forget_job.on_insert(pool.forget)

    def _say(self, *row: object) -> None:
        self.program.says.insert(row)

    def _miss(self, *row: object) -> None:
        self.program.misses.insert(row)
