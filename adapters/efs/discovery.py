"""Which tagged EFS file systems are the two sides of one resource, and what an emergency must know of them.

The sides bear one name, in the tag `Name`: after an emergency nothing else tells that they belong together. Recovery points
carry no tags that Resource Explorer sees, so a file system that is only backed up tells of its other side itself: the vault in
another Region that its recovery points were last copied to. That gives way to a file system of the same name there.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from adapters.efs.models import (
    CopyJob,
    FileSystem,
    FileSystems,
    GroupsOfMountTarget,
    JobState,
    MountTarget,
    Replication,
    Replications,
)
from adapters.efs.spec import BACKUP_RESTORE, FAILED_LIFE, FENCED_TAG, REPLICATION
from adapters.efs.view_backups import copies_of, points_of
from adapters.efs.view_restore import region_of
from adapters.efs.view_sides import access_points_of, mounts_of, restore_tags
from orchestrator.contract import Found, Place, Reader
from orchestrator.tags import ENABLED

COPIES_REMEMBERED = 10


def discover(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return the tagged file systems, and the vaults that stand for other sides."""
    pages = aws.pages("efs", "DescribeFileSystems", FileSystems)
    tagged = [each for page in pages for each in page.FileSystems if each.FileSystemArn in arns]
    standing = [each for each in tagged if each.LifeCycleState not in FAILED_LIFE and not _retired(each)]
    if not standing:
        return []
    held = [
        r for page in aws.pages("efs", "DescribeReplicationConfigurations", Replications) for r in page.Replications
    ]
    return [found for each in standing for found in _found(aws, each, _part_of(each, held))]


def _retired(each: FileSystem) -> bool:
    """Say whether a run let go of it: fenced, kept, and no side of anything any more."""
    return FENCED_TAG in each.tags and ENABLED not in each.tags


def _part_of(each: FileSystem, held: Sequence[Replication]) -> Replication | None:
    return next((r for r in held if each.FileSystemId in {r.SourceFileSystemId, r.to.FileSystemId}), None)


def _found(aws: Reader, each: FileSystem, held: Replication | None) -> list[Found]:
    name = each.tags.get("Name") or (held.SourceFileSystemId if held else each.FileSystemId)
    owner = held.SourceFileSystemOwnerId if held and held.SourceFileSystemOwnerId else aws.account
    key = f"{owner}/{name}"
    copied = None if held else _copied(aws, each)
    strategy = REPLICATION if held else BACKUP_RESTORE if copied else None
    place = Place(aws.account, aws.region, each.FileSystemId, each.FileSystemArn, _facts(aws, each, copied))
    own = Found(key, name, place, each.tags, strategy)
    return [own, _other_side(key, name, each, copied)] if copied else [own]


def _copied(aws: Reader, each: FileSystem) -> CopyJob | None:
    """Return the job that last copied a recovery point to another Region (backup:ListCopyJobs, of the last 30 days)."""
    jobs = copies_of(aws, each.FileSystemArn)
    done = (job for job in jobs if job.State is JobState.COMPLETED)
    return next((job for job in done if region_of(job.DestinationBackupVaultArn) != aws.region), None)


def _other_side(key: str, name: str, each: FileSystem, copied: CopyJob) -> Found:
    arn = copied.DestinationBackupVaultArn
    region, account, vault = arn.split(":")[3], arn.split(":")[4], arn.split(":")[6]
    place = Place(account, region, vault, arn, {"vault": arn})
    return Found(key, name, place, each.tags, BACKUP_RESTORE, counterpart=True)


def _facts(aws: Reader, each: FileSystem, copied: CopyJob | None) -> dict[str, JsonValue]:
    """Return what the other side needs and cannot ask for when this Region is lost."""
    mounts = mounts_of(aws, each.FileSystemId)
    points = access_points_of(aws, each.FileSystemId)
    return {
        "encrypted": each.Encrypted,
        "performance_mode": each.PerformanceMode,
        "throughput_mode": each.ThroughputMode,
        "throughput_mibps": each.ProvisionedThroughputInMibps,
        "own": {"subnets": [mount.SubnetId for mount in mounts], "security_groups": _groups(aws, mounts)},
        "restore": restore_tags(each.tags),
        "access_points": [
            {"PosixUser": p.PosixUser, "RootDirectory": p.RootDirectory, "Tags": [tag.model_dump() for tag in p.Tags]}
            for p in points
        ],
        **({"vault": copied.SourceBackupVaultArn, "taken": _taken(aws, each)} if copied else {}),
    }


def _taken(aws: Reader, each: FileSystem) -> dict[str, JsonValue]:
    """Return when the data of the newest copies was taken: a copy may be younger than what it holds."""
    dates = {point.arn: point.point.CreationDate for point in points_of(aws, [each.FileSystemArn])}
    jobs = [job for job in copies_of(aws, each.FileSystemArn) if job.DestinationRecoveryPointArn][:COPIES_REMEMBERED]
    known = [(str(j.DestinationRecoveryPointArn), dates.get(j.SourceRecoveryPointArn)) for j in jobs]
    return {arn: date.isoformat() for arn, date in known if date is not None}


def _groups(aws: Reader, mounts: Sequence[MountTarget]) -> list[JsonValue]:
    """Return the security groups of a file system's first mount target; all should have the same."""
    for mount in mounts[:1]:
        found = aws.read(
            "efs", "DescribeMountTargetSecurityGroups", GroupsOfMountTarget, MountTargetId=mount.MountTargetId
        )
        return [*found.SecurityGroups]
    return []
