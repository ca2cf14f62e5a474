"""RDS by restores: the content arrives in the target Region as replicated backups or copied snapshots, and is restored there.

automated-backup-replication
  instantiate  rds.StartDBInstanceAutomatedBackupsReplication sent to the target, where it does not run yet
  activate     planned: fence the source (see `adapters.rds_source`), wait until the backups reach past its restart; both:
               rds.RestoreDBInstanceToPointInTime to the latest time
  cleanup      rds.StopDBInstanceAutomatedBackupsReplication (what arrived is kept), then free the name as for a replica
  replicate    rds.StartDBInstanceAutomatedBackupsReplication of the new primary, sent to the source side
snapshot-copy
  instantiate  where no copy has arrived: rds.CreateDBSnapshot, rds.CopyDBSnapshot (the last copy is then a difference)
  activate     planned: fence the source, rds.CreateDBSnapshot, rds.CopyDBSnapshot; both: rds.RestoreDBInstanceFromDBSnapshot
  replicate    rds.CreateDBSnapshot of the new primary, rds.CopyDBSnapshot to the source side
Both let the source side's subnet group stand in for the database in REPLICATE (rds.AddTagsToResource), so that the way back
has a place. An emergency restores the newest that is there and asks nobody on the source side.
"""

from __future__ import annotations

from adapters import rds_copies as copies
from adapters import rds_source as source_side
from adapters import rds_target as target_side
from adapters.rds_making import not_yet, own_tags, restore_call
from adapters.reading import tag_list
from adapters.specs.rds import BACKUPS, FAILED_STATUSES, GROUPS_TAG, KEY_TAG, LOG_BOUND_SECONDS, STANDBY_FOR_TAG
from adapters.views.rds import RdsView, base_name, retired_name
from adapters.views.rds_carried import available, named, restorable, shipped
from adapters.views.rds_models import Backup, Snapshot
from orchestrator.contract import Call, Loss, Param, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.tags import CUSTOMER, ENVIRONMENT
from orchestrator.words import Effect, Mode, Phase, Side

_LATER = "later: dr start --operation failback"


def guard(view: RdsView, run: RunContext) -> list[Step]:
    """Return a refusal when what stands on the target side is another's, or when two instances take writes."""
    target, member = view.target, view.member
    if target is None or target.tags.get("dr:execution-id") == run.run_id:
        return []
    if any(target.tags.get(key) != member.tags.get(key) for key in (CUSTOMER, ENVIRONMENT)):
        why = f"{target.DBInstanceArn} holds the name and does not belong to {member.tags.get(CUSTOMER)}"
        return [blocked("restore", why, "rename one of the two, then: dr plan")]
    if run.mode is Mode.PLANNED and run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE} and not view.fenced:
        why = (
            f"{target.DBInstanceArn} stands there, and {member.source.arn} takes writes: nobody knows which is current"
        )
        remedy = (
            f"if {member.target.region} is: dr start with Phases CLEANUP,REPLICATE. If not: delete it, then: dr plan"
        )
        return [blocked("restore", why, remedy)]
    return []


