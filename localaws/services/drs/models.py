"""State of the Elastic Disaster Recovery service, one `RegionState` per account and Region."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from moto.moto_api._internal import mock_random

from localaws.service import AwsError, Principal

T = TypeVar("T")

LAUNCH_DEFAULTS: dict[str, Any] = {
    "launchDisposition": "STARTED",
    "targetInstanceTypeRightSizingMethod": "NONE",
    "copyPrivateIp": False,
    "copyTags": True,
    "licensing": {"osByol": False},
    "postLaunchEnabled": False,
}
"""Launch settings of a server of which nobody chose others."""


class ReplicationState(StrEnum):
    """States of `dataReplicationInfo.dataReplicationState`."""

    STOPPED = "STOPPED"
    INITIATING = "INITIATING"
    INITIAL_SYNC = "INITIAL_SYNC"
    BACKLOG = "BACKLOG"
    CREATING_SNAPSHOT = "CREATING_SNAPSHOT"
    CONTINUOUS = "CONTINUOUS"
    RESCAN = "RESCAN"
    STALLED = "STALLED"
    DISCONNECTED = "DISCONNECTED"


class Direction(StrEnum):
    """Which way a source server replicates."""

    FAILOVER = "FAILOVER"
    FAILBACK = "FAILBACK"


class JobStatus(StrEnum):
    """Progress of a job; COMPLETED says nothing about success."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    COMPLETED = "COMPLETED"


class LaunchStatus(StrEnum):
    """What became of one server in a job."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    LAUNCHED = "LAUNCHED"
    FAILED = "FAILED"
    TERMINATED = "TERMINATED"


class JobType(StrEnum):
    """What a job does."""

    LAUNCH = "LAUNCH"
    TERMINATE = "TERMINATE"


@dataclass(frozen=True)
class Disk:
    """One replicated volume."""

    device: str = "/dev/sda1"
    size_bytes: int = 32 * 1024**3


@dataclass
class Window:
    """A stretch of time in which replication worked; `end` is None while it lasts."""

    start: datetime
    end: datetime | None = None


@dataclass
class LastLaunch:
    """What `lifeCycle.lastLaunch` shows."""

    job_id: str
    at: datetime
    drill: bool
    status: LaunchStatus = LaunchStatus.PENDING


@dataclass
class SourceServer:
    """A server whose disks are replicated into `region`. It runs in `origin_region` as `instance_id`."""

    id: str
    account: str
    region: str
    hostname: str
    instance_id: str
    origin_account: str
    origin_region: str
    added_at: datetime
    tags: dict[str, str] = field(default_factory=dict)
    direction: Direction = Direction.FAILOVER
    state: ReplicationState = ReplicationState.INITIATING
    state_since: datetime | None = None
    disks: tuple[Disk, ...] = (Disk(),)
    instance_type: str = "m5.large"
    os: str = "Amazon Linux 2023"
    boot_mode: str = "legacy-bios"
    on_premises: bool = False
    backlog_bytes: int = 0
    backlog_since: datetime | None = None
    silent_since: datetime | None = None
    resumed_at: datetime | None = None
    windows: list[Window] = field(default_factory=list)
    launch: dict[str, Any] = field(default_factory=dict)
    replication: dict[str, Any] = field(default_factory=dict)
    last_launch: LastLaunch | None = None
    recovery_instance_id: str | None = None
    reversed_arn: str | None = None
    staging_arn: str | None = None
    generation: int = 0  # counts (re)starts of replication, so that effects of an earlier start do nothing

    @property
    def arn(self) -> str:
        """Return the ARN, in the Region the server replicates to."""
        return f"arn:aws:drs:{self.region}:{self.account}:source-server/{self.id}"


@dataclass
class RecoveryInstance:
    """An EC2 instance that a job launched from a source server; DRS and EC2 give it the same id."""

    id: str
    account: str
    region: str
    server_id: str
    job_id: str
    drill: bool
    point_in_time: datetime
    launched_at: datetime
    tags: dict[str, str] = field(default_factory=dict)
    reversed_arn: str | None = None
    disconnected: bool = False

    @property
    def arn(self) -> str:
        """Return the ARN of the DRS object, not of the EC2 instance."""
        return f"arn:aws:drs:{self.region}:{self.account}:recovery-instance/{self.id}"


@dataclass
class Participant:
    """One server's part in a job."""

    server_id: str
    snapshot_id: str | None = None
    status: LaunchStatus = LaunchStatus.PENDING
    instance_id: str | None = None
    point_in_time: datetime | None = None


