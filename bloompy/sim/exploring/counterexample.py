"""How a failure came about, step by step."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field, frozen

from bloompy.engine.tick import PlainRow
from bloompy.sim.exploring.retelling import retold
from bloompy.sim.exploring.space import Space, State, Taken
from bloompy.sim.exploring.stimuli import Firing
from bloompy.sim.exploring.view import View
from bloompy.sim.trace import Trace, shown


@frozen
class StepTaken:
    """One step of a counterexample.

    Attributes:
        action: what happened.
        text: the same in words.
        view: the state after it; the one before where its tick raised.
    """

    action: Taken
    text: str
    view: View = field(repr=False)


@frozen
class Counterexample:
    """A shortest run to a failure.

    Attributes:
        what: what fails.
        steps: what happens, in order.
        loop: of a run without end, the number of steps before those that repeat for ever; None for a run that ends.
    """

    what: str
    steps: tuple[StepTaken, ...]
    loop: int | None = None
    _space: Space | None = field(default=None, repr=False, eq=False)
    _before: tuple[State, ...] = field(default=(), repr=False, eq=False)

    def trace(self) -> Trace:
        """The same run as a trace of events, one second a step, run again by new instances of the programs."""
        assert self._space is not None
        steps = [step.action for step in self.steps] if self._before else []  # a first tick that raises is part of the beginning
        return retold(self._space, self._before, steps, self.what)

    def __len__(self) -> int:
        return len(self.steps)

    def _repr_html_(self) -> str:
        return self.trace()._repr_html_()

    def __str__(self) -> str:
        lines = [self.what]
        for number, step in enumerate(self.steps, 1):
            if self.loop == number - 1:
                lines.append("  for ever:")
            lines.append(f"  {number}. {step.text}")
        if self.loop is not None and self.loop == len(self.steps):
            lines.append("  and nothing more need happen")
        return "\n".join(lines)


def described(what: str, space: Space, path: list[State], last: Taken | None, loop: int | None) -> Counterexample:
    """A counterexample from the states that it goes through.

    Args:
        what: what fails.
        path: states, from the first.
        last: a tick after them that raises, if any.
        loop: number of steps before those that repeat.
    """
    steps = []
    for before, after in zip(path, path[1:], strict=False):
        action = next(action for action, state in space.successors(before, whole=True) if state == after)
        steps.append(StepTaken(action, _words(space, action, before, after), View(space, after)))
    if last is not None:
        view = View(space, path[-1]) if path else View(space, ())
        steps.append(StepTaken(last, _words(space, last, path[-1] if path else None, None), view))
    before = tuple(path if last is not None else path[:-1])
    return Counterexample(what, tuple(steps), loop, space, before)


def _words(space: Space, action: Taken, before: State | None, after: State | None) -> str:
    address = space.processes[action.node].address
    said = _beginning(space, action, address)
    if after is not None and before is not None:
        said += "".join(f"; {change}" for change in _changes(space, action, before, after))
    if action.outcome is not None and action.outcome.messages:
        sent = ", ".join(_message(space, no, to=True) for no in action.outcome.messages)
        said += f"; {sent} {'is' if len(action.outcome.messages) == 1 else 'are'} not sent" if action.kind == "crash" else f"; sends {sent}"
    return said


def _beginning(space: Space, action: Taken, address: str) -> str:
    what = " and ".join(_stimulus(space, action.node, no) for no in action.stimuli)
    match action.kind:
        case "start":
            return f"{address} starts"
        case "drop":
            return f"{what} to {address} is lost"
        case "lost":
            return f"{what} is lost: {address} is down"
        case "duplicate":
            return f"{address} gets {what}, of which there is another copy"
        case "crash" if action.outcome is None:
            return f"{address} crashes"
        case "crash":
            return f"{address} {_gets(what)} and crashes after the commit"
    return f"{address} {_gets(what)}"


def _gets(what: str) -> str:
    return f"gets {what}" if what else "goes on with what is pending"


def _stimulus(space: Space, node: int, no: int) -> str:
    if no >= 0:
        return _message(space, no, to=False)
    one = space.processes[node].inputs[-1 - no]
    if isinstance(one, Firing):
        return f"timer {one.collection}"
    what = f"{one.collection} {', '.join(map(shown, one.rows))}"
    return what if one.operation == "insert" else f"{one.operation} {what}"


def _message(space: Space, no: int, to: bool) -> str:
    message = space.messages[no]
    return f"{message.channel} {shown(message.row)}"


def _changes(space: Space, action: Taken, before: State, after: State) -> Iterator[str]:
    """What changed at the node, table by table."""
    old, new = (space.processes[action.node].locals[state[action.node]] for state in (before, after))
    if not (old.up and new.up):
        return
    tables = [one.name for one in space.processes[action.node].program.collections if one.kind == "table"]
    for name in tables:
        gone, came = (_sorted(first - second) for first, second in ((old.rows[name], new.rows[name]), (new.rows[name], old.rows[name])))
        if gone or came:
            yield f"{name} {' '.join([*(f'-{shown(row)}' for row in gone), *(f'+{shown(row)}' for row in came)])}"


def _sorted(rows: frozenset[PlainRow]) -> list[PlainRow]:
    return sorted(rows, key=shown)
