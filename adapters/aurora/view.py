"""What RDS replies of Aurora clusters, their instances and snapshots; and what every strategy reads of the target side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, JsonValue

from adapters.aurora.spec import CLUSTER_MISSING, SNAPSHOT_MISSING, TAKEN_AT_TAG
from adapters.databases.shared import CLUSTER, Database
from adapters.databases.view import Guarded, ServerCertificate, SubnetGroup, subnet_group
from adapters.fencing import find_group
from adapters.quotas import Room
from adapters.reading import KeyValue, drill_name, is_of_this_drill, tag_map
from orchestrator.contract import Member, Reader, RunContext


class ClusterMember(BaseModel):
    """An instance's part in a cluster."""

    DBInstanceIdentifier: str
    IsClusterWriter: bool = False


class Cluster(Guarded):
    """A DB cluster."""

    DBClusterIdentifier: str
    DBClusterArn: str
    Status: str = ""
    Engine: str = ""
    EngineVersion: str = ""
    DBSubnetGroup: str | None = None
    DBClusterParameterGroup: str | None = None
    ReplicationSourceIdentifier: str | None = None
    ReadReplicaIdentifiers: list[str] = []
    KmsKeyId: str | None = None
    StorageEncrypted: bool = False
    DeletionProtection: bool = False
    BackupRetentionPeriod: int = 1
    IAMDatabaseAuthenticationEnabled: bool = False
    ServerlessV2ScalingConfiguration: dict[str, JsonValue] | None = None
    ClusterCreateTime: datetime | None = None
    Endpoint: str | None = None
    Port: int | None = None
    DBClusterMembers: list[ClusterMember] = []

    @property
    def there(self) -> bool:
        """Say whether AWS knows it; a name that nothing bears (yet) has no status."""
        return bool(self.Status)

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Return host and port of the cluster endpoint; there is none while the cluster is being made."""
        return (self.Endpoint, self.Port) if self.Endpoint and self.Port else None

    @property
    def writer(self) -> str | None:
        """Return the name of the instance that writes."""
        return next((each.DBInstanceIdentifier for each in self.DBClusterMembers if each.IsClusterWriter), None)

    def database(self, vpc_id: str) -> Database:
        """Return what its fence and its name are made of; only its instances tell its VPC."""
        return Database(
            CLUSTER,
            self.DBClusterIdentifier,
            self.DBClusterArn,
            self.Status,
            vpc_id,
            self.groups,
            self.settled_groups,
            self.tags,
        )


class Clusters(BaseModel):
    """rds:DescribeDBClusters."""

    DBClusters: list[Cluster] = []


class Instance(Guarded):
    """A DB instance of a cluster."""

    DBInstanceIdentifier: str
    DBInstanceArn: str = ""
    DBClusterIdentifier: str = ""
    DBInstanceStatus: str = ""
    DBInstanceClass: str = ""
    DBSubnetGroup: SubnetGroup | None = None
    CertificateDetails: ServerCertificate | None = None

    @property
    def vpc_id(self) -> str:
        """Return its VPC."""
        return self.DBSubnetGroup.VpcId if self.DBSubnetGroup else ""


class Instances(BaseModel):
    """rds:DescribeDBInstances."""

    DBInstances: list[Instance] = []


class Snapshot(BaseModel):
    """A cluster snapshot; one that was copied from another Region names what it is a copy of."""

    DBClusterSnapshotIdentifier: str = ""
    DBClusterSnapshotArn: str = ""
    DBClusterIdentifier: str = ""
    Engine: str = ""
    EngineVersion: str = ""
    Status: str = ""
    SnapshotCreateTime: datetime | None = None
    SourceDBClusterSnapshotArn: str | None = None
    TagList: list[KeyValue] = []

    @property
    def name(self) -> str:
        """Return its name."""
        return self.DBClusterSnapshotIdentifier

    @property
    def arn(self) -> str:
        """Return its ARN."""
        return self.DBClusterSnapshotArn

    @property
    def at(self) -> datetime | None:
        """Return when the data was as it is in here.

        AWS keeps no time of the original on a copy (as it does for DB snapshots), so runs tag what they copy with it.
        """
        told = tag_map(self.TagList).get(TAKEN_AT_TAG)
        return datetime.fromisoformat(told) if told else self.SnapshotCreateTime

    def is_from(self, region: str) -> bool:
        """Say whether it was copied here from a Region."""
        return (self.SourceDBClusterSnapshotArn or "").split(":")[3:4] == [region]


class Snapshots(BaseModel):
    """rds:DescribeDBClusterSnapshots."""

    DBClusterSnapshots: list[Snapshot] = []


@dataclass(frozen=True)
class DrillCopy:
    """What a drill made of the target cluster; empty statuses mean: not there."""

    vpc_id: str = ""
    """Where it is made."""
    group: str = ""
    snapshot: str = ""
    cluster: str = ""
    instance: str = ""
    ours: bool = True
    endpoint: tuple[str, int] | None = None


@dataclass(frozen=True)
class TargetSide:
    """What every strategy's view tells of the target side."""

    member: Member
    target: Cluster
    """Without a status when it is not there (yet)."""
    instances: tuple[Instance, ...]
    copy: DrillCopy = DrillCopy()
    key_states: Mapping[str, str] = field(default_factory=dict)
    rooms: Mapping[str, Room] = field(default_factory=dict)
    """How many of each thing the target side may have, and has; read while the cluster is not there."""
    missing: tuple[str, ...] = ()
    """What a cluster to be made on the target side needs and is not there."""


