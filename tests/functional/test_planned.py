"""Planned runs of the deployed hub: there, and back again."""

from __future__ import annotations

import pytest

from orchestrator.words import GateKind, RunStatus
from tests.functional.world import EAST, WEST, World

pytestmark = pytest.mark.functional


def test_planned_failover_approved_moves_everything_and_failback_returns_to_the_start(world: World) -> None:
    # Given a shop with one resource of each technology, running in us-east-1, and a neighbour with the same
    shop, neighbour = world.shop("Acme"), world.shop("Borealis")
    before, mark = neighbour.attributes(), world.mark()
    # When an operator fails it over and an approver answers every gate
    over = shop.start("failover", ApprovalMode="required")
    asked = over.approve_all()
    run = over.ended()
    # Then everything is served from us-west-2, and people were asked once before the first irreversible step
    assert run.status is RunStatus.SUCCEEDED, run.failure
    assert over.execution()["status"] == "SUCCEEDED"
    assert over.not_served() == []
    assert asked[0] == GateKind.PLAN
    assert asked.count(GateKind.COMMIT) == 1
    # And the recovery time is split so that the people's part shows
    report = over.hub.blobs.get(f"runs/{over.run_id}/report.json")
    assert b'"human_wait"' in report
    # When the same scope is moved back from the other hub
    back = shop.start("failback")
    returned = back.ended()
    # Then everything is served from us-east-1 again
    assert returned.status is RunStatus.SUCCEEDED, returned.failure
    assert (returned.source_region, returned.target_region) == (WEST, EAST)
    assert back.not_served() == []
    # And both runs are in the history of the scope, and nobody holds it
    assert back.hub.ledger.holder(returned.scope) is None
    # And the neighbour is as it was, attribute by attribute
    assert neighbour.attributes() == before
    # And every change was made in the name of one of the two runs, on both sides
    assert {change.rsplit(" ", 1)[-1] for change in shop.changes_since(mark)} == {EAST, WEST}


def test_second_run_of_a_locked_scope_is_refused_with_the_holder_and_changes_nothing(world: World) -> None:
    # Given a run that waits at its first gate
    shop = world.shop("Busy", ["ecs-service"])
    first = shop.start("failover", ApprovalMode="required")
    gate = first.gate(GateKind.PLAN)
    # When somebody starts a second one
    second = shop.start("failover")
    # Then it is refused and names the first and how to follow it
    cause = second.refused()
    assert first.run_id in cause
    assert "dr status" in cause
    # And the first goes on
    first.send(gate, {"approved": False, "approver": "owner@example.com"})
    assert first.ended().status is RunStatus.REJECTED


def test_gate_rejected_ends_the_run_and_changes_nothing(world: World) -> None:
    # Given a run that asks before its first stage
    shop = world.shop("Nope", ["aurora-global", "ecs-service"])
    run = shop.start("failover", ApprovalMode="required")
    gate = run.gate(GateKind.PLAN)
    mark = world.mark()
    # When the approver rejects
    run.send(gate, {"approved": False, "approver": "owner@example.com", "reason": "month end"})
    # Then the run ends rejected by that person, the execution fails, the scope is free
    ended = run.ended()
    assert ended.status is RunStatus.REJECTED
    assert ended.rejected_by == "owner@example.com"
    assert run.execution()["status"] == "FAILED"
    assert run.hub.ledger.holder(ended.scope) is None
    # And no mutating call was made in any workload account
    assert shop.changes_since(mark) == []


@pytest.mark.parametrize(
    ("customer", "answer"),
    [
        ("Vague1", {"approver": "owner@example.com"}),
        ("Vague2", {"approved": "yes", "approver": "x"}),
        ("Vague3", {"approved": True}),
        ("Vague4", "[1, 2]"),
    ],
    ids=["no decision", "not a boolean", "no approver", "not an object"],
)
def test_answer_without_a_decision_is_reported_and_the_gate_is_asked_again(
    world: World, customer: str, answer: object
) -> None:
    # Given an open gate
    run = world.shop(customer, ["ecs-service"]).start("failover", ApprovalMode="required")
    gate = run.gate(GateKind.PLAN)
    # When an answer comes that is no decision
    run.send(gate, answer)
    # Then the same question is asked again with a fresh token, and people are told why
    again = run.until(lambda: (g := run.gate(GateKind.PLAN)).token != gate.token and g, "a fresh token")
    assert again.gate_id == gate.gate_id
    assert "warning" in world.told(run.run_id)
    # And the used token is worthless
    with pytest.raises(Exception, match=r"TaskTimedOut|InvalidToken|TaskDoesNotExist"):
        run.send(gate, {"approved": True, "approver": "owner@example.com"})
    run.send(again, {"approved": False, "approver": "owner@example.com"})
    assert run.ended().status is RunStatus.REJECTED


def test_run_started_in_the_wrong_region_is_refused_with_the_right_command(world: World) -> None:
    # Given a shop to be moved to us-west-2; when its run is started in us-east-1
    cause = world.shop("Lost", ["ecs-service"]).start("failover", region=EAST).refused()
    # Then the refusal carries the command for the right Region
    assert f"start-execution --region {WEST}" in cause


def test_unknown_customer_is_refused_and_leaves_no_lock(world: World) -> None:
    shop = world.shop("Known", ["ecs-service"])
    shop.customer = "Unknwon"
    run = shop.start("failover")
    ended = run.ended()
    assert ended.status is RunStatus.FAILED
    assert "no resource carries Customer=Unknwon" in str(ended.failure)
    assert run.hub.ledger.holder(ended.scope) is None


def test_bad_input_is_refused_with_every_problem_and_a_suggestion(world: World) -> None:
    shop = world.shop("Typo", ["ecs-service"])
    cause = shop.start("failovr", Environment="prod", Wave=[1]).refused()
    assert 'did you mean "failover"' in cause
    assert "expected one of production, staging or development" in cause
    assert "unknown field Wave" in cause
