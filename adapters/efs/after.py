"""What the phases of an EFS recovery are expected to leave behind, for previews. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from adapters.efs.fence import closed
from adapters.efs.models import (
    BackupJob,
    CopyJob,
    Destination,
    FileSystem,
    Guard,
    JobState,
    Life,
    Replication,
    Sync,
)
from adapters.efs.spec import DRAINED, EXECUTION_ID, FENCED_TAG
from adapters.efs.view_replication import ReplicationView
from adapters.efs.view_restore import RestoreView, vault_arn
from adapters.efs.view_sides import EfsSide
from orchestrator.contract import RunContext
from orchestrator.tags import ENABLED
from orchestrator.words import Mode, Phase


def fenced(side: EfsSide, run: RunContext, note: str = "") -> EfsSide:
    """Return a side behind the fence."""
    if side.fs is None:
        return side
    known = side.fs.tags.get(FENCED_TAG)
    tags = {**side.fs.tags, FENCED_TAG: note or known or run.now.isoformat(timespec="seconds")}
    return replace(side, policy=closed(side.policy) if not side.closed else side.policy, fs=side.fs.but(tags=tags))


def activated(view: ReplicationView, run: RunContext) -> ReplicationView:
    """Return the view after ACTIVATE."""
    target, source = view.target, view.source
    if target.fs is not None:
        tags = {**target.fs.tags, EXECUTION_ID: run.run_id}
        target = replace(target, replication=None, fs=target.fs.but(tags=tags, guard=Guard.ENABLED))
    if run.mode is Mode.PLANNED and view.replicates:
        now = run.now.isoformat(timespec="seconds")
        source = replace(fenced(source, run, f"{now} {DRAINED} {now}"), replication=None)
    return replace(view, target=target, source=source)


def cleaned(view: ReplicationView, run: RunContext) -> ReplicationView:
    """Return the view after CLEANUP."""
    if not view.activated:
        return view
    return replace(view, source=replace(fenced(view.source, run), replication=None))


def replicated(view: ReplicationView, run: RunContext) -> ReplicationView:
    """Return the view after REPLICATE."""
    to = Destination(
        Status=Sync.ENABLED,
        FileSystemId=view.member.source.id,
        Region=view.member.source.region,
        LastReplicatedTimestamp=run.now,
    )
    place = view.member.target
    held = Replication(SourceFileSystemId=place.id, SourceFileSystemRegion=place.region, Destinations=[to])
    return replace(view, target=replace(view.target, replication=held), source=replace(view.source, replication=held))


def restored(phase: Phase, view: RestoreView, run: RunContext) -> RestoreView:
    """Return the view after a phase of a recovery by AWS Backup."""
    later = run.now + timedelta(hours=1)
    backup = BackupJob(State=JobState.COMPLETED, CreationDate=later, RecoveryPointArn="later")
    if phase is Phase.ACTIVATE:
        tags = {EXECUTION_ID: run.run_id, ENABLED: "true"}
        made = FileSystem(FileSystemId="", CreationTime=run.now, LifeCycleState=Life.AVAILABLE).but(tags=tags)
        target = view.target if view.target.fs else replace(view.target, fs=made)
        if run.mode is Mode.EMERGENCY or view.source.fs is None:
            return replace(view, target=target)
        return replace(view, target=target, source=fenced(view.source, run), backups=(backup,))
    if phase is Phase.CLEANUP:
        return replace(view, source=fenced(view.source, run))
    if phase is Phase.REPLICATE:
        to = vault_arn(view.member.source)
        copy = CopyJob(State=JobState.COMPLETED, CreationDate=later, DestinationBackupVaultArn=to)
        kept = {key: value for key, value in (view.source.fs.tags if view.source.fs else {}).items() if key != ENABLED}
        source = replace(view.source, fs=view.source.fs.but(tags=kept)) if view.source.fs else view.source
        return replace(view, source=source, back_backups=(backup,), back_copies=(copy,))
    return view
