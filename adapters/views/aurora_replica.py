"""What is read of an Aurora MySQL cluster and its binlog replica in the other Region."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, JsonValue

from adapters.fencing import FENCE_GROUP, FENCED_TAG, SecurityGroup, find_group
from adapters.reading import Datapoint, recent_points, tag_map
from adapters.specs.aurora import CROSS_REGION_REPLICA, EVENT_RESTARTED, NAME_LIMIT
from adapters.views.aurora import Cluster, Clusters, DrillCopy, Instance, copy_of, instances_of
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side

_RETIRED = re.compile(r"-retired-[0-9a-f]{8}$")


class Event(BaseModel):
    """A line of rds:DescribeEvents."""

    Message: str = ""
    Date: datetime


class Events(BaseModel):
    """rds:DescribeEvents."""

    Events: list[Event] = []


@dataclass(frozen=True)
class ReplicaView:
    """Both sides. `source` bears the source side's name; `retired` is the old primary under its later name."""

    member: Member
    target: Cluster
    instances: tuple[Instance, ...]
    source: Cluster | None = None
    retired: Cluster | None = None
    source_instances: tuple[Instance, ...] = ()
    """Of `source`, else of `retired`."""
    fence: SecurityGroup | None = None
    lag_points: tuple[Datapoint, ...] = ()
    restarted_at: datetime | None = None
    copy: DrillCopy = DrillCopy()
    strategy: str = CROSS_REGION_REPLICA

    @property
    def promoted(self) -> bool:
        """Say whether the target replicates from nobody."""
        return not self.target.ReplicationSourceIdentifier

    @property
    def reversed(self) -> bool:
        """Say whether the source side's name belongs to a replica of the target."""
        return self.source is not None and self.source.ReplicationSourceIdentifier == self.member.target.arn

    @property
    def old(self) -> Cluster | None:
        """Return the old primary, under its old or its retired name."""
        return self.retired or (None if self.reversed else self.source)

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
    def fenced(self) -> bool:
        """Say whether nobody gets into the old primary."""
        old, fence = self.old, self.fence
        return old is not None and fence is not None and groups(old) == (fence.GroupId,)

    @property
    def two_writers(self) -> bool:
        """Say whether both sides take writes, and nobody knows which is current."""
        return self.promoted and self.source is not None and not self.reversed and not self.fenced


def groups(cluster: Cluster) -> tuple[str, ...]:
    """Return the security groups on a cluster."""
    return tuple(sorted(each.VpcSecurityGroupId for each in cluster.VpcSecurityGroups))


def own_groups(cluster: Cluster) -> tuple[str, ...]:
    """Return the security groups a cluster has when it is not fenced."""
    remembered = tag_map(cluster.TagList).get(FENCED_TAG, "").split()
    return tuple(sorted(remembered)) or groups(cluster)


def writer_of(cluster: Cluster) -> str | None:
    """Return the name of the instance that writes."""
    return next((each.DBInstanceIdentifier for each in cluster.DBClusterMembers if each.IsClusterWriter), None)


def base_name(identifier: str) -> str:
    """Return a cluster's name without the suffix of a retired one."""
    return _RETIRED.sub("", identifier)


def retired_name(member: Member, run: RunContext) -> str:
    """Return what the old primary is called when its name is freed; a run resumed by another keeps the first name."""
    if _RETIRED.search(member.source.id):
        return member.source.id
    suffix = f"-retired-{run.short_id}"
    return f"{member.source.id[: NAME_LIMIT - len(suffix)].rstrip('-')}{suffix}"


def look(target: Target, aws: Clients, run: RunContext) -> ReplicaView:
    """Read the target; the source side unless this is a drill or it is lost; lag and restart when they matter."""
    member, reader = target.only, aws.at(Side.TARGET)
    cluster = reader.read("rds", "DescribeDBClusters", Clusters, DBClusterIdentifier=member.target.id).DBClusters[0]
    measured = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    name = {"DBClusterIdentifier": member.target.id}
    here = ReplicaView(
        member=member,
        target=cluster,
        instances=tuple(instances_of(reader, member.target.id)),
        lag_points=tuple(recent_points(reader, run.now, "AWS/RDS", "AuroraBinlogReplicaLag", name)) if measured else (),
        copy=copy_of(reader, member, run) if run.mode is Mode.DRILL else DrillCopy(),
    )
    if run.mode is Mode.DRILL or not aws.reaches(Side.SOURCE):
        return here
    return _with_source(here, aws.at(Side.SOURCE), run)


def _with_source(here: ReplicaView, there: Reader, run: RunContext) -> ReplicaView:
    name, retired = base_name(here.member.source.id), retired_name(here.member, run)
    filters: JsonValue = [{"Name": "db-cluster-id", "Values": [name, retired]}]
    reply = there.read("rds", "DescribeDBClusters", Clusters, Filters=filters)
    by_name = {each.DBClusterIdentifier: each for each in reply.DBClusters}
    source, old = by_name.get(name), by_name.get(retired) or by_name.get(name)
    own = instances_of(there, old.DBClusterIdentifier) if old else []
    vpc_id = next((each.DBSubnetGroup.VpcId for each in own if each.DBSubnetGroup), "")
    both = source is not None and source is not old
    return ReplicaView(
        member=here.member,
        target=here.target,
        instances=here.instances,
        source=source,
        retired=by_name.get(retired),
        source_instances=tuple(instances_of(there, name) if both else own),
        fence=find_group(there, FENCE_GROUP, vpc_id) if vpc_id else None,
        lag_points=here.lag_points,
        restarted_at=_restarted_at(there, source, run) if source and run.phase is Phase.ACTIVATE else None,
    )


def _restarted_at(reader: Reader, source: Cluster, run: RunContext) -> datetime | None:
    """Return when the writer was last restarted since this action, or its fence, began (rds:DescribeEvents)."""
    began, writer = min(run.called_at.get("fence", run.started_at), run.started_at), writer_of(source)
    if writer is None:
        return None
    reply = reader.read(
        "rds",
        "DescribeEvents",
        Events,
        SourceIdentifier=writer,
        SourceType="db-instance",
        StartTime=began - timedelta(seconds=1),
        EndTime=run.now + timedelta(minutes=1),
    )
    return max((event.Date for event in reply.Events if EVENT_RESTARTED in event.Message), default=None)
