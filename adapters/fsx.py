"""Amazon FSx: each strategy is a module of its own, with its own view; this one only tells them apart.

backup-copy          Windows, OpenZFS, Lustre without S3: `adapters.fsx_backup`
openzfs-replication  OpenZFS volumes that follow each other by snapshots: `adapters.fsx_openzfs`
lustre-s3            Lustre file systems that are linked to replicated buckets: `adapters.fsx_lustre`

ONTAP is left to people: SnapMirror's commands go to the file system's management endpoint inside its VPC, which the hub
cannot reach. `adapters.fsx_discovery` says so when it meets one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from adapters.fsx_backup import BackupCopy
from adapters.fsx_discovery import discover
from adapters.fsx_lustre import LustreS3
from adapters.fsx_openzfs import OpenZfs
from adapters.specs.fsx import BACKUP_COPY, LUSTRE_S3, OPENZFS, SPEC
from orchestrator.contract import (
    Adapter,
    Check,
    Clients,
    Endpoint,
    Finding,
    Found,
    Loss,
    Reader,
    RunContext,
    Step,
    Target,
)
from orchestrator.words import Phase


class View(Protocol):
    """What every strategy's view tells."""

    @property
    def strategy(self) -> str:
        """Return the strategy's name."""


WAYS: dict[str, Adapter[Any]] = {BACKUP_COPY: BackupCopy(), OPENZFS: OpenZfs(), LUSTRE_S3: LustreS3()}


class FsxAdapter(Adapter[View]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.fsx_discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> View:
        """Read what the strategy needs."""
        found: View = WAYS[target.strategy].observe(target, aws, run)
        return found

    def readiness(self, view: View, run: RunContext) -> list[Finding]:
        """See the strategy."""
        return WAYS[view.strategy].readiness(view, run)

    def loss(self, view: View, run: RunContext) -> list[Loss]:
        """See the strategy."""
        return WAYS[view.strategy].loss(view, run)

    def instantiate(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].instantiate(view, run)

    def activate(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].activate(view, run)

    def cleanup(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].cleanup(view, run)

    def replicate(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].replicate(view, run)

    def decommission(self, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].decommission(view, run)

    def rollback(self, phase: Phase, view: View, run: RunContext) -> list[Step]:
        """See the strategy."""
        return WAYS[view.strategy].rollback(phase, view, run)

    def health(self, view: View, run: RunContext) -> list[Check]:
        """See the strategy."""
        return WAYS[view.strategy].health(view, run)

    def endpoints(self, view: View, run: RunContext) -> list[Endpoint]:
        """See the strategy."""
        return WAYS[view.strategy].endpoints(view, run)

    def after(self, phase: Phase, view: View, run: RunContext) -> View:
        """See the strategy."""
        found: View = WAYS[view.strategy].after(phase, view, run)
        return found
