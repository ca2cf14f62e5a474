"""Aurora's declaration.

Sources: Aurora user guide "Using Amazon Aurora Global Database", "Replicating Amazon Aurora MySQL DB clusters across AWS
Regions"; RDS API reference.
"""

from __future__ import annotations

from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Mode, Phase, Use

GLOBAL_DATABASE = "global-database"
CROSS_REGION_REPLICA = "cross-region-replica"

_CLUSTER = "arn:{partition}:rds:{region}:{account}:cluster:{name}"
_GLOBAL = "arn:{partition}:rds::{account}:global-cluster:*"
_DB = "arn:{partition}:rds:{region}:{account}:db:*"
_RETIRED = "arn:{partition}:rds:{region}:{account}:cluster:*-retired-*"
_GROUP = "arn:{partition}:ec2:{region}:{account}:security-group/*"
_KEY = "arn:{partition}:kms:{region}:{account}:key/*"
_ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
_MADE_BY_RUN = {"Null": {"aws:RequestTag/dr:execution-id": "false"}}
_MAKES_GROUP = {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}
_FOR_RDS = {"StringLike": {"kms:ViaService": "rds.*.amazonaws.com"}, "Bool": {"kms:GrantIsForAWSResource": "true"}}
_PLANNED = frozenset({Mode.PLANNED})
_REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})
_FENCING = frozenset({Use.ACTIVATE, Use.CLEANUP})
_DRILL_OWNS = {"Null": {"aws:ResourceTag/dr:drill-id": "false"}}
_DRILL = frozenset({Mode.DRILL})
_DRILL_THINGS = (
    "arn:{partition}:rds:{region}:{account}:cluster:drill-*",
    "arn:{partition}:rds:{region}:{account}:db:drill-*",
    "arn:{partition}:rds:{region}:{account}:cluster-snapshot:drill-*",
)

