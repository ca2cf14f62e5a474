"""What DRS launches with, read when a run is planned: each server's launch template and key, and what the Region holds of that.

Recovery instances take subnet, groups and type from the $Default version of the server's launch template, and their volumes the key of
its replication settings (DRS user guide, EC2 launch template; volume settings). The servers of DRS itself, those that replicate among
them, stand in the staging area subnet of these settings (API reference, GetReplicationConfiguration).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, JsonValue

from adapters.asg.states import STANDARD_VCPUS, TEMPLATE_MISSING, TYPE_MISSING, is_standard
from adapters.asg.view_parts import InstanceTypes, TemplateData, TemplateVersions
from adapters.drs.landing import Landing
from adapters.drs.view_server import ServerView
from adapters.needed import Lack, key_lacks, key_states
from adapters.quotas import Room, room
from orchestrator.contract import Reader

_NAMES = {"subnet": ("DescribeSubnets", "subnet-id"), "security group": ("DescribeSecurityGroups", "group-id")}


class _Launching(BaseModel):
    ec2LaunchTemplateID: str = ""


class _Replicating(BaseModel):
    ebsEncryptionKeyArn: str | None = None
    stagingAreaSubnetId: str = ""


class _Subnet(BaseModel):
    SubnetId: str
    AvailableIpAddressCount: int = 0


class _Group(BaseModel):
    GroupId: str


class _There(BaseModel):
    Subnets: list[_Subnet] = []
    SecurityGroups: list[_Group] = []


def landing_of(reader: Reader, views: Sequence[ServerView], now: datetime) -> Landing:
    """Read and judge what new instances of these servers are launched with."""
    named = [(view, view.server.sourceServerID) for view in views if view.server and view.into is None]
    ids = {view.id: _template_id(reader, server) for view, server in named}
    templates = {me: _template(reader, template) for me, template in ids.items() if template}
    settings = {view.id: _settings(reader, server) for view, server in named}
    keys = {me: each.ebsEncryptionKeyArn for me, each in settings.items()}
    # The staging area of an extended server is another account's (API reference, StagingArea).
    staging = {
        view.id: settings[view.id].stagingAreaSubnetId
        for view, _ in named
        if view.server
        and view.server.stagingArea.status in {"", "NOT_EXTENDED"}
        and settings[view.id].stagingAreaSubnetId
    }
    states = key_states(reader, *keys.values())
    data = [each for each in templates.values() if each is not None]
    subnets = {each.subnet for each in data if each.subnet} | set(staging.values())
    free = {each.SubnetId: each.AvailableIpAddressCount for each in _there(reader, "subnet", subnets).Subnets}
    groups = {name for each in data for name in each.security_groups}
    known = {each.GroupId for each in _there(reader, "security group", groups).SecurityGroups}
    lacks = {
        view.id: (
            *(_of_template(templates[view.id], server, free, known, reader.region) if view.id in templates else ()),
            *key_lacks(reader.region, {k: s for k, s in states.items() if k == keys[view.id]}, server),
            *_of_staging(staging.get(view.id), server, free, reader.region),
        )
        for view, server in named
    }
    together = (*_addresses(data, free, reader.region), *_staging_addresses(staging.values(), free, reader.region))
    return Landing(lacks, together, *_vcpus(reader, data, now))


def _template_id(reader: Reader, server: str) -> str:
    return reader.read("drs", "GetLaunchConfiguration", _Launching, sourceServerID=server).ec2LaunchTemplateID


def _template(reader: Reader, template: str) -> TemplateData | None:
    versions: list[JsonValue] = ["$Default"]
    asked: dict[str, JsonValue] = {"LaunchTemplateId": template, "Versions": versions}
    found = reader.find("ec2", "DescribeLaunchTemplateVersions", TemplateVersions, missing=TEMPLATE_MISSING, **asked)
    return found.LaunchTemplateVersions[0].LaunchTemplateData if found and found.LaunchTemplateVersions else None


def _settings(reader: Reader, server: str) -> _Replicating:
    return reader.read("drs", "GetReplicationConfiguration", _Replicating, sourceServerID=server)


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


def _of_staging(subnet: str | None, server: str, subnets: Iterable[str], region: str) -> list[Lack]:
    """Judge the subnet in which DRS runs its own servers for this one."""
    if subnet is None or subnet in subnets:
        return []
    text = f"the staging area subnet {subnet} of {server} is not there in {region}: DRS can start no server in it"
    remedy = f"aws drs update-replication-configuration --region {region} --source-server-id {server} --staging-area-subnet-id ..."
    return [Lack("staging-subnet", text, remedy)]


def _staging_addresses(staging: Iterable[str], free: Mapping[str, int], region: str) -> list[Lack]:
    """Judge the free addresses of staging areas: none is grave, fewer than servers is told."""
    lacks = []
    for subnet, count in sorted(Counter(staging).items()):
        left = free.get(subnet)
        if left is not None and left < count:
            text = f"the staging area subnet {subnet} in {region} has {left} free addresses, {count} servers use it"
            remedy = "free some, or give the servers another: aws drs update-replication-configuration --staging-area-subnet-id"
            lacks.append(Lack("staging-addresses", text, remedy, grave=left == 0))
    return lacks


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


def _vcpus(reader: Reader, data: Sequence[TemplateData], now: datetime) -> tuple[str, int, Room]:
    """Return what the servers take of the quota for standard instances, and what is left of it; others have quotas of their own."""
    standard = Counter(each.InstanceType for each in data if is_standard(each.InstanceType))
    if not standard:
        return "", 0, Room()
    wanted: list[JsonValue] = [*sorted(standard)]
    found = reader.find("ec2", "DescribeInstanceTypes", InstanceTypes, missing=TYPE_MISSING, InstanceTypes=wanted)
    each = {kind.InstanceType: kind.VCpuInfo.DefaultVCpus for kind in (found.InstanceTypes if found else [])}
    needed = sum(each.get(kind, 0) * count for kind, count in standard.items())
    return f"{sum(standard.values())} servers", needed, room(reader, *STANDARD_VCPUS, now)
