"""The steps that AWS Backup does for an EFS file system: back it up, copy that, restore it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.efs.models import BackupJob, CopyJob, FileSystem, Job, JobState, RestoreJob
from adapters.efs.spec import BUSY_JOB, DEFAULT_ROLE
from adapters.efs.view_backups import Point
from orchestrator.contract import Call, Later, Member, Param, Place, RunContext, Step, busy, done, failed, todo
from orchestrator.words import Effect, Side

TOKEN = "IdempotencyToken"  # noqa: S105  a parameter's name


def role_of(member: Member, place: Place) -> str:
    """Return the role that AWS Backup works with: the manifest's, or the account's default one."""
    partition = place.arn.split(":")[1]
    return str(member.settings.get("backupRoleArn") or f"arn:{partition}:iam::{place.account}:role/{DEFAULT_ROLE}")


def back_up(
    name: str, job: BackupJob | None, fs: FileSystem | None, vault: str, role: str, side: Side, run: RunContext
) -> Step:
    """Return the step that backs a file system up; `vault` is an ARN."""
    params: dict[str, Param] = {
        "BackupVaultName": vault.rpartition(":")[2],
        "ResourceArn": fs.FileSystemArn if fs and fs.FileSystemArn else Later("ARN of the restored file system"),
        "IamRoleArn": role,
        "RecoveryPointTags": dict(run.tags),
    }
    call = Call("backup", "StartBackupJob", params, side, keep={"job": "BackupJobId"}, token=TOKEN)
    what = f"{fs.FileSystemId if fs else 'the file system'} has no backup of its present state"
    return _judged(name, job, call, run, what)


def copy(  # noqa: PLR0913  a copy has two ends
    name: str, job: CopyJob | None, of: BackupJob | None, vault: str, to: str, role: str, side: Side, run: RunContext
) -> Step:
    """Return the step that copies a backup from one vault to another; `vault` and `to` are ARNs."""
    params: dict[str, Param] = {
        "RecoveryPointArn": (of.RecoveryPointArn if of else None) or Later("ARN of the recovery point"),
        "SourceBackupVaultName": ((of.BackupVaultName if of else None) or vault.rpartition(":")[2]),
        "DestinationBackupVaultArn": to,
        "IamRoleArn": role,
    }
    call = Call("backup", "StartCopyJob", params, side, keep={"job": "CopyJobId"}, token=TOKEN)
    return _judged(name, job, call, run, f"the backup is not in {to.split(':')[3]} yet")


def restore_call(
    point_arn: str | None, file_system_id: str, token: str, facts: Mapping[str, object], key: str | None, role: str
) -> Call:
    """Return the call that restores a recovery point into a new file system whose creation token is `token`."""
    metadata: dict[str, Param] = {
        "file-system-id": file_system_id,
        "newFileSystem": "true",
        "CreationToken": token,
        "Encrypted": "false" if facts.get("encrypted") is False and not key else "true",
        "PerformanceMode": str(facts.get("performance_mode") or "generalPurpose"),
        **({"KmsKeyId": key} if key else {}),
    }
    params: dict[str, Param] = {
        "RecoveryPointArn": point_arn or Later("ARN of the copied recovery point"),
        "Metadata": metadata,
        "IamRoleArn": role,
        "ResourceType": "EFS",
    }
    return Call("backup", "StartRestoreJob", params, Side.TARGET, keep={"job": "RestoreJobId"}, token=TOKEN)


def restore(name: str, call: Call, fs: FileSystem | None, job: RestoreJob | None, run: RunContext, why: str) -> Step:
    """Return the step that starts a restore; it is done as soon as the new file system exists."""
    if fs is not None:
        return done(name, f"{fs.FileSystemId} is there", effect=Effect.COMPENSABLE)
    return _judged(name, job, call, run, why, Effect.COMPENSABLE)


def complete(name: str, fs: FileSystem | None, job: RestoreJob | None, *, warning: str = "") -> Step:
    """Return the wait until the new file system holds everything."""
    if fs is None:
        return busy(name, "the restored file system does not exist yet")
    shown = f"{fs.FileSystemId} is {fs.LifeCycleState}, its restore {job.State if job else 'is in no job of the last 30 days'}"
    if fs.LifeCycleState in {"error", "deleting", "deleted"} or (
        job and job.State not in {*BUSY_JOB, JobState.COMPLETED}
    ):
        why = f"{shown} {job.StatusMessage or '' if job else ''}".strip()
        return failed(
            name, why, f"aws efs delete-file-system --file-system-id {fs.FileSystemId}, then retry: it is made anew."
        )
    if fs.LifeCycleState != "available" or (job and job.State in BUSY_JOB):
        return busy(name, shown)
    return done(name, shown, warning=warning)


def _judged(
    name: str, job: Job | None, call: Call, run: RunContext, why: str, effect: Effect = Effect.REVERSIBLE
) -> Step:
    if job is None:
        return todo(name, call, effect, why)
    shown = f"the job of {job.CreationDate:%H:%M:%S} UTC is {job.State} {job.StatusMessage or ''}".strip()
    if job.State is JobState.COMPLETED:
        return done(name, shown, effect=effect)
    if job.State in BUSY_JOB:
        return busy(name, f"{shown}, expected COMPLETED", effect=effect, call=call)
    if job.CreationDate < run.began:  # it failed in an earlier attempt: a person asked for a new one
        return todo(name, call, effect, f"{why}; {shown}")
    return failed(name, f"{shown}, expected COMPLETED", "read the message in the AWS Backup console, then retry.")


def usable(points: tuple[Point, ...]) -> Point | None:
    """Return the newest recovery point."""
    return points[0] if points else None
