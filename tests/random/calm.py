"""Random programs for the analysis of order: small, mostly monotone, with every kind of thing that it has to judge.

What it calls confluent must end alike under all schedules that are tried. Programs of `tests.random.programs` are judged as well;
few of them are confluent. `python -m tests.random.calm` runs many.
"""

from __future__ import annotations

import sys
from collections import Counter
from random import Random
from typing import Any

import click
from attrs import evolve

from bloompy import Bloom, BloomError, exec_source
from bloompy.analysis.checking import check
from bloompy.ir.nodes import Program
from bloompy.testing.confluence import check_confluence, runs_of
from tests.random.programs import HEADER, Source, Statement, random_source

BLOCK = 250
OF_THE_OUTSIDE = ("input", "channel", "loopback", "stdio")


def calm_source(random: Random) -> str:
    """A small program as text."""
    return _Writer(random).text()


class _Writer:
    """Collections with one or two columns of small integers, and rules over them."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.columns: dict[str, list[str]] = {}
        self.lattice: dict[str, str] = {}
        self.keyed: set[str] = set()
        self.declared: list[str] = []
        self.readable: list[str] = []
        self.level: dict[str, int] = {}

    def text(self) -> str:
        """The class P."""
        self._declare()
        rules = [f"    @{kind}\n    def r{i}(self):\n        {line}" for i, (kind, line) in enumerate(self._rules())]
        body = "\n".join(f"    {line}" for line in self.declared)
        return f"{HEADER}from bloompy import lattice\nclass P(Bloom):\n{body}\n" + "\n".join(rules) + "\n"

    def _declare(self) -> None:
        pick = self.random.random
        self._add("cfg", "table", 2, 0, pick() < 0.3)
        for i in range(self.random.choice([1, 1, 2])):
            self._add(f"i{i}", "interface.input", self.random.choice([1, 2]), 0, pick() < 0.2, pick() < 0.15)
        if pick() < 0.5:
            self._add("c", "channel", 2, 0, pick() < 0.2, pick() < 0.2)
        if pick() < 0.3:
            self._add("l", "loopback", self.random.choice([1, 2]), 0, pick() < 0.2)
        if pick() < 0.3:
            self.declared.append("tm = periodic(2)")
            self.columns["tm"], self.level["tm"] = ["no", "time"], 0
        for i in range(self.random.choice([1, 2, 2, 3])):
            self._add(f"t{i}", "table", self.random.choice([1, 2, 2]), self.random.randint(1, 3), pick() < 0.4, pick() < 0.3)
        for i in range(self.random.choice([0, 1, 2, 3])):
            self._add(f"s{i}", "scratch", self.random.choice([1, 2, 2]), self.random.randint(1, 3), pick() < 0.25, pick() < 0.25)
        if pick() < 0.5:
            self._add("o", "interface.output", self.random.choice([1, 2]), 4, pick() < 0.2)

    def _add(self, name: str, kind: str, width: int, level: int, keyed: bool, lattice: bool = False) -> None:
        names = ["a", "b"][:width]
        value = f": {self.random.choice(['lmax', 'lmin', 'lset'])}" if lattice and width == 2 else ""
        arrow = " -> " if (keyed or value) and width == 2 else ", "
        to = "@to, " if kind == "channel" else ""
        self.declared.append(f'{name} = {kind}("{to}{arrow.join(names)}{value}")')
        self.columns[name], self.level[name] = names, level
        if value:
            self.lattice[name] = value[2:]
        elif arrow == " -> ":
            self.keyed.add(name)

    def _rules(self) -> list[tuple[str, str]]:
        heads = [name for name in self.columns if name[0] in "tsocl" and name not in ("tm", "cfg")]
        found = []
        for head in heads:
            for _ in range(self.random.choice([1, 1, 2])):
                found.append(self._rule(head))
        if self.random.random() < 0.2:
            head = self.random.choice([name for name in heads if name[0] in "ts"])
            found.append(("bootstrap", f"self.{head} <= [{self._tuple([str(self.random.randint(0, 2)) for _ in self.columns[head]])}]"))
        return found

    def _rule(self, head: str) -> tuple[str, str]:
        operator = "<=" if head[0] in "tso" else "<~"
        if head[0] in "ts" and self.random.random() < 0.2:
            operator = "<+"
        if head[0] == "t" and self.random.random() < 0.15:
            operator = self.random.choice(["<-", "<-", "<+-"])
        level = self.level[head] if operator == "<=" else 9
        below = [name for name in self.columns if name != "o" and self.level[name] <= level]
        strictly = [name for name in below if self.level[name] < level]
        return "rule", f"self.{head} {operator} {self._query(head, below, strictly, operator)}"

    def _query(self, head: str, below: list[str], strictly: list[str], operator: str) -> str:
        sources = [self.random.choice(below)]
        while len(sources) < 3 and self.random.random() < 0.3:
            sources.append(self.random.choice(below))
        if operator == "<-" and self.random.random() < 0.7:
            sources[0] = head
        clauses, values = [], []
        for i, source in enumerate(sources):
            name = "xyz"[i]
            clauses.append(f"for {name} in self.{source}")
            if source == "tm":
                values += [f"{name}.no % 3"] if self.random.random() < 0.1 else []
                continue
            fields = [f"{name}.{column}" for column in self.columns[source]]
            if i and values and self.random.random() < 0.7:
                clauses.append(f"if {fields[0]} == {self.random.choice(values)}")
            if source in self.lattice:
                kind, value = self.lattice[source], fields.pop()
                clauses += [f"if {value} > 1"] if self.random.random() < 0.2 and kind == "lmax" else []
                if kind == "lset" and self.random.random() < 0.3:
                    clauses.append(f"for w{i} in {value}")
                    fields.append(f"w{i}")
                elif head in self.lattice and self.lattice[head] == kind and self.random.random() < 0.8:
                    values += fields
                    return self._finish(head, clauses, values, strictly, value)
                elif self.random.random() < 0.1:
                    fields.append(f"{value}" if kind != "lset" else f"len({value})")
            values += fields
        return self._finish(head, clauses, values, strictly, "")

    def _finish(self, head: str, clauses: list[str], values: list[str], strictly: list[str], value: str) -> str:
        pick = self.random.random
        values = values or ["1"]
        if pick() < 0.15:
            clauses.append(f"if {self.random.choice(values)} {self.random.choice(['<', '>', '!='])} {self.random.randint(0, 2)}")
        plain = [name for name in strictly if name not in ("tm", "c") and len(self.columns[name]) == 1 or name in self.keyed]
        if plain and pick() < 0.15:
            clauses.append(f"if {self.random.choice(values)} {self.random.choice(['in', 'not in', 'in'])} self.{self.random.choice(plain)}")
        if strictly and pick() < 0.06:
            other = self.random.choice([name for name in strictly if name != "tm"])
            clauses.append(f"if {self.random.choice(['any', 'not any'])}(q.a == {self.random.choice(values)} for q in self.{other})")
        if pick() < 0.03:
            clauses.append("if self.step > 2")
        columns = [self.random.choice(values) for _ in self.columns[head]]
        if pick() < 0.4:
            columns = (values * 2)[: len(columns)]
        if pick() < 0.1:
            columns[-1] = f"({columns[-1]} + 1) % 4"
        if pick() < 0.03:
            columns[0] = str(self.random.randint(0, 2))
        if value:
            columns[-1] = value
        elif pick() < 0.08 and all(name in strictly for name in (clause.split(".")[1] for clause in clauses if " in self." in clause and clause[:3] == "for")):
            columns[-1] = self.random.choice(["agg.count()", f"agg.max({columns[-1]})"])
        if head == "c":
            columns = ["self.me", *columns]
        return f"({self._tuple(columns)} {' '.join(clauses)})"

    @staticmethod
    def _tuple(columns: list[str]) -> str:
        return f"({', '.join(columns)}{',' if len(columns) == 1 else ''})"


def given_and_inputs(random: Random, program: Program, values: Any) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Rows for the tables that no rule fills, and for what comes from outside."""
    filled = {rule.head for rule in program.rules}
    given: dict[str, list[Any]] = {}
    inputs: dict[str, list[Any]] = {}
    for one in program.collections:
        rows = [tuple(values(random, column, one) for column in one.schema.columns) for _ in range(random.randint(1, 4))]
        if one.kind == "table" and one.name not in filled and one.name != "dead_letter":
            given[one.name] = list({one.schema.key_of(row): row for row in rows}.values())
        elif one.kind in OF_THE_OUTSIDE and "." not in one.name:
            inputs[one.name] = rows
    return given, inputs


