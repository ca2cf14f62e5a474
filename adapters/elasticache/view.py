"""What is known of a cache on both sides: replication groups, their global datastore, exports, and a drill's copy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import JsonValue

from adapters.elasticache.models import Datastore, DatastoreMember, Node, ReplicationGroup, StoredObject
from adapters.elasticache.spec import FAILED_STATUSES, GLOBAL_DATASTORE, NAME_LIMIT
from adapters.fencing import FENCED_TAG, SecurityGroup
from adapters.quotas import Room
from adapters.reading import Datapoint
from orchestrator.contract import Member, Place, RunContext

_MADE_BY_A_RUN = re.compile(r"-[0-9a-f]{8}$")


@dataclass(frozen=True)
class Cache:
    """A replication group with its nodes and tags."""

    group: ReplicationGroup
    nodes: tuple[Node, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return the group's id."""
        return self.group.ReplicationGroupId

    @property
    def status(self) -> str:
        """Return the group's status."""
        return self.group.Status

    @property
    def datastore_id(self) -> str | None:
        """Return the global datastore it belongs to."""
        info = self.group.GlobalReplicationGroupInfo
        return (info.GlobalReplicationGroupId or None) if info else None

    @property
    def replicas(self) -> int:
        """Return the replicas of the shard that has the fewest."""
        return min((len(shard.NodeGroupMembers) for shard in self.group.NodeGroups), default=1) - 1

    @property
    def security_groups(self) -> tuple[str, ...]:
        """Return the ids of the security groups in force."""
        on = self.nodes[0].SecurityGroups if self.nodes else []
        return tuple(sorted(each.SecurityGroupId for each in on if each.Status != "removing"))

    @property
    def own_groups(self) -> tuple[str, ...]:
        """Return the security groups it has when it is not fenced."""
        return tuple(sorted(self.tags.get(FENCED_TAG, "").split())) or self.security_groups

    @property
    def settled_groups(self) -> bool:
        """Say whether no security group is being added or removed."""
        return all(each.Status == "active" for node in self.nodes for each in node.SecurityGroups)

    @property
    def fenced(self) -> bool:
        """Say whether a run has shut it, or is about to."""
        return FENCED_TAG in self.tags

    @property
    def created(self) -> datetime:
        """Return when it was made; for ever ago when AWS does not tell."""
        return self.group.ReplicationGroupCreateTime or datetime.min.replace(tzinfo=UTC)

    @property
    def subnet_group(self) -> str | None:
        """Return its subnet group."""
        return self.nodes[0].CacheSubnetGroupName if self.nodes else None


@dataclass(frozen=True)
class Export:
    """A complete export in a bucket: one object per shard, in the order of the shards."""

    bucket: str
    keys: tuple[str, ...]
    at: datetime
    partition: str = "aws"

    @property
    def arns(self) -> list[JsonValue]:
        """Return what a new group is seeded from."""
        return [f"arn:{self.partition}:s3:::{self.bucket}/{key}" for key in self.keys]


@dataclass(frozen=True)
class DrillCopy:
    """What a drill made; empty means: not there."""

    security_group: str = ""
    snapshot: str = ""
    group: str = ""
    ours: bool = True


