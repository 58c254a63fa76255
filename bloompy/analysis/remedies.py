"""What a point of order is, why it is one and what can be done, in words."""

from __future__ import annotations

from bloompy.analysis.order import Point

_SEAL = "a seal (a message that says that no more will come) or a vote of all who send"
_LOG = "let one log order the messages (Paxos)"


def what(point: Point) -> str:
    """The point in one line."""
    name, rule = point.collection, point.rule
    match point.kind:
        case "negation":
            return f"asks what is not in {name}"
        case "aggregation":
            return f"aggregates {name}"
        case "get":
            return f"reads {name} with get, which has an answer where there is no row"
        case "value":
            return f"uses as a value whether a key is in {name}"
        case "lattice":
            return f"uses a value of {name} that grows otherwise than it grows"
        case "deletion":
            return f"deletes from {name}"
        case "replacement":
            return f"replaces rows of {name}"
        case "clock":
            return f"reads self.{name}" if name in ("now", "step", "rand") else f"reads what a row of {name} says"
        case "merging":
            return f"tells whether rows of {name} came together"
        case "key":
            return f"may give a key of {name} different rows" if point.other is None else f"fills {name}, as {point.other.label} does"
    return f"joins {point.mover or rule.kind} with {name}"


def why(point: Point) -> str:
    """Why order shows there."""
    name, mover = point.collection, point.mover
    late = f"a row of {name} that comes later would have changed the answer"
    match point.kind:
        case "deletion" if point.seen:
            return "whether a row is seen before it is deleted depends on which message comes first"
        case "deletion":
            return "a row inserted after the deletion stays and one inserted before it goes; a message repeated late brings it back"
        case "replacement":
            return "of two rows for one key the one that comes last counts"
        case "clock":
            return "it differs with the tick in which a message comes"
        case "merging":
            return "rows of one key that come in one tick are merged first, and the rule makes something else of that than of each"
        case "key":
            return "the row that comes first stays; the other raises a KeyConflict and becomes a dead letter, so order shows as a conflict"
        case "meeting" if not mover:
            return "it happens in the first tick only: what comes later is missed"
        case "meeting" if point.together:
            return f"rows of {mover} and of {name} hold for one tick each: they meet only if they come in the same one"
        case "meeting":
            return f"a row of {mover} holds for one tick: what {name} gains or loses later is missed"
    return late


def remedy(point: Point) -> str:
    """What can be done."""
    name, mover = point.collection, point.mover
    match point.kind:
        case "negation" | "get" | "value":
            return f"ask when {name} is complete, after {_SEAL}; or ask what is there, not what is missing"
        case "aggregation":
            return f"make it a lattice (lmax, lmin, lset) and compare it with a threshold; or aggregate {name} after {_SEAL}"
        case "lattice":
            return "compare it in the direction of its growth, or put it into a column of its own lattice"
        case "deletion" if point.seen:
            return f"keep and send only what does not depend on {name}; or {_LOG}"
        case "deletion":
            return f"keep what tells of the deletion in a table that only grows (tombstones) and delete by that; or {_LOG}"
        case "replacement":
            return f"make the value a lattice (the lmax of a version, an lmap by writer); or {_LOG}"
        case "clock":
            return "take times and numbers from the message; or accept it, where nothing is decided by them"
        case "merging":
            return f"put the rows of {name} into a table with the same lattices, and read that"
        case "key":
            return "accept it, where a key only ever has one row (unique ids); else make the value a lattice, or a part of the key"
        case "meeting" if not mover:
            return f"read {name} in an ordinary rule"
    return f"keep the rows of {mover} in a table, and join the tables; or accept it, where an answer may be of any moment"
