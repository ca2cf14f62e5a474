"""FSx's declaration. Sources: FSx API reference; the user guides of FSx for Windows, Lustre and OpenZFS."""

from __future__ import annotations

from adapters.fsx.permissions import PERMISSIONS
from orchestrator.spec import Quota, Spec, Strategy
from orchestrator.words import Mode, Phase, Side

BACKUP_COPY, OPENZFS, LUSTRE_S3 = "backup-copy", "openzfs-replication", "lustre-s3"
ONTAP = "ontap-snapmirror"
COPIES_AT_A_TIME = 5
_INWARDS = {Phase.INSTANTIATE: Side.TARGET, Phase.ACTIVATE: Side.TARGET, Phase.REPLICATE: Side.SOURCE}

SPEC = Spec(
    key="fsx",
    title="Amazon FSx",
    resource_types=("fsx:file-system", "fsx:backup"),
    companion_types=("fsx:volume", "fsx:snapshot", "fsx:storage-virtual-machine", "fsx:association", "fsx:task"),
    manifest_actions=("FSx", "FSxWindows", "FSxLustre", "FSxOpenZFS", "FSxONTAP"),
    strategies=(
        Strategy(
            name=BACKUP_COPY,
            title="A backup is copied to the target Region and restored there as a new file system",
            planned_loss="none: clients cannot write, or were seen not to write, since before the last backup",
            emergency_loss="everything written since the newest backup that had been copied",
            typical_minutes={Phase.INSTANTIATE: 25, Phase.ACTIVATE: 75, Phase.CLEANUP: 2, Phase.REPLICATE: 25},
            rollback_until="until somebody writes to the restored file system",
        ),
        Strategy(
            name=OPENZFS,
            title="Read-only volumes in the target Region follow by snapshots: fence, copy the last one, open",
            planned_loss="none",
            emergency_loss="everything written since the last copied snapshot",
            typical_minutes={Phase.INSTANTIATE: 10, Phase.ACTIVATE: 12, Phase.CLEANUP: 1, Phase.REPLICATE: 10},
            rollback_until="until a volume of the target side is opened",
        ),
        Strategy(
            name=LUSTRE_S3,
            title="The source exports to its bucket, S3 replicates it, the standing file system in the target Region imports",
            planned_loss="none of what exports carry: clients were seen not to write since before the last export",
            emergency_loss="everything written since the last export, and what S3 had not replicated",
            typical_minutes={Phase.INSTANTIATE: 3, Phase.ACTIVATE: 25, Phase.CLEANUP: 1, Phase.REPLICATE: 25},
            rollback_until="until somebody writes to the target side",
        ),
        Strategy(
            name=ONTAP,
            title="Volumes in the target Region follow by SnapMirror: fence, last transfer, break, mount",
            planned_loss="none",
            emergency_loss="everything written since the snapshot of the last transfer (the lag of the relationship)",
            typical_minutes={Phase.INSTANTIATE: 2, Phase.ACTIVATE: 10, Phase.CLEANUP: 1, Phase.REPLICATE: 5},
            rollback_until="until a volume of the target side is mounted",
        ),
    ),
    permissions=PERMISSIONS,
    documentation="https://docs.aws.amazon.com/fsx/latest/APIReference/API_CopyBackup.html",
    poll_seconds=30,
    deadline_minutes=1440,
    refuses=(
        "ONTAP without the functions in its VPC, or without a secret: readiness is red, with the command that puts them there.",
        "ONTAP volumes with LUNs or NVMe namespaces in a planned run: taking a junction path away does not fence block storage.",
        "SnapMirror of other than asynchronous policies, and SVM DR: only volumes that follow each other one by one are moved.",
        "Deleting old ONTAP volumes, also in a decommission: after REPLICATE they are the new standby, of type DP, and FSx backs "
        "up volumes of type RW only (FSx for ONTAP user guide, volume backups): there could be no final backup of them.",
        "Backups across accounts: CopyBackup copies within one account only.",
        "Backup copies of OpenZFS on Intelligent-Tiering and of scratch or S3-linked Lustre: FSx has none.",
        "A planned move while clients write to a Windows or Lustre file system: no FSx call makes them read-only, and their "
        "network interfaces must not be modified (Windows user guide, Security best practices).",
        "Deleting the old file system unless its successor serves and is copied back, and never without a final backup.",
        "Replication of OpenZFS between accounts: it would need volumes shared through RAM; the sides are paired by account.",
        "Copying into an OpenZFS volume that clients write to; on the way back only after a backup of what is overwritten.",
        "Linking Lustre file systems to buckets, and so a drill of lustre-s3 that makes a copy: it takes IAM rights (a "
        "service-linked role a file system) that no spoke role has; its drill looks at the standing file system and its links.",
        "A planned move of a Lustre file system that exports automatically: export tasks cannot run beside that.",
        "Taking over a file system that was restored before the source was fenced: which of the two is current, a person says.",
    ),
    limits=(
        "Opt-in Regions take no cross-Region copies (FSx user guides, Copying backups).",
        "A restored file system has another id and DNS name: clients mount it anew, or by an alias or a record of Route 53.",
        "Restored data is loaded at first access: the first hours are slow (FSx user guides, Restoring backups).",
        "A tag holds 256 characters: at most so many aliases, or ids of read-only volumes, can be remembered while fenced.",
        "Nothing repeats the copy made by REPLICATE: the backup plan must know the new file system (select it by its tags).",
        "OpenZFS: one snapshot copy at a time into a file system; at least 160 MBps, 256 for "
        "Single-AZ 1 (FSx for OpenZFS user guide, On-demand data replication).",
        "OpenZFS snapshots named dr-... stay on both sides after a run; delete old ones when space is short.",
        "Lustre by S3: files deleted on the source are not deleted by an import; files S3 never got (not UTF-8, keys over 1,024 "
        "bytes) make the export task fail (FSx for Lustre user guide, Exporting changes).",
        "Lustre by S3: the buckets' replication rules in both directions, with metrics, are the customer's.",
        "ONTAP: SMB shares, export policies and quotas of the target's virtual machine are the customer's, as are the peerings of "
        "file systems and virtual machines; SnapMirror of volumes carries none of them.",
        "ONTAP: a client that was mounted before must mount the target's volumes anew, by the DNS name of that virtual machine.",
        "ONTAP: what is done in ONTAP itself shows in FSx after minutes; types and junction paths are read from ONTAP.",
        "ONTAP: while a drill's FlexClone stands, the snapshot under it is kept and takes space; the drill removes it at its end.",
        "ONTAP: a pinned certificate that ONTAP renews makes readiness red until the secret holds the new one.",
        "A Windows alias also needs its DNS record and its service principal names moved: that is done in Active Directory.",
    ),
    quotas=(
        Quota(
            "copies of FSx backups into the Region",
            COPIES_AT_A_TIME,
            _INWARDS,
            "FSx API reference, CopyBackup",
            modes=frozenset({Mode.PLANNED}),
            strategies=(BACKUP_COPY,),
        ),
        Quota(
            "snapshot copies of FSx for OpenZFS in the Region",
            20,
            _INWARDS,
            "FSx for OpenZFS user guide, On-demand data replication",
            modes=frozenset({Mode.PLANNED}),
            strategies=(OPENZFS,),
        ),
    ),
    unconfirmed=(
        "Whether DescribeBackups filters by a file system of another Region: all backups of the type are read instead.",
        "Whether a copy's CreationTime is that of the copy or of its source: the age of the data is taken from the source's "
        "backup where the inventory knows it.",
        "Whether restored OpenZFS volumes keep ReadOnly: it is looked at, and lifted where it came from the fence.",
        "Whether an OpenZFS snapshot's copy shows the time of its data: the age is taken from the source's snapshot where known.",
        "Whether a junction path may stay with a client that holds a file handle (ONTAP says unmounting alone is no fence): "
        "CloudWatch must show that nobody writes, and the last transfer must be younger than the last write.",
        "Whether POST creates a relationship onto a read-write volume, and beside a broken one in the other direction: if ONTAP "
        "declines, REPLICATE fails with its words; snapmirror delete the broken one, then retry.",
        "Whether FSx takes a junction path for a volume that it still shows as DP: it is asked once ONTAP shows it read-write; if "
        "FSx declines, retry after some minutes.",
        "Whether a relationship that is paused during a transfer shows as paused at once: a break is asked only when it does.",
        "How long ONTAP's own certificate on FSx is valid, and whether its name fits the endpoint: it is pinned as a whole, or an "
        "authority is named.",
        "Whether a restore can join a self-managed directory with the saved credentials: readiness warns.",
    ),
)

