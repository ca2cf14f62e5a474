"""Making and showing ECS tasks."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from localaws.services.ecs.models import Deployment, ServiceState, Task, TaskStatus

if TYPE_CHECKING:
    from localaws.world import World

HEALTHY_AFTER_SECONDS = 10.0


def new_task(world: World, service: Any, state: ServiceState, deployment: Deployment) -> Task:
    """Make a task of a service and store it; it is PROVISIONING."""
    account, region = service.arn.split(":")[4], service.arn.split(":")[3]
    backend = world.backend("ecs", account, region)
    definition = backend.describe_task_definition(deployment.task_definition)
    strategy = state.settings.get("capacityProviderStrategy") or []
    task = build_task(
        world,
        backend,
        backend.clusters[service.cluster_name],
        definition,
        group=f"service:{service.name}",
        started_by=deployment.id,
        launch_type=service.launch_type,
        capacity_provider=strategy[0]["capacityProvider"] if strategy else None,
        network=service.network_configuration,
        tags=_propagated_tags(service, state, definition),
    )
    task.service_arn = service.arn
    task.deployment_id = deployment.id
    return task


def build_task(
    world: World,
    backend: Any,
    cluster: Any,
    definition: Any,
    *,
    group: str,
    started_by: str,
    launch_type: str,
    capacity_provider: str | None,
    network: Mapping[str, Any] | None,
    tags: list[dict[str, str]],
    overrides: Mapping[str, Any] | None = None,
) -> Task:
    """Make a task of a task definition in a cluster and store it where moto keeps tasks."""
    task_id = uuid.uuid4().hex
    prefix = cluster.arn.split(":cluster/")[0]
    subnets = ((network or {}).get("awsvpcConfiguration") or {}).get("subnets") or []
    task = Task(
        task_arn=f"{prefix}:task/{cluster.name}/{task_id}",
        cluster_arn=cluster.arn,
        cluster_name=cluster.name,
        task_definition_arn=definition.arn,
        group=group,
        started_by=started_by,
        created_at=world.clock.now(),
        launch_type=launch_type,
        capacity_provider=capacity_provider,
        containers=[dict(container) for container in definition.container_definitions],
        tags=tags,
        private_ip=_free_address(backend, int(task_id, 16)),
        subnet=subnets[0] if subnets else None,
        cpu=definition.cpu,
        memory=definition.memory,
        has_health_check=any(container.get("healthCheck") for container in definition.container_definitions),
        overrides=overrides or {},
    )
    backend.tasks.setdefault(cluster.name, {})[task.task_arn] = task
    return task


def _free_address(backend: Any, seed: int) -> str:
    """Return an address that no other task of the account and Region has: two tasks are never one target."""
    taken = {task.private_ip for tasks in backend.tasks.values() for task in tasks.values()}
    return next(address for at in count(seed) if (address := f"172.31.{at % 250}.{at // 250 % 250 + 4}") not in taken)


def show_task(world: World, task: Task, with_tags: bool) -> dict[str, Any]:
    """Return a task in the shape of DescribeTasks."""
    health = _health(world, task)
    shown: dict[str, Any] = {
        "taskArn": task.task_arn,
        "clusterArn": task.cluster_arn,
        "taskDefinitionArn": task.task_definition_arn,
        "group": task.group,
        "startedBy": task.started_by or None,
        "launchType": None if task.capacity_provider else task.launch_type,
        "capacityProviderName": task.capacity_provider,
        "containerInstanceArn": task.container_instance_arn,
        "cpu": task.cpu,
        "memory": task.memory,
        "desiredStatus": task.desired_status,
        "lastStatus": task.last_status.value,
        "healthStatus": health,
        "connectivity": "CONNECTED",
        "createdAt": task.created_at,
        "startedAt": task.started_at,
        "stoppingAt": task.stopping_at,
        "stoppedAt": task.stopped_at,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "overrides": dict(task.overrides),
        "containers": [_container(task, container, health) for container in task.containers],
        "attachments": [_interface(task)] if task.subnet else [],
        "version": 1 + list(TaskStatus).index(task.last_status),
        "tags": list(task.tags) if with_tags else None,
    }
    return {key: value for key, value in shown.items() if value is not None}


def _health(world: World, task: Task) -> str:
    if not task.has_health_check or task.last_status is not TaskStatus.RUNNING or task.started_at is None:
        return "UNKNOWN"
    age = world.clock.now() - task.started_at
    return "HEALTHY" if age >= timedelta(seconds=world.clock.clock_seconds(HEALTHY_AFTER_SECONDS)) else "UNKNOWN"


def _container(task: Task, container: Mapping[str, Any], health: str) -> dict[str, Any]:
    stopped = task.last_status is TaskStatus.STOPPED and task.started_at is not None
    shown: dict[str, Any] = {
        "containerArn": task.task_arn.replace(":task/", ":container/") + "/" + str(container["name"]),
        "taskArn": task.task_arn,
        "name": container["name"],
        "image": container.get("image"),
        "lastStatus": "STOPPED" if stopped else ("RUNNING" if task.started_at else "PENDING"),
        "healthStatus": health if container.get("healthCheck") else "UNKNOWN",
        "networkInterfaces": [{"privateIpv4Address": task.private_ip}] if task.subnet else [],
    }
    if stopped:
        shown["exitCode"] = 0
    return shown


def _interface(task: Task) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, task.task_arn)),
        "type": "ElasticNetworkInterface",
        "status": "DELETED" if task.last_status is TaskStatus.STOPPED else "ATTACHED",
        "details": [
            {"name": "subnetId", "value": task.subnet},
            {"name": "networkInterfaceId", "value": f"eni-{task.task_id[:17]}"},
            {"name": "privateIPv4Address", "value": task.private_ip},
        ],
    }


def _propagated_tags(service: Any, state: ServiceState, definition: Any) -> list[dict[str, str]]:
    source = {"SERVICE": service.tags, "TASK_DEFINITION": definition.tags}.get(service.propagate_tags or "NONE")
    tags = [dict(tag) for tag in source or []]
    if state.settings.get("enableECSManagedTags"):
        tags.append({"key": "aws:ecs:serviceName", "value": service.name})
        tags.append({"key": "aws:ecs:clusterName", "value": service.cluster_name})
    return tags
