"""What is judged before an RDS database is restored in another Region. Pure."""

from __future__ import annotations

from datetime import datetime

from adapters import restoring_readiness as readiness
from adapters.databases.needs import MODIFY_INSTANCE, password_stays, standing
from adapters.databases.shared import base_name
from adapters.judging import red, warning
from adapters.needed import key_findings
from adapters.rds.restore import guard
from adapters.rds.spec import BACKUP_READY, BACKUPS
from adapters.rds.view import RdsView
from adapters.rds.view_carried import available, restorable, shipped
from orchestrator.contract import Finding, RunContext
from orchestrator.words import Mode


def restores(view: RdsView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, member = view.member.resource_id, view.member
    if refused := readiness.one_account(member, "backups are not shared"):
        return refused
    found = [red(me, "two-instances", f"{step.reason}.", step.remedy) for step in guard(view, run)]
    found += _place(view) + key_findings(me, member.target.region, view.key_states)
    target = view.target
    if target is None:
        found += password_stays(member, view.old.MasterUserSecret if view.old else None, MODIFY_INSTANCE)
        found += _content(view, run)
    else:
        shown = {target.DBInstanceIdentifier: target.CertificateDetails}
        found += standing(member, target.MasterUserSecret, shown, {}, run)
        if run.mode is Mode.PLANNED and view.old is None:
            found.append(warning(me, "moved", f"{target.DBInstanceIdentifier} serves on the target side already."))
    if run.mode is Mode.PLANNED:
        found += _source(view)
    return found


def _place(view: RdsView) -> list[Finding]:
    me, target = view.member.resource_id, view.target
    if target is not None:
        if target.DBInstanceStatus in {"available", "backing-up"}:
            return []
        text = f"{target.DBInstanceIdentifier} is {target.DBInstanceStatus}, expected available."
        return [red(me, "status", text)]
    return readiness.place(view.member, view.carried.missing)


def _content(view: RdsView, run: RunContext) -> list[Finding]:
    """Judge what has arrived; a planned run brings the rest itself."""
    what = "replicated backups" if view.strategy == BACKUPS else "copied snapshot"
    at, me = _reaches(view), view.member.resource_id
    found = readiness.content(view.member, what, at, run)
    if view.strategy != BACKUPS or at is None or run.mode is Mode.EMERGENCY:
        return found
    backup = shipped(view.carried.backups)
    if backup is None or backup.Status not in BACKUP_READY:
        shown = backup.Status if backup else "stopped"
        found.append(warning(me, "replication", f"replication of the backups is {shown}, expected replicating."))
    return found


def _reaches(view: RdsView) -> datetime | None:
    if view.strategy == BACKUPS:
        backups = restorable(view.carried.backups)
        return backups.until if backups else None
    copied = available(view.carried.copies)
    return copied.at if copied else None


def _source(view: RdsView) -> list[Finding]:
    me, source = view.member.resource_id, view.old
    if source is None:
        if view.target is not None:
            return []
        place = view.member.source
        return [red(me, "no-source", f"there is no {base_name(place.id)} in {place.region}.")]
    found = []
    if view.target is None and source.DBInstanceStatus not in {"available", "backing-up"}:
        text = f"{source.DBInstanceIdentifier} is {source.DBInstanceStatus}, expected available."
        found.append(red(me, "source-status", text))
    if view.strategy == BACKUPS and not source.BackupRetentionPeriod:
        text = f"{source.DBInstanceIdentifier} has no automated backups: there is nothing to replicate."
        found.append(red(me, "backups", text, "set its backup retention period above 0, then: dr plan"))
    return found
