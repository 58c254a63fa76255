"""The page on pytest: its tests pass, and its options are those there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[2] / "docs" / "pytest.md").read_text(encoding="utf-8")


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester) -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        name = re.match(r"# (\w+)\.py", block)
        assert name is not None
        pytester.makepyfile(**{name[1]: block})
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v", "-p", "no:xdist")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["test_register.py::test_all_learn: 30 runs in *; reached: something was written *"])


def test_the_difference_of_tables_is_the_one_shown() -> None:
    from bloompy.testing.tables import assert_rows, rows_of

    rows = rows_of("version | text\n1 | two\n2 | one")
    with pytest.raises(AssertionError, match="held|rows") as caught:
        assert_rows(rows, "version | text\n1 | one\n2 | one")
    shown = re.search(r"```text\nAssertionError: held: (.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    assert str(caught.value) == f"rows: {shown[1].rstrip()}"


def test_all_options_are_on_the_page(pytester: pytest.Pytester) -> None:
    shown = set(re.findall(r"--bloompy-\w+", pytester.runpytest("--help").stdout.str()))
    assert len(shown) == 7
    assert shown == set(re.findall(r"--bloompy-\w+", PAGE))
