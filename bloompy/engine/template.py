"""Generated functions as all instances of a program share them, and what each instance binds to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, TypeAlias

from attrs import Factory, frozen

from bloompy.engine.plan import Layouts
from bloompy.engine.relation import Relation
from bloompy.engine.support import Constants
from bloompy.engine.tick import Environment, PlainRow, Scope
from bloompy.errors import KeyConflict
from bloompy.schema import Schema

Derive: TypeAlias = Callable[..., Any]
"""A generated function; its arguments depend on the variant's form."""

PREFIX = "rule "
"""Begins the names of generated functions, as tracebacks show them."""


def generated(code: CodeType) -> bool:
    """Whether a code object is that of a generated function."""
    return code.co_name.startswith(PREFIX)


@frozen
class Workspace:
    """What all generated functions of an instance share.

    Attributes:
        relations, schemas, layouts: by relation name.
        environment: of the instance.
        constants: of the tick under way.
    """

    relations: Mapping[str, Relation]
    schemas: Mapping[str, Schema]
    layouts: Layouts
    environment: Environment
    constants: Constants


@frozen
class Instance:
    """What an instance gives to the functions of one derivation.

    Attributes:
        workspace: its own.
        scope: where the rule finds its names.
        conflict: makes the error for two rows of one key.
    """

    workspace: Workspace
    scope: Scope
    conflict: Callable[[PlainRow, PlainRow], KeyConflict]


@frozen
class Template:
    """A function as all instances of a program share it.

    Attributes:
        code: defines a factory, which takes what differs between instances and returns the function.
        closure: names of the rule's closure, the factory's first arguments.
        outer: how to find the others, in order.
        asked: how large tables were of which its plan depends: by relation and columns.
    """

    code: CodeType
    closure: tuple[str, ...]
    outer: tuple[Callable[[Instance], Any], ...]
    asked: Mapping[tuple[str, tuple[int, ...]], float] = Factory(dict)

    def bind(self, instance: Instance) -> Derive:
        """The function of an instance."""
        namespace: dict[str, Any] = {}
        exec(self.code, instance.scope.globals, namespace)
        closure = [instance.scope.closure[name] for name in self.closure]
        function: Derive = namespace["_factory"](*closure, *(value(instance) for value in self.outer))
        return function
