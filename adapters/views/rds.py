"""What is read of an RDS read replica and its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import JsonValue

from adapters.fencing import FENCE_GROUP, SecurityGroup, find_group
from adapters.reading import Datapoint, drill_name, is_of_this_drill, recent_points, tag_map
from adapters.specs.rds import (
    EVENT_RESTARTED,
    INSTANCE_MISSING,
    NAME_LIMIT,
    SNAPSHOT_MISSING,
)
from adapters.views.rds_models import (
    Events,
    Instance,
    Instances,
    Key,
    Quotas,
    Snapshots,
)
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side

_RETIRED = re.compile(r"-retired-[0-9a-f]{8}$")


@dataclass(frozen=True)
class DrillCopy:
    """What a drill made; empty means: not there."""

    group: str = ""
    snapshot: str = ""
    instance: str = ""
    ours: bool = True


@dataclass(frozen=True)
class RdsView:
    """Both sides. `source` is what bears the source side's name now: the old primary, then its successor as replica."""

    member: Member
    target: Instance | None
    source: Instance | None = None
    retired: Instance | None = None
    fence: SecurityGroup | None = None
    lag_points: tuple[Datapoint, ...] = ()
    """ReplicaLag of the target in seconds, newest first; -1 means that it does not replicate."""
    slot_lag_points: tuple[Datapoint, ...] = ()
    restarted_at: datetime | None = None
    key_states: Mapping[str, str] = field(default_factory=dict)
    instances_left: int | None = None
    """How many DB instances the source side's account may still create."""
    copy: DrillCopy = DrillCopy()

    @property
    def lag_seconds(self) -> tuple[float, ...]:
        """Return the target's latest lags, newest first."""
        return tuple(point.value for point in self.lag_points)

    def behind_the_fence(self, points: tuple[Datapoint, ...]) -> tuple[float, ...]:
        """Return the values of the minutes that began after the fenced source had restarted, newest first."""
        return tuple(p.value for p in points if self.restarted_at is not None and p.at >= self.restarted_at)

    @property
    def promoted(self) -> bool:
        """Say whether the target replicates from nobody."""
        return self.target is not None and not self.target.ReadReplicaSourceDBInstanceIdentifier

    @property
    def reversed(self) -> bool:
        """Say whether the source side's name belongs to a replica of the target."""
        follows = self.source.ReadReplicaSourceDBInstanceIdentifier if self.source else None
        return follows == self.member.target.arn

    @property
    def old(self) -> Instance | None:
        """Return the old primary, under its old or its retired name."""
        return self.retired or (None if self.reversed else self.source)


def base_name(identifier: str) -> str:
    """Return an instance's name without the suffix of a retired one."""
    return _RETIRED.sub("", identifier)


def retired_name(member: Member, run: RunContext) -> str:
    """Return what the old primary is called when its name is freed; a run resumed by another keeps the first name."""
    if _RETIRED.search(member.source.id):
        return member.source.id
    suffix = f"-retired-{run.short_id}"
    return f"{member.source.id[: NAME_LIMIT - len(suffix)].rstrip('-')}{suffix}"


def look(target: Target, aws: Clients, run: RunContext) -> RdsView:
    """Read the target; the source side unless this is a drill or it is lost; metrics and surroundings when they matter."""
    member, reader = target.only, aws.at(Side.TARGET)
    found = reader.find(
        "rds", "DescribeDBInstances", Instances, INSTANCE_MISSING, DBInstanceIdentifier=member.target.id
    )
    instance = found.DBInstances[0] if found and found.DBInstances else None
    measured = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    lag = _metric(reader, run, "ReplicaLag", member.target.id) if measured else ()
    here = RdsView(member, instance, lag_points=lag)
    if run.mode is Mode.DRILL:
        return RdsView(
            member,
            instance,
            lag_points=lag,
            key_states=_keys(reader, instance),
            copy=_copy(reader, instance, run, member),
        )
    return _with_source(here, aws.at(Side.SOURCE), reader, run) if aws.reaches(Side.SOURCE) else here


