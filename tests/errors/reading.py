"""Reads one rule inside a fixed class and gives back the error, with what its caret marks."""

from __future__ import annotations

from typing import Any

import pytest

from bloompy import errors, exec_source

CLASS = """\
import datetime, os, random, secrets, time, uuid, bloompy
from bloompy import *

def f(x):
    return x

@aggregate
def median(values):
    return sorted(values)[len(values) // 2]

class Link(Row):
    src: str = key()
    dst: str = key()
    cost: int

class Kvs(Bloom):
    put = interface.input("key, value")
    got = interface.output("key -> value")
    store = table("key -> value")

class P(Bloom):
    link = table("src, dst -> cost: int")
    typed = table(Link)
    optional = table("k -> v: int | None")
    ratio = table("k -> r: float")
    flag = table("k -> b: bool")
    s = scratch("a, b")
    one = scratch("x")
    number = scratch("n: int")
    message = channel("@dst, a")
    back = loopback("a, b")
    timer = periodic(3)
    out = stdio()
    given = interface.input("a, b")
    made = interface.output("a, b")
    kvs = module(Kvs)
    q = table("k: str -> v: int")
    limit = param(4)

    def helper(self, x):
        return x

    @{kind}
    def m(self):
        {rule}
"""


def source(rule: str, kind: str = "rule") -> str:
    """The text of the class with one rule."""
    return CLASS.replace("{kind}", kind).replace("{rule}", rule.replace("\n", "\n        "))


def read(rule: str, kind: str = "rule") -> Any:
    """The class with one rule, which is right."""
    return exec_source(source(rule, kind), {"__name__": "reading"})["P"]


def error_of(rule: str, kind: str = "rule") -> errors.RuleError:
    """The error that the class with one rule raises; its file, line and text are checked here."""
    text = source(rule, kind)
    with pytest.raises(errors.RuleError, match=r"^\[BLM\d{3}\] ") as caught:
        exec_source(text, {"__name__": "reading"}, "rules.py")
    error = caught.value
    assert isinstance(error, SyntaxError)
    assert error.filename == "rules.py"
    assert error.lineno is not None
    assert error.text == text.splitlines(keepends=True)[error.lineno - 1]
    assert f"hint: {error.hint}" in error.__notes__
    return error


def marked(error: errors.RuleError) -> str:
    """What the caret marks on its first line."""
    assert error.text is not None
    assert error.offset is not None
    assert error.end_offset is not None
    return error.text[error.offset - 1 : error.end_offset - 1]


def check(rule: str, kind: type[errors.RuleError], caret: str, message: str, hint: str, method: str = "rule") -> None:
    """A rule gives this error at this place, with this message and hint (parts of them)."""
    error = error_of(rule, method)
    assert type(error) is kind, error
    assert error.code == kind.code
    assert marked(error) == caret
    first = 1 + next(i for i, line in enumerate(CLASS.splitlines()) if "{rule}" in line)
    assert error.lineno in [first + i for i, line in enumerate(rule.splitlines()) if caret in line]
    assert message in error.message
    assert error.hint is not None
    assert hint in error.hint
