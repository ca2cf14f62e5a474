"""What RDS's spoke role may do. Data only."""

from __future__ import annotations

from adapters.permissions import (
    DRILL,
    DRILL_OWNS,
    ENABLED,
    ENABLES,
    FENCED,
    FENCING,
    KEYS,
    MADE_BY_DRILL,
    MADE_BY_RUN,
    MAKES_GROUP,
    MAKING,
    NOT_EMERGENCY,
    PLANNED,
    REAL,
    SECURITY_GROUP,
    granting_to,
)
from orchestrator.spec import Permission
from orchestrator.words import Use

_HERE = "arn:{partition}:rds:{region}:{account}"
_DB = f"{_HERE}:db:{{name}}"
_RETIRED = f"{_HERE}:db:*-retired-*"
_AROUND = (f"{_HERE}:subgrp:*", f"{_HERE}:pg:*", f"{_HERE}:og:*")
_CONTENT = (f"{_HERE}:snapshot:*", f"{_HERE}:auto-backup:*")
_FOR_RDS = granting_to("rds")

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
            "rds:DescribeOptionGroups",
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
        conditions=ENABLED,
        modes=REAL,
    ),
    Permission(
        actions=("rds:RebootDBInstance", "rds:AddTagsToResource"),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP}),
        resources=(_DB,),
        conditions=ENABLED,
        modes=PLANNED,
    ),
    Permission(
        actions=("rds:PromoteReadReplica",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_DB,),
        conditions=ENABLED,
        modes=REAL,
    ),
    Permission(
        actions=("rds:StopDBInstanceAutomatedBackupsReplication",),
        uses=frozenset({Use.CLEANUP}),
        resources=(_DB,),
        conditions=ENABLED,
        modes=PLANNED,
    ),
    Permission(
        actions=("rds:RemoveTagsFromResource",),
        uses=frozenset({Use.REPLICATE, Use.ROLLBACK}),
        resources=(f"{_HERE}:db:*",),
        conditions=ENABLED,
        modes=PLANNED,
    ),
    Permission(
        actions=("rds:CreateDBInstanceReadReplica", "rds:AddTagsToResource"),
        uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
        resources=(f"{_HERE}:db:*", f"{_HERE}:cluster:*", *_AROUND),
        conditions=ENABLES,
        modes=PLANNED,
    ),
    Permission(
        actions=(
            "rds:CopyDBSnapshot",
            "rds:CreateDBSnapshot",
            "rds:StartDBInstanceAutomatedBackupsReplication",
            "rds:AddTagsToResource",
        ),
        uses=MAKING,
        resources=(_DB, *_CONTENT),
        conditions=MADE_BY_RUN,
        modes=PLANNED,
    ),
    Permission(
        actions=(
            "rds:RestoreDBInstanceFromDBSnapshot",
            "rds:RestoreDBInstanceToPointInTime",
            "rds:AddTagsToResource",
        ),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_DB, *_CONTENT, *_AROUND),
        conditions=MADE_BY_RUN,
        modes=REAL,
    ),
    Permission(
        actions=("rds:CrossRegionCommunication",),
        uses=MAKING,
        modes=PLANNED,
    ),
    Permission(
        actions=("kms:CreateGrant",),
        uses=MAKING,
        resources=(KEYS,),
        conditions=_FOR_RDS,
    ),
    Permission(
        actions=("ec2:CreateSecurityGroup",),
        uses=FENCING,
        resources=(SECURITY_GROUP, "arn:{partition}:ec2:{region}:{account}:vpc/*"),
        modes=NOT_EMERGENCY,
    ),
    Permission(
        actions=("ec2:CreateTags",),
        uses=FENCING,
        resources=(SECURITY_GROUP,),
        conditions=MAKES_GROUP,
        modes=NOT_EMERGENCY,
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
        conditions=MADE_BY_DRILL,
        modes=DRILL,
    ),
    Permission(
        actions=("rds:DeleteDBInstance", "rds:DeleteDBSnapshot", "ec2:DeleteSecurityGroup"),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(f"{_HERE}:db:drill-*", f"{_HERE}:snapshot:drill-*", SECURITY_GROUP),
        conditions=DRILL_OWNS,
        modes=DRILL,
    ),
    Permission(
        actions=("rds:ModifyDBInstance", "rds:DeleteDBInstance"),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_RETIRED,),
        conditions=FENCED,
        modes=PLANNED,
    ),
    Permission(
        actions=("rds:CreateDBSnapshot",),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_RETIRED, f"{_HERE}:snapshot:*-retired-*"),
        modes=PLANNED,
    ),
)