def instantiate(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that bring content to the target side before anybody is shut out."""
    if view.target is not None:
        return guard(view, run) or skip(f"{view.target.DBInstanceIdentifier} stands on the target side already")
    if view.old is None:
        return [_no_source(view, "base-snapshot")]
    if view.strategy == BACKUPS:
        return [copies.ship("backup-replication", view.carried.backups, view.old, view, run, Side.TARGET)]
    name, known = copies.base_snapshot(view, run), available(view.carried.copies)
    own = named(view.carried.snapshots, name)
    if known is not None and own is None:
        return skip(f"{known.DBSnapshotIdentifier} is there; the last snapshot is taken in ACTIVATE, behind the fence")
    arrived = named(view.carried.copies, name)
    return [
        copies.take("base-snapshot", own, name, view, view.old, run, Side.SOURCE),
        copies.copy("base-copy", arrived, own, name, view, run, Side.TARGET),
    ]


def _no_source(view: RdsView, name: str) -> Step:
    place = view.member.source
    why = f"there is no {base_name(place.id)} in {place.region}"
    return failed(name, why, "if the Region is lost, start again with Emergency and AcceptDataLoss")


def activate(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that restore on the target side; in a planned run what was written before the fence."""
    if refused := guard(view, run):
        return refused
    ready = [target_side.standing(view, "stands-alone"), target_side.backups(view)]
    if run.mode is Mode.EMERGENCY:
        return [_restore(view, run, _newest(view)), *ready]
    if view.target is not None and view.old is None:
        return skip(f"{view.target.DBInstanceIdentifier} serves on the target side already")
    if view.old is None:
        return [_no_source(view, "fence")]
    shut = [*source_side.fence(view, run), source_side.cut(view, run)]
    if view.strategy == BACKUPS:
        last = restorable(view.carried.backups)
        return [*shut, _log_arrived(view, run), _restore(view, run, last), *ready]
    name = copies.last_snapshot(view, run)
    own = named(view.carried.snapshots, name) if name else None
    arrived = named(view.carried.copies, name) if name else None
    if view.target is not None:
        there = f"{view.target.DBInstanceIdentifier} was restored"
        content = [done(each, there, effect=Effect.REVERSIBLE) for each in ("last-snapshot", "last-copy")]
    else:
        content = [
            copies.take("last-snapshot", own, name, view, view.old, run, Side.SOURCE),
            copies.copy("last-copy", arrived, own, name, view, run, Side.TARGET),
        ]
    return [*shut, *content, _restore(view, run, arrived), *ready]


def _newest(view: RdsView) -> Snapshot | Backup | None:
    return restorable(view.carried.backups) if view.strategy == BACKUPS else available(view.carried.copies)


def _log_arrived(view: RdsView, run: RunContext) -> Step:
    """Wait until the replicated backups reach past the restart behind the fence: nothing was written since."""
    name, found = "last-log", restorable(view.carried.backups)
    if view.target is not None:
        return done(name, f"{view.target.DBInstanceIdentifier} was restored")
    until, since = (found.until if found else None), view.restarted_at
    if until is not None and since is not None and until > since:
        return done(name, f"backups reach up to {until:%H:%M:%S} UTC, past the fence")
    shown = f"backups reach up to {until:%H:%M:%S} UTC" if until else "no backups are there"
    waited = 0.0 if since is None else (run.now - since).total_seconds()
    if waited > LOG_BOUND_SECONDS:
        why = f"{shown}, not past the fence {waited / 60:.0f} min after it"
        return blocked(name, why, "answer the failure gate with rollback to open the source again")
    return busy(name, f"{shown}, expected past the fence")


def _restore(view: RdsView, run: RunContext, of: Snapshot | Backup | None) -> Step:
    name, target, place = "restore", view.target, view.member.target
    tags = tag_list({**own_tags(view.member), **run.tags})
    days: dict[str, Param] = {"BackupRetentionPeriod": target_side.backup_days(view), "Tags": tags}
    call = restore_call(base_name(place.id), view, of, days)
    if target is None and of is None and run.mode is Mode.EMERGENCY:
        what = "replicated backups" if view.strategy == BACKUPS else "copied snapshot"
        why = f"no {what} of {base_name(view.member.source.id)} can be restored in {place.region}"
        return blocked(name, why, "find another copy of the data and restore it by hand under this name, then retry.")
    if target is None:
        return todo(name, call, Effect.IRREVERSIBLE, f"there is no {base_name(place.id)} in {place.region}{_age(of)}")
    if target.DBInstanceStatus in FAILED_STATUSES:
        gone = (
            f"aws rds delete-db-instance --db-instance-identifier {target.DBInstanceIdentifier} --skip-final-snapshot"
        )
        return not_yet(name, target, remedy=f"{gone} (nobody wrote to it); when it is gone, retry.")
    if run.mode is Mode.EMERGENCY and target.tags.get("dr:execution-id") != run.run_id:
        told = f"{target.DBInstanceIdentifier} was there before: it goes on with what it holds, nothing was restored"
        return done(name, f"{target.DBInstanceIdentifier} is there", effect=Effect.IRREVERSIBLE, warning=told)
    return done(name, f"{target.DBInstanceIdentifier} is restored", effect=Effect.IRREVERSIBLE)


def _age(of: Snapshot | Backup | None) -> str:
    at = of.until if isinstance(of, Backup) else of.at if of else None
    return f"; the newest content is of {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""


def cleanup(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that keep the old primary fenced and free its name."""
    if refused := guard(view, run):
        return refused
    if view.target is None or view.target.DBInstanceStatus in ("creating", *FAILED_STATUSES):
        shown = f"is {view.target.DBInstanceStatus}" if view.target else "is not there"
        why = f"{base_name(view.member.target.id)} {shown} on the target side: the source stays in service"
        return [blocked("fence", why, "run ACTIVATE first")]
    if view.old is None:
        return skip("nothing is left on the source side")
    stopped = [copies.stop_shipping(view)] if view.strategy == BACKUPS else []
    renamed = source_side.rename("free-name", view, view.old, retired_name(view.member, run))
    return [*source_side.fence(view, run), *stopped, renamed]


def replicate(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps after which the target could be restored on the source side."""
    if refused := guard(view, run):
        return refused
    target, me = view.target, base_name(view.member.target.id)
    if target is None:
        return [blocked("back-copy", f"there is no {me} on the target side", "run ACTIVATE first")]
    if view.source is not None:
        why = f"{view.source.DBInstanceArn} holds the name, and is no standby"
        return [blocked("release-retired", why, "run CLEANUP for it first")]
    before = [target_side.standing(view, "stands-alone"), target_side.backups(view)]
    after = [_stand_in(view), source_side.release(view, run)]
    if view.strategy == BACKUPS:
        shipping = copies.ship("back-replication", view.carried.back_backups, target, view, run, Side.SOURCE)
        return [*before, shipping, *after]
    name, known = copies.back_snapshot(view, run), available(view.carried.back_copies)
    own, arrived = named(view.carried.back_snapshots, name), named(view.carried.back_copies, name)
    if known is not None and own is None:
        return [*before, done("back-copy", f"{known.DBSnapshotIdentifier} is in {view.member.source.region}"), *after]
    return [
        *before,
        copies.take("back-snapshot", own, name, view, target, run, Side.TARGET),
        copies.copy("back-copy", arrived, own, name, view, run, Side.SOURCE),
        *after,
    ]


def _stand_in(view: RdsView) -> Step:
    """Let the source side's subnet group stand in for the database: the next inventory needs a counterpart there."""
    name, group, place = "stand-in", view.carried.stand_in, view.member.source
    base, tags = base_name(place.id), view.carried.stand_in_tags or {}
    if group is None:
        why = f"there is no subnet group {place.facts.get('subnet_group')} in {place.region}"
        return blocked(name, why, f"make one, tag it {STANDBY_FOR_TAG}={base}, then retry.")
    served = tags.get(STANDBY_FOR_TAG, "").split()
    if base in served:
        return done(name, f"{group.DBSubnetGroupName} stands in for {base}", effect=Effect.REVERSIBLE)
    groups = view.retired.own_groups if view.retired else place.facts.get("security_groups")
    told = {
        GROUPS_TAG: " ".join(str(each) for each in groups) if isinstance(groups, list | tuple) else "",
        KEY_TAG: str(place.facts.get("kms_key") or ""),
    }
    new = {key: value for key, value in {**own_tags(view.member), **told}.items() if value and key not in tags}
    added = {**new, STANDBY_FOR_TAG: " ".join([*served, base])}
    params: dict[str, Param] = {"ResourceName": group.DBSubnetGroupArn, "Tags": tag_list(added)}
    call = Call("rds", "AddTagsToResource", params, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"{group.DBSubnetGroupName} does not stand in for {base} yet")


def rollback(phase: Phase, view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that open the source again, as long as nothing was restored; that give the old one its name."""
    if phase is Phase.CLEANUP and view.old is not None:
        return [source_side.rename("restore-name", view, view.old, base_name(view.member.source.id))]
    if phase is not Phase.ACTIVATE:
        return skip(f"{phase} changed nothing that must be undone")
    target = view.target
    if target is not None and target.DBInstanceStatus in FAILED_STATUSES:
        gone = (
            f"aws rds delete-db-instance --db-instance-identifier {target.DBInstanceIdentifier} --skip-final-snapshot"
        )
        why = f"{target.DBInstanceIdentifier} is {target.DBInstanceStatus} and holds the name"
        return [blocked("unfence", why, f"{gone} (nobody wrote to it); when it is gone, roll back again.")]
    if target is not None:
        why = f"{target.DBInstanceIdentifier} was restored and may hold newer writes"
        return [blocked("unfence", why, _LATER)]
    if run.mode is Mode.EMERGENCY:
        return skip("nothing was restored and nothing was fenced")
    if "restore" in run.called_at:
        return [busy("unfence", "the restore was called and does not show yet")]
    return source_side.reopen(view)


def protection(view: RdsView) -> tuple[bool, str]:
    """Say whether the target is protected on the source side, and by what."""
    where = view.member.source.region
    back, found = available(view.carried.back_copies), shipped(view.carried.back_backups)
    tags = view.carried.stand_in_tags or {}
    placed = base_name(view.member.source.id) in tags.get(STANDBY_FOR_TAG, "").split()
    shown = (
        f"backups in {where} are {found.Status if found else 'not there'}"
        if view.strategy == BACKUPS
        else f"{back.DBSnapshotIdentifier if back else 'no copy'} is in {where}"
    )
    return view.replicated and placed, shown if placed else f"{shown}; no subnet group stands in for it"


def loss(view: RdsView, run: RunContext) -> Loss:
    """Return the age of the newest content that can be restored."""
    me, of = view.member.resource_id, _newest(view)
    if view.target is not None:
        return Loss(me, 0.0, f"{view.target.DBInstanceIdentifier} stands on the target side already")
    at = of.until if isinstance(of, Backup) else of.at if of else None
    if at is None:
        return Loss(
            me, None, f"nothing that can be restored is in {view.member.target.region}: everything would be lost"
        )
    what = (
        "age of the replicated backups" if isinstance(of, Backup) else f"age of {of.DBSnapshotIdentifier if of else ''}"
    )
    return Loss(me, max(0.0, (run.now - at).total_seconds()), what)
