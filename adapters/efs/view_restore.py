"""What is read of an EFS file system that is recovered by AWS Backup: both sides, jobs and recovery points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from adapters.efs.models import BackupJob, CopyJob, JobState, Life, RestoreJob
from adapters.efs.spec import BACKUP_RESTORE, BUSY_JOB, DEFAULT_VAULT
from adapters.efs.view_backups import Point, backups_of, copies_of, points_of, restores_of
from adapters.efs.view_copy import TOKEN_LIMIT, DrillCopy, drill_copy, job_of
from adapters.efs.view_sides import (
    FS_PREFIX,
    EfsSide,
    Landing,
    file_system_made_as,
    landing_of,
    side_of,
    writes_since,
)
from adapters.needed import key_states
from adapters.reading import Datapoint
from orchestrator.contract import Clients, Member, Place, Reader, RunContext, Target
from orchestrator.tags import ENABLED
from orchestrator.words import Mode, Phase, Side

J = TypeVar("J", BackupJob, CopyJob)


@dataclass(frozen=True)
class RestoreView:
    """Both sides. The target side's file system is the inventory's, or the one that this run restored."""

    member: Member
    source: EfsSide
    target: EfsSide
    source_read: bool = False
    writes: tuple[Datapoint, ...] = ()
    """What clients wrote to the fenced source since the fence."""
    backups: tuple[BackupJob, ...] = ()
    copies: tuple[CopyJob, ...] = ()
    points: tuple[Point, ...] = ()
    """Recovery points of the source that lie in the target Region."""
    job: RestoreJob | None = None
    back_backups: tuple[BackupJob, ...] = ()
    back_copies: tuple[CopyJob, ...] = ()
    written_to_target: float = 0.0
    landing: Landing = Landing({})
    key_states: Mapping[str, str] = field(default_factory=dict)
    copy: DrillCopy = DrillCopy()
    strategy: str = BACKUP_RESTORE

    def is_mine(self, run: RunContext) -> bool:
        """Say whether the target side's file system is the one that this run restored."""
        return self.target.fs is not None and self.target.fs.CreationToken == restore_token(run, self.member)

    @property
    def newest_taken(self) -> datetime | None:
        """Return when the data of the newest recovery point was taken, as the inventory or else the copy tells."""
        kept = self.member.source.facts.get("taken")
        known = kept.get(self.points[0].arn) if isinstance(kept, Mapping) and self.points else None
        if known:
            return datetime.fromisoformat(str(known))
        return self.points[0].point.CreationDate if self.points else None

    @property
    def restoring(self) -> bool:
        """Say whether the target side's file system is still being filled."""
        return self.job is not None and self.job.State in BUSY_JOB

    @property
    def serving(self) -> bool:
        """Say whether a restored file system stands on the target side, complete and in the scope."""
        fs = self.target.fs
        complete = fs is not None and fs.LifeCycleState is Life.AVAILABLE and not self.restoring
        return complete and self.target.marked and fs is not None and ENABLED in fs.tags

    @property
    def successor(self) -> bool:
        """Say whether the target side's file system was made after the source's, by a run."""
        old, new = self.source.fs, self.target.fs
        return new is not None and self.target.marked and (old is None or new.CreationTime > old.CreationTime)

    @property
    def last_backup(self) -> BackupJob | None:
        """Return the backup that began when nobody could write to the source any more."""
        silent = self.source.silent_from(self.writes)
        return best([job for job in self.backups if silent is not None and job.CreationDate >= silent])

    @property
    def last_copy(self) -> CopyJob | None:
        """Return the job that copied that backup to the target Region."""
        last = self.last_backup
        region = self.member.target.region
        return best(
            [
                job
                for job in self.copies
                if last is not None
                and job.SourceRecoveryPointArn == last.RecoveryPointArn
                and region_of(job.DestinationBackupVaultArn) == region
            ]
        )

    @property
    def back_backup(self) -> BackupJob | None:
        """Return the backup of the complete restored file system."""
        fs = self.target.fs
        since = self.job.CompletionDate if self.job and self.job.CompletionDate else fs.CreationTime if fs else None
        return best([job for job in self.back_backups if since is not None and job.CreationDate >= since])

    @property
    def back_copy(self) -> CopyJob | None:
        """Return the job that copied a backup of the restored file system to the source Region."""
        region, last = self.member.source.region, self.back_backup
        found = [job for job in self.back_copies if region_of(job.DestinationBackupVaultArn) == region]
        ready = [job for job in found if job.State is JobState.COMPLETED]
        own = [job for job in found if last is not None and job.SourceRecoveryPointArn == last.RecoveryPointArn]
        return ready[0] if ready else best(own)


