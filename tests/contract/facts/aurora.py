"""Aurora in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

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
)
