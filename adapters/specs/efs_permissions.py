"""What EFS's spoke role may do. A restored file system is not known by name beforehand: tags bind what names cannot."""

from __future__ import annotations

from orchestrator.spec import Permission
from orchestrator.words import Mode, Use

_EFS = "arn:{partition}:elasticfilesystem:{region}:{account}"
_NAMED = f"{_EFS}:file-system/{{name}}"
_ANY = f"{_EFS}:file-system/*"
_ACCESS_POINT = f"{_EFS}:access-point/*"
_VAULT = "arn:{partition}:backup:{region}:{account}:backup-vault:*"
_POINT = "arn:{partition}:backup:{region}:{account}:recovery-point:*"
_KEY = "arn:{partition}:kms:{region}:{account}:key/*"
_ROLE = "arn:{partition}:iam::{account}:role/*"
_ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
_FENCED = {"Null": {"aws:ResourceTag/dr:fenced": "false"}}
_OF_RUN = {"Null": {"aws:ResourceTag/dr:execution-id": "false"}}
_MARKED_BY_RUN = {"Null": {"aws:RequestTag/dr:execution-id": "false"}}
_OF_DRILL = {"Null": {"aws:ResourceTag/dr:drill-id": "false"}}
_MARKED_BY_DRILL = {"Null": {"aws:RequestTag/dr:drill-id": "false"}}
_TO_BACKUP = {"StringEquals": {"iam:PassedToService": "backup.amazonaws.com"}}
_TO_EFS = {"StringEquals": {"iam:PassedToService": "elasticfilesystem.amazonaws.com"}}
_PLANNED = frozenset({Mode.PLANNED})
_DRILL = frozenset({Mode.DRILL})
_REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})
_CLOSING = ("elasticfilesystem:PutFileSystemPolicy", "elasticfilesystem:TagResource")
_OPENING = (
    "elasticfilesystem:DeleteFileSystemPolicy",
    "elasticfilesystem:PutFileSystemPolicy",
    "elasticfilesystem:UntagResource",
)
_POLICY_AND_TAGS = ("elasticfilesystem:*FileSystemPolicy", "elasticfilesystem:*agResource")
"""Both, in the few characters that a session policy has."""

