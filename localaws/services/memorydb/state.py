"""MemoryDB's resources and how long their changes take.

Clusters and snapshots lie in the dictionaries of moto's backend, where tags and resource lists are read;
multi-Region clusters and access control lists lie in the service module.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from localaws.services.timed import Changing


class Status(StrEnum):
    """Statuses of clusters, multi-Region clusters and snapshots, as MemoryDB spells them."""

    AVAILABLE = "available"
    COPYING = "copying"
    CREATE_FAILED = "create-failed"
    CREATING = "creating"
    DELETING = "deleting"
    FAILED = "failed"
    RESTORE_FAILED = "restore-failed"
    RESTORING = "restoring"
    SNAPSHOTTING = "snapshotting"
    UPDATING = "updating"


class Seconds:
    """How long changes take, in AWS seconds: the short end of what users report."""

    CREATE_CLUSTER = 600.0
    RESTORE_CLUSTER = 720.0
    UPDATE_CLUSTER = 300.0
    DELETE_CLUSTER = 240.0
    FAIL_OVER_SHARD = 45.0
    SNAPSHOT = 120.0
    COPY_SNAPSHOT = 90.0
    CREATE_MULTI_REGION = 30.0
    UPDATE_MULTI_REGION = 420.0
    DELETE_MULTI_REGION = 60.0


REGIONS_LIMIT = 5
DEFAULT_VERSIONS = {"valkey": "7.3", "redis": "7.1"}
OPEN_ACCESS = "open-access"
NAME_LIMIT = 40
SNAPSHOTS_A_DAY = 20
# Multi-Region clusters need R7g.xlarge or larger.
TOO_SMALL = ("db.t", "db.r6", "db.r7g.large")


@dataclass(frozen=True)
class Blueprint:
    """What the members of a multi-Region cluster, and a cluster and its snapshots, have in common."""

    node_type: str
    engine: str
    engine_version: str
    shard_count: int
    tls: bool


@dataclass(eq=False)
class Node:
    """A node of a shard."""

    name: str
    zone: str
    created: datetime


@dataclass(eq=False)
class Shard:
    """A shard; its first node is the primary."""

    name: str
    slots: str
    nodes: list[Node] = field(default_factory=list)


@dataclass(kw_only=True, eq=False)
class Cluster(Changing):
    """A cluster of one Region. `lag_milliseconds` is its usual lag behind the other Regions."""

    account: str
    region: str
    cluster_name: str
    description: str
    blueprint: Blueprint
    acl_name: str
    subnet_group_name: str
    vpc_id: str
    parameter_group: str
    created: datetime
    replicas: int = 1
    port: int = 6379
    security_group_ids: tuple[str, ...] = ()
    kms_key_id: str | None = None
    snapshot_days: int = 0
    snapshot_window: str = "03:00-04:00"
    maintenance_window: str = "wed:08:00-wed:09:00"
    shards: list[Shard] = field(default_factory=list)
    lag_milliseconds: float = 350.0

    @property
    def arn(self) -> str:
        """Return the cluster's ARN."""
        return f"arn:aws:memorydb:{self.region}:{self.account}:cluster/{self.cluster_name}"


@dataclass(kw_only=True, eq=False)
class Snapshot(Changing):
    """A snapshot of a cluster as it was, or a copy of one."""

    account: str
    region: str
    snapshot_name: str
    cluster_name: str
    cluster: Cluster
    blueprint: Blueprint
    created: datetime
    replicas: int
    multi_region_name: str | None = None
    kms_key_id: str | None = None
    source: str = "manual"

    @property
    def arn(self) -> str:
        """Return the snapshot's ARN."""
        return f"arn:aws:memorydb:{self.region}:{self.account}:snapshot/{self.snapshot_name}"


@dataclass(kw_only=True, eq=False)
class MultiRegionCluster(Changing):
    """A multi-Region cluster. It belongs to an account and to no Region; every member accepts writes."""

    account: str
    name: str
    description: str
    blueprint: Blueprint
    parameter_group: str
    members: list[Cluster] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Return the ARN, which names no Region."""
        return f"arn:aws:memorydb::{self.account}:multiregioncluster/{self.name}"


@dataclass(eq=False)
class Acl:
    """An access control list of one account and Region."""

    name: str
    users: list[str]
    status: str = "active"
