"""What the phases of an RDS run are expected to leave behind. Pure."""

from __future__ import annotations

from dataclasses import replace

from adapters.databases.shared import base_name, own_tags, retired_name
from adapters.databases.spec import STANDBY_FOR_TAG
from adapters.fencing import FENCED_TAG, SecurityGroup
from adapters.rds import target as target_side
from adapters.rds.models import Backup, Instance, Snapshot, StatusInfo, Window
from adapters.rds.spec import BACKUP_KEPT, BACKUPS, READ_REPLICA
from adapters.rds.view import DrillCopy, RdsView
from adapters.reading import KeyValue, tag_list
from orchestrator.contract import RunContext
from orchestrator.tags import ENABLED
from orchestrator.words import Mode, Phase

_LATER = "(known later)"
_FOLLOWS = StatusInfo(Status="replicating")


def foreseen(phase: Phase, view: RdsView, run: RunContext) -> RdsView:
    """Return the view that `phase` leaves behind."""
    if run.mode is Mode.DRILL:
        there = DrillCopy("the drill's group", "available" if view.strategy == READ_REPLICA else "", "available")
        return replace(view, copy=DrillCopy() if phase is Phase.CLEANUP else there)
    if phase is Phase.INSTANTIATE and view.target is None:
        return _arrived(view, run) if view.strategy != READ_REPLICA else _standing_by(view)
    if phase is Phase.ACTIVATE:
        return _activated(view, run)
    if phase is Phase.CLEANUP:
        return _retired(view, run)
    if phase is Phase.REPLICATE:
        return _protected(view, run)
    return view


def _arrived(view: RdsView, run: RunContext) -> RdsView:
    carried = view.carried
    if view.strategy == BACKUPS:
        made = _backup(run, view.member.source.region, view.member.source.arn)
        return replace(view, carried=replace(carried, backups=(made, *carried.backups)))
    copy = Snapshot(DBSnapshotIdentifier=_LATER, Status="available", SnapshotCreateTime=run.now)
    return replace(view, carried=replace(carried, copies=(copy, *carried.copies)))


def _standing_by(view: RdsView) -> RdsView:
    if not view.stands_in or view.old is None:
        return view
    place = view.member.target
    names = {"DBInstanceIdentifier": place.id, "DBInstanceArn": place.arn, "DBInstanceStatus": "available"}
    follows = {"ReadReplicaSourceDBInstanceIdentifier": view.member.source.arn, "BackupRetentionPeriod": 0}
    return replace(view, target=view.old.model_copy(update={**names, **follows, "StatusInfos": [_FOLLOWS]}))


def _backup(run: RunContext, region: str, arn: str) -> Backup:
    return Backup(Region=region, DBInstanceArn=arn, Status="replicating", RestoreWindow=Window(LatestTime=run.now))


def _activated(view: RdsView, run: RunContext) -> RdsView:
    seen = replace(view, target=_served(view, run))
    if run.mode is Mode.EMERGENCY or view.old is None or view.source is None:
        return seen
    fence = view.fence or SecurityGroup(GroupId="dr-fence")
    remembered = [*view.source.TagList, KeyValue(Key=FENCED_TAG, Value=" ".join(view.source.own_groups))]
    groups = type(view.source).model_validate(
        {
            **view.source.model_dump(),
            "VpcSecurityGroups": [{"VpcSecurityGroupId": fence.GroupId}],
            "TagList": [tag.model_dump() for tag in remembered],
            "ReadReplicaDBInstanceIdentifiers": [],
        }
    )
    return replace(seen, fence=fence, source=groups, restarted_at=run.now)


def _served(view: RdsView, run: RunContext) -> Instance | None:
    days = target_side.backup_days(view)
    if view.target is not None:
        served = {
            "ReadReplicaSourceDBInstanceIdentifier": None,
            "DBInstanceStatus": "available",
            "BackupRetentionPeriod": days,
        }
        return view.target.model_copy(update=served)
    if view.strategy == READ_REPLICA:
        return None
    place, facts = view.member.target, view.member.source.facts
    name = base_name(place.id)
    tags = tag_list({**own_tags(view.member), **run.tags})
    return Instance.model_validate(
        {
            "DBInstanceIdentifier": name,
            "DBInstanceArn": f"arn:aws:rds:{place.region}:{place.account}:db:{name}",
            "DBInstanceStatus": "available",
            "BackupRetentionPeriod": days,
            "StorageEncrypted": bool(facts.get("kms_key")),
            "TagList": tags,
        }
    )


def _retired(view: RdsView, run: RunContext) -> RdsView:
    if view.old is None or view.reversed:
        return view
    renamed = {"DBInstanceIdentifier": retired_name(view.member, run), "DBInstanceStatus": "available"}
    kept = tuple(each.model_copy(update={"Status": BACKUP_KEPT}) for each in view.carried.backups)
    retired = view.old.model_copy(update=renamed)
    return replace(view, source=None, retired=retired, carried=replace(view.carried, backups=kept))


def _protected(view: RdsView, run: RunContext) -> RdsView:
    if view.target is None:
        return view
    place, arn = view.member.source, view.target.DBInstanceArn
    left: tuple[Instance, ...] = ()
    if view.retired is not None:
        tags = [tag for tag in view.retired.TagList if tag.Key != ENABLED]
        left = (view.retired.model_copy(update={"TagList": tags}),)
    seen = replace(view, retired=left[0] if left else None, leftovers=left)
    if view.strategy == READ_REPLICA:
        return replace(seen, source=_follower(view) if view.source is None else view.source)
    region, carried = view.member.target.region, view.carried
    tags_there = {**(carried.stand_in_tags or {}), STANDBY_FOR_TAG: base_name(place.id)}
    copy = Snapshot(DBSnapshotIdentifier=_LATER, Status="available", SnapshotCreateTime=run.now)
    back = (
        replace(carried, back_backups=(_backup(run, region, arn),), stand_in_tags=tags_there)
        if view.strategy == BACKUPS
        else replace(carried, back_copies=(copy,), stand_in_tags=tags_there)
    )
    return replace(seen, carried=back)


def _follower(view: RdsView) -> Instance:
    place = view.member.source
    name = base_name(place.id)
    return Instance(
        DBInstanceIdentifier=name,
        DBInstanceArn=f"arn:aws:rds:{place.region}:{place.account}:db:{name}",
        DBInstanceStatus="available",
        ReadReplicaSourceDBInstanceIdentifier=view.member.target.arn,
        StatusInfos=[StatusInfo(Status="replicating")],
    )
