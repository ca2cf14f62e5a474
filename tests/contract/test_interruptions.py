"""A run that dies anywhere, and is called again, ends as if nothing had happened, and does nothing twice."""

from __future__ import annotations

from collections import Counter

import pytest

from orchestrator.reducer import GOOD
from orchestrator.words import Phase, StageStatus
from tests.contract.matrix import Case, cases, certain, decommissions, record
from tests.contract.rehearsal import Ending, PhaseRecord
from tests.contract.sight import difference

everything = pytest.mark.parametrize("case", [*cases(), *decommissions()], ids=str)
promised = pytest.mark.parametrize("case", [case for case in [*cases(), *decommissions()] if case.promised], ids=str)


@promised
def test_run_that_is_left_alone_succeeds_and_is_healthy(case: Case) -> None:
    seen = record(case)

    assert seen.ready, seen.findings
    for phase in seen.phases.values():
        assert phase.action.outcome in GOOD, f"{phase.phase}: {phase.action.detail} {phase.action.remedy}"
        assert phase.stage.status in {StageStatus.PASSED, StageStatus.SKIPPED}, phase.stage.checks


@everything
def test_phase_that_dies_around_any_change_ends_the_same_and_changes_nothing_twice(case: Case) -> None:
    for phase in record(case).phases.values():
        for where, ending in phase.crashes.items():
            assert isinstance(ending, Ending), f"{phase.phase}, death {where}:\n{ending}"
            told = f"{phase.phase}, death {where}: {ending.detail}"
            assert ending.outcome == phase.ending.outcome, told
            assert certain(case, ending.changes) == certain(case, phase.ending.changes), told
            assert Counter(ending.changes) <= Counter(phase.foreseen), told
            assert ending.sight == phase.ending.sight, f"{told}\n{difference(phase.ending.sight, ending.sight)}"


@everything
def test_every_change_of_every_phase_was_interrupted_before_and_after_it(case: Case) -> None:
    for phase in record(case).phases.values():
        if case.decommission and phase.phase is not Phase.DECOMMISSION:
            continue  # interrupted in the run that deletes nothing
        changes = len(phase.ending.changes)
        assert _deaths(phase, "before change") == _deaths(phase, "after change") == changes
        if case.dies_at_saves:
            assert _deaths(phase, "in the answer") == changes
            assert _deaths(phase, "after the ledger") == 2 + changes, "started, each answer, ended"


def _deaths(phase: PhaseRecord, where: str) -> int:
    return sum(label.startswith(where) for label in phase.crashes)
