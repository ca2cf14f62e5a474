"""What is seen of two Lustre file systems that are linked to two buckets, of which S3 replicates one to the other.

Both can always be written to. Which one serves is told by the tag `dr:fenced`: it is on the one that was left, with the time,
and with the word `moved` as soon as the other one has taken over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pydantic import JsonValue

from adapters.fsx.lustre_models import Link, Links, Replication, Rule, Task, Tasks
from adapters.fsx.models import FileSystem, FileSystems
from adapters.fsx.spec import FENCED_TAG, FS_MISSING, PENDING, PENDING_NAMESPACE
from adapters.fsx.view_backup import EXECUTION_ID, writes_of, written_to
from adapters.reading import Datapoint, recent_points
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side

EXPORT, IMPORT = "EXPORT_TO_REPOSITORY", "IMPORT_METADATA_FROM_REPOSITORY"
MOVED = "moved"


@dataclass(frozen=True)
class LustreSide:
    """One file system, its links and tasks, and the rules of its buckets."""

    there: FileSystem | None = None
    links: tuple[Link, ...] = ()
    tasks: tuple[Task, ...] = ()
    """Newest first."""
    rules: tuple[tuple[str, Rule], ...] = ()
    """(bucket, rule) of the linked buckets' enabled replication rules."""
    pending: tuple[Datapoint, ...] = ()
    """Objects that wait to be replicated out of the linked buckets, newest first; the worst of all rules."""

    @property
    def fenced_at(self) -> datetime | None:
        """Return when this side was left, or None while it serves or never was left."""
        words = self.there.tags.get(FENCED_TAG, "").split() if self.there else []
        return datetime.fromisoformat(words[0]) if words else None

    @property
    def was_left(self) -> bool:
        """Say whether the other side took over from this one."""
        return MOVED in (self.there.tags.get(FENCED_TAG, "").split() if self.there else [])

    def newest(self, kind: str, run: RunContext, since: datetime | None) -> Task | None:
        """Return the newest task of a kind that this run started at or after a time; failed ones of this attempt only."""
        return next(
            (
                each
                for each in self.tasks
                if each.Type == kind
                and each.tags.get(EXECUTION_ID) == run.run_id
                and (since is None or each.CreationTime >= since)
                and (each.Lifecycle not in {"FAILED", "CANCELED"} or each.CreationTime >= run.began)
            ),
            None,
        )


@dataclass(frozen=True)
class LustreView:
    """Both sides."""

    strategy: ClassVar[str] = "lustre-s3"
    member: Member
    source: LustreSide
    target: LustreSide
    writes: tuple[Datapoint, ...] = ()
    written_since_export: float = 0.0
    written_to_target: float = 0.0
    source_read: bool = True

    @property
    def moved(self) -> bool:
        """Say whether the target serves: it took over, and was not left since."""
        return self.source.was_left and self.target.there is not None and self.target.fenced_at is None

    @property
    def taken_over(self) -> bool:
        """Say whether the target was brought up to date by a run and not left since: a reason to leave the source."""
        imported = any(
            each.Type == IMPORT and each.Lifecycle == "SUCCEEDED" and EXECUTION_ID in each.tags
            for each in self.target.tasks
        )
        return imported and self.target.fenced_at is None


def look(target: Target, aws: Clients, run: RunContext) -> LustreView:
    """Read the target side; the source side unless it is lost, or in a drill."""
    member, here = target.only, aws.at(Side.TARGET)
    reaches = aws.reaches(Side.SOURCE) and run.mode is not Mode.DRILL
    found = _side(here, member.target.id, run, rules=reaches)
    imported = found.newest(IMPORT, run, None)
    ended = imported.EndTime if imported else None
    written = written_to(here, run, found.there, ended) if run.rolling_back and ended else 0.0
    if not reaches:
        return LustreView(member, LustreSide(), found, written_to_target=written, source_read=False)
    there = aws.at(Side.SOURCE)
    source = _side(there, member.source.id, run, rules=True)
    exported = source.newest(EXPORT, run, source.fenced_at)
    acting = run.phase is Phase.ACTIVATE
    return LustreView(
        member,
        source,
        found,
        writes=writes_of(there, run, member.source.id) if acting else (),
        written_since_export=written_to(there, run, source.there, exported.CreationTime)
        if acting and exported
        else 0.0,
        written_to_target=written,
    )


def _side(reader: Reader, identifier: str, run: RunContext, *, rules: bool) -> LustreSide:
    reply = reader.find("fsx", "DescribeFileSystems", FileSystems, FS_MISSING, FileSystemIds=[identifier])
    there = reply.FileSystems[0] if reply and reply.FileSystems else None
    if there is None:
        return LustreSide()
    links = _links(reader, identifier)
    filters: JsonValue = [{"Name": "file-system-id", "Values": [identifier]}]
    pages = reader.pages("fsx", "DescribeDataRepositoryTasks", Tasks, Filters=filters)
    tasks = sorted((t for page in pages for t in page.DataRepositoryTasks), key=lambda t: t.CreationTime, reverse=True)
    known = _rules(reader, links) if rules else ()
    pending = _pending(reader, run, known) if run.phase in {Phase.ACTIVATE, Phase.REPLICATE} else ()
    return LustreSide(there, links, tuple(tasks), known, pending)


def _links(reader: Reader, identifier: str) -> tuple[Link, ...]:
    filters: JsonValue = [{"Name": "file-system-id", "Values": [identifier]}]
    pages = reader.pages("fsx", "DescribeDataRepositoryAssociations", Links, Filters=filters)
    found = [each for page in pages for each in page.Associations]
    return tuple(sorted(found, key=lambda each: each.FileSystemPath))


def _rules(reader: Reader, links: Iterable[Link]) -> tuple[tuple[str, Rule], ...]:
    found: list[tuple[str, Rule]] = []
    for bucket in sorted({each.bucket for each in links}):
        reply = reader.find("s3", "GetBucketReplication", Replication, NO_REPLICATION, Bucket=bucket)
        rules = reply.ReplicationConfiguration.Rules if reply else []
        found += [(bucket, rule) for rule in rules if rule.Status == "Enabled"]
    return tuple(found)


NO_REPLICATION = ("ReplicationConfigurationNotFoundError", "ReplicationConfigurationNotFound", "NoSuchBucket")


def _pending(reader: Reader, run: RunContext, rules: Iterable[tuple[str, Rule]]) -> tuple[Datapoint, ...]:
    """Return the worst of what waits, minute by minute (metric OperationsPendingReplication, on the source bucket's side)."""
    worst: dict[datetime, list[float]] = {}
    count = 0
    for bucket, rule in rules:
        count += 1
        about = {"SourceBucket": bucket, "DestinationBucket": rule.bucket, "RuleId": rule.ID}
        for point in recent_points(reader, run.now, PENDING_NAMESPACE, PENDING, about):
            worst.setdefault(point.at, []).append(point.value)
    told = [Datapoint(at, max(values)) for at, values in worst.items() if len(values) == count]
    return tuple(sorted(told, key=lambda point: point.at, reverse=True))
