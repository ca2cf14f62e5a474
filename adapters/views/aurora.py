"""What RDS replies of Aurora clusters; and what is read of a global database, all from the target's Region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, JsonValue

from adapters.reading import KeyValue, drill_name, is_of_this_drill, recent_values, tag_map
from adapters.specs.aurora import CLUSTER_MISSING, GLOBAL_DATABASE, GLOBAL_MISSING, SNAPSHOT_MISSING
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


class ClusterMember(BaseModel):
    """An instance's part in a cluster."""

    DBInstanceIdentifier: str
    IsClusterWriter: bool = False


class Group(BaseModel):
    """A security group on a cluster."""

    VpcSecurityGroupId: str
    Status: str = "active"


class Cluster(BaseModel):
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
    VpcSecurityGroups: list[Group] = []
    KmsKeyId: str | None = None
    StorageEncrypted: bool = False
    DeletionProtection: bool = False
    Endpoint: str | None = None
    Port: int | None = None
    DBClusterMembers: list[ClusterMember] = []
    TagList: list[KeyValue] = []

    @property
    def endpoint(self) -> tuple[str, int] | None:
        """Return host and port of the cluster endpoint; there is none while the cluster is being made."""
        return (self.Endpoint, self.Port) if self.Endpoint and self.Port else None


class Clusters(BaseModel):
    """rds:DescribeDBClusters."""

    DBClusters: list[Cluster] = []


class GlobalMember(BaseModel):
    """A cluster's part in a global cluster."""

    DBClusterArn: str
    IsWriter: bool = False
    SynchronizationStatus: str | None = None


class Switch(BaseModel):
    """A switchover or failover in progress."""

    Status: str | None = None
    ToDbClusterArn: str | None = None
    IsDataLossAllowed: bool = False


class GlobalCluster(BaseModel):
    """A global cluster."""

    GlobalClusterIdentifier: str
    Status: str = ""
    GlobalClusterMembers: list[GlobalMember] = []
    FailoverState: Switch | None = None


class GlobalClusters(BaseModel):
    """rds:DescribeGlobalClusters."""

    GlobalClusters: list[GlobalCluster] = []


class SubnetGroup(BaseModel):
    """Where an instance is."""

    VpcId: str = ""


class Instance(BaseModel):
    """A DB instance of a cluster."""

    DBInstanceIdentifier: str
    DBInstanceStatus: str = ""
    DBInstanceClass: str = ""
    DBSubnetGroup: SubnetGroup | None = None


class Instances(BaseModel):
    """rds:DescribeDBInstances."""

    DBInstances: list[Instance] = []


class Snapshot(BaseModel):
    """A cluster snapshot."""

    Status: str = ""
    TagList: list[KeyValue] = []


class Snapshots(BaseModel):
    """rds:DescribeDBClusterSnapshots."""

    DBClusterSnapshots: list[Snapshot] = []


@dataclass(frozen=True)
class DrillCopy:
    """What a drill made of the target cluster; empty statuses mean: not there."""

    snapshot: str = ""
    cluster: str = ""
    instance: str = ""
    ours: bool = True
    endpoint: tuple[str, int] | None = None


@dataclass(frozen=True)
class AuroraView:
    """Both clusters of the global cluster. `sync` maps a member cluster's ARN to its SynchronizationStatus."""

    member: Member
    group: GlobalCluster
    target: Cluster
    instances: tuple[Instance, ...]
    lag_ms: float | None = None
    copy: DrillCopy = DrillCopy()
    strategy: str = GLOBAL_DATABASE

    @property
    def writer_arn(self) -> str | None:
        """Return the ARN of the global cluster's writer."""
        return next((m.DBClusterArn for m in self.group.GlobalClusterMembers if m.IsWriter), None)

    @property
    def sync(self) -> Mapping[str, str]:
        """Return each member cluster's SynchronizationStatus."""
        return {m.DBClusterArn: m.SynchronizationStatus or "unknown" for m in self.group.GlobalClusterMembers}

    @property
    def switching(self) -> str | None:
        """Return what is in progress, or None."""
        state = self.group.FailoverState
        return f"{state.Status} to {state.ToDbClusterArn}" if state and state.Status else None

    @property
    def switching_without_loss(self) -> bool:
        """Say whether what is in progress is a switchover, which waits for the old writer for ever."""
        return self.switching is not None and not (
            self.group.FailoverState and self.group.FailoverState.IsDataLossAllowed
        )

    @property
    def detached(self) -> bool:
        """Say whether the target cluster belongs to no global cluster (any more)."""
        return self.member.target.arn not in self.sync

    @property
    def versions(self) -> str:
        """Return both engine versions; the source side's is the one the inventory remembers."""
        return f"{self.member.source.facts.get('version')} on the source side, {self.target.EngineVersion} here"

    @property
    def versions_differ(self) -> bool:
        """Say whether major or minor version differ: AWS then refuses managed switchovers and failovers."""
        source = self.member.source.facts.get("version")
        return source is not None and _major_minor(str(source)) != _major_minor(self.target.EngineVersion)

    @property
    def has_writer_instance(self) -> bool:
        """Say whether an instance of the target cluster is flagged as its writer."""
        return any(each.IsClusterWriter for each in self.target.DBClusterMembers)

    @property
    def target_writes(self) -> bool:
        """Say whether the target cluster writes: as the global cluster's writer, or alone after a detachment."""
        alone = self.detached and self.has_writer_instance and self.target.Status == "available"
        return alone or self.writer_arn == self.member.target.arn


