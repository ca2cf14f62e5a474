"""RDS by restores: the content arrives in the target Region as replicated backups or copied snapshots, and is restored there.

automated-backup-replication
  instantiate  rds.StartDBInstanceAutomatedBackupsReplication sent to the target, where it does not run yet
  activate     planned: fence the source (see `adapters.rds.source`), wait until the backups reach past its restart; both:
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

from datetime import datetime

from adapters import restoring
from adapters.databases.shared import Database, base_name, own_tags, retired_name
from adapters.rds import copies
from adapters.rds import source as source_side
from adapters.rds import target as target_side
from adapters.rds.making import restore_call
from adapters.rds.models import Backup, Snapshot
from adapters.rds.spec import BACKUPS, LOG_BOUND_SECONDS
from adapters.rds.view import RdsView
from adapters.rds.view_carried import available, named, restorable, shipped
from adapters.reading import tag_list
from adapters.snapshot_steps import back_snapshot, base_snapshot, last_snapshot
from adapters.standing_in import INSTANCES, serves, stand_in
from orchestrator.contract import Loss, Param, RunContext, Step, blocked, busy, done, skip
from orchestrator.words import Effect, Mode, Phase, Side


def guard(view: RdsView, run: RunContext) -> list[Step]:
    """Return a refusal when what stands on the target side is another's, or when two instances take writes."""
    return restoring.guard(_standing(view), view.member, run, fenced=view.fenced)


def _standing(view: RdsView) -> Database | None:
    return view.target.database if view.target else None


def instantiate(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that bring content to the target side before anybody is shut out."""
    if view.target is not None:
        return guard(view, run) or skip(f"{view.target.DBInstanceIdentifier} stands on the target side already")
    if view.old is None:
        return [restoring.no_source("base-snapshot", view.member)]
    if view.strategy == BACKUPS:
        return [copies.ship("backup-replication", view.carried.backups, view.old, view, run, Side.TARGET)]
    name, known = base_snapshot(view.member, run), available(view.carried.copies)
    own = named(view.carried.snapshots, name)
    if known is not None and own is None:
        return skip(f"{known.DBSnapshotIdentifier} is there; the last snapshot is taken in ACTIVATE, behind the fence")
    arrived = named(view.carried.copies, name)
    return [
        copies.take("base-snapshot", own, name, view, view.old, run, Side.SOURCE),
        copies.copy("base-copy", arrived, own, name, view, run, Side.TARGET),
    ]


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
        return [restoring.no_source("fence", view.member)]
    shut = [*source_side.fence(view, run), source_side.cut(view, run)]
    if view.strategy == BACKUPS:
        last = restorable(view.carried.backups)
        return [*shut, _log_arrived(view, run), _restore(view, run, last), *ready]
    name = last_snapshot(view.member, run, view.restarted_at)
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
    tags = tag_list({**own_tags(view.member), **run.tags})
    days: dict[str, Param] = {"BackupRetentionPeriod": target_side.backup_days(view), "Tags": tags}
    call = restore_call(base_name(view.member.target.id), view, of, days)
    what = "replicated backups" if view.strategy == BACKUPS else "copied snapshot"
    return restoring.restored(_standing(view), call, what, _at(of), view.member, run)


def _at(of: Snapshot | Backup | None) -> datetime | None:
    return of.until if isinstance(of, Backup) else of.at if of else None


def cleanup(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that keep the old primary fenced and free its name."""
    if refused := guard(view, run):
        return refused
    if refused := restoring.not_restored(_standing(view), view.member):
        return refused
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
    name, known = back_snapshot(view.member, run), available(view.carried.back_copies)
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
    place = view.member.source
    known = view.retired.own_groups if view.retired else place.facts.get("security_groups")
    groups = list(known) if isinstance(known, list | tuple) else None
    return stand_in(view.member, INSTANCES, view.carried.stand_in, view.carried.stand_in_tags or {}, groups)


def rollback(phase: Phase, view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that open the source again, as long as nothing was restored; that give the old one its name."""
    if phase is Phase.CLEANUP and view.old is not None:
        return [source_side.rename("restore-name", view, view.old, base_name(view.member.source.id))]
    if phase is not Phase.ACTIVATE:
        return skip(f"{phase} changed nothing that must be undone")
    return restoring.not_undoable(_standing(view), run) or source_side.reopen(view)


def protection(view: RdsView) -> tuple[bool, str]:
    """Say whether the target is protected on the source side, and by what."""
    where = view.member.source.region
    back, found = available(view.carried.back_copies), shipped(view.carried.back_backups)
    placed = serves(view.carried.stand_in_tags, base_name(view.member.source.id))
    shown = (
        f"backups in {where} are {found.Status if found else 'not there'}"
        if view.strategy == BACKUPS
        else f"{back.DBSnapshotIdentifier if back else 'no copy'} is in {where}"
    )
    return view.replicated and placed, shown if placed else f"{shown}; no subnet group stands in for it"


def loss(view: RdsView, run: RunContext) -> Loss:
    """Return the age of the newest content that can be restored."""
    of = _newest(view)
    what = of.name if isinstance(of, Snapshot) else "the replicated backups"
    return restoring.lost(_standing(view), what, _at(of), view.member, run)
