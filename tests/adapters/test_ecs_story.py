"""ECS services through the real engine: scaled up here, put to sleep there, and never both asleep."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, World, open_world

SERVICE = {"cluster": "apps", "service": "orders-api"}
SCALABLE = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/apps/orders-api",
    "ScalableDimension": "ecs:service:DesiredCount",
}


def service_world(monkeypatch: pytest.MonkeyPatch, *, images: bool = False, **settings: Any) -> World:
    return open_world(monkeypatch, {"kind": "ecs-service", "name": "orders-api", **settings}, images=images)


def counts(world: World, region: str) -> tuple[int, int]:
    found = world.aws("ecs", region).describe_services(cluster="apps", services=["orders-api"])["services"][0]
    return found["desiredCount"], found["runningCount"]


def bounds(world: World, region: str) -> tuple[int, int, bool]:
    scaling = world.aws("application-autoscaling", region)
    found = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"][0]
    return found["MinCapacity"], found["MaxCapacity"], found["SuspendedState"]["DynamicScalingOutSuspended"]


def drill_tasks(world: World) -> list[str]:
    found: list[str] = world.aws("ecs", TARGET).list_tasks(cluster="apps", desiredStatus="RUNNING")["taskArns"]
    return found


def test_the_service_moves_and_comes_back_with_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch, desired_count=2)
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
        assert run.made() == foreseen
        assert counts(world, here) == (2, 2)
        assert counts(world, there) == (0, 0)
        assert bounds(world, here) == (2, 4, False)
        assert bounds(world, there) == (0, 4, True)
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {"healthy"}
        run.end()
    assert world.refusals() == []


def test_bounds_are_set_before_counts_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    run = service_world(monkeypatch).start()

    run.all()

    assert run.made(Phase.ACTIVATE) == ["RegisterScalableTarget", "UpdateService"]
    assert run.made(Phase.CLEANUP) == ["RegisterScalableTarget", "UpdateService"]


def test_emergency_scales_to_what_the_inventory_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch, desired_count=3)
    world.inventory()
    world.darken(SOURCE)
    world.local.call_log.clear()

    run = world.start(emergency=True, AcceptDataLoss=True)
    ended = run.all()

    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert counts(world, TARGET) == (3, 3)
    assert {call.region for call in world.calls()} == {TARGET}


def test_the_source_goes_to_sleep_after_the_lost_region_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch)
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.all()
    emergency.end()
    world.repair()

    ended = world.start(Phases=["CLEANUP", "REPLICATE"]).all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert counts(world, SOURCE) == (0, 0)


def test_a_drill_runs_one_task_beside_the_service_and_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch)
    run = world.start(Operation.TEST)

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    assert len(drill_tasks(world)) == 1
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {"healthy"}
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert drill_tasks(world) == []
    assert world.operations() == ["RunTask", "StopTask"]
    (ran,) = (call for call in world.calls() if call.operation == "RunTask")
    service = world.aws("ecs", TARGET).describe_services(cluster="apps", services=["orders-api"])["services"][0]
    assert ran.params["launchType"] == service["launchType"], "RunTask looks for EC2 instances unless it is told"
    assert (counts(world, SOURCE), counts(world, TARGET)) == ((2, 2), (0, 0))
    assert world.refusals() == []


def test_tasks_that_cannot_start_fail_the_action_early_and_rollback_sleeps_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = service_world(monkeypatch)
    run = world.start()
    world.fault(effect="fail", kind="ecs.*")

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "service-stable" in action.detail
    assert action.remedy
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SKIPPED
    assert counts(world, SOURCE) == (2, 2)

    world.repair()
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert counts(world, TARGET) == (0, 0)
    assert bounds(world, TARGET) == (0, 4, True)


def test_a_retry_after_the_cause_is_gone_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch)
    run = world.start()
    world.fault(effect="fail", kind="ecs.*")
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.FAILED
    world.repair()
    world.wait(15)

    action = run.retry(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert counts(world, TARGET) == (2, 2)


def test_rollback_of_cleanup_wakes_the_source_side(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch)
    run = world.start()
    run.all()

    action = run.rollback(Phase.CLEANUP)

    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert counts(world, SOURCE) == (2, 2)
    assert bounds(world, SOURCE) == (2, 4, False)
    assert world.refusals() == []


def test_the_source_stays_up_while_the_target_side_does_not_carry_production(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch)

    run = world.start(Phases=["CLEANUP"])
    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "the source stays up" in action.detail
    assert counts(world, SOURCE) == (2, 2)


def test_a_count_moved_by_autoscaling_within_its_bounds_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch, desired_count=4, min_capacity=2)
    run = world.start()
    run.phase(Phase.INSTANTIATE)
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    world.aws("ecs", TARGET).update_service(**SERVICE, desiredCount=3)
    world.wait(5)

    action = run.phase(Phase.CLEANUP)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert counts(world, TARGET) == (3, 3)


def test_a_pilot_light_is_scaled_up_to_production_and_rolled_back_to_its_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch, desired_count=4, min_capacity=2)
    world.aws("application-autoscaling", TARGET).register_scalable_target(
        **SCALABLE,
        MinCapacity=1,
        MaxCapacity=8,
        SuspendedState={
            "DynamicScalingInSuspended": False,
            "DynamicScalingOutSuspended": False,
            "ScheduledScalingSuspended": False,
        },
    )
    world.aws("ecs", TARGET).update_service(**SERVICE, desiredCount=2)
    world.wait(5)
    run = world.start()

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SKIPPED
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert counts(world, TARGET) == (4, 4)

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert counts(world, TARGET) == (2, 2)
    assert bounds(world, TARGET) == (1, 8, False)


def test_a_service_without_its_image_in_the_target_region_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    run = service_world(monkeypatch, image_on_target=False).start()

    assert not run.ready
    assert "orders-api:1.0 does not exist in us-west-2" in run.findings["image"]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"deployment_controller": "CODE_DEPLOY"}, "controller"),
        ({"desired_count": 0, "max_capacity": 2}, "size"),
    ],
)
def test_services_that_cannot_be_scaled_are_red(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], code: str
) -> None:
    run = service_world(monkeypatch, **settings).start()

    assert not run.ready
    assert code in run.findings


def test_a_daemon_service_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    run = service_world(monkeypatch, images=True, scheduling="DAEMON").start()

    assert not run.ready
    assert "DAEMON" in run.findings["daemon"]


def test_a_service_deleted_on_the_target_side_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = service_world(monkeypatch)
    run = world.start()
    world.aws("ecs", TARGET).delete_service(cluster="apps", service="orders-api", force=True)
    world.wait(5)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "there is no active service apps/orders-api" in action.detail
