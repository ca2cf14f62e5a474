"""EFS's declaration. Sources: EFS API reference and user guide; AWS Backup developer guide "Restore an Amazon EFS file system"."""

from __future__ import annotations

from adapters.efs.permissions import PERMISSIONS
from orchestrator.spec import Quota, Spec, Strategy
from orchestrator.words import Mode, Phase, Side

REPLICATION, BACKUP_RESTORE = "replication", "backup-restore"

SPEC = Spec(
    key="efs",
    title="Amazon EFS",
    resource_types=("elasticfilesystem:file-system",),
    found_apart=True,
    companion_types=("elasticfilesystem:access-point",),
    default_strategy=REPLICATION,
    manifest_actions=("EFS",),
    strategies=(
        Strategy(
            name=REPLICATION,
            title="EFS replication: fence, wait for a sync that began behind the fence, end the replication, replicate back",
            planned_loss="none: the last sync covers the moment at which clients were seen not to write any more",
            emergency_loss="everything written since the last completed sync, usually up to 15 minutes",
            typical_minutes={Phase.INSTANTIATE: 3, Phase.ACTIVATE: 30, Phase.CLEANUP: 1, Phase.REPLICATE: 60},
            rollback_until="until the replication is ended; afterwards a failback brings the data home",
        ),
        Strategy(
            name=BACKUP_RESTORE,
            title="AWS Backup: a recovery point is copied to the target Region and restored there as a new file system",
            planned_loss="none: clients were seen not to write since before the last backup",
            emergency_loss="everything written since the newest recovery point that had been copied",
            typical_minutes={Phase.INSTANTIATE: 0, Phase.ACTIVATE: 90, Phase.CLEANUP: 1, Phase.REPLICATE: 60},
            rollback_until="until somebody writes to the restored file system",
        ),
    ),
    permissions=PERMISSIONS,
    documentation="https://docs.aws.amazon.com/efs/latest/ug/replication-use-cases.html",
    poll_seconds=20,
    deadline_minutes=1440,
    refuses=(
        "A planned move while clients still write: the fence closes the file system to clients, and CloudWatch must show silence.",
        "Replicating back onto a source whose last writes may be missing on the target side, until its content is backed up or "
        "somebody gives it up by hand (see the remedy of `allow-overwrite`).",
        "Taking a file system over that neither replicates nor shows any trace of having been activated: what it holds is unknown.",
        "Deleting the source side of a replication: it is the new standby.",
        "Deleting the old side of a restore before its successor is backed up and copied back.",
        "Restoring into an existing file system, and restoring in place of one that stands in the scope already.",
    ),
    limits=(
        "A file system is in one replication at most; there are no chains (EFS user guide, Replicating file systems).",
        "A restored file system holds everything under /aws-backup-restore_<datetime>, never at its root, and AWS tells that name "
        "nowhere (AWS Backup developer guide, Restore an Amazon EFS file system): a person moves it, then makes access points.",
        "The key of a replica is fixed when it is made; replicating back into the original copies only what changed (EFS user guide, "
        "Replicating file systems).",
        "Health looks at mount targets and replication, and the probe in the VPC connects to port 2049; no file is written or read.",
        "The mount name contains the file system's id: clients of the other side mount another name.",
        "From the fence on, clients of the source side can neither write nor read; how long depends on the next sync or backup.",
        "A sync usually ends within 15 minutes; with over 100 million files or files over 100 GB it takes longer (EFS user guide).",
        "After a replication ends, differences may lie in the directory lost+found of the replica's root (EFS user guide).",
        "The throughput mode can be changed to bursting or lowered only once in 24 hours (EFS API reference, UpdateFileSystem).",
        "IAM roles for AWS Backup must have AWSBackup or AwsBackup in their name, unless it is the default role (API reference).",
        "1,000 file systems per account and Region, one mount target per zone, in one VPC (EFS user guide, Quotas).",
        "Nothing repeats the copy made by REPLICATE after a restore: the backup plan must select the new file system by its tags.",
    ),
    quotas=(
        Quota(
            "copies of backups by AWS Backup out of the Region",
            100,
            {Phase.ACTIVATE: Side.SOURCE, Phase.REPLICATE: Side.TARGET},
            "AWS Backup developer guide, Quotas: copies per account outbound to a destination Region",
            modes=frozenset({Mode.PLANNED}),
            strategies=(BACKUP_RESTORE,),
        ),
    ),
    unconfirmed=(
        "Whether a changed file system policy ends NFS connections that are open: it is not relied on; DataWriteIOBytes must show "
        "that nobody writes, otherwise the run asks.",
        "How long DeleteReplicationConfiguration tries when the other Region does not answer: after five minutes the "
        "configuration is deleted locally.",
        "What IAM judges when a replication is deleted on the target side by the id of a file system of another Region: the "
        "permission is bound to the name, not to tags.",
        "Whether the creation time of a copied recovery point is that of the original: the age of the data is taken from the "
        "source's recovery point where the inventory knows it, and a planned run follows the copy job.",
        "Whether a restore that is encrypted and names no key takes the account's default key: name one in dr:restore-key.",
    ),
)

FENCED_TAG = "dr:fenced"
"""On a fenced file system: since when, then `drained` once everything written before is on the other side."""
DRAINED = "drained"
FENCE_SID = "DrFence"
CLIENT_ACTIONS = (
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientRootAccess",
    "elasticfilesystem:ClientWrite",
)
RESTORE_TAGS = {
    "subnets": "dr:restore-subnets",
    "security_groups": "dr:restore-security-groups",
    "key": "dr:restore-key",
}
"""On a file system: where the other side gets its mount targets, and its key; several ids are separated by spaces."""
EXECUTION_ID, DRILL_ID = "dr:execution-id", "dr:drill-id"
PLATFORM_TAGS = (FENCED_TAG, EXECUTION_ID, DRILL_ID, *RESTORE_TAGS.values())

FS_MISSING = ("FileSystemNotFound",)
NOT_REPLICATED = ("ReplicationNotFound", "FileSystemNotFound")
NO_POLICY = ("PolicyNotFound", "FileSystemNotFound")
NO_JOBS = ("ResourceNotFoundException",)

FAILED_LIFE = ("error", "deleting", "deleted")
TROUBLED = ("ERROR", "PAUSED", "PAUSING")
"""Statuses of a replication that does not go on by itself."""
BUSY_JOB = ("CREATED", "PENDING", "RUNNING", "ABORTING")
FAILED_JOB = ("ABORTED", "FAILED", "EXPIRED", "PARTIAL")

POLICY_SECONDS = 300
"""What "several minutes" until a file system policy takes effect is taken for (EFS user guide, Creating file system policies)."""
QUIET_BOUND_SECONDS = 1800
"""How long clients may go on writing behind the fence before a person is asked."""
DRAIN_BOUND_SECONDS = 14_400
"""How long no sync may cover the fence before a person is asked."""
LOCAL_AFTER_SECONDS = 120
"""How long an emergency waits for the deletion on both sides before it deletes on the target side alone."""
ENDING_BOUND_SECONDS = 1800
WRITES_NAMESPACE, WRITES = "AWS/EFS", "DataWriteIOBytes"
NFS_PORT = 2049
DEFAULT_VAULT = "Default"
DEFAULT_ROLE = "service-role/AWSBackupDefaultServiceRole"
