"""What RDS's spoke role may do. Data only."""

from __future__ import annotations

from orchestrator.spec import Permission
from orchestrator.words import Mode, Use

_HERE = "arn:{partition}:rds:{region}:{account}"
_DB = f"{_HERE}:db:{{name}}"
_RETIRED = f"{_HERE}:db:*-retired-*"
_AROUND = (f"{_HERE}:subgrp:*", f"{_HERE}:pg:*", f"{_HERE}:og:*")
_CONTENT = (f"{_HERE}:snapshot:*", f"{_HERE}:auto-backup:*")
_GROUP = "arn:{partition}:ec2:{region}:{account}:security-group/*"
_KEY = "arn:{partition}:kms:{region}:{account}:key/*"
_ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
_ENABLES = {"StringEquals": {"aws:RequestTag/dr:enabled": "true"}}
_MAKES_GROUP = {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}
_MADE_BY_RUN = {"Null": {"aws:RequestTag/dr:execution-id": "false"}}
_MADE_BY_DRILL = {"Null": {"aws:RequestTag/dr:drill-id": "false"}}
_DRILL_OWNS = {"Null": {"aws:ResourceTag/dr:drill-id": "false"}}
_FENCED = {"Null": {"aws:ResourceTag/dr:fenced": "false"}}
_FOR_RDS = {"StringLike": {"kms:ViaService": "rds.*.amazonaws.com"}, "Bool": {"kms:GrantIsForAWSResource": "true"}}
_PLANNED = frozenset({Mode.PLANNED})
_DRILL = frozenset({Mode.DRILL})
_REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})
_FENCING = frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP})
_CARRYING = frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.REPLICATE})

PERMISSIONS = (
    Permission(
        actions=("rds:DescribeDBInstances", "rds:DescribeDBSubnetGroups", "rds:ListTagsForResource"),
        uses=frozenset({Use.DISCOVER, Use.OBSERVE}),
        session_actions=("rds:Describe*", "rds:List*"),
    ),
    Permission(
        actions=(
            "cloudwatch:GetMetricData",
            "ec2:DescribeSecurityGroups",
            "kms:DescribeKey",
            "rds:DescribeAccountAttributes",
            "rds:DescribeDBInstanceAutomatedBackups",
            "rds:DescribeDBParameterGroups",
            "rds:DescribeDBSnapshots",
            "rds:DescribeEvents",
            "rds:DescribeOrderableDBInstanceOptions",
        ),
        uses=frozenset({Use.OBSERVE}),
        session_actions=(
            "cloudwatch:GetMetricData",
            "ec2:DescribeSecurityGroups",
            "kms:DescribeKey",
            "rds:Describe*",
        ),
    ),
    Permission(
        actions=("rds:ModifyDBInstance",),
        uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP, Use.REPLICATE, Use.ROLLBACK}),
        resources=(_DB, _RETIRED),
        conditions=_ENABLED,
        modes=_REAL,
    ),
    Permission(
        actions=("rds:RebootDBInstance", "rds:AddTagsToResource"),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP}),
        resources=(_DB,),
        conditions=_ENABLED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("rds:PromoteReadReplica",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_DB,),
        conditions=_ENABLED,
        modes=_REAL,
    ),
    Permission(
        actions=("rds:StopDBInstanceAutomatedBackupsReplication",),
        uses=frozenset({Use.CLEANUP}),
        resources=(_DB,),
        conditions=_ENABLED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("rds:RemoveTagsFromResource",),
        uses=frozenset({Use.REPLICATE, Use.ROLLBACK}),
        resources=(f"{_HERE}:db:*",),
        conditions=_ENABLED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("rds:CreateDBInstanceReadReplica", "rds:AddTagsToResource"),
        uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
        resources=(f"{_HERE}:db:*", f"{_HERE}:cluster:*", *_AROUND),
        conditions=_ENABLES,
        modes=_PLANNED,
    ),
    Permission(
        actions=(
            "rds:CopyDBSnapshot",
            "rds:CreateDBSnapshot",
            "rds:StartDBInstanceAutomatedBackupsReplication",
            "rds:AddTagsToResource",
        ),
        uses=_CARRYING,
        resources=(_DB, *_CONTENT),
        conditions=_MADE_BY_RUN,
        modes=_PLANNED,
    ),
    Permission(
        actions=(
            "rds:RestoreDBInstanceFromDBSnapshot",
            "rds:RestoreDBInstanceToPointInTime",
            "rds:AddTagsToResource",
        ),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_DB, *_CONTENT, *_AROUND),
        conditions=_MADE_BY_RUN,
        modes=_REAL,
    ),
    Permission(
        actions=("rds:CrossRegionCommunication",),
        uses=_CARRYING,
        modes=_PLANNED,
    ),
    Permission(
        actions=("kms:CreateGrant",),
        uses=_CARRYING,
        resources=(_KEY,),
        conditions=_FOR_RDS,
    ),
    Permission(
        actions=("ec2:CreateSecurityGroup",),
        uses=_FENCING,
        resources=(_GROUP, "arn:{partition}:ec2:{region}:{account}:vpc/*"),
        modes=frozenset({Mode.PLANNED, Mode.DRILL}),
    ),
    Permission(
        actions=("ec2:CreateTags",),
        uses=_FENCING,
        resources=(_GROUP,),
        conditions=_MAKES_GROUP,
        modes=frozenset({Mode.PLANNED, Mode.DRILL}),
    ),
    Permission(
        actions=(
            "rds:CreateDBSnapshot",
            "rds:RestoreDBInstanceFromDBSnapshot",
            "rds:RestoreDBInstanceToPointInTime",
            "rds:AddTagsToResource",
        ),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_DB, f"{_HERE}:db:drill-*", *_CONTENT, *_AROUND),
        conditions=_MADE_BY_DRILL,
        modes=_DRILL,
    ),
    Permission(
        actions=("rds:DeleteDBInstance", "rds:DeleteDBSnapshot", "ec2:DeleteSecurityGroup"),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(f"{_HERE}:db:drill-*", f"{_HERE}:snapshot:drill-*", _GROUP),
        conditions=_DRILL_OWNS,
        modes=_DRILL,
    ),
    Permission(
        actions=("rds:ModifyDBInstance", "rds:DeleteDBInstance"),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_RETIRED,),
        conditions=_FENCED,
        modes=_PLANNED,
    ),
    Permission(
        actions=("rds:CreateDBSnapshot",),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_RETIRED, f"{_HERE}:snapshot:*-retired-*"),
        modes=_PLANNED,
    ),
)