@dataclass
class Job:
    """A launch or a termination of up to 100 servers."""

    id: str
    account: str
    region: str
    type: JobType
    drill: bool
    created_at: datetime
    principal: Principal
    participants: list[Participant]
    tags: dict[str, str] = field(default_factory=dict)
    status: JobStatus = JobStatus.PENDING
    ended_at: datetime | None = None
    log: list[dict[str, Any]] = field(default_factory=list)
    when_done: Callable[[], None] | None = None

    @property
    def arn(self) -> str:
        """Return the job's ARN."""
        return f"arn:aws:drs:{self.region}:{self.account}:job/{self.id}"

    @property
    def active(self) -> bool:
        """Say whether the job still holds its servers."""
        return self.status is not JobStatus.COMPLETED


@dataclass
class Template:
    """A launch or replication configuration template: the defaults of an account and Region."""

    id: str
    arn: str
    settings: dict[str, Any]
    tags: dict[str, str]


@dataclass
class PlanStep:
    """A step of a recovery plan: servers (ARN -> impact level) to recover together, or minutes to wait."""

    id: str
    name: str
    created_at: datetime
    servers: dict[str, str] = field(default_factory=dict)
    wait_minutes: int = 0


@dataclass
class RecoveryPlan:
    """An ordered list of steps."""

    id: str
    account: str
    region: str
    name: str
    created_at: datetime
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    steps: list[PlanStep] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """Return the plan's ARN."""
        return f"arn:aws:drs:{self.region}:{self.account}:recovery-plan/{self.id}"

    @property
    def server_arns(self) -> list[str]:
        """Return the servers of all steps, in their order."""
        return [arn for step in self.steps for arn in step.servers]


@dataclass
class ExecutedStep:
    """A step as it was when its execution started, and how far it is."""

    step: PlanStep
    id: str
    changed_at: datetime
    status: str = "NOT_STARTED"
    attempt: int = 1
    jobs: dict[str, str] = field(default_factory=dict)
    error: dict[str, str] | None = None


@dataclass
class PlanExecution:
    """One run of a recovery plan."""

    id: str
    plan: RecoveryPlan
    mode: str
    principal: Principal
    started_at: datetime
    steps: list[ExecutedStep]
    snapshots: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    status: str = "CREATED"
    completed_at: datetime | None = None
    error: dict[str, str] | None = None

    @property
    def arn(self) -> str:
        """Return the execution's ARN."""
        return f"arn:aws:drs:{self.plan.region}:{self.plan.account}:recovery-plan-execution/{self.id}"

    @property
    def active(self) -> bool:
        """Say whether it has not ended."""
        return self.status in {"CREATED", "IN_PROGRESS", "CANCELLING"}


Tagged = SourceServer | RecoveryInstance | Job | Template | RecoveryPlan | PlanExecution


@dataclass
class RegionState:
    """Everything DRS knows in one account and Region."""

    account: str
    region: str
    initialized: bool = False
    servers: dict[str, SourceServer] = field(default_factory=dict)
    instances: dict[str, RecoveryInstance] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    launch_templates: dict[str, Template] = field(default_factory=dict)
    replication_templates: dict[str, Template] = field(default_factory=dict)
    plans: dict[str, RecoveryPlan] = field(default_factory=dict)
    executions: dict[str, PlanExecution] = field(default_factory=dict)

    def server(self, server_id: str) -> SourceServer:
        """Return a source server; raise ResourceNotFoundException."""
        return _get(self.servers, server_id, "Source server", "AWS::DRS::SourceServer")

    def instance(self, instance_id: str) -> RecoveryInstance:
        """Return a recovery instance; raise ResourceNotFoundException."""
        return _get(self.instances, instance_id, "Recovery instance", "AWS::DRS::RecoveryInstance")

    def active_jobs(self) -> list[Job]:
        """Return the jobs that count against the quotas."""
        return [job for job in self.jobs.values() if job.active]

    def job_of(self, server_id: str) -> Job | None:
        """Return the active job a server takes part in."""
        return next((j for j in self.active_jobs() if any(p.server_id == server_id for p in j.participants)), None)

    def tagged(self) -> Iterator[Tagged]:
        """Yield every object that can carry tags."""
        yield from self.servers.values()
        yield from self.instances.values()
        yield from self.jobs.values()
        yield from self.launch_templates.values()
        yield from self.replication_templates.values()
        yield from self.plans.values()
        yield from self.executions.values()


def new_id(prefix: str) -> str:
    """Return `prefix` and 17 hexadecimal digits, as DRS makes ids."""
    return prefix + str(mock_random.get_random_hex(17))


def readable_id(prefix: str, name: str, *scope: str) -> str:
    """Return an id of 17 characters that shows `name` and is the same in every run of an estate."""
    letters = re.sub(r"[^0-9a-zA-Z]", "", name)[:13]
    return prefix + (letters + hashlib.sha256("/".join([name, *scope]).encode()).hexdigest())[:17]


def _get(items: Mapping[str, T], key: str, kind: str, resource_type: str) -> T:
    if key not in items:
        raise AwsError(
            "ResourceNotFoundException", f"{kind} {key} was not found.", 404, resourceId=key, resourceType=resource_type
        )
    return items[key]
