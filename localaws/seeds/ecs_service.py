"""`ecs-service`: an ECS service that runs on the source side and sleeps, ready to be scaled, on the target side.

Cluster and service have the same names on both sides. Each side has its own repository with the image, log
group, target group, task definition and scalable target; on the target side the service has 0 tasks and its
scaling is suspended.

Settings: `desired_count` (2), `cluster` (the account's name in the estate), `cpu` ("512"), `memory` ("1024"),
`port` (8080), `image_tag` ("1.0"), `health_check` (true: the container has one), `target_group` (true),
`circuit_breaker` (true), `scheduling` (REPLICA or DAEMON: EC2 with one container instance),
`deployment_controller` (ECS or CODE_DEPLOY), `min_capacity` (the desired count), `max_capacity` (twice that),
`image_on_target` (true; false leaves the repository on the target side empty), `service_on_target` (true; false: the
target side has cluster, image, log group, target group and an older task definition, and the source side's service says by
its tags dr:deploy-* where it is to be deployed).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.seeds.drs_server import run_instance
from localaws.seeds.network import default_network
from localaws.seeds.roles import service_role
from localaws.service import AwsError
from localaws.services.ecs import EcsService

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True)
class _Side:
    world: World
    entry: Entry
    tags: dict[str, str]
    account: str
    region: str
    desired_count: int
    is_source: bool

    @property
    def cluster(self) -> str:
        return str(self.entry.setting("cluster", self.entry.account))

    @property
    def port(self) -> int:
        return int(self.entry.setting("port", 8080))

    @property
    def is_daemon(self) -> bool:
        return bool(self.entry.setting("scheduling", "REPLICA") == "DAEMON")

    def call(self, service: str, operation: str, **params: Any) -> Any:
        return self.world.call(service, operation, self.account, self.region, **params)

    def ecs_tags(self) -> list[dict[str, str]]:
        return [{"key": key, "value": value} for key, value in self.tags.items()]


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Make both sides; the source side's tasks already run."""
    account = estate.account_id(entry.account)
    tags = {"Name": entry.name, **estate.tags(entry)}
    desired = int(entry.setting("desired_count", 2))
    sides = [_Side(world, entry, tags, account, r, desired, r == estate.primary_region) for r in estate.regions]
    for side in sides:
        if side.is_source or entry.setting("service_on_target", True):
            _seed_side(side)
    if not entry.setting("service_on_target", True):
        _to_be_deployed(*sorted(sides, key=lambda side: not side.is_source))


def _seed_side(side: _Side) -> None:
    _cluster(side)
    image = _image(side)
    definition = _task_definition(side, image)
    params: dict[str, Any] = {
        "cluster": side.cluster,
        "serviceName": side.entry.name,
        "taskDefinition": definition,
        "tags": side.ecs_tags(),
        "propagateTags": "SERVICE",
        "deploymentController": {"type": side.entry.setting("deployment_controller", "ECS")},
        **_placement(side),
    }
    if side.entry.setting("circuit_breaker", True):
        params["deploymentConfiguration"] = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    if side.entry.setting("target_group", True):
        group = {"targetGroupArn": _target_group(side), "containerName": "app", "containerPort": side.port}
        params["loadBalancers"] = [group]
    side.call("ecs", "CreateService", **params)
    if not side.is_daemon:
        _scalable_target(side)
    ecs = side.world.service("ecs")
    assert isinstance(ecs, EcsService)
    ecs.settle_now(side.account, side.region, side.cluster, side.entry.name)


def _to_be_deployed(source: _Side, target: _Side) -> None:
    """Leave the target side without the service, and tell on the source side's where it goes."""
    _cluster(target)
    _task_definition(target, _image(target), cpu="256")
    network = default_network(target.world, target.account, target.region)
    told = {"dr:deploy-region": target.region}
    told["dr:deploy-subnets"] = " ".join(network.subnet_ids[:2])
    told["dr:deploy-security-groups"] = network.security_group_id
    if source.entry.setting("target_group", True):
        told["dr:deploy-target-groups"] = _target_group(target)
    arn = f"arn:aws:ecs:{source.region}:{source.account}:service/{source.cluster}/{source.entry.name}"
    source.call("ecs", "TagResource", resourceArn=arn, tags=[{"key": k, "value": v} for k, v in told.items()])


