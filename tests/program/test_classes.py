"""Class bodies as programs: inheritance, names, parameters, modules, closures."""

from __future__ import annotations

import pytest

from bloompy import Bloom, Row, exec_source, interface, key, module, param, periodic, rule, scratch, table
from bloompy.errors import DeclarationError, InheritanceConflict, ParameterError, ReservedName, SchemaError, UsageError


def line_of(error: BaseException) -> str:
    """The source line that a RuleError points at."""
    return (error.text or "").strip()  # type: ignore[attr-defined]


class Links(Bloom):
    link = table("src, dst")


class TestInheritance:
    def test_equal_declarations_of_two_parents_are_one(self):
        class Left(Bloom):
            item = table("k -> v: int")

        class Right(Bloom):
            item = table("k -> v: int")

        class Both(Left, Right):
            copy = scratch("k, v")

            @rule
            def rules(self):
                self.copy <= self.item

        both = Both()
        both.item.insert(("a", 1))
        both.tick()
        assert both.copy.rows() == {("a", 1)}

    def test_different_declarations_of_two_parents_are_an_error_that_names_both(self):
        class Left(Bloom):
            item = table("k -> v: int")

        class Right(Bloom):
            item = table("k -> v: str")

        with pytest.raises(InheritanceConflict, match=r"\[BLM103\].*Left and .*Right have different declarations named 'item'") as caught:

            class Both(Left, Right):
                pass

        assert line_of(caught.value) == 'item = table("k -> v: str")'
        assert caught.value.hint == "rename one of them"

    def test_a_subclass_cannot_change_a_declaration(self):
        with pytest.raises(InheritanceConflict, match="different declarations named 'link'"):

            class Changed(Links):
                link = table("src -> dst")

    def test_two_rule_methods_of_one_name_are_an_error_unless_overridden(self):
        class Left(Links):
            @rule
            def rules(self):
                self.link <= [("left", "l")]

        class Right(Links):
            @rule
            def rules(self):
                self.link <= [("right", "r")]

        with pytest.raises(InheritanceConflict, match="have different rule methods named 'rules'") as caught:

            class Both(Left, Right):
                pass

        assert caught.value.hint == "rename one, or override the method in a common subclass"

        class Decided(Left, Right):
            @rule
            def rules(self):
                self.link <= [("mine", "m")]

        decided = Decided()
        decided.tick()
        assert decided.link.rows() == {("mine", "m")}

    def test_a_diamond_of_mixins_has_each_rule_once(self):
        class Base(Links):
            @rule
            def rules(self):
                self.link <= [("base", "b")]

        class Left(Base):
            pass

        class Right(Base):
            @rule
            def rules(self):
                self.link <= [("right", "r")]

        class Both(Left, Right):
            pass

        assert [one.label.rpartition(".")[0].rpartition(".")[2] for one in Both.program_ir.rules] == ["Right"]

    def test_a_subclass_may_give_a_param_another_default(self):
        class Timed(Bloom):
            period_s = param(3)
            clock = periodic(period_s)

        class Faster(Timed):
            period_s = param(1)

        faster = Faster()
        faster.tick(now=0.0)
        faster.tick(now=1.0)
        assert faster.clock.rows() == {(1, 1.0)}


class TestNames:
    @pytest.mark.parametrize("name", ["me", "now", "step", "rand", "tick", "dead_letter"])
    def test_names_of_every_instance_cannot_be_collections(self, name):
        with pytest.raises(ReservedName, match=rf"\[BLM102\] '{name}' is a name of every instance"):
            type("P", (Bloom,), {name: table("k")})

    def test_a_schema_error_points_at_the_declaration(self):
        with pytest.raises(SchemaError, match="type 'Nope' of column 'k' cannot be used") as caught:

            class P(Bloom):
                item = table("k: Nope")

        assert line_of(caught.value) == 'item = table("k: Nope")'
        assert caught.value.text[caught.value.offset - 1 :].startswith('table("k: Nope")')

    def test_types_of_the_scope_of_the_declaration_can_be_columns(self):
        class Money(int):
            pass

        class P(Bloom):
            item = table("k -> price: Money")

        p = P()
        p.item.insert(("a", Money(3)))
        p.tick()
        assert p.item["a"].price == 3


