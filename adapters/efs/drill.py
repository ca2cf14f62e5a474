"""A drill of EFS: the newest recovery point of the target Region, restored beside production without mount targets.

Without a mount target nobody reaches the copy; whoever wants to look into it makes one, which goes with the copy. The
replica is never touched. Where a replicated file system has no recovery point, the drill only looks at the replica.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.efs.jobs import complete, restore, restore_call, role_of
from adapters.efs.models import FileSystem, Life
from adapters.efs.spec import BUSY_JOB, DRILL_ID
from adapters.efs.view_copy import TOKEN_LIMIT, DrillCopy
from adapters.judging import gone, not_ours
from adapters.reading import drill_name, tag_list
from orchestrator.contract import Call, Check, Later, Member, Param, RunContext, Step, busy, done, todo
from orchestrator.words import CheckState, Effect, Side


def make(member: Member, copy: DrillCopy, run: RunContext, facts: Mapping[str, object], key: str | None) -> list[Step]:
    """Return the steps that restore the newest recovery point; there must be one."""
    if not copy.ours:
        return not_ours("drill-restore", _named(copy), run.run_id)
    point = copy.point
    token, role = drill_name(run, member.name, TOKEN_LIMIT), role_of(member, member.target)
    call = restore_call(point.arn if point else None, point.file_system_id if point else "", token, facts, key, role)
    why = f"{point.arn if point else 'the newest recovery point'} is not restored yet"
    return [
        restore("drill-restore", call, copy.fs, copy.job, run, why),
        _mark(copy, run),
        complete("drill-restored", copy.fs, copy.job),
    ]


def _mark(copy: DrillCopy, run: RunContext) -> Step:
    params: dict[str, Param] = {"ResourceId": _id(copy), "Tags": tag_list(run.tags)}
    call = Call("efs", "TagResource", params, Side.TARGET)
    if copy.fs is not None and DRILL_ID in copy.fs.tags:
        return done("drill-mark", f"{copy.fs.FileSystemId} carries {DRILL_ID}", effect=Effect.REVERSIBLE)
    return todo("drill-mark", call, Effect.REVERSIBLE, f"{_named(copy)} does not carry {DRILL_ID}")


def delete(copy: DrillCopy, run: RunContext) -> list[Step]:
    """Return the steps that delete the copy, never anything without this drill's tag and creation token."""
    name = "drill-file-system"
    if not copy.ours:
        return not_ours(name, _named(copy), run.run_id)
    if copy.job is not None and copy.job.State in BUSY_JOB:
        return [busy(name, f"its restore is {copy.job.State}: it is deleted when that has ended")]
    if copy.fs is None:
        return [done(name, "gone")]
    doomed = [
        gone(
            f"drill-mount-target-{each.AvailabilityZoneName}",
            each.LifeCycleState,
            Call("efs", "DeleteMountTarget", {"MountTargetId": each.MountTargetId}, Side.TARGET),
        )
        for each in copy.mounts
    ]
    call = Call("efs", "DeleteFileSystem", {"FileSystemId": _id(copy)}, Side.TARGET)
    return [_mark(copy, run), *doomed, gone(name, copy.fs.LifeCycleState, call, leaving=("deleting", "creating"))]


def health(member: Member, copy: DrillCopy) -> list[Check]:
    """Check the copy."""
    life = copy.fs.LifeCycleState if copy.fs else "not there"
    job = copy.job.State if copy.job else "without a job"
    well = life == Life.AVAILABLE and (copy.job is None or copy.job.State not in BUSY_JOB)
    state = CheckState.HEALTHY if well else CheckState.SETTLING
    return [Check(member.resource_id, "drill-copy", state, f"the restored file system is {life}, its restore {job}")]


def foreseen(copy: DrillCopy, run: RunContext) -> DrillCopy:
    """Return the copy as a preview of later phases expects it."""
    made = FileSystem(FileSystemId="", CreationTime=run.now, LifeCycleState=Life.AVAILABLE).but(tags=run.tags)
    return DrillCopy(point=copy.point, fs=made)


def _id(copy: DrillCopy) -> Param:
    return copy.fs.FileSystemId if copy.fs and copy.fs.FileSystemId else Later("id of the restored file system")


def _named(copy: DrillCopy) -> str:
    return copy.fs.FileSystemId if copy.fs and copy.fs.FileSystemId else "the restored file system"
