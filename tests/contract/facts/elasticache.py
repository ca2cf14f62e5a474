"""ElastiCache in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

STORY = "its story is in tests/adapters"
INCOMPLETE = "only where a global datastore is not complete yet; " + STORY
DETACHED = "the way out when no promotion is to be had: not in an ordinary run; " + STORY

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
)
