"""The architecture as a test: imports go only downwards, importing bloompy is light, and names follow the layout."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Lowest first. A module may import from its own layer and from those above it in this list.
LAYERS = [
    ["bloompy.span", "bloompy.errors", "bloompy.durability", "bloompy.display"],
    ["bloompy.lattices"],
    ["bloompy.schema"],
    ["bloompy.ir"],
    ["bloompy.declarations", "bloompy.agg"],
    ["bloompy.lang", "bloompy.analysis"],
    [f"bloompy.pictures.{name}" for name in ("svg", "layered", "dataflow", "dataflow_svg", "dataflow_text")],  # others draw runs
    ["bloompy.engine"],
    ["bloompy.program"],
    ["bloompy.transports", "bloompy.stores", "bloompy.runtime"],
    ["bloompy"],  # the public names
    ["bloompy.sim", "bloompy.testing", "bloompy.std", "bloompy.pictures"],
    ["bloompy.tools", "bloompy.__main__"],
    ["bloompy_paxos"],
    ["bloompy_fs"],
    ["bloompy_mr"],
]


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the distribution with its file."""
    for package in ("bloompy", "bloompy_fs", "bloompy_mr", "bloompy_paxos"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def within(module: str, prefix: str) -> bool:
    """Whether a module is the prefix or below it; "bloompy" stands for its own `__init__` only."""
    return module == prefix or (prefix != "bloompy" and module.startswith(prefix + "."))


def layer(module: str) -> int:
    """The number of a module's layer; the longest prefix decides."""
    best = max(
        ((len(prefix), number) for number, names in enumerate(LAYERS) for prefix in names if within(module, prefix)),
        default=None,
    )
    assert best is not None, f"{module} belongs to no layer: add it to LAYERS"
    return best[1]


def imported(path: Path, module: str) -> Iterator[tuple[str, int]]:
    """The modules of this distribution that a file imports anywhere (also inside functions), with the line."""
    known = {name for name, _ in modules()}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} line {node.lineno}: imports are absolute"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else str(node.module) for name in inner]
        else:
            continue
        for name in names:
            if name.split(".")[0].startswith("bloompy"):
                yield name, node.lineno


@pytest.mark.parametrize(("module", "path"), [pytest.param(*each, id=each[0]) for each in modules()])
def test_imports_go_only_downwards(module: str, path: Path) -> None:
    upwards = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for name, line in imported(path, module)
        if layer(name) > layer(module)
    ]
    assert not upwards


def test_the_file_system_does_not_know_mapreduce() -> None:
    for module, path in modules():
        if module.startswith("bloompy_fs"):
            assert not [name for name, _ in imported(path, module) if name.startswith("bloompy_mr")]


def test_an_upward_import_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def f():\n    from bloompy.program import Bloom\n")
    names = [name for name, _ in imported(wrong, "bloompy.ir.wrong")]
    assert [layer(name) > layer("bloompy.ir.wrong") for name in names] == [True]


OPTIONAL = ["IPython", "ipykernel", "nbclient", "hypothesis", "pytest", "duckdb", "psutil", "mypy", "numpy", "click"]
OPTIONAL += ["bloompy_fs", "bloompy_mr", "bloompy_paxos"]


def in_a_new_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_importing_bloompy_imports_nothing_optional() -> None:
    loaded = json.loads(in_a_new_python("import sys, json, bloompy; bloompy.Bloom; print(json.dumps(sorted(sys.modules)))"))
    assert "bloompy.program" in loaded
    assert [name for name in OPTIONAL if name in loaded] == []


def test_the_pytest_entry_point_imports_nothing_of_the_language() -> None:
    loaded = json.loads(in_a_new_python("import sys, json, bloompy.testing.entry; print(json.dumps(sorted(sys.modules)))"))
    assert [name for name in loaded if name.startswith("bloompy")] == ["bloompy", "bloompy.testing", "bloompy.testing.entry"]


def test_every_public_name_is_there() -> None:
    code = "import json, bloompy; from bloompy import *; print(json.dumps([repr(getattr(bloompy, name)) for name in bloompy.__all__]))"
    assert len(json.loads(in_a_new_python(code))) == len(set(dir(__import__("bloompy"))) & set(__import__("bloompy").__all__))


def test_the_command_line_loads_its_groups_when_they_are_named() -> None:
    code = """
import sys
from click.testing import CliRunner
from bloompy.tools.commands import main
done = CliRunner().invoke(main, ["--help"])
assert done.exit_code == 0, done.output
print("bloompy_fs" in sys.modules, "bloompy_mr" in sys.modules)
"""
    assert in_a_new_python(code).split() == ["False", "False"]


def test_packages_have_a_py_typed_mark() -> None:
    for package in {module.split(".")[0] for module, _ in modules()}:
        assert (ROOT / package / "py.typed").exists(), package
