"""The JobTracker, put together from its rule files."""

from __future__ import annotations

from bloompy_mr.attempts import Attempts
from bloompy_mr.fcfs import Fcfs
from bloompy_mr.jobs import Jobs
from bloompy_mr.speculation.late import Late
from bloompy_mr.trackers import Trackers


class FcfsJobTracker(Jobs, Attempts, Trackers, Fcfs):
    """A JobTracker that serves first come, first served, and runs no task twice unless it must."""


class JobTracker(FcfsJobTracker, Late):
    """The JobTracker: FCFS, and LATE on top of it.

    Args:
        secret: the cluster's secret, with which jobs must be signed.
        first_job: numbers of jobs begin after it; differs between starts of a JobTracker that trackers outlive.
        max_attempts: a job fails when one of its tasks has failed so often.
        expiry_s, check_s: a tracker silent for so long is lost; how often that is checked. Seconds.
        retire_s, keep_jobs: tasks and attempts of a job are forgotten so many seconds after its end; its name and end
            when so many younger jobs have come.
        slow_start: part of the maps that is done before reduces start.
        speculative_lag_s, slow_task_percentile, slow_node_percentile, speculative_cap: LATE's parameters; an attempt is
            not judged before it has run for the lag (seconds), the cap is a part of all slots of a kind.
        count_finished: whether rates of succeeded attempts take part in LATE's threshold for slow tasks; the paper's do not.
    """
