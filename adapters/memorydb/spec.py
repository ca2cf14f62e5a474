"""MemoryDB's declaration. Sources: MemoryDB developer guide "MemoryDB Multi-Region", "Snapshot and restore", "Quotas";
MemoryDB API reference.
"""

from __future__ import annotations

from adapters.permissions import (
    DRILL,
    DRILL_OWNS,
    ENABLED,
    FENCE_GROUP,
    FENCED,
    MADE_BY_DRILL,
    MADE_BY_RUN,
    MAKING,
    NOT_EMERGENCY,
    PLANNED,
    REAL,
    SECURITY_GROUP,
    grant_through,
)
from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Phase, Use

MULTI_REGION = "multi-region"
SNAPSHOT_RESTORE = "snapshot-restore"

_HERE = "arn:{partition}:memorydb:{region}:{account}"
_CLUSTER = f"{_HERE}:cluster/{{name}}"
_CLUSTERS = f"{_HERE}:cluster/*"
_SNAPSHOTS = f"{_HERE}:snapshot/*"
_MADE_OF = (
    f"{_HERE}:acl/*",
    f"{_HERE}:parametergroup/*",
    f"{_HERE}:subnetgroup/*",
    _SNAPSHOTS,
    "arn:{partition}:memorydb::{account}:multiregioncluster/*",
)

SPEC = Spec(
    key="memorydb",
    title="Amazon MemoryDB",
    resource_types=("memorydb:cluster", "memorydb:subnetgroup"),
    companion_types=("memorydb:acl", "memorydb:parametergroup", "memorydb:snapshot", "memorydb:user"),
    manifest_actions=("MemoryDB", "MemoryDBMultiRegion"),
    strategies=(
        Strategy(
            name=MULTI_REGION,
            title="Multi-Region cluster: fence one member, drain, open the other; nothing is promoted",
            planned_loss="none, once the application has let go of its connections",
            emergency_loss="nothing for ever: writes that had not arrived yet (typically 1 s, no SLA) merge when the Region returns",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 15, Phase.CLEANUP: 1, Phase.REPLICATE: 1},
            rollback_until="at any time: both members accept writes, and the source side is opened again",
        ),
        Strategy(
            name=SNAPSHOT_RESTORE,
            title="Snapshot behind a fence, exported to S3, carried over by S3, restored as a new cluster",
            planned_loss="none, once the application has let go of its connections",
            emergency_loss="everything written since the newest export that reached the target side",
            typical_minutes={Phase.INSTANTIATE: 8, Phase.ACTIVATE: 35, Phase.CLEANUP: 1, Phase.REPLICATE: 8},
            rollback_until="until the restore is called; afterwards a failback brings the data home",
        ),
    ),
    permissions=(
        Permission(
            actions=("memorydb:DescribeClusters", "memorydb:DescribeSubnetGroups", "memorydb:ListTags"),
            uses=frozenset({Use.DISCOVER, Use.OBSERVE}),
            session_actions=("memorydb:Describe*", "memorydb:List*"),
        ),
        Permission(
            actions=(
                "cloudwatch:GetMetricData",
                "ec2:DescribeSecurityGroups",
                "kms:DescribeKey",
                "memorydb:DescribeAcls",
                "memorydb:DescribeMultiRegionClusters",
                "memorydb:DescribeSnapshots",
                "s3:GetReplicationConfiguration",
                "s3:ListBucket",
            ),
            uses=frozenset({Use.OBSERVE}),
            session_actions=(
                "cloudwatch:GetMetricData",
                "ec2:DescribeSecurityGroups",
                "kms:DescribeKey",
                "s3:GetReplicationConfiguration",
                "s3:ListBucket",
            ),
        ),
        Permission(
            actions=("memorydb:TagResource", "memorydb:UntagResource", "memorydb:UpdateCluster"),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
            resources=(_CLUSTER,),
            conditions=ENABLED,
            modes=REAL,
        ),
        *FENCE_GROUP,
        Permission(actions=("memorydb:CreateCluster",), uses=MAKING, resources=_MADE_OF),
        Permission(
            actions=("memorydb:TagResource",),
            uses=MAKING,
            resources=(_CLUSTERS, _SNAPSHOTS),
            conditions=MADE_BY_RUN,
            modes=REAL,
        ),
        Permission(
            actions=("memorydb:TagResource",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(_CLUSTERS, _SNAPSHOTS),
            conditions=MADE_BY_DRILL,
            modes=DRILL,
        ),
        Permission(
            actions=("memorydb:CreateSnapshot",),
            uses=MAKING,
            resources=(_CLUSTERS,),
            conditions=ENABLED,
            modes=NOT_EMERGENCY,
        ),
        Permission(actions=("memorydb:CopySnapshot",), uses=MAKING, resources=(_SNAPSHOTS,), modes=PLANNED),
        Permission(
            actions=("s3:GetBucketLocation", "s3:ListAllMyBuckets"),
            uses=MAKING,
            modes=PLANNED,
        ),
        Permission(
            actions=("s3:PutObject", "s3:DeleteObject"),
            uses=MAKING,
            resources=("arn:{partition}:s3:::*/*",),
            modes=PLANNED,
        ),
        Permission(actions=("s3:GetObject",), uses=MAKING, resources=("arn:{partition}:s3:::*/*",)),
        grant_through("memorydb"),
        Permission(
            actions=("memorydb:DeleteCluster", "memorydb:DeleteSnapshot", "ec2:DeleteSecurityGroup"),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(f"{_HERE}:cluster/drill-*", f"{_HERE}:snapshot/drill-*", SECURITY_GROUP),
            conditions=DRILL_OWNS,
            modes=DRILL,
        ),
        Permission(
            actions=("memorydb:TagResource",),
            uses=frozenset({Use.DECOMMISSION}),
            resources=(f"{_HERE}:subnetgroup/*",),
            conditions={"Null": {"aws:RequestTag/dr:standby-for": "false"}},
            modes=PLANNED,
        ),
        Permission(
            actions=("memorydb:DeleteCluster", "memorydb:CreateSnapshot"),
            uses=frozenset({Use.DECOMMISSION}),
            resources=(_CLUSTER,),
            conditions=FENCED,
            modes=PLANNED,
        ),
    ),
    documentation="https://docs.aws.amazon.com/memorydb/latest/devguide/multi-region.html",
    poll_seconds=15,
    deadline_minutes=180,
    refuses=(
        "It deletes no member of a multi-Region cluster, also not in a decommission: the old side is the standby.",
        "It makes no single-Region cluster a member: MemoryDB cannot convert one.",
        "It never restores over a cluster: the restored one gets a name of its own, <name>-dr-<run>.",
        "It exports no cluster with data tiering: MemoryDB cannot.",
        "It does not fail shards over: memorydb:FailoverShard tests nodes within one Region.",
    ),
    limits=(
        "A change of security groups does not end connections that are open (EC2 user guide, connection tracking), and "
        "MemoryDB has no reboot: stop the writers before a planned run; the drain waits until nobody writes any more.",
        "Multi-Region clusters need Valkey 7.3 or newer on R7g.xlarge or larger, up to five Regions, one account; no TTL, no data "
        "tiering, no vector search, no read-modify-write commands, no SLA on RPO and RTO (developer guide, prerequisites).",
        "An isolated Region goes on accepting writes; they merge when it returns (CRDT). CLEANUP fences it then.",
        "An export goes to a bucket of its own Region as <name>.<anything>-0001.rdb, one object a shard; S3 replication carries it "
        "over. The bucket policy must let <region>.memorydb-snapshot.amazonaws.com in, and SSE-S3 is the only encryption that "
        "MemoryDB reads (developer guide, exporting a snapshot; seeding a new cluster).",
        "The emergency RPO of snapshot-restore is the age of the newest export: schedule exports named <name>.<anything>.",
        "20 manual snapshots of a cluster in 24 hours; while one is taken the cluster takes no other change (developer guide, "
        "snapshot constraints).",
        "Endpoints change with the Region and with the name of a restored cluster: let clients follow a DNS name.",
        "Health looks at the cluster, its shards and nodes, and the probe in the VPC connects to the endpoint; nothing is written to "
        "the cluster or read from it.",
        "300 nodes per Region and 90 per cluster by default (developer guide, Quotas), which no code of Service Quotas is documented "
        "for: the defaults are compared with what is there, over the whole plan; a raised quota is not seen.",
        "ACLs, users and parameter groups are Regional: keep the same names in both Regions.",
        "Names longer than 28 characters leave no room for the suffix of a restored cluster (40 characters at most).",
    ),
    unconfirmed=(
        "Whether MultiRegionClusterReplicationLag has further dimensions besides ClusterName, and whether it is published while "
        "nobody writes: a planned run that sees no datapoint behind the fence stops and asks.",
        "Whether the security groups of one member can be changed by themselves (the guide names ACLs, keys, tags and windows): a "
        "planned run tries it before anything else; where AWS declines, nothing was moved.",
        "In which statuses MemoryDB declines to list or change tags: nothing is concluded until they can be listed.",
    ),
)

