"""`bloompy count`: what is a rule, what is a line, and what a target may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from bloompy.tools.commands import main
from bloompy.tools.counting import ClassCount, Count, count_file, count_target, total

SHOP = '''"""A shop."""

import bloompy
from bloompy import Bloom, channel, interface, invariant, lattice, module, param, periodic, rule, table

LIMIT = 3


class Shelf(Bloom):
    """What is there."""

    put = interface.input("item")
    held = table("item")
    most = lattice.lmax()

    @rule
    def keep(self):
        """All of it."""
        # held(I) :- put(I).
        self.held <= self.put
        many = ((p.item,)

                # a comment within

                for p in self.put)
        self.most <= (len(m.item) for m in many)

    @bloompy.bootstrap
    def start(self):
        self.held <= ("nothing",)

    @property
    def size(self):
        return len(self.held)


class Empty:
    limit = 3

    def rule(self):
        return LIMIT


def made():
    class Shop(Shelf):
        members: tuple[str, ...] = param(())
        beat = periodic(
            1.0
        )
        told = channel("@to, item")
        inner = module(Shelf)

        @rule
        def keep(self):
            self.told <~ ((m, h.item) for b in self.beat for m in self.members
                          for h in self.held); self.held <- self.put

        @invariant
        def few(self):
            [h for h in self.held if len(h.item) > LIMIT]
            [h for h in self.held
             if h.item == ""]

        @invariant(scope="cluster")
        def same(self):
            [h for h in self.held if h.at_node == h.item]

    return Shop


Shop = made()


class Sale(Shelf):
    @rule
    def keep(self):
        self.held <= self.put

    @rule
    def sell(self):
        self.held <- self.put
'''

SHELF = Count(methods=2, rules=4, lines=5, declarations=3, declaration_lines=3)
SHOPS = Count(methods=1, rules=2, lines=2, invariants=3, invariant_lines=4, declarations=4, declaration_lines=6)
SALE = Count(methods=2, rules=2, lines=2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "shops").mkdir()
    (tmp_path / "shops" / "__init__.py").write_text("raise SystemExit('this was imported')\n")
    (tmp_path / "shops" / "shop.py").write_text(SHOP)
    (tmp_path / "my_shop.py").write_text(SHOP)
    (tmp_path / "broken.py").write_text("class\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["count", *arguments])


def test_statements_are_rules_and_their_lines_are_counted(folder: Path) -> None:
    counted = {one.name: one.count for one in count_file(folder / "my_shop.py")}
    assert counted == {"Shelf": SHELF, "made.<locals>.Shop": SHOPS, "Sale": SALE}


@pytest.mark.parametrize("target", ["shops", "shops.shop", "shops/shop.py", "./shops", "shops/"])
def test_a_target_is_a_package_a_module_a_file_or_a_directory_and_is_not_imported(folder: Path, target: str) -> None:
    counted = count_target(target)
    assert [(one.file, one.name) for one in counted] == [
        ("shops/shop.py", "Shelf"), ("shops/shop.py", "made.<locals>.Shop"), ("shops/shop.py", "Sale"),
    ]  # fmt: skip
    assert total(counted) == SHELF + SHOPS + SALE


def test_a_class_is_counted_with_what_it_inherits_and_does_not_override(folder: Path) -> None:
    assert [(one.name, one.count) for one in count_target("my_shop.py:Sale")] == [
        ("Sale", SALE), ("Shelf", Count(methods=1, rules=1, lines=1, declarations=3, declaration_lines=3)),
    ]  # fmt: skip


def test_what_two_targets_have_in_common_counts_once(folder: Path) -> None:
    once = run("my_shop.py", "--json").stdout
    assert json.loads(once)["total"]["rules"] == 8
    for targets in (["my_shop.py", "./my_shop.py"], ["my_shop.py", "my_shop.py:Shop"]):
        assert run(*targets, "--json").stdout == once
    parts = json.loads(run("my_shop.py:Shop", "my_shop.py", "--json").stdout)
    assert parts["total"] == json.loads(once)["total"]


def test_the_table(folder: Path) -> None:
    done = run("my_shop.py")
    assert done.exit_code == 0
    assert done.stdout == (
        "                     methods rules lines invariants lines declarations lines\n"
        "my_shop.py                 5     8     9          3     4            7     9\n"
        "  Shelf                    2     4     5                             3     3\n"
        "  made.<locals>.Shop       1     2     2          3     4            4     6\n"
        "  Sale                     2     2     2\n"
        "total                      5     8     9          3     4            7     9\n"
    )


def test_a_file_of_one_class_has_one_row(folder: Path) -> None:
    (folder / "one.py").write_text(SHOP.partition("class Empty")[0])
    assert "one.py:Shelf       2     4     5" in run("one.py").stdout


def test_json_can_be_read(folder: Path) -> None:
    data: dict[str, Any] = json.loads(run("my_shop.py", "--json").stdout)
    assert data["classes"][0]["class"] == "Shelf"
    assert data["total"] == {
        "methods": 5, "rules": 8, "lines": 9, "invariants": 3, "invariant_lines": 4, "declarations": 7, "declaration_lines": 9,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere", "there is no module 'nowhere'"),
        ("shops.nowhere", "there is no module 'shops.nowhere'"),
        ("no_file.py", "there is no file no_file.py"),
        ("broken.py", "broken.py, line 1, is no Python"),
        ("shops/__init__.py", "no rules in shops/__init__.py"),
        ("my_shop.py:Absent", "has no Bloom class 'Absent'"),
        ("", "there is no module ''"),
    ],
)
def test_what_cannot_be_counted_is_said(folder: Path, target: str, said: str) -> None:
    done = run(target)
    assert done.exit_code == 1
    assert said in done.output


@pytest.mark.parametrize("package", ["bloompy_paxos", "bloompy_fs", "bloompy_mr", "bloompy.std"])
def test_the_packages_of_the_distribution_can_be_counted(package: str) -> None:
    counted = count_target(package)
    assert total(counted).rules >= 20
    assert all(one.count.lines >= one.count.rules / 2 for one in counted)
    with pytest.raises(click.ClickException, match="there is no module"):
        count_target(f"{package}.no_such_file")


def test_the_synod_is_as_small_as_it_says() -> None:
    safety = [one for one in count_target("bloompy_paxos.synod:Synod") if isinstance(one, ClassCount)]
    assert total(safety).rules <= 20
