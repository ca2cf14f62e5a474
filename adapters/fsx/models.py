"""FSx's replies, and EC2's, KMS's and Directory Service's, as far as the FSx adapter reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel

from adapters.fsx.spec import ACTION_STATUSES, VOLUME_LIVES
from adapters.reading import KeyValue, documented, tag_map


class Failure(BaseModel):
    """Why something failed."""

    Message: str = ""


class VolumeConfiguration(BaseModel):
    """What is peculiar to an OpenZFS volume."""

    VolumePath: str = ""
    ReadOnly: bool = False
    SourceSnapshotARN: str | None = None


class OntapVolumeConfiguration(BaseModel):
    """What is peculiar to an ONTAP volume, as FSx shows it: minutes behind ONTAP."""

    JunctionPath: str = ""
    StorageVirtualMachineId: str = ""
    StorageVirtualMachineRoot: bool = False
    UUID: str = ""
    SizeInBytes: int = 0


class TargetValues(BaseModel):
    """What an administrative action makes of a volume."""

    OpenZFSConfiguration: VolumeConfiguration | None = None


class AdministrativeAction(BaseModel):
    """A change of a file system or volume that takes time; newest first in its list."""

    AdministrativeActionType: str = ""
    Status: Annotated[str, documented(ACTION_STATUSES)] = ""
    RequestTime: datetime | None = None
    ProgressPercent: int | None = None
    FailureDetails: Failure | None = None
    TargetVolumeValues: TargetValues | None = None

    @property
    def snapshot(self) -> str | None:
        """Return the ARN of the snapshot that is copied."""
        values = self.TargetVolumeValues.OpenZFSConfiguration if self.TargetVolumeValues else None
        return values.SourceSnapshotARN if values else None


class Alias(BaseModel):
    """A DNS name of a Windows file system."""

    Name: str
    Lifecycle: str = ""


class SelfManagedDirectory(BaseModel):
    """An Active Directory that AWS does not run."""

    DomainName: str = ""


class DnsName(BaseModel):
    """Where something answers."""

    DNSName: str = ""


class FileSystemEndpoints(BaseModel):
    """Where an ONTAP file system is managed."""

    Management: DnsName = DnsName()


class Configuration(BaseModel):
    """What is peculiar to a type of file system; of each only the fields that it has."""

    DeploymentType: str = ""
    ThroughputCapacity: int | None = None
    PerUnitStorageThroughput: int | None = None
    PreferredSubnetId: str | None = None
    ActiveDirectoryId: str | None = None
    SelfManagedActiveDirectoryConfiguration: SelfManagedDirectory | None = None
    Aliases: list[Alias] = []
    RootVolumeId: str | None = None
    Endpoints: FileSystemEndpoints = FileSystemEndpoints()


class FileSystem(BaseModel):
    """A file system."""

    FileSystemId: str
    FileSystemType: str
    ResourceARN: str = ""
    Lifecycle: str = ""
    CreationTime: datetime | None = None
    FailureDetails: Failure | None = None
    StorageCapacity: int | None = None
    StorageType: str = "SSD"
    SubnetIds: list[str] = []
    NetworkInterfaceIds: list[str] = []
    DNSName: str = ""
    KmsKeyId: str | None = None
    Tags: list[KeyValue] = []
    WindowsConfiguration: Configuration | None = None
    LustreConfiguration: Configuration | None = None
    OpenZFSConfiguration: Configuration | None = None
    OntapConfiguration: Configuration | None = None

    @property
    def tags(self) -> dict[str, str]:
        """Return its tags."""
        return tag_map(self.Tags)

    @property
    def configuration(self) -> Configuration:
        """Return what is peculiar to its type."""
        told = (self.WindowsConfiguration, self.LustreConfiguration, self.OpenZFSConfiguration, self.OntapConfiguration)
        return next((each for each in told if each is not None), Configuration())

    @property
    def aliases(self) -> tuple[str, ...]:
        """Return the DNS aliases that it has or is being given."""
        return tuple(sorted(a.Name for a in self.configuration.Aliases if a.Lifecycle in {"AVAILABLE", "CREATING"}))

    @property
    def trouble(self) -> str:
        """Return what AWS says went wrong, as the end of a sentence."""
        return f" ({self.FailureDetails.Message})" if self.FailureDetails else ""


class FileSystems(BaseModel):
    """fsx:DescribeFileSystems."""

    FileSystems: list[FileSystem] = []


class BackedUpVolume(BaseModel):
    """The ONTAP volume that a backup was taken of."""

    VolumeId: str = ""


class Backup(BaseModel):
    """A backup, or a copy of one; `FileSystem` is the file system it was taken of, in whatever Region."""

    BackupId: str
    Lifecycle: str = ""
    ResourceARN: str = ""
    CreationTime: datetime
    FailureDetails: Failure | None = None
    ResourceType: str = "FILE_SYSTEM"
    KmsKeyId: str | None = None
    SourceBackupId: str | None = None
    SourceBackupRegion: str | None = None
    FileSystem: FileSystem
    Volume: BackedUpVolume | None = None
    Tags: list[KeyValue] = []

    @property
    def tags(self) -> dict[str, str]:
        """Return its tags."""
        return tag_map(self.Tags)

    @property
    def trouble(self) -> str:
        """Return what AWS says went wrong, as the end of a sentence."""
        return f" ({self.FailureDetails.Message})" if self.FailureDetails else ""


class Backups(BaseModel):
    """fsx:DescribeBackups."""

    Backups: list[Backup] = []


class Volume(BaseModel):
    """A volume of a file system."""

    VolumeId: str
    FileSystemId: str = ""
    ResourceARN: str = ""
    Name: str = ""
    Lifecycle: Annotated[str, documented(VOLUME_LIVES)] = ""
    VolumeType: str = ""
    OpenZFSConfiguration: VolumeConfiguration | None = None
    OntapConfiguration: OntapVolumeConfiguration | None = None
    AdministrativeActions: list[AdministrativeAction] = []
    LifecycleTransitionReason: Failure | None = None
    Tags: list[KeyValue] = []

    @property
    def path(self) -> str:
        """Return its path; the same on both sides for volumes that belong together."""
        return self.OpenZFSConfiguration.VolumePath if self.OpenZFSConfiguration else ""

    @property
    def tags(self) -> dict[str, str]:
        """Return its tags."""
        return tag_map(self.Tags)

    @property
    def read_only(self) -> bool:
        """Say whether clients can only read."""
        return self.OpenZFSConfiguration is not None and self.OpenZFSConfiguration.ReadOnly

    @property
    def follows(self) -> str | None:
        """Return the snapshot it was last brought up to, by ARN."""
        return self.OpenZFSConfiguration.SourceSnapshotARN if self.OpenZFSConfiguration else None

    def newest(self, kind: str) -> AdministrativeAction | None:
        """Return the newest administrative action of a kind."""
        return next((each for each in self.AdministrativeActions if each.AdministrativeActionType == kind), None)


class Volumes(BaseModel):
    """fsx:DescribeVolumes."""

    Volumes: list[Volume] = []


class Snapshot(BaseModel):
    """A snapshot of an OpenZFS volume; a copied one bears the same name on both sides."""

    SnapshotId: str
    ResourceARN: str = ""
    Name: str = ""
    VolumeId: str = ""
    Lifecycle: str = ""
    CreationTime: datetime
    LifecycleTransitionReason: Failure | None = None


class Snapshots(BaseModel):
    """fsx:DescribeSnapshots."""

    Snapshots: list[Snapshot] = []


class NetworkInterfaceGroup(BaseModel):
    """A security group on a network interface."""

    GroupId: str


class NetworkInterface(BaseModel):
    """A network interface of a file system; security groups are shown here alone."""

    Groups: list[NetworkInterfaceGroup] = []


class NetworkInterfaces(BaseModel):
    """ec2:DescribeNetworkInterfaces."""

    NetworkInterfaces: list[NetworkInterface] = []


class Subnet(BaseModel):
    """A subnet."""

    SubnetId: str


class Subnets(BaseModel):
    """ec2:DescribeSubnets."""

    Subnets: list[Subnet] = []
