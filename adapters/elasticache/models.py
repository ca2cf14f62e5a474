"""ElastiCache's, KMS's and S3's replies, as far as the ElastiCache adapter reads them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from adapters.reading import KeyValue


class Address(BaseModel):
    """Where clients connect."""

    Address: str = ""
    Port: int = 6379


class NodeMember(BaseModel):
    """A node's part in a shard; its role is told without cluster mode only."""

    CacheClusterId: str
    CurrentRole: str | None = None


class NodeGroup(BaseModel):
    """A shard."""

    NodeGroupId: str
    Status: str = ""
    PrimaryEndpoint: Address | None = None
    NodeGroupMembers: list[NodeMember] = []


class Membership(BaseModel):
    """A group's part in a global datastore."""

    GlobalReplicationGroupId: str | None = None
    GlobalReplicationGroupMemberRole: str | None = None


class ReplicationGroup(BaseModel):
    """A replication group."""

    ReplicationGroupId: str
    ARN: str
    Status: str = ""
    Description: str = ""
    NodeGroups: list[NodeGroup] = []
    ConfigurationEndpoint: Address | None = None
    GlobalReplicationGroupInfo: Membership | None = None
    AutomaticFailover: str = "disabled"
    MultiAZ: str = "disabled"
    CacheNodeType: str = ""
    ClusterEnabled: bool = False
    AuthTokenEnabled: bool = False
    TransitEncryptionEnabled: bool = False
    AtRestEncryptionEnabled: bool = False
    KmsKeyId: str | None = None
    UserGroupIds: list[str] = []
    SnapshotRetentionLimit: int = 0
    ReplicationGroupCreateTime: datetime | None = None
    Engine: str = "redis"


class ReplicationGroups(BaseModel):
    """elasticache:DescribeReplicationGroups."""

    ReplicationGroups: list[ReplicationGroup] = []


class GroupOnNode(BaseModel):
    """A security group on a node."""

    SecurityGroupId: str
    Status: str = "active"


class ParameterGroupOnNode(BaseModel):
    """A parameter group on a node."""

    CacheParameterGroupName: str = ""


class NodeStatus(BaseModel):
    """The one cache node of a Redis or Valkey cluster."""

    CacheNodeStatus: str = ""


class Node(BaseModel):
    """A cache cluster, which is a single node of a replication group."""

    CacheClusterId: str
    ReplicationGroupId: str | None = None
    CacheClusterStatus: str = ""
    EngineVersion: str = ""
    CacheSubnetGroupName: str | None = None
    CacheParameterGroup: ParameterGroupOnNode = ParameterGroupOnNode()
    SecurityGroups: list[GroupOnNode] = []
    CacheNodes: list[NodeStatus] = []
    NumCacheNodes: int = 1


class Nodes(BaseModel):
    """elasticache:DescribeCacheClusters."""

    CacheClusters: list[Node] = []


class DatastoreMember(BaseModel):
    """One Region of a global datastore; AWS writes statuses in small letters, as far as is known."""

    ReplicationGroupId: str
    ReplicationGroupRegion: str
    Role: str = ""
    Status: str = ""
    AutomaticFailover: str = ""


class Datastore(BaseModel):
    """A global datastore."""

    GlobalReplicationGroupId: str
    Status: str = ""
    EngineVersion: str = ""
    Members: list[DatastoreMember] = []

    def member(self, region: str, group_id: str) -> DatastoreMember | None:
        """Return the member that is a group in a Region."""
        wanted = (region, group_id)
        return next((m for m in self.Members if (m.ReplicationGroupRegion, m.ReplicationGroupId) == wanted), None)


class Datastores(BaseModel):
    """elasticache:DescribeGlobalReplicationGroups."""

    GlobalReplicationGroups: list[Datastore] = []


class SubnetGroup(BaseModel):
    """A cache subnet group."""

    CacheSubnetGroupName: str
    ARN: str = ""
    VpcId: str = ""


class SubnetGroups(BaseModel):
    """elasticache:DescribeCacheSubnetGroups."""

    CacheSubnetGroups: list[SubnetGroup] = []


class Tags(BaseModel):
    """elasticache:ListTagsForResource."""

    TagList: list[KeyValue] = []


class Snapshot(BaseModel):
    """A snapshot of a replication group."""

    SnapshotStatus: str = ""
    ARN: str = ""


class Snapshots(BaseModel):
    """elasticache:DescribeSnapshots."""

    Snapshots: list[Snapshot] = []


class Anything(BaseModel):
    """A reply of which only its being there counts."""


class StoredObject(BaseModel):
    """An object of a bucket."""

    Key: str
    LastModified: datetime


class StoredObjects(BaseModel):
    """s3:ListObjectsV2."""

    Contents: list[StoredObject] = []