@dataclass(frozen=True)
class ElastiCacheView:
    """Both sides. `target` is what serves, or is to serve, there; groups of the same name from before are `stale`."""

    member: Member
    strategy: str
    target: Cache | None = None
    source: Cache | None = None
    stale: tuple[Cache, ...] = ()
    """Groups on the target side that an earlier run has left behind."""
    retired: tuple[Cache, ...] = ()
    """Groups on the source side besides `source`."""
    datastore: Datastore | None = None
    fence: SecurityGroup | None = None
    source_vpc: str = ""
    target_vpc: str | None = None
    lag_points: tuple[Datapoint, ...] = ()
    """Seconds by which the secondary is behind, newest first."""
    exports: tuple[Export, ...] = ()
    """Complete exports that lie on the target side, newest first."""
    source_exports: tuple[Export, ...] = ()
    snapshot: str = ""
    """Status of the snapshot that this run exports."""
    key_states: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """What a new group would need on the target side and does not find."""
    copy: DrillCopy = DrillCopy()
    room: Room | None = None
    """What is left of the Region's nodes; read when the run is planned and is to make some."""
    cluster_room: Room | None = None
    """What a cluster with cluster mode may have."""

    @property
    def base(self) -> str:
        """Return the name both sides go by."""
        return base_name(self.member.name)

    @property
    def target_member(self) -> DatastoreMember | None:
        """Return the target's part in the global datastore."""
        if self.datastore is None or self.target is None:
            return None
        return self.datastore.member(self.member.target.region, self.target.id)

    @property
    def source_member(self) -> DatastoreMember | None:
        """Return the source side's part in the target's global datastore, as the datastore tells it."""
        there = (
            [m for m in self.datastore.Members if m.ReplicationGroupRegion == self.member.source.region]
            if self.datastore
            else []
        )
        return there[0] if there else None

    @property
    def detached(self) -> bool:
        """Say whether the target stands alone although the cache is recovered by a global datastore."""
        if self.strategy != GLOBAL_DATASTORE or self.target is None or self.target.datastore_id:
            return False
        if self.target.status in {"creating", *FAILED_STATUSES}:
            return False
        known = self.member.target.facts.get("datastore") or self.member.source.facts.get("datastore")
        return bool(known) if self.source is None else bool(self.source.datastore_id or self.source.fenced)

    @property
    def target_writes(self) -> bool:
        """Say whether the target is the one that takes the writes."""
        if self.strategy != GLOBAL_DATASTORE:
            return self.target is not None
        member = self.target_member
        return self.detached or (member is not None and member.Role.upper() == "PRIMARY")

    @property
    def protected(self) -> bool:
        """Say whether an export that is younger than the target lies on the source side."""
        newest = self.source_exports[0] if self.source_exports else None
        return newest is not None and self.target is not None and newest.at > self.target.created

    @property
    def shards(self) -> int:
        """Return how many shards the cache has."""
        known = self.member.source.facts.get("shards") or self.member.target.facts.get("shards") or 1
        return len(self.source.group.NodeGroups) if self.source and self.source.group.NodeGroups else int(str(known))


def base_name(identifier: str) -> str:
    """Return a group's name without the suffix of one that a run has made beside an older one."""
    return _MADE_BY_A_RUN.sub("", identifier)


def made_name(base: str, run: RunContext) -> str:
    """Return the name of a group that this run makes beside an older one."""
    return f"{base[: NAME_LIMIT - 9].rstrip('-')}-{run.short_id}"


def fresh_name(base: str, taken: Sequence[Cache], run: RunContext) -> str:
    """Return the name of a group to be made: the plain one while nobody has it, for names cannot be changed."""
    return made_name(base, run) if base in {each.id for each in taken} else base


def snapshot_name(view: ElastiCacheView, run: RunContext) -> str:
    """Return the name of the snapshot that this run exports in this phase."""
    return f"{view.base}-{run.short_id}-{run.phase.lower()}"


def export_name(view: ElastiCacheView, run: RunContext) -> str:
    """Return the name of this run's export; a point cannot be in a group's id, so no other cache's name begins so."""
    return f"{view.base}.{run.short_id}-{run.phase.lower()}"


def is_group(place: Place) -> bool:
    """Say whether a replication group was there, and not only a subnet group for one."""
    return ":replicationgroup:" in place.arn


def complete_exports(stored: Iterable[StoredObject], bucket: str, shards: int, partition: str) -> tuple[Export, ...]:
    """Return the exports of which a bucket holds every shard's object, newest first."""
    sets: dict[str, dict[int, StoredObject]] = {}
    for each in stored:
        match = re.fullmatch(r"(.+)-(\d{4})\.rdb", each.Key)
        if match:
            sets.setdefault(match[1], {})[int(match[2])] = each
    whole = [parts for parts in sets.values() if sorted(parts) == list(range(1, shards + 1))]
    found = [
        Export(
            bucket, tuple(parts[n].Key for n in sorted(parts)), min(o.LastModified for o in parts.values()), partition
        )
        for parts in whole
    ]
    return tuple(sorted(found, key=lambda each: each.at, reverse=True))
