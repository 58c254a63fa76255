"""Programs named on the command line: `package.module:Class` or `path/to/file.py:Class`."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from types import ModuleType

import click

from bloompy.errors import RuleError
from bloompy.program import Bloom


def load_class(target: str) -> type[Bloom]:
    """The class of a name such as "package.module:Class" or "file.py:Class".

    Modules are found as `python -m` finds them: in the working directory first. Importing runs their code.

    Raises:
        click.ClickException: for a name in another form, what cannot be imported, and what is no Bloom class.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise click.UsageError(f"{target!r} names no class: write module:Class or file.py:Class")
    found: object = _module(place)
    for part in name.split("."):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, Bloom)) or found is Bloom:
        raise click.ClickException(f"{place} has no Bloom class {name!r}{_suggestion(_module(place))}")
    return found


def load(target: str) -> object:
    """What a name such as "package.module:name" or "file.py:name" stands for; see `load_class`.

    Raises:
        click.ClickException: for a name in another form, what cannot be imported, and what is not there.
    """
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise click.UsageError(f"{target!r} names nothing: write module:name or file.py:name")
    found: object = _module(place)
    for part in name.split("."):
        if not hasattr(found, part):
            raise click.ClickException(f"{place} has no {name!r}{_suggestion(_module(place))}")
        found = getattr(found, part)
    return found


def _module(place: str) -> ModuleType:
    try:
        return _file(place) if place.endswith(".py") else _named(place)
    except RuleError as error:
        shown = "".join(traceback.format_exception_only(error)).rstrip()
        raise click.ClickException(f"{place} is no program:\n{shown}") from None
    except Exception as error:
        raise click.ClickException(f"{place} cannot be imported: {type(error).__name__}: {error}") from error


def _named(name: str) -> ModuleType:
    if sys.path[:1] not in ([""], [os.getcwd()]):
        sys.path.insert(0, os.getcwd())
    return importlib.import_module(name)


def _file(path: str) -> ModuleType:
    name = os.path.splitext(os.path.basename(path))[0]
    known = sys.modules.get(name)
    if known is not None and os.path.abspath(getattr(known, "__file__", None) or "") == os.path.abspath(path):
        return known
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # the path ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # rules look for the names of their module there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _suggestion(module: ModuleType) -> str:
    own = [name for name, value in vars(module).items() if isinstance(value, type) and issubclass(value, Bloom) and value is not Bloom]
    return f"; it has {', '.join(own)}" if own else ""
