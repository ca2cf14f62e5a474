"""ElastiCache's declaration. Sources: ElastiCache user guide "Replication across AWS Regions using global datastores",
"Exporting a backup", "Seeding a new cluster with an externally created backup"; ElastiCache API reference.
"""

from __future__ import annotations

from adapters.permissions import (
    DRILL,
    DRILL_OWNS,
    ENABLED,
    FENCE_GROUP,
    MADE_BY_DRILL,
    MADE_BY_RUN,
    MAKING,
    PLANNED,
    REAL,
    SECURITY_GROUP,
    grant_through,
)
from adapters.quotas import reads_quota
from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Mode, Phase, Use

GLOBAL_DATASTORE = "global-datastore"
BACKUP_RESTORE = "backup-restore"
REBUILD = "rebuild"

_HERE = "arn:{partition}:elasticache:{region}:{account}"
_ANYTHING = f"{_HERE}:*"
"""Making a group names its cluster, parameter, subnet, security and user groups, a snapshot and a global datastore."""
_GROUP = f"{_HERE}:replicationgroup:{{name}}*"
"""The group of a resource, and one that a run makes beside it, `<name>-<run>`."""
_CLUSTERS = f"{_HERE}:cluster:*"
_SNAPSHOTS = f"{_HERE}:snapshot:*"
_DATASTORES = "arn:{partition}:elasticache::{account}:globalreplicationgroup:*"

