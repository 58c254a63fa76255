"""The decorators that make a method a rule method: read as source, never run."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, Literal, NoReturn, TypeAlias, overload

from bloompy.errors import DeclarationError, UsageError
from bloompy.span import Span

MethodKind: TypeAlias = Literal["rule", "bootstrap", "invariant"]
InvariantScope: TypeAlias = Literal["node", "cluster"]


class RuleMethod:
    """A method whose statements are rules.

    Attributes:
        function: the function as written.
        kind: what its statements are.
        scope: whose rows they see: those of the node itself, or, for invariants in a simulation, of the whole cluster.
    """

    def __init__(self, function: FunctionType, kind: MethodKind, scope: InvariantScope = "node") -> None:
        self.function, self.kind, self.scope = function, kind, scope
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


@overload
def invariant(function: Any, /) -> RuleMethod: ...


@overload
def invariant(*, scope: InvariantScope) -> Callable[[Any], RuleMethod]: ...


def invariant(function: Any = None, /, *, scope: InvariantScope = "node") -> RuleMethod | Callable[[Any], RuleMethod]:
    """Make a method's statements queries that must stay empty; a row there is an InvariantViolation.

    Args:
        scope: "node": of the node's own rows, in every tick. `@invariant(scope="cluster")`: of the rows of all nodes together, after
            every tick of any, in a simulation only; each row then has one more column in front, `at_node`, the address of the node
            that holds it, as part of its key.

    Raises:
        DeclarationError: for another scope.
    """
    if scope not in ("node", "cluster"):
        raise DeclarationError(f"@invariant(scope={scope!r})", Span.of_caller(1), hint='the scope is "node" or "cluster"')
    if function is None:
        return lambda method: _decorated(method, "invariant", scope)
    return _decorated(function, "invariant", scope)


def _decorated(function: Any, kind: MethodKind, scope: InvariantScope = "node") -> RuleMethod:
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
    return RuleMethod(function, kind, scope)
