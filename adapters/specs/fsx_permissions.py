"""What FSx's spoke role may do. A restored file system is not known by name beforehand: tags bind what names cannot."""

from __future__ import annotations

from orchestrator.spec import Permission
from orchestrator.words import Mode, Use

_FSX = "arn:{partition}:fsx:{region}:{account}"
_NAMED = f"{_FSX}:file-system/{{name}}"
_FILE_SYSTEM = f"{_FSX}:file-system/*"
_BACKUP = f"{_FSX}:backup/*"
_VOLUME = f"{_FSX}:volume/*"
_OF_NAMED = f"{_FSX}:volume/{{name}}/*"
_SNAPSHOT = f"{_FSX}:snapshot/*"
_TASK = f"{_FSX}:task/*"
_KEY = "arn:{partition}:kms:{region}:{account}:key/*"
_ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
_MADE_ENABLED = {"StringEquals": {"aws:RequestTag/dr:enabled": "true"}}
_FENCED = {"Null": {"aws:ResourceTag/dr:fenced": "false"}}
_MADE_BY_DRILL = {"Null": {"aws:RequestTag/dr:drill-id": "false"}}
_MADE_IN_RUN = {"Null": {"aws:RequestTag/dr:execution-id": "false"}}
_OF_DRILL = {"Null": {"aws:ResourceTag/dr:drill-id": "false"}}
_FOR_FSX = {"StringLike": {"kms:ViaService": "fsx.*.amazonaws.com"}, "Bool": {"kms:GrantIsForAWSResource": "true"}}
_PLANNED = frozenset({Mode.PLANNED})
_DRILL = frozenset({Mode.DRILL})
_REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})

PERMISSIONS = (
    Permission(
        actions=(
            "ec2:DescribeNetworkInterfaces",
            "fsx:DescribeBackups",
            "fsx:DescribeDataRepositoryAssociations",
            "fsx:DescribeDataRepositoryTasks",
            "fsx:DescribeFileSystems",
            "fsx:DescribeSnapshots",
            "fsx:DescribeVolumes",
        ),
        uses=frozenset({Use.DISCOVER}),
    ),
    Permission(
        actions=(
            "cloudwatch:GetMetricData",
            "ds:DescribeDirectories",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "fsx:DescribeBackups",
            "fsx:DescribeDataRepositoryAssociations",
            "fsx:DescribeDataRepositoryTasks",
            "fsx:DescribeFileSystems",
            "fsx:DescribeSnapshots",
            "fsx:DescribeVolumes",
        ),
        uses=frozenset({Use.OBSERVE}),
        session_actions=("cloudwatch:GetMetricData", "ds:Describe*", "ec2:Describe*", "fsx:Describe*"),
    ),
    Permission(actions=("kms:DescribeKey",), uses=frozenset({Use.OBSERVE}), resources=(_KEY,)),
    Permission(
        actions=("fsx:CopyBackup", "fsx:CreateBackup", "fsx:TagResource"),
        uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.REPLICATE}),
        resources=(_FILE_SYSTEM, _BACKUP),
        conditions=_MADE_ENABLED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("fsx:CreateFileSystemFromBackup", "fsx:TagResource"),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_FILE_SYSTEM, _BACKUP),
        conditions=_MADE_ENABLED,
        modes=_REAL,
    ),
    Permission(actions=("ec2:GetSecurityGroupsForVpc",), uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE})),
    Permission(
        actions=("kms:CreateGrant",),
        uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.REPLICATE}),
        resources=(_KEY,),
        conditions=_FOR_FSX,
    ),
    Permission(
        actions=("fsx:TagResource",),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP}),
        resources=(_NAMED,),
        conditions=_ENABLED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("fsx:UpdateVolume",),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
        resources=(_VOLUME,),
        modes=_REAL,
    ),
    Permission(
        actions=("fsx:AssociateFileSystemAliases",),
        uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
        resources=(_FILE_SYSTEM,),
        conditions=_ENABLED,
        modes=_REAL,
    ),
    Permission(
        actions=("fsx:DisassociateFileSystemAliases",),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
        resources=(_FILE_SYSTEM,),
        conditions=_ENABLED,
        modes=_REAL,
    ),
    Permission(
        actions=("fsx:UntagResource",),
        uses=frozenset({Use.CLEANUP}),
        resources=(_NAMED,),
        conditions=_ENABLED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("fsx:UntagResource",),
        uses=frozenset({Use.ROLLBACK}),
        resources=(_FILE_SYSTEM,),
        conditions=_ENABLED,
        modes=_REAL,
    ),
    Permission(
        actions=("fsx:TagResource",),
        uses=frozenset({Use.ROLLBACK}),
        resources=(_NAMED,),
        conditions=_FENCED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("fsx:DeleteFileSystem",),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_NAMED,),
        conditions=_FENCED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("fsx:CreateBackup", "fsx:TagResource"),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_NAMED, _BACKUP),
        modes=_PLANNED,
    ),
    Permission(
        actions=("fsx:CreateFileSystemFromBackup", "fsx:TagResource"),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_FILE_SYSTEM, _BACKUP),
        conditions=_MADE_BY_DRILL,
        modes=_DRILL,
    ),
    Permission(
        actions=("fsx:DeleteFileSystem",),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(_FILE_SYSTEM,),
        conditions=_OF_DRILL,
        modes=_DRILL,
    ),
    Permission(
        actions=("fsx:CopySnapshotAndUpdateVolume",),
        uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.REPLICATE}),
        resources=(_OF_NAMED, _SNAPSHOT),
        modes=_PLANNED,
    ),
    Permission(
        actions=("fsx:CreateSnapshot", "fsx:TagResource"),
        uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.REPLICATE}),
        resources=(_OF_NAMED, _SNAPSHOT),
        conditions=_MADE_IN_RUN,
        modes=_PLANNED,
    ),
    Permission(
        actions=("fsx:UntagResource",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_NAMED,),
        conditions=_ENABLED,
        modes=_REAL,
    ),
    Permission(
        actions=("fsx:CreateVolume", "fsx:TagResource"),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_VOLUME, _SNAPSHOT),
        conditions=_MADE_BY_DRILL,
        modes=_DRILL,
    ),
    Permission(
        actions=("fsx:DeleteVolume",),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(_VOLUME,),
        conditions=_OF_DRILL,
        modes=_DRILL,
    ),
    Permission(
        actions=("s3:GetReplicationConfiguration",),
        uses=frozenset({Use.OBSERVE}),
        resources=("arn:{partition}:s3:::*",),
        modes=_PLANNED,
    ),
    Permission(
        actions=("fsx:CreateDataRepositoryTask", "fsx:TagResource"),
        uses=frozenset({Use.ACTIVATE, Use.REPLICATE}),
        resources=(_NAMED, _TASK),
        conditions=_MADE_IN_RUN,
        modes=_REAL,
    ),
)
