"""Replications of file systems: who copies to whom, how far, and who still holds the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localaws.service import AwsError


class ReplicationStatus(StrEnum):
    """Status of a destination in a replication configuration."""

    ENABLING = "ENABLING"
    ENABLED = "ENABLED"
    DELETING = "DELETING"
    ERROR = "ERROR"
    PAUSED = "PAUSED"
    PAUSING = "PAUSING"


class Protection(StrEnum):
    """Replication overwrite protection; only ENABLED file systems can be written to."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    REPLICATING = "REPLICATING"


class LifeCycle(StrEnum):
    """Life cycle of file systems, mount targets and access points."""

    CREATING = "creating"
    AVAILABLE = "available"
    UPDATING = "updating"
    DELETING = "deleting"
    ERROR = "error"


@dataclass(frozen=True)
class Side:
    """A file system in its account and Region."""

    account: str
    region: str
    file_system_id: str

    @property
    def arn(self) -> str:
        """Return the file system's ARN."""
        return f"arn:aws:elasticfilesystem:{self.region}:{self.account}:file-system/{self.file_system_id}"


@dataclass(eq=False)
class Replication:
    """One replication. Each side holds its own copy of the configuration until it is deleted there."""

    source: Side
    target: Side
    created_at: datetime
    role_arn: str | None = None
    status: ReplicationStatus = ReplicationStatus.ENABLING
    message: str | None = None
    synced_at: datetime | None = None
    held_by: set[Side] = field(default_factory=set)

    @property
    def whole(self) -> bool:
        """Say whether both sides still have the configuration."""
        return {self.source, self.target} <= self.held_by

    def other(self, side: Side) -> Side:
        """Return the opposite side."""
        return self.target if side == self.source else self.source

    def held_in(self, account: str, region: str) -> Side | None:
        """Return the side of this account and Region that still has the configuration."""
        return next((s for s in self.held_by if (s.account, s.region) == (account, region)), None)

    def shape(self) -> dict[str, Any]:
        """Return the ReplicationConfigurationDescription."""
        status, message = self.status, self.message
        if not self.whole and status is not ReplicationStatus.DELETING:
            status, message = ReplicationStatus.ERROR, "The replication configuration was deleted on the other side."
        destination = {
            "Status": str(status),
            "FileSystemId": self.target.file_system_id,
            "Region": self.target.region,
            "OwnerId": self.target.account,
            "LastReplicatedTimestamp": self.synced_at,
            "StatusMessage": message,
            "RoleArn": self.role_arn,
        }
        return {
            "SourceFileSystemId": self.source.file_system_id,
            "SourceFileSystemRegion": self.source.region,
            "SourceFileSystemArn": self.source.arn,
            "OriginalSourceFileSystemArn": self.source.arn,
            "SourceFileSystemOwnerId": self.source.account,
            "CreationTime": self.created_at,
            "Destinations": [{key: value for key, value in destination.items() if value is not None}],
        }


def bad_request(message: str) -> AwsError:
    """Return a BadRequest error."""
    return AwsError("BadRequest", message, 400)


def file_system_not_found(file_system_id: str) -> AwsError:
    """Return a FileSystemNotFound error."""
    return AwsError("FileSystemNotFound", f"File system '{file_system_id}' does not exist.", 404)


def replication_not_found(file_system_id: str) -> AwsError:
    """Return a ReplicationNotFound error."""
    return AwsError("ReplicationNotFound", f"No replication configuration found for {file_system_id}.", 404)


def already_replicating(message: str) -> AwsError:
    """Return a ReplicationAlreadyExists error."""
    return AwsError("ReplicationAlreadyExists", message, 409)


def wrong_life_cycle(what: str, state: str) -> AwsError:
    """Return an IncorrectFileSystemLifeCycleState error."""
    return AwsError("IncorrectFileSystemLifeCycleState", f"{what} is {state}; it must be available.", 409)
