"""What only readiness wants to know of an Auto Scaling group's Region: capacity, addresses, quotas, what a template names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from adapters.asg.models import AccountLimits, Group, Policies, ScheduledActions
from adapters.asg.states import STANDARD_VCPUS, SUBNET_MISSING, TYPE_MISSING
from adapters.asg.view_needs import Reservation, lacks, reservation
from adapters.asg.view_parts import InstanceTypes, Offerings, Subnets, TemplateVersion
from adapters.needed import Lack, key_states
from adapters.quotas import Room, room
from orchestrator.contract import Member, Place, Reader, RunContext
from orchestrator.errors import DrError
from orchestrator.words import Mode


@dataclass(frozen=True)
class Checked:
    """What only readiness wants to know of the target side."""

    zones: tuple[str, ...] = ()
    """Where the template's instance type is offered."""
    vcpus: int = 0
    room: Room = Room()
    """Of the vCPUs of standard instances."""
    addresses: int = 0
    subnets: bool = True
    """Whether all subnets of the group are there."""
    lacks: tuple[Lack, ...] = ()
    """What the launch template or the group names and the Region does not hold as it must be."""
    scheduled: tuple[str, ...] = ()
    scaling_in: tuple[str, ...] = ()
    """Policies that may take instances away; a drill does not ask."""
    unseen: str = ""
    """Why the policies could not be looked at; empty when they were."""
    key_states: Mapping[str, str] = field(default_factory=dict)
    reservation: Reservation | None = None
    groups_left: int | None = None


def check(
    reader: Reader, place: Place, group: Group, version: TemplateVersion | None, member: Member, run: RunContext
) -> Checked:
    """Read what readiness wants to know of the target side."""
    kind = version.LaunchTemplateData.InstanceType if version else ""
    scheduled = reader.read("autoscaling", "DescribeScheduledActions", ScheduledActions, AutoScalingGroupName=place.id)
    subnets = _subnets(reader, group)
    key = image_key(member, place.region)
    limits = reader.read("autoscaling", "DescribeAccountLimits", AccountLimits) if run.mode is Mode.DRILL else None
    scaling_in, unseen = ((), "") if run.mode is Mode.DRILL else _scaling_in(reader, place.id)
    return Checked(
        zones=_zones(reader, kind) if kind else (),
        vcpus=_vcpus(reader, kind) if kind else 0,
        room=room(reader, *STANDARD_VCPUS, run.now),
        addresses=sum(each.AvailableIpAddressCount for each in subnets.Subnets) if subnets else 0,
        subnets=subnets is not None,
        lacks=tuple(lacks(reader, group, version.LaunchTemplateData if version else None, run)),
        scheduled=tuple(each.when for each in scheduled.ScheduledUpdateGroupActions),
        scaling_in=scaling_in,
        unseen=unseen,
        key_states=key_states(reader, key),
        reservation=reservation(reader, version.LaunchTemplateData) if version else None,
        groups_left=limits.MaxNumberOfAutoScalingGroups - limits.NumberOfAutoScalingGroups if limits else None,
    )


def _scaling_in(reader: Reader, name: str) -> tuple[tuple[str, ...], str]:
    """Return the policies that may take instances away, or why nobody can say."""
    try:
        pages = reader.pages("autoscaling", "DescribePolicies", Policies, AutoScalingGroupName=name)
    except DrError as err:
        return (), err.message
    return tuple(sorted(each.PolicyName for page in pages for each in page.ScalingPolicies if each.scales_in)), ""


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
