"""Saved figures: `results.md` keeps every saved run, the newest first, with its date and machine."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measure import Figure, number

RESULTS = Path(__file__).with_name("results.md")

HEADER = """# Results

Saved by `python -m benchmarks --save`, the newest run first. `python -m benchmarks --compare` shows new figures beside the
newest saved ones. Seconds are CPU seconds of one core; figures of contestants are medians of interleaved rounds in one run.
"""


def machine() -> str:
    """What the figures were measured on."""
    parts = [f"{_processor()}, {os.cpu_count()} cores, {_memory_gb()}", f"Python {platform.python_version()}"]
    for package in ("numpy", "duckdb"):
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"no {package}")
    return ", ".join([*parts, platform.system(), f"bloompy at {_commit()}"])


def save(found: Mapping[str, Sequence[Figure]], path: Path = RESULTS) -> None:
    """Put figures, by benchmark, at the head of the file as a run of their own."""
    earlier = path.read_text(encoding="utf-8").removeprefix(HEADER) if path.exists() else ""
    lines = [f"\n## {datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n", machine() + "\n"]
    for name, figures in found.items():
        lines += [f"### {name}\n", "| what | value | goal |", "|---|---:|---|"]
        lines += [f"| {figure.what.replace('|', '/')} | {number(figure.value)} {figure.unit} | {figure.verdict} |" for figure in figures]
        lines.append("")
    path.write_text(HEADER + "\n".join(lines) + earlier, encoding="utf-8")


def newest(path: Path = RESULTS) -> dict[tuple[str, str], float]:
    """By what was measured and its unit, the newest saved value; empty where none is saved."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found: dict[tuple[str, str], float] = {}
    for what, value, unit in re.findall(r"^\| (.+?) \| ([-\d.,e+]+) ?(.*?) \|", text, re.MULTILINE):
        found.setdefault((what, unit), float(value.replace(",", "")))
    return found


def compare(figures: Sequence[Figure], saved: Mapping[tuple[str, str], float]) -> None:
    """Print figures beside the saved ones."""
    width = max((len(figure.what) for figure in figures), default=0)
    for figure in figures:
        before = saved.get((figure.what.replace("|", "/"), figure.unit))
        if before is not None:
            change = f"  {figure.value / before:6.2f} of it" if before else ""
            print(f"{figure.what:<{width}}  {number(figure.value):>10} {figure.unit:<14}  was {number(before):>10}{change}")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def _memory_gb() -> str:
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GB" if hasattr(os, "sysconf") else "memory unknown"


def _commit() -> str:
    """The commit, with a mark where the files differ from it."""
    try:
        run = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
        return subprocess.run(run, cwd=RESULTS.parent, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"version {version('bloompy')}"
