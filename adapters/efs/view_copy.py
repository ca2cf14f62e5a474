"""What a drill made of a recovery point, and what it could be made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.efs.models import FileSystem, MountTarget, RestoreJob
from adapters.efs.spec import BUSY_JOB, DRILL_ID
from adapters.efs.view_backups import Point, points_of, restores_of
from adapters.efs.view_sides import file_system_made_as, mounts_of
from adapters.reading import drill_name, is_of_this_drill
from orchestrator.contract import Member, Reader, RunContext

TOKEN_LIMIT = 64


@dataclass(frozen=True)
class DrillCopy:
    """The restored file system, its job, and the newest recovery point of the target Region."""

    point: Point | None = None
    fs: FileSystem | None = None
    job: RestoreJob | None = None
    mounts: tuple[MountTarget, ...] = ()
    ours: bool = True


def drill_copy(reader: Reader, member: Member, arns: Sequence[str], run: RunContext) -> DrillCopy:
    """Read what this drill made; its name is the creation token, so nothing else can be mistaken for it."""
    made = file_system_made_as(reader, drill_name(run, member.name, TOKEN_LIMIT))
    jobs = restores_of(reader, arns)
    points = points_of(reader, arns)
    return DrillCopy(
        point=points[0] if points else None,
        fs=made,
        job=job_of(made, jobs, run),
        mounts=tuple(mounts_of(reader, made.FileSystemId)) if made else (),
        ours=made is None or DRILL_ID not in made.tags or is_of_this_drill(made.tags, run),
    )


def job_of(made: FileSystem | None, jobs: Sequence[RestoreJob], run: RunContext) -> RestoreJob | None:
    """Return the job that made a file system; before it has made one, the newest unfinished or failed of this attempt."""
    if made is not None:
        return next((job for job in jobs if job.CreatedResourceArn == made.FileSystemArn), None)
    nameless = [job for job in jobs if not job.CreatedResourceArn and job.CreationDate >= run.began]
    busy = [job for job in nameless if job.State in BUSY_JOB]
    return next(iter([*busy, *nameless]), None)
