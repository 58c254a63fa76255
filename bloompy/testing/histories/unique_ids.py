"""Identifiers: none is given out twice. Operation: `generate`, which returns one."""

from __future__ import annotations

from typing import Any

from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Operation, literal
from bloompy.testing.histories.result import Result, Violation, judged


def check_unique_ids(history: History, *, function: str = "generate", increasing: bool = False) -> Result:
    """Check that no identifier was returned twice.

    Kinds of violations: "duplicated", "not increasing".

    Args:
        history: of operations that return identifiers.
        function: their name.
        increasing: whether an identifier must be greater than all whose operation was over before its own began.
    """
    given = [each for each in history if each.function == function and each.ok]
    by_id: dict[Any, list[Operation]] = {}
    for each in given:
        by_id.setdefault(each.result, []).append(each)
    violations = [
        Violation(
            "duplicated",
            f"{literal(identifier)} was given {len(to)} times: to {', '.join(str(each.process) for each in to[:5])}",
            tuple(to),
        )
        for identifier, to in by_id.items()
        if len(to) > 1
    ]
    if increasing:
        violations += _not_increasing(given)
    return judged("unique", violations, history, {"identifiers": len(given)})


def _not_increasing(given: list[Operation]) -> list[Violation]:
    over = sorted(given, key=lambda each: each.completed or 0)
    greatest: Operation | None = None
    passed, violations = 0, []
    for each in given:
        while passed < len(over) and over[passed].precedes(each):
            if greatest is None or over[passed].result > greatest.result:
                greatest = over[passed]
            passed += 1
        if greatest is not None and not each.result > greatest.result:
            violations.append(Violation("not increasing", f"{greatest}, and later {each}", (greatest, each)))
    return violations
