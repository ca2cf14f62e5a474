"""What is seen of two OpenZFS file systems whose volumes follow each other by snapshots.

Volumes belong together by their path. The root volume of a file system is not replicated: it cannot be copied into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import JsonValue

from adapters.fsx.models import Backup, Backups, FileSystem, FileSystems, Snapshot, Snapshots, Volume
from adapters.fsx.spec import FENCED_TAG, FS_MISSING
from adapters.fsx.view_backup import DRILL_ID, EXECUTION_ID, volumes_of
from adapters.reading import is_of_this_drill
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side

COPYING = "VOLUME_UPDATE_WITH_SNAPSHOT"


@dataclass(frozen=True)
class Pair:
    """One volume, both sides; snapshots newest first."""

    path: str
    source: Volume | None = None
    target: Volume | None = None
    source_snapshots: tuple[Snapshot, ...] = ()
    target_snapshots: tuple[Snapshot, ...] = ()

    @property
    def moved(self) -> bool:
        """Say whether the target takes writes and the source does not."""
        return self.target is not None and not self.target.read_only and (self.source is None or self.source.read_only)

    @property
    def back(self) -> bool:
        """Say whether the source follows the target."""
        follows = self.source.follows if self.source else None
        return follows is not None and self.target is not None and f":snapshot/{self.target.VolumeId}/" in follows

    def common(self) -> Snapshot | None:
        """Return the newest of the target's snapshots that the source has too."""
        names = {each.Name for each in self.source_snapshots}
        return next((each for each in self.target_snapshots if each.Name in names), None)


@dataclass(frozen=True)
class ZfsView:
    """Both file systems and their volumes."""

    strategy: ClassVar[str] = "openzfs-replication"
    member: Member
    source: FileSystem | None = None
    target: FileSystem | None = None
    pairs: tuple[Pair, ...] = ()
    closed: frozenset[str] = frozenset()
    """Paths that are read-only on the source in normal times: they are left as they are."""
    drills: tuple[Volume, ...] = ()
    kept: tuple[Backup, ...] = ()
    """Backups of the source that this run made before something of it is overwritten."""
    source_read: bool = True

    @property
    def replicated(self) -> tuple[Pair, ...]:
        """Return the pairs that move."""
        return tuple(each for each in self.pairs if each.path not in self.closed)


def look(target: Target, aws: Clients, run: RunContext) -> ZfsView:
    """Read the target side; the source side unless it is lost, or in a drill."""
    member, here = target.only, aws.at(Side.TARGET)
    found = _file_system(here, member.target.id)
    every = volumes_of(here, member.target.id) if found else ()
    standing = _replicable(every, found)
    snapshots = _snapshots(here, member.target.id) if found else ()
    drills = tuple(each for each in every if is_of_this_drill(each.tags, run))
    kept = member.source.facts.get("read_only")
    closed = frozenset(str(each) for each in kept) if isinstance(kept, list | tuple) else frozenset[str]()
    if run.mode is Mode.DRILL or not aws.reaches(Side.SOURCE):
        followers = [each for each in standing if each.follows or not each.read_only]
        pairs = tuple(Pair(each.path, None, each, (), _of(snapshots, each)) for each in followers)
        return ZfsView(member, None, found, pairs, closed, drills, source_read=False)
    there = aws.at(Side.SOURCE)
    source = _file_system(there, member.source.id)
    volumes = _replicable(volumes_of(there, member.source.id), source) if source else ()
    theirs = _snapshots(there, member.source.id) if source else ()
    by_path = {each.path: each for each in standing}
    pairs = tuple(
        Pair(
            each.path,
            each,
            by_path.get(each.path),
            _of(theirs, each),
            _of(snapshots, by_path[each.path]) if each.path in by_path else (),
        )
        for each in volumes
    )
    noted = source is not None and FENCED_TAG in source.tags
    remembered = source.tags.get(FENCED_TAG, "").split()[1:] if source else []
    if noted:
        closed = frozenset(each.path for each in volumes if each.VolumeId in remembered)
    backups = _kept(there, member.source.id, run) if run.phase is Phase.REPLICATE else ()
    return ZfsView(member, source, found, pairs, closed, drills, backups)


def _file_system(reader: Reader, identifier: str) -> FileSystem | None:
    found = reader.find("fsx", "DescribeFileSystems", FileSystems, FS_MISSING, FileSystemIds=[identifier])
    return found.FileSystems[0] if found and found.FileSystems else None


def _replicable(volumes: tuple[Volume, ...], owner: FileSystem | None) -> tuple[Volume, ...]:
    root = owner.configuration.RootVolumeId if owner else None
    return tuple(each for each in volumes if each.VolumeId != root and DRILL_ID not in each.tags)


def _snapshots(reader: Reader, file_system_id: str) -> tuple[Snapshot, ...]:
    filters: JsonValue = [{"Name": "file-system-id", "Values": [file_system_id]}]
    pages = reader.pages("fsx", "DescribeSnapshots", Snapshots, Filters=filters)
    found = [each for page in pages for each in page.Snapshots]
    return tuple(sorted(found, key=lambda each: each.CreationTime, reverse=True))


def _of(snapshots: tuple[Snapshot, ...], volume: Volume) -> tuple[Snapshot, ...]:
    return tuple(each for each in snapshots if each.VolumeId == volume.VolumeId)


def _kept(reader: Reader, file_system_id: str, run: RunContext) -> tuple[Backup, ...]:
    filters: JsonValue = [{"Name": "file-system-id", "Values": [file_system_id]}]
    pages = reader.pages("fsx", "DescribeBackups", Backups, Filters=filters)
    every = [each for page in pages for each in page.Backups]
    return tuple(each for each in every if each.tags.get(EXECUTION_ID) == run.run_id)
