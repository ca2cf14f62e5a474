"""Amazon FSx: each strategy is a module of its own, with its own view; this one only tells them apart.

backup-copy          Windows, OpenZFS, Lustre without S3: `adapters.fsx.backup`
openzfs-replication  OpenZFS volumes that follow each other by snapshots: `adapters.fsx.openzfs`
lustre-s3            Lustre file systems that are linked to replicated buckets: `adapters.fsx.lustre`
ontap-snapmirror     ONTAP volumes that follow each other by SnapMirror: `adapters.fsx.ontap`
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.fsx.backup import BackupCopy
from adapters.fsx.discovery import discover
from adapters.fsx.lustre import LustreS3
from adapters.fsx.ontap import SnapMirror
from adapters.fsx.openzfs import OpenZfs
from adapters.fsx.spec import BACKUP_COPY, LUSTRE_S3, ONTAP, OPENZFS, SPEC
from adapters.strategies import ByStrategy
from orchestrator.contract import Found, Reader


class FsxAdapter(ByStrategy):
    """See the module docstring."""

    spec = SPEC
    ways = {BACKUP_COPY: BackupCopy(), OPENZFS: OpenZfs(), LUSTRE_S3: LustreS3(), ONTAP: SnapMirror()}

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.fsx.discovery`."""
        return discover(aws, arns)
