"""`python -m benchmarks`: every benchmark in turn, then all figures with their goals."""

import importlib

from benchmarks.measure import arguments, show

NAMES = ["import_time", "tick_cost", "get_by_key", "many_rules", "projection", "grouping", "closure", "requests", "wordcount"]


def main() -> None:
    small = arguments(__doc__ or "").small
    figures = []
    for name in NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        print(f"\n== {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        found = module.figures(small)
        show(found)
        figures += found
    print("\n== all figures")
    show([figure for figure in figures if figure.goal is not None])


if __name__ == "__main__":
    main()
