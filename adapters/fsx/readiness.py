"""What is judged of an FSx file system recovered by backups before a run. Pure."""

from __future__ import annotations

from datetime import datetime

from adapters.fsx.models import Backup, FileSystem
from adapters.fsx.spec import COPIES_AT_A_TIME, SPEC
from adapters.fsx.view_backup import BackupView
from adapters.judging import ready, red, warning
from adapters.needed import key_findings
from orchestrator.contract import Finding, RunContext
from orchestrator.tags import RTO
from orchestrator.words import Mode, Phase


def findings(view: BackupView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, target = view.member.resource_id, view.target
    found = _account(view)
    if target is not None and run.mode is not Mode.DRILL:
        found += _standing(view, target, run)
        return found or [ready(me, f"{target.FileSystemId} stands on the target side already.")]
    found += _copies(view, run) + _landing(view) + _time(view)
    if run.mode is Mode.PLANNED:
        found += _source(view)
    newest = next((each for each in view.copies if each.Lifecycle == "AVAILABLE"), None)
    age = f"{age_of(view, newest, run) / 60:.0f} min old" if newest else "taken in this run"
    return found or [ready(me, f"{view.member.name} can be restored, the newest copy is {age}.")]


def age_of(view: BackupView, backup: Backup, run: RunContext) -> float:
    """Return the age of a copy's data in seconds: of its source backup where that is known, for a copy may be younger."""
    kept = view.member.source.facts.get("backups")
    told = kept.get(backup.SourceBackupId or "") if isinstance(kept, dict) else None
    seen = next((each.CreationTime for each in view.backups if each.BackupId == backup.SourceBackupId), None)
    at = seen or (datetime.fromisoformat(str(told)) if told else backup.CreationTime)
    return (run.now - min(at, backup.CreationTime)).total_seconds()


def _account(view: BackupView) -> list[Finding]:
    source, target = view.member.source.account, view.member.target.account
    if source == target:
        return []
    text = f"the sides lie in accounts {source} and {target}; backups are copied within one account only."
    return [red(view.member.resource_id, "account", text)]


def _standing(view: BackupView, target: FileSystem, run: RunContext) -> list[Finding]:
    me = view.member.resource_id
    if target.Lifecycle not in {"AVAILABLE", "UPDATING"}:
        return [red(me, "status", f"{target.FileSystemId} is {target.Lifecycle}{target.trouble}, expected AVAILABLE.")]
    switching = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE} and view.source is not None
    if not switching or view.restored(run):
        return []
    text = f"{target.FileSystemId} and {view.member.source.id} both stand and both are in the scope."
    remedy = (
        "take dr:enabled off the one that is not current; if that is the source: dr start with Phases CLEANUP,REPLICATE"
    )
    return [red(me, "two-file-systems", text, remedy)]


def _copies(view: BackupView, run: RunContext) -> list[Finding]:
    me, where = view.member.resource_id, view.member.target.region
    newest = next((each for each in view.copies if each.Lifecycle == "AVAILABLE"), None)
    found = [
        warning(me, "copy-failed", f"{each.BackupId} is FAILED{each.trouble}.")
        for each in view.copies[:1]
        if each.Lifecycle == "FAILED"
    ]
    if view.copying >= COPIES_AT_A_TIME:
        text = f"{view.copying} copies run into {where}, at most {COPIES_AT_A_TIME} may: the last one waits in line."
        found.append(warning(me, "copying", text))
    if newest is None:
        text = f"no backup of {view.member.name} is AVAILABLE in {where}"
        if run.mode is Mode.PLANNED:
            return [
                *found,
                warning(me, "no-copy", f"{text}; INSTANTIATE makes one. An emergency now would lose everything."),
            ]
        return [*found, red(me, "no-copy", f"{text}.", "have the backup plan copy to that Region, then: dr plan")]
    limit, age = run.rpo_minutes.get(me), age_of(view, newest, run)
    if limit is not None and age > limit * 60:
        text = f"{newest.BackupId} in {where} is {age / 60:.0f} min old, dr:rpo-target is {limit} min."
        judged = warning if run.mode is Mode.PLANNED else red
        found.append(judged(me, "rpo", text, "have the backup plan copy more often, then: dr plan"))
    return found


def _landing(view: BackupView) -> list[Finding]:
    me, landing = view.member.resource_id, view.landing
    where = view.member.target.region
    if not landing.subnets:
        text = f"nothing says in which subnets of {where} {view.member.name} is to be restored."
        return [
            red(me, "no-landing", text, "tag it with dr:restore-subnets and dr:restore-security-groups, then: dr plan")
        ]
    found = [red(me, "landing", f"{each} in {where}.") for each in landing.missing]
    deployment = str(view.member.source.facts.get("deployment") or "")
    wanted = 2 if deployment.startswith("MULTI_AZ") else 1
    if len(landing.subnets) != wanted:
        text = f"{deployment or view.kind} needs {wanted} subnet(s), {len(landing.subnets)} are named for {where}."
        found.append(red(me, "subnets", text))
    if not landing.security_groups:
        found.append(
            warning(me, "security-groups", f"no security group is named for {where}: the VPC's default is used.")
        )
    found += key_findings(me, where, view.key_states)
    managed = view.landing.directory or view.member.source.facts.get("directory")
    if view.kind == "WINDOWS" and not managed:
        text = f"{view.member.name} joins a self-managed directory: that it is reachable from {where} is not checked."
        found.append(warning(me, "directory", text, "see that its DNS servers answer there"))
    return found


def _time(view: BackupView) -> list[Finding]:
    wanted = view.member.tags.get(RTO, "")
    takes = SPEC.strategy(view.strategy).typical_minutes[Phase.ACTIVATE]
    if not wanted.isdigit() or int(wanted) >= takes:
        return []
    text = f"a restore takes about {takes:.0f} min, {RTO} is {wanted} min."
    return [warning(view.member.resource_id, "rto", text, "use a standing replica, or a longer target")]


def _source(view: BackupView) -> list[Finding]:
    me, source = view.member.resource_id, view.source
    if source is None:
        return [
            red(me, "no-source", f"there is no file system {view.member.source.id} in {view.member.source.region}.")
        ]
    found = []
    if source.Lifecycle != "AVAILABLE":
        text = f"{source.FileSystemId} is {source.Lifecycle}{source.trouble}, expected AVAILABLE."
        found.append(red(me, "source-status", text))
    if source.FileSystemType == "OPENZFS" and source.StorageType == "INTELLIGENT_TIERING":
        text = f"{source.FileSystemId} is on Intelligent-Tiering: its backups cannot be copied."
        found.append(red(me, "not-copyable", text, "use another way of recovery, or set dr:enabled to false"))
    if source.FileSystemType == "LUSTRE" and source.configuration.DeploymentType.startswith("SCRATCH"):
        text = f"{source.FileSystemId} is {source.configuration.DeploymentType}: it has no backups."
        found.append(red(me, "no-backups", text, "set dr:enabled to false"))
    if source.FileSystemType != "OPENZFS":
        text = (
            f"clients of {source.FileSystemId} must have stopped writing when ACTIVATE begins; nothing else fences it."
        )
        found.append(warning(me, "writers", text, "stop them before; the run waits, and asks after 30 min"))
    return found
