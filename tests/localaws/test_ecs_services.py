"""ECS in the embedded AWS, told as its user meets it: through boto3, on a clock that the test moves."""

from __future__ import annotations

from functools import cache
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto.core.utils import get_service_model

from localaws import estate as estates
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.estate import Estate
from localaws.scenario import parse_fault
from localaws.service import Call, Reply

ACCOUNT = "222222222222"
SOURCE, TARGET = "us-east-1", "us-west-2"
SERVICE = {"cluster": "apps", "service": "orders-api"}
RESOURCE_ID = "service/apps/orders-api"
DIMENSION = {"ServiceNamespace": "ecs", "ResourceId": RESOURCE_ID, "ScalableDimension": "ecs:service:DesiredCount"}
SUSPENDED = {
    "DynamicScalingInSuspended": True,
    "DynamicScalingOutSuspended": True,
    "ScheduledScalingSuspended": True,
}
OURS = {"ecs", "elbv2", "application-autoscaling"}


@cache
def embedded_aws() -> LocalAws:
    local = LocalAws({ACCOUNT: "apps"}, clock=ManualClock())
    local.after.append(has_the_documented_shape)
    return local


@cache
def client(service: str, region: str) -> Any:
    return embedded_aws().session(ACCOUNT, region).client(service)


class Story:
    """A world with one ECS service on both sides, and the calls its tests make."""

    def __init__(self, **settings: Any) -> None:
        self.local = embedded_aws()
        self.local.reset()
        self.local.faults.remove()
        self.clock = self.local.clock = ManualClock()
        estates.seed(self.local, estate_of(settings))

    def client(self, service: str, region: str = TARGET) -> Any:
        return client(service, region)

    def service(self, region: str = TARGET, **options: Any) -> dict[str, Any]:
        reply = self.client("ecs", region).describe_services(cluster="apps", services=["orders-api"], **options)
        found: dict[str, Any] = reply["services"][0]
        return found

    def scale(self, count: int, region: str = TARGET) -> None:
        self.client("ecs", region).update_service(**SERVICE, desiredCount=count)

    def counts(self, region: str = TARGET) -> tuple[int, int, int]:
        service = self.service(region)
        return service["desiredCount"], service["runningCount"], service["pendingCount"]

    def bounds(self, region: str = TARGET, **changes: Any) -> None:
        self.client("application-autoscaling", region).register_scalable_target(**DIMENSION, **changes)

    def make_transitions(self, kind: str, effect: str) -> None:
        self.local.faults.add(parse_fault({"kind": kind, "effect": effect}))

    def tasks(self, region: str = TARGET, **filters: Any) -> list[dict[str, Any]]:
        ecs = self.client("ecs", region)
        arns = ecs.list_tasks(cluster="apps", **filters)["taskArns"]
        return ecs.describe_tasks(cluster="apps", tasks=arns, include=["TAGS"])["tasks"] if arns else []


def has_the_documented_shape(call: Call, reply: Reply) -> Reply:
    """Fail any test whose answers carry a field or a type that botocore's model does not know."""
    shape = get_service_model(call.service).operation_model(call.operation).output_shape
    if call.service in OURS and shape is not None:
        report = ParamValidator().validate(dict(reply), shape)
        assert not report.has_errors(), report.generate_report()
    return reply


def estate_of(settings: dict[str, Any]) -> Estate:
    return estates.parse(
        {
            "name": "test",
            "organization": {"id": "o-exampleorg1", "root": "r-abcd"},
            "hub": {"account": "apps", "regions": [SOURCE, TARGET]},
            "accounts": {"apps": ACCOUNT},
            "primary_region": SOURCE,
            "dr_region": TARGET,
            "resources": [
                {
                    "kind": "ecs-service",
                    "account": "apps",
                    "name": "orders-api",
                    "tags": {"dr:enabled": "true"},
                    **settings,
                }
            ],
        },
        "test",
    )


@pytest.fixture
def story() -> Story:
    return Story(desired_count=2)


def test_seeded_service_runs_on_the_source_side_and_sleeps_on_the_target_side(story: Story) -> None:
    assert story.counts(SOURCE) == (2, 2, 0)
    assert story.counts(TARGET) == (0, 0, 0)
    assert {"key": "dr:enabled", "value": "true"} in story.service(TARGET, include=["TAGS"])["tags"]
    assert "tags" not in story.service(TARGET)
    targets = [
        story.client("application-autoscaling", region).describe_scalable_targets(ServiceNamespace="ecs")[
            "ScalableTargets"
        ][0]
        for region in (SOURCE, TARGET)
    ]
    assert [target["MinCapacity"] for target in targets] == [2, 0]
    assert [target["SuspendedState"]["DynamicScalingOutSuspended"] for target in targets] == [False, True]
    images = story.client("ecr").describe_images(repositoryName="orders-api", imageIds=[{"imageTag": "1.0"}])
    assert len(images["imageDetails"]) == 1


