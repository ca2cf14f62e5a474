"""What FSx's spoke role may do. A restored file system is not known by name beforehand: tags bind what names cannot.

Functions are told apart by IAM, not what they are asked: reading, a drill's copies and everything else have one each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from adapters.permissions import (
    DRILL,
    DRILL_OWNS,
    ENABLED,
    ENABLES,
    FENCED,
    KEYS,
    MADE_BY_DRILL,
    MADE_BY_RUN,
    PLANNED,
    REAL,
    granting_to,
)
from orchestrator.spec import ALL_MODES, Permission
from orchestrator.words import Mode, Use

_FSX = "arn:{partition}:fsx:{region}:{account}"
_NAMED = f"{_FSX}:file-system/{{name}}"
_FILE_SYSTEM = f"{_FSX}:file-system/*"
_BACKUP = f"{_FSX}:backup/*"
_VOLUME = f"{_FSX}:volume/*"
_OF_NAMED = f"{_FSX}:volume/{{name}}/*"
_SNAPSHOT = f"{_FSX}:snapshot/*"
_MACHINE = f"{_FSX}:storage-virtual-machine/{{name}}/*"
_TASK = f"{_FSX}:task/*"
ONTAP_READ, ONTAP_DRILL, ONTAP_SWITCH = "dr-ontap-read", "dr-ontap-drill", "dr-ontap-switch"
_FUNCTION = "arn:{partition}:lambda:{region}:{account}:function:"
_FOR_FSX = granting_to("fsx")

_BY_BACKUP, _BY_SNAPSHOT, _BY_S3, _BY_MIRROR = (
    ("backup-copy",),
    ("openzfs-replication",),
    ("lustre-s3",),
    ("ontap-snapmirror",),
)
_DESCRIBE = (
    "fsx:DescribeBackups",
    "fsx:DescribeDataRepositoryAssociations",
    "fsx:DescribeDataRepositoryTasks",
    "fsx:DescribeFileSystems",
    "fsx:DescribeSnapshots",
    "fsx:DescribeStorageVirtualMachines",
    "fsx:DescribeVolumes",
)
_COPYING = (Use.INSTANTIATE, Use.ACTIVATE, Use.REPLICATE)
_ENDING_DRILL = (Use.CLEANUP, Use.ROLLBACK)

Conditions = Mapping[str, Mapping[str, str]]


def _may(  # noqa: PLR0913  what, when, on what
    actions: tuple[str, ...],
    uses: Iterable[Use],
    resources: tuple[str, ...] = ("*",),
    *,
    when: Conditions | None = None,
    modes: frozenset[Mode] = ALL_MODES,
    by: tuple[str, ...] = (),
    session: tuple[str, ...] = (),
) -> Permission:
    return Permission(actions, frozenset(uses), resources, when or {}, modes, session, by)


def _make(*actions: str) -> tuple[str, ...]:
    """Return actions that make something, with the one that gives it tags."""
    return (*actions, "fsx:TagResource")


def _function(name: str, uses: Iterable[Use], modes: frozenset[Mode] = ALL_MODES) -> Permission:
    return _may(("lambda:InvokeFunction",), uses, (f"{_FUNCTION}{name}",), modes=modes, by=_BY_MIRROR)


_READING = (
    _may(("ec2:DescribeNetworkInterfaces", *_DESCRIBE), (Use.DISCOVER,)),
    _may(
        (
            "cloudwatch:GetMetricData",
            "ds:DescribeDirectories",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            *_DESCRIBE,
        ),
        (Use.OBSERVE,),
        session=("cloudwatch:GetMetricData", "ds:Describe*", "ec2:Describe*", "fsx:Describe*"),
    ),
    _may(("kms:DescribeKey",), (Use.OBSERVE,), (KEYS,), by=_BY_BACKUP),
    _may(("s3:GetReplicationConfiguration",), (Use.OBSERVE,), ("arn:{partition}:s3:::*",), modes=PLANNED, by=_BY_S3),
    _function(ONTAP_READ, (Use.OBSERVE,)),
)

_BACKUPS = (
    _may(
        _make("fsx:CopyBackup", "fsx:CreateBackup"),
        _COPYING,
        (_FILE_SYSTEM, _BACKUP),
        when=ENABLES,
        modes=PLANNED,
        by=_BY_BACKUP + _BY_SNAPSHOT,
    ),
    _may(
        _make("fsx:CreateFileSystemFromBackup"),
        (Use.ACTIVATE,),
        (_FILE_SYSTEM, _BACKUP),
        when=ENABLES,
        modes=REAL,
        by=_BY_BACKUP,
    ),
    _may(("ec2:GetSecurityGroupsForVpc",), (Use.INSTANTIATE, Use.ACTIVATE), by=_BY_BACKUP),
    _may(("kms:CreateGrant",), _COPYING, (KEYS,), when=_FOR_FSX, by=_BY_BACKUP + _BY_SNAPSHOT),
    _may(
        ("fsx:AssociateFileSystemAliases",),
        (Use.ACTIVATE, Use.ROLLBACK),
        (_FILE_SYSTEM,),
        when=ENABLED,
        modes=REAL,
        by=_BY_BACKUP,
    ),
    _may(
        ("fsx:DisassociateFileSystemAliases",),
        (Use.ACTIVATE, *_ENDING_DRILL),
        (_FILE_SYSTEM,),
        when=ENABLED,
        modes=REAL,
        by=_BY_BACKUP,
    ),
    _may(("fsx:DeleteFileSystem",), (Use.DECOMMISSION,), (_NAMED,), when=FENCED, modes=PLANNED, by=_BY_BACKUP),
    _may(_make("fsx:CreateBackup"), (Use.DECOMMISSION,), (_NAMED, _BACKUP), modes=PLANNED, by=_BY_BACKUP),
    _may(
        _make("fsx:CreateFileSystemFromBackup"),
        (Use.INSTANTIATE,),
        (_FILE_SYSTEM, _BACKUP),
        when=MADE_BY_DRILL,
        modes=DRILL,
        by=_BY_BACKUP,
    ),
    _may(("fsx:DeleteFileSystem",), _ENDING_DRILL, (_FILE_SYSTEM,), when=DRILL_OWNS, modes=DRILL, by=_BY_BACKUP),
)

_NOT_ONTAP = _BY_BACKUP + _BY_SNAPSHOT + _BY_S3
_FENCE = (
    _may(
        ("fsx:TagResource",),
        (Use.ACTIVATE, Use.CLEANUP),
        (_NAMED,),
        when=ENABLED,
        modes=PLANNED,
        by=_NOT_ONTAP,
    ),
    _may(("fsx:TagResource",), (Use.ROLLBACK,), (_NAMED,), when=FENCED, modes=PLANNED, by=_NOT_ONTAP),
    _may(("fsx:UntagResource",), (Use.CLEANUP,), (_NAMED,), when=ENABLED, modes=PLANNED, by=_NOT_ONTAP),
    _may(("fsx:UntagResource",), (Use.ROLLBACK,), (_FILE_SYSTEM,), when=ENABLED, modes=REAL, by=_NOT_ONTAP),
    _may(("fsx:UntagResource",), (Use.ACTIVATE,), (_NAMED,), when=ENABLED, modes=REAL, by=_NOT_ONTAP),
    _may(
        ("fsx:UpdateVolume",),
        (Use.ACTIVATE, *_ENDING_DRILL),
        (_VOLUME,),
        modes=REAL,
        by=_BY_BACKUP + _BY_SNAPSHOT,
    ),
)

_SNAPSHOTS = (
    _may(("fsx:CopySnapshotAndUpdateVolume",), _COPYING, (_OF_NAMED, _SNAPSHOT), modes=PLANNED, by=_BY_SNAPSHOT),
    _may(
        _make("fsx:CreateSnapshot"),
        _COPYING,
        (_OF_NAMED, _SNAPSHOT),
        when=MADE_BY_RUN,
        modes=PLANNED,
        by=_BY_SNAPSHOT,
    ),
    _may(
        _make("fsx:CreateVolume"),
        (Use.INSTANTIATE,),
        (_VOLUME, _SNAPSHOT),
        when=MADE_BY_DRILL,
        modes=DRILL,
        by=_BY_SNAPSHOT,
    ),
    _may(("fsx:DeleteVolume",), _ENDING_DRILL, (_VOLUME,), when=DRILL_OWNS, modes=DRILL, by=_BY_SNAPSHOT),
    _may(
        _make("fsx:CreateDataRepositoryTask"),
        (Use.ACTIVATE, Use.REPLICATE),
        (_NAMED, _TASK),
        when=MADE_BY_RUN,
        modes=REAL,
        by=_BY_S3,
    ),
)

_MIRRORS = (
    _function(ONTAP_SWITCH, (*_COPYING, Use.CLEANUP, Use.ROLLBACK), REAL),
    _function(ONTAP_DRILL, (Use.INSTANTIATE, *_ENDING_DRILL), DRILL),
    _may(
        _make("fsx:CreateVolume"),
        (Use.INSTANTIATE,),
        (_VOLUME, _MACHINE),
        when=MADE_BY_RUN,
        modes=PLANNED,
        by=_BY_MIRROR,
    ),
    _may(("fsx:TagResource",), (Use.ACTIVATE, Use.CLEANUP), (_OF_NAMED,), modes=PLANNED, by=_BY_MIRROR),
    _may(
        ("fsx:UpdateVolume", "fsx:UntagResource"),
        (Use.ACTIVATE, Use.ROLLBACK),
        (_OF_NAMED,),
        modes=REAL,
        by=_BY_MIRROR,
    ),
    _may(
        _make("fsx:CreateBackup"),
        (Use.REPLICATE,),
        (_OF_NAMED, _BACKUP),
        when=MADE_BY_RUN,
        modes=PLANNED,
        by=_BY_MIRROR,
    ),
)

PERMISSIONS = (*_READING, *_BACKUPS, *_FENCE, *_SNAPSHOTS, *_MIRRORS)