def _cluster(side: _Side) -> None:
    if side.cluster not in side.world.backend("ecs", side.account, side.region).clusters:
        side.call("ecs", "CreateCluster", clusterName=side.cluster)


def _image(side: _Side) -> str:
    name, tag = side.entry.name, str(side.entry.setting("image_tag", "1.0"))
    repository = side.call("ecr", "CreateRepository", repositoryName=name)["repository"]
    if side.is_source or side.entry.setting("image_on_target", True):
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": {"digest": f"{name}:{tag}"}}
        side.call("ecr", "PutImage", repositoryName=name, imageTag=tag, imageManifest=json.dumps(manifest))
    return f"{repository['repositoryUri']}:{tag}"


def _task_definition(side: _Side, image: str, cpu: str = "512") -> str:
    group = f"/ecs/{side.entry.name}"
    side.call("logs", "CreateLogGroup", logGroupName=group)
    options = {"awslogs-group": group, "awslogs-region": side.region, "awslogs-stream-prefix": "app"}
    container: dict[str, Any] = {
        "name": "app",
        "image": image,
        "essential": True,
        "portMappings": [{"containerPort": side.port, "protocol": "tcp"}],
        "environment": [{"name": "AWS_REGION", "value": side.region}],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }
    if side.entry.setting("health_check", True):
        container["healthCheck"] = {"command": ["CMD-SHELL", f"curl -f http://localhost:{side.port}/health"]}
    reply = side.call(
        "ecs",
        "RegisterTaskDefinition",
        family=side.entry.name,
        containerDefinitions=[container],
        cpu=str(side.entry.setting("cpu", cpu)),
        memory=str(side.entry.setting("memory", "1024")),
        networkMode="awsvpc",
        requiresCompatibilities=["EC2" if side.is_daemon else "FARGATE"],
        executionRoleArn=service_role(
            side.world, side.account, side.region, "ecsTaskExecutionRole", "ecs-tasks.amazonaws.com"
        ),
        taskRoleArn=f"arn:aws:iam::{side.account}:role/{side.entry.name}-task",
        tags=side.ecs_tags(),
    )
    return str(reply["taskDefinition"]["taskDefinitionArn"])


def _placement(side: _Side) -> dict[str, Any]:
    network = default_network(side.world, side.account, side.region)
    subnets = {"subnets": list(network.subnet_ids[:2]), "securityGroups": [network.security_group_id]}
    placement: dict[str, Any] = {"networkConfiguration": {"awsvpcConfiguration": subnets}}
    if not side.is_daemon:
        return {**placement, "launchType": "FARGATE", "desiredCount": side.desired_count if side.is_source else 0}
    if side.is_source:
        backend = side.world.backend("ecs", side.account, side.region)
        instance = run_instance(side.world, side.account, side.region, {"Name": f"{side.entry.name}-host"}, "m5.large")
        backend.register_container_instance(side.cluster, instance)
    return {**placement, "launchType": "EC2", "schedulingStrategy": "DAEMON"}


def _target_group(side: _Side) -> str:
    network = default_network(side.world, side.account, side.region)
    name = side.entry.name[:32].strip("-")
    try:
        reply = side.call(
            "elbv2",
            "CreateTargetGroup",
            Name=name,
            Protocol="HTTP",
            Port=side.port,
            VpcId=network.vpc_id,
            TargetType="ip",
            HealthCheckPath="/health",
        )
    except AwsError as error:
        raise LookupError(f"target group {name}: {error}") from error
    return str(reply["TargetGroups"][0]["TargetGroupArn"])


def _scalable_target(side: _Side) -> None:
    minimum = int(side.entry.setting("min_capacity", side.desired_count)) if side.is_source else 0
    suspended = not side.is_source
    side.call(
        "application-autoscaling",
        "RegisterScalableTarget",
        ServiceNamespace="ecs",
        ResourceId=f"service/{side.cluster}/{side.entry.name}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=minimum,
        MaxCapacity=int(side.entry.setting("max_capacity", 2 * side.desired_count)),
        SuspendedState={
            "DynamicScalingInSuspended": suspended,
            "DynamicScalingOutSuspended": suspended,
            "ScheduledScalingSuspended": suspended,
        },
    )
