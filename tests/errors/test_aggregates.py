"""Aggregates in the wrong place or with the wrong arguments, and builtins taken for them."""

from __future__ import annotations

import pytest

from bloompy.errors import AggregateError
from tests.errors.reading import check, read

FOR = "for l in self.link)"

CASES = [
    (f"self.s <= ((l.src, agg.mn(l.cost)) {FOR}", "agg.mn", "there is no aggregate 'mn'", "did you mean agg.min?"),
    (f"self.s <= ((l.src, agg.count(l.cost)) {FOR}", "agg.count(l.cost)", "takes 0 arguments, here 1", "agg.count_distinct(x)"),
    (f"self.s <= ((l.src, agg.min()) {FOR}", "agg.min()", "takes 1 argument, here 0", "write agg.min(x)"),
    (f"self.s <= ((l.src, agg.argmin(l.dst)) {FOR}", "agg.argmin(l.dst)", "takes 2 arguments, here 1", "agg.argmin(what, by)"),
    (f"self.s <= ((l.src, agg.rank()) {FOR}", "agg.rank()", "takes 2 arguments, here 0", "agg.rank(order, per=(…))"),
    (f"self.s <= ((l.src, agg.percentile(l.cost, 101)) {FOR}", "101", "a percentile of 101", "0..100"),
    (f"self.s <= ((l.src, 1) {FOR[:-1]} if agg.min(l.cost) > 1)", "agg.min(l.cost)", "outside the head", "(key, agg.count()) for …"),
    ("self.s <= (1, agg.count())", "agg.count()", "outside the head", "(key, agg.count()) for …"),
    (f"self.s <= ((l.src, v) {FOR[:-1]} for v in agg.collect(l.cost))", "agg.collect(l.cost)", "outside the head", "temporary"),
    (f"self.s <= ((l.src, agg.sum(agg.count())) {FOR}", "agg.count()", "outside the head", "temporary"),
    (f"self.s <= ((l.src, self.q[agg.min(l.src)].v) {FOR}", "agg.min(l.src)", "outside the head", "temporary"),
    (f"self.s <= ((l.src, f(w + agg.count() for w in l.src)) {FOR}", "agg.count()", "inside a Python comprehension", "its own bindings"),
    (f"self.s <= ((l.src, agg.sum(l.cost) / l.cost) {FOR}", "agg.sum(l.cost) / l.cost", "and a value of the query", "a column of its own"),
    (f"self.s <= ((agg.rank(l.cost), agg.count()) {FOR}", "agg.rank(l.cost)", "agg.rank groups nothing", "rank in one rule"),
    (f"self.s <= ((l.src, median(l.cost, key=3)) {FOR}", "median(l.cost, key=3)", "plain arguments", "the list of the group's x"),
    (f"self.s <= ((l.src, 1) {FOR[:-1]} if median(l.cost))", "median(l.cost)", "outside the head", "temporary"),
    (f"self.s <= ((l.src, f(median)) {FOR}", "median", "the aggregate median is not called", "median(…)"),
    (f"self.s <= ((l.src, agg.min) {FOR}", "agg.min", "the aggregate agg.min is not called", "agg.min(…)"),
    (f"self.s <= ((l.src, min(self.link)) {FOR}", "min(self.link)", "min() over the collection self.link", "agg.min(…)"),
    (f"self.s <= ((l.src, sum(x.cost for x in self.link)) {FOR}", "sum(x.cost for x in self.link)", "over the collection", "agg.sum(…)"),
    (f"self.s <= ((l.src, 1) {FOR[:-1]} if len(self.link) > 3)", "len(self.link)", "over the collection self.link", "agg.count()"),
    (f"self.s <= ((l.src, max([x.x for x in self.one])) {FOR}", "max([x.x for x in self.one])", "over the collection self.one", "agg.max(…)"),
    (f"self.s <= ((l.src, min(l.cost)) {FOR}", "min(l.cost)", "the builtin min() of one int", "agg.min(…) aggregates over the group"),
]


@pytest.mark.parametrize(("rule", "caret", "message", "hint"), CASES, ids=[case[0] for case in CASES])
def test_the_error_names_the_place_and_the_remedy(rule: str, caret: str, message: str, hint: str) -> None:
    check(rule, AggregateError, caret, message, hint)


RIGHT = [
    f"self.s <= ((l.src, bloompy.agg.min(l.cost)) {FOR}",
    f"self.s <= ((l.src, agg.sum(l.cost) / agg.count() + self.limit) {FOR}",
    f"self.s <= ((l.src, f(agg.collect(l.cost))) {FOR}",
    f"self.s <= ((l.src, agg.argmin(what=l.dst, by=l.cost)) {FOR}",
    f"self.s <= ((l.src, agg.rank(order=l.cost, per=l.src)) {FOR}",
    f"self.s <= ((l.src, median(l.cost)) {FOR}",
    f"self.s <= ((l.src, min(l.cost, 3)) {FOR}",
    f"self.s <= ((l.src, min(l.src)) {FOR}",
    f"self.link <- ((l.src, agg.min(l.dst)) {FOR}",
]


@pytest.mark.parametrize("rule", RIGHT)
def test_what_is_right_is_taken(rule: str) -> None:
    assert read(rule).program_ir.rules


def test_an_aggregate_is_known_under_every_name_of_its_module() -> None:
    long = read(f"self.s <= ((l.src, bloompy.agg.min(l.cost)) {FOR}").program_ir
    short = read(f"self.s <= ((l.src, agg.min(l.cost)) {FOR}").program_ir
    assert long.rules == short.rules
