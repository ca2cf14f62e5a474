"""ElastiCache in the contract tests."""

from __future__ import annotations

from adapters.elasticache.spec import (
    DATASTORE_PASSING,
    FAILED_STATUSES,
    PASSING_STATUSES,
    SETTLED,
    SNAPSHOT_FAILED,
    SNAPSHOT_PASSING,
)
from tests.contract.facts import Facts, Statuses

STORY = "its story is in tests/adapters"
INCOMPLETE = "only where a global datastore is not complete yet; " + STORY
DETACHED = "the way out when no promotion is to be had: not in an ordinary run; " + STORY
OF_THE_GROUP = "a health check looks at it; the group is waited for"
NO_FAILURE = "AWS documents active, adding and removing, no failure"

FACTS = Facts(
    estates={
        "global-datastore": ({"kind": "elasticache-global", "name": "orders"},),
        "backup-restore": ({"kind": "elasticache-standalone", "name": "orders"},),
        "rebuild": ({"kind": "elasticache-standalone", "name": "orders", "exports": False},),
    },
    unused={
        "ec2:CreateTags": "AWS asks for it when a security group is made with tags; the embedded AWS does not",
        "elasticache:CreateGlobalReplicationGroup": INCOMPLETE,
        "elasticache:IncreaseReplicaCount": INCOMPLETE,
        "elasticache:DisassociateGlobalReplicationGroup": DETACHED,
        "elasticache:DeleteGlobalReplicationGroup": DETACHED,
        "elasticache:DescribeCacheParameterGroups": "only for a parameter group of one's own; " + STORY,
        "elasticache:DescribeUserGroups": "only for a cache with user groups; " + STORY,
    },
    statuses=(
        Statuses(
            "elasticache.DescribeReplicationGroups ReplicationGroups[].Status",
            good=("available",),
            passing=PASSING_STATUSES,
            failed=FAILED_STATUSES,
        ),
        Statuses(
            "elasticache.DescribeSnapshots Snapshots[].SnapshotStatus",
            good=("available",),
            passing=SNAPSHOT_PASSING,
            failed=SNAPSHOT_FAILED,
        ),
        Statuses(
            "elasticache.DescribeGlobalReplicationGroups GlobalReplicationGroups[].Status",
            good=SETTLED,
            passing=DATASTORE_PASSING,
            failed=(),
        ),
        Statuses(
            "elasticache.DescribeGlobalReplicationGroups GlobalReplicationGroups[].Members[].Status",
            good=("associated",),
            passing=("associating", "disassociating"),
            failed=(),
        ),
    ),
    judged={
        "elasticache.DescribeCacheClusters CacheClusters[].CacheClusterStatus": OF_THE_GROUP,
        "elasticache.DescribeCacheClusters CacheClusters[].CacheNodes[].CacheNodeStatus": OF_THE_GROUP,
        "elasticache.DescribeReplicationGroups ReplicationGroups[].NodeGroups[].Status": OF_THE_GROUP,
        "elasticache.DescribeCacheClusters CacheClusters[].SecurityGroups[].Status": NO_FAILURE,
        "kms.DescribeKey KeyMetadata.KeyState": "readiness asks for Enabled; nothing waits for it",
    },
)
