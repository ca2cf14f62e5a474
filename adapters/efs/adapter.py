"""Amazon EFS: each strategy is a module of its own, with its own view; this one only tells them apart.

replication     a standing replica takes over, and is replicated back: `adapters.efs.replication`
backup-restore  a copied recovery point of AWS Backup becomes a new file system: `adapters.efs.backup`
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.efs.backup import BackupRestore
from adapters.efs.discovery import discover
from adapters.efs.replication import Replicate
from adapters.efs.spec import BACKUP_RESTORE, REPLICATION, SPEC
from adapters.strategies import ByStrategy
from orchestrator.contract import Found, Reader


class EfsAdapter(ByStrategy):
    """See the module docstring."""

    spec = SPEC
    ways = {REPLICATION: Replicate(), BACKUP_RESTORE: BackupRestore()}

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.efs.discovery`."""
        return discover(aws, arns)
