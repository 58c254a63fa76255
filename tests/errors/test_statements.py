"""Statements that are none: operators in the wrong place, and everything that looks like a rule."""

from __future__ import annotations

import pytest

from bloompy import exec_source
from bloompy.errors import IllegalOperator, RuleError, UnsupportedStatement
from tests.errors.reading import check, read

ROWS = "((l.src, 1) for l in self.link)"

OPERATORS = [
    (f"self.message <= {ROWS}", "self.message", "<= into the channel message", "a channel takes <~"),
    (f"self.message <+ {ROWS}", "self.message", "<+ into the channel message", "a channel takes <~"),
    (f"self.back <= {ROWS}", "self.back", "<= into the loopback back", "a loopback takes <~"),
    ("self.out <= 'a'", "self.out", "<= into the stdio out", "a stdio takes <~"),
    (f"self.s <- {ROWS}", "self.s", "<- into the scratch s", "only rows of a table persist"),
    (f"self.s <+- {ROWS}", "self.s", "<+- into the scratch s", "a scratch takes <= <+"),
    (f"self.s <~ {ROWS}", "self.s", "<~ into the scratch s", "only channels, loopbacks and stdio take <~"),
    (f"self.made <- {ROWS}", "self.made", "<- into the output made", "an output takes <= <+"),
    ("self.kvs.put <- self.s", "self.kvs.put", "<- into the input kvs.put", "an input takes <= <+"),
    (f"self.link <~ {ROWS}", "self.link", "<~ into the table link", "a table takes <= <+ <- <+-"),
    ("self.timer <= (1, 2.0)", "self.timer", "<= into the periodic timer", "filled by its timer"),
    ("self.dead_letter <= self.dead_letter", "self.dead_letter", "dead_letter is filled by the node", "rules only read it"),
    ("t = self.s\nt <= self.s", "t", "<= into the temporary t", "a temporary is assigned once"),
]


@pytest.mark.parametrize(("rule", "caret", "message", "hint"), OPERATORS, ids=[case[0] for case in OPERATORS])
def test_an_operator_that_the_collection_does_not_take(rule: str, caret: str, message: str, hint: str) -> None:
    check(rule, IllegalOperator, caret, message, hint)


LOOK_ALIKES = [
    ("self.s <= self.one <= self.number", "self.number", "a chain of comparisons", "write two statements, one for each collection"),
    ("self.s <= self.link == 3", "3", "a chain of comparisons", "a condition belongs inside the query"),
    ("self.s <= 1 < 2", "2", "a chain of comparisons", "into brackets"),
    ("self.link <- self.link if self.limit else self.q", "self.limit", "`if … else` around a statement", "(self.a <= b) if p else c"),
    ("self.s <= self.link or self.q", "self.q", "`or` after a statement", "write one statement for each"),
    ("self.s <= self.link and self.q", "self.q", "`and` after a statement", "a condition belongs inside the query"),
    ('self.s <= ("a", 1), ("b", 2)', 'self.s <= ("a", 1), ("b", 2)', "rows without brackets", "[(…), (…)]"),
    ('self.s <+ ("a", 1), ("b", 2)', 'self.s <+ ("a", 1), ("b", 2)', "rows without brackets", "[(…), (…)]"),
    ('self.s <= "a", 1', 'self.s <= "a", 1', "a row without brackets", "(…, …)"),
    ("self.s = [(1, 2)]", "self.s = [(1, 2)]", "assignment to self.s", "write self.s <= query"),
    ("self.s: int = 3", "self.s: int = 3", "assignment to self.s", "write self.s <= query"),
    ("self.s += [(1, 2)]", "self.s += [(1, 2)]", "augmented assignment to self.s", "write self.s <= query"),
    ("t = self.s\nt += self.s", "t += self.s", "augmented assignment to t", "assigned once"),
    ("t = self.s\nt = self.s", "t = self.s", "'t' is assigned twice", "a name of its own"),
    ("a = b = self.s", "a = b = self.s", "two names for one temporary", "one name = query for each"),
    ("a, b = self.s", "a, b = self.s", "something other than one name", "name = query"),
    ("t: int = self.s", "t: int = self.s", "a temporary with an annotation", "name = query"),
    ("for l in self.link: pass", "for l in self.link: pass", "a for loop", "self.collection <= (… for row in self.other)"),
    ("while self.limit: pass", "while self.limit: pass", "a while loop", "a recursive rule"),
    ("if self.limit: pass", "if self.limit: pass", "an if statement", "put the condition into the query"),
    ("with self.limit: pass", "with self.limit: pass", "a with statement", ".insert(…) the result"),
    ("import os", "import os", "an import", "at the top of the module"),
    ("assert self.limit", "assert self.limit", "an assert", "@invariant"),
    ("del self.s", "del self.s", "a del statement", "self.table <- query"),
    ("return self.s", "return self.s", "a return", "rules return nothing"),
    ("raise ValueError", "raise ValueError", "a raise", "@invariant"),
    ("pass", "pass", "a pass", "a docstring alone"),
    ("yield self.s", "yield self.s", "a yield", "rules return nothing"),
    ("(t := self.s)", "t := self.s", "an assignment expression", "write t = query"),
    ("def f(): pass", "def f(): pass", "a function inside a rule method", "define it in the module"),
    ("self.s.insert((1, 2))", "self.s.insert((1, 2))", "a call of self.s.insert", "write self.s <+ query"),
    ("self.link.delete((1, 2))", "self.link.delete((1, 2))", "a call of self.link.delete", "write self.link <- query"),
    ("self.link.upsert((1, 2, 3))", "self.link.upsert((1, 2, 3))", "a call of self.link.upsert", "write self.link <+- query"),
    ("print(self.s)", "print(self.s)", "a call of print", "out = stdio()"),
    ("f(3)", "f(3)", "a call of f is no statement", "call it inside a query"),
    ("self.s < (l for l in self.s)", "self.s < (l for l in self.s)", "< alone is no operator", "did you mean self.s <= query?"),
    ("self.s << [(1, 2)]", "self.s << [(1, 2)]", "<< is no operator", "write self.s <= query"),
    ("self.s > [(1, 2)]", "self.s > [(1, 2)]", "> is no operator", "<= <+ <- <+- <~"),
    ("self.s == [(1, 2)]", "self.s == [(1, 2)]", "== is no operator", "<= <+ <- <+- <~"),
    ("self.s <= +self.s", "+self.s", "<=+ is no operator", "<= <+ <- <+- <~"),
    ("self.s <=+ (s for s in self.s)", "+ (s for s in self.s)", "<=+ is no operator", "<= <+ <- <+- <~"),
    ("self.one <+ (-1)", "-1", "could be <+ of a negative value, or <+-", "<+ [(-…,)]"),
    ("self.one <+ -1", "-1", "could be <+ of a negative value, or <+-", "<+ [(-…,)]"),
    ("self.link", "self.link", "a query that fills nothing", "under @invariant"),
    ("(l for l in self.link)", "(l for l in self.link)", "a query that fills nothing", "under @invariant"),
    ("f(self) <= self.s", "f(self)", "the left side is no collection", "write self.collection <= query"),
]


