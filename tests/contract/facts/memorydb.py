"""MemoryDB in the contract tests."""

from __future__ import annotations

from adapters.memorydb.spec import FAILED_STATUSES, PASSING_STATUSES
from tests.contract.facts import Facts, Statuses

OF_THE_CLUSTER = "shards and nodes are waited for together with their cluster, whose status tells of failures"
ASKED = "readiness asks for it; the member itself is waited for"

FACTS = Facts(
    estates={
        "multi-region": ({"kind": "memorydb-multi-region", "name": "orders"},),
        "snapshot-restore": (
            {"kind": "memorydb-multi-region", "name": "orders", "multi_region": False, "exports": True},
        ),
    },
    unused={"ec2:CreateTags": "AWS asks for it when a security group is made with tags; the embedded AWS does not"},
    statuses=(
        Statuses(
            "memorydb.DescribeClusters Clusters[].Status",
            good=("available",),
            passing=PASSING_STATUSES,
            failed=FAILED_STATUSES,
        ),
        Statuses(
            "memorydb.DescribeSnapshots Snapshots[].Status",
            good=("available",),
            passing=PASSING_STATUSES,
            failed=FAILED_STATUSES,
        ),
    ),
    judged={
        "memorydb.DescribeACLs ACLs[].Status": "readiness asks for active; nothing waits for it",
        "memorydb.DescribeClusters Clusters[].SecurityGroups[].Status": "active or modifying, no failure is documented",
        "memorydb.DescribeClusters Clusters[].Shards[].Status": OF_THE_CLUSTER,
        "memorydb.DescribeClusters Clusters[].Shards[].Nodes[].Status": OF_THE_CLUSTER,
        "memorydb.DescribeMultiRegionClusters MultiRegionClusters[].Clusters[].Status": ASKED,
        "memorydb.DescribeMultiRegionClusters MultiRegionClusters[].Status": ASKED,
        "kms.DescribeKey KeyMetadata.KeyState": "readiness asks for Enabled; nothing waits for it",
        "s3.GetBucketReplication ReplicationConfiguration.Rules[].Status": "a setting, not a state",
    },
)
