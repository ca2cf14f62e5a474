"""What is read of the load balancers before a resource: the health of its targets, where they listen, what they show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, JsonValue

from adapters.needed import Lack, certificate_lacks
from orchestrator.contract import Reader

TARGET_GROUP_MISSING = ("TargetGroupNotFound",)
SHOWS_CERTIFICATES = frozenset({"HTTPS", "TLS"})


class _HealthState(BaseModel):
    State: str = ""


class _TargetHealth(BaseModel):
    TargetHealth: _HealthState = _HealthState()


class TargetHealth(BaseModel):
    """elbv2:DescribeTargetHealth."""

    TargetHealthDescriptions: list[_TargetHealth] = []


class _TargetGroup(BaseModel):
    LoadBalancerArns: list[str] = []


class _TargetGroups(BaseModel):
    TargetGroups: list[_TargetGroup] = []


class _LoadBalancer(BaseModel):
    LoadBalancerArn: str
    LoadBalancerName: str = ""
    DNSName: str = ""


class _LoadBalancers(BaseModel):
    LoadBalancers: list[_LoadBalancer] = []


class _Listener(BaseModel):
    ListenerArn: str = ""
    Protocol: str = ""
    Port: int | None = None


class _Listeners(BaseModel):
    Listeners: list[_Listener] = []


class _Certificate(BaseModel):
    CertificateArn: str


class _Certificates(BaseModel):
    Certificates: list[_Certificate] = []


def target_states(reader: Reader, groups: Sequence[str]) -> dict[str, list[str]]:
    """Return target group ARN -> the states of its targets."""
    return {
        arn: [
            each.TargetHealth.State
            for each in reader.read(
                "elbv2", "DescribeTargetHealth", TargetHealth, TargetGroupArn=arn
            ).TargetHealthDescriptions
        ]
        for arn in groups
    }


def endpoints(reader: Reader, groups: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Return host and port of every listener of the load balancers that send to target groups."""
    return tuple(
        (balancer.DNSName, listener.Port)
        for balancer in _balancers(reader, groups)
        for listener in _listeners(reader, balancer)
        if listener.Port is not None
    )


def balancer_lacks(reader: Reader, groups: Sequence[str], now: datetime) -> list[Lack]:
    """Judge target groups, and the certificates that the load balancers before them show."""
    there = [arn for arn in groups if _is_there(reader, arn)]
    found = [
        Lack("target-group", f"target group {arn} does not exist in {reader.region}", "make it, or name another")
        for arn in groups
        if arn not in there
    ]
    for balancer in _balancers(reader, there):
        shown: dict[str, str] = {}
        for listener in _listeners(reader, balancer):
            name = f"listener {listener.Protocol} {listener.Port} of {balancer.LoadBalancerName}"
            shown = {**dict.fromkeys(_certificates(reader, listener), name), **shown}
        for arn, name in sorted(shown.items()):
            found += certificate_lacks(reader, arn, name, now)
    return found


def _is_there(reader: Reader, group: str) -> bool:
    asked: list[JsonValue] = [group]
    found = reader.find("elbv2", "DescribeTargetGroups", _TargetGroups, TARGET_GROUP_MISSING, TargetGroupArns=asked)
    return found is not None and bool(found.TargetGroups)


def _balancers(reader: Reader, groups: Sequence[str]) -> list[_LoadBalancer]:
    if not groups:
        return []
    found = reader.read("elbv2", "DescribeTargetGroups", _TargetGroups, TargetGroupArns=list(groups))
    arns: list[JsonValue] = [*sorted({arn for group in found.TargetGroups for arn in group.LoadBalancerArns})]
    if not arns:
        return []
    return reader.read("elbv2", "DescribeLoadBalancers", _LoadBalancers, LoadBalancerArns=arns).LoadBalancers


def _listeners(reader: Reader, balancer: _LoadBalancer) -> list[_Listener]:
    pages = reader.pages("elbv2", "DescribeListeners", _Listeners, LoadBalancerArn=balancer.LoadBalancerArn)
    return [listener for page in pages for listener in page.Listeners]


def _certificates(reader: Reader, listener: _Listener) -> list[str]:
    """Return the ARNs of a listener's certificates, those of single names among them."""
    if listener.Protocol not in SHOWS_CERTIFICATES:
        return []
    pages = reader.pages("elbv2", "DescribeListenerCertificates", _Certificates, ListenerArn=listener.ListenerArn)
    return [each.CertificateArn for page in pages for each in page.Certificates]
