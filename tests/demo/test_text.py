"""The demo's input and its check."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import pytest

from bloompy.tools.demo.text import counts_in, difference, input_files, plain_count, stored_names


def test_without_files_the_standard_library_is_counted() -> None:
    names = {path.name for path in input_files([])}
    assert {"ast.py", "typing.py", "abc.py"} <= names


def test_a_python_without_library_sources_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(click.ClickException, match="name files to count"):
        input_files([])


def test_files_of_one_name_get_names_of_their_own() -> None:
    paths = [Path("a/x.txt"), Path("b/x.txt"), Path("c/x.txt"), Path("c/y")]
    assert stored_names(paths) == {"x.txt": paths[0], "x-2.txt": paths[1], "x-3.txt": paths[2], "y": paths[3]}


def test_the_plain_count(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one two\r\ntwo  \xff\n")
    (tmp_path / "b").write_bytes(b"two\n\n")
    assert plain_count([tmp_path / "a", tmp_path / "b"]) == Counter(one=1, two=3, **{"\ufffd": 1})


def test_counts_are_read_back_and_compared() -> None:
    assert counts_in(["a\t2\n", "b\tc\t1\n"]) == Counter({"a": 2, "b\tc": 1})
    assert difference(Counter(a=1), Counter(a=1)) is None
    wrong = difference(Counter(a=1, c=2), Counter(a=2, b=1))
    assert wrong == "3 words are counted wrongly: 'a' 1 times, not 2, 'b' 0 times, not 1, 'c' 2 times, not 0"
    with pytest.raises(ValueError, match="invalid literal"):
        counts_in(["no tab\n"])
