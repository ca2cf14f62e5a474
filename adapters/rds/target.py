"""The steps on an RDS instance's target side: wait for it, grow it, promote it, keep backups of it. Pure."""

from __future__ import annotations

from adapters.databases.spec import INSTANCE_FAILED
from adapters.rds.making import not_yet
from adapters.rds.spec import PROMOTION_BOUND_SECONDS, READ_REPLICA
from adapters.rds.view import RdsView
from orchestrator.contract import Call, Param, RunContext, Step, busy, done, failed, todo
from orchestrator.words import Effect, Side

_NO_REPLICA = "planned: run INSTANTIATE first. Emergency: restore it from a backup by hand under this name, then retry."
_REBOOT = "aws rds reboot-db-instance --db-instance-identifier"


def backup_days(view: RdsView) -> int:
    """Return how many days of backups the new primary keeps: as asked, or as many as the old one kept, at least one."""
    asked = view.member.settings.get("backupRetentionDays") or view.member.source.facts.get("backup_days") or 1
    return max(1, int(str(asked)))


def promote(view: RdsView, run: RunContext) -> Step:
    """Return the promotion, which cannot be undone."""
    name, identifier = "promote", view.member.target.id
    params: dict[str, Param] = {"DBInstanceIdentifier": identifier, "BackupRetentionPeriod": backup_days(view)}
    call = Call("rds", "PromoteReadReplica", params, Side.TARGET)
    if view.target is None:
        return failed(name, f"there is no DB instance {identifier}", _NO_REPLICA)
    if view.promoted:
        return done(name, f"{identifier} replicates from nobody", effect=Effect.IRREVERSIBLE)
    status, waited = view.target.DBInstanceStatus, run.seconds_since(name)
    observed = f"{identifier} is {status} and replicates from {view.target.ReadReplicaSourceDBInstanceIdentifier}"
    if status in INSTANCE_FAILED:
        return failed(
            name, observed, f"look at its events; a reboot often repairs it: {_REBOOT} {identifier}; then retry."
        )
    if waited is not None and waited > PROMOTION_BOUND_SECONDS:
        return failed(name, f"{observed}, {waited / 60:.0f} min after the call", "look at its events in the console.")
    if status != "available":
        return not_yet(name, view.target, effect=Effect.IRREVERSIBLE, call=call)
    return todo(name, call, Effect.IRREVERSIBLE, observed)


def standing(view: RdsView, name: str) -> Step:
    """Return the wait until the target is available."""
    if view.target is None and (view.strategy != READ_REPLICA or view.stands_in):
        return busy(name, f"{view.member.target.id} is not there yet")
    if view.target is None:
        return failed(name, f"there is no DB instance {view.member.target.id}", "create the replica, then: dr plan")
    if view.target.DBInstanceStatus != "available":
        return not_yet(name, view.target)
    return done(name, f"{view.target.DBInstanceIdentifier} is available")


def backups(view: RdsView) -> Step:
    """Return the step that gives the new primary backups: without them nothing can replicate from it."""
    name, days, target = "backups", backup_days(view), view.target
    change: dict[str, Param] = {
        "DBInstanceIdentifier": view.member.target.id,
        "ApplyImmediately": True,
        "BackupRetentionPeriod": days,
    }
    call = Call("rds", "ModifyDBInstance", change, Side.TARGET)
    kept = target.BackupRetentionPeriod if target else 0
    if kept >= days:
        return done(name, f"backups are kept for {kept} days", effect=Effect.REVERSIBLE)
    if target is None and view.strategy != READ_REPLICA:
        return done(name, f"it is restored with backups kept for {days} days", effect=Effect.REVERSIBLE)
    if target is not None and ("BackupRetentionPeriod" in target.PendingModifiedValues or not view.promoted):
        return busy(name, f"backups are kept for {kept} days, {days} are on the way", effect=Effect.REVERSIBLE)
    return todo(name, call, Effect.REVERSIBLE, f"backups are kept for {kept} days, expected {days}")


def grow(view: RdsView) -> list[Step]:
    """Return the step that brings the target to the manifest's size; none when it names none."""
    wanted: dict[str, Param] = {}
    if "instanceClass" in view.member.settings:
        wanted["DBInstanceClass"] = str(view.member.settings["instanceClass"])
    if "multiAz" in view.member.settings:
        wanted["MultiAZ"] = bool(view.member.settings["multiAz"])
    target = view.target
    if not wanted or target is None:
        return []
    have: dict[str, Param] = {"DBInstanceClass": target.DBInstanceClass, "MultiAZ": target.MultiAZ}
    missing = {key: value for key, value in wanted.items() if have[key] != value}
    shown = ", ".join(f"{key} {value}" for key, value in wanted.items())
    params: dict[str, Param] = {"DBInstanceIdentifier": view.member.target.id, "ApplyImmediately": True, **missing}
    call = Call("rds", "ModifyDBInstance", params, Side.TARGET)
    if not missing:
        return [done("grow", f"it has {shown}", effect=Effect.REVERSIBLE)]
    if set(missing) <= set(target.PendingModifiedValues):
        return [busy("grow", f"{shown} is on the way", effect=Effect.REVERSIBLE, call=call)]
    return [todo("grow", call, Effect.REVERSIBLE, f"expected {shown}")]
