"""The steps that bring an RDS database's content to the other Region: replicated backups, copied snapshots. Pure."""

from __future__ import annotations

from adapters import snapshot_steps
from adapters.databases.shared import base_name, content_tags, unknown
from adapters.rds.making import not_yet
from adapters.rds.models import Backup, Instance, Snapshot
from adapters.rds.spec import BACKUP_PASSING, BACKUP_READY
from adapters.rds.view import RdsView
from adapters.rds.view_carried import shipped
from adapters.snapshot_steps import INSTANCE_SNAPSHOT
from orchestrator.contract import Call, Param, Place, RunContext, Step, busy, done, failed, todo
from orchestrator.words import Effect, Side


def take(
    name: str, found: Snapshot | None, called: str | None, view: RdsView, of: Instance, run: RunContext, side: Side
) -> Step:
    """Return the step that snapshots an instance under the name `called`."""
    tags = content_tags(view.member, run)
    return snapshot_steps.take(name, INSTANCE_SNAPSHOT, found, called, of.database, tags, side)


def copy(
    name: str, found: Snapshot | None, of: Snapshot | None, called: str | None, view: RdsView, run: RunContext, to: Side
) -> Step:
    """Return the step that copies a snapshot to the Region of the side `to`, under its own name."""
    options = view.member.source.facts.get("option_group")
    more: dict[str, Param] = {
        **({"OptionGroupName": options} if options else {}),
        "Tags": content_tags(view.member, run),
    }
    return snapshot_steps.copy(name, INSTANCE_SNAPSHOT, found, of, called, more, view.member, to)


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