CLUSTER_MISSING = ("ClusterNotFoundFault",)
MULTI_REGION_MISSING = ("MultiRegionClusterNotFoundFault",)
SNAPSHOT_MISSING = ("SnapshotNotFoundFault",)
ACL_MISSING = ("ACLNotFoundFault",)
SUBNET_GROUP_MISSING = ("SubnetGroupNotFoundFault",)
UNTOLD = (
    "ClusterNotFoundFault",
    "InvalidARNFault",
    "InvalidClusterStateFault",
    "SnapshotNotFoundFault",
    "SubnetGroupNotFoundFault",
)
"""With these MemoryDB declines to list the tags of something that is not there (any more), or not available (yet)."""
RULE_MISSING = ("ReplicationConfigurationNotFoundError", "NoSuchBucket")
BUCKET_MISSING = ("NoSuchBucket",)

PASSING_STATUSES = ("creating", "updating", "snapshotting", "copying", "restoring", "deleting")
"""Statuses of clusters and snapshots that end by themselves (API reference); whatever is neither these, nor available, nor
failed is told as a failure rather than waited for.
"""
FAILED_STATUSES = ("create-failed", "restore-failed", "failed")

STANDBY_FOR_TAG = "dr:standby-for"
"""On a subnet group: the clusters, separated by spaces, whose counterpart is to be made in it."""
GROUPS_TAG = "dr:security-groups"
BUCKET_TAG = "dr:export-bucket"
KEY_TAG = "dr:kms-key"
FENCED_AT_TAG = "dr:fenced-at"
"""On a fenced cluster: when it was first seen fenced. Lag that was measured before says nothing of what is left."""
PLATFORM_TAGS = (
    "dr:fenced",
    FENCED_AT_TAG,
    "dr:execution-id",
    "dr:drill-id",
    STANDBY_FOR_TAG,
    GROUPS_TAG,
    BUCKET_TAG,
    KEY_TAG,
)

NAME_LIMIT = 40
DATAPOINTS_AT_ZERO = 3
DRAIN_BOUND_SECONDS = 1800
"""How long lag may stay above zero behind the fence before a person is asked."""
ARRIVAL_BOUND_SECONDS = 3600
"""How long S3 may take to carry an export over before a person is asked."""
