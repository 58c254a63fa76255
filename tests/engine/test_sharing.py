"""Sub-joins that rules have in common: the same results with a view for them, and a view only where it pays."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random

import pytest

from bloompy import Bloom, agg, exec_source, interface, rule, scratch, table
from bloompy.engine import prepared, sharing
from bloompy.engine.lower import lower
from bloompy.errors import KeyConflict


def views(program: type[Bloom], pays=None) -> dict[str, int]:
    """The views of a program, with the number of rules that read each."""
    lowered = sharing.shared(lower(program.program_ir, frozenset(), False), {}, pays)
    derivations = [one for component in lowered.components for one in component.derivations]
    made = [name for name in lowered.relations if name.startswith(sharing.SHARED)]
    return {name.partition(":")[2]: sum(name in {each.collection for each in one.references} for one in derivations) for name in made}


def always(part: object) -> bool:
    return True


class Nearby(Bloom):
    seen = table("no: int -> zone: int, time: int")
    zone = table("zone: int -> name: str")
    pair = scratch("a, b")
    count = scratch("zone -> n")
    named = scratch("name, b")
    equal = scratch("a, b")

    @rule
    def rules(self):
        self.pair <= ((a.no, b.no) for a in self.seen for b in self.seen if a.zone == b.zone and a.time < b.time and b.time < a.time + 3)
        self.count <= ((y.zone, agg.count()) for x in self.seen for y in self.seen if x.time < y.time and y.time < x.time + 3 and y.zone == x.zone)
        self.named <= ((z.name, q.no) for z in self.zone for p in self.seen for q in self.seen
                       if z.zone == q.zone and p.zone == q.zone and p.time < q.time and q.time < p.time + 3 and z.name > "b")
        self.equal <= ((a.no, b.no) for a in self.seen for b in self.seen if a.zone == b.zone)


def test_equal_sub_joins_that_select_get_a_view():
    assert views(Nearby) == {"a_b": 3}


def test_names_order_and_sides_make_no_difference():
    class Written(Bloom):
        a = table("k: int -> v: int")
        b = table("k: int, v: int")
        out = scratch("v")

        @rule
        def rules(self):
            self.out <= (x.v for x in self.a for y in self.b if x.k == y.k and x.v + y.v == 3)
            self.out <= (two.v for one in self.b for two in self.a if two.v + one.v == 3 and one.k == two.k)

    assert views(Written) == {"x_y": 2}


def not_shared(rules: str) -> type[Bloom]:
    text = f"""
from bloompy import Bloom, interface, rule, scratch, table

class Apart(Bloom):
    a = table("k: int -> v: int")
    b = table("k: int -> v: int, u")
    event = interface.input("k: int, v: int")
    out = scratch("v")
    more = scratch("v")
    path = scratch("v, w: int")

    @rule
    def rules(self):
{rules}
"""
    return exec_source(text)["Apart"]


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(
            """
        self.out <= (x.v for x in self.a for y in self.b if x.k == y.k)
        self.more <= (x.v for x in self.a for y in self.b if x.k == y.k)
""",
            id="an index answers it",
        ),
        pytest.param(
            """
        self.out <= (x.v for x in self.a for y in self.b if x.k == y.k and x.v != y.v)
        self.more <= (x.v for x in self.a for y in self.b if x.k == y.k and x.v != y.v)
""",
            id="most bindings pass",
        ),
        pytest.param(
            """
        self.out <= (x.v for x in self.a for y in self.b if x.k == y.k and x.v + y.v == 7)
        self.more <= (x.v for x in self.a for y in self.b if x.k == y.k and x.v + y.v == 8)
""",
            id="another constant",
        ),
        pytest.param(
            """
        self.out <= (x.v for x in self.a for y in self.b if x.k == y.k and x.v + y.u == 7)
        self.more <= (x.v for x in self.a for y in self.b if x.k == y.k and x.v + y.u == 7)
""",
            id="a condition could raise",
        ),
        pytest.param(
            """
        self.out <= (x.v for x in self.event for y in self.b if x.k == y.k and x.v + y.v == 7)
        self.more <= (x.v for x in self.event for y in self.b if x.k == y.k and x.v + y.v == 7)
""",
            id="transient rows",
        ),
        pytest.param(
            """
        self.out <= (str(x) for x in self.a for y in self.b if x.k == y.k and x.v + y.v == 7)
        self.more <= (str(x) for x in self.a for y in self.b if x.k == y.k and x.v + y.v == 7)
""",
            id="a whole row is used",
        ),
        pytest.param(
            """
        self.out <= (x.v for x in self.a for y in self.b if x.v + y.v == 7)
        self.more <= (x.v for x in self.a for y in self.b if x.v + y.v == 7)
