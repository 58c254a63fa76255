"""Protocols that programs are made of, each a Bloom program to subclass or to hold as a `module(…)`; see `docs/std/`."""

from bloompy.std.failure_detector import AccrualFailureDetector, FailureDetector
from bloompy.std.fence import Fence
from bloompy.std.leases import LeaseHolder, LeaseServer
from bloompy.std.membership import Membership
from bloompy.std.retry import Retry
from bloompy.std.tally import MajorityTally, RatioTally, Tally, UnanimousTally
from bloompy.std.timers import Timers
from bloompy.std.two_phase_commit import Coordinator, Participant, TwoPhaseCommit
from bloompy.std.unique_ids import Snowflakes, UniqueIds
from bloompy.std.voting import Voting

__all__ = [
    "AccrualFailureDetector",
    "Coordinator",
    "FailureDetector",
    "Fence",
    "LeaseHolder",
    "LeaseServer",
    "MajorityTally",
    "Membership",
    "Participant",
    "RatioTally",
    "Retry",
    "Snowflakes",
    "Tally",
    "Timers",
    "TwoPhaseCommit",
    "UnanimousTally",
    "UniqueIds",
    "Voting",
]
