"""Rules may be declared wherever Python has source; where it has none, the error says what to do."""

from __future__ import annotations

import doctest
import importlib
import linecache
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import bloompy
from bloompy import Bloom, exec_source, rule, scratch, table
from bloompy.errors import RuleError, SourceNotAvailable

ROOT = Path(bloompy.__file__).parents[1]

PROGRAM = """
from bloompy import Bloom, rule, table

class Doubled(Bloom):
    given = table("x: int")
    found = table("x: int")

    @rule
    def double(self):
        self.found <= (2 * g.x for g in self.given)

p = Doubled()
p.given.insert(3)
done = p.tick()
print(sorted(tuple(row) for row in p.found))
"""
WRONG = PROGRAM.replace("for g in self.given", "for g in self.gven")


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory from which modules can be imported, whose modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def load(path: Path) -> ModuleType:
    importlib.invalidate_caches()
    return importlib.import_module(path.stem)


def test_a_file(modules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = modules / "in_a_file.py"
    path.write_text(PROGRAM)
    load(path)
    assert capsys.readouterr().out == "[(6,)]\n"


def test_a_file_with_other_letters_marks_the_right_columns(modules: Path) -> None:
    path = modules / "in_other_letters.py"
    path.write_text(PROGRAM.replace("2 * g.x for g in self.given", "'äöü→' + g.y for g in self.given"), encoding="utf-8")
    with pytest.raises(RuleError, match="has no column 'y'") as caught:
        load(path)
    error = caught.value
    assert error.text is not None
    assert error.text[error.offset - 1 : error.end_offset - 1] == "g.y"  # type: ignore[operator]


def test_a_notebook_cell() -> None:
    shell_class = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    shell = shell_class()
    assert shell.run_cell("%precision 3\n" + PROGRAM).success
    assert shell.user_ns["p"].found.rows() == {(6,)}
    done = shell.run_cell(PROGRAM.replace("3)", "4)") + "\nawait_me = 1\n")
    assert done.success
    failed = shell.run_cell(WRONG)
    assert isinstance(failed.error_in_exec, RuleError)
    assert failed.error_in_exec.lineno == 9  # IPython drops the empty first line
    assert "self.gven" in str(failed.error_in_exec.text)


def test_a_cell_that_awaits() -> None:
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    assert shell.run_cell("import asyncio\nawait asyncio.sleep(0)\n" + PROGRAM).success
    assert shell.user_ns["p"].found.rows() == {(6,)}


def test_a_doctest() -> None:
    lines = PROGRAM.strip().splitlines()
    text = "".join(f"{'>>> ' if line[:1].strip() and not line.startswith(')') else '... '}{line}\n" for line in lines) + "[(6,)]\n"
    found = doctest.DocTestParser().get_doctest(text, {}, "doubled", "doubled.txt", 0)
    results = doctest.DocTestRunner(verbose=False).run(found, clear_globs=False)
    assert results.attempted > 3
    assert results.failed == 0


def run(*arguments: str, python: str = sys.executable, given: str | None = None) -> subprocess.CompletedProcess[str]:
    import attrs
    import typing_extensions

    packages = {str(Path(each.__file__ or "").parent) for each in (typing_extensions,)} | {str(Path(attrs.__file__).parents[1])}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sorted(packages)])}
    return subprocess.run([python, *arguments], input=given, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_zip_archive(tmp_path: Path) -> None:
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("__main__.py", "import doubled\n")
        zipped.writestr("doubled.py", PROGRAM)
    done = run(str(archive))
    assert done.stdout == "[(6,)]\n", done.stderr


def test_an_error_in_a_zip_archive_shows_its_line(tmp_path: Path) -> None:
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("__main__.py", WRONG)
    done = run(str(archive))
    assert "for g in self.gven)" in done.stderr
    assert "did you mean self.given?" in done.stderr


def test_python_c() -> None:
    done = run("-c", PROGRAM)
    assert done.stdout == "[(6,)]\n", done.stderr


def test_an_error_in_python_c_shows_its_line() -> None:
    done = run("-c", WRONG)
    assert 'File "<string>", line 10' in done.stderr
    assert "self.gven" in done.stderr


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_other_pythons(version: str, tmp_path: Path) -> None:
    python = next(iter(sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))), None) or shutil.which(f"python{version}")
    if python is None:
        pytest.skip(f"no Python {version} here")
    if run("-c", "import attrs, typing_extensions", python=str(python)).returncode:
        pytest.skip(f"the packages cannot be imported by Python {version}")
    assert run("-c", PROGRAM, python=str(python)).stdout == "[(6,)]\n"
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    assert run(str(path), python=str(python)).stdout == "[(6,)]\n"
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("__main__.py", PROGRAM)
    assert run(str(archive), python=str(python)).stdout == "[(6,)]\n"


