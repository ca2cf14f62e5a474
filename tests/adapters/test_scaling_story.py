"""What scales or deploys by itself where a run moves things: told beforehand, with what to type, unless the run itself holds it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.undoing import as_line
from orchestrator.words import Operation
from tests.adapters.lambda_scene import NAME as FUNCTION
from tests.adapters.lambda_scene import function_world
from tests.support.asg import GROUP, asg_world, resize, scaling
from tests.support.driver import SOURCE, TARGET, Journey, World, open_world

ECS = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
PROVISIONED = {"ServiceNamespace": "lambda", "ScalableDimension": "lambda:function:ProvisionedConcurrency"}


def lines(run: Journey) -> list[str]:
    return [as_line(each) for each in run.plan.undoing]


def applied(world: World, region: str = TARGET) -> Any:
    return world.aws("application-autoscaling", region)


def tracking(name: str, metric: str, **more: Any) -> dict[str, Any]:
    return {
        "PolicyName": name,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 60.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
            **more,
        },
    }


def ecs_world(monkeypatch: pytest.MonkeyPatch) -> World:
    return open_world(monkeypatch, {"kind": "ecs-service", "name": "orders", "min_capacity": 1, "desired_count": 2})


def service_of(world: World, region: str) -> tuple[str, str]:
    """Return cluster and service, as ECS names them."""
    ecs = world.aws("ecs", region)
    (cluster,) = ecs.list_clusters()["clusterArns"]
    (service,) = ecs.list_services(cluster=cluster)["serviceArns"]
    return cluster.rpartition("/")[2], service.rpartition("/")[2]


class TestService:
    def test_schedule_and_target_tracking_of_the_target_side_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given a service whose target side has a nightly schedule and a policy that scales in
        world = ecs_world(monkeypatch)
        resource = "service/" + "/".join(service_of(world, TARGET))
        for region in (SOURCE, TARGET):
            applied(world, region).put_scaling_policy(
                ResourceId=resource, **ECS, **tracking("cpu60", "ECSServiceAverageCPUUtilization")
            )
            applied(world, region).put_scheduled_action(
                ResourceId=resource,
                **ECS,
                ScheduledActionName="nightly",
                Schedule="cron(0 20 * * ? *)",
                ScalableTargetAction={"MinCapacity": 0, "MaxCapacity": 0},
            )
        # When a run is planned
        run = world.start()
        # Then both of the target side are told, and nothing of the source side, which CLEANUP itself holds
        scheduled, policy = lines(run)
        assert "change its bounds after ACTIVATE: nightly cron(0 20 * * ? *)" in scheduled
        assert f"--region {TARGET} --service-namespace ecs --resource-id {resource}" in scheduled
        assert scheduled.endswith("--suspended-state ScheduledScalingSuspended=true")
        assert (
            f"cpu60 may scale {resource.removeprefix('service/')} in {TARGET} in from 2 to 1 after ACTIVATE" in policy
        )
        assert policy.endswith("--suspended-state DynamicScalingInSuspended=true")
        assert run.ready
        assert world.refusals() == []
        # And what it says of the source side is true
        run.all()
        (left,) = applied(world, SOURCE).describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
        assert set(left["SuspendedState"].values()) == {True}

    def test_policy_that_never_scales_in_is_not_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = ecs_world(monkeypatch)
        resource = "service/" + "/".join(service_of(world, TARGET))
        only_out = tracking("cpu60", "ECSServiceAverageCPUUtilization", DisableScaleIn=True)
        applied(world).put_scaling_policy(ResourceId=resource, **ECS, **only_out)
        assert lines(world.start()) == []

    def test_deployment_on_either_side_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = ecs_world(monkeypatch)
        cluster, service = service_of(world, SOURCE)
        world.aws("ecs", SOURCE).update_service(cluster=cluster, service=service, forceNewDeployment=True)
        (told,) = lines(world.start())
        assert f"in {SOURCE} has a deployment in progress" in told
        assert f"aws ecs wait services-stable --region {SOURCE} --cluster {cluster} --services {service}" in told

    def test_drill_asks_nobody_what_scales_production(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = ecs_world(monkeypatch)
        world.start(Operation.TEST)
        assert "DescribeScalingPolicies" not in {call.operation for call in world.calls()}

    def test_role_that_is_older_than_the_look_is_told_and_stops_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = ecs_world(monkeypatch)
        world.fault(effect="error", code="AccessDeniedException", operation="DescribeScalingPolicies")
        run = world.start()
        (told,) = lines(run)
        assert "could not be looked at" in told
        assert run.ready


class TestGroup:
    def test_schedule_and_policy_of_the_target_side_are_told_with_what_holds_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = asg_world(monkeypatch)
        resize(world, SOURCE, 1, 4, 2)
        for region in (SOURCE, TARGET):
            scaling(world, region).put_scaling_policy(
                **GROUP,
                PolicyName="cpu60",
                PolicyType="TargetTrackingScaling",
                TargetTrackingConfiguration={
                    "TargetValue": 60.0,
                    "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
                },
            )
            scaling(world, region).put_scheduled_update_group_action(
                **GROUP, ScheduledActionName="nightly", Recurrence="0 20 * * *", MinSize=0, DesiredCapacity=0
            )
        run = world.start()
        scheduled, policy = lines(run)
        hold = (
            f"aws autoscaling suspend-processes --region {TARGET} --auto-scaling-group-name orders --scaling-processes"
        )
        assert "nightly (0 20 * * *" in scheduled
        assert scheduled.endswith(f"{hold} ScheduledActions")
        assert f"cpu60 may scale orders in {TARGET} in from 2 to 1" in policy
        assert policy.endswith(f"{hold} AlarmNotification")
        assert world.refusals() == []

    def test_what_production_keeps_suspended_is_not_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = asg_world(monkeypatch)
        scaling(world).put_scheduled_update_group_action(
            **GROUP, ScheduledActionName="nightly", Recurrence="0 20 * * *", MinSize=0, DesiredCapacity=0
        )
        for region in (SOURCE, TARGET):
            scaling(world, region).suspend_processes(**GROUP, ScalingProcesses=["ScheduledActions"])
        assert lines(world.start()) == []

    def test_refresh_of_the_source_side_is_told_whatever_the_strategy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = asg_world(monkeypatch)
        scaling(world, SOURCE).start_instance_refresh(**GROUP)
        (told,) = lines(world.start())
        assert f"an instance refresh of orders in {SOURCE} is under way" in told
        assert told.endswith(f"cancel-instance-refresh --region {SOURCE} --auto-scaling-group-name orders")


class TestFunction:
    def managed(self, world: World, region: str, **state: bool) -> str:
        resource = f"function:{FUNCTION}:live"
        applied(world, region).register_scalable_target(
            ResourceId=resource, **PROVISIONED, MinCapacity=1, MaxCapacity=10, SuspendedState=state
        )
        policy = tracking("use70", "LambdaProvisionedConcurrencyUtilization")
        applied(world, region).put_scaling_policy(ResourceId=resource, **PROVISIONED, **policy)
        return resource

    def test_autoscaling_of_provisioned_concurrency_is_told_on_both_sides_until_it_is_held(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = function_world(monkeypatch, provisioned=2)
        for region in (SOURCE, TARGET):
            self.managed(world, region)
        run = world.start()
        there, here = lines(run)
        assert f"of function:{FUNCTION}:live in {SOURCE} at 1 to 10 (use70): it may put back" in there
        assert f"--region {TARGET} --service-namespace lambda --resource-id function:{FUNCTION}:live" in here
        assert world.refusals() == []
        # When somebody types what it says
        rest = {
            "DynamicScalingInSuspended": True,
            "DynamicScalingOutSuspended": True,
            "ScheduledScalingSuspended": True,
        }
        for region in (SOURCE, TARGET):
            self.managed(world, region, **rest)
        run.end()
        assert lines(world.start()) == []

    def test_emergency_tells_of_the_target_side_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = function_world(monkeypatch, provisioned=2)
        for region in (SOURCE, TARGET):
            self.managed(world, region)
        world.inventory()
        world.darken(SOURCE)
        (told,) = lines(world.start(emergency=True, AcceptDataLoss=True))
        assert f"live in {TARGET} at 1 to 10" in told
