"""What Aurora's spoke role may do. Data only."""

from __future__ import annotations

from orchestrator.spec import Permission
from orchestrator.words import Mode, Use

_HERE = "arn:{partition}:rds:{region}:{account}"
_CLUSTER = f"{_HERE}:cluster:{{name}}"
_GLOBAL = "arn:{partition}:rds::{account}:global-cluster:*"
_DB = f"{_HERE}:db:*"
_RETIRED = f"{_HERE}:cluster:*-retired-*"
_SNAPSHOT = f"{_HERE}:cluster-snapshot:*"
_AROUND = (f"{_HERE}:subgrp:*", f"{_HERE}:cluster-pg:*")
_GROUP = "arn:{partition}:ec2:{region}:{account}:security-group/*"
_VPC = "arn:{partition}:ec2:{region}:{account}:vpc/*"
_KEY = "arn:{partition}:kms:{region}:{account}:key/*"
_ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
_ENABLES = {"StringEquals": {"aws:RequestTag/dr:enabled": "true"}}
_NOT_ENABLED = {"Null": {"aws:ResourceTag/dr:enabled": "true"}}
_FENCED = {"Null": {"aws:ResourceTag/dr:fenced": "false"}}
_MADE_BY_RUN = {"Null": {"aws:RequestTag/dr:execution-id": "false"}}
_MAKES_GROUP = {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}
_FOR_RDS = {"StringLike": {"kms:ViaService": "rds.*.amazonaws.com"}, "Bool": {"kms:GrantIsForAWSResource": "true"}}
_DRILL_OWNS = {"Null": {"aws:ResourceTag/dr:drill-id": "false"}}
_MADE_BY_DRILL = {"Null": {"aws:RequestTag/dr:drill-id": "false"}}
_PLANNED = frozenset({Mode.PLANNED})
_REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})
_DRILL = frozenset({Mode.DRILL})
_GROUPS_IN = frozenset({Mode.PLANNED, Mode.DRILL})
_FENCING = frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP})
_CARRYING = frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.REPLICATE})
_MAKING = frozenset({Use.INSTANTIATE, Use.REPLICATE})
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
        modes=_PLANNED,
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
        uses=_CARRYING,
        resources=(_CLUSTER, _DB),
        conditions=_MADE_BY_RUN,
        modes=_REAL,
    ),
    Permission(actions=("ec2:CreateSecurityGroup",), uses=_FENCING, resources=(_GROUP, _VPC), modes=_GROUPS_IN),
    Permission(
        actions=("ec2:CreateTags",), uses=_FENCING, resources=(_GROUP,), conditions=_MAKES_GROUP, modes=_GROUPS_IN
    ),
    Permission(
        actions=("rds:ModifyDBCluster", "rds:AddTagsToResource"),
        uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
        resources=(_CLUSTER, _RETIRED),
        conditions=_ENABLED,
        modes=_PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:RebootDBInstance",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_DB,),
        modes=_PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:PromoteReadReplicaDBCluster",),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_CLUSTER,),
        conditions=_ENABLED,
        modes=_REAL,
        strategies=_REPLICA,
    ),
    Permission(
        actions=("rds:RemoveTagsFromResource",),
        uses=frozenset({Use.REPLICATE, Use.ROLLBACK}),
        resources=(_CLUSTER, _RETIRED),
        conditions=_ENABLED,
        modes=_PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:CreateDBCluster", "rds:CreateGlobalCluster", "rds:AddTagsToResource"),
        uses=_MAKING,
        resources=(_CLUSTER, _GLOBAL, *_AROUND),
        conditions=_MADE_BY_RUN,
        modes=_PLANNED,
        strategies=_STANDING,
    ),
    Permission(
        actions=("rds:CopyDBClusterSnapshot", "rds:CreateDBClusterSnapshot", "rds:AddTagsToResource"),
        uses=_CARRYING,
        resources=(_CLUSTER, _SNAPSHOT),
        conditions=_MADE_BY_RUN,
        modes=_PLANNED,
        strategies=_SNAPSHOTS,
    ),
    Permission(
        actions=("rds:AddTagsToResource",),
        uses=frozenset({Use.REPLICATE}),
        resources=(f"{_HERE}:subgrp:*",),
        conditions=_ENABLES,
        modes=_PLANNED,
        strategies=_SNAPSHOTS,
    ),
    Permission(
        actions=("rds:RestoreDBClusterFromSnapshot", "rds:AddTagsToResource"),
        uses=frozenset({Use.ACTIVATE}),
        resources=(_CLUSTER, _SNAPSHOT, *_AROUND),
        conditions=_MADE_BY_RUN,
        modes=_REAL,
        strategies=_SNAPSHOTS,
    ),
    Permission(actions=("rds:CrossRegionCommunication",), uses=_CARRYING, modes=_PLANNED),
    Permission(
        actions=("kms:CreateGrant",),
        uses=_CARRYING,
        resources=(_KEY,),
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
        conditions=_MADE_BY_DRILL,
        modes=_DRILL,
    ),
    Permission(
        actions=(
            "rds:DeleteDBInstance",
            "rds:DeleteDBCluster",
            "rds:DeleteDBClusterSnapshot",
            "ec2:DeleteSecurityGroup",
        ),
        uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
        resources=(*_DRILL_THINGS, _GROUP),
        conditions=_DRILL_OWNS,
        modes=_DRILL,
    ),
    Permission(
        actions=("rds:ModifyDBCluster", "rds:DeleteDBCluster", "rds:CreateDBClusterSnapshot"),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_RETIRED,),
        conditions=_FENCED,
        modes=_PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:DeleteDBInstance",),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(_DB, _RETIRED),
        conditions=_NOT_ENABLED,
        modes=_PLANNED,
        strategies=_RETIRING,
    ),
    Permission(
        actions=("rds:CreateDBClusterSnapshot", "rds:DeleteDBCluster"),
        uses=frozenset({Use.DECOMMISSION}),
        resources=(f"{_HERE}:cluster-snapshot:*-retired-*",),
        modes=_PLANNED,
        strategies=_RETIRING,
    ),
)
