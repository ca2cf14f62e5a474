"""What is judged before an RDS database is restored in another Region. Pure."""

from __future__ import annotations

from datetime import datetime

from adapters.judging import red, warning
from adapters.rds_restore import guard
from adapters.specs.rds import BACKUP_READY, BACKUPS
from adapters.views.rds import RdsView, base_name
from adapters.views.rds_carried import available, restorable, shipped
from orchestrator.contract import Finding, RunContext
from orchestrator.words import Mode


def restores(view: RdsView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, member = view.member.resource_id, view.member
    if member.source.account != member.target.account:
        text = f"the sides are in accounts {member.source.account} and {member.target.account}: backups are not shared."
        return [red(me, "accounts", text, "keep both sides in one account, then: dr plan")]
    found = [red(me, "two-instances", f"{step.reason}.", step.remedy) for step in guard(view, run)]
    found += _place(view) + _keys(view)
    if view.target is None:
        found += _content(view, run)
    elif run.mode is Mode.PLANNED and view.old is None:
        found.append(warning(me, "moved", f"{view.target.DBInstanceIdentifier} serves on the target side already."))
    if run.mode is Mode.PLANNED:
        found += _source(view)
    return found


def _place(view: RdsView) -> list[Finding]:
    me, place, target = view.member.resource_id, view.member.target, view.target
    if target is not None:
        if target.DBInstanceStatus in {"available", "backing-up"}:
            return []
        text = f"{target.DBInstanceIdentifier} is {target.DBInstanceStatus}, expected available."
        return [red(me, "status", text)]
    found = [red(me, "surroundings", f"not there in {place.region}: {each}.") for each in view.carried.missing]
    if not place.facts.get("security_groups"):
        text = f"no security groups are known in {place.region}: the restored instance gets the default one of its VPC."
        found.append(warning(me, "security-groups", text, "set dr:security-groups on the subnet group"))
    if view.member.source.facts.get("kms_key") and not place.facts.get("kms_key"):
        text = f"the database is encrypted, and no key is known in {place.region}."
        found.append(red(me, "kms-key", text, "set dr:kms-key on the subnet group, then: dr plan"))
    if view.instances_left is not None and view.instances_left < 1:
        text = f"the quota of DB instances in {place.region} is used up; ACTIVATE makes one."
        found.append(red(me, "quota", text, "ask for a higher quota, or remove an instance that was retired"))
    return found


def _keys(view: RdsView) -> list[Finding]:
    return [
        red(view.member.resource_id, "kms-key", f"key {key} is {state}, expected Enabled.", "enable it, then: dr plan")
        for key, state in sorted(view.key_states.items())
        if state != "Enabled"
    ]


def _content(view: RdsView, run: RunContext) -> list[Finding]:
    """Judge what has arrived; a planned run brings the rest itself."""
    me, where = view.member.resource_id, view.member.target.region
    judge = warning if run.mode is Mode.PLANNED else red
    at = _reaches(view)
    if at is None:
        what = "replicated backups" if view.strategy == BACKUPS else "copied snapshot"
        text = f"no {what} of {base_name(view.member.source.id)} can be restored in {where}."
        return [judge(me, "no-copy", text, "a planned run makes it; or set dr:recovery-strategy")]
    found = []
    limit, age = run.rpo_minutes.get(me), (run.now - at).total_seconds() / 60
    if limit is not None and age > limit:
        text = f"the newest content in {where} is {age:.0f} min old, dr:rpo-target is {limit} min."
        found.append(judge(me, "age", text, "copy more often, or use a read replica"))
    backup = shipped(view.carried.backups)
    if (
        view.strategy == BACKUPS
        and run.mode is not Mode.EMERGENCY
        and (backup is None or backup.Status not in BACKUP_READY)
    ):
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
