"""RDS's, KMS's and EC2's replies, as far as the RDS adapter reads them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, JsonValue

from adapters.databases.shared import INSTANCE, Database
from adapters.databases.view import Guarded, ServerCertificate, SubnetGroup
from adapters.reading import KeyValue


class ParameterGroup(BaseModel):
    """A parameter group on an instance."""

    DBParameterGroupName: str
    ParameterApplyStatus: str = "in-sync"


class OptionGroup(BaseModel):
    """An option group on an instance."""

    OptionGroupName: str


class StatusInfo(BaseModel):
    """One line about a replica's replication."""

    Status: str = ""
    Normal: bool = True
    Message: str = ""


class HostAndPort(BaseModel):
    """Where an instance is connected to; absent while it is being made."""

    Address: str = ""
    Port: int = 0


class BackupLink(BaseModel):
    """That backups of an instance are replicated."""

    DBInstanceAutomatedBackupsArn: str = ""


class Instance(Guarded):
    """A DB instance."""

    DBInstanceIdentifier: str
    DBInstanceArn: str
    DBInstanceStatus: str = ""
    DBInstanceClass: str = ""
    Engine: str = ""
    EngineVersion: str = ""
    MultiAZ: bool = False
    StorageEncrypted: bool = False
    KmsKeyId: str | None = None
    BackupRetentionPeriod: int = 0
    DeletionProtection: bool = False
    DBClusterIdentifier: str | None = None
    DBSubnetGroup: SubnetGroup | None = None
    DBParameterGroups: list[ParameterGroup] = []
    OptionGroupMemberships: list[OptionGroup] = []
    ReadReplicaSourceDBInstanceIdentifier: str | None = None
    ReadReplicaDBInstanceIdentifiers: list[str] = []
    StatusInfos: list[StatusInfo] = []
    PendingModifiedValues: dict[str, JsonValue | datetime] = {}
    Endpoint: HostAndPort | None = None
    InstanceCreateTime: datetime | None = None
    PubliclyAccessible: bool = False
    CertificateDetails: ServerCertificate | None = None
    DBInstanceAutomatedBackupsReplications: list[BackupLink] = []

    @property
    def vpc_id(self) -> str:
        """Return its VPC."""
        return self.DBSubnetGroup.VpcId if self.DBSubnetGroup else ""

    @property
    def database(self) -> Database:
        """Return what its fence and its name are made of."""
        return Database(
            INSTANCE,
            self.DBInstanceIdentifier,
            self.DBInstanceArn,
            self.DBInstanceStatus,
            self.vpc_id,
            self.groups,
            self.settled_groups,
            self.tags,
            being_renamed="DBInstanceIdentifier" in self.PendingModifiedValues,
        )

    @property
    def replication(self) -> str:
        """Return the replication status AWS shows for a replica: "replicating" when all is well, empty for no replica."""
        if not self.ReadReplicaSourceDBInstanceIdentifier:
            return ""
        bad = [info for info in self.StatusInfos if not info.Normal]
        shown = bad[0] if bad else next(iter(self.StatusInfos), StatusInfo(Status="unknown"))
        return f"{shown.Status} {shown.Message}".strip()


class Instances(BaseModel):
    """rds:DescribeDBInstances."""

    DBInstances: list[Instance] = []


class Snapshot(BaseModel):
    """A DB snapshot; one that was copied from another Region names what it is a copy of."""

    DBSnapshotIdentifier: str = ""
    DBSnapshotArn: str = ""
    Status: str = ""
    SnapshotCreateTime: datetime | None = None
    OriginalSnapshotCreateTime: datetime | None = None
    SourceDBSnapshotIdentifier: str | None = None
    TagList: list[KeyValue] = []

    @property
    def name(self) -> str:
        """Return its name."""
        return self.DBSnapshotIdentifier

    @property
    def arn(self) -> str:
        """Return its ARN."""
        return self.DBSnapshotArn

    @property
    def at(self) -> datetime | None:
        """Return when the data was as it is in here; the time of a copy tells nothing of that."""
        return self.OriginalSnapshotCreateTime or self.SnapshotCreateTime

    def is_from(self, region: str) -> bool:
        """Say whether it was copied here from a Region."""
        return (self.SourceDBSnapshotIdentifier or "").split(":")[3:4] == [region]


class Snapshots(BaseModel):
    """rds:DescribeDBSnapshots."""

    DBSnapshots: list[Snapshot] = []


class Window(BaseModel):
    """Between which times backups can be restored."""

    LatestTime: datetime | None = None


class Backup(BaseModel):
    """Automated backups of an instance; `Region` is the instance's, wherever the backups are."""

    DBInstanceAutomatedBackupsArn: str = ""
    DBInstanceArn: str = ""
    Region: str = ""
    Status: str = ""
    RestoreWindow: Window | None = None

    @property
    def until(self) -> datetime | None:
        """Return the latest time that can be restored."""
        return self.RestoreWindow.LatestTime if self.RestoreWindow else None


class Backups(BaseModel):
    """rds:DescribeDBInstanceAutomatedBackups."""

    DBInstanceAutomatedBackups: list[Backup] = []
