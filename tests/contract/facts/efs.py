"""EFS in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

COMPANION = "AWS asks for it beside the call that needs it; the embedded AWS does not"

FACTS = Facts(
    estates={
        "replication": (
            {
                "kind": "efs-replication",
                "name": "orders",
                "target_zones": 1,
                "access_point": "/data",
                "target_access_point": False,
                "recovery_points": 1,
                "replica_recovery_points": 1,
            },
        ),
        "backup-restore": ({"kind": "efs-backup", "name": "orders"},),
    },
    unused={
        "backup:CopyIntoBackupVault": COMPANION,
        "backup:TagResource": COMPANION,
        "ec2:CreateNetworkInterface": COMPANION,
        "ec2:DescribeNetworkInterfaceAttribute": COMPANION,
        "ec2:DescribeNetworkInterfaces": COMPANION,
        "elasticfilesystem:ReplicationRead": COMPANION,
        "elasticfilesystem:ReplicationWrite": COMPANION,
        "elasticfilesystem:UpdateFileSystem": "only where throughput modes differ; its story is in tests/adapters",
        "kms:DescribeKey": "only with a customer managed key; its story is in tests/adapters",
    },
)
