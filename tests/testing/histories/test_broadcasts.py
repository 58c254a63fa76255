"""Broadcast, held against its definitions, word by word."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.errors import UsageError
from bloompy.testing.histories import Event, History, HistoryError, Operation, check_broadcast


@st.composite
def broadcasts(draw):
    """Three processes broadcast up to four messages and deliver anything."""
    messages = draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=4, unique_by=lambda each: each[0]))
    events = [("broadcast", message, process) for message, process in messages]
    events += [("deliver", message, process) for message, _ in messages for process in "abc" if draw(st.integers(0, 9))]
    if draw(st.integers(0, 4)) == 0 and events:
        events.append(draw(st.sampled_from(events[len(messages) :] or [("deliver", 9, "a")])))
    order = draw(st.permutations(events)) if draw(st.booleans()) else sorted(events, key=lambda each: (str(each[1]), each[0]))
    return History([Operation(p, f, m, start_s=2 * i, end_s=2 * i + 1) for i, (f, m, p) in enumerate(order)])


def violated(history, correct, uniform=False):
    """The properties that do not hold, by their definitions."""
    sent = {each.argument: each for each in history if each.function == "broadcast"}
    deliveries = [each for each in history if each.function == "deliver"]
    order = {p: [each.argument for each in deliveries if each.process == p] for p in "abc"}
    first = {p: list(dict.fromkeys(order[p])) for p in "abc"}
    found = set()
    if any(m not in order[each.process] for m, each in sent.items() if each.process in correct):
        found.add("validity")
    if any(m in order[p] and m not in order[q] for p in ("abc" if uniform else correct) for q in correct for m in range(10)):
        found.add("agreement")
    if any(each.argument not in sent or each.start_s < sent[each.argument].start_s for each in deliveries):
        found.add("phantom")
    if any(len(set(order[p])) < len(order[p]) for p in "abc"):
        found.add("duplicated")

    def before(p, a, b):
        """Whether p delivers b, and a not before it."""
        return b in first[p] and not (a in first[p] and first[p].index(a) < first[p].index(b))

    for a in sent:
        for b in sent:
            same = sent[a].process == sent[b].process and sent[a].start_s < sent[b].start_s
            taken = any(each.process == sent[b].process and each.argument == a and each.start_s < sent[b].start_s for each in deliveries)
            if a != b and any(before(p, a, b) for p in "abc"):
                found |= ({"fifo"} if same else set()) | ({"causal"} if same or taken else set())
    every = sorted({m for p in "abc" for m in order[p]})
    if not any(all(first[p] == [m for m in one if m in first[p]] for p in "abc") for one in permutations(every)):
        found.add("total")
    return found


@settings(max_examples=300)
@given(broadcasts(), st.sets(st.sampled_from("abc")), st.booleans())
def test_broadcasts_are_judged_by_the_definitions(history, correct, uniform):
    found = check_broadcast(history, correct=correct, uniform=uniform, orders=["fifo", "causal", "total"])
    assert set(found.kinds) == violated(history, correct, uniform)
    assert set(check_broadcast(history, correct=correct, uniform=uniform).kinds) == violated(history, correct, uniform) - {"fifo", "causal", "total"}


def delivered(chance, orders):
    """A right broadcast of 60 messages to 4 processes that deliver all in one order, each at its own pace."""
    events, log, at = [], [], dict.fromkeys("abcd", 0)
    while len(log) < 60 or min(at.values()) < 60:
        process = chance.choice("abcd")
        if at[process] < len(log) and chance.random() < 0.7:
            events += [Event("invoke", process, "deliver", log[at[process]]), Event("ok", process, "deliver")]
            at[process] += 1
        elif len(log) < 60:
            log.append(len(log))
            events += [Event("invoke", process, "broadcast", log[-1]), Event("ok", process, "broadcast")]
    return events


@pytest.mark.parametrize("seed", range(3))
def test_long_histories_of_broadcasts(seed):
    events = delivered(random.Random(seed), 60)
    orders = ["fifo", "causal", "total"]
    assert check_broadcast(History.of_events(events), orders=orders)
    mine = [i for i, each in enumerate(events) if each.process == "a" and each.function == "deliver" and each.kind == "invoke"]
    swapped = list(events)
    swapped[mine[5]], swapped[mine[6]] = events[mine[6]], events[mine[5]]
    assert "total" in check_broadcast(History.of_events(swapped), orders=orders).kinds
    missing = [each for i, each in enumerate(events) if i not in (mine[7], mine[7] + 1)]
    assert "agreement" in check_broadcast(History.of_events(missing)).kinds
    assert check_broadcast(History.of_events(missing), correct="bcd")


def test_broadcasts_that_make_no_sense_are_refused():
    with pytest.raises(HistoryError, match="1 was broadcast twice"):
        check_broadcast(History([Operation("a", "broadcast", 1, start_s=i, end_s=i + 0.5) for i in range(2)]))
    with pytest.raises(UsageError, match="there is no order 'fair'"):
        check_broadcast(History(), orders=["fair"])