def find_cluster(reader: Reader, member: Member) -> Cluster:
    """Return the target cluster; one without a status, but of the source's engine, when it is not there."""
    place, facts = member.target, member.source.facts
    found = reader.find("rds", "DescribeDBClusters", Clusters, CLUSTER_MISSING, DBClusterIdentifier=place.id)
    if found is not None and found.DBClusters:
        return found.DBClusters[0]
    engine, version = str(facts.get("engine") or ""), str(facts.get("version") or "")
    return Cluster(DBClusterIdentifier=place.id, DBClusterArn=place.arn, Engine=engine, EngineVersion=version)


def instances_of(reader: Reader, cluster_id: str) -> list[Instance]:
    """Return a cluster's instances (rds:DescribeDBInstances)."""
    filters: JsonValue = [{"Name": "db-cluster-id", "Values": [cluster_id]}]
    return reader.read("rds", "DescribeDBInstances", Instances, Filters=filters).DBInstances


def copy_of(reader: Reader, member: Member, run: RunContext, subnets: object) -> DrillCopy:
    """Return what this drill has made of the target cluster, in the subnet group of that name."""
    name = drill_name(run, member.target.id)
    place = subnet_group(reader, subnets)
    group = find_group(reader, name, place.VpcId) if place else None
    snaps = reader.find(
        "rds", "DescribeDBClusterSnapshots", Snapshots, missing=SNAPSHOT_MISSING, DBClusterSnapshotIdentifier=name
    )
    clusters = reader.find("rds", "DescribeDBClusters", Clusters, missing=CLUSTER_MISSING, DBClusterIdentifier=name)
    snapshot = snaps.DBClusterSnapshots[0] if snaps and snaps.DBClusterSnapshots else None
    cluster = clusters.DBClusters[0] if clusters and clusters.DBClusters else None
    instances = instances_of(reader, name) if cluster else []
    tags = [group.Tags if group else None, *(thing.TagList if thing else None for thing in (snapshot, cluster))]
    return DrillCopy(
        vpc_id=place.VpcId if place else "",
        group=group.GroupId if group else "",
        snapshot=snapshot.Status if snapshot else "",
        cluster=cluster.Status if cluster else "",
        instance=instances[0].DBInstanceStatus if instances else "",
        ours=all(is_of_this_drill(tag_map(each), run) for each in tags if each is not None),
        endpoint=cluster.endpoint if cluster else None,
    )