""",
            id="no equality joins them",
        ),
        pytest.param(
            """
        self.path <= ((x.k, y.v) for x in self.a for y in self.b if x.k == y.k)
        self.path <= ((p.v, q.w) for p in self.path for q in self.path if p.w == q.v and p.v + q.w == 7)
        self.path <= ((p.v, p.w) for p in self.path for q in self.path if p.w == q.v and p.v + q.w == 7)
""",
            id="the recursion itself",
        ),
    ],
)
def test_what_is_not_shared(rules):
    assert views(not_shared(rules)) == {}


def test_a_recursive_rule_may_read_a_view_of_what_lies_below():
    program = not_shared("""
        self.path <= ((x.k, y.v) for x in self.a for y in self.b if x.k == y.k and x.v + y.v == 7)
        self.path <= ((p.v, y.v) for p in self.path for x in self.a for y in self.b if x.k == y.k and x.v + y.v == 7 and p.w == x.k)
""")
    assert views(program) == {"x_y": 2}


def test_with_debug_every_rule_tests_its_own_conditions():
    assert "a_b" in str(Nearby().explain())
    assert "a_b" not in str(Nearby(debug=True).explain())


def test_a_shared_view_explains_itself():
    explained = Nearby().explain()
    [view] = [one for one in explained.strata if one.title == "a_b"]
    assert view.rules[0].note == "a join that several rules have in common: they read its rows"
    assert view.relations[0].columns == "a_no, b_no -> b_zone"
    [count] = [one for one in explained.rules if one.head == "count"]
    assert [step.text for step in count.drivers[0].steps] == [
        "drive x_y of Δa_b",
        "group by x_y.b_zone",
        "insert (x_y.b_zone, agg.count()) into count",
    ]


def test_errors_name_the_rule_and_the_place_that_they_would_without_a_view():
    class Dividing(Bloom):
        seen = table("no: int -> zone: int, time: int")
        fine = scratch("a")
        wrong = scratch("a")

        @rule
        def rules(self):
            self.fine <= (a.no for a in self.seen for b in self.seen if a.zone == b.zone and a.time + b.time == 3)
            self.wrong <= (1 // a.no for a in self.seen for b in self.seen if a.zone == b.zone and a.time + b.time == 3)

    assert views(Dividing) == {"a_b": 2}
    program = Dividing()
    program.seen.insert((0, 1, 1), (2, 1, 2))
    with pytest.raises(ZeroDivisionError) as caught:
        program.tick()
    frames = []
    traceback = caught.tb
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    assert frames[-1].tb_frame.f_code.co_filename == __file__
    assert Path(__file__).read_text().splitlines()[frames[-1].tb_lineno - 1].strip().startswith("self.wrong <=")
    assert any(note.startswith("in rule Dividing.rules") for note in caught.value.__notes__)
    assert any(note.startswith("  a_b = Row(a_no=0") for note in caught.value.__notes__)


def test_a_conflict_names_the_rules_that_derive_it():
    class Conflicting(Bloom):
        seen = table("no: int -> zone: int, time: int")
        one = scratch("zone -> no")
        two = scratch("zone, no")

        @rule
        def rules(self):
            self.one <= ((a.zone, a.no) for a in self.seen for b in self.seen if a.zone == b.zone and a.time + b.time == 3)
            self.two <= ((a.zone, a.no) for a in self.seen for b in self.seen if a.zone == b.zone and a.time + b.time == 3)

    program = Conflicting()
    program.seen.insert((1, 1, 1), (2, 1, 2))
    with pytest.raises(KeyConflict, match=r"'one'|one") as caught:
        program.tick()
    assert "Conflicting.rules at" in str(caught.value)
    assert program.two.rows() == set()


# --- random programs, all sub-joins shared

TABLES = {
    "t": ("k: int -> v: int, w: int", ("k", "v", "w")),
    "s": ("x: int, y: int", ("x", "y")),
    "u": ("p: int -> q: int", ("p", "q")),
}
HEADS = [
    "self.{out} <= (({0}, {1}) {body})",
    "self.{out} <= (({0}, agg.count()) {body})",
    "self.{out} <= (({0}, agg.sum({1})) {body})",
    "self.{out} <= (({0}, agg.min({1})) {body})",
    "self.{out} <= (({0}, agg.argmax({0}, {1})) {body})",
    "self.kept <= (({0}, {1}) {body})",
    "self.deep <= (({0}, {1}) {body})",
]


def random_rules(random: Random) -> str:
    """Some rules with a sub-join in common, written in different ways."""
    joined = [(f"n{i}", random.choice("tsu")) for i in range(random.choice([2, 2, 3]))]

    def column(name: str, relation: str) -> str:
        return f"{name}.{random.choice(TABLES[relation][1])}"

    tests = [f"{column(*joined[random.randrange(i)])} == {column(*joined[i])}" for i in range(1, len(joined))]
    for _ in range(random.choice([0, 1, 1, 2])):
        (one, two), symbol = random.choices(joined, k=2), random.choice(["<", "<=", "!=", "=="])
        tests.append(f"{column(*one)} {symbol} {column(*two)}" if one != two else f"{column(*one)} {symbol} {random.randrange(4)}")
    rules = []
    for number in range(random.choice([2, 3, 4])):
        scans, conditions = list(joined), list(tests)
        if random.random() < 0.4:
            scans.append(("extra", random.choice("tsu")))
            conditions.append(f"{column(*scans[-1])} == {column(*random.choice(joined))}")
        if random.random() < 0.4:
            other = column("m", "s")
            conditions.append(f"{random.choice(['', 'not '])}any({other} == {column(*random.choice(joined))} for m in self.s)")
        if random.random() < 0.2:
            conditions.append(f"{column(*random.choice(joined))} not in self.u")
        if random.random() < 0.2:
            value = column(*random.choice(joined))
            conditions += [f"{value} > 0", f"6 // {value} > 1"]
        random.shuffle(scans)
        last = conditions[-2:] if "//" in conditions[-1] else []  # a guard stays before what it guards
        conditions = conditions[: len(conditions) - len(last)]
        random.shuffle(conditions)
        body = " ".join(f"for {name} in self.{relation}" for name, relation in scans)
        body += " if " + " and ".join([*conditions, *last])
        text = random.choice(HEADS).format(column(*random.choice(scans)), column(*random.choice(scans)), out=f"o{number}", body=body)
        for i, (name, _) in enumerate([*joined, ("extra", "")]):
            text = text.replace(f"{name}.", f"{'abcxyz'[(i + number) % 6]}{number}.").replace(f"for {name} in", f"for {'abcxyz'[(i + number) % 6]}{number} in")
        rules.append(text)
    return "\n".join(f"        {one}" for one in rules)


def random_program(random: Random) -> str:
    tables = "\n".join(f'    {name} = table("{schema}")' for name, (schema, _) in TABLES.items())
    outs = "\n".join(f'    o{i} = scratch("a, b")' for i in range(4))
    return f"""
