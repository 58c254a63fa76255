"""Relations that only rows of this tick fill, without recursion: each rule once, and nothing is kept."""

from __future__ import annotations

from bloompy.engine.counting import Touch
from bloompy.engine.relation import Relation
from bloompy.engine.runner import Runner
from bloompy.engine.tick import PlainRow


class Passing:
    """A transient relation without recursion, filled anew in each tick.

    Args:
        head: the relation.
        runners: its rules.
        touch: as of `Counting`.
    """

    def __init__(self, head: Relation, runners: list[Runner], touch: Touch) -> None:
        self.head, self.runners, self.touch = head, runners, touch

    def update(self, first: bool) -> None:
        """Fill it."""
        head = self.head
        new: list[PlainRow] = []
        try:
            for runner in self.runners:
                for relation in runner.required:
                    if not relation.rows:
                        break
                else:
                    function = runner.functions.get(None)
                    if function is None:
                        runner.put(None, (), head.rows, new, [])
                        continue
                    try:  # as `put` does, without the call
                        function((), head.rows, new, [])
                    except Exception as error:
                        runner.annotate(error)
                        raise
        finally:
            if new:
                self.touch(head)
                if head.indexes or head.inserted:
                    head.added(new)
                else:
                    head.inserted = new
