"""What is read of an RDS read replica and its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from adapters.fencing import FENCE_GROUP, FENCED_TAG, SecurityGroup, find_group
from adapters.reading import Datapoint, drill_name, is_of_this_drill, recent_points, tag_map
from adapters.specs.rds import (
    BACKUP_READY,
    EVENT_RESTARTED,
    INSTANCE_MISSING,
    NAME_LIMIT,
    READ_REPLICA,
    SNAPSHOT_MISSING,
)
from adapters.views.rds_carried import Carried, available, look_here, look_there, shipped
from adapters.views.rds_models import (
    Events,
    HostAndPort,
    Instance,
    Instances,
    Key,
    Quotas,
    Snapshot,
    Snapshots,
)
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.tags import CUSTOMER, ENVIRONMENT
from orchestrator.words import Mode, Phase, Side

_RETIRED = re.compile(r"-retired-[0-9a-f]{8}$")


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
    instances_left: int | None = None
    """How many DB instances may still be made where the run makes one."""
    copy: DrillCopy = DrillCopy()
    strategy: str = READ_REPLICA
    carried: Carried = Carried()
    """What a restore is made from; empty for a replica."""
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
        return self.old is None or is_fenced(self.old, self.fence)

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


def base_name(identifier: str) -> str:
    """Return an instance's name without the suffix of a retired one."""
    return _RETIRED.sub("", identifier)


def is_fenced(instance: Instance, fence: SecurityGroup | None) -> bool:
    """Say whether an instance is behind a fence that lets nobody in."""
    return fence is not None and not fence.IpPermissions and instance.groups == (fence.GroupId,)


def is_retired(instance: Instance, member: Member) -> bool:
    """Say whether an instance is what a run of this database has retired; the tags tell whose it is."""
    base = base_name(member.source.id)
    mine = all(instance.tags.get(key) == member.tags.get(key) for key in (CUSTOMER, ENVIRONMENT))
    left = base_name(instance.DBInstanceIdentifier)
    kept = base[: NAME_LIMIT - len("-retired-12345678")].rstrip("-")
    return mine and FENCED_TAG in instance.tags and instance.DBInstanceIdentifier != left == kept


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
    here = RdsView(member, instance, strategy=target.strategy, lag_points=lag)
    if target.strategy != READ_REPLICA:
        carried = look_here(reader, target.strategy, member, base_name(member.source.id), instance)
        left = _instances_left(reader) if run.phase is Phase.INSTANTIATE and instance is None else None
        here = replace(here, carried=carried, instances_left=left)
    if run.mode is Mode.DRILL:
        vpc_id = instance.vpc_id if instance else here.carried.vpc_id
        key = _wanted_key(here)
        return replace(here, key_states=_keys(reader, key), copy=_copy(reader, vpc_id, run, member))
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
    keys = {**_keys(reader, _wanted_key(here)), **_keys(there, source.KmsKeyId if source else None)} if first else {}
    seen = replace(
        here,
        source=source,
        retired=by_name.get(retired),
        fence=find_group(there, FENCE_GROUP, old.vpc_id) if old else None,
        slot_lag_points=_metric(there, run, "OldestReplicationSlotLag", name) if postgres else (),
        restarted_at=_restarted_at(there, name, run) if run.phase is Phase.ACTIVATE else None,
        key_states=keys,
        instances_left=_instances_left(there) if first and replicas else here.instances_left,
    )
    if not replicas:
        carried = look_there(there, here.strategy, here.member, here.carried, old, here.target)
        seen = replace(seen, carried=carried)
    return _with_leftovers(seen, there, run) if run.phase is Phase.DECOMMISSION else seen


def _with_leftovers(seen: RdsView, there: Reader, run: RunContext) -> RdsView:
    """Add every retired instance of the database and their final snapshots; each may be in another VPC than the last."""
    every = [each for page in there.pages("rds", "DescribeDBInstances", Instances) for each in page.DBInstances]
    left = tuple(each for each in every if is_retired(each, seen.member))
    names = {retired_name(seen.member, run), *(each.DBInstanceIdentifier for each in left)}
    fence = seen.fence or (find_group(there, FENCE_GROUP, left[0].vpc_id) if left else None)
    found = [(final_name(name), _snapshot(there, final_name(name))) for name in sorted(names)]
    return replace(seen, leftovers=left, fence=fence, finals={name: s.Status for name, s in found if s is not None})


def final_name(instance_id: str) -> str:
    """Return the name of the last snapshot of an instance."""
    return f"{instance_id}-final"


def _snapshot(reader: Reader, name: str) -> Snapshot | None:
    found = reader.find("rds", "DescribeDBSnapshots", Snapshots, SNAPSHOT_MISSING, DBSnapshotIdentifier=name)
    return found.DBSnapshots[0] if found and found.DBSnapshots else None


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


def _keys(reader: Reader, key_id: str | None) -> dict[str, str]:
    if not key_id:
        return {}
    return {key_id: reader.read("kms", "DescribeKey", Key, KeyId=key_id).KeyMetadata.KeyState}


def _instances_left(reader: Reader) -> int | None:
    quotas = reader.read("rds", "DescribeAccountAttributes", Quotas).AccountQuotas
    return next((quota.Max - quota.Used for quota in quotas if quota.AccountQuotaName == "DBInstances"), None)


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
