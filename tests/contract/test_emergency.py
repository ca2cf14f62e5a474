"""While a Region and the control planes elsewhere are lost, a run needs neither, and asks neither."""

from __future__ import annotations

import pytest

from orchestrator.words import Mode, Outcome, Phase
from tests.contract.matrix import Case, cases, record
from tests.contract.rehearsal import CONTROL_PLANES
from tests.support.driver import SOURCE, TARGET

emergencies = pytest.mark.parametrize("case", cases(Mode.EMERGENCY), ids=str)


@emergencies
def test_emergency_does_not_even_try_to_call_what_is_lost(case: Case) -> None:
    lost, left = (TARGET, SOURCE) if case.back else (SOURCE, TARGET)
    elsewhere = () if left == "us-east-1" else CONTROL_PLANES

    tried = [
        f"{call.service}.{call.operation} in {call.region}"
        for call in record(case).calls
        if ":assumed-role/" in call.principal_arn and (call.region == lost or call.service in elsewhere)
    ]

    assert tried == []


@emergencies
def test_emergency_activates_and_leaves_the_rest_for_later(case: Case) -> None:
    seen = record(case)

    assert set(seen.phases) == {Phase.ACTIVATE}
    assert set(seen.plan.deferred) == {Phase.CLEANUP, Phase.REPLICATE}


@pytest.mark.parametrize("case", [case for case in cases(Mode.EMERGENCY) if not case.promised], ids=str)
def test_strategy_that_needs_a_lost_control_plane_says_so_and_changes_nothing(case: Case) -> None:
    seen = record(case)
    activate = seen.phases[Phase.ACTIVATE]

    assert not seen.phases[Phase.ACTIVATE].ending.changes
    assert activate.action.outcome is Outcome.FAILED
    assert activate.action.detail
    assert activate.action.remedy
