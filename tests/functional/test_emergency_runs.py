"""Emergency runs: us-east-1 is dark and Route 53 takes no changes, from the first second to the last."""

from __future__ import annotations

import pytest

from orchestrator.words import RunStatus
from tests.functional.world import EAST, WEST, World

pytestmark = pytest.mark.functional

DISASTER = (
    {"effect": "blackout", "region": EAST},
    {"effect": "control-plane-down", "service": "route53"},
    {"effect": "control-plane-down", "service": "iam"},
    {"effect": "control-plane-down", "service": "organizations"},
)
GLOBAL_CONTROL_PLANES = {"route53", "iam", "organizations"}


def test_emergency_failover_of_a_lost_region_succeeds_without_one_call_to_it_or_to_a_lost_control_plane(
    world: World,
) -> None:
    # Given a shop of every technology whose inventory was taken in normal times
    shop = world.shop("Dark")
    shop.inventory()
    # And us-east-1 is lost, and with it the control planes that live there
    world.break_things(*DISASTER)
    mark = world.mark()
    # When an emergency run is started in us-west-2
    run = shop.start("failover", Emergency=True, AcceptDataLoss=True)
    ended = run.ended()
    # Then it succeeds
    assert ended.status in {RunStatus.SUCCEEDED, RunStatus.SUCCEEDED_WITH_WARNINGS}, ended.failure
    # And everything is served from us-west-2, names too: DNS answers by its data plane
    assert run.not_served() == []
    # And not one call was even tried to the lost Region or to a lost control plane
    tried = [
        f"{c.service}.{c.operation} in {c.region} by {c.principal_arn}: {c.error}"
        for c in world.platform_calls_since(mark)
        if c.region == EAST or c.service in GLOBAL_CONTROL_PLANES
    ]
    assert tried == []
    # And what waits for the Region's return is told, not forgotten
    plan = run.hub.plan(run.run_id)
    assert plan is not None
    assert list(plan.deferred) == ["CLEANUP", "REPLICATE"]
    assert {loss.resource_id for loss in plan.losses} == {m.resource_id for t in plan.targets for m in t.members}


def test_emergency_without_a_cached_inventory_is_refused_with_remedy_and_changes_nothing(world: World) -> None:
    # Given a shop that no inventory was ever taken of
    shop = world.shop("Unseen", ["ecs-service"])
    world.break_things(*DISASTER)
    mark = world.mark()
    # When an emergency run is started
    why = shop.start("failover", Emergency=True, AcceptDataLoss=True).failed()
    # Then it says what is missing and what helps now
    assert "there is no inventory of Unseen/production from before the outage" in why
    assert "break-glass" in why
    assert shop.changes_since(mark) == []


def test_emergency_without_approvals_must_accept_the_loss_in_so_many_words(world: World) -> None:
    shop = world.shop("Careful", ["ecs-service"])
    cause = shop.start("failover", Emergency=True).refused()
    assert "needs AcceptDataLoss: true; unreplicated writes are lost" in cause


def test_emergency_with_approvals_shows_the_loss_before_the_first_irreversible_step(world: World) -> None:
    # Given a database whose Region is lost
    shop = world.shop("Asked", ["aurora-global"])
    shop.inventory()
    world.break_things(*DISASTER)
    # When an emergency run asks for approval
    run = shop.start("failover", Emergency=True, ApprovalMode="required")
    gate = run.gate("commit")
    # Then the approver reads what would be lost, and may still say no
    assert any(line.startswith("loss: ") and "orders-db" in line for line in gate.checklist), gate.checklist
    run.send(gate, {"approved": False, "approver": "owner@example.com"})
    assert run.ended().status is RunStatus.REJECTED
    assert run.not_served() != []
    assert run.hub.region == WEST
