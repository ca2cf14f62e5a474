"""What DRS launches with, read when a run is planned: each server's launch template and key, and what the Region holds of that.

Recovery instances take subnet, groups and type from the $Default version of the server's launch template, and their volumes the key of
its replication settings (DRS user guide, EC2 launch template; volume settings).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, JsonValue

from adapters.asg.states import (
    STANDARD_FAMILIES,
    STANDARD_VCPUS,
    TEMPLATE_MISSING,
    TYPE_MISSING,
    VCPU_FAMILY_LIKELY_OTHER,
)
from adapters.asg.view_parts import InstanceTypes, TemplateData, TemplateVersions
from adapters.drs.view_server import ServerView
from adapters.needed import Lack, key_lacks, key_states, quota
from orchestrator.contract import Reader

_NAMES = {"subnet": ("DescribeSubnets", "subnet-id"), "security group": ("DescribeSecurityGroups", "group-id")}


class _Launching(BaseModel):
    ec2LaunchTemplateID: str = ""


class _Replicating(BaseModel):
    ebsEncryptionKeyArn: str | None = None


class _Subnet(BaseModel):
    SubnetId: str
    AvailableIpAddressCount: int = 0


class _Group(BaseModel):
    GroupId: str


class _There(BaseModel):
    Subnets: list[_Subnet] = []
    SecurityGroups: list[_Group] = []


@dataclass(frozen=True)
class Landing:
    """What stands in the way of launching the servers of a batch."""

    of_servers: Mapping[str, tuple[Lack, ...]] = field(default_factory=dict)
    """Resource id -> what its server lacks."""
    of_all: tuple[Lack, ...] = ()
    """What they lack together: addresses, vCPUs."""


def landing_of(reader: Reader, views: Sequence[ServerView]) -> Landing:
    """Read and judge what new instances of these servers are launched with."""
    named = [(view, view.server.sourceServerID) for view in views if view.server and view.into is None]
    ids = {view.id: _template_id(reader, server) for view, server in named}
    templates = {me: _template(reader, template) for me, template in ids.items() if template}
    keys = {view.id: _key(reader, server) for view, server in named}
    states = key_states(reader, *keys.values())
    data = [each for each in templates.values() if each is not None]
    subnets = {each.subnet for each in data if each.subnet}
    free = {each.SubnetId: each.AvailableIpAddressCount for each in _there(reader, "subnet", subnets).Subnets}
    groups = {name for each in data for name in each.security_groups}
    known = {each.GroupId for each in _there(reader, "security group", groups).SecurityGroups}
    lacks = {
        view.id: (
            *(_of_template(templates[view.id], server, free, known, reader.region) if view.id in templates else ()),
            *key_lacks(reader.region, {k: s for k, s in states.items() if k == keys[view.id]}, server),
        )
        for view, server in named
    }
    return Landing(lacks, (*_addresses(data, free, reader.region), *_vcpus(reader, data)))


def _template_id(reader: Reader, server: str) -> str:
    return reader.read("drs", "GetLaunchConfiguration", _Launching, sourceServerID=server).ec2LaunchTemplateID


def _template(reader: Reader, template: str) -> TemplateData | None:
    versions: list[JsonValue] = ["$Default"]
    asked: dict[str, JsonValue] = {"LaunchTemplateId": template, "Versions": versions}
    found = reader.find("ec2", "DescribeLaunchTemplateVersions", TemplateVersions, missing=TEMPLATE_MISSING, **asked)
    return found.LaunchTemplateVersions[0].LaunchTemplateData if found and found.LaunchTemplateVersions else None


def _key(reader: Reader, server: str) -> str | None:
    return reader.read("drs", "GetReplicationConfiguration", _Replicating, sourceServerID=server).ebsEncryptionKeyArn


def _there(reader: Reader, kind: str, ids: Iterable[str]) -> _There:
    """Return what there is of some ids; by a filter, because an unknown id would be an error."""
    operation, by = _NAMES[kind]
    wanted: list[JsonValue] = [*sorted(ids)]
    filters: list[JsonValue] = [{"Name": by, "Values": wanted}]
    return reader.read("ec2", operation, _There, Filters=filters) if wanted else _There()


def _of_template(
    data: TemplateData | None, server: str, subnets: Iterable[str], groups: Iterable[str], region: str
) -> list[Lack]:
    remedy = f"correct its EC2 launch template: aws drs get-launch-configuration --region {region} --source-server-id {server}"
    if data is None:
        return [Lack("launch-template", f"the launch template of {server} is not there in {region}", remedy)]
    lost = [f"subnet {data.subnet}"] if data.subnet and data.subnet not in subnets else []
    lost += [f"security group {each}" for each in data.security_groups if each not in groups]
    return [Lack("launch-template", f"{each} of the launch template of {server} is not there", remedy) for each in lost]


def _addresses(data: Sequence[TemplateData], free: Mapping[str, int], region: str) -> list[Lack]:
    wanted = Counter(each.subnet for each in data if each.subnet in free)
    return [
        Lack(
            "addresses",
            f"subnet {subnet} in {region} has {free[subnet]} free addresses, {count} servers are launched into it",
            "spread them over more subnets in their launch templates",
        )
        for subnet, count in sorted(wanted.items())
        if free[subnet] < count
    ]


def _vcpus(reader: Reader, data: Sequence[TemplateData]) -> list[Lack]:
    """Compare what the servers take of the quota for standard instances; others have quotas of their own."""
    kinds = Counter(each.InstanceType for each in data if each.InstanceType[:1] in STANDARD_FAMILIES)
    standard = {kind: count for kind, count in kinds.items() if not kind.startswith(VCPU_FAMILY_LIKELY_OTHER)}
    allowed = quota(reader, *STANDARD_VCPUS) if standard else None
    if allowed is None:
        return []
    wanted: list[JsonValue] = [*sorted(standard)]
    found = reader.find("ec2", "DescribeInstanceTypes", InstanceTypes, missing=TYPE_MISSING, InstanceTypes=wanted)
    each = {kind.InstanceType: kind.VCpuInfo.DefaultVCpus for kind in (found.InstanceTypes if found else [])}
    needed = sum(each.get(kind, 0) * count for kind, count in standard.items())
    if needed <= allowed:
        return []
    text = f"{sum(standard.values())} servers need {needed} vCPUs, the quota of {reader.region} is {allowed:.0f}"
    return [Lack("quota", text, "ask for a higher quota (ec2 L-1216C47A)")]
