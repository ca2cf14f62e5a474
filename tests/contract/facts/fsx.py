"""FSx in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

WINDOWS = "only Windows file systems need it; their story is in tests/adapters"

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
)
