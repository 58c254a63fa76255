"""The decorators that make a method a rule method: read as source, never run."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Literal, NoReturn, TypeAlias

from bloompy.errors import DeclarationError, UsageError
from bloompy.span import Span

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
    """Make a method's statements rules, evaluated in every tick.

    Raises:
        DeclarationError: for anything but a plain method.
    """
    return _decorated(function, "rule")


def bootstrap(function: Any) -> RuleMethod:
    """Make a method's statements rules of the first tick of every start; `<=` and `<+` only."""
    return _decorated(function, "bootstrap")


def invariant(function: Any) -> RuleMethod:
    """Make a method's statements queries that must stay empty; a row there is an InvariantViolation."""
    return _decorated(function, "invariant")


def _decorated(function: Any, kind: MethodKind) -> RuleMethod:
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        what = "a lambda" if isinstance(function, FunctionType) else f"a {type(function).__name__}"
        raise DeclarationError(
            f"@{kind} decorates a plain method, not {what}", Span.of_caller(2), hint=f"write @{kind} alone above a `def` of the class"
        )
    if function.__code__.co_argcount != 1 or function.__code__.co_kwonlyargcount or function.__code__.co_flags & 0x0C:
        raise DeclarationError(
            f"the rule method {function.__name__} takes more or less than `self`",
            Span.of_code(function.__code__),
            hint=f"write `def {function.__name__}(self):`; constants of the instance are params",
        )
    return RuleMethod(function, kind)
