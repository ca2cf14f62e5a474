"""What is seen of a file system that is recovered from copied backups.

A side of it is a file system (`fs-...`), or, where none stands, its newest backup (`backup-...`). Backups are told by the
file system they were taken of (`FileSystem.FileSystemId`), which copies keep; the API's filter by file system is not
used, because DescribeBackups may answer FileSystemNotFound for one that lives in another Region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import BaseModel, JsonValue

from adapters.fsx.models import Backup, Backups, FileSystem, FileSystems, Volume, Volumes
from adapters.fsx.spec import FENCED_TAG, FS_MISSING, WRITES, WRITES_NAMESPACE
from adapters.fsx.view_landing import Landing, checked, landing_of, of, source_id
from adapters.needed import key_states
from adapters.reading import Datapoint, drill_name, is_of_this_drill, recent_points
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.tags import CUSTOMER, ENABLED, ENVIRONMENT
from orchestrator.words import Mode, Phase, Side

DRILL_ID, EXECUTION_ID = "dr:drill-id", "dr:execution-id"


@dataclass(frozen=True)
class BackupView:
    """Both sides of a file system and of its backups."""

    strategy: ClassVar[str] = "backup-copy"
    member: Member
    landing: Landing
    source: FileSystem | None = None
    source_volumes: tuple[Volume, ...] = ()
    backups: tuple[Backup, ...] = ()
    """On the source side, of the source's file system; newest first."""
    copies: tuple[Backup, ...] = ()
    """On the target side, of the source's file system; newest first."""
    target: FileSystem | None = None
    target_volumes: tuple[Volume, ...] = ()
    back_backups: tuple[Backup, ...] = ()
    """On the target side, of the target's file system; newest first."""
    back_copies: tuple[Backup, ...] = ()
    """On the source side, of the target's file system; newest first."""
    copying: int = 0
    """Copies under way into the target Region, of whatever file system."""
    writes: tuple[Datapoint, ...] = ()
    """Bytes that clients wrote to the source, a point a minute, newest first."""
    written_since_backup: float = 0.0
    written_to_target: float = 0.0
    drill: FileSystem | None = None
    source_read: bool = True
    key_states: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Return the type of file system."""
        seen = self.source or self.target
        kept = self.member.source.facts.get("type") or self.member.target.facts.get("type")
        return seen.FileSystemType if seen else str(kept or "")

    @property
    def fenced_at(self) -> datetime | None:
        """Return when the fence around the source began to be raised, as its tag tells."""
        words = self.source.tags.get(FENCED_TAG, "").split() if self.source else []
        return datetime.fromisoformat(words[0]) if words else None

    @property
    def remembered(self) -> tuple[str, ...]:
        """Return what the fence's tag remembers: aliases (Windows), or volumes that were read-only before (OpenZFS)."""
        return tuple(self.source.tags.get(FENCED_TAG, "").split()[1:]) if self.source else ()

    def is_mine(self, run: RunContext) -> bool:
        """Say whether this run made the target's file system."""
        return self.target is not None and self.target.tags.get(EXECUTION_ID) == run.run_id

    def restored(self, run: RunContext) -> bool:
        """Say whether the target's file system holds what the source held behind its fence."""
        if self.target is None:
            return False
        if self.is_mine(run) or not self.source_read or self.source is None:
            return True
        made, fenced = self.target.CreationTime, self.fenced_at
        return made is not None and fenced is not None and made > fenced


def meant_read_only(view: BackupView) -> frozenset[str]:
    """Return the paths of volumes that are read-only in normal times."""
    kept = view.member.source.facts.get("read_only")
    paths = {str(each) for each in kept} if isinstance(kept, list | tuple) else set()
    return frozenset(paths | {each.path for each in view.source_volumes if each.VolumeId in view.remembered})


def look(target: Target, aws: Clients, run: RunContext) -> BackupView:
    """Read the target side; the source side unless this is a drill or it is lost."""
    member, here = target.only, aws.at(Side.TARGET)
    standing = _file_systems(here)
    found = _target_of(member, standing, run)
    every = _backups(here, member)
    first = run.phase is Phase.INSTANTIATE or run.mode is not Mode.PLANNED
    landing = landing_of(member, every)
    view = BackupView(
        member=member,
        landing=checked(here, landing, member) if first else landing,
        copies=of(every, source_id(member)),
        target=found,
        target_volumes=_volumes(here, found) if found else (),
        back_backups=of(every, found.FileSystemId) if found else (),
        copying=sum(each.Lifecycle == "COPYING" for each in every),
        written_to_target=written_to(here, run, found, found.CreationTime) if found and run.rolling_back else 0.0,
        drill=next(
            (each for each in standing if is_of_this_drill(each.tags, run) and _is_copy(each, run, member)), None
        ),
        source_read=False,
        key_states=key_states(here, landing.key) if first else {},
    )
    if run.mode is Mode.DRILL or not aws.reaches(Side.SOURCE):
        return view
    return _with_source(view, aws.at(Side.SOURCE), run)


