"""Answers of `why` and `why_not` written by hand, for pictures of them."""

from __future__ import annotations

from typing import Any

from bloompy.engine.provenance.answers import Absence, Attempt, Derivation, Fact, Message, RuleText, Step, Why, WhyNot

STORE = RuleText("Store.store", "examples/store.py:14", "self.kv <+- ((p.key, p.value) for p in self.put)")
COPY = RuleText("Store.copy", "examples/store.py:15", "self.copy <~ ((q.address, p.key) for p in self.put for q in self.peer)")


def fact(node: str, tick: int, collection: str, *row: Any, time: float = 0.0) -> Fact:
    """A fact."""
    return Fact(node, 1, tick, collection, row, time or tick / 10)


def copied() -> Why:
    """A row at b: copied from a, where it was put; or put at b as well, where nothing forbade it."""
    put, peer = fact("a", 1, "put", "a", "k", 1), fact("a", 1, "peer", "b")
    copy = fact("b", 1, "copy", "b", "k", time=0.2)
    own = fact("b", 1, "put", "b", "k", 1, time=0.2)
    root = fact("b", 2, "kv", "k", 1, time=0.3)
    message = Message("a", "b", 1, 1, 0.1, 0.2, 1, 1)
    return Why(
        root,
        {
            root: (
                Derivation(root, "next", STORE, (copy,)),
                Derivation(root, "next", STORE, (own,), (Absence("b", 1, 1, "lock", "k", "lock('k')"),)),
            ),
            copy: (Derivation(copy, "message", COPY, (put, peer), message=message),),
            put: (Derivation(put, "received"),),
            own: (Derivation(own, "inserted"),),
            peer: (Derivation(peer, "inserted"),),
        },
    )


def chain(length: int) -> Why:
    """A row that follows from a row, and so on."""
    facts = [fact("a", 1, "path", i, time=0.1) for i in range(length)]
    derivations = {later: (Derivation(later, "rule", STORE, (before,)),) for before, later in zip(facts, facts[1:], strict=False)}
    derivations[facts[0]] = (Derivation(facts[0], "inserted"),)
    return Why(facts[-1], derivations)


def lost() -> WhyNot:
    """A row that is missing, since the message was lost, whose cause is there."""
    steps = (Step("for p in self.put", "put('a', 'k', 1)", True, 14), Step("if p.key in self.lock", "no lock('k')", False, 15))
    below = WhyNot("a", 1, "lock", "lock('k')", ("nothing was ever inserted into lock",))
    attempt = Attempt(STORE, "next", "tick 1 of b", steps, 0.5, "lock('k')", below)
    return WhyNot("b", 2, "kv", "kv('k', _)", ("the 1st frame from a to b was lost at 0.1 s",), (attempt,))