@pytest.mark.parametrize(("rule", "caret", "message", "hint"), LOOK_ALIKES, ids=[case[0] for case in LOOK_ALIKES])
def test_what_looks_like_a_rule_and_is_none(rule: str, caret: str, message: str, hint: str) -> None:
    check(rule, UnsupportedStatement, caret, message, hint)


QUERIES = [
    ("self.s <= self.link | self.q", "self.link | self.q", "an operation on whole collections", "one statement for each"),
    ("self.s <+ self.link | self.q", "self.link | self.q", "an operation on whole collections", "one statement for each"),
    ("self.s <= self.link - self.q", "self.link - self.q", "an operation on whole collections", "`not in`"),
    ("self.s <= {1: 2}", "{1: 2}", "is no query", "rows are tuples"),
    ("self.s <= {k: 1 for k in self.one}", "{k: 1 for k in self.one}", "is no query", "rows are tuples"),
    ("self.s <= []", "[]", "a display without rows", "leave the statement out"),
    ("self.s <= [*self.s]", "*self.s", "is no query", "write a query"),
    ("self.s <= (lambda: 3)", "lambda: 3", "is no query", "without lambda"),
    ("self.number <= range(3)", "range(3)", "is no query", "(value for value in range(3))"),
    ("self.number <= map(f, self.one)", "map(f, self.one)", "is no query", "write what it does as a query: (… for row in self.collection)"),
    ("self.s <= set(self.given)", "set(self.given)", "is no query", "write the query itself, without set(…)"),
    ("self.s <= list(x for x in self.s)", "list(x for x in self.s)", "is no query", "without list(…)"),
    ("self.s <= f(3)", "f(3)", "is no query", "(row for row in f(3))"),
    ("self.s <= t\nt = self.s", "t", "is no query", "assign the temporary t above"),
    ("self.s <= ((l.src, (z := 3)) for l in self.link)", "z := 3", "an assignment expression", "for w in (expression,)"),
    ("self.s <= ((a, b) for a, *b in self.link)", "*b", "a * in a pattern", "for a, b, _ in"),
    ("self.s <= ((*f(l), 1) for l in self.link)", "*f(l)", "whose width is not known", "unpack a row"),
    ("self.s <= ((v, 1) for l in self.link for v in l)", "l", "over the columns of one row", "name the column"),
    ("self.s <= ((l.src, 1) for l in self.link if 1 < l.cost + 1 in self.one)", "1 < l.cost + 1 in self.one", "a chain", "`and`"),
    ("self.s <= ((l.src, f(x.x for x in self.one)) for l in self.link)", "(x.x for x in self.one)", "inside an expression", "a temporary"),
    ("self.s <= ((l.src, self.one.insert(3)) for l in self.link)", "self.one.insert", "no place in a rule", "self.one <+ query"),
    ("self.s <= ((l.src, f(lambda w: self.q[w].v)) for l in self.link)", "self.q[w]", "a lookup inside a lambda", ".get(key, default)"),
    ("self.s <= ((l.src, f(w for w in l.src if any(x.x for x in self.one))) for l in self.link)", "any(x.x for x in self.one)", "inside a Python comprehension", "`key in self.collection`"),
    ("self.s <= ((l.src, time.time()) for l in self.link)", "time.time", "no place in a rule", "self.now is the time of the tick"),
    ("self.s <= ((l.src, datetime.datetime.now()) for l in self.link)", "datetime.datetime.now", "no place in a rule", "self.now"),
    ("self.s <= ((l.src, random.random()) for l in self.link)", "random.random", "no place in a rule", "self.rand is one draw"),
    ("self.s <= ((l.src, random.choice(l.src)) for l in self.link)", "random.choice", "no place in a rule", "self.rand"),
    ("self.s <= ((l.src, secrets.token_hex()) for l in self.link)", "secrets.token_hex", "no place in a rule", "self.rand"),
    ("self.s <= ((l.src, uuid.uuid4()) for l in self.link)", "uuid.uuid4", "no place in a rule", "make names from self.me"),
    ("self.s <= ((l.src, os.urandom(3)) for l in self.link)", "os.urandom", "no place in a rule", "self.rand"),
    ("self.s <= ((l.src, hash(l.dst)) for l in self.link)", "hash", "no place in a rule", "zlib.crc32"),
    ("self.s <= ((l.src, f(key=id)) for l in self.link)", "id", "no place in a rule", "self.me"),
]