class TestParameters:
    class Horizon(Bloom):
        horizon = param(10)
        item = table("n: int")
        near = scratch("n")

        @rule
        def rules(self):
            self.near <= (i.n for i in self.item if i.n < self.horizon)

    def test_a_param_is_given_to_the_instance(self):
        p = self.Horizon(horizon=2)
        p.item.insert(1, 5)
        p.tick()
        assert (p.near.rows(), p.horizon) == ({(1,)}, 2)

    def test_an_unknown_parameter_is_an_error_with_the_nearest_name(self):
        with pytest.raises(ParameterError, match="has no parameter 'horizn'; did you mean 'horizon'") as caught:
            self.Horizon(horizn=2)
        assert caught.value.hint == "it has horizon"

    @pytest.mark.parametrize("value", ["2", None, True, (2,)])
    def test_a_value_of_another_type_than_the_default_is_an_error(self, value):
        with pytest.raises(ParameterError, match=r"Horizon\(horizon=.*the default is 10") as caught:
            self.Horizon(horizon=value)
        assert caught.value.hint == "give a number"

    def test_numbers_are_given_for_numbers(self):
        assert self.Horizon(horizon=2.5).horizon == 2.5

    def test_a_param_cannot_be_set_later(self):
        p = self.Horizon()
        with pytest.raises(UsageError, match="'horizon' belongs to the program"):
            p.horizon = 3


class TestModules:
    class Counter(Bloom):
        limit = param(10)
        add = interface.input("k")
        seen = table("k")
        full = interface.output("n")

        @rule
        def rules(self):
            self.seen <+ self.add
            self.full <= (len(s.k) for s in self.seen if len(s.k) > self.limit)

    def test_each_module_has_its_own_state_and_parameters(self):
        class Outer(Bloom):
            limit = param(2)
            low = module(TestModules.Counter, limit=limit)
            high = module(TestModules.Counter)
            word = interface.input("k")
            out = scratch("which, n")

            @rule
            def rules(self):
                self.low.add <= self.word
                self.high.add <= self.word
                self.out <= (("low", f.n) for f in self.low.full)
                self.out <= (("high", f.n) for f in self.high.full)

        outer = Outer(limit=3)
        outer.word.insert("four")
        outer.tick()
        outer.tick()
        assert outer.out.rows() == {("low", 4)}
        assert (outer.low.limit, outer.high.limit) == (3, 10)
        assert outer.low.seen.rows() == outer.high.seen.rows() == {("four",)}

    def test_a_module_of_something_else_is_an_error(self):
        with pytest.raises(DeclarationError, match=r"module\(.*\) names no Bloom class"):

            class Outer(Bloom):
                inner = module(int)

    def test_a_parameter_that_the_module_does_not_have_is_an_error(self):
        with pytest.raises(DeclarationError, match="has no parameter 'limt'; did you mean 'limit'"):

            class Outer(Bloom):
                inner = module(TestModules.Counter, limt=3)


def test_a_closure_is_captured_when_the_instance_is_made():
    factor = 2

    class P(Bloom):
        item = table("n: int")
        times = scratch("n")

        @rule
        def rules(self):
            self.times <= (i.n * factor for i in self.item)

    first = P()
    factor = 10
    second = P()
    for p in (first, second):
        p.item.insert(1)
        p.tick()
    assert (first.times.rows(), second.times.rows()) == ({(2,)}, {(10,)})


def test_a_helper_method_reads_parameters_only():
    class P(Bloom):
        scale = param(3)
        item = table("n: int")
        scaled = scratch("n")

        def scaled_by(self, n):
            return n * self.scale

        @rule
        def rules(self):
            self.scaled <= (self.scaled_by(i.n) for i in self.item)

    p = P(scale=5)
    p.item.insert(2)
    p.tick()
    assert p.scaled.rows() == {(10,)}


