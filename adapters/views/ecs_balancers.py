"""What is read of the load balancers in front of an ECS service: the health of its targets, and where they listen."""

from __future__ import annotations

from pydantic import BaseModel, JsonValue

from adapters.views.ecs_models import Service, TargetHealth
from orchestrator.contract import Reader


class _TargetGroup(BaseModel):
    LoadBalancerArns: list[str] = []


class _TargetGroups(BaseModel):
    TargetGroups: list[_TargetGroup] = []


class _LoadBalancer(BaseModel):
    LoadBalancerArn: str
    DNSName: str = ""


class _LoadBalancers(BaseModel):
    LoadBalancers: list[_LoadBalancer] = []


class _Listener(BaseModel):
    Port: int | None = None


class _Listeners(BaseModel):
    Listeners: list[_Listener] = []


def target_health(reader: Reader, service: Service | None) -> dict[str, list[str]]:
    """Return target group ARN -> the states of its targets."""
    return {
        arn: [
            each.TargetHealth.State
            for each in reader.read(
                "elbv2", "DescribeTargetHealth", TargetHealth, TargetGroupArn=arn
            ).TargetHealthDescriptions
        ]
        for arn in _groups(service)
    }


def balancers(reader: Reader, service: Service) -> tuple[tuple[str, int], ...]:
    """Return host and port of every listener of the load balancers that send to a service."""
    groups: list[JsonValue] = [*_groups(service)]
    if not groups:
        return ()
    found = reader.read("elbv2", "DescribeTargetGroups", _TargetGroups, TargetGroupArns=groups)
    arns: list[JsonValue] = [*sorted({arn for group in found.TargetGroups for arn in group.LoadBalancerArns})]
    if not arns:
        return ()
    shown = reader.read("elbv2", "DescribeLoadBalancers", _LoadBalancers, LoadBalancerArns=arns).LoadBalancers
    return tuple(
        (each.DNSName, listener.Port)
        for each in shown
        for page in reader.pages("elbv2", "DescribeListeners", _Listeners, LoadBalancerArn=each.LoadBalancerArn)
        for listener in page.Listeners
        if listener.Port is not None
    )


def _groups(service: Service | None) -> list[str]:
    return [each.targetGroupArn for each in (service.loadBalancers if service else []) if each.targetGroupArn]
