"""The steps that bring an RDS database's content to the other Region: replicated backups, copied snapshots. Pure."""

from __future__ import annotations

from adapters.rds_making import content_tags, not_yet, snapped, unknown
from adapters.specs.rds import BACKUP_PASSING, BACKUP_READY
from adapters.views.rds import RdsView, base_name
from adapters.views.rds_carried import shipped
from adapters.views.rds_models import Backup, Instance, Snapshot
from orchestrator.contract import Call, Later, Param, Place, RunContext, Step, busy, done, failed, todo
from orchestrator.words import Effect, Side


def base_snapshot(view: RdsView, run: RunContext) -> str:
    """Return the name of the snapshot that is copied before the switch, so that the last copy is only a difference."""
    return f"{base_name(view.member.source.id)}-base-{run.short_id}"


def back_snapshot(view: RdsView, run: RunContext) -> str:
    """Return the name of the snapshot that is copied back."""
    return f"{base_name(view.member.source.id)}-back-{run.short_id}"


def last_snapshot(view: RdsView, run: RunContext) -> str | None:
    """Return the name of the snapshot behind the fence: of the restart that it follows, so that no older one passes for it."""
    if view.restarted_at is None:
        return None
    return f"{base_name(view.member.source.id)}-last-{run.short_id}-{view.restarted_at:%Y%m%d%H%M%S}"


def take(
    name: str, found: Snapshot | None, called: str | None, view: RdsView, of: Instance, run: RunContext, side: Side
) -> Step:
    """Return the step that snapshots an instance under the name `called`."""
    params: dict[str, Param] = {
        "DBInstanceIdentifier": of.DBInstanceIdentifier,
        "DBSnapshotIdentifier": called or Later("a name with the time of the restart"),
        "Tags": content_tags(view.member, run),
    }
    call = Call("rds", "CreateDBSnapshot", params, side)
    if found is not None:
        return snapped(name, found, call)
    if of.DBInstanceStatus != "available":
        return not_yet(name, of, effect=Effect.REVERSIBLE, call=call)
    return todo(name, call, Effect.REVERSIBLE, f"{of.DBInstanceIdentifier} is in no snapshot {called or 'of this run'}")


def copy(
    name: str, found: Snapshot | None, of: Snapshot | None, called: str | None, view: RdsView, run: RunContext, to: Side
) -> Step:
    """Return the step that copies a snapshot to the Region of the side `to`, under its own name."""
    origin, place = _ends(view, to)
    key, options = place.facts.get("kms_key"), view.member.source.facts.get("option_group")
    params: dict[str, Param] = {
        "SourceDBSnapshotIdentifier": of.DBSnapshotArn if of else Later("ARN of the snapshot"),
        "TargetDBSnapshotIdentifier": called or Later("a name with the time of the restart"),
        "SourceRegion": origin.region,
        **({"KmsKeyId": key} if key else {}),
        **({"OptionGroupName": options} if options else {}),
        "Tags": content_tags(view.member, run),
    }
    call = Call("rds", "CopyDBSnapshot", params, to)
    if found is not None:
        return snapped(name, found, call)
    return todo(name, call, Effect.REVERSIBLE, f"{called or 'the snapshot'} is not in {place.region}")


def ship(name: str, backups: tuple[Backup, ...], of: Instance | None, view: RdsView, run: RunContext, to: Side) -> Step:
    """Return the step that lets the automated backups of `of` be replicated to the side `to`."""
    origin, place = _ends(view, to)
    if of is None:
        return failed(name, f"there is no {origin.id} in {origin.region}", "dr plan")
    key, days = place.facts.get("kms_key"), max(1, of.BackupRetentionPeriod)
    params: dict[str, Param] = {
        "SourceDBInstanceArn": of.DBInstanceArn,
        "SourceRegion": origin.region,
        "BackupRetentionPeriod": days,
        **({"KmsKeyId": key} if key and of.StorageEncrypted else {}),
        "Tags": content_tags(view.member, run),
    }
    call = Call("rds", "StartDBInstanceAutomatedBackupsReplication", params, to)
    found = shipped(backups)
    if found is None and of.DBInstanceStatus != "available":
        return not_yet(name, of, effect=Effect.REVERSIBLE, call=call)
    if found is None:
        why = f"no backups of {of.DBInstanceIdentifier} are replicated to {place.region}"
        return todo(name, call, Effect.REVERSIBLE, why)
    observed = f"backups of {of.DBInstanceIdentifier} in {place.region} are {found.Status}"
    if found.Status in BACKUP_READY and found.until is not None:
        return done(name, f"{observed}, up to {found.until:%H:%M:%S} UTC", effect=Effect.REVERSIBLE)
    if found.Status not in (*BACKUP_READY, *BACKUP_PASSING):
        raise unknown(f"replication of the backups of {of.DBInstanceIdentifier}", found.Status)
    return busy(name, f"{observed}, expected replicating", effect=Effect.REVERSIBLE, call=call)


def stop_shipping(view: RdsView) -> Step:
    """Return the step that ends the replication of the old primary's backups; what has arrived is kept."""
    name, found = "stop-backup-replication", shipped(view.carried.backups)
    if found is None:
        there = f"no backups of {base_name(view.member.source.id)} are replicated to {view.member.target.region}"
        return done(name, f"{there} any more", effect=Effect.COMPENSABLE)
    params: dict[str, Param] = {"SourceDBInstanceArn": found.DBInstanceArn}
    call = Call("rds", "StopDBInstanceAutomatedBackupsReplication", params, Side.TARGET)
    return todo(name, call, Effect.COMPENSABLE, f"backups of the old primary are {found.Status}")


def _ends(view: RdsView, to: Side) -> tuple[Place, Place]:
    source, target = view.member.source, view.member.target
    return (source, target) if to is Side.TARGET else (target, source)
