"""What the phases of an FSx recovery by backups are expected to leave behind, for previews. Pure."""

from __future__ import annotations

from dataclasses import replace

from adapters.fsx.models import Backup, FileSystem, Volume
from adapters.fsx.spec import FENCED_TAG
from adapters.fsx.view_backup import EXECUTION_ID, BackupView, meant_read_only
from adapters.reading import KeyValue
from orchestrator.contract import RunContext
from orchestrator.tags import ENABLED
from orchestrator.words import Mode, Phase


def foreseen(phase: Phase, view: BackupView, run: RunContext) -> BackupView:
    """Return the view after a phase of a real run."""
    if phase is Phase.INSTANTIATE and view.source is not None and not view.copies:
        return replace(view, copies=(_backup(view.source, run),))
    if phase is Phase.ACTIVATE:
        return _activated(view, run)
    if phase is Phase.CLEANUP and view.source is not None:
        kept = [tag for tag in _fenced(view, view.source, run).Tags if tag.Key != ENABLED]
        return replace(view, source=view.source.model_copy(update={"Tags": kept}))
    if phase is Phase.REPLICATE and view.target is not None:
        return replace(view, back_copies=(_backup(view.target, run),))
    return view


def drill_copy(view: BackupView) -> FileSystem:
    """Return the file system that a drill restores."""
    return FileSystem(FileSystemId="", FileSystemType=view.kind, Lifecycle="AVAILABLE")


def _activated(view: BackupView, run: RunContext) -> BackupView:
    tags = [KeyValue(Key=EXECUTION_ID, Value=run.run_id), KeyValue(Key=ENABLED, Value="true")]
    restored = FileSystem(
        FileSystemId="", FileSystemType=view.kind, Lifecycle="AVAILABLE", CreationTime=run.now, Tags=tags
    )
    target = view.target or restored
    if run.mode is Mode.EMERGENCY or view.source is None:
        return replace(view, target=target)
    normal = meant_read_only(view)
    opened = view.target_volumes or tuple(_set(each, wanted=each.path in normal) for each in view.source_volumes)
    fenced = tuple(_set(each, wanted=True) for each in view.source_volumes)
    source = _fenced(view, view.source, run)
    return replace(view, target=target, target_volumes=opened, source=source, source_volumes=fenced)


def _fenced(view: BackupView, source: FileSystem, run: RunContext) -> FileSystem:
    if view.fenced_at is not None:
        return source
    words = source.aliases if view.kind == "WINDOWS" else [v.VolumeId for v in view.source_volumes if v.read_only]
    value = " ".join([run.now.isoformat(timespec="seconds"), *words])
    update: dict[str, object] = {"Tags": [*source.Tags, KeyValue(Key=FENCED_TAG, Value=value)]}
    if source.WindowsConfiguration is not None:
        update["WindowsConfiguration"] = source.WindowsConfiguration.model_copy(update={"Aliases": []})
    return source.model_copy(update=update)


def _set(volume: Volume, *, wanted: bool) -> Volume:
    settings = volume.OpenZFSConfiguration
    return volume.model_copy(
        update={"OpenZFSConfiguration": settings.model_copy(update={"ReadOnly": wanted}) if settings else None}
    )


def _backup(of: FileSystem, run: RunContext) -> Backup:
    return Backup(BackupId="", Lifecycle="AVAILABLE", CreationTime=run.now, FileSystem=of)