def test_scaling_out_brings_tasks_one_after_the_other_and_then_completes(story: Story) -> None:
    story.scale(2)

    assert story.counts() == (2, 0, 2)
    assert {task["lastStatus"] for task in story.tasks()} == {"PROVISIONING"}
    assert story.service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"

    story.clock.advance(10)
    assert {task["lastStatus"] for task in story.tasks()} == {"PENDING"}

    story.clock.advance(25)
    assert story.counts() == (2, 1, 1)

    story.clock.advance(60)
    service = story.service()
    assert story.counts() == (2, 2, 0)
    assert [d["rolloutState"] for d in service["deployments"]] == ["COMPLETED"]
    assert service["deployments"][0]["runningCount"] == 2
    assert service["events"][0]["message"] == "(service orders-api) has reached a steady state."
    tasks = story.tasks(serviceName="orders-api", desiredStatus="RUNNING")
    assert {(task["lastStatus"], task["healthStatus"]) for task in tasks} == {("RUNNING", "HEALTHY")}
    assert story.client("ecs").describe_clusters(clusters=["apps"])["clusters"][0]["runningTasksCount"] == 2


def test_tasks_without_a_container_health_check_stay_unknown() -> None:
    story = Story(desired_count=1, health_check=False)

    story.clock.advance(600)

    assert [task["healthStatus"] for task in story.tasks(SOURCE)] == ["UNKNOWN"]


def test_a_changed_count_keeps_the_deployment_and_a_changed_definition_replaces_it(story: Story) -> None:
    ecs = story.client("ecs", SOURCE)
    before = story.service(SOURCE)["deployments"][0]["id"]
    story.scale(3, SOURCE)
    story.clock.advance(120)
    assert [d["id"] for d in story.service(SOURCE)["deployments"]] == [before]

    old = ecs.describe_task_definition(taskDefinition="orders-api")["taskDefinition"]
    settings = {name: old[name] for name in ("family", "containerDefinitions", "cpu", "memory", "networkMode")}
    new = ecs.register_task_definition(**settings, requiresCompatibilities=["FARGATE"])["taskDefinition"]
    assert new["revision"] == old["revision"] + 1
    ecs.update_service(**SERVICE, taskDefinition="orders-api")

    deployments = story.service(SOURCE)["deployments"]
    assert [(d["status"], d["rolloutState"]) for d in deployments] == [
        ("PRIMARY", "IN_PROGRESS"),
        ("ACTIVE", "COMPLETED"),
    ]
    assert deployments[0]["taskDefinition"] == new["taskDefinitionArn"]

    story.clock.advance(240)
    deployments = story.service(SOURCE)["deployments"]
    assert [(d["status"], d["rolloutState"], d["runningCount"]) for d in deployments] == [("PRIMARY", "COMPLETED", 3)]
    assert {task["taskDefinitionArn"] for task in story.tasks(SOURCE)} == {new["taskDefinitionArn"]}


def test_scaling_in_takes_a_moment_and_stopped_tasks_disappear_after_an_hour(story: Story) -> None:
    story.bounds(SOURCE, MinCapacity=0, SuspendedState=SUSPENDED)
    story.scale(0, SOURCE)
    assert story.counts(SOURCE) == (0, 2, 0)

    story.clock.advance(30)
    assert story.counts(SOURCE) == (0, 0, 0)
    stopped = story.tasks(SOURCE, desiredStatus="STOPPED")
    assert {task["stopCode"] for task in stopped} == {"ServiceSchedulerInitiated"}

    story.clock.advance(3700)
    assert story.tasks(SOURCE, desiredStatus="STOPPED") == []


def test_scaling_in_under_the_minimum_comes_back_by_itself(story: Story) -> None:
    story.scale(0, SOURCE)
    story.clock.advance(30)
    assert story.counts(SOURCE) == (0, 0, 0)

    story.clock.advance(180)

    assert story.counts(SOURCE) == (2, 2, 0)
    activities = story.client("application-autoscaling", SOURCE).describe_scaling_activities(ServiceNamespace="ecs")
    assert activities["ScalingActivities"][0]["Cause"] == "minimum capacity was set to 2"


@pytest.mark.parametrize("bounds", [{"MinCapacity": 0}, {"SuspendedState": SUSPENDED}], ids=["minimum 0", "suspended"])
def test_scaling_in_after_the_bounds_were_lowered_stays(story: Story, bounds: dict[str, Any]) -> None:
    story.bounds(SOURCE, **bounds)
    story.scale(0, SOURCE)

    story.clock.advance(600)

    assert story.counts(SOURCE) == (0, 0, 0)


