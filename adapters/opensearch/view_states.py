"""The statuses of OpenSearch Service, an enum each.

A status that is not listed here is an error of the look, never a wait (`Reader.read` refuses such a reply).
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """DomainProcessingStatus."""

    ACTIVE = "Active"
    CREATING = "Creating"
    DELETING = "Deleting"
    ISOLATED = "Isolated"
    MODIFYING = "Modifying"
    UPDATING = "UpdatingServiceSoftware"
    UPGRADING = "UpgradingEngineVersion"


class Link(StrEnum):
    """StatusCode of a connection between two domains, as its follower sees it."""

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


class Peering(StrEnum):
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
    """Status of a follower index."""

    BOOTSTRAPPING = "BOOTSTRAPPING"
    FAILED = "FAILED"
    NONE = "REPLICATION NOT IN PROGRESS"
    PAUSED = "PAUSED"
    SYNCING = "SYNCING"


class Taken(StrEnum):
    """State of a snapshot."""

    FAILED = "FAILED"
    INCOMPATIBLE = "INCOMPATIBLE"
    IN_PROGRESS = "IN_PROGRESS"
    PARTIAL = "PARTIAL"
    SUCCESS = "SUCCESS"
