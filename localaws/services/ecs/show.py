"""ECS services in the shape of DescribeServices, and ECS's way of paging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localaws.service import AwsError, Call
from localaws.services.ecs.models import Deployment, ServiceState, Task
from localaws.services.ecs.scheduler import counts

DEFAULT_DEPLOYMENT = {"maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING"}


def show_service(
    service: Any, state: ServiceState, tasks: Sequence[Task], wanted: int, with_tags: bool
) -> dict[str, Any]:
    """Return a service in the shape of DescribeServices; counts come from its tasks."""
    running, pending = counts(tasks)
    strategy = state.settings.get("capacityProviderStrategy")
    rolling = service.deployment_controller.get("type", "ECS") == "ECS"
    shown: dict[str, Any] = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "loadBalancers": list(service.load_balancers or []),
        "serviceRegistries": list(service.service_registries or []),
        "status": service.status,
        "desiredCount": wanted,
        "runningCount": running,
        "pendingCount": pending,
        "launchType": None if strategy else service.launch_type,
        "platformVersion": _platform_version(service),
        "platformFamily": "Linux" if service.launch_type == "FARGATE" else None,
        "taskDefinition": service.task_definition,
        "deployments": [_deployment(service, state, each, tasks, wanted) for each in state.deployments]
        if rolling
        else [],
        "roleArn": service.role_arn,
        "events": list(state.events),
        "createdAt": state.created_at,
        "createdBy": state.created_by or None,
        "networkConfiguration": service.network_configuration or None,
        "schedulingStrategy": service.scheduling_strategy,
        "deploymentController": service.deployment_controller,
        "propagateTags": service.propagate_tags or "NONE",
        "tags": list(service.tags or []) if with_tags else None,
        "placementConstraints": [],
        "placementStrategy": [],
        **{name: value for name, value in state.settings.items() if name != "serviceConnectConfiguration"},
        "deploymentConfiguration": {**DEFAULT_DEPLOYMENT, **(state.settings.get("deploymentConfiguration") or {})},
    }
    return {key: value for key, value in shown.items() if value is not None}


def page(items: Sequence[str], call: Call, default_size: int) -> tuple[list[str], Mapping[str, str]]:
    """Return one page of ARNs and the `nextToken` (a position) when more follow."""
    size = int(call.params.get("maxResults") or default_size)
    if not 1 <= size <= 100:
        raise AwsError("InvalidParameterException", "maxResults must be between 1 and 100.")
    token = call.params.get("nextToken")
    if token and not str(token).isdigit():
        raise AwsError("InvalidParameterException", "Invalid token.")
    start = int(token or 0)
    following = {"nextToken": str(start + size)} if start + size < len(items) else {}
    return list(items[start : start + size]), following


def _deployment(
    service: Any, state: ServiceState, deployment: Deployment, tasks: Sequence[Task], wanted: int
) -> dict[str, Any]:
    own = [task for task in tasks if task.deployment_id == deployment.id]
    running, pending = counts(own)
    primary = deployment is state.primary
    strategy = state.settings.get("capacityProviderStrategy")
    shown: dict[str, Any] = {
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.task_definition,
        "desiredCount": wanted if primary else sum(task.wanted for task in own),
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": deployment.failed_tasks,
        "createdAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
        "capacityProviderStrategy": strategy,
        "launchType": None if strategy else service.launch_type,
        "platformVersion": _platform_version(service),
        "networkConfiguration": service.network_configuration or None,
        "rolloutState": deployment.rollout.value,
        "rolloutStateReason": deployment.rollout_reason,
    }
    return {key: value for key, value in shown.items() if value is not None}


def _platform_version(service: Any) -> str | None:
    return (service.platform_version or "LATEST") if service.launch_type == "FARGATE" else None
