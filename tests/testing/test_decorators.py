"""Decorated tests called as plain functions, and the file of saved runs."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloompy.errors import NeverReached, UsageError
from bloompy.sim import Faults
from bloompy.testing import exhaustive, lineage_driven, random_faults, replay
from bloompy.testing.regressions import Regression, of_test, read, save
from bloompy.testing.session import Session, begin
from tests.sim.programs import Ping


def outside_pytest():
    """As if no plugin were there; it comes back when the test is done."""
    begin(Session())


def test_a_plain_call_runs_the_campaign_and_its_error_has_the_report_as_a_note():
    outside_pytest()

    @random_faults(runs=20, faults=Faults())
    def check(sim, limit, *, more=0):
        """What it checks."""
        assert sim.integer(0, 100) + more < limit

    check(1000)
    with pytest.raises(AssertionError, match="assert") as caught:
        check(20, more=5)
    note = caught.value.__notes__[-1]
    assert "what goes wrong:\n  nothing: it fails without faults\n" in note
    assert "the test's draws that are not their least: 1: 15" in note
    word = note.rpartition('"bloompy1:')[2].rstrip('")')
    assert f'bloompy.testing.replay({check.__qualname__.replace(".<locals>.", ".")}, "bloompy1:{word}")' in note
    assert replay(lambda sim: check.__wrapped__(sim, 20, more=5), f"bloompy1:{word}").failed
    assert (check.__name__, check.__doc__, str(inspect.signature(check))) == ("check", "What it checks.", "(limit, *, more=0)")


def test_the_traceback_has_only_the_lines_of_the_test():
    outside_pytest()

    @random_faults(runs=1)
    def check(sim):
        sim.at(0.5, lambda: 1 // 0)
        sim.run(for_s=1)

    with pytest.raises(ZeroDivisionError, match="division") as caught:
        check()
    names = [entry.name for entry in caught.traceback]
    assert names[-2:] == ["check", "<lambda>"]
    assert "_run" not in names


def test_a_decorated_function_must_take_what_it_is_given():
    with pytest.raises(UsageError, match="has no parameter `sim`"):
        random_faults(lambda simulation: None)
    with pytest.raises(UsageError, match="has no parameter `sim`"):
        lineage_driven(lambda model: None)
    with pytest.raises(UsageError, match="has no parameter `model`"):
        exhaustive()(lambda sim: None)
    with pytest.raises(UsageError, match="runs=0"):
        random_faults(runs=0)

    async def later(sim): ...

    with pytest.raises(UsageError, match="later is a coroutine function"):
        random_faults(later)


def test_campaigns_that_lack_something_fail_plain_calls_too():
    outside_pytest()

    @random_faults(runs=2, faults=Faults())
    def check(sim):
        sim.sometimes("never", False)

    with pytest.raises(NeverReached, match="no run of 2"):
        check()


REGRESSIONS = st.builds(
    Regression,
    st.from_regex(r"test_\w+\.py::test_\w+(\[[^\s\]]+\])?", fullmatch=True),
    st.from_regex(r"bloompy1:[\w-]+", fullmatch=True),
    st.lists(st.text().map(str.strip).filter(lambda text: text and not text.startswith(("#", "bloompy1:"))), max_size=3).map(tuple),
)


@settings(max_examples=25)
@given(st.lists(REGRESSIONS, max_size=5, unique_by=lambda one: (one.test, one.word)))
def test_saved_runs_are_read_again(tmp_path_factory, regressions):
    path = tmp_path_factory.mktemp("saved") / "runs.txt"
    assert read(path) == []
    for one in regressions:
        assert save(path, one)
        assert not save(path, one)
    assert [(one.test, one.word) for one in read(path)] == [(one.test, one.word) for one in regressions]


def test_a_paragraph_deleted_is_forgotten_and_comments_stay(tmp_path):
    path = tmp_path / "runs.txt"
    save(path, Regression("t.py::one", "bloompy1:A", ("a\x1b[31m\nb",)))
    save(path, Regression("t.py::two", "bloompy1:B"))
    assert "\x1b" not in path.read_text()
    assert path.read_text().count("\n\n") == 2
    paragraphs = path.read_text().split("\n\n")
    path.write_text("\n\n".join([paragraphs[0], "# mine\n" + paragraphs[2]]))
    assert of_test(path, "t.py::one") == []
    assert of_test(path, "t.py::two") == [Regression("t.py::two", "bloompy1:B")]
    save(path, Regression("t.py::one", "bloompy1:C"))
    assert "# mine" in path.read_text()


def test_arguments_that_are_none_are_told_when_the_decorator_stands():
    with pytest.raises(UsageError, match=r"@random_faults\(crashes=…\)") as caught:
        random_faults(crashes=3)
    assert "Faults(crashes=…)" in str(caught.value.hint)
    with pytest.raises(UsageError, match=r"@lineage_driven\(latency=…\)") as caught:
        lineage_driven(latency=3)
    assert "latency_s" in str(caught.value.hint)


def test_exhaustive_needs_no_parentheses():
    outside_pytest()
    seen = []

    @exhaustive
    def check(model):
        model.add(Ping, "a")
        seen.append(model)

    check()
    assert len(seen) == 1
