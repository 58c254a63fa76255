"""Models of the synod for exhaustive exploration: three acceptors, and two proposers with different values."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from bloompy.sim.exploring import Model, View
from bloompy_paxos.synod import Acceptor, Proposer, Synod

ACCEPTORS = ("a1", "a2", "a3")
PROPOSERS = {"p1": (1, "x"), "p2": (1, "y")}
"""The round and the value of each; the ballot of the second is the higher one."""


def chosen(view: View) -> set[Any]:
    """The values that a quorum has accepted in one ballot, as a learner would find that heard all."""
    votes: dict[tuple[Any, Any], set[str]] = defaultdict(set)
    for row in view.sent("voted"):
        votes[row.ballot, row.value].add(row.acceptor)
    return {value for (_, value), acceptors in votes.items() if len(acceptors) >= 2}


def agents(
    network: str = "set", *, atomic: bool = True, acceptor: Any = Acceptor, proposer: Any = Proposer, **options: Any
) -> Model:
    """Proposers and acceptors as nodes of their own, and a learner outside.

    Args:
        network: "set" loses and repeats as much as can be, and "bag" nothing but what `loss` and `duplication` allow.
        acceptor, proposer: other classes in their place.
    """
    model = Model(network, atomic=atomic, **options)  # type: ignore[arg-type]
    model.outside("learner", seen=True)
    for name, begun in PROPOSERS.items():
        model.add(proposer, name, acceptors=ACCEPTORS)
        model.input(name, "attempt", begun)
    for name in ACCEPTORS:
        model.add(acceptor, name, acceptors=ACCEPTORS, learners=("learner",))
    model.always("agreement", lambda view: len(chosen(view)) < 2, reads=["voted"])
    for _, value in PROPOSERS.values():
        model.sometimes(f"{value} is chosen", lambda view, value=value: chosen(view) == {value}, reads=["voted"])
    model.sometimes("p2 proposes the value of p1", lambda view: any(row == (row.acceptor, (1, "p2"), "x") for row in view.sent("accept")))
    return model


def nodes(network: str = "bag", program: Any = Synod, **options: Any) -> Model:
    """Three nodes that are proposer, acceptor and learner each; two of them propose. Invariants of the cluster hold in every state."""
    members = ("a", "b", "c")
    model = Model(network, atomic=True, **options)  # type: ignore[arg-type]
    for name in members:
        model.add(program, name, acceptors=members, learners=members)
    for name, value in (("a", "x"), ("b", "y")):
        model.input(name, "attempt", (1, value))
        model.sometimes(f"all learn {value}", lambda view, value=value: [row.value for _, row in view.all("chosen")] == [value] * 3)
    return model
