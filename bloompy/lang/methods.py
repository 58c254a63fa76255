"""The decorators that make a method a rule method: read as source, never run."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Literal, NoReturn, TypeAlias

from bloompy.errors import UsageError

MethodKind: TypeAlias = Literal["rule", "bootstrap", "invariant"]


class RuleMethod:
    """A method whose statements are rules.

    Attributes:
        function: the function as written.
        kind: what its statements are.
    """

    def __init__(self, function: FunctionType, kind: MethodKind) -> None:
        self.function, self.kind = function, kind
        self.__doc__, self.__name__ = function.__doc__, function.__name__

    def __call__(self, *arguments: Any, **named: Any) -> NoReturn:
        raise UsageError(f"{self.__name__}() is a rule method, read and never run", hint="call .tick() on the program")

    def __repr__(self) -> str:
        return f"<{self.kind} {self.function.__qualname__}>"


def rule(function: Any) -> RuleMethod:
    """Make a method's statements rules, evaluated in every tick."""
    return RuleMethod(function, "rule")


def bootstrap(function: Any) -> RuleMethod:
    """Make a method's statements rules of the first tick of every start; `<=` and `<+` only."""
    return RuleMethod(function, "bootstrap")


def invariant(function: Any) -> RuleMethod:
    """Make a method's statements queries that must stay empty; a row there is an InvariantViolation."""
    return RuleMethod(function, "invariant")
