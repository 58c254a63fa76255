"""Random campaigns: all faults, several clients, members that come and go; linearizable, agreed, kept, once each, and going on.

The slow ones, 10,000 seeds: `python -m pytest -m slow tests/paxos/test_campaign.py`, or in pieces
`python -m tests.paxos.test_campaign FIRST_SEED RUNS`.
"""

from __future__ import annotations

import sys

import pytest

from bloompy.sim.search.campaign import Campaign, campaign
from tests.paxos.campaigns import FAULTS, STEADY_CLOCKS, Scenario


def run(first: int, runs: int, lease_s: float = 0.0) -> Campaign:
    """So many runs from a seed on."""
    return campaign(Scenario(lease_s=lease_s), runs=runs, first_seed=first, faults=STEADY_CLOCKS if lease_s else FAULTS)


@pytest.mark.parametrize(("lease_s", "runs"), [(0.0, 30), (0.4, 10)])
def test_nothing_acknowledged_is_lost_or_done_twice_or_read_too_old(lease_s: float, runs: int) -> None:
    run(0, runs, lease_s).check(every_kind=False)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1_000, 11_000, 500))
def test_ten_thousand_seeds(first: int) -> None:
    run(first, 400).check()
    run(first, 100, 0.4).check()


if __name__ == "__main__":
    found = run(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
    print(found)
    found.check()
