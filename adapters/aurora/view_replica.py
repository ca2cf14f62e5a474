"""What is read of an Aurora MySQL cluster and its binlog replica in the other Region."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.aurora.spec import CROSS_REGION_REPLICA
from adapters.aurora.view import DrillCopy, copy_of, find_cluster, instances_of
from adapters.aurora.view_place import with_surroundings
from adapters.aurora.view_sides import TwoSides, with_source
from adapters.reading import Datapoint, recent_points
from adapters.standing_in import CLUSTERS, as_databases
from orchestrator.contract import Clients, RunContext, Target
from orchestrator.words import Mode, Phase, Side


@dataclass(frozen=True)
class ReplicaView(TwoSides):
    """Both sides, and how far the second is behind the first."""

    lag_points: tuple[Datapoint, ...] = ()
    strategy: str = CROSS_REGION_REPLICA

    @property
    def lag_seconds(self) -> tuple[float, ...]:
        """Return the target's latest lags, newest first."""
        return tuple(point.value for point in self.lag_points)

    @property
    def lag_behind_the_fence(self) -> tuple[float, ...]:
        """Return the lags of the minutes that began after the fenced writer had restarted, newest first."""
        since = self.restarted_at
        return tuple(point.value for point in self.lag_points if since is not None and point.at >= since)

    @property
    def two_writers(self) -> bool:
        """Say whether both sides take writes, and nobody knows which is current."""
        return self.promoted and self.source is not None and not self.reversed and not self.fenced


def look(target: Target, aws: Clients, run: RunContext) -> ReplicaView:
    """Read the target; the source side unless this is a drill or it is lost; lag and restart when they matter."""
    member, reader = as_databases(target.only, CLUSTERS), aws.at(Side.TARGET)
    cluster = find_cluster(reader, member)
    measured = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    name = {"DBClusterIdentifier": member.target.id}
    here = ReplicaView(
        member=member,
        target=cluster,
        instances=tuple(instances_of(reader, member.target.id)) if cluster.there else (),
        lag_points=tuple(recent_points(reader, run.now, "AWS/RDS", "AuroraBinlogReplicaLag", name)) if measured else (),
        copy=copy_of(reader, member, run, cluster.DBSubnetGroup) if run.mode is Mode.DRILL else DrillCopy(),
    )
    if run.mode is Mode.DRILL:
        return here
    here = with_surroundings(here, reader, run)
    return with_source(here, aws.at(Side.SOURCE), run) if aws.reaches(Side.SOURCE) else here
