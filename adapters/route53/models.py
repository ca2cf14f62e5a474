"""The replies of Route 53 and CloudWatch that the Route 53 adapter reads, and the facts that discovery keeps."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import BaseModel, Field, JsonValue

from adapters.reading import KeyValue

_REGION = re.compile(r"(?<![a-z0-9])[a-z]{2}(?:-[a-z]+)+-\d(?!\d)")


class _Value(BaseModel, extra="allow"):
    Value: str


class _Alias(BaseModel, extra="allow"):
    DNSName: str


class Record(BaseModel, extra="allow"):
    """A record set. Fields beyond those named here are kept, because a change must repeat the whole record."""

    Name: str
    Type: str
    SetIdentifier: str = ""
    Failover: str | None = None
    Weight: int | None = None
    TTL: int | None = None
    HealthCheckId: str | None = None
    TrafficPolicyInstanceId: str | None = None
    ResourceRecords: list[_Value] = []
    AliasTarget: _Alias | None = None

    @property
    def region(self) -> str | None:
        """Return the Region that the set identifier names, or None."""
        found = _REGION.search(self.SetIdentifier)
        return found.group(0) if found else None

    @property
    def values(self) -> tuple[str, ...]:
        """Return what the record holds, sorted, without trailing dots."""
        held = [self.AliasTarget.DNSName] if self.AliasTarget else [each.Value for each in self.ResourceRecords]
        return tuple(sorted(value.rstrip(".") for value in held))

    def raw(self) -> dict[str, JsonValue]:
        """Return the whole record set as the API takes it."""
        return self.model_dump(mode="json", exclude_unset=True)


class RecordSets(BaseModel):
    """route53:ListResourceRecordSets."""

    ResourceRecordSets: list[Record] = []


class _AlarmId(BaseModel):
    Region: str
    Name: str


class CheckConfig(BaseModel):
    """The settings of a health check."""

    Type: str = ""
    Disabled: bool = False
    Inverted: bool = False
    AlarmIdentifier: _AlarmId | None = None
    InsufficientDataHealthStatus: str | None = None
    RoutingControlArn: str | None = None


class _Dimension(BaseModel):
    Name: str
    Value: str


class AlarmMetric(BaseModel):
    """The metric behind a health check's alarm."""

    Namespace: str
    MetricName: str
    Dimensions: list[_Dimension] = []


class HealthCheck(BaseModel):
    """A health check."""

    Id: str
    HealthCheckVersion: int
    HealthCheckConfig: CheckConfig = CheckConfig()
    CloudWatchAlarmConfiguration: AlarmMetric | None = None

    @property
    def forced(self) -> bool:
        """Say whether it is permanently unhealthy: disabled counts as healthy, and inverting turns that."""
        return self.HealthCheckConfig.Disabled and self.HealthCheckConfig.Inverted

    @property
    def natural(self) -> bool:
        """Say whether it tells what it measures."""
        return not (self.HealthCheckConfig.Disabled or self.HealthCheckConfig.Inverted)


class GotHealthCheck(BaseModel):
    """route53:GetHealthCheck."""

    HealthCheck: HealthCheck


class _ZoneConfig(BaseModel):
    PrivateZone: bool = False


class Zone(BaseModel):
    """A hosted zone."""

    Id: str
    Name: str
    settings: _ZoneConfig = Field(default=_ZoneConfig(), alias="Config")  # pydantic keeps the name Config for itself

    @property
    def plain_id(self) -> str:
        """Return the id without its path."""
        return self.Id.rsplit("/", 1)[-1]


class Zones(BaseModel):
    """route53:ListHostedZones."""

    HostedZones: list[Zone] = []


class _DelegationSet(BaseModel):
    NameServers: list[str] = []


class GotZone(BaseModel):
    """route53:GetHostedZone."""

    DelegationSet: _DelegationSet | None = None


class _TagSet(BaseModel):
    ResourceId: str
    Tags: list[KeyValue] = []


class TagSets(BaseModel):
    """route53:ListTagsForResources."""

    ResourceTagSets: list[_TagSet] = []


class ChangeStatus(StrEnum):
    """How far a change has come; any other value is an error, not a wait."""

    PENDING = "PENDING"
    IN_SYNC = "INSYNC"


class _ChangeInfo(BaseModel):
    Status: ChangeStatus


class Change(BaseModel):
    """route53:GetChange."""

    ChangeInfo: _ChangeInfo


class AlarmState(BaseModel):
    """A CloudWatch alarm."""

    StateValue: str = ""
    TreatMissingData: str = "missing"


class Alarms(BaseModel):
    """cloudwatch:DescribeAlarms."""

    MetricAlarms: list[AlarmState] = []


class ControlState(BaseModel):
    """route53-recovery-cluster:GetRoutingControlState."""

    RoutingControlState: str


class Endpoint(BaseModel):
    """One of the five endpoints of a cluster."""

    Region: str
    Endpoint: str


class _Cluster(BaseModel):
    ClusterEndpoints: list[Endpoint] = []


class GotCluster(BaseModel):
    """route53-recovery-control-config:DescribeCluster."""

    Cluster: _Cluster


class _Panel(BaseModel):
    ClusterArn: str


class ControlPanel(BaseModel):
    """route53-recovery-control-config:DescribeControlPanel."""

    ControlPanel: _Panel


class Facts(BaseModel):
    """What discovery keeps: enough to act in an emergency without one call to Route 53."""

    zone_id: str
    zone_name: str
    private: bool = False
    name_servers: list[str] = []
    name: str
    type: str
    records: dict[str, Record]
    """Region -> the whole record set of that side."""
    check: HealthCheck | None = None
    """The PRIMARY's health check; None for weighted pairs."""
    idle_checks: list[str] = []
    """Tagged health checks of the account that no record uses; noted with one record of the account."""
    controls: dict[str, str] = {}
    """Region -> the routing control that its record follows."""
    endpoints: list[Endpoint] = []
    """Where the cluster of the routing controls is asked."""
