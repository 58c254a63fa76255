"""A component that columns can evaluate, as the engine sees it. Nothing here needs numpy before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bloompy.engine.columnar.compile import Compiled, compiled, literal_value
from bloompy.engine.columnar.refusal import Refused
from bloompy.engine.lower import Declared, Derivation
from bloompy.engine.plan import Layout
from bloompy.engine.tick import Environment

if TYPE_CHECKING:
    from bloompy.engine.columnar.codes import Codes
    from bloompy.engine.columnar.columns import Columns
    from bloompy.engine.columnar.spaces import Source


@lru_cache(maxsize=1)
def available() -> bool:
    """Whether numpy is there (the extra `bloompy[fast]`); finds out without importing it."""
    return find_spec("numpy") is not None


class Bulk:
    """Derivations that can be evaluated on columns.

    Attributes:
        reason: why they cannot, or why the last evaluation could not; "" else.
        done: what the last evaluation took, in words.
        rounds: how many rounds it had.
    """

    def __init__(self, plans: Compiled | None, environment: Environment, reason: str = "") -> None:
        self._compiled, self._environment = plans, environment
        self.reason, self.done, self.rounds = reason, "", 0

    @property
    def possible(self) -> bool:
        """Whether the expressions of the rules allow it, and numpy is there."""
        return self._compiled is not None and available()

    @property
    def inputs(self) -> Sequence[str]:
        """The relations that are read, without those that are filled."""
        return list(self._compiled.inputs) if self._compiled is not None else []

    def full(self, sources: Mapping[str, Source], codes: Codes) -> dict[str, Columns] | None:
        """Evaluate from scratch.

        Args:
            sources: rows of all inputs; of the relations that are filled those that they hold anyway (tables).
            codes: of the instance.

        Returns:
            by relation the rows found that were not there (of relations that merge, all rows); None where generated Python has
            to do it.
        """
        from bloompy.engine.columnar.fixpoint import Fixpoint

        assert self._compiled is not None
        try:
            fixpoint = Fixpoint(self._compiled, sources, codes, partial(literal_value, environment=self._environment))
            fixpoint.full()
            found = fixpoint.new_rows()
        except Refused as error:
            self.reason = str(error)
            return None
        self.reason = ""
        self.rounds = fixpoint.effort.rounds
        self.done = f"{self.rounds:,} rounds, {fixpoint.effort.candidates:,} candidates"
        return found


def bulk_of(
    derivations: Sequence[Derivation], declared: Mapping[str, Declared], layouts: Mapping[str, Layout], environment: Environment
) -> Bulk:
    """Compile derivations of one component for columns; cheap, and without numpy. See `Bulk.possible` and `Bulk.reason`.

    Args:
        derivations: of one component, either all standing or all transient.
        declared, layouts: of all relations, by name.
        environment: of the instance.
    """
    try:
        return Bulk(compiled(derivations, declared, layouts, environment), environment)
    except Refused as error:
        return Bulk(None, environment, str(error))
