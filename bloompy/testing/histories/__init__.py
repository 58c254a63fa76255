"""Histories of operations, and what they must be: linearizable, serializable, without loss.

    from bloompy.testing.histories import Recorder, linearizable, models

    recorder = Recorder()
    with recorder.operation("c1", "put", ("x", 1)) as operation:
        …
        operation.ok()
    assert linearizable(recorder.history(), models.key_value())
"""

from bloompy.testing.histories import models
from bloompy.testing.histories.history import History
from bloompy.testing.histories.linearizability import Linearizability, linearizable
from bloompy.testing.histories.models import INCONSISTENT, Model
from bloompy.testing.histories.operation import Event, HistoryError, Operation
from bloompy.testing.histories.recorder import Recorder
from bloompy.testing.histories.result import HistoryViolation, Result, Violation
from bloompy.testing.histories.sequential import SequentialConsistency, sequentially_consistent
from bloompy.testing.histories.timeline import Timeline

__all__ = [
    "INCONSISTENT",
    "Event",
    "History",
    "HistoryError",
    "HistoryViolation",
    "Linearizability",
    "Model",
    "Operation",
    "Recorder",
    "Result",
    "SequentialConsistency",
    "Timeline",
    "Violation",
    "linearizable",
    "models",
    "sequentially_consistent",
]
