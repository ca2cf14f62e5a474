"""Amazon FSx: each strategy is a module of its own, with its own view; this one only tells them apart.

backup-copy          Windows, OpenZFS, Lustre without S3: `adapters.fsx_backup`
openzfs-replication  OpenZFS volumes that follow each other by snapshots: `adapters.fsx_openzfs`
lustre-s3            Lustre file systems that are linked to replicated buckets: `adapters.fsx_lustre`
ontap-snapmirror     ONTAP volumes that follow each other by SnapMirror: `adapters.fsx_ontap`
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.fsx_backup import BackupCopy
from adapters.fsx_discovery import discover
from adapters.fsx_lustre import LustreS3
from adapters.fsx_ontap import SnapMirror
from adapters.fsx_openzfs import OpenZfs
from adapters.specs.fsx import BACKUP_COPY, LUSTRE_S3, ONTAP, OPENZFS, SPEC
from adapters.strategies import ByStrategy
from orchestrator.contract import Found, Reader


class FsxAdapter(ByStrategy):
    """See the module docstring."""

    spec = SPEC
    ways = {BACKUP_COPY: BackupCopy(), OPENZFS: OpenZfs(), LUSTRE_S3: LustreS3(), ONTAP: SnapMirror()}

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.fsx_discovery`."""
        return discover(aws, arns)
