"""What a checker found: `Result`, and what is wrong in it: `Violation`."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from attrs import field, frozen

from bloompy.testing.histories.history import History
from bloompy.testing.histories.operation import Operation, printable

if TYPE_CHECKING:
    from typing import Self

SHOWN = 10
"""How many violations are told."""


class HistoryViolation(AssertionError):
    """A history that is not as it should be.

    Attributes:
        result: what was found.
    """

    def __init__(self, result: Result) -> None:
        self.result = result
        super().__init__(str(result))


@frozen
class Violation:
    """One thing that is wrong.

    Attributes:
        kind: its name, such as "lost" or "G1c".
        text: what is wrong, in words.
        operations: those that show it.
    """

    kind: str
    text: str
    operations: tuple[Operation, ...] = ()

    def __str__(self) -> str:
        """In words."""
        return f"{self.kind}: {printable(self.text)}"


@frozen(repr=False)
class Result:
    """What a checker found. True only if the history is surely right, so `assert checker(history)` does what one expects.

    Attributes:
        checker: what was asked, such as "linearizable".
        valid: True, False, or None where it is not known.
        violations: what is wrong.
        unknown: why it is not known.
        counts: how many there are of what, for instance elements added.
        history: what was checked.
    """

    checker: str
    valid: bool | None
    violations: tuple[Violation, ...] = ()
    unknown: str = ""
    counts: Mapping[str, int] = field(factory=dict)
    history: History = field(factory=History)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of violations that there are, each once."""
        return tuple(dict.fromkeys(violation.kind for violation in self.violations))

    def require(self) -> Self:
        """The result, if it is right.

        Raises:
            HistoryViolation: otherwise, also where it is not known.
        """
        if not self.valid:
            raise HistoryViolation(self)
        return self

    def __bool__(self) -> bool:
        """Whether the history is surely right."""
        return self.valid is True

    @property
    def verdict(self) -> str:
        """In a few words."""
        return {True: self.checker, False: f"not {self.checker}", None: f"unknown whether {self.checker}"}[self.valid]

    def __str__(self) -> str:
        """The verdict and what is wrong, in words."""
        return "\n".join([self._headline(), *self._told()])

    def _headline(self) -> str:
        counts = ", ".join(f"{count:,} {what}" for what, count in self.counts.items())
        return self.verdict + (f": {self.unknown}" if self.unknown else "") + (f" ({counts})" if counts else "")

    def _told(self) -> list[str]:
        told = [f"- {violation}" for violation in self.violations[:SHOWN]]
        more = len(self.violations) - len(told)
        return [*told, f"- and {more:,} more"] if more > 0 else told

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        marked = [operation for violation in self.violations for operation in violation.operations]
        picture = self.history.timeline(marked).around(marked).html() if marked else ""
        return f"<pre>{escape(str(self))}</pre>{picture}"


def judged(checker: str, violations: list[Violation], history: History, counts: Mapping[str, int] | None = None) -> Result:
    """A result that is right if nothing is wrong."""
    return Result(checker, not violations, tuple(violations), "", counts or {}, history)
