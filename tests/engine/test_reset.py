"""An evaluator that was used and emptied is as good as a new one."""

from __future__ import annotations

from collections import Counter

import pytest

from bloompy import BloomError, exec_source
from bloompy.engine.codegen import Codegen
from bloompy.program import machine_of
from tests.random.campaign import case
from tests.random.compare import _Side


@pytest.mark.parametrize("family", ["programs", "views", "growing"])
def test_a_reset_evaluator_runs_as_a_new_one(family: str) -> None:
    counts: Counter[str] = Counter()
    for seed in range({"programs": 60, "views": 12, "growing": 40}[family]):
        source, stream = case(seed, family)
        try:
            program = exec_source(source.text, name="<random program>")["P"]
        except BloomError:
            continue
        used = _Side(program, "codegen")
        for given in stream[: 1 + seed % len(stream)]:  # stopped anywhere, also after a tick that failed
            used.tick(given)
        evaluator = used.machine.evaluator
        assert isinstance(evaluator, Codegen)
        if not evaluator.reset():
            counts["not reset"] += 1
            continue
        new, again = _Side(program, "codegen"), _Side(program, "codegen")
        again.machine.make_with(lambda make, ir, environment, evaluator=evaluator: evaluator)  # type: ignore[misc]
        for number, given in enumerate(stream):
            expected, found = new.tick(given), again.tick(given)
            assert found == expected, f"seed {seed}, tick {number}"
            counts["ticks"] += 1
    assert counts["ticks"] > 100
    assert counts["not reset"] < counts["ticks"] / 10


def test_reads_made_before_stay_as_they_are() -> None:
    program = exec_source(
        """
from bloompy import Bloom, table, scratch, rule
class P(Bloom):
    t = table("a: int")
    s = scratch("a: int")
    @rule
    def r(self):
        self.s <= ((x.a + 1,) for x in self.t)
""",
        name="<reset>",
    )["P"]()
    program.t.insert((1,), (2,))
    tick = program.tick()
    evaluator = machine_of(program).evaluator
    assert isinstance(evaluator, Codegen)
    assert evaluator.reset()
    assert tick.inserted == {"t": [(1,), (2,)], "s": [(2,), (3,)]}
    assert len(program.t) == len(program.s) == 0


def test_what_was_loaded_from_columns_or_staged_into_is_made_anew() -> None:
    program = exec_source(
        """
from bloompy import Bloom, table, scratch, rule
class P(Bloom):
    t = table("a: int")
    s = scratch("a: int")
    @rule
    def r(self):
        self.s <= ((x.a + 1,) for x in self.t)
""",
        name="<reset>",
    )["P"]()
    program.s.insert((7,))
    program.tick()
    evaluator = machine_of(program).evaluator
    assert isinstance(evaluator, Codegen)
    assert not evaluator.reset()
    assert len(program.s) == 1