def small_values(random: Random, column: Any, collection: Any) -> Any:
    """Values for a calm program."""
    if column.address:
        return "n1"
    return frozenset(random.choices(range(3), k=2)) if column.text == "lset" else random.randint(0, 2)


def try_one(text: str, random: Random, runs: int, values: Any = small_values, flagged: bool = True) -> tuple[str, str]:
    """What became of a program: a word, and for a wrong claim the story; without `flagged` only those called confluent are run."""
    try:
        program: type[Bloom] = exec_source(text, name="<calm>")["P"]
    except BloomError as error:
        return f"rejected {type(error).__name__}", ""
    report = check(program)
    claimed, same = report.confluent, set(report.same)
    if not claimed and not flagged and not same:
        return "flagged", ""
    given, inputs = given_and_inputs(random, program.program_ir, values)
    options: dict[str, Any] = {"given": given, "nodes": ("n1",), "runs": runs, "seed": random.randrange(10**6)}
    options["evaluator"] = random.choice(["codegen", "codegen", "codegen", "naive"])
    try:
        wrong = _same_differ(program, inputs, same, options) if same else ""
        found = check_confluence(program, inputs, confluent=None if claimed else False, **options) if claimed or flagged else None
    except AssertionError as error:
        wrong = str(error) if claimed else ""
        found = None
    except Exception as error:  # in the first tick, before any input
        return f"raised {type(error).__name__}", ""
    if wrong:
        return "WRONG", f"{text}\ngiven {given}\ninputs {inputs}\n{wrong}"
    if found is None:
        return "flagged, no difference found" if flagged else "flagged, some tables the same", ""
    if found.difference is not None:
        return "flagged, differs", ""
    return "confluent" if not found.unsettled else "confluent, some unsettled", ""