@pytest.mark.parametrize(("rule", "caret", "message", "hint"), QUERIES, ids=[case[0] for case in QUERIES])
def test_what_looks_like_a_query_and_is_none(rule: str, caret: str, message: str, hint: str) -> None:
    check(rule, UnsupportedStatement, caret, message, hint)


def test_bootstrap_rules_have_two_operators() -> None:
    check("self.link <- self.link", IllegalOperator, "self.link", "<- in a bootstrap method", "<= or <+", "bootstrap")
    check(f"self.message <~ {ROWS}", IllegalOperator, "self.message", "<~ in a bootstrap method", "under @rule", "bootstrap")


def test_invariants_are_bare_queries() -> None:
    check("self.s <= self.s", IllegalOperator, "self.s <= self.s", "a statement in an invariant", "bare queries", "invariant")
    check("f(3)", UnsupportedStatement, "f(3)", "holds bare queries", "what must not be", "invariant")
    check("[1, 2]", UnsupportedStatement, "[1, 2]", "holds bare queries", "what must not be", "invariant")
    check("self.limit", UnsupportedStatement, "self.limit", "self.limit is a parameter", "into the head", "invariant")


@pytest.mark.parametrize(
    ("written", "formatted"),
    [("<~", "< ~"), ("<+", "< +"), ("<-", "< -"), ("<+-", "< +-")],
)
def test_a_formatted_operator_means_the_same(written: str, formatted: str) -> None:
    target = "message" if "~" in written else "link"
    rows = "((l.src, 1) for l in self.link)" if "~" in written else "self.link"
    first = read(f"self.{target} {written} {rows}").program_ir
    second = read(f"self.{target} {formatted}{rows}").program_ir
    assert first.rules == second.rules
    assert first.rules[-1].operator == written


def test_the_sign_of_the_operator_belongs_to_the_leftmost_operand() -> None:
    program = read("self.one <+ self.step * 2 + 1").program_ir
    assert program.rules[-1].operator == "<+"
    assert program.rules == read("self.one <+ (self.step * 2 + 1)").program_ir.rules


def test_rules_without_a_decorator_are_found() -> None:
    text = "from bloompy import *\nclass P(Bloom):\n    s = scratch('a')\n    def m(self):\n        self.s <= self.s\n"
    with pytest.raises(UnsupportedStatement, match="m holds rules and is no rule method") as caught:
        exec_source(text)
    assert (caught.value.lineno, caught.value.offset) == (5, 9)
    assert caught.value.hint == "write @rule above `def m`"


def test_a_rule_method_takes_self_alone() -> None:
    text = "from bloompy import *\nclass P(Bloom):\n    @rule\n    def m(self, x):\n        pass\n"
    with pytest.raises(RuleError, match="takes more or less than `self`") as caught:
        exec_source(text)
    assert caught.value.lineno == 3
    assert "constants of the instance are params" in str(caught.value.hint)


def test_a_rule_is_no_static_method() -> None:
    text = "from bloompy import *\nclass P(Bloom):\n    @rule\n    @staticmethod\n    def m(self):\n        pass\n"
    with pytest.raises(RuleError, match="not a staticmethod") as caught:
        exec_source(text)
    assert "write @rule alone" in str(caught.value.hint)


def test_an_async_rule_method_is_refused() -> None:
    text = "from bloompy import *\nclass P(Bloom):\n    @rule\n    async def m(self):\n        '''Nothing.'''\n"
    with pytest.raises(UnsupportedStatement, match="an async rule method") as caught:
        exec_source(text)
    assert caught.value.lineno == 4
