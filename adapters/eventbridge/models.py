"""EventBridge's replies, as far as the adapter reads them, and what the inventory keeps of rules and endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, JsonValue

from adapters.reading import KeyValue
from orchestrator.contract import Place


class RuleState(StrEnum):
    """The states of a rule; EventBridge has no transitional ones."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    ENABLED_WITH_TRAIL = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


class Rule(BaseModel):
    """A rule."""

    Name: str
    Arn: str
    State: RuleState
    EventPattern: str | None = None
    ScheduleExpression: str | None = None
    Description: str | None = None
    RoleArn: str | None = None
    ManagedBy: str | None = None

    @property
    def enabled(self) -> bool:
        """Say whether it matches events or fires."""
        return self.State is not RuleState.DISABLED


class Rules(BaseModel):
    """events:ListRules."""

    Rules: list[Rule] = []


class DeadLetters(BaseModel):
    """Where undeliverable events go."""

    Arn: str | None = None


class RuleTarget(BaseModel):
    """A target of a rule, with everything that EventBridge knows of it."""

    model_config = ConfigDict(extra="allow")

    Id: str
    Arn: str
    DeadLetterConfig: DeadLetters | None = None

    def raw(self) -> dict[str, JsonValue]:
        """Return the whole target as PutTargets takes it."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True)


class Targets(BaseModel):
    """events:ListTargetsByRule."""

    Targets: list[RuleTarget] = []


class Tags(BaseModel):
    """events:ListTagsForResource."""

    Tags: list[KeyValue] = []


class EventBus(BaseModel):
    """events:DescribeEventBus; also any other reply of which only matters that it came."""

    Arn: str = ""


class EndpointState(StrEnum):
    """The states of a global endpoint."""

    ACTIVE = "ACTIVE"
    CREATING = "CREATING"
    UPDATING = "UPDATING"
    DELETING = "DELETING"
    CREATE_FAILED = "CREATE_FAILED"
    UPDATE_FAILED = "UPDATE_FAILED"
    DELETE_FAILED = "DELETE_FAILED"


class _Primary(BaseModel):
    HealthCheck: str


class _Secondary(BaseModel):
    Route: str


class _Failover(BaseModel):
    Primary: _Primary
    Secondary: _Secondary


class _Routing(BaseModel):
    FailoverConfig: _Failover


class _Replication(BaseModel):
    State: str = "ENABLED"


class _Bus(BaseModel):
    EventBusArn: str


class Endpoint(BaseModel):
    """events:DescribeEndpoint, and an item of events:ListEndpoints."""

    Name: str
    State: EndpointState
    StateReason: str | None = None
    RoutingConfig: _Routing
    ReplicationConfig: _Replication = _Replication()
    EventBuses: list[_Bus] = []

    @property
    def check_id(self) -> str:
        """Return the id of the health check that decides."""
        return self.RoutingConfig.FailoverConfig.Primary.HealthCheck.rpartition("/")[2]

    @property
    def buses(self) -> set[str]:
        """Return the ARNs of its buses."""
        return {bus.EventBusArn for bus in self.EventBuses}


class Endpoints(BaseModel):
    """events:ListEndpoints."""

    Endpoints: list[Endpoint] = []


class ReplayState(StrEnum):
    """The states of a replay."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class Replay(BaseModel):
    """events:DescribeReplay."""

    State: ReplayState
    StateReason: str | None = None


class QueueUrl(BaseModel):
    """sqs:GetQueueUrl."""

    QueueUrl: str


class QueueTags(BaseModel):
    """sqs:ListQueueTags."""

    Tags: dict[str, str] = {}


class EndpointFacts(BaseModel):
    """What the inventory keeps of the endpoint a bus belongs to; only its home Region tells of it."""

    name: str
    home: str
    secondary: str
    check: str
    replicated: bool
    forced: bool
    """Whether its health check was overridden when the inventory was taken."""


class PlaceFacts(BaseModel):
    """What the inventory keeps of one side."""

    rules: Mapping[str, RuleState] = {}
    """Rule -> its state when the inventory was taken."""
    said: Mapping[str, str] = {}
    """Rule -> its tag dr:rule-state (on, off), where it has one."""
    left: tuple[str, ...] = ()
    """Rules of the bus that carry no tags of the scope, and are left alone."""
    endpoint: EndpointFacts | None = None


def facts_of(place: Place) -> PlaceFacts:
    """Return what the inventory kept of a side."""
    return PlaceFacts.model_validate(dict(place.facts))


def bus_of(arn: str) -> str:
    """Return the name of the bus that an ARN of a bus or a rule speaks of; partner buses have slashes in their names."""
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if kind == "event-bus":
        return rest
    return rest.rpartition("/")[0] or "default"
