"""ElastiCache's resources and how long their changes take.

Replication groups, their cache clusters and snapshots lie in the dictionaries of moto's backend, where tags and
resource lists are read; global datastores belong to an account and lie here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localaws.services.timed import Changing


class Status(StrEnum):
    """Statuses of replication groups, nodes and snapshots, as ElastiCache spells them."""

    AVAILABLE = "available"
    COPYING = "copying"
    CREATE_FAILED = "create-failed"
    CREATING = "creating"
    DELETING = "deleting"
    EXPORTING = "exporting"
    FAILED = "failed"
    MODIFYING = "modifying"
    SNAPSHOTTING = "snapshotting"


class GlobalStatus(StrEnum):
    """Statuses of a global datastore; `primary-only` has no secondary."""

    AVAILABLE = "available"
    CREATING = "creating"
    DELETING = "deleting"
    MODIFYING = "modifying"
    PRIMARY_ONLY = "primary-only"


class Role(StrEnum):
    """Roles of the members of a global datastore."""

    PRIMARY = "PRIMARY"
    SECONDARY = "SECONDARY"


class Membership(StrEnum):
    """Statuses of a membership."""

    ASSOCIATED = "associated"
    ASSOCIATING = "associating"
    DISASSOCIATING = "disassociating"


class Seconds:
    """How long changes take, in AWS seconds: the short end of what users report."""

    CREATE_GROUP = 480.0
    CREATE_SECONDARY = 720.0
    RESTORE_GROUP = 600.0
    DELETE_GROUP = 240.0
    ADD_REPLICAS = 300.0
    MODIFY_GROUP = 180.0
    FAIL_OVER_NODE = 60.0
    SNAPSHOT = 120.0
    COPY_SNAPSHOT = 90.0
    EXPORT_SNAPSHOT = 120.0
    CREATE_GLOBAL = 180.0
    MODIFY_GLOBAL = 240.0
    DELETE_GLOBAL = 60.0
    FAIL_OVER_GLOBAL = 60.0
    DISASSOCIATE = 120.0
    RESYNC = 300.0
    REGION_POLL = 30.0


DEFAULT_VERSIONS = {"redis": "7.1", "valkey": "8.0"}
DEFAULT_NODE_TYPE = "cache.r7g.large"
# First part of a global datastore's id, by the Region where it was created.
ID_PREFIXES = {
    "us-east-1": "ldgnf",
    "us-east-2": "fpkhr",
    "us-west-1": "virxk",
    "us-west-2": "sgaui",
    "ca-central-1": "bodqf",
    "eu-central-1": "iqjbh",
    "eu-west-1": "fgjhi",
    "eu-west-2": "okuqm",
    "sa-east-1": "juxlw",
}
SECONDARIES_LIMIT = 2


@dataclass(frozen=True)
class Blueprint:
    """What all members of a global datastore, and a group and its snapshots, have in common."""

    node_type: str
    engine: str
    engine_version: str
    parameter_group: str
    shard_count: int
    cluster_enabled: bool
    transit_encryption: bool
    at_rest_encryption: bool
    auth_token: bool


@dataclass(eq=False)
class Node:
    """A member cluster: one node of a shard."""

    id: str
    arn: str
    zone: str
    created: datetime
    group_id: str
    status: str = Status.AVAILABLE


@dataclass(eq=False)
class Shard:
    """A node group; its first node is the primary."""

    id: str
    slots: str
    nodes: list[Node] = field(default_factory=list)


@dataclass(kw_only=True, eq=False)
class Group(Changing):
    """A replication group. `lag_seconds` is its usual lag as a secondary of a global datastore."""

    account: str
    region: str
    id: str
    description: str
    blueprint: Blueprint
    subnet_group: str
    created: datetime
    security_group_ids: tuple[str, ...] = ()
    port: int = 6379
    automatic_failover: bool = False
    multi_az: bool = False
    kms_key_id: str | None = None
    user_group_ids: tuple[str, ...] = ()
    snapshot_days: int = 0
    snapshot_window: str = "05:00-06:00"
    shards: list[Shard] = field(default_factory=list)
    lag_seconds: float = 0.6

    @property
    def arn(self) -> str:
        """Return the group's ARN."""
        return f"arn:aws:elasticache:{self.region}:{self.account}:replicationgroup:{self.id}"

    @property
    def nodes(self) -> Iterator[Node]:
        """Return the nodes of all shards, primaries first within each."""
        for shard in self.shards:
            yield from shard.nodes


@dataclass(kw_only=True, eq=False)
class Snapshot(Changing):
    """A snapshot of a replication group, or a copy of one."""

    account: str
    region: str
    name: str
    group_id: str
    description: str
    blueprint: Blueprint
    subnet_group: str
    port: int
    created: datetime
    replicas: int
    kms_key_id: str | None = None
    source: str = "manual"

    @property
    def arn(self) -> str:
        """Return the snapshot's ARN."""
        return f"arn:aws:elasticache:{self.region}:{self.account}:snapshot:{self.name}"


@dataclass(eq=False)
class Member:
    """One Region of a global datastore."""

    group: Group
    role: Role
    status: Membership = Membership.ASSOCIATING


@dataclass(eq=False)
class Failover:
    """A promotion under way."""

    source: Member
    target: Member


@dataclass(kw_only=True, eq=False)
class GlobalGroup(Changing):
    """A global datastore: no Region in its ARN, yet seen from the Regions of its members only."""

    account: str
    id: str
    description: str
    members: list[Member] = field(default_factory=list)
    failover: Failover | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Return the ARN, which names no Region."""
        return f"arn:aws:elasticache::{self.account}:globalreplicationgroup:{self.id}"

    @property
    def primary(self) -> Member:
        """Return the member that accepts writes."""
        return next(member for member in self.members if member.role is Role.PRIMARY)

    @property
    def settled_status(self) -> GlobalStatus:
        """Return the status it has when nothing is going on."""
        return GlobalStatus.AVAILABLE if len(self.members) > 1 else GlobalStatus.PRIMARY_ONLY

    def member(self, region: str, group_id: str) -> Member | None:
        """Return the member that is the group `group_id` in a Region."""
        wanted = group_id.lower()
        return next((one for one in self.members if (one.group.region, one.group.id) == (region, wanted)), None)

    def member_of(self, group: Any) -> Member | None:
        """Return the membership of a group."""
        return next((one for one in self.members if one.group is group), None)
