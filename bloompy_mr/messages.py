# ruff: noqa: B015
# pylint: disable=pointless-statement, expression-not-assigned
# mypy: disable-error-code="operator"
# pyright: reportUnusedExpression=false, reportOperatorIssue=false
# fmt: off
"""The messages between clients, JobTracker and TaskTrackers.

An attempt is known by (jobid, taskid, n): n counts the attempts of a task from 0. Map tasks of a job have the numbers
0 … maps - 1, reduce tasks those that follow.
"""

from __future__ import annotations

from bloompy import Bloom, channel


class Messages(Bloom):
    """Channels of BOOM-MR. What may be lost is sent again: by clients on timeout, by trackers with heartbeats."""

    # clients -> JobTracker -> clients; a reply carries the key of its request
    submit = channel(
        "@jobtracker: str, client: str, reqid: int -> name: str, user: str, priority: int, maps: int, reduces: int, "
        "hosts: tuple[tuple[str, ...], ...], code: bytes, settings: bytes, signature: bytes"
    )
    submitted = channel("@client: str, jobtracker: str, reqid: int -> jobid: int, error: str")
    kill_job = channel("@jobtracker: str, client: str, reqid: int -> jobid: int")
    job_killed = channel("@client: str, jobtracker: str, reqid: int -> known: bool")
    set_priority = channel("@jobtracker: str, client: str, reqid: int -> jobid: int, priority: int")
    priority_set = channel("@client: str, jobtracker: str, reqid: int -> known: bool")
    ask_status = channel("@jobtracker: str, client: str, reqid: int -> jobid: int")
    job_status = channel(
        "@client: str, jobtracker: str, reqid: int -> jobid: int, name: str, status: str, submit: float, finish: float, error: str, "
        "maps: int, maps_done: int, map_progress: float, reduces: int, reduces_done: int, reduce_progress: float, "
        "states: tuple, counters: tuple"
    )
    ask_jobs = channel("@jobtracker: str, client: str, reqid: int")
    job_list = channel("@client: str, jobtracker: str, reqid: int -> jobs: tuple")
    ask_attempts = channel("@jobtracker: str, client: str, reqid: int -> jobid: int")
    attempt_list = channel("@client: str, jobtracker: str, reqid: int -> attempts: tuple")
    ask_trackers = channel("@jobtracker: str, client: str, reqid: int")
    tracker_list = channel("@client: str, jobtracker: str, reqid: int -> trackers: tuple")

    # TaskTrackers -> JobTracker
    heartbeat = channel(
        "@jobtracker: str, tracker: str, seq: int -> incarnation: str, host: str, data_address: str, map_slots: int, reduce_slots: int"
    )
    report = channel(
        "@jobtracker: str, tracker: str, jobid: int, taskid: int, n: int, seq: int -> "
        "state: str, phase: str, progress: float, counters: tuple, error: str"
    )
    fetch_failure = channel(
        "@jobtracker: str, tracker: str, jobid: int, taskid: int, n: int, reduce_taskid: int, reduce_n: int, seq: int"
    )
    ask_job_file = channel("@jobtracker: str, tracker: str, jobid: int")
    ask_map_outputs = channel("@jobtracker: str, tracker: str, jobid: int")

    # JobTracker -> TaskTrackers
    launch = channel("@tracker: str, jobid: int, taskid: int, n: int -> kind: str, partition: int, maps: int")
    job_file = channel("@tracker: str, jobid: int -> code: bytes, settings: bytes, signature: bytes")
    map_output = channel("@tracker: str, jobid: int, taskid: int, n: int -> data_address: str")
    commit = channel("@tracker: str, jobid: int, taskid: int, n: int")
    release = channel("@tracker: str, jobid: int, taskid: int, n: int -> state: str")
    forget_job = channel("@tracker: str, jobid: int")
