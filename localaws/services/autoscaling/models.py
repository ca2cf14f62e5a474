"""What moto does not keep of a group: activities, warm instances, refreshes, protection."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localaws.service import AwsError

ACTIVITIES_KEPT = 200


class Life(StrEnum):
    """Lifecycle states of instances in a group or its warm pool."""

    PENDING = "Pending"
    IN_SERVICE = "InService"
    TERMINATING = "Terminating"
    STANDBY = "Standby"
    WARMING = "Warmed:Pending"
    WARM_STOPPED = "Warmed:Stopped"
    WARM_RUNNING = "Warmed:Running"
    WARM_TERMINATING = "Warmed:Terminating"


class Outcome(StrEnum):
    """Status codes of activities."""

    PRE_IN_SERVICE = "PreInService"
    IN_PROGRESS = "InProgress"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"


class RefreshStatus(StrEnum):
    """Statuses of an instance refresh."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


UNFINISHED = frozenset({RefreshStatus.PENDING, RefreshStatus.IN_PROGRESS})


@dataclass(eq=False)
class Refresh:
    """An instance refresh: the instances still to be replaced and the template that replaces them."""

    id: str
    started_at: datetime
    preferences: Mapping[str, Any]
    desired: Mapping[str, Any] | None
    remaining: set[str]
    total: int
    status: RefreshStatus = RefreshStatus.PENDING
    reason: str | None = None
    ended_at: datetime | None = None
    progressed_at: datetime | None = None

    def end(self, status: RefreshStatus, at: datetime, reason: str | None = None) -> None:
        """Finish the refresh."""
        self.status, self.ended_at, self.reason = status, at, reason

    def shape(self, group: Any) -> dict[str, Any]:
        """Return the API's InstanceRefresh."""
        done = self.total - len(self.remaining)
        shown = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": group.name,
            "Status": str(self.status),
            "StatusReason": self.reason,
            "StartTime": self.started_at,
            "EndTime": self.ended_at,
            "PercentageComplete": 100 * done // self.total if self.total else 100,
            "InstancesToUpdate": len(self.remaining),
            "Preferences": dict(self.preferences) or None,
            "DesiredConfiguration": dict(self.desired) if self.desired else None,
            "Strategy": "Rolling",
        }
        return {key: value for key, value in shown.items() if value is not None}


@dataclass(eq=False)
class GroupState:
    """What belongs to one of moto's groups."""

    deletion_protection: str = "none"
    deleting: bool = False
    # How often launches failed in a row, and whether the next try is already planned.
    retrying: bool = False
    activities: list[dict[str, Any]] = field(default_factory=list)
    warm: list[Any] = field(default_factory=list)
    refreshes: list[Refresh] = field(default_factory=list)

    @property
    def refresh(self) -> Refresh | None:
        """Return the refresh that is under way."""
        return next((refresh for refresh in self.refreshes if refresh.status in UNFINISHED), None)

    def note(self, group: Any, at: datetime, description: str, cause: str, status: Outcome) -> dict[str, Any]:
        """Add an activity, newest first, and return it."""
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": group.arn,
            "Description": description,
            "Cause": cause,
            "StartTime": at,
            "StatusCode": str(status),
            "Progress": 50,
            "Details": json.dumps({"Availability Zone": group.availability_zones[0]}),
        }
        self.activities.insert(0, activity)
        del self.activities[ACTIVITIES_KEPT:]
        return activity


def state_of(group: Any) -> GroupState:
    """Return what we keep of a group."""
    found: GroupState = group.__dict__.setdefault("localaws_state", GroupState())
    return found


def finish(activity: dict[str, Any], at: datetime, outcome: Outcome, message: str | None = None) -> None:
    """End an activity."""
    activity |= {"StatusCode": str(outcome), "EndTime": at, "Progress": 100}
    if message is not None:
        activity["StatusMessage"] = message


def is_suspended(group: Any, process: str) -> bool:
    """Say whether a process of the group is suspended."""
    return any(suspended["ProcessName"] == process for suspended in group.suspended_processes)


def invalid(message: str) -> AwsError:
    """Return a ValidationError."""
    return AwsError("ValidationError", message)
