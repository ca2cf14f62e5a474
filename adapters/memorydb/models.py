"""MemoryDB's, S3's and KMS's replies, as far as the MemoryDB adapter reads them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from adapters.reading import KeyValue


class Address(BaseModel):
    """Where a cluster answers."""

    Address: str = ""
    Port: int = 0


class Node(BaseModel):
    """A node of a shard."""

    Status: str = ""


class Shard(BaseModel):
    """A shard."""

    Status: str = ""
    Nodes: list[Node] = []


class GroupOnCluster(BaseModel):
    """A security group on a cluster."""

    SecurityGroupId: str
    Status: str = "active"


class Cluster(BaseModel):
    """A cluster of one Region."""

    Name: str
    ARN: str = ""
    Status: str = ""
    MultiRegionClusterName: str | None = None
    NumberOfShards: int = 1
    Shards: list[Shard] = []
    ClusterEndpoint: Address | None = None
    NodeType: str = ""
    Engine: str | None = None
    EngineVersion: str | None = None
    ParameterGroupName: str | None = None
    SecurityGroups: list[GroupOnCluster] = []
    SubnetGroupName: str = ""
    TLSEnabled: bool = True
    KmsKeyId: str | None = None
    SnapshotRetentionLimit: int = 0
    ACLName: str = ""
    DataTiering: str = "false"

    @property
    def status(self) -> str:
        """Return the status; AWS spells it with and without capitals."""
        return self.Status.lower()

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the ids of the security groups on it, sorted."""
        return tuple(sorted(each.SecurityGroupId for each in self.SecurityGroups))

    @property
    def settled_groups(self) -> bool:
        """Say whether no security group is still being put on or taken off."""
        return all(each.Status.lower() == "active" for each in self.SecurityGroups)

    @property
    def replicas(self) -> int:
        """Return the replicas of its largest shard; AWS has no field for what was asked for."""
        return max((len(each.Nodes) for each in self.Shards), default=1) - 1

    @property
    def whole(self) -> bool:
        """Say whether every shard and node is available."""
        parts = [s.Status for s in self.Shards] + [n.Status for s in self.Shards for n in s.Nodes]
        return all(each.lower() == "available" for each in parts)


class Clusters(BaseModel):
    """memorydb:DescribeClusters."""

    Clusters: list[Cluster] = []


class RegionalCluster(BaseModel):
    """A member as its multi-Region cluster tells it."""

    ClusterName: str = ""
    Region: str = ""
    Status: str = ""


class MultiRegion(BaseModel):
    """A multi-Region cluster."""

    MultiRegionClusterName: str
    Status: str = ""
    Clusters: list[RegionalCluster] = []

    @property
    def members(self) -> dict[str, str]:
        """Return each member Region's status."""
        return {each.Region: each.Status.lower() for each in self.Clusters}


class MultiRegions(BaseModel):
    """memorydb:DescribeMultiRegionClusters."""

    MultiRegionClusters: list[MultiRegion] = []


class SubnetGroup(BaseModel):
    """A subnet group."""

    Name: str
    ARN: str = ""
    VpcId: str = ""


class SubnetGroups(BaseModel):
    """memorydb:DescribeSubnetGroups."""

    SubnetGroups: list[SubnetGroup] = []


class Acl(BaseModel):
    """An access control list."""

    Name: str = ""
    Status: str = ""


class Acls(BaseModel):
    """memorydb:DescribeACLs."""

    ACLs: list[Acl] = []


class Snapshot(BaseModel):
    """A snapshot."""

    Name: str = ""
    Status: str = ""
    ARN: str = ""


class Snapshots(BaseModel):
    """memorydb:DescribeSnapshots."""

    Snapshots: list[Snapshot] = []


class Tags(BaseModel):
    """memorydb:ListTags."""

    TagList: list[KeyValue] = []


class Object(BaseModel):
    """An object of a bucket."""

    Key: str
    LastModified: datetime


class Objects(BaseModel):
    """s3:ListObjectsV2."""

    Contents: list[Object] = []
    IsTruncated: bool = False


class Destination(BaseModel):
    """Where a rule replicates to."""

    Bucket: str


class Rule(BaseModel):
    """A replication rule."""

    Status: str = ""
    Destination: Destination


class Rules(BaseModel):
    """The rules of a bucket."""

    Rules: list[Rule] = []


class Replication(BaseModel):
    """s3:GetBucketReplication."""

    ReplicationConfiguration: Rules
