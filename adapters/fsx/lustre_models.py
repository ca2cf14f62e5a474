"""FSx's replies about Lustre's data repositories, and S3's about replication, as far as the FSx adapter reads them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from adapters.fsx.models import Failure
from adapters.reading import KeyValue, tag_map


class ExportPolicy(BaseModel):
    """What of a Lustre file system is exported by itself; no events: nothing."""

    Events: list[str] = []


class LinkS3(BaseModel):
    """How a link to S3 behaves by itself."""

    AutoExportPolicy: ExportPolicy | None = None


class Link(BaseModel):
    """A data repository association: a path of a Lustre file system and a place in S3."""

    AssociationId: str = ""
    FileSystemPath: str = "/"
    DataRepositoryPath: str = ""
    Lifecycle: str = ""
    FailureDetails: Failure | None = None
    S3: LinkS3 | None = None
    Tags: list[KeyValue] = []

    @property
    def bucket(self) -> str:
        """Return the bucket."""
        return self.DataRepositoryPath.removeprefix("s3://").partition("/")[0]

    @property
    def prefix(self) -> str:
        """Return what follows the bucket."""
        return self.DataRepositoryPath.removeprefix("s3://").partition("/")[2]

    @property
    def exports_by_itself(self) -> bool:
        """Say whether FSx exports changes without being asked, which excludes export tasks."""
        return bool(self.S3 and self.S3.AutoExportPolicy and self.S3.AutoExportPolicy.Events)


class Links(BaseModel):
    """fsx:DescribeDataRepositoryAssociations."""

    Associations: list[Link] = []


class TaskStatus(BaseModel):
    """How far a task is."""

    FailedCount: int | None = None
    SucceededCount: int | None = None


class Task(BaseModel):
    """A data repository task: an export to S3 or an import of metadata."""

    TaskId: str = ""
    Lifecycle: str = ""
    Type: str = ""
    CreationTime: datetime
    EndTime: datetime | None = None
    FileSystemId: str | None = None
    FailureDetails: Failure | None = None
    Status: TaskStatus | None = None
    Tags: list[KeyValue] = []

    @property
    def tags(self) -> dict[str, str]:
        """Return its tags."""
        return tag_map(self.Tags)


class Tasks(BaseModel):
    """fsx:DescribeDataRepositoryTasks."""

    DataRepositoryTasks: list[Task] = []


class Measured(BaseModel):
    """Whether S3 measures what is pending."""

    Status: str = ""


class RuleDestination(BaseModel):
    """Where a replication rule of a bucket leads."""

    Bucket: str = ""
    Metrics: Measured | None = None


class Rule(BaseModel):
    """A replication rule of a bucket."""

    ID: str = ""
    Status: str = ""
    Destination: RuleDestination = RuleDestination()

    @property
    def bucket(self) -> str:
        """Return the bucket that it copies to."""
        return self.Destination.Bucket.rpartition(":")[2]


class ReplicationConfiguration(BaseModel):
    """The rules of a bucket."""

    Rules: list[Rule] = []


class Replication(BaseModel):
    """s3:GetBucketReplication."""

    ReplicationConfiguration: ReplicationConfiguration
