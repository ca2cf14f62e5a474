"""What RDS knows about its resources beyond moto's objects, and how long its changes take.

moto's objects stay the store of instances, clusters and snapshots; the state below hangs beside them in a weak map,
so that a rename or a copy made by moto cannot confuse it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Statuses of DB instances, clusters and snapshots, as RDS spells them."""

    AVAILABLE = "available"
    BACKING_UP = "backing-up"
    COPYING = "copying"
    CREATING = "creating"
    DELETING = "deleting"
    FAILED = "failed"
    FAILING_OVER = "failing-over"
    INCOMPATIBLE_PARAMETERS = "incompatible-parameters"
    MODIFYING = "modifying"
    PROMOTING = "promoting"
    REBOOTING = "rebooting"
    RENAMING = "renaming"
    STARTING = "starting"
    STOPPED = "stopped"
    STOPPING = "stopping"
    SWITCHING_OVER = "switching-over"


class Sync(StrEnum):
    """SynchronizationStatus of a member of a global database."""

    CONNECTED = "connected"
    PENDING_RESYNC = "pending-resync"


class Progress(StrEnum):
    """FailoverState.Status of a global database."""

    PENDING = "pending"
    FAILING_OVER = "failing-over"
    CANCELLING = "cancelling"


class Seconds:
    """How long changes take, in AWS seconds: the short end of what RDS documents and users report."""

    UNNOTICED = 5.0  # a call is accepted, yet the status still reads `available`
    CREATE_INSTANCE = 300.0
    CREATE_REPLICA = 480.0
    RESTORE_INSTANCE = 420.0
    MODIFY_SETTINGS = 30.0
    MODIFY_INSTANCE = 240.0
    RENAME = 45.0
    REBOOT = 45.0
    PROMOTE = 60.0
    BACK_UP = 75.0
    SWITCHOVER_REPLICA = 180.0
    STOP = 90.0
    START = 150.0
    DELETE = 120.0
    SNAPSHOT = 75.0
    COPY_SNAPSHOT = 150.0
    CREATE_CLUSTER = 75.0
    RESTORE_CLUSTER = 240.0
    CLONE_CLUSTER = 120.0
    MODIFY_CLUSTER = 45.0
    PROMOTE_CLUSTER = 75.0
    FAILOVER_CLUSTER = 30.0
    GLOBAL_PENDING = 15.0
    GLOBAL_SWITCHOVER = 90.0
    GLOBAL_FAILOVER = 105.0
    GLOBAL_CANCEL = 30.0
    GLOBAL_RESYNC = 300.0
    REGION_POLL = 30.0
    SEVEN_DAYS = 7 * 24 * 3600.0


@dataclass
class ResourceState:
    """Common state: `epoch` grows with every operation, so that an overtaken transition has no effect."""

    status: str = Status.AVAILABLE
    epoch: int = 0
    busy: bool = False
    created: datetime | None = None


@dataclass
class InstanceState(ResourceState):
    """State of a DB instance. `lag_seconds` is the replica's usual lag, `connections` its usual client count."""

    pending: dict[str, Any] = field(default_factory=dict)
    lag_seconds: float = 2.0
    connections: int = 24
    clients_cut: bool = False
    replication_terminated: bool = False
    replica_mode: str | None = None
    restart_at: datetime | None = None
    kms_key_arn: str | None = None


@dataclass
class ClusterState(ResourceState):
    """State of an Aurora cluster. `lag_milliseconds` is its usual lag as a secondary of a global database."""

    lag_milliseconds: float = 120.0
    connections: int = 24
    write_forwarding: bool = False
    restart_at: datetime | None = None


@dataclass
class SnapshotState(ResourceState):
    """State of a DB or cluster snapshot; the source fields are set on a copy, and when its original was taken."""

    original: datetime | None = None
    source_arn: str | None = None
    source_region: str | None = None


@dataclass
class Member:
    """One Region of a global database. `cluster` is moto's cluster object: its ARN follows a rename."""

    cluster: Any
    is_writer: bool
    sync: Sync = Sync.CONNECTED


@dataclass
class Failover:
    """FailoverState of a global database while roles change."""

    progress: Progress
    source: Member
    target: Member
    data_loss_allowed: bool
    epoch: int


@dataclass
class GlobalCluster:
    """An Aurora global database. It belongs to an account and to no Region."""

    account: str
    identifier: str
    resource_id: str
    engine: str
    engine_version: str
    storage_encrypted: bool
    deletion_protection: bool
    database_name: str | None = None
    status: str = Status.AVAILABLE
    members: list[Member] = field(default_factory=list)
    failover: Failover | None = None
    tags: dict[str, str] = field(default_factory=dict)
    epoch: int = 0

    @property
    def arn(self) -> str:
        """Return the ARN, which names no Region."""
        return f"arn:aws:rds::{self.account}:global-cluster:{self.identifier}"

    @property
    def writer(self) -> Member | None:
        """Return the primary member, absent in an empty global database."""
        return next((member for member in self.members if member.is_writer), None)

    def member_of(self, cluster: Any) -> Member | None:
        """Return the membership of moto's `cluster` object."""
        return next((member for member in self.members if member.cluster is cluster), None)


@dataclass(frozen=True)
class Event:
    """One line of DescribeEvents."""

    at: datetime
    source_identifier: str
    source_type: str
    source_arn: str
    message: str
    categories: tuple[str, ...]


@dataclass
class ReplicatedBackup:
    """Automated backups of a DB instance shipped to another Region (`arn` lives in the receiving Region)."""

    arn: str
    source_arn: str
    retention_days: int
    kms_key_id: str | None
    source: Any
    status: str = "pending"
    frozen_at: datetime | None = None
    tags: list[dict[str, str]] = field(default_factory=list)
