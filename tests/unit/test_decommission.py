"""The old side is deleted only when asked for, last, after a healthy REPLICATE, and by an approval of its own."""

from __future__ import annotations

import pytest

from orchestrator.contract import Call, todo
from orchestrator.errors import ValidationError
from orchestrator.judgement import refuse
from orchestrator.ledger.records import Gate
from orchestrator.request import parse
from orchestrator.words import Choice, Effect, GateKind, Outcome, Phase, RunStatus, Side
from tests.unit.scripted_platform import (
    REQUEST,
    Cloud,
    Operator,
    a_run,
    a_stage,
    approve,
    obstacle_blocked,
    obstacle_failed,
)

ALL = ["scale", "fence", "promote", "quiesce", "reverse", "delete"]


def only_what_was_asked(gate: Gate) -> Choice | None:
    """Approve everything but the deletion."""
    return None if (gate.stage_id or "").endswith("DECOMMISSION-w1") else approve(gate)


def test_run_that_does_not_ask_for_it_deletes_nothing() -> None:
    cloud = Cloud()
    cloud.add("orders")
    platform = cloud.platform()
    run = Operator(platform, cloud).drive(cloud.accept(platform))
    assert run.status is RunStatus.SUCCEEDED
    assert cloud.operations("orders") == ALL[:-1]


def test_run_that_asks_for_it_deletes_at_the_very_end_after_its_own_approval() -> None:
    # Given two waves that are moved wave by wave
    cloud = Cloud()
    cloud.add("orders")
    cloud.add("web", wave=2)
    platform = cloud.platform()
    operator = Operator(platform, cloud)
    # When
    run = operator.drive(cloud.accept(platform, Decommission=True, Mode="wave"))
    # Then everything is protected again before anything is deleted
    assert run.status is RunStatus.SUCCEEDED
    assert cloud.operations()[-2:] == ["delete", "delete"]
    assert "delete" not in cloud.operations()[:-2]
    # And each deletion was asked for by itself, in words that say what it is
    asked = [gate for gate in operator.asked if "DECOMMISSION" in (gate.stage_id or "")]
    assert [gate.kind for gate in asked] == [GateKind.COMMIT, GateKind.COMMIT]
    assert all("Delete" in gate.question and "us-east-1" in gate.question for gate in asked)


def test_nothing_is_deleted_while_nobody_answers() -> None:
    cloud = Cloud()
    cloud.add("orders")
    platform = cloud.platform()
    run = Operator(platform, cloud, only_what_was_asked).drive(cloud.accept(platform, Decommission=True))
    assert run.status is RunStatus.WAITING
    assert cloud.operations("orders") == ALL[:-1]


def test_nothing_is_deleted_of_a_resource_whose_standby_is_not_healthy() -> None:
    # Given a database that cannot be protected again, and an operator who skips it
    cloud = Cloud()
    cloud.add("orders")
    cloud.add("broken")
    cloud.obstacles["broken", "reverse"] = obstacle_blocked("reverse")
    platform = cloud.platform()
    answers = lambda gate: Choice.SKIP if gate.kind is GateKind.FAILURE else approve(gate)  # noqa: E731
    # When
    run = Operator(platform, cloud, answers).drive(cloud.accept(platform, Decommission=True))
    # Then only the other one's old side is gone
    assert run.status is RunStatus.SUCCEEDED_WITH_WARNINGS
    assert "delete" not in cloud.operations("broken")
    assert cloud.operations("orders")[-1] == "delete"
    left = cloud.ledger.action("run-1", "DECOMMISSION.database-broken")
    assert left.outcome is Outcome.SKIPPED
    assert left.detail == "left alone: REPLICATE did not succeed for database/broken"


def test_failed_deletion_offers_no_rollback() -> None:
    cloud = Cloud()
    cloud.add("orders")
    cloud.obstacles["orders", "delete"] = obstacle_failed("orders", "delete")
    platform = cloud.platform()
    operator = Operator(platform, cloud)
    operator.drive(cloud.accept(platform, Decommission=True))
    (failure,) = [gate for gate in operator.asked if gate.kind is GateKind.FAILURE]
    assert Choice.ROLLBACK not in failure.choices
    assert Choice.RETRY in failure.choices


def test_last_guard_refuses_a_deletion_that_nobody_approved_or_asked_for() -> None:
    step = todo("delete", Call("rds", "DeleteDBInstance", {}, Side.SOURCE), Effect.IRREVERSIBLE, "x")
    unapproved, approved = a_stage(phase=Phase.DECOMMISSION), a_stage(phase=Phase.DECOMMISSION, approved_by="kim")
    asked, not_asked = a_run(committed=True, decommission=True), a_run(committed=True)
    assert refuse(asked, approved, step) is None
    for run, stage in ((asked, unapproved), (not_asked, approved)):
        refused = refuse(run, stage, step)
        assert refused is not None
        assert "nobody approved" in refused.message


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"ApprovalMode": "automatic"}, "needs ApprovalMode required"),
        ({"Operation": "test"}, "goes only with a planned run"),
        ({"Emergency": True}, "goes only with a planned run"),
        ({"Phases": ["ACTIVATE"]}, "needs REPLICATE among the Phases"),
    ],
)
def test_request_that_would_delete_without_safety_is_refused(more: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        parse({**REQUEST, "Decommission": True, **more})


def test_phase_is_not_asked_for_by_its_name() -> None:
    with pytest.raises(ValidationError, match="asked for by Decommission: true"):
        parse({**REQUEST, "Phases": ["REPLICATE", "DECOMMISSION"]})
