"""`bloompy check` and `bloompy plot`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from bloompy.tools.commands import main

CART = '''from bloompy import Bloom, interface, rule, table


class Cart(Bloom):
    add = interface.input("cart, item")
    remove = interface.input("cart, item")
    held = table("cart, item")

    @rule
    def keep(self):
        self.held <= self.add
        self.held <- self.remove


class Calm(Bloom):
    add = interface.input("cart, item")
    held = table("cart, item")

    @rule
    def keep(self):
        self.held <= self.add


class Odd(Calm):
    unread = interface.input("cart")
    never = interface.output("cart")
'''


@pytest.fixture
def carts(tmp_path):
    path = tmp_path / "my_carts.py"
    path.write_text(CART)
    return path


def run(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_a_confluent_program_ends_with_0(carts):
    done = run("check", f"{carts}:Calm")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "Calm: 0 points of order, 0 warnings, 1 note, 1 of 1 rule monotone")


def test_points_of_order_end_with_1(carts):
    done = run("check", f"{carts}:Cart")
    assert done.exit_code == 1
    assert "my_carts.py:12: deletes from held   [deletion, Cart.keep]" in done.stdout


def test_warnings_end_with_1(carts):
    done = run("check", f"{carts}:Odd")
    assert done.exit_code == 1
    assert "no rule fills it" in done.stdout


def test_what_is_allowed_ends_with_0_and_what_is_allowed_in_vain_with_1(carts):
    assert run("check", f"{carts}:Cart", "--allow", "held").exit_code == 0
    assert run("check", f"{carts}:Cart", "--allow", "other,held").exit_code == 1
    assert run("check", f"{carts}:Calm", "--allow", "held").exit_code == 1


def test_a_list_of_what_is_allowed_may_give_reasons(carts, tmp_path):
    allowed = tmp_path / "order.txt"
    allowed.write_text("# what the log settles\n\nheld  # all changes go through one log\n")
    done = run("check", f"{carts}:Cart", "--allow-file", allowed)
    assert done.exit_code == 0
    assert "Accepted by 'held': 1 (all changes go through one log)" in done.stdout


@pytest.mark.parametrize("target", ["nowhere:Cart", "{carts}:Absent", "no_colon"])
def test_what_cannot_be_loaded_ends_with_2(carts, target):
    assert run("check", target.format(carts=carts)).exit_code == 2


def test_wrong_options_end_with_2(carts):
    assert run("check", f"{carts}:Cart", "--json", "--html").exit_code == 2
    assert run("check", f"{carts}:Cart", "--changing", "add").exit_code == 2


def test_json_can_be_read(carts):
    done = run("check", f"{carts}:Cart", "--json")
    data = json.loads(done.stdout)
    assert (done.exit_code, data["program"], data["confluent"]) == (1, "Cart", False)


def test_html_holds_the_report_and_the_picture(carts):
    done = run("check", f"{carts}:Cart", "--html")
    assert done.exit_code == 1
    assert done.stdout.startswith("<!doctype html>")
    assert "deletes from held" in done.stdout
    assert "<svg " in done.stdout


@pytest.mark.parametrize(
    ("format_", "part"),
    [("svg", "<svg "), ("dot", 'digraph "Cart"'), ("mermaid", "flowchart LR"), ("html", "<!doctype html>"), ("text", "remove <- → held")],
)
def test_a_dataflow_is_drawn_in_each_format(carts, format_, part):
    done = run("plot", f"{carts}:Cart", "--format", format_)
    assert done.exit_code == 0
    assert part in done.stdout


def test_a_part_of_a_dataflow(carts):
    assert "remove" not in run("plot", f"{carts}:Cart", "--around", "add", "--format", "text").stdout
    assert "remove" in run("plot", f"{carts}:Cart", "--around", "add", "--steps", "2", "--format", "text").stdout
    absent = run("plot", f"{carts}:Cart", "--around", "absent")
    assert absent.exit_code == 2
    assert "no collection 'absent'" in absent.output


@pytest.mark.parametrize("target", ["bloompy_fs.namenode:NameNode", "bloompy_mr.jobtracker:JobTracker"])
def test_the_programs_of_the_tree_have_no_warning(target):
    done = run("check", target)
    assert done.exit_code == 1
    assert ", 0 warnings, " in done.stdout.splitlines()[0]
