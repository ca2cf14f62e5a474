"""What OpenSearch Service knows beyond moto's domain objects, and how long its changes take."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localaws.services.timed import Changing


class Processing(StrEnum):
    """DomainProcessingStatus."""

    ACTIVE = "Active"
    CREATING = "Creating"
    DELETING = "Deleting"
    ISOLATED = "Isolated"
    MODIFYING = "Modifying"
    UPDATING = "UpdatingServiceSoftware"
    UPGRADING = "UpgradingEngineVersion"


class Progress(StrEnum):
    """ConfigChangeStatus of a configuration change."""

    APPLYING = "ApplyingChanges"
    COMPLETED = "Completed"
    VALIDATION_FAILED = "ValidationFailed"


class Link(StrEnum):
    """StatusCode of a connection between domains."""

    ACTIVE = "ACTIVE"
    APPROVED = "APPROVED"
    DELETED = "DELETED"
    DELETING = "DELETING"
    PENDING_ACCEPTANCE = "PENDING_ACCEPTANCE"
    PROVISIONING = "PROVISIONING"
    REJECTED = "REJECTED"
    REJECTING = "REJECTING"
    VALIDATING = "VALIDATING"
    VALIDATION_FAILED = "VALIDATION_FAILED"


ENDED_LINKS = (Link.DELETED, Link.REJECTED, Link.VALIDATION_FAILED)


class Peer(StrEnum):
    """Status of a managed replication relationship."""

    ACTIVE = "ACTIVE"
    DETACHED = "DETACHED"
    EJECTED = "EJECTED"
    FAILED = "FAILED"
    FAILING_OVER = "FAILING_OVER"
    PENDING_REMOVAL = "PENDING_REMOVAL"
    PENDING_SETUP = "PENDING_SETUP"
    SWITCHING_OVER = "SWITCHING_OVER"


class Sync(StrEnum):
    """Status of a follower index; an index that follows nothing shows the last."""

    BOOTSTRAPPING = "BOOTSTRAPPING"
    PAUSED = "PAUSED"
    SYNCING = "SYNCING"
    NONE = "REPLICATION NOT IN PROGRESS"


class Seconds:
    """How long changes take, in AWS seconds: the short end of what is documented and users report."""

    CREATE_DOMAIN = 900.0
    DELETE_DOMAIN = 600.0
    BLUE_GREEN = 1200.0
    DYNAMIC_UPDATE = 60.0
    VALIDATE_LINK = 30.0
    PROVISION_LINK = 120.0
    APPROVE_LINK = 15.0
    END_LINK = 60.0
    BOOTSTRAP = 90.0
    AUTOFOLLOW_POLL = 60.0
    PAUSE_LIMIT = 12 * 3600.0
    SNAPSHOT = 90.0
    RESTORE = 120.0
    SET_UP_PEER = 1200.0
    REMOVE_PEER = 120.0
    SWITCH_OVER = 120.0
    FAIL_OVER = 60.0


@dataclass
class Follow:
    """What a follower index copies. `managed`: by a managed peer, not by the cross-cluster plugin."""

    leader_arn: str
    leader_index: str
    alias: str
    status: Sync = Sync.BOOTSTRAPPING
    reason: str = "User initiated"
    paused_at: datetime | None = None
    managed: bool = False
    leader_checkpoint: float = 0.0


@dataclass(eq=False)
class Index:
    """An index. `checkpoint` counts its operations up to `counted_at`; clients add `writes_per_second`."""

    name: str
    counted_at: datetime
    checkpoint: float = 0.0
    writes_per_second: float = 0.0
    quiet_since: datetime | None = None
    write_blocked: bool = False
    follow: Follow | None = None
    recovering_from: str | None = None
    shards: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    made_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Remember when it was made."""
        self.made_at = self.counted_at

    def at(self, moment: datetime, speed: float) -> float:
        """Return how many operations it held then, when it had been written as it is now."""
        quiet = self.quiet_since
        if self.follow is None and (quiet is None or quiet > moment):
            written = self.writes_per_second * ((quiet or self.counted_at) - moment).total_seconds() * speed
            return max(0.0, self.checkpoint - max(0.0, written))
        return self.checkpoint


@dataclass(frozen=True)
class Rule:
    """An autofollow rule: new indices of the leader that match `pattern` are followed."""

    name: str
    alias: str
    pattern: str


@dataclass(frozen=True)
class Repository:
    """A snapshot repository in a bucket."""

    name: str
    bucket: str
    base_path: str
    settings: dict[str, Any]


@dataclass
class Taking:
    """A snapshot that is being taken; a finished one lies in the bucket."""

    repository: str
    name: str
    indices: dict[str, float]
    started: datetime
    failed: bool = False


@dataclass
class ConfigChange:
    """One configuration change of a domain."""

    id: str
    started: datetime
    updated: datetime
    progress: Progress
    properties: tuple[str, ...]


@dataclass(kw_only=True, eq=False)
class DomainState(Changing):
    """State beside moto's domain. `lag_seconds` is the usual lag of its follower indices; `dropped` holds deleted ones."""

    lag_seconds: float = 2.0
    change: ConfigChange | None = None
    indices: dict[str, Index] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    taking: list[Taking] = field(default_factory=list)
    dropped: list[tuple[Index, datetime]] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """A domain by owner, Region and name."""

    account: str
    region: str
    domain: str

    @property
    def arn(self) -> str:
        """Return the domain's ARN."""
        return f"arn:aws:es:{self.region}:{self.account}:domain/{self.domain}"

    @property
    def information(self) -> dict[str, Any]:
        """Return the output shape DomainInformationContainer."""
        return {"AWSDomainInformation": {"OwnerId": self.account, "DomainName": self.domain, "Region": self.region}}


def place_of(arn: str) -> Place:
    """Return the domain an ARN names."""
    parts = arn.split(":")
    return Place(parts[4], parts[3], arn.rsplit("/", 1)[-1])


@dataclass(kw_only=True, eq=False)
class Connection(Changing):
    """A connection: requested from `local`, the follower, accepted at `remote`, the leader."""

    id: str
    alias: str
    local: Place
    remote: Place
    mode: str
    message: str = ""


@dataclass(kw_only=True, eq=False)
class Peering(Changing):
    """A managed replication relationship. `ejected` is the former primary after a failover."""

    primary: Place
    secondary: Place
    message: str = ""
    ejected: Place | None = None

    def role_of(self, place: Place) -> str:
        """Return the role of one of the two domains."""
        return "PRIMARY" if place == self.primary else "SECONDARY"

    def other(self, place: Place) -> Place:
        """Return the other domain."""
        return self.secondary if place == self.primary else self.primary
