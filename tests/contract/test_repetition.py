"""What is done is recognised, and what is shown beforehand is what happens."""

from __future__ import annotations

from collections import Counter

import pytest

from orchestrator.reducer import GOOD
from orchestrator.words import Mode
from tests.contract.forks import Failure
from tests.contract.matrix import Case, cases, certain, record
from tests.support.changes import is_change

everything = pytest.mark.parametrize("case", cases(), ids=str)


@everything
def test_finished_phase_that_is_looked_at_again_changes_nothing(case: Case) -> None:
    for phase in record(case).phases.values():
        assert not isinstance(phase.afterwards, Failure), phase.afterwards
        again = phase.afterwards.again
        assert again.changes == ()
        if case.promised:  # what a run could not do, AWS may have done by itself meanwhile
            assert again.outcome == phase.ending.outcome, again.detail


@pytest.mark.parametrize("case", cases(Mode.PLANNED), ids=str)
def test_planned_run_that_is_started_again_after_it_is_done_changes_nothing(case: Case) -> None:
    second = record(case).second_run

    assert not isinstance(second, Failure), second.trace
    assert second == ()


@everything
def test_inventory_plan_and_readiness_change_nothing_anywhere(case: Case) -> None:
    changing = [f"{call.service}.{call.operation}" for call in record(case).planning if is_change(call)]

    assert changing == []


@everything
def test_preview_lists_exactly_the_changes_that_the_run_then_makes(case: Case) -> None:
    for phase in record(case).phases.values():
        if phase.action.outcome in GOOD:
            assert certain(case, phase.foreseen) == certain(case, phase.ending.changes), phase.phase
            assert Counter(phase.ending.changes) <= Counter(phase.foreseen), phase.phase
