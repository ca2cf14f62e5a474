"""FSx in the contract tests."""

from __future__ import annotations

from adapters.fsx.spec import (
    BUSY_ACTION,
    BUSY_BACKUP,
    BUSY_FILE_SYSTEM,
    BUSY_TASK,
    FAILED_ACTION,
    FAILED_ALIAS,
    FAILED_BACKUP,
    FAILED_FILE_SYSTEM,
    FAILED_TASK,
    FAILED_TRANSFER,
)
from tests.contract.facts import Facts, Statuses

WINDOWS = "only Windows file systems need it; their story is in tests/adapters"
THEN = "how the file system was when the backup was taken"

FACTS = Facts(
    estates={
        "backup-copy": ({"kind": "fsx-backup", "name": "orders"},),
        "openzfs-replication": ({"kind": "fsx-backup", "name": "orders", "standby": True},),
        "lustre-s3": ({"kind": "fsx-backup", "name": "orders", "type": "LUSTRE", "standby": True},),
        "ontap-snapmirror": ({"kind": "fsx-ontap", "name": "orders", "schedule_minutes": 60},),
    },
    looks_only={
        "lustre-s3": "linking a file system to a bucket takes IAM rights that spoke roles never have",
    },
    overtaken={
        "ontap.TransferMirror": "a scheduled update of the relationship that falls behind the fence carries the same",
    },
    unused={
        "ds:DescribeDirectories": WINDOWS,
        "ec2:GetSecurityGroupsForVpc": "AWS asks for it when a file system is restored; the embedded AWS does not",
        "fsx:AssociateFileSystemAliases": WINDOWS,
        "fsx:DisassociateFileSystemAliases": WINDOWS,
    },
    statuses=(
        Statuses(
            "fsx.DescribeFileSystems FileSystems[].Lifecycle",
            good=("AVAILABLE",),
            passing=BUSY_FILE_SYSTEM,
            failed=FAILED_FILE_SYSTEM,
        ),
        Statuses(
            "fsx.DescribeBackups Backups[].Lifecycle",
            good=("AVAILABLE",),
            passing=BUSY_BACKUP,
            failed=FAILED_BACKUP,
        ),
        Statuses(
            "fsx.DescribeDataRepositoryTasks DataRepositoryTasks[].Lifecycle",
            good=("SUCCEEDED",),
            passing=BUSY_TASK,
            failed=FAILED_TASK,
        ),
        Statuses(
            "fsx.DescribeSnapshots Snapshots[].Lifecycle",
            good=("AVAILABLE",),
            passing=("PENDING", "CREATING"),
            failed=("DELETING",),
        ),
        Statuses(
            "fsx.DescribeVolumes Volumes[].AdministrativeActions[].Status",
            good=("COMPLETED", "UPDATED_OPTIMIZING", "OPTIMIZING"),
            passing=BUSY_ACTION,
            failed=FAILED_ACTION,
        ),
        Statuses(
            "fsx.DescribeVolumes Volumes[].Lifecycle",
            good=("AVAILABLE", "CREATED"),
            passing=("PENDING", "CREATING"),
            failed=("DELETING", "FAILED", "MISCONFIGURED"),
        ),
        Statuses(
            "fsx.DescribeFileSystems FileSystems[].WindowsConfiguration.Aliases[].Lifecycle",
            good=("AVAILABLE",),
            passing=("CREATING", "DELETING"),
            failed=FAILED_ALIAS,
        ),
        Statuses(
            "ontap.OntapState relationships[].transfer.state",
            good=("success", ""),
            passing=("queued", "transferring"),
            failed=FAILED_TRANSFER,
        ),
    ),
    judged={
        "fsx.DescribeStorageVirtualMachines StorageVirtualMachines[].Lifecycle": "health asks for CREATED; nothing waits for it",
        "ontap.OntapState cluster_peers[].status.state": "readiness asks for it; nothing waits for it",
        "ontap.OntapState relationships[].state": "where a relationship stands; its transfers are waited for",
        "ontap.OntapState svm_peers[].state": "readiness asks for it; nothing waits for it",
        "ontap.OntapState volumes[].state": "readiness asks for it; nothing waits for it",
        "fsx.DescribeBackups Backups[].FileSystem.Lifecycle": THEN,
        "fsx.DescribeBackups Backups[].FileSystem.WindowsConfiguration.Aliases[].Lifecycle": THEN,
        "fsx.DescribeDataRepositoryAssociations Associations[].Lifecycle": "readiness and health ask for AVAILABLE; nothing waits for it",
        "kms.DescribeKey KeyMetadata.KeyState": "readiness asks for Enabled; nothing waits for it",
        "s3.GetBucketReplication ReplicationConfiguration.Rules[].Status": "a setting, not a state",
        "s3.GetBucketReplication ReplicationConfiguration.Rules[].Destination.Metrics.Status": "a setting, not a state",
    },
)