def test_standard_input_has_no_source_and_the_error_says_what_to_do() -> None:
    done = run("-", given=PROGRAM)
    assert "SourceNotAvailable" in done.stderr
    assert "[BLM208] the source of Doubled.double in <stdin> cannot be found" in done.stderr
    assert "hint: put the class into a file or a notebook cell, or run its text with bloompy.exec_source(text)" in done.stderr


def test_exec_of_a_string_has_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python"])  # a process of pytest-xdist runs by -c, whose text is another "<string>"
    with pytest.raises(SourceNotAvailable, match=r"\[BLM208\] the source of Doubled.double in <string> cannot be found") as caught:
        exec(PROGRAM, {"__name__": "executed"})
    assert caught.value.filename == "<string>"
    assert caught.value.lineno == 8
    assert "bloompy.exec_source(text)" in str(caught.value.hint)


def test_exec_under_python_c_is_not_taken_for_its_text() -> None:
    done = run("-c", f"exec({PROGRAM!r})")
    assert "SourceNotAvailable" in done.stderr
    assert "bloompy.exec_source(text)" in done.stderr


def test_exec_source_keeps_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    namespace = exec_source(PROGRAM)
    assert capsys.readouterr().out == "[(6,)]\n"
    assert namespace["Doubled"].program_ir.rules[0].span.file in linecache.cache


MAKER = PROGRAM.split("p = Doubled")[0].replace("class Doubled", "def make():\n  class Doubled").replace("\n    ", "\n      ") + "  return Doubled\n"


def test_a_file_that_was_edited_after_import_is_not_read(modules: Path) -> None:
    path = modules / "edited.py"
    path.write_text(MAKER)
    made = load(path)
    assert made.make().program_ir.rules
    path.write_text(MAKER.replace("2 * g.x", "3 * g.x"))
    linecache.clearcache()
    with pytest.raises(SourceNotAvailable, match="does not hold .*Doubled.double as it was compiled") as caught:
        made.make()
    assert "edited after it was imported" in str(caught.value.hint)


def test_only_an_operator_was_edited(modules: Path) -> None:
    path = modules / "edited_operator.py"
    path.write_text(MAKER)
    made = load(path)
    path.write_text(MAKER.replace("2 * g.x", "2 + g.x"))
    linecache.clearcache()
    with pytest.raises(SourceNotAvailable, match="as it was compiled"):
        made.make()


def test_a_file_that_is_gone(modules: Path) -> None:
    path = modules / "gone.py"
    path.write_text(MAKER)
    made = load(path)
    path.unlink()
    linecache.clearcache()
    with pytest.raises(SourceNotAvailable, match="cannot be found"):
        made.make()


def test_classes_made_in_functions_see_what_is_around_them() -> None:
    def make(factor: int) -> type[Bloom]:
        class Scaled(Bloom):
            given = table("x: int")
            found = scratch("x: int")

            @rule
            def scale(self):
                self.found <= (factor * later(g.x) for g in self.given)

        return Scaled

    for factor in (2, 5):
        p = make(factor)()
        p.given.insert(3)
        p.tick()
        assert p.found.rows() == {(factor * 4,)}


def later(x: int) -> int:
    """Bound after the class above is read."""
    return x + 1


def test_two_classes_on_the_lines_of_one_another() -> None:
    first = exec_source(PROGRAM, {"__name__": "one"}, "same name.py")
    second = exec_source(PROGRAM.replace("2 *", "7 *"), {"__name__": "one"}, "same name.py")
    assert first["p"].found.rows() == {(6,)}
    assert second["p"].found.rows() == {(21,)}


def test_a_class_of_200_rules_is_read_in_well_under_a_second() -> None:
    import time

    rules = "".join(
        f"    s{i} = scratch('a, b, c')\n    @rule\n    def m{i}(self):\n"
        f"        self.s{i} <= ((l.a, s.b, l.c + s.c * 2) for l in self.link for s in self.s{i} if l.b == s.a and l.c < 10)\n"
        for i in range(200)
    )
    text = f"from bloompy import *\nclass P(Bloom):\n    link = table('a, b, c')\n{rules}"
    started = time.process_time()
    assert len(exec_source(text)["P"].program_ir.rules) == 200
    assert time.process_time() - started < 1
