"""The command `bloompy count`: how many rules a program has, and how many lines they take.

A rule is a statement of a `@rule` or `@bootstrap` method, a temporary among them; an invariant is a statement of an `@invariant` method. A
line is one of the source on which such a statement, or a declaration of a collection, parameter or module, stands: without comments,
blank lines, docstrings, `def` and decorators. Files are read and not imported.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import asdict, field, frozen

from bloompy.program import Bloom
from bloompy.tools.loading import load_class
from bloompy.tools.output import write_out

_RULES = {"rule", "bootstrap"}
_DECLARING = {"table", "scratch", "channel", "loopback", "periodic", "stdio", "interface", "param", "module", "lattice"}


@frozen
class Count:
    """What was counted in a class, a file or all of them.

    Attributes:
        methods: `@rule` and `@bootstrap` methods.
        rules, lines: their statements, and the lines of these.
        invariants, invariant_lines: those of `@invariant` methods.
        declarations, declaration_lines: of collections, parameters and modules.
    """

    methods: int = 0
    rules: int = 0
    lines: int = 0
    invariants: int = 0
    invariant_lines: int = 0
    declarations: int = 0
    declaration_lines: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(*(mine + its for mine, its in zip(asdict(self).values(), asdict(other).values(), strict=True)))


@frozen
class ClassCount:
    """A class that has rules or declarations, and its file."""

    file: str
    name: str
    count: Count = field(factory=Count)


def count_file(path: Path, shown: str | None = None, without: Iterable[str] = ()) -> list[ClassCount]:
    """Count the classes of a file, in their order.

    Args:
        path: of the file.
        shown: its name in the result.
        without: "Class.method" of methods to leave out.

    Raises:
        SyntaxError: for a file that is not Python.
    """
    text = path.read_text(encoding="utf-8")
    code, left_out = _lines_of_code(text), frozenset(without)
    classes = _classes(ast.parse(text, str(path)), "")
    found = [ClassCount(shown or str(path), name, _of_class(name, node, code, left_out)) for name, node in classes]
    return [one for one in found if one.count != Count()]


def count_class(program: type[Bloom]) -> list[ClassCount]:
    """Count a class with those that it inherits from; methods that are overridden are left out, and inner modules are not looked into."""
    found: list[ClassCount] = []
    seen: set[str] = set()
    for kind in program.__mro__:
        if kind is not Bloom and issubclass(kind, Bloom):
            path = Path(str(inspect.getsourcefile(kind)))
            overridden = {f"{kind.__qualname__}.{name}" for name in vars(kind) if name in seen}
            found += [one for one in count_file(path, _shown(path), overridden) if one.name == kind.__qualname__]
            seen |= set(vars(kind))
    return found


def _classes(tree: ast.AST, prefix: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield prefix + node.name, node
            yield from _classes(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes(node, f"{prefix}{node.name}.<locals>.")
        else:
            yield from _classes(node, prefix)


def _of_class(name: str, node: ast.ClassDef, code: frozenset[int], without: frozenset[str]) -> Count:
    found = Count()
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and f"{name}.{one.name}" not in without:
            found += _of_method(one, code)
        elif isinstance(one, ast.Assign | ast.AnnAssign) and _names(one.value) & _DECLARING:
            found += Count(declarations=1, declaration_lines=_lines([one], code))
    return found


def _of_method(node: ast.FunctionDef, code: frozenset[int]) -> Count:
    kinds = {name for decorator in node.decorator_list for name in _names(decorator)}
    statements = [one for one in node.body if not _is_text(one)]
    if kinds & _RULES:
        return Count(methods=1, rules=len(statements), lines=_lines(statements, code))
    if "invariant" in kinds:
        return Count(invariants=len(statements), invariant_lines=_lines(statements, code))
    return Count()


def _names(expression: ast.expr | None) -> set[str]:
    """What a decorator or a declaration calls: `interface.input(…)` calls "interface" and "input"."""
    if isinstance(expression, ast.Call):
        return _names(expression.func)
    if isinstance(expression, ast.Attribute):
        return _names(expression.value) | {expression.attr}
    return {expression.id} if isinstance(expression, ast.Name) else set()


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) or isinstance(statement, ast.Pass)


def _lines(statements: Sequence[ast.stmt], code: frozenset[int]) -> int:
    return len({line for one in statements for line in range(one.lineno, (one.end_lineno or one.lineno) + 1)} & code)


def _lines_of_code(text: str) -> frozenset[int]:
    """The lines, from 1, that are neither blank nor a comment."""
    return frozenset(number for number, line in enumerate(text.splitlines(), 1) if line.strip() and not line.lstrip().startswith("#"))


# --- what is named on the command line


def count_target(target: str) -> list[ClassCount]:
    """Count what a name stands for: a class "module:Class", a module or a package with all below it, a file or a directory.

    Raises:
        click.ClickException: for what is not there, or no Python.
    """
    if ":" in target:
        return count_class(load_class(target))
    path = _path(target)
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    try:
        return [one for file in files for one in count_file(file, _shown(file))]
    except SyntaxError as error:
        raise click.ClickException(f"{error.filename}, line {error.lineno}, is no Python: {error.msg}") from None


def _path(target: str) -> Path:
    if target.endswith(".py") or "/" in target or target and Path(target).is_dir():
        if not Path(target).exists():
            raise click.ClickException(f"there is no file {target}")
        return Path(target)
    top, *below = target.split(".")
    spec = importlib.util.find_spec(top) if top else None
    if spec is None or spec.origin is None:
        raise click.ClickException(f"there is no module {target!r}; give a module, a file, a directory, or module:Class")
    place = Path(spec.origin).parent.joinpath(*below) if spec.submodule_search_locations else Path(spec.origin)
    found = place if place.is_dir() or not below else place.with_suffix(".py")
    if not found.exists():
        raise click.ClickException(f"there is no module {target!r}: {found} does not exist")
    return found


def _shown(path: Path) -> str:
    """A file's name as a person would write it: from the working directory, or from where it would be imported."""
    for base in (Path.cwd(), *(Path(one).absolute() for one in sys.path)):
        if path.absolute().is_relative_to(base):
            return str(path.absolute().relative_to(base))
    return str(path)


