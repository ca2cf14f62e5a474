"""What AWS Backup tells of a file system: its backups, their copies, and what was restored of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.efs.models import (
    BackupJob,
    BackupJobs,
    CopyJob,
    CopyJobs,
    RecoveryPoint,
    RecoveryPoints,
    RestoreJob,
    RestoreJobs,
)
from adapters.efs.spec import NO_JOBS
from orchestrator.contract import Reader


@dataclass(frozen=True)
class Point:
    """A recovery point that can be restored, and the ARN of the file system it was taken of."""

    arn: str
    of: str
    vault: str
    point: RecoveryPoint

    @property
    def file_system_id(self) -> str:
        """Return the id of the file system it was taken of."""
        return self.of.rpartition("/")[2]


def points_of(reader: Reader, arns: Iterable[str]) -> tuple[Point, ...]:
    """Return the restorable recovery points of file systems that lie in this Region, newest first."""
    found = [
        Point(each.RecoveryPointArn, arn, each.BackupVaultName, each)
        for arn in arns
        if ":file-system/" in arn
        for page in reader.pages("backup", "ListRecoveryPointsByResource", RecoveryPoints, ResourceArn=arn)
        for each in page.RecoveryPoints
        if each.Status in {"COMPLETED", "AVAILABLE"}
    ]
    return tuple(sorted(found, key=lambda each: each.point.CreationDate, reverse=True))


def backups_of(reader: Reader, arn: str) -> tuple[BackupJob, ...]:
    """Return the backup jobs of a file system, newest first; AWS Backup tells of 30 days."""
    pages = reader.pages("backup", "ListBackupJobs", BackupJobs, ByResourceArn=arn)
    return tuple(sorted((j for page in pages for j in page.BackupJobs), key=lambda j: j.CreationDate, reverse=True))


def copies_of(reader: Reader, arn: str) -> tuple[CopyJob, ...]:
    """Return the jobs that copied a file system's recovery points out of this Region, newest first."""
    pages = reader.pages("backup", "ListCopyJobs", CopyJobs, ByResourceArn=arn)
    return tuple(sorted((j for page in pages for j in page.CopyJobs), key=lambda j: j.CreationDate, reverse=True))


def restores_of(reader: Reader, arns: Iterable[str]) -> tuple[RestoreJob, ...]:
    """Return the jobs that restored recovery points of file systems in this Region, newest first."""
    found: list[RestoreJob] = []
    for arn in arns:
        if ":file-system/" in arn:
            reply = reader.find("backup", "ListRestoreJobsByProtectedResource", RestoreJobs, NO_JOBS, ResourceArn=arn)
            found += reply.RestoreJobs if reply else []
    return tuple(sorted(found, key=lambda each: each.CreationDate, reverse=True))