PERMISSIONS = (
    Permission(
        actions=(
            "elasticfilesystem:DescribeAccessPoints",
            "elasticfilesystem:DescribeFileSystems",
            "elasticfilesystem:DescribeMountTargets",
            "elasticfilesystem:DescribeReplicationConfigurations",
        ),
        uses=frozenset({Use.DISCOVER, Use.OBSERVE}),
        session_actions=("elasticfilesystem:Describe*",),
    ),
    Permission(
        actions=(
            "backup:ListCopyJobs",
            "backup:ListRecoveryPointsByResource",
            "elasticfilesystem:DescribeMountTargetSecurityGroups",
        ),
        uses=frozenset({Use.DISCOVER}),
    ),
    Permission(actions=("ec2:DescribeNetworkInterfaceAttribute",), uses=frozenset({Use.DISCOVER})),
    Permission(
        actions=(
            "backup:ListBackupJobs",
            "backup:ListCopyJobs",
            "backup:ListRecoveryPointsByResource",
            "backup:ListRestoreJobsByProtectedResource",
            "cloudwatch:GetMetricData",
            "ec2:DescribeSubnets",
            "elasticfilesystem:DescribeFileSystemPolicy",
        ),
        uses=frozenset({Use.OBSERVE}),
        session_actions=(
            "backup:List*",
            "cloudwatch:GetMetricData",
            "ec2:DescribeSubnets",
            "elasticfilesystem:Describe*",
        ),
    ),
    Permission(actions=("kms:DescribeKey",), uses=frozenset({Use.OBSERVE}), resources=(_KEY,)),
    # --- the standby -------------------------------------------------------------------------------------------------
    Permission(
        actions=("elasticfilesystem:CreateAccessPoint", "elasticfilesystem:CreateMountTarget"),
        uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE}),
        resources=(_NAMED,),
        conditions=_ENABLED,
        modes=_REAL,
        session_actions=("elasticfilesystem:Create*",),
    ),
    Permission(
        actions=("elasticfilesystem:TagResource",),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_ACCESS_POINT,),
        conditions=_MARKED_BY_RUN,
        modes=_REAL,
    ),
    Permission(
        actions=("elasticfilesystem:PutFileSystemPolicy", "elasticfilesystem:UpdateFileSystem"),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_NAMED,),
        conditions=_ENABLED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces"),
        uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE}),
        modes=_REAL,
        session_actions=("ec2:*NetworkInterface*",),
    ),
    # --- the fence ---------------------------------------------------------------------------------------------------
    Permission(
        actions=_CLOSING,
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP}),
        resources=(_NAMED,),
        conditions=_ENABLED,
        modes=_PLANNED,
        session_actions=_POLICY_AND_TAGS,
    ),
    Permission(
        actions=_OPENING,
        uses=frozenset({Use.ACTIVATE, Use.REPLICATE, Use.ROLLBACK}),
        resources=(_NAMED,),
        conditions=_ENABLED,
        modes=_REAL,
        session_actions=_POLICY_AND_TAGS,
    ),
    # --- the replication ---------------------------------------------------------------------------------------------
    Permission(
        actions=("elasticfilesystem:DeleteReplicationConfiguration",),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP}),
        resources=(_NAMED,),
        modes=_REAL,
    ),
    Permission(
        actions=(
            "elasticfilesystem:CreateReplicationConfiguration",
            "elasticfilesystem:ReplicationRead",
            "elasticfilesystem:ReplicationWrite",
            "elasticfilesystem:UpdateFileSystemProtection",
        ),
        uses=frozenset({Use.REPLICATE}),
        resources=(_NAMED,),
        conditions=_ENABLED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("iam:PassRole",),
        uses=frozenset({Use.REPLICATE}),
        resources=(_ROLE,),
        conditions=_TO_EFS,
        modes=_PLANNED,
    ),
    # --- backups and restores ----------------------------------------------------------------------------------------
    Permission(
        actions=(
            "backup:CopyIntoBackupVault",
            "backup:StartBackupJob",
            "backup:StartCopyJob",
            "backup:TagResource",
        ),
        uses=frozenset({Use.ACTIVATE, Use.REPLICATE}),
        resources=(_VAULT, _POINT),
        modes=_PLANNED,
        session_actions=("backup:CopyIntoBackupVault", "backup:Start*", "backup:TagResource"),
    ),
    Permission(
        actions=("backup:StartRestoreJob",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_POINT,),
        modes=_REAL,
    ),
    Permission(
        actions=("iam:PassRole",),
        uses=frozenset({Use.ACTIVATE, Use.REPLICATE}),
        resources=(_ROLE,),
        conditions=_TO_BACKUP,
        modes=_REAL,
    ),
    Permission(
        actions=("elasticfilesystem:TagResource",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_ACCESS_POINT, _ANY),
        conditions=_MARKED_BY_RUN,
        modes=_REAL,
    ),
    Permission(
        actions=("elasticfilesystem:CreateMountTarget", "elasticfilesystem:UpdateFileSystem"),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_ANY,),
        conditions=_OF_RUN,
        modes=_REAL,
    ),
    Permission(
        actions=("elasticfilesystem:UntagResource",),
        uses=frozenset({Use.ROLLBACK}),
        resources=(_ANY,),
        conditions=_OF_RUN,
        modes=_REAL,
    ),
    Permission(
        actions=("elasticfilesystem:DeleteFileSystem", "elasticfilesystem:DeleteMountTarget"),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_NAMED,),
        conditions=_FENCED,
        modes=_PLANNED,
    ),
    # --- drills ------------------------------------------------------------------------------------------------------
    Permission(
        actions=("backup:StartRestoreJob",), uses=frozenset({Use.INSTANTIATE}), resources=(_POINT,), modes=_DRILL
    ),
    Permission(
        actions=("iam:PassRole",),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_ROLE,),
        conditions=_TO_BACKUP,
        modes=_DRILL,
    ),
    Permission(
        actions=("elasticfilesystem:TagResource",),
        uses=frozenset({Use.INSTANTIATE, Use.CLEANUP, Use.ROLLBACK}),
        resources=(_ANY,),
        conditions=_MARKED_BY_DRILL,
        modes=_DRILL,
    ),
    Permission(
        actions=("elasticfilesystem:DeleteFileSystem", "elasticfilesystem:DeleteMountTarget"),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(_ANY,),
        conditions=_OF_DRILL,
        modes=_DRILL,
    ),
)
