"""A small cluster, and all that may happen to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from attrs import define, frozen

from bloompy.errors import UsageError
from bloompy.ir.nodes import Program
from bloompy.program import Bloom, machine_of
from bloompy.sim.exploring.networks import NetworkKind, network_of
from bloompy.sim.exploring.properties import Predicate, Property, PropertyKind, beginning
from bloompy.sim.exploring.stimuli import Firing, Input, Messages
from bloompy.sim.exploring.view import NodeView

if TYPE_CHECKING:
    from bloompy.sim.exploring.exploration import Exploration, Progress


@define
class Member:
    """A node of a model.

    Attributes:
        make: makes a new instance of its program.
        late: it starts at any time, or never; messages wait for it.
    """

    address: str
    make: Callable[[], Bloom]
    inputs: list[Input | Firing]
    late: bool = False
    restarts: bool = False


@frozen
class Crashes:
    """Nodes that may crash, together so many times."""

    nodes: frozenset[int]
    times: int


class Model:
    """Nodes, what may happen to them, and what must hold whatever happens. `explore` looks at all of it.

        model = Model(network="set")
        model.add(Manager, "tm", rms=("rm1", "rm2"))
        model.add(Resource, "rm1")
        model.add(Resource, "rm2")
        model.input("rm1", "prepare", (True,))
        model.always("consistent", lambda view: len({row.what for _, row in view.all("outcome")}) < 2)
        model.explore().raise_if_failed()

    Args:
        network: "set": what was sent may arrive at any time, any number of times, or never (as usual in TLA+); "bag": each message
            arrives once, in any order; "fifo": and those of one node to another in the order in which they were sent.
        loss, duplication: how many messages may be lost, and how often one may arrive and yet be on its way still ("bag", "fifo").
        batch: how many messages and inputs one tick may take.
        atomic: run a node until nothing is pending: `<+ <- <+-` then take effect at once, and messages to itself too. Fewer states;
            what could have come in between is not looked at. Otherwise a tick that applies what is pending is a step of its own,
            and what arrives may as well share it.
        draws: the values that `self.rand` takes, each in every tick of a program that reads it.
        observe: collections whose rows of the last tick belong to the state, so that properties can see them.
        evaluator: of programs that are given as classes.
        dead_letters: "fail": a message or input that makes its tick raise is a failure; "drop": it is gone.

    Raises:
        UsageError: for arguments that do not fit.
    """

    def __init__(
        self,
        network: NetworkKind = "bag",
        *,
        loss: int = 0,
        duplication: int = 0,
        batch: int = 1,
        atomic: bool = False,
        draws: Sequence[float] = (0.5,),
        observe: Collection[str] = (),
        evaluator: Literal["codegen", "naive"] = "codegen",
        dead_letters: Literal["fail", "drop"] = "fail",
    ) -> None:
        network_of(network, Messages(), 0)
        if network == "set" and (loss or duplication):
            hint = 'loss and duplication belong to network="bag" or "fifo"'
            raise UsageError("in a set of messages each may be lost or repeated anyway", hint=hint)
        for name, number, least in (("loss", loss, 0), ("duplication", duplication, 0), ("batch", batch, 1)):
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise UsageError(f"{name}={number!r}", hint=f"a number of at least {least}")
        if not draws or not all(isinstance(draw, float) and 0 <= draw < 1 for draw in draws):
            raise UsageError(f"draws={draws!r}", hint="give at least one float of 0 <= draw < 1")
        if dead_letters not in ("fail", "drop"):
            raise UsageError(f"dead_letters={dead_letters!r}", hint='"fail" or "drop"')
        self.network: NetworkKind = network
        self.loss, self.duplication, self.batch, self.atomic = loss, duplication, batch, atomic
        self.draws, self.observe, self.evaluator = tuple(draws), frozenset(observe), evaluator
        self.drops_letters = dead_letters == "drop"
        self.members: list[Member] = []
        self.crashes: list[Crashes] = []
        self.groups: list[tuple[int, ...]] = []
        self.addresses_outside: dict[str, bool] = {}
        self.properties: list[Property] = []

    # -- nodes

    def add(self, program: type[Bloom] | Callable[[str], Bloom], address: str, /, **parameters: Any) -> None:
        """Add a node.

        Args:
            program: its class, or a function that makes an instance for an address.
            address: how the others reach it.
            parameters: of the class.

        Raises:
            UsageError: for an address that there is already, or parameters for a function.
            ParameterError: for a parameter that the class does not have.
        """
        if any(member.address == address for member in self.members):
            raise UsageError(f"there is a node {address!r} already", hint="give each an address of its own")
        if inspect.isclass(program):
            kind = cast("type[Bloom]", program)
            evaluator = self.evaluator

            def make() -> Bloom:
                return kind(address, evaluator=evaluator, **parameters)

        else:
            if parameters:
                raise UsageError("parameters belong to a class", hint="have the function pass them on")
            make = _made_by(program, address)
        made = make()
        if made.me != address:
            what = f"the function made a program with the address {made.me!r}, not {address!r}"
            raise UsageError(what, hint="pass on its argument as `me`")
        self.members.append(Member(address, make, []))

    def starts_late(self, *addresses: str) -> None:
        """Nodes that may start at any time, or never; messages to them wait. All others have had their first tick at the beginning."""
        for address in addresses:
            self.members[self.number(address)].late = True

    def interchangeable(self, *addresses: str) -> None:
        """Nodes of which it does not matter which is which: states that differ only in that are explored, and counted, once.

        All properties must be the same for all of them, and rules may tell them apart only by where their addresses stand in rows: not
        by which is the least, for example. That is not checked; that they begin alike, and that the same may happen to them, is.
        """
        group = tuple(map(self.number, addresses))
        if len(set(group)) < 2 or len(set(group)) < len(group) or any(node in other for node in group for other in self.groups):
            raise UsageError(f"interchangeable{addresses!r}", hint="name two nodes at least, each once")
        self.groups.append(group)

    def outside(self, *addresses: str, seen: bool = False) -> None:
        """Addresses of what is no part of the model, such as clients.

        Args:
            addresses: they.
            seen: keep what is sent there, so that properties see it (`View.sent`); otherwise it is not looked at.
        """
        self.addresses_outside.update(dict.fromkeys(addresses, seen))

    def number(self, address: str) -> int:
        """The number of a node, in the order in which they were added.

        Raises:
            UsageError: if there is none.
        """
        for number, member in enumerate(self.members):
            if member.address == address:
                return number
        known = ", ".join(member.address for member in self.members)
        raise UsageError(f"there is no node {address!r}", hint=f"there are {known}" if known else "add it first")

    def clusters(self) -> list[Program]:
        """The invariants of the whole cluster, of every class that has any."""
        kinds = dict.fromkeys(type(member.make()) for member in self.members)
        return [kind.cluster_ir for kind in kinds if kind.cluster_ir.rules]

    # -- what may happen

    def input(
        self,
        address: str,
        collection: str,
        *rows: Any,
        operation: Literal["insert", "delete", "upsert"] = "insert",
        times: int | None = 1,
        when: Callable[[NodeView], bool] | None = None,
    ) -> None:
        """Something from outside that may happen, at any time or never.

        Args:
            address: of the node.
            collection: an input, a table or another collection that can be filled from outside.
            rows: what is put in, all in one tick.
            operation: what is done with it, as outside rules.
            times: how often at most; None: any number of times.
            when: of what the node holds, whether it may happen now.

        Raises:
            UsageError: for a node that there is not, or a collection that cannot be filled from outside.
            RowError: for a row that does not fit.
        """
        node, member = self._member(address, collection)
        if not rows:
            raise UsageError(f"no rows for {collection!r}", hint='as in model.input("a", "put", (1, "x"))')
        machine_of(member.make()).stage(collection, operation, rows)
        member.inputs.append(Input(-1 - len(member.inputs), node, collection, operation, rows, _times(times), when))

    def timer(self, address: str, collection: str, *, times: int | None = None) -> None:
        """A periodic that may fire at any time. Those that are not named never fire.

        Where all timers of a node have a limit, its clock shows how often they have fired, in seconds; else it stands still.

        Args:
            address: of the node.
            collection: the periodic.
            times: how often at most; None: any number of times. Its rows are then all `(1, 0.0)`.
        """
        node, member = self._member(address, collection)
        if machine_of(member.make()).program.by_name[collection].kind != "periodic":
            raise UsageError(f"{collection!r} is no periodic", hint="what comes from outside is an input of the model")
        member.inputs.append(Firing(-1 - len(member.inputs), node, collection, _times(times)))

    def crash(self, *addresses: str, times: int = 1, restart: bool = True) -> None:
        """Nodes that may crash: between two ticks, or after the commit of one and before what it sends has left.

        What is in durable tables is kept, all else is lost.

        Args:
            addresses: of the nodes; none: all that there are.
            times: how often at most, together.
            restart: whether they may start again, at any time or never.
        """
        nodes = frozenset(map(self.number, addresses or [member.address for member in self.members]))
        count = _times(times)
        assert count is not None
        self.crashes.append(Crashes(nodes, count))
        for node in nodes:
            self.members[node].restarts |= restart

    def _member(self, address: str, collection: str) -> tuple[int, Member]:
        node = self.number(address)
        member = self.members[node]
        program = machine_of(member.make()).program
        if collection not in program.by_name:
            raise UsageError(f"{program.name} has no collection {collection!r}", hint=f"it has {', '.join(program.by_name)}")
        return node, member

    # -- what must hold

    def always(self, name: str, predicate: Predicate, *, reads: Iterable[str] | None = None) -> None:
        """Something that holds in every state. The `@invariant`s of the classes are checked anyway.

        Args:
            name: shown where it does not.
            predicate: of a `View`.
            reads: the collections, channels included, that it looks at; then it sees no others, and exploring with `reduce=True`
                may leave out orders that make no difference to them.
        """
        self._property("always", name, predicate, reads)

    def sometimes(self, name: str, predicate: Predicate, *, reads: Iterable[str] | None = None) -> None:
        """Something that holds in at least one state: a model that cannot get there tests less than it seems to."""
        self._property("sometimes", name, predicate, reads)

    def at_end(self, name: str, predicate: Predicate, *, reads: Iterable[str] | None = None) -> None:
        """Something that holds in every state that nothing but a fault leads away from: where it does not, the cluster is stuck."""
        self._property("at_end", name, predicate, reads)

    def eventually(self, name: str, predicate: Predicate, *, reads: Iterable[str] | None = None) -> None:
        """Something that comes to hold on every fair run.

        A run is fair if what can happen without end happens: messages arrive, nodes tick for what is pending, timers fire, nodes
        that may restart do. Inputs, crashes, loss and duplication need not happen.
        """
        self._property("leads_to", name, predicate, reads, beginning)

    def leads_to(self, name: str, cause: Predicate, effect: Predicate, *, reads: Iterable[str] | None = None) -> None:
        """After each state in which the cause holds, the effect comes to hold on every fair run (as of `eventually`)."""
        self._property("leads_to", name, effect, reads, cause)

    def _property(
        self, kind: PropertyKind, name: str, predicate: Predicate, reads: Iterable[str] | None, cause: Predicate | None = None
    ) -> None:
        if any(one.name == name for one in self.properties):
            raise UsageError(f"there is a property {name!r} already", hint="give each a name of its own")
        self.properties.append(Property(kind, name, predicate, cause, None if reads is None else frozenset(reads)))

    # -- looking at all of it

    def explore(
        self,
        *,
        reduce: bool = False,
        max_states: int | None = None,
        limit_s: float | None = None,
        progress: Callable[[Progress], object] | None = None,
    ) -> Exploration:
        """Look at every state that can be reached, nearest first, until a property fails.

        Args:
            reduce: leave out orders of messages of which it is known that they make no difference (partial-order reduction).
            max_states, limit_s: stop there; then the exploration is not complete.
            progress: called about once a second.
        """
        from bloompy.sim.exploring.exploration import explore  # which needs models

        return explore(self, reduce=reduce, max_states=max_states, limit_s=limit_s, progress=progress)


def _times(times: int | None) -> int | None:
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise UsageError(f"times={times!r}", hint="a number of at least 1, or None where there is no limit")
    return times


def _made_by(program: Callable[[str], Bloom], address: str) -> Callable[[], Bloom]:
    return lambda: program(address)
