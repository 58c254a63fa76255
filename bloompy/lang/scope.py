"""What the rules of a class can name through `self`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from bloompy.ir.nodes import Collection


@frozen
class ClassScope:
    """A class as its rules see it.

    Attributes:
        name: of the class, for labels.
        collections: by full name; those of inner modules are dotted.
        parameters: params and their defaults, by full name.
        modules: names of inner modules.
        methods: helper functions and static methods.
    """

    name: str
    collections: Mapping[str, Collection]
    parameters: Mapping[str, Any]
    modules: frozenset[str]
    methods: Mapping[str, Any]