SPEC = Spec(
    key="elasticache",
    title="Amazon ElastiCache",
    resource_types=("elasticache:replicationgroup", "elasticache:subnetgroup"),
    companion_types=(
        "elasticache:cluster",
        "elasticache:globalreplicationgroup",
        "elasticache:parametergroup",
        "elasticache:snapshot",
        "elasticache:user",
        "elasticache:usergroup",
    ),
    manifest_actions=("ElastiCache", "ElastiCacheRedis", "ElastiCacheValkey"),
    strategies=(
        Strategy(
            name=GLOBAL_DATASTORE,
            title="Global datastore: fence, drain, promote the secondary; the old primary follows it",
            planned_loss="none, once the application has let go of its connections",
            emergency_loss="replication lag, typically about 1 s",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 10, Phase.CLEANUP: 1, Phase.REPLICATE: 5},
            rollback_until="by promoting the old primary again; after an emergency detachment there is no way back",
        ),
        Strategy(
            name=BACKUP_RESTORE,
            title="Export to S3, replicated by S3, restored as a new group",
            planned_loss="none, once the application has let go of its connections",
            emergency_loss="everything written since the newest export that reached the target side",
            typical_minutes={Phase.INSTANTIATE: 15, Phase.ACTIVATE: 35, Phase.CLEANUP: 1, Phase.REPLICATE: 15},
            rollback_until="until the restore is called; afterwards a failback brings the data home",
        ),
        Strategy(
            name=REBUILD,
            title="A new, empty group; the cache warms itself",
            planned_loss="the whole cache, by design",
            emergency_loss="the whole cache, by design",
            typical_minutes={Phase.INSTANTIATE: 15, Phase.ACTIVATE: 15, Phase.CLEANUP: 5, Phase.REPLICATE: 1},
            rollback_until="at any time: the source side is fenced by CLEANUP only, and opened again by its rollback",
        ),
    ),
    permissions=(
        Permission(
            actions=(
                "elasticache:DescribeCacheClusters",
                "elasticache:DescribeCacheSubnetGroups",
                "elasticache:DescribeGlobalReplicationGroups",
                "elasticache:DescribeReplicationGroups",
                "elasticache:ListTagsForResource",
            ),
            uses=frozenset({Use.DISCOVER, Use.OBSERVE}),
            session_actions=("elasticache:Describe*", "elasticache:List*"),
        ),
        Permission(
            actions=(
                "cloudwatch:GetMetricData",
                "ec2:DescribeSecurityGroups",
                "elasticache:DescribeCacheParameterGroups",
                "elasticache:DescribeSnapshots",
                "elasticache:DescribeUserGroups",
                "kms:DescribeKey",
                "s3:ListBucket",
            ),
            uses=frozenset({Use.OBSERVE}),
            session_actions=(
                "cloudwatch:GetMetricData",
                "ec2:DescribeSecurityGroups",
                "elasticache:Describe*",
                "kms:DescribeKey",
                "s3:ListBucket",
            ),
        ),
        reads_quota("elasticache"),
        Permission(
            actions=("elasticache:FailoverGlobalReplicationGroup",),
            uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
            resources=(_DATASTORES,),
            modes=REAL,
        ),
        Permission(
            actions=("elasticache:DisassociateGlobalReplicationGroup",),
            uses=frozenset({Use.ACTIVATE}),
            resources=(_DATASTORES,),
            modes=frozenset({Mode.EMERGENCY}),
        ),
        Permission(
            actions=("elasticache:CreateGlobalReplicationGroup",),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
            resources=(_DATASTORES, _GROUP),
            modes=PLANNED,
        ),
        Permission(
            actions=("elasticache:CreateReplicationGroup",),
            uses=MAKING,
            resources=(_ANYTHING,),
            modes=REAL,
        ),
        Permission(
            actions=("elasticache:AddTagsToResource",),
            uses=MAKING,
            resources=(_ANYTHING,),
            conditions=MADE_BY_RUN,
            modes=REAL,
        ),
        Permission(
            actions=("elasticache:IncreaseReplicaCount",),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE}),
            resources=(_GROUP,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=(
                "elasticache:AddTagsToResource",
                "elasticache:ModifyReplicationGroup",
                "elasticache:RemoveTagsFromResource",
            ),
            uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.REPLICATE, Use.ROLLBACK}),
            resources=(_GROUP,),
            conditions=ENABLED,
            modes=REAL,
        ),
        *FENCE_GROUP,
        Permission(
            actions=("elasticache:CreateSnapshot", "elasticache:CopySnapshot"),
            uses=MAKING,
            resources=(_GROUP, _CLUSTERS, _SNAPSHOTS),
            modes=PLANNED,
        ),
        Permission(
            actions=("s3:GetBucketAcl", "s3:PutObject", "s3:DeleteObject"),
            uses=MAKING,
            resources=("arn:{partition}:s3:::*",),
            modes=PLANNED,
        ),
        Permission(
            actions=("s3:GetObject",),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE}),
            resources=("arn:{partition}:s3:::*",),
        ),
        grant_through("elasticache"),
        Permission(
            actions=("elasticache:CreateReplicationGroup", "elasticache:CreateSnapshot"),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(_ANYTHING,),
            modes=DRILL,
        ),
        Permission(
            actions=("elasticache:AddTagsToResource",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(_ANYTHING,),
            conditions=MADE_BY_DRILL,
            modes=DRILL,
        ),
        Permission(
            actions=("elasticache:DeleteReplicationGroup", "elasticache:DeleteSnapshot", "ec2:DeleteSecurityGroup"),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(
                f"{_HERE}:replicationgroup:drill-*",
                f"{_HERE}:snapshot:drill-*",
                SECURITY_GROUP,
            ),
            conditions=DRILL_OWNS,
            modes=DRILL,
        ),
        Permission(
            actions=("elasticache:DeleteGlobalReplicationGroup",),
            uses=frozenset({Use.DECOMMISSION}),
            resources=(_DATASTORES,),
            modes=PLANNED,
        ),
        Permission(
            actions=("elasticache:DeleteReplicationGroup", "elasticache:CreateSnapshot"),
            uses=frozenset({Use.DECOMMISSION}),
            resources=(_GROUP, _CLUSTERS, _SNAPSHOTS),
            modes=PLANNED,
        ),
    ),
    documentation="https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Redis-Global-Datastore.html",
    poll_seconds=15,
    deadline_minutes=180,
    refuses=(
        "It never disassociates a secondary while a failover may still work: only after ten minutes without effect, or three "
        "of being declined, in an emergency.",
        "It never attaches an existing group to a global datastore: attaching wipes it. A new secondary is made instead.",
        "It never restores over a group, nor into one that no run has made: the restored group gets a name of its own.",
        "It restores no group that has an AUTH token and no user groups: nobody can read the token.",
        "It fails no node over: elasticache:TestFailover tests nodes within one Region.",
        "Serverless caches, Memcached and single clusters outside replication groups are not moved; tagging one stops the run.",
    ),
    limits=(
        "A change of security groups does not end connections that are open (EC2 user guide, connection tracking), and a cache "
        "cannot be rebooted without losing its content: stop the writers before a planned run.",
        "A global datastore has one primary and up to two secondaries, on node types of size large and above, M5 and R5 or "
        "newer; no T nodes, no serverless caches; all in one account (ElastiCache user guide, prerequisites and limitations).",
        "One change at a time on a global datastore; a promotion is exempt (ElastiCache user guide).",
        "An export goes to a bucket of its own Region, named <group>.<anything>-0001.rdb (ElastiCache user guide, exporting a "
        "backup); S3 replication carries it over. The bucket must let the ElastiCache service in.",
        "Endpoints change with the Region and with the name of a restored group: let clients follow a DNS name.",
        "Health looks at the group, its shards and nodes, and the probe in the VPC connects to the endpoint; nothing is written to the "
        "cache or read from it.",
        "300 nodes per Region and 90 per cluster by default (user guide, Quotas): compared with what is there, over the whole plan.",
        "AUTH tokens, users, user groups and parameter groups are Regional: keep the same names in both Regions.",
    ),
    unconfirmed=(
        "Whether a secondary of a global datastore can be snapshotted: a drill tries it and, where AWS declines, fails with "
        "nothing changed; with dr:export-bucket on the subnet group it restores the newest export instead.",
        "Whether the security groups of a member of a global datastore can be changed by itself: a planned run tries it before "
        "anything else; where AWS declines, nothing was switched.",
        "Whether FailoverGlobalReplicationGroup waits for data: it is assumed not to, hence the fence and the drain before it.",
    ),
)

