"""EFS's and AWS Backup's replies, as far as the EFS adapter reads them. An unknown status does not pass."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, JsonValue

from adapters.reading import KeyValue, tag_map


class Life(StrEnum):
    """Life cycle of file systems, mount targets and access points."""

    CREATING = "creating"
    AVAILABLE = "available"
    UPDATING = "updating"
    DELETING = "deleting"
    DELETED = "deleted"
    ERROR = "error"


class Guard(StrEnum):
    """Replication overwrite protection: only an ENABLED file system takes writes."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    REPLICATING = "REPLICATING"


class Sync(StrEnum):
    """Status of a replication's destination."""

    ENABLED = "ENABLED"
    ENABLING = "ENABLING"
    DELETING = "DELETING"
    ERROR = "ERROR"
    PAUSED = "PAUSED"
    PAUSING = "PAUSING"


class JobState(StrEnum):
    """State of a backup, copy or restore job."""

    CREATED = "CREATED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    ABORTING = "ABORTING"
    ABORTED = "ABORTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    PARTIAL = "PARTIAL"


class _Protection(BaseModel):
    ReplicationOverwriteProtection: Guard = Guard.ENABLED


class FileSystem(BaseModel):
    """A file system."""

    FileSystemId: str
    FileSystemArn: str = ""
    CreationToken: str = ""
    CreationTime: datetime
    LifeCycleState: Life
    PerformanceMode: str = "generalPurpose"
    Encrypted: bool = False
    KmsKeyId: str | None = None
    ThroughputMode: str = "bursting"
    ProvisionedThroughputInMibps: float | None = None
    AvailabilityZoneName: str | None = None
    FileSystemProtection: _Protection = _Protection()
    Tags: list[KeyValue] = []

    @property
    def guard(self) -> Guard:
        """Return the replication overwrite protection."""
        return self.FileSystemProtection.ReplicationOverwriteProtection

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags."""
        return tag_map(self.Tags)

    def but(self, *, tags: Mapping[str, str] | None = None, guard: Guard | None = None) -> FileSystem:
        """Return it with other tags or another protection."""
        update: dict[str, object] = {}
        if tags is not None:
            update["Tags"] = [KeyValue(Key=key, Value=value) for key, value in tags.items()]
        if guard is not None:
            update["FileSystemProtection"] = _Protection(ReplicationOverwriteProtection=guard)
        return self.model_copy(update=update)


class FileSystems(BaseModel):
    """efs:DescribeFileSystems."""

    FileSystems: list[FileSystem] = []


class Destination(BaseModel):
    """Where a replication leads."""

    Status: Sync
    FileSystemId: str
    Region: str
    LastReplicatedTimestamp: datetime | None = None
    StatusMessage: str | None = None


class Replication(BaseModel):
    """A replication as one side holds it."""

    SourceFileSystemId: str
    SourceFileSystemRegion: str
    SourceFileSystemOwnerId: str | None = None
    Destinations: list[Destination]

    @property
    def to(self) -> Destination:
        """Return the one destination."""
        return self.Destinations[0]

    @property
    def shown(self) -> str:
        """Return status and message."""
        message = f" ({self.to.StatusMessage})" if self.to.StatusMessage else ""
        return f"{self.to.Status}{message}"


class Replications(BaseModel):
    """efs:DescribeReplicationConfigurations."""

    Replications: list[Replication] = []


class MountTarget(BaseModel):
    """A mount target."""

    MountTargetId: str
    SubnetId: str
    LifeCycleState: Life
    IpAddress: str | None = None
    AvailabilityZoneName: str = ""
    VpcId: str = ""


class MountTargets(BaseModel):
    """efs:DescribeMountTargets."""

    MountTargets: list[MountTarget] = []


class GroupsOfMountTarget(BaseModel):
    """efs:DescribeMountTargetSecurityGroups."""

    SecurityGroups: list[str] = []


class AccessPoint(BaseModel):
    """An access point."""

    AccessPointId: str = ""
    LifeCycleState: Life = Life.AVAILABLE
    PosixUser: dict[str, JsonValue] | None = None
    RootDirectory: dict[str, JsonValue] = {}
    Tags: list[KeyValue] = []

    @property
    def shape(self) -> str:
        """Return what makes two access points stand for each other: directory and enforced user."""
        user = self.PosixUser or {}
        return json.dumps([self.RootDirectory.get("Path", "/"), user], sort_keys=True)


class AccessPoints(BaseModel):
    """efs:DescribeAccessPoints."""

    AccessPoints: list[AccessPoint] = []


class Policy(BaseModel):
    """efs:DescribeFileSystemPolicy."""

    Policy: str


class Subnet(BaseModel):
    """A subnet."""

    SubnetId: str
    AvailabilityZone: str = ""


class Subnets(BaseModel):
    """ec2:DescribeSubnets."""

    Subnets: list[Subnet] = []


class BackupJob(BaseModel):
    """A backup job."""

    State: JobState
    CreationDate: datetime
    CompletionDate: datetime | None = None
    RecoveryPointArn: str | None = None
    BackupVaultName: str | None = None
    StatusMessage: str | None = None


class BackupJobs(BaseModel):
    """backup:ListBackupJobs."""

    BackupJobs: list[BackupJob] = []


class CopyJob(BaseModel):
    """A copy job."""

    State: JobState
    CreationDate: datetime
    CompletionDate: datetime | None = None
    SourceBackupVaultArn: str = ""
    SourceRecoveryPointArn: str = ""
    DestinationBackupVaultArn: str = ""
    DestinationRecoveryPointArn: str | None = None
    StatusMessage: str | None = None


class CopyJobs(BaseModel):
    """backup:ListCopyJobs."""

    CopyJobs: list[CopyJob] = []


class RestoreJob(BaseModel):
    """A restore job."""

    Status: JobState
    CreationDate: datetime
    CompletionDate: datetime | None = None
    RecoveryPointArn: str | None = None
    CreatedResourceArn: str | None = None
    StatusMessage: str | None = None

    @property
    def State(self) -> JobState:  # noqa: N802  the other jobs call it so
        """Return the status under the name that it has on other jobs."""
        return self.Status


class RestoreJobs(BaseModel):
    """backup:ListRestoreJobsByProtectedResource."""

    RestoreJobs: list[RestoreJob] = []


class RecoveryPoint(BaseModel):
    """A recovery point of a file system."""

    RecoveryPointArn: str
    CreationDate: datetime
    Status: str = ""
    BackupVaultName: str = ""


class RecoveryPoints(BaseModel):
    """backup:ListRecoveryPointsByResource."""

    RecoveryPoints: list[RecoveryPoint] = []


Job = BackupJob | CopyJob | RestoreJob
