"""What EFS's spoke role may do. A restored file system is not known by name beforehand: tags bind what names cannot."""

from __future__ import annotations

from adapters.permissions import DRILL, DRILL_OWNS, ENABLED, FENCED, KEYS, MADE_BY_DRILL, MADE_BY_RUN, PLANNED, REAL
from orchestrator.spec import Permission
from orchestrator.words import Use

_EFS = "arn:{partition}:elasticfilesystem:{region}:{account}"
_NAMED = f"{_EFS}:file-system/{{name}}"
_ANY = f"{_EFS}:file-system/*"
_ACCESS_POINT = f"{_EFS}:access-point/*"
_VAULT = "arn:{partition}:backup:{region}:{account}:backup-vault:*"
_POINT = "arn:{partition}:backup:{region}:{account}:recovery-point:*"
_ROLE = "arn:{partition}:iam::{account}:role/*"
_OF_RUN = {"Null": {"aws:ResourceTag/dr:execution-id": "false"}}
_TO_BACKUP = {"StringEquals": {"iam:PassedToService": "backup.amazonaws.com"}}
_TO_EFS = {"StringEquals": {"iam:PassedToService": "elasticfilesystem.amazonaws.com"}}
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
    Permission(actions=("kms:DescribeKey",), uses=frozenset({Use.OBSERVE}), resources=(KEYS,)),
    # --- the standby -------------------------------------------------------------------------------------------------
    Permission(
        actions=("elasticfilesystem:CreateAccessPoint", "elasticfilesystem:CreateMountTarget"),
        uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE}),
        resources=(_NAMED,),
        conditions=ENABLED,
        modes=REAL,
        session_actions=("elasticfilesystem:Create*",),
    ),
    Permission(
        actions=("elasticfilesystem:TagResource",),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_ACCESS_POINT,),
        conditions=MADE_BY_RUN,
        modes=REAL,
    ),
    Permission(
        actions=("elasticfilesystem:PutFileSystemPolicy", "elasticfilesystem:UpdateFileSystem"),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_NAMED,),
        conditions=ENABLED,
        modes=PLANNED,
    ),
    Permission(
        actions=("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces"),
        uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE}),
        modes=REAL,
        session_actions=("ec2:*NetworkInterface*",),
    ),
    # --- the fence ---------------------------------------------------------------------------------------------------
    Permission(
        actions=_CLOSING,
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP}),
        resources=(_NAMED,),
        conditions=ENABLED,
        modes=PLANNED,
        session_actions=_POLICY_AND_TAGS,
    ),
    Permission(
        actions=_OPENING,
        uses=frozenset({Use.ACTIVATE, Use.REPLICATE, Use.ROLLBACK}),
        resources=(_NAMED,),
        conditions=ENABLED,
        modes=REAL,
        session_actions=_POLICY_AND_TAGS,
    ),
    # --- the replication ---------------------------------------------------------------------------------------------
    Permission(
        actions=("elasticfilesystem:DeleteReplicationConfiguration",),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP}),
        resources=(_NAMED,),
        modes=REAL,
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
        conditions=ENABLED,
        modes=PLANNED,
    ),
    Permission(
        actions=("iam:PassRole",),
        uses=frozenset({Use.REPLICATE}),
        resources=(_ROLE,),
        conditions=_TO_EFS,
        modes=PLANNED,
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
        modes=PLANNED,
        session_actions=("backup:CopyIntoBackupVault", "backup:Start*", "backup:TagResource"),
    ),
    Permission(
        actions=("backup:StartRestoreJob",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_POINT,),
        modes=REAL,
    ),
    Permission(
        actions=("iam:PassRole",),
        uses=frozenset({Use.ACTIVATE, Use.REPLICATE}),
        resources=(_ROLE,),
        conditions=_TO_BACKUP,
        modes=REAL,
    ),
    Permission(
        actions=("elasticfilesystem:TagResource",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_ACCESS_POINT, _ANY),
        conditions=MADE_BY_RUN,
        modes=REAL,
    ),
    Permission(
        actions=("elasticfilesystem:CreateMountTarget", "elasticfilesystem:UpdateFileSystem"),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_ANY,),
        conditions=_OF_RUN,
        modes=REAL,
    ),
    Permission(
        actions=("elasticfilesystem:UntagResource",),
        uses=frozenset({Use.ROLLBACK}),
        resources=(_ANY,),
        conditions=_OF_RUN,
        modes=REAL,
    ),
    Permission(
        actions=("elasticfilesystem:DeleteFileSystem", "elasticfilesystem:DeleteMountTarget"),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_NAMED,),
        conditions=FENCED,
        modes=PLANNED,
    ),
    # --- drills ------------------------------------------------------------------------------------------------------
    Permission(
        actions=("backup:StartRestoreJob",), uses=frozenset({Use.INSTANTIATE}), resources=(_POINT,), modes=DRILL
    ),
    Permission(
        actions=("iam:PassRole",),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_ROLE,),
        conditions=_TO_BACKUP,
        modes=DRILL,
    ),
    Permission(
        actions=("elasticfilesystem:TagResource",),
        uses=frozenset({Use.INSTANTIATE, Use.CLEANUP, Use.ROLLBACK}),
        resources=(_ANY,),
        conditions=MADE_BY_DRILL,
        modes=DRILL,
    ),
    Permission(
        actions=("elasticfilesystem:DeleteFileSystem", "elasticfilesystem:DeleteMountTarget"),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(_ANY,),
        conditions=DRILL_OWNS,
        modes=DRILL,
    ),
)
