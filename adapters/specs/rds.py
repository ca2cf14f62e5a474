"""RDS's declaration. Sources: RDS user guide "Working with DB instance read replicas"; RDS API reference."""

from __future__ import annotations

from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Mode, Phase, Use

_DB = "arn:{partition}:rds:{region}:{account}:db:{name}"
_RETIRED = "arn:{partition}:rds:{region}:{account}:db:*-retired-*"
_GROUP = "arn:{partition}:ec2:{region}:{account}:security-group/*"
_KEY = "arn:{partition}:kms:{region}:{account}:key/*"
_ENABLED = {"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}
_MAKES_GROUP = {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}
_DRILL_OWNS = {"Null": {"aws:ResourceTag/dr:drill-id": "false"}}
_FOR_RDS = {"StringLike": {"kms:ViaService": "rds.*.amazonaws.com"}, "Bool": {"kms:GrantIsForAWSResource": "true"}}
_PLANNED = frozenset({Mode.PLANNED})
_DRILL = frozenset({Mode.DRILL})
_REAL = frozenset({Mode.PLANNED, Mode.EMERGENCY})

SPEC = Spec(
    key="rds",
    title="Amazon RDS",
    resource_types=("rds:db",),
    companion_types=("rds:snapshot", "rds:auto-backup", "rds:subgrp", "rds:pg", "rds:og"),
    manifest_actions=("RDSMySQL", "RDSPostgreSQL", "RDSMariaDB"),
    strategies=(
        Strategy(
            name="read-replica",
            title="Cross-Region read replica: fence, drain, promote, replicate the other way",
            planned_loss="none",
            emergency_loss="replication lag, typically seconds",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 12, Phase.CLEANUP: 3, Phase.REPLICATE: 15},
            rollback_until="until the promotion is called; afterwards a failback brings the data home",
        ),
    ),
    permissions=(
        Permission(actions=("rds:DescribeDBInstances",), uses=frozenset({Use.DISCOVER, Use.OBSERVE})),
        Permission(
            actions=(
                "cloudwatch:GetMetricData",
                "ec2:DescribeSecurityGroups",
                "kms:DescribeKey",
                "rds:DescribeAccountAttributes",
                "rds:DescribeEvents",
            ),
            uses=frozenset({Use.OBSERVE}),
        ),
        Permission(actions=("rds:DescribeDBSnapshots",), uses=frozenset({Use.OBSERVE}), modes=_DRILL),
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
            actions=("rds:RemoveTagsFromResource",),
            uses=frozenset({Use.REPLICATE, Use.ROLLBACK}),
            resources=("arn:{partition}:rds:{region}:{account}:db:*",),
            conditions=_ENABLED,
            modes=_PLANNED,
        ),
        Permission(
            actions=("rds:CreateDBInstanceReadReplica", "rds:AddTagsToResource"),
            uses=frozenset({Use.REPLICATE}),
            resources=(
                "arn:{partition}:rds:{region}:{account}:db:*",
                "arn:{partition}:rds:{region}:{account}:cluster:*",
                "arn:{partition}:rds:{region}:{account}:subgrp:*",
                "arn:{partition}:rds:{region}:{account}:pg:*",
                "arn:{partition}:rds:{region}:{account}:og:*",
            ),
            conditions={"StringEquals": {"aws:RequestTag/dr:enabled": "true"}},
            modes=_PLANNED,
        ),
        Permission(actions=("rds:CrossRegionCommunication",), uses=frozenset({Use.REPLICATE}), modes=_PLANNED),
        Permission(
            actions=("kms:CreateGrant",),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
            resources=(_KEY,),
            conditions=_FOR_RDS,
            modes=frozenset({Mode.PLANNED, Mode.DRILL}),
        ),
        Permission(
            actions=("ec2:CreateSecurityGroup",),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP}),
            resources=(_GROUP, "arn:{partition}:ec2:{region}:{account}:vpc/*"),
            modes=frozenset({Mode.PLANNED, Mode.DRILL}),
        ),
        Permission(
            actions=("ec2:CreateTags",),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP}),
            resources=(_GROUP,),
            conditions=_MAKES_GROUP,
            modes=frozenset({Mode.PLANNED, Mode.DRILL}),
        ),
        Permission(
            actions=("rds:CreateDBSnapshot", "rds:RestoreDBInstanceFromDBSnapshot", "rds:AddTagsToResource"),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(
                _DB,
                "arn:{partition}:rds:{region}:{account}:db:drill-*",
                "arn:{partition}:rds:{region}:{account}:snapshot:drill-*",
                "arn:{partition}:rds:{region}:{account}:subgrp:*",
                "arn:{partition}:rds:{region}:{account}:pg:*",
                "arn:{partition}:rds:{region}:{account}:og:*",
            ),
            conditions={"Null": {"aws:RequestTag/dr:drill-id": "false"}},
            modes=_DRILL,
        ),
        Permission(
            actions=("rds:DeleteDBInstance", "rds:DeleteDBSnapshot", "ec2:DeleteSecurityGroup"),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(
                "arn:{partition}:rds:{region}:{account}:db:drill-*",
                "arn:{partition}:rds:{region}:{account}:snapshot:drill-*",
                _GROUP,
            ),
            conditions=_DRILL_OWNS,
            modes=_DRILL,
        ),
    ),
    documentation="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.html",
    poll_seconds=15,
    deadline_minutes=360,
)

REPLICATED_ENGINES = ("mysql", "mariadb", "postgres")
"""Engines whose replica is promoted and whose way back is a new replica. Oracle switches over, SQL Server and Db2 need
licences and editions for replicas: none of them is told yet.
"""
KNOWN_ENGINES = (*REPLICATED_ENGINES, "oracle", "sqlserver", "db2")
PLATFORM_TAGS = ("dr:fenced", "dr:execution-id", "dr:drill-id")
INSTANCE_MISSING = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
SNAPSHOT_MISSING = ("DBSnapshotNotFound", "DBSnapshotNotFoundFault")
FAILED_STATUSES = (
    "failed",
    "incompatible-credentials",
    "incompatible-create",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "insufficient-capacity",
    "restore-error",
    "storage-full",
)
DATAPOINTS_AT_ZERO = 3
DRAIN_BOUND_SECONDS = 1800
"""How long lag may stay above zero behind the fence before a person is asked."""
PROMOTION_BOUND_SECONDS = 3600
EVENT_RESTARTED = "restarted"
NAME_LIMIT = 63