GROUP_MISSING = ("ReplicationGroupNotFoundFault",)
NODE_MISSING = ("CacheClusterNotFound", "CacheClusterNotFoundFault")
DATASTORE_MISSING = ("GlobalReplicationGroupNotFoundFault",)
SUBNET_GROUP_MISSING = ("CacheSubnetGroupNotFoundFault",)
PARAMETER_GROUP_MISSING = ("CacheParameterGroupNotFound", "CacheParameterGroupNotFoundFault")
USER_GROUP_MISSING = ("UserGroupNotFound", "UserGroupNotFoundFault")
SNAPSHOT_MISSING = ("SnapshotNotFoundFault",)

PASSING_STATUSES = ("creating", "deleting", "modifying", "snapshotting")
"""Statuses of a replication group that end by themselves; besides `available` and the failed ones there are no others
(API reference, ReplicationGroup.Status).
"""
FAILED_STATUSES = ("create-failed", "incompatible-network", "restore-failed")
SNAPSHOT_PASSING = ("creating", "copying", "exporting", "restoring")
SNAPSHOT_FAILED = ("failed", "deleting")
SETTLED = ("available", "primary-only")
"""Statuses of a global datastore in which nothing is going on."""
DATASTORE_PASSING = ("creating", "modifying", "deleting")

STANDBY_FOR_TAG = "dr:standby-for"
"""On a cache subnet group: the replication groups, separated by spaces, whose counterpart is to be made in it."""
GROUPS_TAG = "dr:security-groups"
BUCKET_TAG = "dr:export-bucket"
KEY_TAG = "dr:kms-key"

NAME_LIMIT = 40
NODES_ASKED = 12
"""How many nodes of a group are asked for one by one; the shards' statuses speak for the others."""
RESIDUAL_LAG_SECONDS = 1.0
DATAPOINTS_DRAINED = 3
DRAIN_BOUND_SECONDS = 1800
"""How long lag may stay behind the fence before a person is asked."""
ARRIVAL_BOUND_SECONDS = 3600
"""How long S3 may take to replicate an export before a person is asked."""
FAILOVER_BOUND_SECONDS = 600
"""After this long without effect an emergency failover is given up for a detachment."""
DECLINED_SECONDS = 180
"""A failover that could not even be called for so long was declined each time."""
