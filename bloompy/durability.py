"""How far a table outlives a crash of its node."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from bloompy.errors import DeclarationError
from bloompy.span import Span

Durability: TypeAlias = bool | Literal["delayed"]
"""What `durable=` may be: False, True, or "delayed" where a tick need not wait for the disk."""


def durability(given: Any, span: Span) -> tuple[bool, bool]:
    """Whether a declaration is durable, and whether it is delayed.

    Raises:
        DeclarationError: for what is no `Durability`.
    """
    if isinstance(given, bool):
        return given, False
    if given == "delayed":
        return True, True
    raise DeclarationError(f"durable={given!r}", span, hint='give True, False or "delayed"')
