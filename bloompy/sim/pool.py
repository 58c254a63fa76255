"""Evaluators used again: a campaign starts the same few programs thousands of times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bloompy.engine.codegen import Codegen
from bloompy.engine.machine import Machine
from bloompy.engine.tick import Environment, Evaluator
from bloompy.errors import NodeStopped
from bloompy.ir.nodes import Program

_MOST = 8  # of one program at one address: nodes that were restarted in a run


class EvaluatorPool:
    """Keeps the evaluators of nodes that are done, empties them, and hands them out to nodes that differ in nothing.

    Give one to every `Simulation` of a campaign, and `close` each when it is no longer looked at. It holds on to the programs.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], list[Codegen]] = {}

    def serve(self, machine: Machine) -> None:
        """Have a machine, not started yet, take its evaluator from here."""
        machine.make_with(self._make)

    def take_back(self, machine: Machine, reason: str) -> None:
        """Take the evaluator of a machine that is done; reading its rows raises NodeStopped from then on."""
        evaluator = machine.release(NodeStopped(reason, hint="look at it before the simulation is closed, or restart it"))
        if type(evaluator) is Codegen:
            kept = self._kept.setdefault((id(evaluator.program), evaluator.environment.me), [])
            if len(kept) < _MOST and evaluator.reset():
                kept.append(evaluator)

    def _make(self, make: Callable[[Program, Environment], Evaluator], program: Program, environment: Environment) -> Evaluator:
        kept = self._kept.get((id(program), environment.me), [])
        for i in range(len(kept) - 1, -1, -1):
            if make is Codegen and _alike(kept[i].environment, environment):
                return kept.pop(i)
        return make(program, environment)


def _alike(one: Environment, other: Environment) -> bool:
    """Whether two instances find the same under all names: then a function bound for one does for the other."""
    if one.debug != other.debug or other.profile or one.scopes.keys() != other.scopes.keys():
        return False
    if not _same(one.parameters, other.parameters):
        return False
    theirs = other.scopes
    return all(scope.globals is theirs[name].globals and _same(scope.closure, theirs[name].closure) for name, scope in one.scopes.items())


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two mappings hold the same objects, or equal constants."""
    return one.keys() == other.keys() and all(value is other[key] or _equal(value, other[key]) for key, value in one.items())


def _equal(one: Any, other: Any) -> bool:
    return type(one) in _CONSTANTS and type(one) is type(other) and bool(one == other)


_CONSTANTS = (str, bytes, int, float, bool, type(None))
