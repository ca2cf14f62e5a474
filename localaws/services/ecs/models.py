"""What ECS remembers beyond moto: tasks with a life of their own, deployments, service events."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class TaskStatus(StrEnum):
    """`lastStatus` of a task, in the order of its life."""

    PROVISIONING = "PROVISIONING"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DEACTIVATING = "DEACTIVATING"
    STOPPED = "STOPPED"


class Rollout(StrEnum):
    """`rolloutState` of a deployment."""

    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


STARTING = (TaskStatus.PROVISIONING, TaskStatus.PENDING)
COUNTED_AS_RUNNING = (TaskStatus.RUNNING, TaskStatus.DEACTIVATING)


@dataclass
class Task:
    """One task. `task_arn` and `tags` carry moto's names: moto lists tasks for the tagging API."""

    task_arn: str
    cluster_arn: str
    cluster_name: str
    task_definition_arn: str
    group: str
    started_by: str
    created_at: datetime
    launch_type: str
    containers: list[dict[str, Any]]
    tags: list[dict[str, str]]
    private_ip: str
    subnet: str | None = None
    capacity_provider: str | None = None
    cpu: str | None = None
    memory: str | None = None
    has_health_check: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    container_instance_arn: str | None = None
    service_arn: str | None = None
    deployment_id: str | None = None
    client_token: str | None = None
    desired_status: str = "RUNNING"
    last_status: TaskStatus = TaskStatus.PROVISIONING
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None

    @property
    def task_id(self) -> str:
        """Return the id, the last part of the ARN."""
        return self.task_arn.rsplit("/", 1)[-1]

    @property
    def wanted(self) -> bool:
        """Say whether nobody asked the task to stop."""
        return self.desired_status == "RUNNING"


@dataclass
class Deployment:
    """One deployment of a service: a task definition being rolled out or already in place."""

    task_definition: str
    created_at: datetime
    updated_at: datetime
    status: str = "PRIMARY"
    rollout: Rollout = Rollout.IN_PROGRESS
    failed_tasks: int = 0
    id: str = field(default_factory=lambda: f"ecs-svc/{uuid.uuid4().int % 10**19:019d}")

    @property
    def rollout_reason(self) -> str:
        """Return the words ECS prints next to the rollout state."""
        if self.rollout is Rollout.FAILED:
            return "ECS deployment circuit breaker: tasks failed to start."
        verb = "completed" if self.rollout is Rollout.COMPLETED else "in progress"
        return f"ECS deployment {self.id} {verb}."


@dataclass
class ServiceState:
    """The moving part of a service; its settings live on moto's object."""

    deployments: list[Deployment]
    created_at: datetime
    created_by: str = ""
    client_token: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    steady: bool = False

    @property
    def primary(self) -> Deployment:
        """Return the deployment that new tasks belong to."""
        return self.deployments[0]

    @property
    def circuit_breaker(self) -> Mapping[str, Any]:
        """Return the circuit breaker's settings; empty when it is off."""
        breaker = (self.settings.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {}
        return breaker if breaker.get("enable") else {}

    def note(self, now: datetime, message: str) -> None:
        """Add an event; ECS lists the newest first and keeps one hundred."""
        self.events.insert(0, {"id": str(uuid.uuid4()), "createdAt": now, "message": message})
        del self.events[100:]
