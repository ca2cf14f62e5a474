"""A MemoryDB cluster as it stands on one side, and how it is found and read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import JsonValue

from adapters.fencing import FENCE_GROUP, FENCED_TAG, SecurityGroup, find_group
from adapters.memorydb.models import Cluster, Clusters, SubnetGroup, SubnetGroups, Tags
from adapters.memorydb.spec import CLUSTER_MISSING, FENCED_AT_TAG, SUBNET_GROUP_MISSING, UNTOLD
from adapters.reading import tag_map
from orchestrator.contract import Place, Reader

_SUFFIX = re.compile(r"-dr-[0-9a-f]{8}$")


@dataclass(frozen=True)
class Stand:
    """What stands on one side; `cluster` is None when nothing does."""

    place: Place
    cluster: Cluster | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    tags_known: bool = True
    """False while MemoryDB declines to list tags: it does so for clusters that are not available."""
    vpc_id: str = ""
    fence: SecurityGroup | None = None
    """The group `dr-fence` of its VPC."""

    @property
    def status(self) -> str:
        """Return the cluster's status, empty when there is none."""
        return self.cluster.status if self.cluster else ""

    @property
    def own_groups(self) -> tuple[str, ...]:
        """Return its security groups as they are when it is not fenced."""
        remembered = tuple(sorted(self.tags.get(FENCED_TAG, "").split()))
        if not self.tags_known and isinstance(told := self.place.facts.get("security_groups"), list):
            remembered = tuple(sorted(str(each) for each in told))  # what the inventory knows
        return remembered or (self.cluster.groups if self.cluster else ())

    @property
    def fenced(self) -> bool:
        """Say whether it wears other groups than its own."""
        told = FENCED_TAG in self.tags or not self.tags_known
        return self.cluster is not None and told and self.cluster.groups != self.own_groups

    @property
    def fenced_at(self) -> datetime | None:
        """Return when it was first seen fenced."""
        told = self.tags.get(FENCED_AT_TAG)
        return datetime.fromisoformat(told) if told else None


def base_name(name: str) -> str:
    """Return a cluster's name without the suffix of a restored one."""
    return _SUFFIX.sub("", name)


def named(reader: Reader, name: str) -> Cluster | None:
    """Return the cluster of that name with its shards."""
    reply = reader.find(
        "memorydb", "DescribeClusters", Clusters, CLUSTER_MISSING, ClusterName=name, ShowShardDetails=True
    )
    return reply.Clusters[0] if reply and reply.Clusters else None


def tags_of(reader: Reader, arn: str) -> dict[str, str] | None:
    """Return the tags of a cluster, snapshot or subnet group, None while they cannot be listed (memorydb:ListTags)."""
    found = reader.find("memorydb", "ListTags", Tags, UNTOLD, ResourceArn=arn)
    return tag_map(found.TagList) if found else None


def stand(reader: Reader, place: Place, cluster: Cluster | None, *, with_fence: bool = False) -> Stand:
    """Return what stands at a place; the fence of its VPC when it may be needed."""
    if cluster is None:
        return Stand(place)
    tags = tags_of(reader, cluster.ARN)
    here = Stand(place, cluster, tags or {}, tags is not None)
    if not with_fence:
        return here
    vpc_id = vpc_of(reader, cluster.SubnetGroupName)
    return replace(here, vpc_id=vpc_id, fence=find_group(reader, FENCE_GROUP, vpc_id))


def vpc_of(reader: Reader, name: str) -> str:
    """Return the VPC of a subnet group, empty when there is none."""
    found = subnet_group(reader, name)
    return found.VpcId if found else ""


def subnet_group(reader: Reader, name: str) -> SubnetGroup | None:
    """Return a subnet group (memorydb:DescribeSubnetGroups)."""
    if not name:
        return None
    found = reader.find("memorydb", "DescribeSubnetGroups", SubnetGroups, SUBNET_GROUP_MISSING, SubnetGroupName=name)
    return found.SubnetGroups[0] if found and found.SubnetGroups else None


def latest(stands: Iterable[Stand]) -> Stand | None:
    """Return the cluster of a family that serves; when all are fenced, the one that was fenced last."""

    def rank(each: Stand) -> tuple[bool, str, str]:
        return not each.fenced, each.tags.get(FENCED_AT_TAG, ""), each.cluster.Name if each.cluster else ""

    return max(stands, key=rank, default=None)


def regional(place: Place) -> dict[str, JsonValue]:
    """Return what a cluster that is made at a place takes from there."""
    found: dict[str, JsonValue] = {
        "SubnetGroupName": place.facts.get("subnet_group"),
        "SecurityGroupIds": place.facts.get("security_groups"),
        "KmsKeyId": place.facts.get("kms_key"),
    }
    return {key: value for key, value in found.items() if value}