def _with_source(here: RdsView, there: Reader, reader: Reader, run: RunContext) -> RdsView:
    name, retired = base_name(here.member.source.id), retired_name(here.member, run)
    filters: JsonValue = [{"Name": "db-instance-id", "Values": [name, retired]}]
    reply = there.read("rds", "DescribeDBInstances", Instances, Filters=filters)
    by_name = {each.DBInstanceIdentifier: each for each in reply.DBInstances}
    source, first = by_name.get(name), run.phase is Phase.INSTANTIATE
    old = by_name.get(retired) or source
    postgres = source is not None and source.Engine == "postgres" and run.phase is Phase.ACTIVATE
    return RdsView(
        member=here.member,
        target=here.target,
        source=source,
        retired=by_name.get(retired),
        fence=find_group(there, FENCE_GROUP, old.vpc_id) if old else None,
        lag_points=here.lag_points,
        slot_lag_points=_metric(there, run, "OldestReplicationSlotLag", name) if postgres else (),
        restarted_at=_restarted_at(there, name, run) if run.phase is Phase.ACTIVATE else None,
        key_states={**_keys(reader, here.target), **_keys(there, source)} if first else {},
        instances_left=_instances_left(there) if first else None,
    )


def _metric(reader: Reader, run: RunContext, metric: str, instance_id: str) -> tuple[Datapoint, ...]:
    return tuple(recent_points(reader, run.now, "AWS/RDS", metric, {"DBInstanceIdentifier": instance_id}))


def _restarted_at(reader: Reader, name: str, run: RunContext) -> datetime | None:
    """Return when the source was last restarted since this action, or its fence, began (rds:DescribeEvents)."""
    began = min(run.called_at.get("fence", run.started_at), run.started_at)
    reply = reader.read(
        "rds",
        "DescribeEvents",
        Events,
        SourceIdentifier=name,
        SourceType="db-instance",
        StartTime=began - timedelta(seconds=1),
        EndTime=run.now + timedelta(minutes=1),
    )
    return max((event.Date for event in reply.Events if EVENT_RESTARTED in event.Message), default=None)


def _keys(reader: Reader, instance: Instance | None) -> dict[str, str]:
    if instance is None or not instance.KmsKeyId:
        return {}
    key = reader.read("kms", "DescribeKey", Key, KeyId=instance.KmsKeyId)
    return {instance.KmsKeyId: key.KeyMetadata.KeyState}


def _instances_left(reader: Reader) -> int | None:
    quotas = reader.read("rds", "DescribeAccountAttributes", Quotas).AccountQuotas
    return next((quota.Max - quota.Used for quota in quotas if quota.AccountQuotaName == "DBInstances"), None)


def _copy(reader: Reader, instance: Instance | None, run: RunContext, member: Member) -> DrillCopy:
    name = drill_name(run, member.target.id)
    group = find_group(reader, name, instance.vpc_id if instance else "")
    snaps = reader.find("rds", "DescribeDBSnapshots", Snapshots, SNAPSHOT_MISSING, DBSnapshotIdentifier=name)
    found = reader.find("rds", "DescribeDBInstances", Instances, INSTANCE_MISSING, DBInstanceIdentifier=name)
    snapshot = snaps.DBSnapshots[0] if snaps and snaps.DBSnapshots else None
    copied = found.DBInstances[0] if found and found.DBInstances else None
    tags = [group.Tags if group else None, snapshot.TagList if snapshot else None, copied.TagList if copied else None]
    return DrillCopy(
        group=group.GroupId if group else "",
        snapshot=snapshot.Status if snapshot else "",
        instance=copied.DBInstanceStatus if copied else "",
        ours=all(is_of_this_drill(tag_map(each), run) for each in tags if each is not None),
    )
