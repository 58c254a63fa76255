"""A program prepared once for all its instances: lowered, and its functions compiled, but for what each instance binds to them.

So an instance costs little when another was there before: it makes its relations and binds functions. Of its params only the
types reach a plan; of its tables the sizes do, so a function is shared by instances that differ in none that its plan asked for.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import evolve

from bloompy.engine.askable import askable
from bloompy.engine.generate import Generator
from bloompy.engine.lower import Derivation, lower
from bloompy.engine.plan import Layouts, Sizes, layouts_of
from bloompy.engine.sharing import shared
from bloompy.engine.template import Template
from bloompy.engine.variant import Variant
from bloompy.ir.nodes import Program

_Asked: TypeAlias = dict[tuple[str, tuple[int, ...]], float]
"""Sizes that a plan depends on."""


class Prepared:
    """A program for all instances whose params have the same types.

    Args:
        program, staged, debug: as of `lower`.
        parameters: of the first instance.

    Attributes:
        lowered: the program.
        schemas: by relation name.
    """

    def __init__(self, program: Program, staged: frozenset[str], debug: bool, parameters: Mapping[str, Any]) -> None:
        lowered = askable(lower(program, staged, debug), parameters)
        # In debug mode every condition is tested in the rule that has it.
        self.lowered = lowered if debug else shared(lowered, parameters)
        self.schemas = {one.name: one.schema for one in self.lowered.relations.values()}
        layouts = layouts_of(self.lowered, parameters)
        self._layouts = evolve(layouts, scope=evolve(layouts.scope, parameters={}))  # the first instance's are its own
        self._templates: dict[Any, list[tuple[_Asked, Template]]] = {}

    def layouts(self, parameters: Mapping[str, Any], sizes: Sizes) -> Layouts:
        """The layouts of an instance."""
        return evolve(self._layouts, scope=evolve(self._layouts.scope, parameters=parameters), sizes=sizes)

    def template(self, derivation: Derivation, variant: Variant, closure: tuple[str, ...], layouts: Layouts) -> Template:
        """A function of a derivation; compiled if no instance has needed it yet.

        Args:
            derivation: one of `lowered`.
            variant: which function.
            closure: names of the rule's closure.
            layouts: of the instance.
        """
        known = self._templates.setdefault((id(derivation), variant, closure), [])
        for asked, template in known:
            if all(layouts.sizes(*at) == size for at, size in asked.items()):
                return template
        asked = {}

        def sizes(relation: str, columns: tuple[int, ...]) -> float:
            size = asked[relation, columns] = layouts.sizes(relation, columns)
            return size

        checked = self.lowered.relations[derivation.head].checked
        template = Generator(derivation, self.schemas, evolve(layouts, sizes=sizes), closure, checked).template(variant)
        template = evolve(template, asked=asked)
        known.append((asked, template))
        return template


_PREPARED: dict[int, dict[Any, Prepared]] = {}
"""By the id of a program that is in use."""


def prepared(program: Program, staged: frozenset[str], debug: bool, parameters: Mapping[str, Any]) -> Prepared:
    """A program prepared for an instance with some values of its params. It goes when the program goes."""
    known = _PREPARED.get(id(program))
    if known is None:
        known = _PREPARED[id(program)] = {}
        weakref.finalize(program, _PREPARED.pop, id(program))
    key = staged, debug, tuple(map(type, parameters.values()))
    found = known.get(key)
    if found is None:
        found = known[key] = Prepared(program, staged, debug, parameters)
    return found
