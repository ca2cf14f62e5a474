"""RDS in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

FACTS = Facts(
    estates={
        "read-replica": ({"kind": "rds-replica", "name": "orders"},),
        "automated-backup-replication": ({"kind": "rds-single", "name": "orders", "backups": True},),
        "snapshot-copy": ({"kind": "rds-single", "name": "orders", "copied": True, "deletion_protection": True},),
    },
    unused={"ec2:CreateTags": "AWS asks for it when a security group is made with tags; the embedded AWS does not"},
)
