"""What is read of an Aurora global database, all from the target's Region: it knows both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from adapters.aurora.spec import GLOBAL_DATABASE, GLOBAL_MISSING
from adapters.aurora.view import DrillCopy, TargetSide, copy_of, find_cluster, instances_of
from adapters.aurora.view_place import with_surroundings
from adapters.databases.shared import base_name
from adapters.reading import recent_values
from adapters.standing_in import CLUSTERS, as_databases
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


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


@dataclass(frozen=True, kw_only=True)
class AuroraView(TargetSide):
    """Both clusters of the global cluster. `sync` maps a member cluster's ARN to its SynchronizationStatus."""

    group: GlobalCluster
    lag_ms: float | None = None
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
    member, reader = as_databases(target.only, CLUSTERS), aws.at(Side.TARGET)
    known = member.target.facts.get("global_cluster") or member.source.facts.get("global_cluster")
    group_id = str(known or base_name(member.source.id))
    groups = reader.find(
        "rds", "DescribeGlobalClusters", GlobalClusters, missing=GLOBAL_MISSING, GlobalClusterIdentifier=group_id
    )
    found = groups.GlobalClusters if groups else []
    measured = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    cluster = find_cluster(reader, member)
    here = AuroraView(
        member=member,
        group=found[0] if found else GlobalCluster(GlobalClusterIdentifier=group_id),
        target=cluster,
        instances=tuple(instances_of(reader, member.target.id)) if cluster.there else (),
        lag_ms=_lag_ms(reader, member, run) if measured else None,
        copy=copy_of(reader, member, run, cluster.DBSubnetGroup) if run.mode is Mode.DRILL else DrillCopy(),
    )
    return here if run.mode is Mode.DRILL else with_surroundings(here, reader, run)


def _lag_ms(reader: Reader, member: Member, run: RunContext) -> float | None:
    """Older engine versions publish only the second metric (Aurora user guide, "Monitoring an Aurora global database")."""
    for metric in ("AuroraGlobalDBRPOLag", "AuroraGlobalDBReplicationLag"):
        values = recent_values(reader, run.now, "AWS/RDS", metric, {"DBClusterIdentifier": member.target.id})
        if values:
            return values[0]
    return None
