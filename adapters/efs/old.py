"""What becomes of EFS file systems that stop serving when another was restored: tags, release, deletion. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.efs.models import FileSystem, JobState, Life, MountTarget
from adapters.efs.spec import BACKUP_RESTORE, PLATFORM_TAGS, RESTORE_TAGS
from adapters.efs.view_restore import RestoreView
from adapters.efs.view_sides import FS_PREFIX
from orchestrator.contract import Call, Member, RunContext, Step, blocked, busy, done, skip, todo
from orchestrator.tags import ENABLED, STRATEGY
from orchestrator.words import Effect, Side


def standing_tags(member: Member, run: RunContext) -> dict[str, str]:
    """Return the tags of what stands for the resource from now on, and where its other side goes: where the source is."""
    own = {key: value for key, value in member.tags.items() if key not in PLATFORM_TAGS and not key.startswith("aws:")}
    facts = member.source.facts.get("own")
    landing = {
        RESTORE_TAGS[key]: " ".join(str(each) for each in value)
        for key, value in (facts.items() if isinstance(facts, Mapping) else ())
        if key in RESTORE_TAGS and isinstance(value, list | tuple) and value
    }
    return {STRATEGY: BACKUP_RESTORE, **own, "Name": member.name, **landing, **run.tags}


def release(view: RestoreView) -> Step:
    """Return the step that takes the old file system out of the scope, so that the next inventory sees one claimant."""
    name, fs = "release-old", view.source.fs
    if fs is None or ENABLED not in fs.tags:
        return done(name, "no old file system is in the scope", effect=Effect.COMPENSABLE)
    return todo(name, _untag(fs, Side.SOURCE), Effect.COMPENSABLE, f"{fs.FileSystemId} still carries {ENABLED}")


def leave(fs: FileSystem) -> Step:
    """Return the step that takes a restored file system out of the scope again."""
    why = f"{fs.FileSystemId} carries {ENABLED}; it is kept, for you to delete"
    return todo("leave-scope", _untag(fs, Side.TARGET), Effect.COMPENSABLE, why)


def _untag(fs: FileSystem, side: Side) -> Call:
    return Call("efs", "UntagResource", {"ResourceId": fs.FileSystemId, "TagKeys": [ENABLED]}, side)


def delete_old(view: RestoreView) -> list[Step]:
    """Return the steps that delete the old file system with its mount targets."""
    name, side = "delete-old", view.source
    if side.fs is None and side.place.id.startswith(FS_PREFIX):
        return [done(name, f"{side.place.id} is gone", effect=Effect.IRREVERSIBLE)]
    if side.fs is None:
        return skip("no file system is left on the source side")
    call = Call("efs", "DeleteFileSystem", {"FileSystemId": side.id}, Side.SOURCE)
    if side.fs.LifeCycleState in {Life.DELETING, Life.DELETED}:
        return [busy(name, f"{side.id} is {side.fs.LifeCycleState}", effect=Effect.IRREVERSIBLE, call=call)]
    wrong = _not_yet(view)
    if wrong:
        return [blocked(name, f"{wrong}: {side.id} is kept", "run CLEANUP and REPLICATE first.", call=call)]
    last = (
        busy(name, f"{side.id} has {len(side.mounts)} mount target(s)", effect=Effect.IRREVERSIBLE, call=call)
        if side.mounts
        else todo(name, call, Effect.IRREVERSIBLE, f"{side.id} is fenced, backed up and out of the scope")
    )
    return [*(_unmounted(each) for each in side.mounts), last]


def _unmounted(mount: MountTarget) -> Step:
    name = f"delete-mount-target-{mount.AvailabilityZoneName}"
    call = Call("efs", "DeleteMountTarget", {"MountTargetId": mount.MountTargetId}, Side.SOURCE)
    shown = f"{mount.MountTargetId} is {mount.LifeCycleState}"
    if mount.LifeCycleState in {Life.DELETING, Life.DELETED}:
        return done(name, shown, effect=Effect.IRREVERSIBLE)
    return todo(name, call, Effect.IRREVERSIBLE, shown)


def _not_yet(view: RestoreView) -> str:
    """Return what still forbids the deletion of the old file system, or nothing."""
    old = view.source.fs
    if not (view.serving and view.successor):
        return "no restored file system serves on the target side"
    if view.back_copy is None or view.back_copy.State is not JobState.COMPLETED:
        return f"no backup of {view.target.id} has arrived in {view.member.source.region}"
    if old is None or ENABLED in old.tags or not view.source.fenced:
        return f"{view.source.id} is not fenced and released"
    if view.last_backup is None or view.last_backup.State is not JobState.COMPLETED:
        return f"no backup of {view.source.id} was taken since it is fenced"
    return ""