def test_a_collection_read_on_the_class_says_what_to_do():
    with pytest.raises(UsageError, match="'link' is a declaration|link is a declaration") as caught:
        list(Links.link)
    assert caught.value.hint == "make an instance of the program first"


def test_a_row_class_with_a_default_is_refused():
    with pytest.raises(SchemaError, match="column 'cost' has a default") as caught:

        class Link(Row):
            src: str = key()
            cost: int = 0

    assert caught.value.hint == "a row gives every column; leave the default out"


EVALUATORS = pytest.mark.parametrize("evaluator", ["naive", "codegen"])


def _constant(value: int, base: type[Bloom] = Bloom) -> type[Bloom]:
    class Constant(base):
        made = interface.output("x")

        @rule
        def make(self):
            self.made <= (value,)

    return Constant


class TestScopes:
    """Each rule sees the names of its own method, however alike the classes are that meet in a program."""

    @EVALUATORS
    def test_two_modules_made_by_one_function(self, evaluator):
        class Outer(Bloom):
            first = module(_constant(1))
            second = module(_constant(2))
            got = scratch("x")

            @rule
            def read(self):
                self.got <= self.first.made
                self.got <= self.second.made

        outer = Outer(evaluator=evaluator)
        outer.tick()
        assert outer.got.rows() == {(1,), (2,)}

    @EVALUATORS
    def test_an_override_made_by_the_same_function(self, evaluator):
        program = _constant(2, _constant(1))(evaluator=evaluator)
        program.tick()
        assert program.made.rows() == {(2,)}

    @EVALUATORS
    def test_classes_of_one_name_from_two_sources(self, evaluator):
        header = "from bloompy import Bloom, rule, scratch\n"
        first = exec_source(header + "K = 1\nclass P(Bloom):\n    a = scratch('x')\n    @rule\n    def r(self): self.a <= (K,)\n")
        second = exec_source(
            header + "L = 2\nclass P(Base):\n    @rule\n    def q(self): self.a <= (L,)\n", {"__name__": first["__name__"], "Base": first["P"]}
        )
        program = second["P"](evaluator=evaluator)
        program.tick()
        assert program.a.rows() == {(1,), (2,)}

    @EVALUATORS
    def test_a_rule_method_taken_from_another_class(self, evaluator):
        class Taker(Bloom):
            made = scratch("x")
            make = vars(_constant(3))["make"]

        program = Taker(evaluator=evaluator)
        program.tick()
        assert program.made.rows() == {(3,)}

    @EVALUATORS
    def test_globals_without_a_module_name(self, evaluator):
        namespace = exec_source(
            "from bloompy import Bloom, rule, scratch\nclass P(Bloom):\n    a = scratch('x')\n    @rule\n    def r(self): self.a <= (1,)\n", {}
        )
        program = namespace["P"](evaluator=evaluator)
        program.tick()
        assert program.a.rows() == {(1,)}


class TestNothingIsPassedOver:
    def test_a_mixin_with_rules_that_is_no_bloom(self):
        class Mixin:
            @rule
            def copy(self):
                self.link <= (1, 2)

        with pytest.raises(DeclarationError, match=r"Mixin\.copy is not read: .*Mixin is no Bloom class .*\nhint: write `class Mixin\(Bloom\):`"):

            class Mixed(Mixin, Bloom):
                link = table("src, dst")

    def test_a_plain_method_over_a_rule_method(self):
        class Base(Links):
            @rule
            def copy(self):
                self.link <= (1, 2)

        with pytest.raises(InheritanceConflict, match=r"Derived\.copy would hide the rule method .*Base\.copy") as caught:

            class Derived(Base):
                def copy(self):
                    return 3

        assert line_of(caught.value) == "def copy(self):"

    def test_a_plain_value_over_a_param(self):
        class Base(Bloom):
            limit = param(1)

        with pytest.raises(InheritanceConflict, match=r"would hide the param .*Base\.limit .*\nhint: write `limit = param\(…\)`"):

            class Derived(Base):
                limit = 2
