"""Replies of Auto Scaling, EC2 and Elastic Load Balancing, as far as an Auto Scaling group needs them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from adapters.asg.states import IN_SERVICE, ON_THE_WAY, OVER, STUCK, WARM
from adapters.reading import KeyValue
from adapters.scaled import Step, Tracking
from orchestrator.errors import UpstreamError

_KNOWN = {IN_SERVICE, *ON_THE_WAY, *STUCK, *OVER, *WARM}


class TemplateSpec(BaseModel):
    """Which launch template, and which version: a number, $Default or $Latest."""

    LaunchTemplateId: str = ""
    Version: str | None = None


class Instance(BaseModel):
    """An instance of a group or of its warm pool."""

    InstanceId: str
    LifecycleState: str = IN_SERVICE
    HealthStatus: str = "Healthy"
    ProtectedFromScaleIn: bool = False
    WeightedCapacity: str | None = None
    LaunchTemplate: TemplateSpec | None = None

    @property
    def weight(self) -> int:
        """Return what the instance counts for in the group's sizes."""
        return int(self.WeightedCapacity or 1)

    @property
    def serves(self) -> bool:
        """Say whether the instance is in service and healthy."""
        return self.LifecycleState == IN_SERVICE and self.HealthStatus.lower() == "healthy"


class SuspendedProcess(BaseModel):
    """A process that rests, and who said so."""

    ProcessName: str
    SuspensionReason: str = ""


class ReusePolicy(BaseModel):
    """Whether instances that are scaled in go back to the warm pool."""

    ReuseOnScaleIn: bool | None = None


class PoolSettings(BaseModel):
    """The size of a warm pool."""

    MaxGroupPreparedCapacity: int | None = None
    MinSize: int | None = None
    PoolState: str | None = None
    Status: str | None = None
    InstanceReusePolicy: ReusePolicy | None = None


class _Override(BaseModel):
    InstanceType: str | None = None
    LaunchTemplateSpecification: TemplateSpec | None = None


class _MixedTemplate(BaseModel):
    LaunchTemplateSpecification: TemplateSpec = TemplateSpec()
    Overrides: list[_Override] = []


class MixedPolicy(BaseModel):
    """Several instance types from one template."""

    LaunchTemplate: _MixedTemplate = _MixedTemplate()


class Group(BaseModel):
    """An Auto Scaling group."""

    AutoScalingGroupName: str
    AutoScalingGroupARN: str = ""
    MinSize: int = 0
    MaxSize: int = 0
    DesiredCapacity: int = 0
    AvailabilityZones: list[str] = []
    HealthCheckGracePeriod: int = 0
    Instances: list[Instance] = []
    LaunchConfigurationName: str | None = None
    LaunchTemplate: TemplateSpec | None = None
    MixedInstancesPolicy: MixedPolicy | None = None
    Status: str | None = None
    SuspendedProcesses: list[SuspendedProcess] = []
    Tags: list[KeyValue] = []
    TargetGroupARNs: list[str] = []
    VPCZoneIdentifier: str = ""
    WarmPoolConfiguration: PoolSettings | None = None

    @property
    def template(self) -> TemplateSpec | None:
        """Return the launch template, also that of a mixed instances policy."""
        if self.MixedInstancesPolicy is not None:
            return self.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification
        return self.LaunchTemplate

    @property
    def suspended(self) -> frozenset[str]:
        """Return the names of the processes that rest."""
        return frozenset(each.ProcessName for each in self.SuspendedProcesses)

    @property
    def size(self) -> tuple[int, int, int]:
        """Return min, max and desired."""
        return self.MinSize, self.MaxSize, self.DesiredCapacity

    @property
    def present(self) -> list[Instance]:
        """Return the instances that are not over; raise `UpstreamError` for a lifecycle state nobody knows."""
        return present(self.Instances)

    @property
    def serving(self) -> int:
        """Return the capacity that is in service and healthy."""
        return sum(each.weight for each in self.present if each.serves)

    @property
    def pool_size(self) -> int:
        """Return how many warm instances the pool's settings ask for now; the API reference of PutWarmPool tells how."""
        pool = self.WarmPoolConfiguration
        if pool is None or pool.Status is not None:
            return 0
        prepared = pool.MaxGroupPreparedCapacity
        most = self.MaxSize if prepared is None or prepared < 0 else prepared
        return max(pool.MinSize or 0, most - self.DesiredCapacity, 0)

    @property
    def settled(self) -> bool:
        """Say whether exactly the desired capacity is there, all of it in service."""
        here = self.present
        return self.serving == self.DesiredCapacity and all(each.serves for each in here)


def present(instances: list[Instance]) -> list[Instance]:
    """Return the instances that are not over; raise `UpstreamError` for a lifecycle state nobody knows."""
    for each in instances:
        if each.LifecycleState not in _KNOWN:
            raise UpstreamError(
                f"{each.InstanceId} is in the lifecycle state {each.LifecycleState}, which is not known here.",
                "look at the instance in the console, and report the state.",
            )
    return [each for each in instances if each.LifecycleState not in OVER]


class Groups(BaseModel):
    """autoscaling:DescribeAutoScalingGroups."""

    AutoScalingGroups: list[Group] = []


class WarmPool(BaseModel):
    """autoscaling:DescribeWarmPool."""

    Instances: list[Instance] = []


class Activity(BaseModel):
    """Something a group did, or tried."""

    StartTime: datetime
    StatusCode: str = ""
    StatusMessage: str = ""
    Description: str = ""


class Activities(BaseModel):
    """autoscaling:DescribeScalingActivities; the newest first."""

    Activities: list[Activity] = []


class Refresh(BaseModel):
    """An instance refresh."""

    Status: str = ""
    StatusReason: str = ""
    StartTime: datetime | None = None
    PercentageComplete: int = 0


class Refreshes(BaseModel):
    """autoscaling:DescribeInstanceRefreshes; the newest first."""

    InstanceRefreshes: list[Refresh] = []


class Policy(BaseModel):
    """A scaling policy."""

    PolicyName: str
    Enabled: bool = True
    TargetTrackingConfiguration: Tracking | None = None
    ScalingAdjustment: int | None = None
    StepAdjustments: list[Step] = []

    @property
    def scales_in(self) -> bool:
        """Say whether it may take instances away."""
        tracking, steps = self.TargetTrackingConfiguration, [each.ScalingAdjustment for each in self.StepAdjustments]
        less = any(each < 0 for each in (*steps, self.ScalingAdjustment or 0))
        return self.Enabled and (less or (tracking is not None and not tracking.DisableScaleIn))


class Policies(BaseModel):
    """autoscaling:DescribePolicies."""

    ScalingPolicies: list[Policy] = []


class _ScheduledAction(BaseModel):
    ScheduledActionName: str
    Recurrence: str = ""
    StartTime: datetime | None = None

    @property
    def when(self) -> str:
        """Return its name, and when it comes next."""
        times = [self.Recurrence, f"{self.StartTime:%Y-%m-%d %H:%M} UTC" if self.StartTime else ""]
        shown = ", next ".join(each for each in times if each)
        return f"{self.ScheduledActionName} ({shown})" if shown else self.ScheduledActionName


class ScheduledActions(BaseModel):
    """autoscaling:DescribeScheduledActions."""

    ScheduledUpdateGroupActions: list[_ScheduledAction] = []


class AccountLimits(BaseModel):
    """autoscaling:DescribeAccountLimits."""

    MaxNumberOfAutoScalingGroups: int = 0
    NumberOfAutoScalingGroups: int = 0