def _same_differ(program: type[Bloom], inputs: dict[str, list[Any]], same: set[str], options: dict[str, Any]) -> str:
    """Two runs, without errors, in which a table differs of which it is said that it cannot."""
    first = None
    for run in runs_of(program, inputs, **options):
        if run.outcome.errors or not run.outcome.settled:
            continue
        tables = {name: rows for (_, name), rows in run.outcome.tables.items() if name in same}
        if first is None:
            first = run, tables
        elif tables != first[1]:
            return f"said to be the same: {same}\n{first[0]}\n{first[1]}\n{run}\n{tables}"
    return ""


def of_programs(random: Random) -> tuple[str, Any]:
    """A program of `tests.random.programs` without invariants, and how to make values for it."""
    source: Source = random_source(random)

    def calm(one: Source) -> Source:
        kept: tuple[Statement, ...] = tuple(statement for statement in one.statements if statement.kind != "invariant")
        return evolve(one, statements=kept, inner=calm(one.inner) if one.inner is not None else None)

    types = {one.name: dict(zip(one.columns, one.types, strict=True)) for one in source.collections}

    def value(random: Random, column: Any, collection: Any) -> Any:
        kind = types.get(collection.name, {}).get(column.name, "i")
        return random.choice(["a", "n1"]) if kind == "s" else random.randint(0, 4) if kind == "i" else random.randint(0, 6) / 2

    return calm(source).text, value


def campaign(first: int, number: int, runs: int = 25, family: str = "calm", flagged: bool = True) -> tuple[Counter[str], list[str]]:
    """Many programs; what became of them, and the wrong claims."""
    counts: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + number):
        random = Random(seed)
        text, values = (calm_source(random), small_values) if family == "calm" else of_programs(random)
        word, story = try_one(text, random, runs, values, flagged)
        counts[word] += 1
        if story:
            wrong.append(f"seed {seed}\n{story}")
    return counts, wrong


@click.command()
@click.option("--programs", default=500, help="how many")
@click.option("--first-seed", default=0, help="the seed of the first")
@click.option("--runs", default=25, help="schedules for each")
@click.option("--family", type=click.Choice(["calm", "programs"]), default="calm", help="which random programs")
@click.option("--flagged", is_flag=True, help="search also for differences in programs with points of order")
def main(programs: int, first_seed: int, runs: int, family: str, flagged: bool) -> None:
    """Try what the analysis of order claims."""
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for first in range(first_seed, first_seed + programs, BLOCK):
        found, stories = campaign(first, min(BLOCK, first_seed + programs - first), runs, family, flagged)
        counts.update(found)
        wrong += stories
        print(*stories, f"{counts.total()}: {', '.join(f'{name}: {number}' for name, number in sorted(counts.items()))}", sep="\n", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