from bloompy import Bloom, agg, rule, scratch, table

class Shared(Bloom):
{tables}
{outs}
    kept = table("a, b")
    deep = scratch("a: int, b: int")

    @rule
    def rules(self):
{random_rules(random)}
        self.deep <= ((d.a, f.b) for d in self.deep for f in self.deep if d.b == f.a)
"""


def agree(seed: int) -> int:
    """Both evaluators, with every equal sub-join shared, on a random program and stream; how many views there were."""
    random = Random(seed)
    text = random_program(random)
    program = exec_source(text)["Shared"]
    made = len(views(program, always))
    naive, fast = program(evaluator="naive"), program()
    for _ in range(12):
        for name, (_, columns) in TABLES.items():
            for _ in range(random.choice([0, 1, 1, 3])):
                row = tuple(random.randrange(4) for _ in columns)
                operation = random.choice(["upsert", "upsert", "delete"])
                for one in (naive, fast):
                    getattr(getattr(one, name), operation)(row)
        naive.tick(now=0.0)
        fast.tick(now=0.0)
        for name in ("o0", "o1", "o2", "o3", "kept", "deep"):
            assert set(map(tuple, getattr(fast, name))) == set(map(tuple, getattr(naive, name))), f"seed {seed}, {name}:\n{text}"
    return made


@pytest.fixture
def everything_shared(monkeypatch):
    monkeypatch.setattr(prepared, "shared", partial(sharing.shared, pays=always))


def test_shared_views_change_no_result(everything_shared):
    assert sum(agree(seed) > 0 for seed in range(60)) > 40


@pytest.mark.slow
def test_shared_views_change_no_result_of_many_programs(everything_shared):
    assert sum(agree(seed) > 0 for seed in range(1000, 4000)) > 2000


def test_an_input_beside_a_shared_view(everything_shared):
    class Asked(Bloom):
        a = table("k: int -> v: int")
        b = table("k: int -> v: int")
        ask = interface.input("v: int")
        answer = scratch("v, w")
        total = scratch("-> n")
        most = scratch("-> n")

        @rule
        def rules(self):
            self.total <= (agg.count() for x in self.a for y in self.b if x.k == y.k and x.v < y.v)
            self.most <= (agg.max(y.v) for x in self.a for y in self.b if x.k == y.k and x.v < y.v)
            self.answer <= ((x.v, y.v) for q in self.ask for x in self.a for y in self.b if x.k == y.k and x.v < y.v and q.v == x.v)

    program = Asked()
    program.a.insert((1, 1), (2, 2))
    program.b.insert((1, 3), (2, 1))
    program.ask.insert(1, 2)
    program.tick()
    assert (program.answer.rows(), program.total.rows(), program.most.rows()) == ({(1, 3)}, {(1,)}, {(3,)})
    program.b.upsert((2, 9))
    program.tick()
    assert (program.answer.rows(), program.total.rows(), program.most.rows()) == (set(), {(2,)}, {(9,)})
