"""The CALM pair: the cart that depends on the order of messages, and the one that does not."""

from __future__ import annotations

from functools import partial
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloompy.analysis.monotonicity import obstacles
from bloompy.sim import Faults, Simulation
from bloompy.std import Cart, DestructiveCart, DisorderlyCart
from bloompy.std.carts import changed
from tests.std.scenarios import ACTIONS, campaign, finds, same_receipts, told

REORDERING = Faults(delay=0.5, delay_s=(0.0, 0.2))
MIX = Faults.mix(crashes=2)
BOUGHT = (("book", 1), ("pen", 1))


def shopping(cart: type[Cart]) -> tuple[Simulation, object]:
    """A shopper who knows two replicas."""
    sim = Simulation()
    shopper = sim.add(cart, "shopper")
    for name in ("r1", "r2"):
        sim.add(cart, name)
    shopper.join.insert("r1", "r2")
    sim.run(for_s=0.01)
    return sim, shopper


def receipts(sim: Simulation) -> dict:
    """By replica; asserts that there is at most one."""
    found = {one.node: one.row[1] for one in told(sim, "receipt")}
    assert len(told(sim, "receipt")) == len(found)
    return found


@pytest.mark.parametrize("cart", [DestructiveCart, DisorderlyCart])
def test_in_the_order_of_the_shopper_both_are_right(cart: type[Cart]) -> None:
    sim, shopper = shopping(cart)
    for no, (item, change) in enumerate(ACTIONS, 1):
        shopper.act.insert(("s", no, item, change))
        sim.run(for_s=0.01)
    shopper.checkout.insert(("s", len(ACTIONS)))
    sim.run(for_s=1)
    assert receipts(sim) == {"r1": BOUGHT, "r2": BOUGHT}


@pytest.mark.parametrize("cart", [DestructiveCart, DisorderlyCart])
def test_actions_and_checkout_of_one_tick(cart: type[Cart]) -> None:
    sim, shopper = shopping(cart)
    shopper.act.insert(*(("s", no, item, change) for no, (item, change) in enumerate(ACTIONS, 1)))
    shopper.checkout.insert(("s", len(ACTIONS)))
    shopper.act.insert(("other", 1, "pen", 1))
    sim.run(for_s=1)
    assert receipts(sim) == {"r1": BOUGHT, "r2": BOUGHT}


def put_in_after_it_was_taken_out(cart: type[Cart]) -> Simulation:
    """The failing schedule: the message that puts the book in reaches r2 after the one that takes it out."""
    sim, shopper = shopping(cart)
    hold = sim.hold("shopper", "r2")
    shopper.act.insert(("s", 1, "book", 1))
    sim.run(for_s=0.01)
    sim.link("shopper", "r2").holds = False
    shopper.act.insert(("s", 2, "book", -1))
    sim.run(for_s=0.01)
    hold.release()
    sim.run(for_s=0.01)
    shopper.checkout.insert(("s", 2))
    sim.run(for_s=1)
    return sim


def test_the_destructive_cart_diverges_when_messages_overtake_each_other() -> None:
    assert receipts(put_in_after_it_was_taken_out(DestructiveCart)) == {"r1": (), "r2": (("book", 1),)}


def test_the_disorderly_cart_does_not() -> None:
    assert receipts(put_in_after_it_was_taken_out(DisorderlyCart)) == {"r1": (), "r2": ()}


def checked_out_before_the_last_action(cart: type[Cart]) -> Simulation:
    """The checkout overtakes an action on its way to r2."""
    sim, shopper = shopping(cart)
    sim.hold("shopper", "r2")
    shopper.act.insert(("s", 1, "book", 1))
    sim.run(for_s=0.01)
    sim.link("shopper", "r2").holds = False
    shopper.checkout.insert(("s", 1))
    sim.run(for_s=2)
    return sim


def test_the_destructive_cart_forgets_what_comes_after_the_checkout() -> None:
    assert receipts(checked_out_before_the_last_action(DestructiveCart)) == {"r1": (("book", 1),), "r2": ()}


def test_the_disorderly_cart_waits_for_what_the_checkout_counts() -> None:
    assert receipts(checked_out_before_the_last_action(DisorderlyCart)) == {"r1": (("book", 1),), "r2": (("book", 1),)}


def test_a_cart_of_nothing_is_checked_out() -> None:
    sim, shopper = shopping(DisorderlyCart)
    shopper.checkout.insert(("s", 0))
    sim.run(for_s=1)
    assert receipts(sim) == {"r1": (), "r2": ()}


def not_monotone(cart: type[Cart]) -> list[str]:
    """The collections that rules of this class fill in a way that is not monotone; those of reliable delivery left out."""
    program = cart.program_ir
    return sorted({rule.head for rule in program.rules if "." not in rule.head and obstacles(rule, program)} - {"net.send"})


def test_the_analysis_says_where_order_matters() -> None:
    assert not_monotone(DestructiveCart) == ["after", "changes", "contents", "sold"]
    assert not_monotone(DisorderlyCart) == ["receipt"]


@pytest.mark.parametrize("order", list(permutations(range(4)))[1::4])
def test_the_disorderly_cart_has_one_receipt_whatever_comes_first(order: tuple[int, ...], evaluator: str) -> None:
    """Stepped by hand: three actions and the checkout, one a tick, in any order."""
    cart = DisorderlyCart("r", evaluator=evaluator)
    rows = [("r", "s", ("c", 1), ("pen", 2)), ("r", "s", ("c", 2), ("pen", -3)), ("r", "s", ("c", 3), ("pen", 1)), ("r", "s", ("c", 0), 3)]
    found = []
    for i in order:
        cart.net.message.insert(rows[i])
        cart.tick()
        found += cart.receipt.rows()
        cart.net.message.insert(rows[i])  # and once more
        cart.tick()
        found += cart.receipt.rows()
    assert found == [("c", (("pen", 1),))] * 2  # from the last message on


def test_the_search_finds_the_destructive_cart_out_and_not_the_other() -> None:
    assert finds(partial(same_receipts, cart=DestructiveCart), 40, REORDERING) is not None
    campaign(partial(same_receipts, cart=DisorderlyCart), 15, REORDERING)


def test_the_disorderly_cart_holds_under_all_faults() -> None:
    campaign(partial(same_receipts, cart=DisorderlyCart), 10, MIX)


@pytest.mark.slow
def test_the_disorderly_cart_holds_for_long() -> None:
    campaign(partial(same_receipts, cart=DisorderlyCart), 300, Faults.mix(crashes=4, partitions=3, disk_errors=1), 1_000)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(-2, 2))))
def test_a_cart_never_holds_less_than_nothing(actions: list[tuple[str, int]]) -> None:
    items = changed((), tuple((no, item, change) for no, (item, change) in enumerate(actions)))
    assert all(count > 0 for _, count in items)
    assert list(items) == sorted(items)