SPEC = Spec(
    key="aurora",
    title="Amazon Aurora",
    resource_types=("rds:cluster",),
    companion_types=("rds:global-cluster", "rds:cluster-snapshot", "rds:cluster-auto-backup", "rds:cluster-pg"),
    manifest_actions=("AuroraMySQL", "AuroraPostgreSQL"),
    strategies=(
        Strategy(
            name=GLOBAL_DATABASE,
            title="Aurora global database: managed switchover, or failover with data loss",
            planned_loss="none",
            emergency_loss="replication lag, typically under 5 seconds",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 4, Phase.CLEANUP: 0, Phase.REPLICATE: 2},
            rollback_until="planned: at any time, by switching over again; emergency: not after the failover call",
        ),
        Strategy(
            name=CROSS_REGION_REPLICA,
            title="Aurora MySQL binlog replica: fence, drain and promote; a new replica cluster is the way back",
            planned_loss="none",
            emergency_loss="binlog lag, typically seconds",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 12, Phase.CLEANUP: 2, Phase.REPLICATE: 30},
            rollback_until="until the replica cluster is promoted; afterwards: failback",
        ),
    ),
    permissions=(
        Permission(
            actions=("rds:DescribeDBClusters", "rds:DescribeGlobalClusters"),
            uses=frozenset({Use.DISCOVER, Use.OBSERVE}),
        ),
        Permission(actions=("rds:DescribeDBInstances",), uses=frozenset({Use.OBSERVE})),
        Permission(actions=("rds:DescribeDBClusterSnapshots",), uses=frozenset({Use.OBSERVE}), modes=_DRILL),
        Permission(actions=("cloudwatch:GetMetricData",), uses=frozenset({Use.OBSERVE})),
        Permission(
            actions=("rds:SwitchoverGlobalCluster",),
            uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
            resources=(_CLUSTER, _GLOBAL),
            modes=frozenset({Mode.PLANNED}),
        ),
        Permission(
            actions=("rds:FailoverGlobalCluster", "rds:RemoveFromGlobalCluster"),
            uses=frozenset({Use.ACTIVATE}),
            resources=(_CLUSTER, _GLOBAL),
            modes=frozenset({Mode.EMERGENCY}),
        ),
        Permission(
            actions=("rds:CreateDBInstance", "rds:AddTagsToResource"),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE}),
            resources=(_CLUSTER, _DB),
            modes=_REAL,
        ),
        Permission(
            actions=("ec2:DescribeSecurityGroups", "rds:DescribeEvents"),
            uses=frozenset({Use.OBSERVE}),
            modes=_PLANNED,
        ),
        Permission(
            actions=("ec2:CreateSecurityGroup",),
            uses=_FENCING,
            resources=(_GROUP, "arn:{partition}:ec2:{region}:{account}:vpc/*"),
            modes=_PLANNED,
        ),
        Permission(
            actions=("ec2:CreateTags",), uses=_FENCING, resources=(_GROUP,), conditions=_MAKES_GROUP, modes=_PLANNED
        ),
        Permission(
            actions=("rds:ModifyDBCluster", "rds:AddTagsToResource"),
            uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
            resources=(_CLUSTER, _RETIRED),
            conditions=_ENABLED,
            modes=_PLANNED,
        ),
        Permission(actions=("rds:RebootDBInstance",), uses=frozenset({Use.ACTIVATE}), resources=(_DB,), modes=_PLANNED),
        Permission(
            actions=("rds:PromoteReadReplicaDBCluster",),
            uses=frozenset({Use.ACTIVATE}),
            resources=(_CLUSTER,),
            conditions=_ENABLED,
            modes=_REAL,
        ),
        Permission(
            actions=("rds:RemoveTagsFromResource",),
            uses=frozenset({Use.REPLICATE, Use.ROLLBACK}),
            resources=(_CLUSTER, _RETIRED),
            conditions=_ENABLED,
            modes=_PLANNED,
        ),
        Permission(
            actions=("rds:CreateDBCluster", "rds:CreateDBInstance", "rds:AddTagsToResource"),
            uses=frozenset({Use.REPLICATE}),
            resources=(
                _CLUSTER,
                _DB,
                "arn:{partition}:rds:{region}:{account}:subgrp:*",
                "arn:{partition}:rds:{region}:{account}:cluster-pg:*",
            ),
            conditions=_MADE_BY_RUN,
            modes=_PLANNED,
        ),
        Permission(actions=("rds:CrossRegionCommunication",), uses=frozenset({Use.REPLICATE}), modes=_PLANNED),
        Permission(actions=("kms:DescribeKey",), uses=frozenset({Use.REPLICATE}), resources=(_KEY,), modes=_PLANNED),
        Permission(
            actions=("kms:CreateGrant",),
            uses=frozenset({Use.REPLICATE}),
            resources=(_KEY,),
            conditions=_FOR_RDS,
            modes=_PLANNED,
        ),
        Permission(
            actions=("rds:CreateDBClusterSnapshot",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(_CLUSTER, "arn:{partition}:rds:{region}:{account}:cluster-snapshot:drill-*"),
            modes=_DRILL,
        ),
        Permission(
            actions=("rds:RestoreDBClusterFromSnapshot", "rds:CreateDBInstance", "rds:AddTagsToResource"),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(
                *_DRILL_THINGS,
                "arn:{partition}:rds:{region}:{account}:subgrp:*",
                "arn:{partition}:rds:{region}:{account}:cluster-pg:*",
                "arn:{partition}:rds:{region}:{account}:pg:*",
                "arn:{partition}:rds:{region}:{account}:og:*",
            ),
            modes=_DRILL,
        ),
        Permission(
            actions=("rds:DeleteDBInstance", "rds:DeleteDBCluster", "rds:DeleteDBClusterSnapshot"),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=_DRILL_THINGS,
            conditions=_DRILL_OWNS,
            modes=_DRILL,
        ),
    ),
    documentation="https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html",
    poll_seconds=15,
    deadline_minutes=180,
    refuses=(
        "It deletes, detaches or stops no member of a global cluster after a switch, also not in a decommission: the old "
        "writer's cluster is the reverse replica.",
        "It uses FailoverGlobalCluster only in an emergency, with AllowDataLoss; a planned run switches over, without loss.",
        "It switches over to no cluster that is not connected, and to none of another engine version: AWS rejects that.",
        "It rebuilds no global database after an emergency had to detach the target; REPLICATE waits until somebody has.",
        "It promotes no binlog replica in a planned run before its lag is zero at three datapoints behind the fence.",
        "It starts no planned run where both clusters take writes and neither follows the other.",
        "It copies no cluster snapshots across Regions: the strategy snapshot-copy is not offered for Aurora.",
        "It takes no DocumentDB, Neptune and Multi-AZ DB clusters, which Resource Explorer lists as rds:cluster too.",
    ),
    limits=(
        "Both clusters belong to one account (Aurora user guide, Aurora Global Database limitations); one secondary Region is "
        "assumed.",
        "Managed switchovers and failovers need the same major and minor engine version on both sides, for some versions the "
        "same patch level too (Aurora user guide, patch level compatibility for managed cross-Region switchovers).",
        "A global database offers no Backtrack, no Serverless v1 and no stop or start of its clusters (Aurora user guide, "
        "limitations).",
        "Parameter group, alarms, IAM roles and RDS Proxy targets belong to each cluster and are not carried over.",
        "With rds.global_db_rpo a PostgreSQL writer blocks commits while no secondary keeps up, also right after a failover.",
        "After a forced failover Aurora keeps lost writes in a snapshot rds:unplanned-global-failover-<name>-<time> of the old "
        "cluster, for as long as that cluster keeps backups: copy it when the Region is back (Aurora user guide).",
        "Applications should use the global writer endpoint, or a DNS name with a TTL of 5 s at most.",
        "Binlog replicas are for Aurora MySQL, with binary logging on in the cluster parameter groups of both sides, one account, "
        "five replica clusters at most (Aurora user guide, replicating Aurora MySQL DB clusters across Regions).",
        "A cluster retired by a failover of a binlog replica stays and costs money until somebody deletes it.",
        "The in-VPC probe of a drill's copy needs rules for the default security group, which the copy is restored with.",
    ),
    unconfirmed=(
        "Whether a secondary cluster may be cloned copy-on-write: a drill takes a snapshot and restores that.",
        "Whether binlog replication passes through the source's security groups: a fence that cut it would show as a lag of -1, "
        "and the run stops before the promotion.",
        "The texts of a global cluster's Status while roles change: FailoverState tells the progress instead.",
        "How long a switchover that waits for a lost Region hangs: an emergency watches it for 120 s, then detaches the target.",
    ),
)

AURORA_ENGINES = ("aurora-mysql", "aurora-postgresql")
FAILED_STATUSES = (
    "failed",
    "inaccessible-encryption-credentials",
    "cloning-failed",
    "migration-failed",
)
DETACH_AFTER_SECONDS = 900
"""How long a forced failover may stay without effect before the target is detached instead."""
HUNG_SWITCHOVER_SECONDS = 120
"""How long an emergency run watches a switchover that was begun before it, and that the lost Region cannot finish."""
CLUSTER_MISSING = ("DBClusterNotFoundFault",)
GLOBAL_MISSING = ("GlobalClusterNotFoundFault",)
SNAPSHOT_MISSING = ("DBClusterSnapshotNotFoundFault",)
DEFAULT_INSTANCE_CLASS = "db.r6g.large"
PLATFORM_TAGS = ("dr:fenced", "dr:execution-id", "dr:drill-id")
DATAPOINTS_AT_ZERO = 3
DRAIN_BOUND_SECONDS = 1800
"""How long lag may stay above zero behind the fence before a person is asked."""
PROMOTION_BOUND_SECONDS = 3600
EVENT_RESTARTED = "restarted"
NAME_LIMIT = 63
