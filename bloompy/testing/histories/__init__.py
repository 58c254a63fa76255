"""Histories of operations, and what they must be: linearizable, serializable, without loss.

from bloompy.testing.histories import Recorder, linearizable, models

recorder = Recorder()
with recorder.operation("c1", "put", ("x", 1)) as operation:
    …
    operation.ok()
assert linearizable(recorder.history(), models.key_value())
"""

from bloompy.errors import HistoryError
from bloompy.testing.histories import models
from bloompy.testing.histories.banks import check_bank
from bloompy.testing.histories.broadcasts import check_broadcast
from bloompy.testing.histories.counters import check_counter
from bloompy.testing.histories.forks import check_long_fork
from bloompy.testing.histories.history import History
from bloompy.testing.histories.linearizability import Linearizability, linearizable
from bloompy.testing.histories.models import INCONSISTENT, Model
from bloompy.testing.histories.operation import Event, Operation
from bloompy.testing.histories.queues import check_queue
from bloompy.testing.histories.recorder import Recorder
from bloompy.testing.histories.result import HistoryViolation, Result, Violation
from bloompy.testing.histories.sequential import SequentialConsistency, sequentially_consistent
from bloompy.testing.histories.sets import check_final_set, check_set
from bloompy.testing.histories.timeline import Timeline
from bloompy.testing.histories.transactions import LEVELS, Isolation, isolated
from bloompy.testing.histories.unique_ids import check_unique_ids

__all__ = [
    "INCONSISTENT",
    "LEVELS",
    "Event",
    "History",
    "HistoryError",
    "HistoryViolation",
    "Isolation",
    "Linearizability",
    "Model",
    "Operation",
    "Recorder",
    "Result",
    "SequentialConsistency",
    "Timeline",
    "Violation",
    "check_bank",
    "check_broadcast",
    "check_counter",
    "check_final_set",
    "check_long_fork",
    "check_queue",
    "check_set",
    "check_unique_ids",
    "isolated",
    "linearizable",
    "models",
    "sequentially_consistent",
]
