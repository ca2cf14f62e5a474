"""What is read of an EFS file system and its replica."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.efs.models import BackupJob, Guard, JobState
from adapters.efs.spec import REPLICATION
from adapters.efs.view_backups import backups_of
from adapters.efs.view_copy import DrillCopy, drill_copy
from adapters.efs.view_sides import EfsSide, Landing, landing_of, last_write, side_of, writes_since
from adapters.needed import key_states
from adapters.reading import Datapoint
from orchestrator.contract import Clients, Member, RunContext, Target
from orchestrator.words import Mode, Phase, Side


@dataclass(frozen=True)
class ReplicationView:
    """Both file systems; the source side only as far as it was read."""

    member: Member
    source: EfsSide
    target: EfsSide
    writes: tuple[Datapoint, ...] = ()
    """What clients wrote to the fenced source since the fence."""
    backups: tuple[BackupJob, ...] = ()
    """Backup jobs of a source that is fenced, but was not drained."""
    landing: Landing = Landing({})
    key_states: Mapping[str, str] = field(default_factory=dict)
    copy: DrillCopy = DrillCopy()
    strategy: str = REPLICATION

    @property
    def replicates(self) -> bool:
        """Say whether the target is a replica of the source."""
        held = self.target.replication
        return held is not None and (held.SourceFileSystemId, held.to.FileSystemId) == (
            self.member.source.id,
            self.member.target.id,
        )

    @property
    def reversed(self) -> bool:
        """Say whether the source is a replica of the target."""
        held = self.target.replication
        return held is not None and (held.SourceFileSystemId, held.to.FileSystemId) == (
            self.member.target.id,
            self.member.source.id,
        )

    @property
    def orphaned(self) -> bool:
        """Say whether only the source side still holds the configuration of the replication."""
        held = self.source.replication
        return held is not None and held.SourceFileSystemId == self.member.source.id and not self.replicates

    @property
    def activated(self) -> bool:
        """Say whether the target takes writes, and something tells that it took over from the source."""
        trace = self.target.marked or self.source.drained_to is not None or self.orphaned
        return self.target.writable and trace

    @property
    def serving(self) -> bool:
        """Say whether the target takes writes."""
        guard = self.target.fs.guard if self.target.fs else None
        return self.target.writable or (self.reversed and guard is Guard.ENABLED)

    @property
    def lossless(self) -> bool:
        """Say whether the target was seen to hold everything that was ever written to the source."""
        until, written = self.source.drained_to, last_write(self.writes)
        return self.source.closed and until is not None and (written is None or written <= until)

    @property
    def kept_by_backup(self) -> bool:
        """Say whether a completed backup of the fenced source began after its last write."""
        silent = self.source.silent_from(self.writes)
        finished = [job for job in self.backups if job.State is JobState.COMPLETED]
        return silent is not None and any(job.CreationDate >= silent for job in finished)


def look(target: Target, aws: Clients, run: RunContext) -> ReplicationView:
    """Read the target side; the source side unless this is a drill or it is lost; surroundings when they matter."""
    member, reader = target.only, aws.at(Side.TARGET)
    here = side_of(reader, member.target)
    if run.mode is Mode.DRILL:
        arns = [member.target.arn, member.source.arn]
        return ReplicationView(member, EfsSide(member.source), here, copy=drill_copy(reader, member, arns, run))
    first = run.phase is Phase.INSTANTIATE or run.mode is Mode.EMERGENCY
    landing = landing_of(reader, member) if first else Landing({})
    states = key_states(reader, here.fs.KmsKeyId) if first and here.fs else {}
    if not aws.reaches(Side.SOURCE):
        return ReplicationView(member, EfsSide(member.source), here, landing=landing, key_states=states)
    there_reader = aws.at(Side.SOURCE)
    there = side_of(there_reader, member.source)
    since = there.fenced_at
    undrained = there.fenced and there.drained_to is None
    return ReplicationView(
        member,
        there,
        here,
        writes=writes_since(there_reader, run, there.id, since) if since else (),
        backups=backups_of(there_reader, member.source.arn) if undrained else (),
        landing=landing,
        key_states=states,
    )
