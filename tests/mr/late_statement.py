"""LATE as plain Python (OSDI'08 §4; spec B.3): what the rules of `bloompy_mr.speculation.late` must choose, tick for tick.

Reads only the facts of the JobTracker (its tables), none of its views.
"""

from __future__ import annotations

import math
from typing import Any

Choice = dict[str, list[tuple[str, int, int]]]
"""Kind -> the (tracker, job, task) that LATE proposes; for each job at most one."""


def nearest_rank(values: list[float], percent: float) -> float:
    """The least value such that so many percent of all are not above it."""
    return sorted(values)[max(1, math.ceil(percent / 100 * len(values))) - 1]


def late_choices(
    jt: Any, asking: set[str], now: float, *, lag_s: float = 60.0, slow_start: float = 0.05, count_finished: bool = False
) -> Choice:
    """What LATE proposes in a tick in which these trackers send a heartbeat."""
    ended = {(e.jobid, e.taskid, e.n): e.state for e in jt.ended}
    attempts = {(a.jobid, a.taskid, a.n): a for a in jt.attempt}
    progress = {(p.jobid, p.taskid, p.n): p.progress for p in jt.progress}
    jobs = {j.jobid: j for j in jt.job if j.jobid not in {o.jobid for o in jt.over}}
    trackers = {t.name: t for t in jt.tracker}
    running = {key: a for key, a in attempts.items() if key not in ended}
    succeeded = {key: a for key, a in attempts.items() if ended.get(key) == "SUCCEEDED"}
    done = {key[:2] for key in succeeded}

    choices: Choice = {}
    for kind in ("map", "reduce"):
        if any(is_waiting(jt, task, jobs, running, done, slow_start) for task in jt.task if task.kind == kind):
            continue  # an unassigned or failed task exists
        slots = sum(t.map_slots if kind == "map" else t.reduce_slots for t in trackers.values())
        if sum(a.speculative for a in running.values() if a.kind == kind) >= max(1, int(0.1 * slots)):
            continue
        for tracker in sorted(asking & trackers.keys()):
            own = trackers[tracker].map_slots if kind == "map" else trackers[tracker].reduce_slots
            if sum(a.kind == kind and a.tracker == tracker for a in running.values()) >= own:
                continue
            found = []
            for jobid in jobs:
                category = {key: a for key, a in running.items() if key[0] == jobid and a.kind == kind}
                rates = {key: progress.get(key, 0.0) / (now - a.start) for key, a in category.items() if now - a.start >= lag_s}
                if not rates:
                    continue
                scores: dict[str, list[float]] = {
                    a.tracker: [] for key, a in attempts.items() if key[0] == jobid and a.kind == kind and a.tracker in trackers
                }
                for key, a in category.items():
                    scores.get(a.tracker, []).append(progress.get(key, 0.0))
                for key, a in succeeded.items():
                    if key[0] == jobid and a.kind == kind:
                        scores.get(a.tracker, []).append(1.0)
                sums = {name: math.fsum(parts) for name, parts in scores.items()}
                if not sums or sums.get(tracker, 0.0) < nearest_rank(list(sums.values()), 25):
                    continue
                sample = list(rates.values())
                if count_finished:
                    finish = {(e.jobid, e.taskid, e.n): e.finish for e in jt.ended}
                    own_kind = [(key, a) for key, a in succeeded.items() if key[0] == jobid and a.kind == kind]
                    sample += [1 / max(finish[key] - a.start, 1e-6) for key, a in own_kind]
                slow_task = nearest_rank(sample, 25)
                eligible = {}
                for key, rate in rates.items():
                    a = category[key]
                    speculated = any(other[:2] == key[:2] and b.speculative for other, b in category.items())
                    if not a.speculative and not speculated and a.tracker != tracker and rate < slow_task:
                        eligible[key[1]] = (1 - progress.get(key, 0.0)) / rate if rate > 0 else math.inf
                if eligible:
                    longest = max(eligible.values())
                    found.append((tracker, jobid, min(task for task, left in eligible.items() if left == longest)))
            if found:
                choices[kind] = found
                break
    return choices


def is_waiting(jt: Any, task: Any, jobs: dict[int, Any], running: dict[Any, Any], done: set[Any], slow_start: float) -> bool:
    """Whether a task could be run now and is not."""
    if task.jobid not in jobs or (task.jobid, task.taskid) in done or any(key[:2] == (task.jobid, task.taskid) for key in running):
        return False
    job = jobs[task.jobid]
    maps_done = sum(1 for jobid, taskid in done if jobid == task.jobid and taskid < job.maps)
    return task.kind == "map" or maps_done >= slow_start * job.maps
