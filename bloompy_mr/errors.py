"""What goes wrong with a job, one exception per cause."""

from __future__ import annotations

from bloompy.errors import BloomError


class JobError(BloomError):
    """A job that cannot be submitted as it is: a function missing, no input, an output that exists."""

    code = "BMR101"


class JobFailed(BloomError):
    """A job that ended without its result.

    Attributes:
        jobid: its number at the JobTracker.
        status: FAILED or KILLED.
    """

    code = "BMR102"

    def __init__(self, message: str, *, jobid: int, status: str) -> None:
        self.jobid, self.status = jobid, status
        super().__init__(message)


class SignatureRefused(BloomError):
    """A job file that nobody with the cluster's secret has signed; it is never loaded."""

    code = "BMR103"


class DataError(BloomError):
    """A key or value that cannot be stored, hashed or ordered, or a run file that is damaged."""

    code = "BMR104"


class FetchFailed(BloomError):
    """Map output that its tracker could not serve."""

    code = "BMR105"


class UnknownJob(BloomError):
    """A job number that the JobTracker does not know (any more)."""

    code = "BMR106"


class ClusterError(BloomError):
    """A cluster that does not start or does not answer."""

    code = "BMR107"
