"""RDS in the contract tests."""

from __future__ import annotations

from adapters.databases.spec import INSTANCE_FAILED, INSTANCE_PASSING, SNAPSHOT_FAILED, SNAPSHOT_PASSING
from adapters.rds.spec import BACKUP_KEPT, BACKUP_PASSING, BACKUP_READY
from tests.contract.facts import Facts, Statuses

OF_REPLICATION = "tells how replication goes on; what a phase waits for is the instance and its lag"

FACTS = Facts(
    estates={
        "read-replica": ({"kind": "rds-replica", "name": "orders"},),
        "automated-backup-replication": ({"kind": "rds-single", "name": "orders", "backups": True},),
        "snapshot-copy": ({"kind": "rds-single", "name": "orders", "copied": True, "deletion_protection": True},),
    },
    unused={
        "ec2:CreateTags": "AWS asks for it when a security group is made with tags; the embedded AWS does not",
        "rds:DescribeOptionGroups": "asked only where a database has an option group of its own: its story is in tests/adapters",
    },
    statuses=(
        Statuses(
            "rds.DescribeDBInstances DBInstances[].DBInstanceStatus",
            good=("available", "stopped"),
            passing=INSTANCE_PASSING,
            failed=INSTANCE_FAILED,
        ),
        Statuses(
            "rds.DescribeDBSnapshots DBSnapshots[].Status",
            good=("available",),
            passing=SNAPSHOT_PASSING,
            failed=SNAPSHOT_FAILED,
        ),
        Statuses(
            "rds.DescribeDBInstanceAutomatedBackups DBInstanceAutomatedBackups[].Status",
            good=(*BACKUP_READY, BACKUP_KEPT),
            passing=BACKUP_PASSING,
            failed=(),
        ),
    ),
    judged={
        "rds.DescribeDBInstances DBInstances[].MasterUserSecret.SecretStatus": "readiness warns of an impaired one",
        "kms.DescribeKey KeyMetadata.KeyState": "readiness asks for Enabled; nothing waits for it",
        "rds.DescribeDBInstances DBInstances[].DBParameterGroups[].ParameterApplyStatus": "readiness warns of it; nothing waits for it",
        "rds.DescribeDBInstances DBInstances[].DBSubnetGroup.SubnetGroupStatus": "not judged: only the name of the group is used",
        "rds.DescribeDBSubnetGroups DBSubnetGroups[].SubnetGroupStatus": "readiness asks for Complete; nothing waits for it",
        "rds.DescribeDBInstances DBInstances[].StatusInfos[].Status": OF_REPLICATION,
        "rds.DescribeDBInstances DBInstances[].VpcSecurityGroups[].Status": "AWS documents active, adding and removing, no failure",
    },
)