def best(jobs: list[J]) -> J | None:
    """Return the job that counts: a completed one, else one that runs, else the newest failed one."""
    order = [
        [job for job in jobs if job.State is JobState.COMPLETED],
        [job for job in jobs if job.State in BUSY_JOB],
        jobs,
    ]
    return next((each[0] for each in order if each), None)


def region_of(arn: str) -> str:
    """Return the Region of an ARN."""
    return arn.split(":")[3] if arn.count(":") > 3 else ""  # noqa: PLR2004


def restore_token(run: RunContext, member: Member) -> str:
    """Return the creation token of what this run restores: its name before it has an id."""
    return f"dr-{run.short_id}-{member.name}"[:TOKEN_LIMIT]


def vault_arn(place: Place, points: tuple[Point, ...] = ()) -> str:
    """Return the vault of a side: the counterpart's own, the one that was copied from, or the one of its recovery points."""
    if ":backup-vault:" in place.arn:
        return place.arn
    partition = place.arn.split(":")[1]
    prefix = f"arn:{partition}:backup:{place.region}:{place.account}:backup-vault:"
    known = place.facts.get("vault")
    return str(known) if known else f"{prefix}{points[0].vault if points else DEFAULT_VAULT}"


def look(target: Target, aws: Clients, run: RunContext) -> RestoreView:
    """Read the target side; the source side unless this is a drill or it is lost; surroundings when they matter."""
    member, reader = target.only, aws.at(Side.TARGET)
    if run.mode is Mode.DRILL:
        arns = [member.source.arn, member.target.arn]
        copy = drill_copy(reader, member, arns, run)
        return RestoreView(member, EfsSide(member.source), EfsSide(member.target), copy=copy)
    stands = member.target.id.startswith(FS_PREFIX)
    made = None if stands else file_system_made_as(reader, restore_token(run, member))
    here = side_of(reader, member.target, file_system=made)
    first = run.phase in {Phase.INSTANTIATE, Phase.ACTIVATE}
    landing = landing_of(reader, member) if first else Landing({})
    jobs = restores_of(reader, [member.source.arn])
    mine = here.fs.FileSystemArn if here.fs else ""
    job = job_of(here.fs, jobs, run)
    seen = RestoreView(
        member,
        EfsSide(member.source),
        here,
        points=points_of(reader, [member.source.arn]),
        job=job,
        back_backups=backups_of(reader, mine) if mine else (),
        back_copies=copies_of(reader, mine) if mine else (),
        written_to_target=_written(reader, run, here, job),
        landing=landing,
        key_states=key_states(reader, landing.key),
    )
    return _with_source(seen, aws.at(Side.SOURCE), run) if aws.reaches(Side.SOURCE) else seen


def _with_source(seen: RestoreView, reader: Reader, run: RunContext) -> RestoreView:
    member = seen.member
    there = side_of(reader, member.source)
    since, known = there.fenced_at, there.fs is not None
    return RestoreView(
        member,
        there,
        seen.target,
        source_read=True,
        writes=writes_since(reader, run, there.id, since) if since else (),
        backups=backups_of(reader, member.source.arn) if known else (),
        copies=copies_of(reader, member.source.arn) if known else (),
        points=seen.points,
        job=seen.job,
        back_backups=seen.back_backups,
        back_copies=seen.back_copies,
        written_to_target=seen.written_to_target,
        landing=seen.landing,
        key_states=seen.key_states,
    )


def _written(reader: Reader, run: RunContext, side: EfsSide, job: RestoreJob | None) -> float:
    """Return how many bytes clients wrote to the restored file system since it was complete; only a rollback asks."""
    if not run.rolling_back or side.fs is None or job is None or job.CompletionDate is None:
        return 0.0
    return sum(point.value for point in writes_since(reader, run, side.id, job.CompletionDate))