def _with_source(view: BackupView, there: Reader, run: RunContext) -> BackupView:
    identifier = source_id(view.member)
    reply = (
        there.find("fsx", "DescribeFileSystems", FileSystems, FS_MISSING, FileSystemIds=[identifier])
        if view.member.source.id.startswith("fs-")
        else None
    )
    source = reply.FileSystems[0] if reply and reply.FileSystems else None
    every = _backups(there, view.member)
    backups = of(every, identifier)
    acting = run.phase is Phase.ACTIVATE and source is not None and source.FileSystemType != "OPENZFS"
    mine = [each for each in backups if each.tags.get(EXECUTION_ID) == run.run_id]
    return BackupView(
        **{
            **view.__dict__,
            "source": source,
            "source_volumes": _volumes(there, source) if source else (),
            "backups": backups,
            "back_copies": of(every, view.target.FileSystemId) if view.target else (),
            "writes": writes_of(there, run, identifier) if acting else (),
            "written_since_backup": written_to(there, run, source, mine[0].CreationTime) if acting and mine else 0.0,
            "source_read": True,
        }
    )


def _file_systems(reader: Reader) -> list[FileSystem]:
    pages = reader.pages("fsx", "DescribeFileSystems", FileSystems)
    return [each for page in pages for each in page.FileSystems]


def _target_of(member: Member, standing: Sequence[FileSystem], run: RunContext) -> FileSystem | None:
    """Return the file system of the target side: the one of the inventory, or one that was restored since."""
    by_id = {each.FileSystemId: each for each in standing}
    if member.target.id in by_id:
        return by_id[member.target.id]
    wanted = {CUSTOMER: member.tags.get(CUSTOMER), ENVIRONMENT: member.tags.get(ENVIRONMENT), "Name": member.name}
    named = [
        each
        for each in standing
        if DRILL_ID not in each.tags
        and all(each.tags.get(key) == value for key, value in wanted.items())
        and (ENABLED in each.tags or each.tags.get(EXECUTION_ID) == run.run_id)
        and each.FileSystemId != source_id(member)
    ]
    mine = [each for each in named if each.tags.get(EXECUTION_ID) == run.run_id and ENABLED in each.tags]
    return next(iter([*mine, *(each for each in named if ENABLED in each.tags)]), None)


def _is_copy(each: FileSystem, run: RunContext, member: Member) -> bool:
    return each.tags.get("Name") == drill_name(run, member.name)


def _backups(reader: Reader, member: Member) -> list[Backup]:
    kind = member.source.facts.get("type") or member.target.facts.get("type")
    filters: JsonValue = [{"Name": "file-system-type", "Values": [kind]}]
    pages = reader.pages("fsx", "DescribeBackups", Backups, **({"Filters": filters} if kind else {}))
    return [each for page in pages for each in page.Backups]


def _volumes(reader: Reader, file_system: FileSystem) -> tuple[Volume, ...]:
    if file_system.FileSystemType != "OPENZFS":
        return ()
    return volumes_of(reader, file_system.FileSystemId)


def volumes_of(reader: Reader, file_system_id: str) -> tuple[Volume, ...]:
    """Return the volumes of a file system by path (fsx:DescribeVolumes)."""
    filters: JsonValue = [{"Name": "file-system-id", "Values": [file_system_id]}]
    found = [each for page in reader.pages("fsx", "DescribeVolumes", Volumes, Filters=filters) for each in page.Volumes]
    return tuple(sorted(found, key=lambda each: each.path))


def writes_of(reader: Reader, run: RunContext, file_system_id: str) -> tuple[Datapoint, ...]:
    """Return what clients wrote in the last minutes, newest first."""
    return tuple(recent_points(reader, run.now, WRITES_NAMESPACE, WRITES, {"FileSystemId": file_system_id}, "Sum"))


class _Result(BaseModel):
    Values: list[float] = []


class _Metric(BaseModel):
    MetricDataResults: list[_Result] = []


def written_to(reader: Reader, run: RunContext, to: FileSystem | None, since: datetime | None) -> float:
    """Return how many bytes clients wrote to a file system since a time (cloudwatch:GetMetricData)."""
    if to is None or since is None:
        return 0.0
    metric: JsonValue = {
        "Namespace": WRITES_NAMESPACE,
        "MetricName": WRITES,
        "Dimensions": [{"Name": "FileSystemId", "Value": to.FileSystemId}],
    }
    query: JsonValue = {"Id": "written", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    reply = reader.read(
        "cloudwatch",
        "GetMetricData",
        _Metric,
        MetricDataQueries=[query],
        StartTime=max(since, run.now - timedelta(days=14)),
        EndTime=run.now + timedelta(minutes=1),
    )
    return sum(sum(each.Values) for each in reply.MetricDataResults)
