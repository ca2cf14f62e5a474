"""EFS in the contract tests."""

from __future__ import annotations

from adapters.efs.spec import BUSY_JOB, FAILED_JOB, FAILED_LIFE, TROUBLED
from tests.contract.facts import Facts, Statuses

COMPANION = "AWS asks for it beside the call that needs it; the embedded AWS does not"

LIFE_PASSING = ("creating", "updating")
TAKEN = "only what is COMPLETED or AVAILABLE is taken; the jobs that make them are waited for"

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
    asks_to_overwrite={
        "replication": "no sync covers the last writes of the lost Region, and no backup was made of them since"
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
    statuses=(
        Statuses(
            "efs.DescribeFileSystems FileSystems[].LifeCycleState",
            good=("available",),
            passing=LIFE_PASSING,
            failed=FAILED_LIFE,
        ),
        Statuses(
            "efs.DescribeMountTargets MountTargets[].LifeCycleState",
            good=("available",),
            passing=(*LIFE_PASSING, "deleting"),  # when it is gone, another is made
            failed=("error", "deleted"),
        ),
        Statuses(
            "efs.DescribeAccessPoints AccessPoints[].LifeCycleState",
            good=("available",),
            passing=LIFE_PASSING,
            failed=FAILED_LIFE,
        ),
        Statuses(
            "efs.DescribeReplicationConfigurations Replications[].Destinations[].Status",
            good=("ENABLED",),
            passing=("ENABLING", "DELETING"),
            failed=TROUBLED,
        ),
        Statuses(
            "backup.ListBackupJobs BackupJobs[].State",
            good=("COMPLETED",),
            passing=BUSY_JOB,
            failed=FAILED_JOB,
        ),
        Statuses(
            "backup.ListCopyJobs CopyJobs[].State",
            good=("COMPLETED",),
            passing=("CREATED", "RUNNING"),
            failed=("FAILED", "PARTIAL"),
        ),
        Statuses(
            "backup.ListRestoreJobsByProtectedResource RestoreJobs[].Status",
            good=("COMPLETED",),
            passing=("PENDING", "RUNNING"),
            failed=("ABORTED", "FAILED"),
        ),
    ),
    judged={
        "backup.ListRecoveryPointsByResource RecoveryPoints[].Status": TAKEN,
    },
)
