"""What is read of an RDS read replica and its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import JsonValue

from adapters.databases.shared import base_name, final_name, is_fenced, is_retired, retired_name
from adapters.databases.view import restarted_at, rooms
from adapters.fencing import FENCE_GROUP, SecurityGroup, find_group
from adapters.needed import key_states
from adapters.quotas import Room
from adapters.rds.models import (
    HostAndPort,
    Instance,
    Instances,
    Snapshot,
    Snapshots,
)
from adapters.rds.spec import (
    BACKUP_READY,
    INSTANCE_MISSING,
    READ_REPLICA,
    SNAPSHOT_MISSING,
)
from adapters.rds.view_carried import Carried, available, look_here, look_there, shipped
from adapters.reading import Datapoint, drill_name, is_of_this_drill, recent_points, tag_map
from adapters.standing_in import INSTANCES, as_databases
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


@dataclass(frozen=True)
class DrillCopy:
    """What a drill made; empty means: not there."""

    group: str = ""
    snapshot: str = ""
    instance: str = ""
    ours: bool = True
    endpoint: HostAndPort | None = None


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
    room: Room | None = None
    """How many DB instances there may be, and are, where the run makes one."""
    copy: DrillCopy = DrillCopy()
    strategy: str = READ_REPLICA
    carried: Carried = Carried()
    """What a restore is made from; empty for a replica."""
    stands_in: bool = False
    """Whether the inventory knew no instance on the target side, only the subnet group that stands in for one."""
    leftovers: tuple[Instance, ...] = ()
    """In DECOMMISSION: the retired instances of the source side, of this run and of others."""
    finals: Mapping[str, str] = field(default_factory=dict)
    """In DECOMMISSION: final snapshot -> its status."""

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
    def fenced(self) -> bool:
        """Say whether nobody is let into the old primary, or there is none."""
        return self.old is None or is_fenced(self.old.groups, self.fence)

    @property
    def replicated(self) -> bool:
        """Say whether the source side could take over from the target again."""
        if self.strategy == READ_REPLICA:
            source = self.source
            return self.reversed and source is not None and source.replication == "replicating"
        back = shipped(self.carried.back_backups)
        return available(self.carried.back_copies) is not None or (back is not None and back.Status in BACKUP_READY)

    @property
    def old(self) -> Instance | None:
        """Return the old primary, under its old or its retired name."""
        return self.retired or (None if self.reversed else self.source)


def look(target: Target, aws: Clients, run: RunContext) -> RdsView:
    """Read the target; the source side unless this is a drill or it is lost; metrics and surroundings when they matter."""
    member, reader = as_databases(target.only, INSTANCES), aws.at(Side.TARGET)
    found = reader.find(
        "rds", "DescribeDBInstances", Instances, INSTANCE_MISSING, DBInstanceIdentifier=member.target.id
    )
    instance = found.DBInstances[0] if found and found.DBInstances else None
    measured = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    lag = _metric(reader, run, "ReplicaLag", member.target.id) if measured else ()
    made_here = ":subgrp:" in target.only.target.arn
    here = RdsView(member, instance, strategy=target.strategy, lag_points=lag, stands_in=made_here)
    if target.strategy != READ_REPLICA or (instance is None and run.phase is Phase.INSTANTIATE):
        carried = look_here(reader, target.strategy, member, base_name(member.source.id), instance)
        made = instance is None and (run.planning or run.phase is Phase.INSTANTIATE)
        here = replace(here, carried=carried, room=rooms(reader).get("DBInstances") if made else None)
    if run.planning:
        here = replace(
            here, key_states=key_states(reader, _wanted_key(here), instance.secret_key if instance else None)
        )
    if run.mode is Mode.DRILL:
        vpc_id = instance.vpc_id if instance else here.carried.vpc_id
        return replace(here, copy=_copy(reader, vpc_id, run, member))
    return _with_source(here, aws.at(Side.SOURCE), reader, run) if aws.reaches(Side.SOURCE) else here


def _wanted_key(here: RdsView) -> str | None:
    """Return the key of the target, or the one that it is to be made with."""
    if here.target is not None:
        return here.target.KmsKeyId
    key = here.member.target.facts.get("kms_key")
    return key if isinstance(key, str) and here.member.source.facts.get("kms_key") else None


def _with_source(here: RdsView, there: Reader, reader: Reader, run: RunContext) -> RdsView:
    name, retired = base_name(here.member.source.id), retired_name(here.member, run)
    filters: JsonValue = [{"Name": "db-instance-id", "Values": [name, retired]}]
    reply = there.read("rds", "DescribeDBInstances", Instances, Filters=filters)
    by_name = {each.DBInstanceIdentifier: each for each in reply.DBInstances}
    source, first = by_name.get(name), run.phase is Phase.INSTANTIATE
    old, replicas = by_name.get(retired) or source, here.strategy == READ_REPLICA
    postgres = replicas and source is not None and source.Engine == "postgres" and run.phase is Phase.ACTIVATE
    keys = key_states(there, source.KmsKeyId) if source and run.planning else {}
    seen = replace(
        here,
        source=source,
        retired=by_name.get(retired),
        fence=find_group(there, FENCE_GROUP, old.vpc_id) if old else None,
        slot_lag_points=_metric(there, run, "OldestReplicationSlotLag", name) if postgres else (),
        restarted_at=restarted_at(there, name, run) if run.phase is Phase.ACTIVATE else None,
        key_states={**here.key_states, **keys},
        room=rooms(there).get("DBInstances") if first and replicas and here.target else here.room,
    )
    if not replicas:
        carried = look_there(there, here.strategy, here.member, here.carried, old, here.target)
        seen = replace(seen, carried=carried)
    return _with_leftovers(seen, there, run) if run.phase is Phase.DECOMMISSION else seen


def _with_leftovers(seen: RdsView, there: Reader, run: RunContext) -> RdsView:
    """Add every retired instance of the database and their final snapshots; each may be in another VPC than the last."""
    every = [each for page in there.pages("rds", "DescribeDBInstances", Instances) for each in page.DBInstances]
    left = tuple(each for each in every if is_retired(each.DBInstanceIdentifier, each.tags, seen.member))
    names = {retired_name(seen.member, run), *(each.DBInstanceIdentifier for each in left)}
    fence = seen.fence or (find_group(there, FENCE_GROUP, left[0].vpc_id) if left else None)
    found = [(final_name(name), _snapshot(there, final_name(name))) for name in sorted(names)]
    return replace(seen, leftovers=left, fence=fence, finals={name: s.Status for name, s in found if s is not None})


def _snapshot(reader: Reader, name: str) -> Snapshot | None:
    found = reader.find("rds", "DescribeDBSnapshots", Snapshots, SNAPSHOT_MISSING, DBSnapshotIdentifier=name)
    return found.DBSnapshots[0] if found and found.DBSnapshots else None


def _metric(reader: Reader, run: RunContext, metric: str, instance_id: str) -> tuple[Datapoint, ...]:
    return tuple(recent_points(reader, run.now, "AWS/RDS", metric, {"DBInstanceIdentifier": instance_id}))


def _copy(reader: Reader, vpc_id: str, run: RunContext, member: Member) -> DrillCopy:
    name = drill_name(run, member.target.id)
    group, snapshot = find_group(reader, name, vpc_id), _snapshot(reader, name)
    found = reader.find("rds", "DescribeDBInstances", Instances, INSTANCE_MISSING, DBInstanceIdentifier=name)
    copied = found.DBInstances[0] if found and found.DBInstances else None
    tags = [group.Tags if group else None, snapshot.TagList if snapshot else None, copied.TagList if copied else None]
    return DrillCopy(
        group=group.GroupId if group else "",
        snapshot=snapshot.Status if snapshot else "",
        instance=copied.DBInstanceStatus if copied else "",
        endpoint=copied.Endpoint if copied else None,
        ours=all(is_of_this_drill(tag_map(each), run) for each in tags if each is not None),
    )
