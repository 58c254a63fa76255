"""The terminal of a node: lines typed become rows of its `stdio` collections."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from bloompy.ir.nodes import Program, Scan


def reads_lines(program: Program) -> list[str]:
    """The stdio collections that some rule reads."""
    names = {one.name for one in program.collections if one.kind == "stdio"}
    read = {clause.collection for rule in program.rules for clause in rule.query.body if isinstance(clause, Scan)}
    return sorted(names & read)


def start_reading(take: Callable[[str], None]) -> None:
    """Pass each line of standard input on, without its end, from a thread of its own that ends with the process."""

    def read() -> None:
        with suppress(OSError, ValueError):  # closed, or not to be read from
            for line in sys.stdin or ():
                take(line.rstrip("\r\n"))

    threading.Thread(target=read, name="bloompy stdio", daemon=True).start()
