"""What Aurora's spoke role may do. Data only."""

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
from orchestrator.words import Mode, Use

_HERE = "arn:{partition}:rds:{region}:{account}"
_CLUSTER = f"{_HERE}:cluster:{{name}}"
_GLOBAL = "arn:{partition}:rds::{account}:global-cluster:*"
_DB = f"{_HERE}:db:*"
_RETIRED = f"{_HERE}:cluster:*-retired-*"
_SNAPSHOT = f"{_HERE}:cluster-snapshot:*"
_AROUND = (f"{_HERE}:subgrp:*", f"{_HERE}:cluster-pg:*")
_VPC = "arn:{partition}:ec2:{region}:{account}:vpc/*"
_NOT_ENABLED = {"Null": {"aws:ResourceTag/dr:enabled": "true"}}
_FOR_RDS = granting_to("rds")
_STANDBY = frozenset({Use.INSTANTIATE, Use.REPLICATE})
_GLOBAL_ONLY = ("global-database",)
_REPLICA = ("cross-region-replica",)
_SNAPSHOTS = ("snapshot-copy",)
_RETIRING = (*_REPLICA, *_SNAPSHOTS)
_STANDING = (*_GLOBAL_ONLY, *_REPLICA)
_DRILL_THINGS = (
    f"{_HERE}:cluster:drill-*",
    f"{_HERE}:db:drill-*",
    f"{_HERE}:cluster-snapshot:drill-*",
)

PERMISSIONS = (
    Permission(
        actions=(
            "rds:DescribeDBClusters",
            "rds:DescribeDBInstances",
            "rds:DescribeDBSubnetGroups",
            "rds:DescribeGlobalClusters",
            "rds:ListTagsForResource",
        ),
        uses=frozenset({Use.DISCOVER, Use.OBSERVE}),
        session_actions=("rds:Describe*", "rds:List*"),
    ),
    Permission(
        actions=(
            "cloudwatch:GetMetricData",
            "ec2:DescribeSecurityGroups",
            "kms:DescribeKey",
            "rds:DescribeAccountAttributes",
            "rds:DescribeDBClusterParameterGroups",
            "rds:DescribeDBClusterSnapshots",
            "rds:DescribeEvents",
            "rds:DescribeOrderableDBInstanceOptions",
        ),
        uses=frozenset({Use.OBSERVE}),
        session_actions=("cloudwatch:GetMetricData", "ec2:DescribeSecurityGroups", "kms:DescribeKey", "rds:Describe*"),
    ),
    Permission(
        actions=("rds:SwitchoverGlobalCluster",),
        uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
        resources=(_CLUSTER, _GLOBAL),
        modes=PLANNED,
        strategies=_GLOBAL_ONLY,
    ),
    Permission(
        actions=("rds:FailoverGlobalCluster", "rds:RemoveFromGlobalCluster"),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_CLUSTER, _GLOBAL),
        modes=frozenset({Mode.EMERGENCY}),
        strategies=_GLOBAL_ONLY,
    ),
    Permission(
        actions=("rds:CreateDBInstance", "rds:AddTagsToResource"),
        uses=MAKING,
        resources=(_CLUSTER, _DB),
        conditions=MADE_BY_RUN,
        modes=REAL,
    ),
    Permission(
        actions=("ec2:CreateSecurityGroup",), uses=FENCING, resources=(SECURITY_GROUP, _VPC), modes=NOT_EMERGENCY
    ),
    Permission(
        actions=("ec2:CreateTags",),
        uses=FENCING,
        resources=(SECURITY_GROUP,),
        conditions=MAKES_GROUP,
        modes=NOT_EMERGENCY,
    ),
    Permission(
        actions=("rds:ModifyDBCluster", "rds:AddTagsToResource"),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
        resources=(_CLUSTER, _RETIRED),
        conditions=ENABLED,
        modes=PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:RebootDBInstance",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_DB,),
        modes=PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:PromoteReadReplicaDBCluster",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_CLUSTER,),
        conditions=ENABLED,
        modes=REAL,
        strategies=_REPLICA,
    ),
    Permission(
        actions=("rds:RemoveTagsFromResource",),
        uses=frozenset({Use.REPLICATE, Use.ROLLBACK}),
        resources=(_CLUSTER, _RETIRED),
        conditions=ENABLED,
        modes=PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:CreateDBCluster", "rds:CreateGlobalCluster", "rds:AddTagsToResource"),
        uses=_STANDBY,
        resources=(_CLUSTER, _GLOBAL, *_AROUND),
        conditions=MADE_BY_RUN,
        modes=PLANNED,
        strategies=_STANDING,
    ),
    Permission(
        actions=("rds:CopyDBClusterSnapshot", "rds:CreateDBClusterSnapshot", "rds:AddTagsToResource"),
        uses=MAKING,
        resources=(_CLUSTER, _SNAPSHOT),
        conditions=MADE_BY_RUN,
        modes=PLANNED,
        strategies=_SNAPSHOTS,
    ),
    Permission(
        actions=("rds:AddTagsToResource",),
        uses=frozenset({Use.REPLICATE}),
        resources=(f"{_HERE}:subgrp:*",),
        conditions=ENABLES,
        modes=PLANNED,
        strategies=_SNAPSHOTS,
    ),
    Permission(
        actions=("rds:RestoreDBClusterFromSnapshot", "rds:AddTagsToResource"),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_CLUSTER, _SNAPSHOT, *_AROUND),
        conditions=MADE_BY_RUN,
        modes=REAL,
        strategies=_SNAPSHOTS,
    ),
    Permission(actions=("rds:CrossRegionCommunication",), uses=MAKING, modes=PLANNED),
    Permission(
        actions=("kms:CreateGrant",),
        uses=MAKING,
        resources=(KEYS,),
        conditions=_FOR_RDS,
    ),
    Permission(
        actions=(
            "rds:CreateDBClusterSnapshot",
            "rds:RestoreDBClusterFromSnapshot",
            "rds:CreateDBInstance",
            "rds:AddTagsToResource",
        ),
        uses=frozenset({Use.INSTANTIATE}),
        resources=(_CLUSTER, *_DRILL_THINGS, _SNAPSHOT, *_AROUND, f"{_HERE}:pg:*", f"{_HERE}:og:*"),
        conditions=MADE_BY_DRILL,
        modes=DRILL,
    ),
    Permission(
        actions=(
            "rds:DeleteDBInstance",
            "rds:DeleteDBCluster",
            "rds:DeleteDBClusterSnapshot",
            "ec2:DeleteSecurityGroup",
        ),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(*_DRILL_THINGS, SECURITY_GROUP),
        conditions=DRILL_OWNS,
        modes=DRILL,
    ),
    Permission(
        actions=("rds:ModifyDBCluster", "rds:DeleteDBCluster", "rds:CreateDBClusterSnapshot"),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_RETIRED,),
        conditions=FENCED,
        modes=PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:DeleteDBInstance",),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_DB, _RETIRED),
        conditions=_NOT_ENABLED,
        modes=PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:CreateDBClusterSnapshot", "rds:DeleteDBCluster"),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(f"{_HERE}:cluster-snapshot:*-retired-*",),
        modes=PLANNED,
        strategies=_RETIRING,
    ),
)
