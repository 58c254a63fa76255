"""Searching for failing runs: random campaigns, shrinking, replay, liveness.

`bloompy.testing.random_faults` and the pytest plugin stand on it; see `docs/pytest.md`.
"""
