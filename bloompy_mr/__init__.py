"""MapReduce whose scheduler is rules (BOOM-MR, EuroSys 2010 §3.3; MapReduce, OSDI 2004).

A `JobTracker` is a Bloom program: jobs, tasks, attempts and trackers are relations, the FCFS policy and LATE
speculation are rules. `TaskTracker`s run map, combine and reduce functions in worker processes of their own.

    from bloompy_mr import Job, LocalCluster

    def words(offset, line):
        for word in line.split():
            yield word, 1

    def add(word, counts):
        yield word, sum(counts)

    with LocalCluster() as cluster:
        cluster.client.run(Job(map=words, combine=add, reduce=add), "books/*.txt", "counts")

Rules: `messages` and `relations` (what is said and known), `jobs`, `attempts`, `trackers`, `fcfs`, `speculation.late`, together
the `jobtracker`; `slots`, the TaskTracker's. Imperative: `pool` and `worker` (processes), `shuffle` (data port), `tasktracker`,
`client`, `cluster`, `commands`. A JobTracker keeps its jobs in memory: a restarted one knows none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bloompy_mr.counters import count
from bloompy_mr.job import Job

if TYPE_CHECKING:
    from bloompy_mr.client import Client, JobStatus
    from bloompy_mr.cluster import LocalCluster
    from bloompy_mr.jobtracker import JobTracker
    from bloompy_mr.tasktracker import TaskTracker

__all__ = ["Client", "Job", "JobStatus", "JobTracker", "LocalCluster", "TaskTracker", "count"]

# Worker processes import this package for user code; what they do not need is imported only when it is asked for.
_HOMES = {
    "Client": "bloompy_mr.client",
    "JobStatus": "bloompy_mr.client",
    "JobTracker": "bloompy_mr.jobtracker",
    "LocalCluster": "bloompy_mr.cluster",
    "TaskTracker": "bloompy_mr.tasktracker",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
