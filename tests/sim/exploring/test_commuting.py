"""Which messages may as well come earlier or later: rule by rule what lets them, and what keeps them from it."""

from __future__ import annotations

import pytest

from bloompy.sim.exploring import Model
from bloompy.sim.exploring.commuting import commuting
from tests.sim.exploring.random_models import model, program

KEEPS = "self.seen <= ((t.a, t.b) for t in self.told)"


def free(*rules: str, atomic: bool = False, staged: tuple[str, ...] = ("put",)) -> set[str]:
    """The channels and inputs of the test cluster with these rules that commute with all else, of those that rules read."""
    kind = program(rules)
    assert kind is not None
    ir = kind.program_ir
    read = {name for name in ("told", "asked", "again", "put") if any(f"self.{name}" in rule.split("<", 1)[1] for rule in rules)}
    return set(commuting(ir, staged, atomic)) & read


def test_a_message_that_is_put_into_a_set_commutes() -> None:
    assert free(KEEPS) == {"told"}


def test_lattices_that_merge_and_what_follows_monotonically_commute() -> None:
    assert free("self.most <= ((t.a, t.b) for t in self.told)", "self.seen <= ((m.a, 0) for m in self.most if m.b > 1)") == {"told"}
    assert free(KEEPS, "self.view <= ((s.a, o.b) for s in self.seen for o in self.seen if s.b == o.a)",
                "self.asked <~ ((self.peer, v.a) for v in self.view)") == {"told"}  # fmt: skip


@pytest.mark.parametrize(
    "rule",
    [
        "self.last <+- ((t.a, t.b) for t in self.told)",  # replaces
        "self.last <= ((t.a, t.b) for t in self.told)",  # two rows of one key
        "self.seen <- ((t.a, t.b) for t in self.told)",  # deletes
        "self.asked <~ ((self.peer, t.a) for t in self.told for s in self.seen if s.a == t.a)",  # joins with what grows
        "self.asked <~ ((self.peer, t.a) for t in self.told if t.a not in self.last)",
        "self.asked <~ ((self.peer, t.a) for t in self.told for o in self.told if t.a == o.b)",  # two messages of one tick
        "self.most <= ((t.a, self.step) for t in self.told)",
    ],
)
@pytest.mark.parametrize("atomic", [False, True])
def test_a_message_does_not_commute_where_its_rules_do_more_than_add(rule: str, atomic: bool) -> None:
    assert free(KEEPS, "self.last <= ((q.a, 0) for q in self.asked)", rule, atomic=atomic) - {"asked"} == set()


@pytest.mark.parametrize(
    "rule",
    [
        "self.told <~ ((self.peer, s.a, 0) for s in self.seen if s.a not in self.last)",
        "self.told <~ ((self.peer, agg.count(), 0) for s in self.seen)",
        "self.most <= ((0, agg.count()) for s in self.seen)",
    ],
)
def test_a_message_does_not_commute_where_what_follows_is_not_monotone(rule: str) -> None:
    assert free(KEEPS, rule) == (set() if "agg" in rule else {"told"})
    assert free(KEEPS, "self.last <= ((t.a, 0) for t in self.told)", rule) == set()


def test_what_a_node_sends_to_itself_counts_where_it_arrives_at_once() -> None:
    rules = [KEEPS, "self.again <~ ((s.a, s.b) for s in self.seen)"]
    assert free(*rules, "self.seen <= ((a.a, 3) for a in self.again)", atomic=True) == {"told", "again"}
    assert free(*rules, "self.last <+- ((a.a, a.b) for a in self.again)", atomic=True) == set()


def test_a_view_that_is_not_monotone_does_no_harm_if_it_only_shows() -> None:
    assert free(KEEPS, "self.count <= (agg.count() for s in self.seen)") == {"told"}
    assert free(KEEPS, "self.count <= (agg.count() for s in self.seen)", "self.told <~ ((self.peer, c.number, 0) for c in self.count)") == set()


def test_a_lattice_value_that_is_sent_is_a_message_for_each_stage_of_its_growth() -> None:
    assert free("self.most <= ((t.a, t.b) for t in self.told)", "self.told <~ ((self.peer, m.a, m.b) for m in self.most)") == set()


def test_an_input_that_changes_what_a_message_is_joined_with_keeps_it() -> None:
    joins = "self.asked <~ ((self.peer, t.a) for t in self.told for s in self.seen if s.a == t.a)"
    assert free(joins) == {"told"}
    assert free(joins, "self.seen <= ((p.a, p.b) for p in self.put)") == set()
    assert free(joins, "self.seen <= ((p.a, p.b) for p in self.put)", staged=()) == {"told"}
    assert free(joins, staged=("seen",)) == set()


def test_pending_changes_share_a_tick_with_what_comes_next() -> None:
    later = "self.seen <+ ((t.a, t.b) for t in self.told)"
    assert free(later) == set()
    assert free(later, atomic=True) == {"told"}


def test_a_scratch_of_both_kinds_keeps_what_fills_it() -> None:
    mixed = ("self.stage <= ((t.a, t.b) for t in self.told)", "self.stage <= ((s.b, s.a) for s in self.seen)")
    assert free(mixed[0], "self.asked <~ ((self.peer, s.a) for s in self.stage)") == {"told"}
    assert free(*mixed, "self.asked <~ ((self.peer, s.a) for s in self.stage)") == set()


def test_a_node_that_sends_to_itself_is_explored_in_full() -> None:
    """A message to itself shares a tick with what comes next, which only shows when it happens."""
    rules = [KEEPS, "self.told <~ ((self.peer, p.a, p.b) for p in self.put)", "self.seen <= ((q.a, 7) for q in self.asked)"]
    for rule, same in (("self.asked <~ ((self.peer, s.b) for s in self.seen)", False), ("self.asked <~ ((self.me, s.b) for s in self.seen)", True)):
        kind = program([*rules, rule])
        assert kind is not None
        inputs = [(0, "put", 1, 2), (1, "put", 2, 1)]
        whole, reduced = model(kind, inputs).explore(), model(kind, inputs).explore(reduce=True)
        assert (whole.states == reduced.states) is same
        assert {view.content() for view in whole.ended()} == {view.content() for view in reduced.ended()}


def test_losses_and_crashes_that_may_still_come_keep_all_orders() -> None:
    kind = program([KEEPS, "self.told <~ ((self.peer, p.a, p.b) for p in self.put)"])
    assert kind is not None

    def counts(**options: int) -> tuple[int, int]:
        def made() -> Model:
            return model(kind, [(0, "put", 1, 2), (0, "put", 2, 2), (1, "put", 2, 1)], **options)

        whole, reduced = made().explore(), made().explore(reduce=True)
        assert {view.content() for view in whole.ended()} == {view.content() for view in reduced.ended()}
        return whole.states, reduced.states

    plain = counts()
    assert plain[1] == 7
    lossy = counts(loss=1)
    assert plain[0] < lossy[0]
    assert lossy[1] == lossy[0]
    assert counts(batch=2)[0] == counts(batch=2)[1]
