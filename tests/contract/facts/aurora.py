"""Aurora in the contract tests."""

from __future__ import annotations

from adapters.databases.spec import (
    CLUSTER_FAILED,
    CLUSTER_PASSING,
    INSTANCE_FAILED,
    INSTANCE_PASSING,
    SNAPSHOT_FAILED,
    SNAPSHOT_PASSING,
)
from tests.contract.facts import Facts, Statuses

FREE_TEXT = "free text (no list is documented): progress is told by FailoverState, the end by the writer and this being available"

FINAL = "a retired cluster and its final snapshot have a statement each: only the first must carry dr:fenced"

FACTS = Facts(
    estates={
        "global-database": ({"kind": "aurora-global", "name": "orders"},),
        "cross-region-replica": ({"kind": "aurora-replica", "name": "orders", "deletion_protection": True},),
        "snapshot-copy": ({"kind": "aurora-single", "name": "orders", "copied": True, "deletion_protection": True},),
    },
    unused={
        "ec2:CreateTags": "AWS asks for it when a security group is made with tags; the embedded AWS does not",
        "rds:CreateGlobalCluster": "where there is no global database yet; its story is in tests/adapters",
        "rds:RemoveFromGlobalCluster": "the way out when a failover cannot work: not in an ordinary run; its story is in "
        "tests/adapters",
    },
    left_out={
        ("rds:CreateDBClusterSnapshot", "cluster"): FINAL,
        ("rds:CreateDBClusterSnapshot", "cluster-snapshot"): FINAL,
        ("rds:DeleteDBCluster", "cluster"): FINAL,
        ("rds:DeleteDBCluster", "cluster-snapshot"): FINAL,
        ("rds:CreateDBCluster", "og"): "Aurora clusters have no option group",
        ("rds:RestoreDBClusterFromSnapshot", "og"): "Aurora clusters have no option group",
    },
    statuses=(
        Statuses(
            "rds.DescribeDBClusters DBClusters[].Status",
            good=("available", "stopped"),
            passing=CLUSTER_PASSING,
            failed=CLUSTER_FAILED,
        ),
        Statuses(
            "rds.DescribeDBClusterSnapshots DBClusterSnapshots[].Status",
            good=("available",),
            passing=SNAPSHOT_PASSING,
            failed=SNAPSHOT_FAILED,
        ),
        Statuses(
            "rds.DescribeDBInstances DBInstances[].DBInstanceStatus",
            good=("available", "stopped"),
            passing=INSTANCE_PASSING,
            failed=INSTANCE_FAILED,
        ),
        Statuses(
            "rds.DescribeGlobalClusters GlobalClusters[].FailoverState.Status",
            good=(),
            passing=("pending", "failing-over", "cancelling"),
            failed=(),
        ),
        Statuses(
            "rds.DescribeGlobalClusters GlobalClusters[].GlobalClusterMembers[].SynchronizationStatus",
            good=("connected",),
            passing=("pending-resync",),
            failed=(),
        ),
    ),
    judged={
        "rds.DescribeDBClusters DBClusters[].MasterUserSecret.SecretStatus": "readiness warns of an impaired one",
        "rds.DescribeDBInstances DBInstances[].MasterUserSecret.SecretStatus": "readiness warns of an impaired one",
        "kms.DescribeKey KeyMetadata.KeyState": "readiness asks for Enabled; nothing waits for it",
        "rds.DescribeDBInstances DBInstances[].DBSubnetGroup.SubnetGroupStatus": "not judged: only the VPC of the group is used",
        "rds.DescribeDBInstances DBInstances[].VpcSecurityGroups[].Status": "the fence is on the cluster; of instances nobody asks",
        "rds.DescribeDBSubnetGroups DBSubnetGroups[].SubnetGroupStatus": "not judged: only name, ARN and VPC of the group are used",
        "rds.DescribeDBClusters DBClusters[].VpcSecurityGroups[].Status": "AWS documents active, adding and removing, no failure",
        "rds.DescribeGlobalClusters GlobalClusters[].Status": FREE_TEXT,
    },
)
