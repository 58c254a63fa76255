"""Functions that keep growth: monotone ones, and morphisms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from attrs import frozen

from bloompy.errors import DeclarationError
from bloompy.lattices.base import Lattice, is_lattice
from bloompy.span import Span

F = TypeVar("F", bound=Callable[..., Any])


@frozen
class Growth:
    """What is known of a function of lattice values.

    Attributes:
        parameters: the lattice of each argument, None for one that does not grow; () where that is not said.
        result: the lattice of the result; None where it is that of the column it goes into.
        morphism: it keeps merges: f(merge(a, b)) == merge(f(a), f(b)).
        builtin: the name of a function of Python whose growth depends on its arguments.
    """

    parameters: tuple[type[Lattice] | None, ...] = ()
    result: type[Lattice] | None = None
    morphism: bool = False
    builtin: str = ""


@overload
def monotone(function: F, /) -> F: ...
@overload
def monotone(*parameters: type[Lattice] | None, to: type[Lattice]) -> Callable[[F], F]: ...
def monotone(*given: Any, to: type[Lattice] | None = None) -> Any:
    """Declare that a function keeps growth: when its arguments grow, so does its result.

        @lattice.monotone(lattice.lset, to=lattice.lmax)
        def total(prices): ...

    Rules that use it within a recursion are taken at their word; `bloompy.testing.laws.check_monotone` tries it.

    Args:
        given: the lattice of each argument, None for one that does not grow; or, for the plain `@lattice.monotone`, the
            function: then arguments may be of any lattice, and the result is of that of the column it goes into.
        to: the lattice of the result.

    Returns:
        the function itself, marked.
    """
    return _marked(given, to, False)


@overload
def morphism(function: F, /) -> F: ...
@overload
def morphism(*parameters: type[Lattice] | None, to: type[Lattice]) -> Callable[[F], F]: ...
def morphism(*given: Any, to: type[Lattice] | None = None) -> Any:
    """Declare that a function keeps merges: f(merge(a, b)) == merge(f(a), f(b)), in each argument. It is monotone then.

    Args and result as in `monotone`; `bloompy.testing.laws.check_morphism` tries it.
    """
    return _marked(given, to, True)


def _marked(given: tuple[Any, ...], to: type[Lattice] | None, morphism: bool) -> Any:
    if len(given) == 1 and to is None and callable(given[0]) and not is_lattice(given[0]):
        given[0].__bloompy_growth__ = Growth(morphism=morphism)
        return given[0]
    word = "morphism" if morphism else "monotone"
    if to is None or not is_lattice(to) or not all(one is None or is_lattice(one) for one in given):
        raise DeclarationError(
            f"@lattice.{word} is given {', '.join(map(repr, given)) or 'nothing'}, to={to!r}",
            Span.of_caller(2),
            hint=f"write @lattice.{word}, or @lattice.{word}(lattice.lset, to=lattice.lmax) with the lattices of arguments and result",
        )

    def mark(function: F) -> F:
        function.__bloompy_growth__ = Growth(given, to, morphism)  # type: ignore[attr-defined]
        return function

    return mark


_BUILTINS: dict[Any, Growth] = {one: Growth(builtin=one.__name__) for one in (len, sum, min, max)}


def growth_of(function: Any) -> Growth | None:
    """What is known of a function, or None."""
    function = getattr(function, "__func__", function)
    found: Growth | None = getattr(function, "__bloompy_growth__", None)
    if found is None and isinstance(function, type(len)):
        found = _BUILTINS.get(function)
    return found