def test_lifting_the_suspension_with_a_minimum_wakes_the_service(story: Story) -> None:
    story.bounds(MinCapacity=2, MaxCapacity=2)
    story.clock.advance(300)
    assert story.counts() == (0, 0, 0)

    story.bounds(SuspendedState=dict.fromkeys(SUSPENDED, False))
    story.clock.advance(300)

    assert story.counts() == (2, 2, 0)


def test_bounds_that_contradict_each_other_are_refused(story: Story) -> None:
    with pytest.raises(ClientError, match="ValidationException.*Maximum capacity cannot be less"):
        story.bounds(MinCapacity=9)


def test_no_capacity_trips_the_circuit_breaker(story: Story) -> None:
    story.make_transitions("ecs.start-tasks", "fail")
    story.scale(2)

    story.clock.advance(180)

    service = story.service()
    deployment = service["deployments"][0]
    assert deployment["rolloutState"] == "FAILED"
    assert deployment["failedTasks"] >= 3
    assert any("unable to place" in event["message"] for event in service["events"])
    assert story.counts() == (2, 0, 0)
    assert {t["stopCode"] for t in story.tasks(desiredStatus="STOPPED")} == {"TaskFailedToStart"}


def test_without_a_circuit_breaker_ecs_tries_again_until_there_is_capacity() -> None:
    story = Story(desired_count=2, circuit_breaker=False)
    story.make_transitions("ecs.start-tasks", "fail")
    story.scale(2)
    story.clock.advance(300)
    assert story.service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert story.service()["deployments"][0]["failedTasks"] >= 4

    story.local.faults.remove()
    story.clock.advance(180)

    assert story.counts() == (2, 2, 0)
    assert story.service()["deployments"][0]["rolloutState"] == "COMPLETED"


def test_tasks_that_stick_stay_pending(story: Story) -> None:
    story.make_transitions("ecs.start-tasks", "stuck")
    story.scale(2)

    story.clock.advance(3600)

    assert story.counts() == (2, 0, 2)
    assert story.service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"


def test_a_stopped_service_task_is_replaced(story: Story) -> None:
    victim = story.tasks(SOURCE)[0]["taskArn"]
    story.client("ecs", SOURCE).stop_task(cluster="apps", task=victim, reason="chaos")

    story.clock.advance(120)

    assert story.counts(SOURCE) == (2, 2, 0)
    assert victim not in [task["taskArn"] for task in story.tasks(SOURCE)]


def test_a_drill_task_runs_until_it_is_stopped(story: Story) -> None:
    ecs = story.client("ecs")
    network = story.service()["networkConfiguration"]
    run = {
        "cluster": "apps",
        "taskDefinition": "orders-api",
        "launchType": "FARGATE",
        "startedBy": "drill-1a2b3c4d",
        "clientToken": "drill-1a2b3c4d",
        "networkConfiguration": network,
        "tags": [{"key": "dr:drill-id", "value": "1a2b3c4d"}],
    }
    task = ecs.run_task(**run)["tasks"][0]
    assert ecs.run_task(**run)["tasks"][0]["taskArn"] == task["taskArn"]

    story.clock.advance(3600)
    drill = story.tasks(startedBy="drill-1a2b3c4d")
    assert [(t["lastStatus"], t["tags"]) for t in drill] == [("RUNNING", run["tags"])]
    assert story.counts() == (0, 0, 0)

    assert ecs.list_tags_for_resource(resourceArn=task["taskArn"])["tags"] == run["tags"]

    ecs.stop_task(cluster="apps", task=task["taskArn"], reason="drill over")
    story.clock.advance(30)
    stopped = ecs.describe_tasks(cluster="apps", tasks=[task["taskArn"]])["tasks"][0]
    assert (stopped["lastStatus"], stopped["stopCode"]) == ("STOPPED", "UserInitiated")


def test_tasks_behind_a_target_group_are_initial_then_healthy_then_draining(story: Story) -> None:
    group = story.service()["loadBalancers"][0]["targetGroupArn"]

    def states() -> list[str]:
        health = story.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [each["TargetHealth"]["State"] for each in health]

    story.scale(1)
    story.clock.advance(35)
    assert states() == ["initial"]
    story.clock.advance(20)
    assert states() == ["healthy"]

    story.bounds(MinCapacity=0)
    story.scale(0)
    story.clock.advance(30)
    assert states() == ["draining"]
    story.clock.advance(300)
    assert states() == []