# --- the command


@click.command()
@click.argument("targets", metavar="TARGET…", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
def count(targets: tuple[str, ...], as_json: bool) -> None:
    """Count rules and the lines that they take, by file and class.

    A TARGET is a module or a package with all below it (bloompy_paxos), a file, a directory, or a class with those that it inherits from
    (bloompy_paxos.multipaxos:MultiPaxos). What several targets have in common counts once.

    A rule is a statement of a rule method. Lines are those of the statements: no comments, blank lines, docstrings, `def`s.
    """
    found = merged(one for target in targets for one in count_target(target))
    if not found:
        raise click.ClickException(f"no rules in {', '.join(targets)}")
    write_out(json.dumps(_data(found), indent=1) if as_json else "\n".join(_table(found)))


def merged(counts: Iterable[ClassCount]) -> list[ClassCount]:
    """Each class once, with all of its methods that are counted anywhere in one place."""
    found: dict[tuple[str, str], ClassCount] = {}
    for one in counts:
        known = found.setdefault((one.file, one.name), one)
        if one.count.rules + one.count.invariants > known.count.rules + known.count.invariants:
            found[one.file, one.name] = one
    return list(found.values())


def total(counts: Iterable[ClassCount]) -> Count:
    """The sum."""
    return sum((one.count for one in counts), Count())


def _data(found: Sequence[ClassCount]) -> dict[str, Any]:
    classes = [{"file": one.file, "class": one.name, **asdict(one.count)} for one in found]
    return {"classes": classes, "total": asdict(total(found))}


_HEADINGS = ("methods", "rules", "lines", "invariants", "lines", "declarations", "lines")


def _table(found: Sequence[ClassCount]) -> Iterator[str]:
    rows = list(_rows(found))
    width = max(len(name) for name, _ in rows)
    yield " ".join([" " * width, *_HEADINGS])
    for name, counted in rows:
        numbers = zip(asdict(counted).values(), _HEADINGS, strict=True)
        cells = [f"{number:,}".rjust(len(heading)) if number else " " * len(heading) for number, heading in numbers]
        yield " ".join([name.ljust(width), *cells]).rstrip()


def _rows(found: Sequence[ClassCount]) -> Iterator[tuple[str, Count]]:
    """A row for each class; a file with several has one of its own."""
    for file in dict.fromkeys(one.file for one in found):
        within = [one for one in found if one.file == file]
        if len(within) == 1:
            yield f"{file}:{within[0].name}", within[0].count
        else:
            yield file, total(within)
            yield from ((f"  {one.name}", one.count) for one in within)
    yield "total", total(found)