FENCED_TAG = "dr:fenced"
"""On a fenced file system: the time, then its aliases (Windows) or the volumes that were read-only before (OpenZFS); on a
fenced ONTAP volume: the time and its junction path.
"""
CARRIED_TAG = "dr:carried"
"""On a fenced ONTAP volume: the run that saw everything of it arrive on the other side."""
SECRET_TAG = "dr:ontap-secret"  # noqa: S105  the name of a tag
"""On an ONTAP file system: the name of the secret with the password of fsxadmin, in the same account and Region."""
RESTORE_TAGS = {
    "subnets": "dr:restore-subnets",
    "security_groups": "dr:restore-security-groups",
    "key": "dr:restore-key",
    "directory": "dr:restore-directory",
}
"""On a file system and its backups: where the other side is restored; several ids are separated by spaces."""
PLATFORM_TAGS = (FENCED_TAG, CARRIED_TAG, SECRET_TAG, "dr:execution-id", "dr:drill-id", *RESTORE_TAGS.values())
TAG_VALUE_LIMIT = 256
FS_MISSING = ("FileSystemNotFound",)
DS_MISSING = ("EntityDoesNotExistException",)
FAILED_FILE_SYSTEM = ("FAILED", "MISCONFIGURED", "MISCONFIGURED_UNAVAILABLE")
BUSY_FILE_SYSTEM = ("CREATING", "UPDATING", "DELETING")
FAILED_BACKUP = ("FAILED", "DELETED")
BUSY_BACKUP = ("PENDING", "CREATING", "TRANSFERRING", "COPYING")
FAILED_ALIAS = ("CREATE_FAILED", "DELETE_FAILED")
FAILED_VOLUME = ("FAILED", "MISCONFIGURED", "DELETING")
FAILED_TRANSFER = ("failed", "aborted", "hard_aborted")
ONTAP_SERVICE = "ontap"
FUNCTION_MISSING = ("ResourceNotFoundException",)
FAILED_ACTION = ("FAILED", "CANCELLED", "PAUSED")
BUSY_ACTION = ("PENDING", "IN_PROGRESS")
ACTION_STATUSES = (*BUSY_ACTION, *FAILED_ACTION, "COMPLETED", "UPDATED_OPTIMIZING", "OPTIMIZING")
VOLUME_LIVES = ("PENDING", "CREATING", "CREATED", "AVAILABLE", "DELETING", "FAILED", "MISCONFIGURED")
WRITES_NAMESPACE, WRITES = "AWS/FSx", "DataWriteBytes"
QUIET_DATAPOINTS = 3
QUIET_BOUND_SECONDS = 1800
"""How long clients may go on writing before a person is asked."""
FAILED_TASK = ("FAILED", "CANCELED", "CANCELING")
BUSY_TASK = ("PENDING", "EXECUTING")
PENDING_NAMESPACE, PENDING = "AWS/S3", "OperationsPendingReplication"
REPLICATION_BOUND_SECONDS = 3600
"""How long S3 may take to replicate an export before a person is asked; 15 minutes are what it promises at best."""
PORTS = {"WINDOWS": 445, "OPENZFS": 2049, "LUSTRE": 988}
