"""Clusters, control panels, routing controls and safety rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from localaws.service import AwsError

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")
ON, OFF = "On", "Off"


class Status(StrEnum):
    """Deployment status of everything in the control plane."""

    PENDING = "PENDING"
    DEPLOYED = "DEPLOYED"
    PENDING_DELETION = "PENDING_DELETION"


@dataclass(eq=False)
class Cluster:
    """Five endpoints that agree on the state of routing controls."""

    arn: str
    name: str
    account: str
    id: str
    status: Status = Status.PENDING
    # Accounts that AWS RAM shares it with: they see it, and host panels and controls of their own in it.
    participants: set[str] = field(default_factory=set)


@dataclass(eq=False)
class Panel:
    """A group of routing controls in a cluster."""

    arn: str
    name: str
    cluster: Cluster
    is_default: bool = False
    status: Status = Status.PENDING


@dataclass(eq=False)
class Control:
    """A switch; health checks of type RECOVERY_CONTROL follow it."""

    arn: str
    name: str
    panel: Panel
    status: Status = Status.PENDING
    state: str = OFF
    changed_at: datetime | None = None


@dataclass(eq=False)
class Rule:
    """A safety rule. An assertion holds after a change; a gate must be open for its targets to change."""

    arn: str
    name: str
    panel: Panel
    # Asserted or gating controls.
    controls: tuple[str, ...]
    # What a gate guards; None for an assertion.
    targets: tuple[str, ...] | None
    config: Mapping[str, Any]
    wait_ms: int
    status: Status = Status.PENDING

    def holds(self, states: Mapping[str, str]) -> bool:
        """Say whether the rule's condition is true of these states."""
        on = [states.get(arn) == ON for arn in self.controls]
        least = {"ATLEAST": int(self.config["Threshold"]), "AND": len(on), "OR": 1}[self.config["Type"]]
        return (sum(on) >= least) is not bool(self.config["Inverted"])

    def concerns(self, changed: Iterable[str]) -> bool:
        """Say whether a change of these controls is the rule's business."""
        return bool(set(changed) & set(self.controls if self.targets is None else self.targets))


@dataclass
class Deployment:
    """Everything there is, by ARN."""

    clusters: dict[str, Cluster] = field(default_factory=dict)
    panels: dict[str, Panel] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)


def account_of(arn: str) -> str:
    """Return the account in an ARN."""
    return (arn.split(":") + [""] * 5)[4]


def not_found(arn: str) -> AwsError:
    """Return a ResourceNotFoundException."""
    return AwsError("ResourceNotFoundException", f"{arn} does not exist.", 404, resourceId=arn, resourceType="")


def conflict(message: str) -> AwsError:
    """Return a ConflictException."""
    return AwsError("ConflictException", message, 409, resourceId="", resourceType="")


def invalid(message: str) -> AwsError:
    """Return a ValidationException."""
    return AwsError("ValidationException", message, 400)
