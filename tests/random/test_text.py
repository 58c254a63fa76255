"""Random programs printed as text and read again are the same programs."""

from __future__ import annotations

from bloompy import BloomError, exec_source
from bloompy.ir.text import program_text, rule_text
from tests.random.campaign import case
from tests.random.programs import HEADER

HELPERS = """
def shift(a):
    return a

def twice(a):
    return a
"""


def test_random_programs_printed_and_read_again_are_the_same():
    printed = 0
    for seed in range(900_000, 900_150):
        source, _ = case(seed)
        try:
            program = exec_source(source.text)["P"].program_ir
        except BloomError:
            continue
        text = HEADER + HELPERS + program_text(program, {"limit": 3, "m.limit": 2})
        again = exec_source(text)["P"].program_ir
        for one, other in zip(program.rules, again.rules, strict=True):
            assert one == other, f"seed {seed}: {rule_text(one, program)}"
        assert set(program.collections) == set(again.collections), f"seed {seed}"
        printed += 1
    assert printed > 130
