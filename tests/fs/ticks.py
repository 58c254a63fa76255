"""Stepping a NameNode by hand."""

from __future__ import annotations

from typing import Any

from bloompy import invariant
from bloompy_fs.namenode import NameNode


class Watched(NameNode):
    """The NameNode with what must always hold of it."""

    @invariant
    def every_attempt_has_a_verdict(self):
        (a for a in self.attempt if (a.session, a.reqid) not in self.verdict)

    @invariant
    def a_path_names_one_inode_and_an_inode_has_one_path(self):
        (b for b in self.by_id if not any(p for p in self.fqpath if p.fid == b.fid))
        (b for b in self.by_id if b.parent not in self.by_id and b.parent != -1)

    @invariant
    def chunks_belong_to_files(self):
        (c for c in self.fchunk if c.fid not in self.by_id)
        (c for c in self.fchunk if any(b for b in self.by_id if b.fid == c.fid and b.is_dir))


class Stepped:
    """A NameNode, its clock, and the requests of some clients.

    Args:
        datanodes: DataNodes that have joined, named "d0", "d1", ….
    """

    def __init__(self, datanodes: int = 0, **options: Any) -> None:
        self.namenode = Watched("nn", **options)
        self.now = 1_000.0
        self.responses: list[tuple[Any, ...]] = []
        self.commands: list[tuple[Any, ...]] = []
        self.acks: list[tuple[Any, ...]] = []
        self.numbers: dict[str, int] = {}
        self.beats = 0
        self.tick()
        self.tick()
        for i in range(datanodes):
            self.beat(f"d{i}")
        self.settle()

    def tick(self, seconds: float = 0.0) -> Any:
        """One tick, so many seconds after the last."""
        self.now += seconds
        done = self.namenode.tick(self.now)
        self.responses += done.sent.get("response", ())
        self.commands += done.sent.get("command", ())
        self.acks += done.sent.get("report_ack", ())
        return done

    def settle(self) -> None:
        """Ticks until nothing moves any more."""
        self.tick()
        self.tick()
        while len(self.namenode.waiting):
            self.tick()
        self.tick()

    def beat(self, node: str, incarnation: int = 1, free: int = 10**9) -> None:
        """Stage a heartbeat; the node is on a machine of its own name."""
        self.beats += 1
        address = f"{node}:1"
        ballot = max((row.ballot for row in self.namenode.leads), default=())
        self.namenode.heartbeat.insert(("nn", node, incarnation, self.beats, address, f"{node}:2", node, "", free, 0, ballot))

    def report(self, node: str, chunk: int, length: int, state: str = "ok", incarnation: int = 1) -> None:
        """Stage a report under the present registration."""
        self.beats += 1
        row = self.namenode.datanode.get(node)
        registration = row.registration if row else "none"
        self.namenode.report.insert(("nn", node, incarnation, self.beats, chunk, f"{node}:1", registration, length, state))

    def send(self, session: str, op: str, path: str, *args: Any, reqid: int = 0, acked: int = 1) -> int:
        """Stage a request, by default a new one; returns its number."""
        if not reqid:
            reqid = self.numbers[session] = self.numbers.get(session, 0) + 1
        self.namenode.request.insert(("nn", f"{session}:1", session, reqid, acked, op, path, args))
        return reqid

    def answers(self) -> dict[tuple[str, int], tuple[str, Any]]:
        """Code and result by session and number; asserts that equal requests had equal answers."""
        found: dict[tuple[str, int], tuple[str, Any]] = {}
        for _, _, session, reqid, code, result in self.responses:
            assert found.setdefault((session, reqid), (code, result)) == (code, result)
        return found

    def ask(self, op: str, path: str, *args: Any, session: str = "s") -> Any:
        """One request, to its answer; raises AssertionError for an error."""
        code, result = self.outcome(op, path, *args, session=session)
        assert code == "", code
        return result

    def outcome(self, op: str, path: str, *args: Any, session: str = "s") -> tuple[str, Any]:
        """Code and result of one request."""
        reqid = self.send(session, op, path, *args)
        self.settle()
        return self.answers()[session, reqid]

    def tree(self) -> dict[str, Any]:
        """Every path with what the tables say of it, as `Model.tree`."""
        inodes = {row.fid: row for row in self.namenode.inode}
        chunks: dict[int, list[tuple[int, int]]] = {}
        for row in sorted(self.namenode.fchunk):
            chunks.setdefault(row.fid, []).append((row.chunk, row.length))
        return {
            row.path: (row.is_dir, inodes[row.fid].replication if row.fid else 0, tuple(chunks.get(row.fid, ())))
            for row in self.namenode.fqpath
        }
