"""Scratches that hold standing and transient rows: the standing ones are a view of their own, copied here as it changes."""

from __future__ import annotations

from bloompy.engine.counting import Conflict, Touch
from bloompy.engine.relation import Relation


class Copying:
    """The standing rows of an OVERLAY.

    Args:
        head: the overlay.
        touch, conflict: as of `Counting`.
    """

    upkeep = "standing rows are copied as they change"

    def __init__(self, head: Relation, touch: Touch, conflict: Conflict) -> None:
        self.head, self.touch, self.conflict = head, touch, conflict

    def reset(self) -> None:
        """Nothing is kept."""

    def update(self, first: bool) -> None:
        """Bring the overlay's standing rows up to date."""
        head, base = self.head, self.head.base
        assert base is not None
        if base.inserted or base.deleted:
            self.touch(head)
        for row in base.deleted:
            if head.rows.get(head.key(row)) == row:
                head.delete(row)
        for row in base.inserted:
            held = head.rows.get(head.key(row))
            if held is None:
                head.insert(row)
            elif held != row:
                raise self.conflict(head, held, row)

    def finish(self) -> None:
        """The tick is done."""

    def roll_back(self) -> None:
        """The tick has not happened."""
