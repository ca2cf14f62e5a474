"""What OpenSearch Service and its domains reply: pydantic models."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, RootModel

from adapters.opensearch.view_states import Link, Peering, Status, Sync, Taken
from adapters.reading import KeyValue


class _ClusterConfig(BaseModel):
    InstanceType: str = ""
    InstanceCount: int = 0


class _Ebs(BaseModel):
    VolumeSize: int = 0


class _Switch(BaseModel):
    Enabled: bool = False


class _Encryption(_Switch):
    KmsKeyId: str | None = None


class _Address(BaseModel):
    CustomEndpointEnabled: bool = False
    CustomEndpoint: str = ""
    CustomEndpointCertificateArn: str = ""


class _Change(BaseModel):
    ChangeId: str = ""
    ConfigChangeStatus: str = ""


class Domain(BaseModel):
    """A domain."""

    DomainName: str
    ARN: str
    Endpoint: str | None = None
    Endpoints: dict[str, str] = {}
    EngineVersion: str = ""
    Processing: bool = False
    UpgradeProcessing: bool = False
    DomainProcessingStatus: Status | None = None
    ClusterConfig: _ClusterConfig = _ClusterConfig()
    EBSOptions: _Ebs = _Ebs()
    NodeToNodeEncryptionOptions: _Switch = _Switch()
    AdvancedSecurityOptions: _Switch = _Switch()
    EncryptionAtRestOptions: _Encryption = _Encryption()
    DomainEndpointOptions: _Address = _Address()
    ChangeProgressDetails: _Change = _Change()

    @property
    def status(self) -> str:
        """Return the processing status; older Regions do not show it."""
        return self.DomainProcessingStatus or ("Modifying" if self.Processing else "Active")

    @property
    def host(self) -> str | None:
        """Return where clients connect: the public endpoint, or the one inside the VPC."""
        return self.Endpoint or self.Endpoints.get("vpc")

    @property
    def in_vpc(self) -> bool:
        """Say whether only its VPC reaches it."""
        return self.Endpoint is None and bool(self.Endpoints)

    @property
    def automated(self) -> str:
        """Return the repository that the service itself fills every hour and keeps for 14 days."""
        return "cs-automated-enc" if self.EncryptionAtRestOptions.Enabled else "cs-automated"


class DomainReply(BaseModel):
    """opensearch:DescribeDomain."""

    DomainStatus: Domain


class Tags(BaseModel):
    """opensearch:ListTags."""

    TagList: list[KeyValue] = []


class Health(BaseModel):
    """opensearch:DescribeDomainHealth."""

    ClusterHealth: str = "NotAvailable"
    MasterNode: str = "UnAvailable"


class _DomainInformation(BaseModel):
    OwnerId: str = ""
    DomainName: str = ""
    Region: str = ""


class _DomainInfo(BaseModel):
    AWSDomainInformation: _DomainInformation = _DomainInformation()

    @property
    def arn_tail(self) -> str:
        """Return Region, account and name as a domain's ARN ends."""
        there = self.AWSDomainInformation
        return f"{there.Region}:{there.OwnerId}:domain/{there.DomainName}"


class _LinkStatus(BaseModel):
    StatusCode: Link
    Message: str = ""


class Connection(BaseModel):
    """A connection: asked for by its local domain, the follower, accepted by the remote one, the leader."""

    ConnectionId: str
    ConnectionAlias: str = ""
    LocalDomainInfo: _DomainInfo
    RemoteDomainInfo: _DomainInfo
    ConnectionStatus: _LinkStatus

    @property
    def status(self) -> Link:
        """Return the status."""
        return self.ConnectionStatus.StatusCode

    def joins(self, follower_arn: str, leader_arn: str) -> bool:
        """Say whether it leads from `leader_arn` to `follower_arn`."""
        ends = (self.LocalDomainInfo.arn_tail, self.RemoteDomainInfo.arn_tail)
        return follower_arn.endswith(ends[0]) and leader_arn.endswith(ends[1])


class Connections(BaseModel):
    """opensearch:DescribeOutboundConnections and DescribeInboundConnections."""

    Connections: list[Connection] = []


class Peer(BaseModel):
    """The other domain of a managed replication."""

    PeerDomainArn: str = ""
    Status: Peering
    StatusMessage: str = ""


class Replication(BaseModel):
    """opensearch:DescribeDomainReplication; a domain that does not replicate has no role."""

    Role: str | None = None
    Peers: list[Peer] = []


class CatIndex(BaseModel):
    """A line of GET /_cat/indices."""

    index: str
    health: str = ""
    status: str = "open"


class CatIndices(BaseModel):
    """GET /_cat/indices."""

    items: list[CatIndex] = []


class _Checkpoints(BaseModel):
    leader_checkpoint: int = 0
    follower_checkpoint: int = 0


class Follow(BaseModel):
    """GET /_plugins/_replication/INDEX/_status. Checkpoints start at minus the number of shards."""

    status: Sync
    reason: str = ""
    leader_alias: str = ""
    leader_index: str = ""
    syncing_details: _Checkpoints | None = None

    @property
    def behind(self) -> int | None:
        """Return how many operations the follower lacks; None when it does not tell."""
        told = self.syncing_details
        return None if told is None else max(0, told.leader_checkpoint - told.follower_checkpoint)


class Rule(BaseModel):
    """An autofollow rule; the plugin does not tell whose indices it follows."""

    name: str
    pattern: str = ""


class Rules(BaseModel):
    """GET /_plugins/_replication/autofollow_stats."""

    autofollow_stats: list[Rule] = []


class ClusterHealth(BaseModel):
    """GET /_cluster/health."""

    status: str = ""


class Snapshot(BaseModel):
    """A snapshot."""

    snapshot: str
    state: Taken
    indices: list[str] = []
    start_time: datetime
    end_time: datetime


class Snapshots(BaseModel):
    """GET /_snapshot/REPOSITORY/_all."""

    snapshots: list[Snapshot] = []


class _Settings(BaseModel):
    readonly: str = "false"


class Repository(BaseModel):
    """A snapshot repository."""

    settings: _Settings = _Settings()

    @property
    def writable(self) -> bool:
        """Say whether snapshots may be written to it from here."""
        return self.settings.readonly.lower() != "true"


class Repositories(RootModel[dict[str, Repository]]):
    """GET /_snapshot."""


class _Blocks(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    write: str = Field(default="false", alias="index.blocks.write")


class _BlockedIndex(BaseModel):
    settings: _Blocks = _Blocks()


class WriteBlocks(RootModel[dict[str, _BlockedIndex]]):
    """GET /_all/_settings/index.blocks.write; indices without the setting are left out."""

    @property
    def blocked(self) -> frozenset[str]:
        """Return the indices nobody may write to."""
        return frozenset(name for name, each in self.root.items() if each.settings.write.lower() == "true")


class CatRecovery(BaseModel):
    """A line of GET /_cat/recovery."""

    index: str
    type: str = ""
    stage: str = ""
    snapshot: str = Field(default="")


class CatRecoveries(BaseModel):
    """GET /_cat/recovery."""

    items: list[CatRecovery] = []
