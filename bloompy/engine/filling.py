"""Whether the views of a component are filled row by row or on columns: decided each time they are computed from the beginning.

Columns (`engine.columnar`) have a cost of their own in each round, that of about 250 rows, and importing numpy costs as much as
some thousand; so few rows are left to generated functions. A recursion that begins with few may still come to many: it is looked
at after each round.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from bloompy.engine.columnar.bulk import Bulk, available, bulk_of
from bloompy.engine.loaded import Loaded, load
from bloompy.engine.lower import Declared, Derivation
from bloompy.engine.plan import Layouts
from bloompy.engine.relation import Kind, Relation
from bloompy.engine.tick import Environment

if TYPE_CHECKING:
    from bloompy.engine.columnar.codes import Codes
    from bloompy.engine.columnar.spaces import Source

LEAST = 250
"""From so many rows on columns are quicker."""
LEAST_TO_IMPORT = 2_000
"""From so many rows on it pays to import numpy as well."""
_LARGE = 4
"""A change of one in so many rows is followed by filling anew."""


def enough(rows: int) -> bool:
    """Whether so many rows pay for columns."""
    return rows >= (LEAST if "numpy" in sys.modules else LEAST_TO_IMPORT)


class Backend:
    """What all components of an instance share.

    Args:
        relations, declared, layouts: by name.
        environment: of the instance.
    """

    def __init__(
        self, relations: Mapping[str, Relation], declared: Mapping[str, Declared], layouts: Layouts, environment: Environment
    ) -> None:
        self.relations, self.declared, self.layouts, self.environment = relations, declared, layouts, environment
        self._codes: Codes | None = None

    def filling(self, derivations: Sequence[Derivation]) -> Filling | None:
        """How the views of some standing derivations may be filled; None where columns do not come into question."""
        heads = {one.head for one in derivations}
        if not heads or self.environment.debug or any(self.relations[name].kind is not Kind.STANDING for name in heads):
            return None
        return Filling(self, derivations)

    def codes(self) -> Codes:
        """The codes of the instance's values; needs numpy."""
        if self._codes is None:
            from bloompy.engine.columnar.codes import Codes

            self._codes = Codes()
        return self._codes

    def source(self, name: str) -> Source:
        """The rows of a relation for columns."""
        from bloompy.engine.columnar.columns import Encoded

        relation = self.relations[name]
        return relation.columns if isinstance(relation, Loaded) else Encoded(list(relation.rows.values()), self.codes())


class Filling:
    """The views of one component, which columns may fill.

    Attributes:
        told: what was done last, for `explain()`; "" before.
        went_well: whether columns filled the views last.
    """

    def __init__(self, backend: Backend, derivations: Sequence[Derivation]) -> None:
        self._backend, self._derivations = backend, derivations
        self._views = [backend.relations[name] for name in dict.fromkeys(one.head for one in derivations)]
        read = dict.fromkeys(reference.collection for one in derivations for reference in one.references)
        self._inputs = [backend.relations[name] for name in read if backend.relations[name] not in self._views]
        self._bulk: Bulk | None = None
        self.reset()

    def reset(self) -> None:
        """Be as at the start."""
        self._tried = self.went_well = False
        self.told = ""

    def from_inputs(self, first_rank: float | None) -> bool:
        """Fill the views, just cleared, on columns if the rows below them are many."""
        self._tried = False
        return enough(sum(relation.size for relation in self._inputs)) and self.fill(first_rank)

    def pays_anew(self, changed: int) -> bool:
        """Whether, so many rows below having changed, the views are filled anew; only where that went well before."""
        return self.went_well and enough(changed) and changed * _LARGE >= sum(relation.size for relation in self._inputs)

    def fill(self, first_rank: float | None) -> bool:
        """Fill the views, cleared in this tick, on columns. False where columns cannot: then nothing has changed, and it is not
        tried again before the views are next computed from the beginning.

        Args:
            first_rank: the rank of the rows of the first round, where the views have ranks.
        """
        if self._tried or not available():
            return False
        self._tried = True
        bulk = self._compiled()
        found = None
        if bulk.possible:
            start = perf_counter()
            sources = {name: self._backend.source(name) for name in bulk.inputs}
            found = bulk.full(sources, self._backend.codes())
        if found is None:
            self.went_well = False
            self.told = f"filled row by row, not on columns: {bulk.reason}"
            return False
        for view in self._views:
            load(view, found[view.name], first_rank)
        self.went_well = True
        self.told = f"filled on columns: {bulk.done}, {perf_counter() - start:.3g} s"
        return True

    def _compiled(self) -> Bulk:
        if self._bulk is None:
            backend = self._backend
            self._bulk = bulk_of(self._derivations, backend.declared, backend.layouts, backend.environment)
        return self._bulk

    @property
    def ability(self) -> str:
        """What was done last or, before, what can be done; in words."""
        if self.told:
            return self.told
        if not available():
            return "filled row by row: columns need numpy, the extra bloompy[fast]"
        bulk = self._compiled()
        if not bulk.possible:
            return f"filled row by row: columns cannot, {bulk.reason}"
        return f"filled on columns from {LEAST:,} rows on, from {LEAST_TO_IMPORT:,} where numpy is yet to be imported"

    @property
    def rounds(self) -> int:
        """How many rounds the last filling took."""
        return self._bulk.rounds if self._bulk is not None else 0
