"""What is left of the old side is deleted once, as foreseen, and what serves and protects it now stays as it was."""

from __future__ import annotations

from collections import Counter

import pytest

from orchestrator.words import Outcome, Phase, StageStatus
from tests.contract.forks import Failure
from tests.contract.matrix import Case, decommissions, record
from tests.contract.sight import difference

everything = pytest.mark.parametrize("case", decommissions(), ids=str)


@everything
def test_deletion_is_the_last_thing_and_leaves_everything_healthy(case: Case) -> None:
    seen = record(case)
    last = list(seen.phases.values())[-1]

    assert last.phase is Phase.DECOMMISSION
    assert last.stage.status in {StageStatus.PASSED, StageStatus.SKIPPED}, last.stage.checks
    assert last.action.outcome in {Outcome.SUCCEEDED, Outcome.SKIPPED}, f"{last.action.detail} {last.action.remedy}"
    assert last.action.detail or last.action.outcome is Outcome.SUCCEEDED, "a phase with nothing to do says why"
    assert seen.refused == ()


@everything
def test_deletion_is_foreseen_call_by_call_and_changes_the_source_side_only(case: Case) -> None:
    last = record(case).phases[Phase.DECOMMISSION]

    assert Counter(last.ending.changes) == Counter(last.foreseen)
    assert {change.side for change in last.ending.changes} <= {"source", "global"}


@everything
def test_deletion_that_is_looked_at_again_deletes_nothing_more(case: Case) -> None:
    last = record(case).phases[Phase.DECOMMISSION]

    assert not isinstance(last.afterwards, Failure), last.afterwards
    assert last.afterwards.again.changes == ()
    assert last.afterwards.again.outcome == last.ending.outcome, last.afterwards.again.detail


@everything
def test_twin_of_another_customer_keeps_everything(case: Case) -> None:
    seen = record(case)

    assert seen.twin_after == seen.twin_before, difference(seen.twin_before, seen.twin_after)