def _major_minor(version: str) -> list[str]:
    """Return ["16", "4"] of 16.4 and ["3", "08"] of 8.0.mysql_aurora.3.08.0."""
    return version.rpartition("aurora.")[2].split(".")[:2]


def look(target: Target, aws: Clients, run: RunContext) -> AuroraView:
    """Read the global cluster, the target cluster and its instances; lag before and during a switch; a drill's copies."""
    member, reader = target.only, aws.at(Side.TARGET)
    group_id = str(member.target.facts.get("global_cluster") or member.source.facts.get("global_cluster"))
    groups = reader.find(
        "rds", "DescribeGlobalClusters", GlobalClusters, missing=GLOBAL_MISSING, GlobalClusterIdentifier=group_id
    )
    found = groups.GlobalClusters if groups else []
    measured = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    return AuroraView(
        member=member,
        group=found[0] if found else GlobalCluster(GlobalClusterIdentifier=group_id),
        target=reader.read("rds", "DescribeDBClusters", Clusters, DBClusterIdentifier=member.target.id).DBClusters[0],
        instances=tuple(instances_of(reader, member.target.id)),
        lag_ms=_lag_ms(reader, member, run) if measured else None,
        copy=copy_of(reader, member, run) if run.mode is Mode.DRILL else DrillCopy(),
    )


def instances_of(reader: Reader, cluster_id: str) -> list[Instance]:
    """Return a cluster's instances (rds:DescribeDBInstances)."""
    filters: JsonValue = [{"Name": "db-cluster-id", "Values": [cluster_id]}]
    return reader.read("rds", "DescribeDBInstances", Instances, Filters=filters).DBInstances


def _lag_ms(reader: Reader, member: Member, run: RunContext) -> float | None:
    """Older engine versions publish only the second metric (Aurora user guide, "Monitoring an Aurora global database")."""
    for metric in ("AuroraGlobalDBRPOLag", "AuroraGlobalDBReplicationLag"):
        values = recent_values(reader, run.now, "AWS/RDS", metric, {"DBClusterIdentifier": member.target.id})
        if values:
            return values[0]
    return None


def copy_of(reader: Reader, member: Member, run: RunContext) -> DrillCopy:
    """Return what this drill has made of the target cluster."""
    name = drill_name(run, member.target.id)
    snaps = reader.find(
        "rds", "DescribeDBClusterSnapshots", Snapshots, missing=SNAPSHOT_MISSING, DBClusterSnapshotIdentifier=name
    )
    clusters = reader.find("rds", "DescribeDBClusters", Clusters, missing=CLUSTER_MISSING, DBClusterIdentifier=name)
    snapshot = snaps.DBClusterSnapshots[0] if snaps and snaps.DBClusterSnapshots else None
    cluster = clusters.DBClusters[0] if clusters and clusters.DBClusters else None
    instances = instances_of(reader, name) if cluster else []
    tags = [thing.TagList for thing in (snapshot, cluster) if thing is not None]
    return DrillCopy(
        snapshot=snapshot.Status if snapshot else "",
        cluster=cluster.Status if cluster else "",
        instance=instances[0].DBInstanceStatus if instances else "",
        ours=all(is_of_this_drill(tag_map(each), run) for each in tags),
        endpoint=cluster.endpoint if cluster else None,
    )
