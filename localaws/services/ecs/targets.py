"""The load-balancer side of an ECS service: its tasks enter and leave the target groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from localaws.services.ecs.models import Task

if TYPE_CHECKING:
    from localaws.world import World


def register_task(world: World, service: Any, task: Task) -> None:
    """Register a running task with the service's target groups; ELB shows it `initial`, then `healthy`."""
    for group, port in _groups(world, service):
        world.service("elbv2").register(group, [{"Id": task.private_ip, "Port": port}])  # type: ignore[attr-defined]


def deregister_task(world: World, service: Any, task: Task) -> None:
    """Take a stopping task out of the service's target groups."""
    for group, port in _groups(world, service):
        world.service("elbv2").deregister(group, [{"Id": task.private_ip, "Port": port}])  # type: ignore[attr-defined]


def target_group(world: World, account: str, region: str, arn: str) -> Any | None:
    """Return moto's target group, None when there is no such group."""
    return world.backend("elbv2", account, region).target_groups.get(arn)


def _groups(world: World, service: Any) -> Iterator[tuple[Any, int]]:
    account, region = service.arn.split(":")[4], service.arn.split(":")[3]
    for load_balancer in service.load_balancers or []:
        group = target_group(world, account, region, load_balancer.get("targetGroupArn", ""))
        if group is not None:
            yield group, int(load_balancer.get("containerPort") or 80)