def test_every_task_is_a_target_of_its_own(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given ids from which every task would draw the same address
    ids = (UUID(int=250 * 250 * number) for number in count(1))
    monkeypatch.setattr("localaws.services.ecs.tasks.uuid.uuid4", lambda: next(ids))
    group = story.service()["loadBalancers"][0]["targetGroupArn"]
    story.scale(3)
    story.clock.advance(120)
    health = story.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert len({each["Target"]["Id"] for each in health}) == 3


def test_a_daemon_service_runs_once_per_instance_and_has_no_count() -> None:
    story = Story(scheduling="DAEMON")

    assert story.counts(SOURCE) == (1, 1, 0)
    assert story.counts(TARGET) == (0, 0, 0)
    with pytest.raises(ClientError, match="InvalidParameterException.*daemon scheduling strategy"):
        story.scale(0, SOURCE)


def test_codedeploy_owns_the_definition_but_not_the_count() -> None:
    story = Story(deployment_controller="CODE_DEPLOY")

    with pytest.raises(ClientError, match="InvalidParameterException.*CODE_DEPLOY"):
        story.client("ecs").update_service(**SERVICE, taskDefinition="orders-api")
    story.scale(1)
    story.clock.advance(60)

    assert story.counts() == (1, 1, 0)
    assert story.service()["deployments"] == []


def test_a_service_can_be_created_without_security_groups_and_only_once(story: Story) -> None:
    ecs = story.client("ecs")
    subnet = story.service()["networkConfiguration"]["awsvpcConfiguration"]["subnets"][0]
    create = {
        "cluster": "apps",
        "serviceName": "orders-api-copy",
        "taskDefinition": "orders-api",
        "desiredCount": 0,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [subnet]}},
        "clientToken": "run-1",
    }

    first = ecs.create_service(**create)["service"]
    again = ecs.create_service(**create)["service"]

    assert first["status"] == "ACTIVE"
    assert again["createdAt"] == first["createdAt"]
    with pytest.raises(ClientError, match="InvalidParameterException.*not idempotent"):
        ecs.create_service(**{**create, "clientToken": "run-2"})


def test_a_deleted_service_drains_and_can_be_created_again(story: Story) -> None:
    ecs = story.client("ecs", SOURCE)
    with pytest.raises(ClientError, match="scaled above 0"):
        ecs.delete_service(**SERVICE)
    ecs.delete_service(**SERVICE, force=True)
    assert story.service(SOURCE)["status"] == "DRAINING"
    with pytest.raises(ClientError, match="ServiceNotActiveException"):
        story.scale(1, SOURCE)

    story.clock.advance(30)

    assert story.service(SOURCE)["status"] == "INACTIVE"
    assert ecs.list_services(cluster="apps")["serviceArns"] == []


def test_what_is_missing_is_named(story: Story) -> None:
    ecs = story.client("ecs")

    failures = ecs.describe_services(cluster="apps", services=["nothing"])["failures"]
    assert failures[0]["reason"] == "MISSING"
    assert failures[0]["arn"].endswith("service/apps/nothing")
    with pytest.raises(ClientError, match="ClusterNotFoundException"):
        ecs.describe_services(cluster="nowhere", services=["nothing"])
    with pytest.raises(ClientError, match="ServiceNotFoundException"):
        ecs.update_service(cluster="apps", service="nothing", desiredCount=1)
    with pytest.raises(ClientError, match="ClientException.*TaskDefinition not found"):
        ecs.update_service(**SERVICE, taskDefinition="orders-api:99")


def test_an_image_that_was_never_replicated_is_missing_on_the_target_side() -> None:
    story = Story(image_on_target=False)

    with pytest.raises(ClientError, match="ImageNotFoundException"):
        story.client("ecr").describe_images(repositoryName="orders-api", imageIds=[{"imageTag": "1.0"}])
    with pytest.raises(ClientError, match="RepositoryNotFoundException"):
        story.client("ecr").describe_images(repositoryName="nothing", imageIds=[{"imageTag": "1.0"}])


def test_services_are_listed_ten_at_a_time(story: Story) -> None:
    ecs = story.client("ecs")
    network = story.service()["networkConfiguration"]
    for number in range(11):
        ecs.create_service(
            cluster="apps",
            serviceName=f"extra-{number}",
            taskDefinition="orders-api",
            desiredCount=0,
            launchType="FARGATE",
            networkConfiguration=network,
        )

    page = ecs.list_services(cluster="apps")
    pages = ecs.get_paginator("list_services").paginate(cluster="apps")

    assert len(page["serviceArns"]) == 10
    assert len([arn for each in pages for arn in each["serviceArns"]]) == 12
