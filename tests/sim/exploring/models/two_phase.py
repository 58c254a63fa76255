# ruff: noqa: B015
# mypy: ignore-errors
# fmt: off
"""Two-phase commit as in the TLA+ module `TwoPhase` (Gray and Lamport, "Consensus on transaction commit", 2006): a transaction
manager, resource managers, and a set of messages.

What a manager may decide by itself is an input that may come at any time, and that its rules heed where the specification does.
"""

from bloompy import Bloom, bootstrap, channel, interface, param, rule, table
from bloompy.sim.exploring import Model, View


class ResourceManager(Bloom):
    """Works until it prepares or aborts; then does what it is told."""

    manager = param("tm")
    state = table("-> what: str")
    prepare = interface.input("go: bool")
    abort = interface.input("go: bool")
    prepared = channel("@manager, resource")
    decision = channel("@resource, what")

    @bootstrap
    def begin(self):
        self.state <= ("working",)

    @rule
    def phases(self):
        self.state <+- ("prepared" for _ in self.prepare for s in self.state if s.what == "working")
        self.state <+- ("aborted" for _ in self.abort for s in self.state if s.what == "working")
        self.prepared <~ ((self.manager, self.me) for s in self.state if s.what == "prepared")
        self.state <+- (d.what for d in self.decision)


class TransactionManager(Bloom):
    """Commits when all are prepared and it chooses to, or aborts when it chooses to."""

    resources = param(())
    resource = table("name")
    state = table("-> what: str")
    ready = table("resource")
    commit = interface.input("go: bool")
    abort = interface.input("go: bool")
    prepared = channel("@manager, resource")
    decision = channel("@resource, what")

    @bootstrap
    def begin(self):
        self.state <= ("undecided",)
        self.resource <= (name for name in self.resources)

    @rule
    def decide(self):
        self.ready <+ (p.resource for p in self.prepared for s in self.state if s.what == "undecided")
        self.state <+- ("committed" for _ in self.commit for s in self.state
                        if s.what == "undecided" and all(r.name in self.ready for r in self.resource))
        self.state <+- ("aborted" for _ in self.abort for s in self.state if s.what == "undecided")
        self.decision <~ ((r.name, s.what) for r in self.resource for s in self.state if s.what != "undecided")


class Hasty(TransactionManager):
    """Commits as soon as one is prepared."""

    @rule
    def decide(self):
        self.ready <+ (p.resource for p in self.prepared for s in self.state if s.what == "undecided")
        self.state <+- ("committed" for _ in self.commit for s in self.state
                        if s.what == "undecided" and any(r.name in self.ready for r in self.resource))
        self.state <+- ("aborted" for _ in self.abort for s in self.state if s.what == "undecided")
        self.decision <~ ((r.name, s.what) for r in self.resource for s in self.state if s.what != "undecided")


def outcomes(view: View) -> set[str]:
    """What the resource managers have come to."""
    return {row.what for address, row in view.all("state") if address != "tm"}


def two_phase(resources: int, manager: type[TransactionManager] = TransactionManager, **options) -> Model:
    """The model with so many resource managers."""
    model = Model(network="set", atomic=True, **options)
    names = tuple(f"rm{i}" for i in range(1, resources + 1))
    model.add(manager, "tm", resources=names)
    for name in names:
        model.add(ResourceManager, name)
    for address, inputs in {"tm": ("commit", "abort"), **dict.fromkeys(names, ("prepare", "abort"))}.items():
        for each in inputs:
            model.input(address, each, (True,), times=None)
    model.always("consistent", lambda view: not {"committed", "aborted"} <= outcomes(view), reads=["state"])
    model.sometimes("all committed", lambda view: outcomes(view) == {"committed"}, reads=["state"])
    model.sometimes("all aborted", lambda view: outcomes(view) == {"aborted"}, reads=["state"])
    return model
