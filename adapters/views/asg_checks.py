"""What only readiness wants to know of an Auto Scaling group's Region: capacity, addresses, quotas, what a template names."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from adapters.specs.asg_states import (
    GROUP_MISSING,
    KEY_PAIR_MISSING,
    QUOTA_MISSING,
    STANDARD_VCPUS,
    SUBNET_MISSING,
    TYPE_MISSING,
)
from adapters.views.asg_models import AccountLimits, Group, ScheduledActions
from adapters.views.asg_parts import Anything, InstanceTypes, Key, Offerings, ServiceQuota, Subnets, TemplateVersion
from orchestrator.contract import Member, Place, Reader, RunContext
from orchestrator.words import Mode


@dataclass(frozen=True)
class Checked:
    """What only readiness wants to know of the target side."""

    zones: tuple[str, ...] = ()
    """Where the template's instance type is offered."""
    vcpus: int = 0
    quota: float | None = None
    addresses: int = 0
    missing: tuple[str, ...] = ()
    """What the launch template or the group names and the Region does not hold, a noun each."""
    scheduled: tuple[str, ...] = ()
    key_state: str = ""
    groups_left: int | None = None


def check(
    reader: Reader, place: Place, group: Group, version: TemplateVersion | None, member: Member, run: RunContext
) -> Checked:
    """Read what readiness wants to know of the target side."""
    kind = version.LaunchTemplateData.InstanceType if version else ""
    scheduled = reader.read("autoscaling", "DescribeScheduledActions", ScheduledActions, AutoScalingGroupName=place.id)
    subnets = _subnets(reader, group)
    service, code = STANDARD_VCPUS
    quota = reader.find(
        "service-quotas", "GetServiceQuota", ServiceQuota, missing=QUOTA_MISSING, ServiceCode=service, QuotaCode=code
    )
    key = image_key(member, place.region)
    limits = reader.read("autoscaling", "DescribeAccountLimits", AccountLimits) if run.mode is Mode.DRILL else None
    return Checked(
        zones=_zones(reader, kind) if kind else (),
        vcpus=_vcpus(reader, kind) if kind else 0,
        quota=quota.Quota.Value if quota else None,
        addresses=sum(each.AvailableIpAddressCount for each in subnets.Subnets) if subnets else 0,
        missing=(*([] if subnets else ["a subnet of the group"]), *_missing(reader, version)),
        scheduled=tuple(each.ScheduledActionName for each in scheduled.ScheduledUpdateGroupActions),
        key_state=reader.read("kms", "DescribeKey", Key, KeyId=key).KeyMetadata.KeyState if key else "",
        groups_left=limits.MaxNumberOfAutoScalingGroups - limits.NumberOfAutoScalingGroups if limits else None,
    )


def image_key(member: Member, region: str) -> str | None:
    """Return the KMS key that the manifest's `imageKeys` names for images in a Region."""
    keys = member.settings.get("imageKeys")
    key = keys.get(region) if isinstance(keys, dict) else None
    return key if isinstance(key, str) else None


def _subnets(reader: Reader, group: Group) -> Subnets | None:
    ids: list[JsonValue] = [each.strip() for each in group.VPCZoneIdentifier.split(",") if each.strip()]
    return reader.find("ec2", "DescribeSubnets", Subnets, missing=SUBNET_MISSING, SubnetIds=ids) if ids else Subnets()


def _zones(reader: Reader, kind: str) -> tuple[str, ...]:
    of_kind: JsonValue = [{"Name": "instance-type", "Values": [kind]}]
    pages = reader.pages(
        "ec2", "DescribeInstanceTypeOfferings", Offerings, LocationType="availability-zone", Filters=of_kind
    )
    return tuple(sorted(each.Location for page in pages for each in page.InstanceTypeOfferings))


def _vcpus(reader: Reader, kind: str) -> int:
    found = reader.find("ec2", "DescribeInstanceTypes", InstanceTypes, missing=TYPE_MISSING, InstanceTypes=[kind])
    return found.InstanceTypes[0].VCpuInfo.DefaultVCpus if found and found.InstanceTypes else 0


def _missing(reader: Reader, version: TemplateVersion | None) -> list[str]:
    if version is None:
        return []
    data, gone = version.LaunchTemplateData, []
    ids: list[JsonValue] = [*data.security_groups]
    if ids and not reader.find("ec2", "DescribeSecurityGroups", Anything, missing=GROUP_MISSING, GroupIds=ids):
        gone.append(f"one of the security groups {', '.join(data.security_groups)}")
    names: list[JsonValue] = [data.KeyName]
    if data.KeyName and not reader.find("ec2", "DescribeKeyPairs", Anything, missing=KEY_PAIR_MISSING, KeyNames=names):
        gone.append(f"the key pair {data.KeyName}")
    return gone
