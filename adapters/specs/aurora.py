"""Aurora's declaration. Sources: Aurora user guide "Using Amazon Aurora Global Database"; RDS API reference."""

from __future__ import annotations

from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Mode, Phase, Use

_CLUSTER = "arn:{partition}:rds:{region}:{account}:cluster:{name}"
_GLOBAL = "arn:{partition}:rds::{account}:global-cluster:*"
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
            name="global-database",
            title="Aurora global database: managed switchover, or failover with data loss",
            planned_loss="none",
            emergency_loss="replication lag, typically under 5 seconds",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 4, Phase.CLEANUP: 0, Phase.REPLICATE: 2},
            rollback_until="planned: at any time, by switching over again; emergency: not after the failover call",
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
            resources=(_CLUSTER, "arn:{partition}:rds:{region}:{account}:db:*"),
            modes=frozenset({Mode.PLANNED, Mode.EMERGENCY}),
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
    deadline_minutes=60,
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
