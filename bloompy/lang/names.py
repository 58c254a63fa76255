"""What the names in one rule method stand for: `self.…`, temporaries, and the names of the module around it."""

from __future__ import annotations

import ast
import builtins
from types import ModuleType
from typing import Any

from bloompy.errors import InterfaceError, UnknownCollection, UnsupportedStatement
from bloompy.ir.nodes import Collection
from bloompy.lang.hints import did_you_mean
from bloompy.lang.methods import RuleMethod
from bloompy.lang.scope import ClassScope
from bloompy.span import Span

TICK_VALUES = ("me", "now", "step", "rand")
MISSING: Any = object()
"""Stands for what a name that is bound nowhere yet refers to."""


class Names:
    """The names of one rule method.

    Attributes:
        owner: qualified name of the class whose body holds the method.
        self_name: what the method calls its first argument.
        temporaries: those assigned so far, by the name in the method.
        locals: every name that the method assigns anywhere.
    """

    def __init__(self, method: RuleMethod, scope: ClassScope, body: list[ast.stmt]) -> None:
        self.function, self.scope = method.function, scope
        code = method.function.__code__
        self.file = code.co_filename
        self.owner = method.function.__qualname__.rpartition(".")[0]
        self.self_name = code.co_varnames[0]
        self.locals = frozenset(one.targets[0].id for one in body if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name))
        self.collections = dict(scope.collections)
        self.temporaries: dict[str, Collection] = {}

    def span(self, node: ast.AST) -> Span:
        """Where a node stands."""
        return Span.of(node, self.file)

    # -- self.…

    def path(self, node: ast.AST) -> str | None:
        """The dotted name of `self.a.b`, or None for anything else."""
        if not isinstance(node, ast.Attribute):
            return None
        if isinstance(node.value, ast.Name):
            return node.attr if node.value.id == self.self_name else None
        below = self.path(node.value)
        return f"{below}.{node.attr}" if below in self.scope.modules else None

    def collection(self, node: ast.AST) -> Collection | None:
        """The collection that a node names, without asking whether the rule may use it."""
        if isinstance(node, ast.Name):
            return self.temporaries.get(node.id)
        path = self.path(node)
        return None if path is None else self.collections.get(path)

    def readable(self, node: ast.AST) -> Collection | None:
        """The collection that a node names.

        Raises:
            InterfaceError: for one that this class may not read.
        """
        found = self.collection(node)
        if found is None:
            return None
        module, _, name = found.name.rpartition(".")
        if module and found.kind != "output":
            raise self._private(found, module, name, "read", "output", node)
        if not module and found.kind == "output" and found.owner == self.owner:
            raise InterfaceError(
                f"{name} is an output of {found.owner}, which its own rules fill and do not read",
                self.span(node),
                hint="keep the rows in a scratch, read that, and copy it into the output",
            )
        return found

    def fillable(self, node: ast.AST) -> Collection:
        """The collection on the left of a statement.

        Raises:
            UnknownCollection: where there is none.
            InterfaceError: for one that this class may not fill.
        """
        found = self.collection(node)
        if found is None:
            if self.path(node) is None:
                raise UnsupportedStatement("the left side is no collection", self.span(node), hint="write self.collection <= query")
            raise self.not_a_collection(node)
        module, _, name = found.name.rpartition(".")
        if module and found.kind != "input":
            raise self._private(found, module, name, "filled", "input", node)
        if not module and found.kind == "input" and found.owner == self.owner:
            raise InterfaceError(
                f"{name} is an input of {found.owner}, which is filled only from outside",
                self.span(node),
                hint="fill it from a subclass, from the class that has this one as a module, or by .insert(…); inside use a scratch",
            )
        return found

    def not_a_collection(self, node: ast.AST) -> UnknownCollection | UnsupportedStatement:
        """The error for a `self.…` that stands where a collection must, and is none."""
        path = self.path(node) or ""
        for known, what in (
            (self.scope.parameters, "a parameter"),
            (TICK_VALUES, "a constant of the tick"),
            (self.scope.methods, "a method"),
            (self.scope.modules, "a module"),
        ):
            if path in known:
                return UnsupportedStatement(f"self.{path} is {what}, not a collection", self.span(node), hint=self._interfaces(path))
        return self.unknown(node)

    def unknown(self, node: ast.AST) -> UnknownCollection:
        """The error for a `self.…` that the class does not have."""
        path = self.path(node) or ""
        known = [name for name in self.collections if "." not in name or self._is_interface(name)]
        known += [*self.scope.parameters, *self.scope.methods, *self.scope.modules, *TICK_VALUES]
        reachable = ", ".join(sorted(name for name in known if name in self.collections and name != "dead_letter"))
        hint = did_you_mean(path, known, f"it has {reachable}" if reachable else "declare it in the class body", "self.")
        return UnknownCollection(f"{self.scope.name} has no {path!r}", self.span(node), hint=hint)

    def _is_interface(self, name: str) -> bool:
        return self.collections[name].kind in ("input", "output") and name.count(".") == 1

    def _interfaces(self, path: str) -> str:
        own = [name for name in self.collections if name.startswith(f"{path}.") and self._is_interface(name)]
        if own:
            return f"its interfaces are {', '.join(f'self.{name}' for name in own)}"
        return "values go into the head or the conditions of a query: (… for x in self.collection if …)"

    def _private(self, found: Collection, module: str, name: str, use: str, side: str, node: ast.AST) -> InterfaceError:
        interfaces = [n.rpartition(".")[2] for n, c in self.collections.items() if c.kind == side and n.rpartition(".")[0] == module]
        kind = "lattice" if found.lattice else found.kind
        what = f"{'an' if kind in ('input', 'output') else 'a'} {kind}"
        return InterfaceError(
            f"{name} is {what} of the module {module} and is not {use} from outside",
            self.span(node),
            hint=f"its {side}s are {', '.join(interfaces)}" if interfaces else f"declare an interface.{side}(…) in the module",
        )

    # -- names of the module

    def object(self, name: str) -> Any:
        """What a name of the module means now; MISSING where nothing is bound to it yet."""
        function = self.function
        if name in function.__code__.co_freevars:
            try:
                return (function.__closure__ or ())[function.__code__.co_freevars.index(name)].cell_contents
            except ValueError:
                return MISSING
        return function.__globals__.get(name, getattr(builtins, name, MISSING))

    def object_of(self, node: ast.expr, bound: Any = ()) -> Any:
        """What a name, or a name below modules and classes, means now; MISSING for anything else."""
        if isinstance(node, ast.Name):
            inside = node.id in bound or node.id in self.temporaries or node.id == self.self_name
            return MISSING if inside else self.object(node.id)
        if isinstance(node, ast.Attribute):
            above = self.object_of(node.value, bound)
            if isinstance(above, ModuleType):
                return vars(above).get(node.attr, MISSING)
            if isinstance(above, type):
                return getattr(above, node.attr, MISSING)
        return MISSING
