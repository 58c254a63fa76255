"""What happens in the demo, step by step."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from bloompy.tools.demo.cluster import DATANODES, TASKTRACKERS, Cluster
from bloompy.tools.demo.screen import Screen
from bloompy.tools.demo.text import counts_in, difference, plain_count, stored_names

REPLICATION = 2
CHUNK_BYTES = 256 * 1024
KILL_AT = 1 / 3
"""The part of the maps that is done when the DataNode is killed."""
LEADER_KILL_AT = 1 / 2
"""The part of the files that is copied when the leading NameNode is killed."""
WAIT_S = 30.0
_POLL_S = 0.1
_WRITERS = 4


class Story:
    """One run of the demo on a running cluster.

    Args:
        cluster: where.
        given: the files that the user named; none: the standard library.
        files: what is counted.
        screen: where it is told.
        replicated: whether the NameNode is several that are one, and the leader is killed, too.
    """

    def __init__(
        self, cluster: Cluster, given: Sequence[Path], files: Sequence[Path], screen: Screen, replicated: bool = False
    ) -> None:
        self.cluster, self.screen, self.replicated = cluster, screen, replicated
        self.names = stored_names(files)
        self.what = "named by you" if given else f"of the standard library of Python {platform.python_version()}"
        self.killed_at: float | None = None

    def tell(self) -> None:
        """Run it all. Raises click.ClickException when something is not as it should be."""
        fs, mr = import_module("bloompy_fs"), import_module("bloompy_mr")
        options = {"chunk_size": CHUNK_BYTES, "replication": REPLICATION, "timeout_s": WAIT_S}
        with (
            fs.Client(self.cluster.namenode, self.cluster.secret, **options) as self.fs,
            mr.Client(self.cluster.jobtracker, secret=self.cluster.secret.encode()) as self.mr,
        ):
            self.await_servers()
            self.put()
            jobid = self.count()
            self.show_who(jobid)
            self.await_replication()
            self.compare()

    # -- steps

    def await_servers(self) -> None:
        """Wait until all trackers and DataNodes have reported."""
        deadline = time.monotonic() + WAIT_S
        while len(self.mr.trackers()) < TASKTRACKERS or len(self.fs.datanodes()) < DATANODES:
            self.pause(deadline, "not all servers reported to their masters")

    def put(self) -> None:
        """Copy the files into the file system, a few at once."""
        size = sum(path.stat().st_size for path in self.names.values())
        started, done = time.monotonic(), 0
        self.fs.mkdir("/input")
        with ThreadPoolExecutor(_WRITERS) as writers:
            for _ in writers.map(lambda name: self.fs.put(str(self.names[name]), f"/input/{name}"), self.names):
                done += 1
                self.screen.moving("put", f"{done}/{len(self.names)} files")
                if self.replicated and done == int(LEADER_KILL_AT * len(self.names)) + 1:
                    self.kill_leader(f" after {done} of {len(self.names)} files")
        held = self.replicas()
        text = f"{len(self.names)} files {self.what}, {size / 1e6:.1f} MB: {len(held)} chunks, {REPLICATION} replicas of each"
        self.screen.done("put", f"{text}, {time.monotonic() - started:.1f} s")
        self.show_replicas(held)

    def count(self) -> int:
        """Run wordcount over the input; kill servers while it runs. Returns the number of the job."""
        started = time.monotonic()
        job = import_module("bloompy_mr.ready.wordcount").make()
        root = f"fs://{self.cluster.namenode}"
        jobid = self.mr.submit(job, f"{root}/input/*", f"{root}/counts")  # a directory would leave out names that begin with "_"
        status = self.mr.wait(jobid, self.watch)
        if self.killed_at is None:
            self.kill()
        text = f"{status.maps} maps and {status.reduces} reduces of wordcount, {time.monotonic() - started:.1f} s"
        self.screen.done("job", text)
        return int(jobid)

    def watch(self, status: Any) -> None:
        """Show how the job stands; kill when it is in the middle."""
        self.cluster.check()
        self.screen.moving("job", f"map {status.maps_done}/{status.maps}  reduce {status.reduces_done}/{status.reduces}")
        if self.killed_at is None and status.maps_done >= KILL_AT * status.maps:
            when = f" after {status.maps_done} of {status.maps} maps"
            self.kill(when)
            if self.replicated:
                self.kill_leader(when)

    def kill(self, when: str = "") -> None:
        """Kill the DataNode that holds most."""
        held = self.replicas()
        host, chunks = Counter(host for hosts in held.values() for host in hosts).most_common(1)[0]
        how = self.cluster.kill_datanode(host)
        self.killed_at = time.monotonic()
        self.screen.done("kill", f"{how}{when}: {chunks} of {len(held)} chunks lose a replica")

    def kill_leader(self, when: str) -> None:
        """Kill the NameNode that leads, say how long it took until another one did a write, and start it again."""
        leader = import_module("bloompy_fs.metadata").leader_of(self.cluster.namenode.split(","), self.cluster.secret.encode())
        started = time.monotonic()
        how = self.cluster.kill_namenode(leader)
        self.fs.mkdir("/after")
        paused_s = time.monotonic() - started
        self.fs.rm("/after")
        self.screen.done("kill", f"{how}{when}: another one leads, and writes were held up for {paused_s:.2f} s")
        self.cluster.start_namenode(leader)

    def show_who(self, jobid: int) -> None:
        """Who ran what, and what had to run again."""
        attempts = self.mr.attempts(jobid)
        hosts = {tracker.name: tracker.host for tracker in self.mr.trackers()}
        for name in sorted({attempt.tracker for attempt in attempts}, key=lambda name: (hosts.get(name, ""), name)):
            own = Counter(attempt.kind.lower() for attempt in attempts if attempt.tracker == name and attempt.state == "SUCCEEDED")
            work = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(own.items()))
            self.screen.done("who", f"TaskTracker of {hosts.get(name, '?')} ({name}): {work or 'nothing'}")
        others = Counter(attempt.state.lower() for attempt in attempts if attempt.state != "SUCCEEDED")
        if others:
            self.screen.done("", "other attempts: " + ", ".join(f"{count} {state}" for state, count in sorted(others.items())))

    def await_replication(self) -> None:
        """Wait until every chunk of the input has its replicas again, all on DataNodes that live."""
        assert self.killed_at is not None
        deadline = time.monotonic() + WAIT_S
        while True:
            held = self.replicas()
            short = sum(len(hosts) < REPLICATION for hosts in held.values())
            if not short and len(self.fs.datanodes()) < DATANODES:
                break
            self.screen.moving("repair", f"{short} of {len(held)} chunks have too few replicas")
            self.pause(deadline, f"replication was not restored: {short} of {len(held)} chunks have too few replicas")
        after = time.monotonic() - self.killed_at
        self.screen.done("repair", f"every chunk has {REPLICATION} replicas again, {after:.1f} s after the kill")
        self.show_replicas(held)

    def compare(self) -> None:
        """Check the job's counts against a plain count of the local files."""
        parts = [status.path for status in self.fs.ls("/counts") if status.name.startswith("part-")]
        lines = (line for path in parts for line in self.fs.read(path).decode().split("\n") if line)
        found, expected = counts_in(lines), plain_count(self.names.values())
        if wrong := difference(found, expected):
            raise click.ClickException(f"the cluster counted otherwise than collections.Counter: {wrong}")
        common = ", ".join(f"{word} {count:,}" for word, count in found.most_common(5))
        self.screen.done("check", f"{found.total():,} words, {len(found):,} different, as collections.Counter counts them: {common}, …")

    # -- parts of them

    def replicas(self) -> dict[tuple[str, int], list[str]]:
        """The hosts that hold each chunk of the input, by file and number of the chunk."""
        with ThreadPoolExecutor(_WRITERS) as readers:
            found = readers.map(lambda name: self.fs.chunks(f"/input/{name}"), self.names)
            pairs = zip(self.names, found, strict=True)
            return {(name, chunk.number): [holder.host for holder in chunk.holders] for name, chunks in pairs for chunk in chunks}

    def show_replicas(self, held: dict[tuple[str, int], list[str]]) -> None:
        """How many replicas each DataNode holds."""
        counts = Counter(host for hosts in held.values() for host in hosts)
        self.screen.done("", "replicas: " + ", ".join(f"{host} {counts[host]}" for host in sorted(counts)))

    def pause(self, deadline: float, late: str) -> None:
        """Wait a moment. Raises click.ClickException when it is late or a server has died."""
        self.cluster.check()
        if time.monotonic() > deadline:
            raise click.ClickException(f"{late} within {WAIT_S:g} s")
        time.sleep(_POLL_S)
