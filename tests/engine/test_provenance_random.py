"""Every row of random programs has derivations that are right and lead back to input; what does not hold is never said to follow."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bloompy import BloomError, exec_source
from bloompy.engine.machine import Machine
from bloompy.engine.provenance.answers import Derivation, Fact
from bloompy.engine.provenance.asking import prover_of
from bloompy.engine.provenance.lacking import why_not
from bloompy.engine.provenance.proving import Prover
from bloompy.engine.query import Query
from bloompy.program import machine_of
from tests.random.campaign import case, shown
from tests.random.programs import Source, random_source
from tests.random.streams import Input, random_stream

SEEDS = 8
"""Programs of each family in each block."""


def played(source: Source, stream: tuple[Input, ...]) -> Prover | None:
    """A random program after its input, with its past; None if it is refused."""
    try:
        program = exec_source(source.text, name="<random program>")["P"]
    except BloomError:
        return None
    machine = machine_of(program("n1", seed=1, provenance=True))
    for given_ in stream:
        play(machine, given_)
    return prover_of(machine) if machine.step else None


def play(machine: Machine, given_: Input) -> None:
    """One tick; if it raises, it has not happened."""
    for operation, collection, rows in given_.operations:
        machine.stage(collection, operation, rows)
    try:
        tick = machine.run(machine.take(given_.now))
    except Exception:
        return
    for name, rows in tick.sent.items():
        declared = machine.program.by_name[name]
        for row in rows:
            if declared.kind == "loopback" or (declared.schema.address is not None and row[declared.schema.address] == "n1"):
                machine.deliver(name, row)


def facts_of(prover: Prover) -> list[Fact]:
    """Every row of every tick."""
    return [
        prover.fact(tick, one.name, row)
        for tick in range(1, prover.replay.last + 1)
        for one in prover.program.collections
        for row in prover.replay.at(tick)[one.name].values()
    ]


def check_founded(prover: Prover, facts: list[Fact], counts: Counter[str]) -> None:
    """Every row has a derivation, every premise holds, and there is no cycle."""
    state: dict[Fact, bool] = {}
    for root in facts:
        stack: list[tuple[Fact, bool]] = [(root, False)]
        while stack:
            fact, done = stack.pop()
            if done:
                state[fact] = True
                continue
            if fact in state:
                assert state[fact], f"{fact.text} in tick {fact.tick} leads back to itself"
                continue
            state[fact] = False
            several = prover.derivations(fact, collapse=False)
            assert several, f"{fact.text} in tick {fact.tick} has no derivation"
            stack.append((fact, True))
            for one in several:
                counts[one.how] += 1
                check_premises(prover, one)
                check_evaluates(prover, one)
                stack += [(premise, False) for premise in one.premises if not state.get(premise)]


def check_premises(prover: Prover, one: Derivation) -> None:
    """What a derivation relies on held, and what it needed absent was absent."""
    for premise in one.premises:
        assert premise.partial or prover.holds(premise), f"{premise.text} in tick {premise.tick} does not hold, below {one.fact.text}"
    for absence in one.absences:
        if absence.key is not None:
            assert absence.key not in prover.replay.at(absence.tick)[absence.collection]
        assert absence.tick <= one.fact.tick


def check_evaluates(prover: Prover, one: Derivation) -> None:
    """The rule, evaluated by the reference evaluator's query on the premises alone, derives the row.

    An aggregate also depends on what kept other bindings out of its group, which is no premise of a row: there the whole tick counts.
    """
    if one.rule is None or prover.program.schemas[one.fact.collection].lattices:
        return
    tick = one.fact.tick - 1 if one.how == "next" else one.message.tick if one.message is not None else one.fact.tick
    facts = {declared.name: {} for declared in prover.program.collections}
    for premise in one.premises:
        assert premise.tick == tick
        facts[premise.collection][prover.program.schemas[premise.collection].key_of(premise.row)] = premise.row
    rules = [rule for rule in prover.rules[one.fact.collection] if prover.rule(rule) == one.rule]
    if any(prover.query(rule).grouping for rule in rules):
        facts = prover.replay.at(tick)
    rows = [row for rule in rules for row in Query(rule, prover.program, prover.replay.environment).rows(facts, prover.batch(tick))]
    assert one.fact.row in rows, f"{one.fact.text} does not follow from {[premise.text for premise in one.premises]} by {one.rule.text}"


def check_lacking(prover: Prover, counts: Counter[str]) -> None:
    """Rows that held in an earlier tick and not in the last, and rows that never did: no rule is said to derive one."""
    last = prover.replay.last
    for one in prover.program.collections:
        now = prover.replay.at(last)[one.name]
        rows = [row for before in range(1, last) for row in prover.replay.at(before)[one.name].values() if now.get(one.schema.key_of(row)) != row]
        for row in islice(dict.fromkeys(rows), 5):
            found = why_not(prover, one.name, row)
            counts["asked why not"] += 1
            assert found.reasons or found.attempts, f"nothing is said about {one.name}{row}"
            for below in found.walk():
                for attempt in below.attempts:
                    assert attempt.steps
                    assert not attempt.steps[-1].met
                    allowed = prover.program.schemas[below.collection].lattices or attempt.how == "message"
                    assert attempt.reached < 1 or allowed, str(found)
            assert str(found)


@pytest.mark.parametrize("block", range(3))
@pytest.mark.parametrize("family", ["programs", "views", "growing"])
def test_every_row_is_founded_in_its_input(family, block):
    counts: Counter[str] = Counter()
    for seed in range(50_000 + block * SEEDS, 50_000 + (block + 1) * SEEDS):
        source, stream = case(seed, family)
        prover = played(source, stream[:8])
        if prover is not None:
            try:
                check_founded(prover, facts_of(prover), counts)
                check_lacking(prover, counts)
            except Exception as error:
                raise AssertionError(f"seed {seed}\n{shown(source, stream[:8])}") from error
    assert counts["rule"] > SEEDS
    assert counts["stayed"] + counts["merged"] > SEEDS


@given(st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_hypothesis_finds_is_founded_too(random):
    source = random_source(random)
    stream = random_stream(random, source)
    prover = played(source, stream)
    if prover is not None:
        check_founded(prover, facts_of(prover), Counter())
        check_lacking(prover, Counter())
