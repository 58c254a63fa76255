"""Each error has a code of its own, by which it is looked up."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("bloompy", "bloompy_fs", "bloompy_mr", "bloompy_paxos")


def codes() -> dict[str, list[str]]:
    """The classes that give themselves a code, by that code."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for line in one.body if isinstance(one, ast.ClassDef) else ():
                if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant) and str(line.value.value).startswith("BLM"):
                    assert isinstance(one, ast.ClassDef)
                    found[line.value.value].append(one.name)
    return found


def test_no_two_errors_have_one_code() -> None:
    found = codes()
    assert len(found) > 40
    assert {code: names for code, names in found.items() if len(names) > 1} == {}
