"""What is asked of a model: of every state, of some state, of the ends, of what must come in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from attrs import frozen

from bloompy.sim.exploring.view import View

Predicate: TypeAlias = Callable[[View], Any]
"""Of a state; whether something holds."""

PropertyKind: TypeAlias = Literal["always", "sometimes", "at_end", "leads_to"]


@frozen
class Property:
    """One property of a model.

    Attributes:
        kind: "always": holds in every state; "sometimes": in at least one; "at_end": in every state that only a fault leads away from;
            "leads_to": after a state in which `cause` holds there comes, on every fair run, one in which `holds` does.
        name: shown where it fails.
        reads: the collections that it looks at; None: it may look at all.
    """

    kind: PropertyKind
    name: str
    holds: Predicate
    cause: Predicate | None = None
    reads: frozenset[str] | None = None


def beginning(view: object) -> bool:
    """The cause of what must come in any case: that the run has begun. It holds in the first state only."""
    return True
