"""What bloompy costs, as ratios in one run against hand-written Python, sqlite3 and DuckDB.

`python -m benchmarks` runs all, `python -m benchmarks.closure` one. `--small` shrinks the inputs to see that all works.
"""
