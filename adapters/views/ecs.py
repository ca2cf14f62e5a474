"""What is read of an ECS service: both sides' counts, the scaling bounds, the health of tasks and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, JsonValue

from adapters.reading import wrong_image
from adapters.specs.ecs import SCALABLE
from orchestrator.contract import Clients, Member, Place, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


class Tag(BaseModel):
    """ECS writes tags in lower case."""

    key: str
    value: str = ""


class Deployment(BaseModel):
    """A deployment of a service."""

    status: str = ""
    rolloutState: str | None = None
    updatedAt: datetime | None = None


class Event(BaseModel):
    """A line of the service's own log."""

    createdAt: datetime
    message: str


class LoadBalancer(BaseModel):
    """Where a service registers its tasks."""

    targetGroupArn: str | None = None


class Controller(BaseModel):
    """Who owns deployments."""

    type: str = "ECS"


class Service(BaseModel):
    """An ECS service."""

    serviceArn: str
    serviceName: str
    status: str = ""
    desiredCount: int = 0
    runningCount: int = 0
    pendingCount: int = 0
    taskDefinition: str = ""
    schedulingStrategy: str = "REPLICA"
    deploymentController: Controller = Controller()
    deployments: list[Deployment] = []
    events: list[Event] = []
    loadBalancers: list[LoadBalancer] = []
    launchType: str | None = None
    capacityProviderStrategy: list[dict[str, JsonValue]] = []
    platformVersion: str | None = None
    networkConfiguration: dict[str, JsonValue] | None = None
    tags: list[Tag] = []


class Services(BaseModel):
    """ecs:DescribeServices."""

    services: list[Service] = []


class Suspended(BaseModel):
    """Which scaling activities rest."""

    DynamicScalingInSuspended: bool = False
    DynamicScalingOutSuspended: bool = False
    ScheduledScalingSuspended: bool = False

    @property
    def asleep(self) -> bool:
        """Say whether nothing scales by itself."""
        return self.DynamicScalingInSuspended and self.DynamicScalingOutSuspended and self.ScheduledScalingSuspended

    @property
    def awake(self) -> bool:
        """Say whether everything scales by itself."""
        return not (self.DynamicScalingInSuspended or self.DynamicScalingOutSuspended or self.ScheduledScalingSuspended)


class Bounds(BaseModel):
    """A scalable target."""

    MinCapacity: int = 0
    MaxCapacity: int = 0
    SuspendedState: Suspended = Suspended()


class ScalableTargets(BaseModel):
    """application-autoscaling:DescribeScalableTargets."""

    ScalableTargets: list[Bounds] = []


class TaskArns(BaseModel):
    """ecs:ListTasks."""

    taskArns: list[str] = []


class Task(BaseModel):
    """A task."""

    taskArn: str
    lastStatus: str = ""
    healthStatus: str = "UNKNOWN"


class Tasks(BaseModel):
    """ecs:DescribeTasks."""

    tasks: list[Task] = []


class _Container(BaseModel):
    image: str = ""


class _TaskDefinition(BaseModel):
    containerDefinitions: list[_Container] = []


class TaskDefinition(BaseModel):
    """ecs:DescribeTaskDefinition."""

    taskDefinition: _TaskDefinition = _TaskDefinition()


class _HealthState(BaseModel):
    State: str = ""


class _TargetHealth(BaseModel):
    TargetHealth: _HealthState = _HealthState()


class TargetHealth(BaseModel):
    """elbv2 DescribeTargetHealth."""

    TargetHealthDescriptions: list[_TargetHealth] = []


@dataclass(frozen=True)
class EcsSide:
    """One side of the service. `service` is None when it is not there or may not be reached."""

    place: Place
    service: Service | None
    bounds: Bounds | None

    @property
    def cluster(self) -> str:
        """Return the cluster's name, the first part of `cluster/service`."""
        return self.place.id.partition("/")[0]

    @property
    def name(self) -> str:
        """Return the service's name."""
        return self.place.id.partition("/")[2]

    @property
    def settled(self) -> bool:
        """Say whether exactly the desired tasks run and one complete deployment is left."""
        s = self.service
        if s is None or s.runningCount != s.desiredCount or s.pendingCount:
            return False
        return len(s.deployments) <= 1 and all(d.rolloutState in {None, "COMPLETED"} for d in s.deployments)


@dataclass(frozen=True)
class EcsView:
    """Both sides of a service."""

    member: Member
    source: EcsSide
    target: EcsSide
    tasks: tuple[Task, ...] = ()
    load_balanced: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Target group ARN -> the states of its targets."""
    drill_tasks: tuple[Task, ...] = ()
    missing_images: tuple[str, ...] = ()
    """What the target side's task definition names and the target Region does not hold; looked for before ACTIVATE."""


def look(target: Target, aws: Clients, run: RunContext) -> EcsView:
    """Read the service on the sides that can be reached; tasks and targets while and after the target side is activated."""
    member = target.only
    here = _side(member.target, aws.at(Side.TARGET))
    there = (
        _side(member.source, aws.at(Side.SOURCE)) if aws.reaches(Side.SOURCE) else EcsSide(member.source, None, None)
    )
    reader = aws.at(Side.TARGET)
    serving = run.phase is not Phase.INSTANTIATE and run.mode is not Mode.DRILL and here.settled
    return EcsView(
        member=member,
        source=there,
        target=here,
        tasks=_tasks(reader, here.cluster, serviceName=here.name) if serving else (),
        load_balanced=_target_health(reader, here) if serving else {},
        missing_images=missing_images(reader, here.service) if run.phase is Phase.INSTANTIATE and here.service else (),
        drill_tasks=_tasks(reader, here.cluster, startedBy=f"drill-{run.short_id}") if run.mode is Mode.DRILL else (),
    )


def _side(place: Place, reader: Reader) -> EcsSide:
    cluster, _, name = place.id.partition("/")
    found = reader.read("ecs", "DescribeServices", Services, cluster=cluster, services=[name], include=["TAGS"])
    service = next((s for s in found.services if s.status == "ACTIVE"), None)
    return EcsSide(place, service, bounds_of(reader, place.id))


def bounds_of(reader: Reader, service_id: str) -> Bounds | None:
    """Return the scalable target of `cluster/service`, or None when it does not scale by itself."""
    found = reader.read(
        "application-autoscaling",
        "DescribeScalableTargets",
        ScalableTargets,
        ServiceNamespace="ecs",
        ResourceIds=[f"service/{service_id}"],
        ScalableDimension=SCALABLE,
    )
    return found.ScalableTargets[0] if found.ScalableTargets else None


def _tasks(reader: Reader, cluster: str, **which: JsonValue) -> tuple[Task, ...]:
    arns = [
        arn for page in reader.pages("ecs", "ListTasks", TaskArns, cluster=cluster, **which) for arn in page.taskArns
    ]
    batches = [arns[i : i + 100] for i in range(0, len(arns), 100)]
    return tuple(
        task
        for batch in batches
        for task in reader.read("ecs", "DescribeTasks", Tasks, cluster=cluster, tasks=list(batch)).tasks
        if task.lastStatus != "STOPPED"
    )


def missing_images(reader: Reader, service: Service) -> tuple[str, ...]:
    """Return what is wrong with a service's ECR images, as sentences; images of other registries cannot be asked for."""
    found = reader.read("ecs", "DescribeTaskDefinition", TaskDefinition, taskDefinition=service.taskDefinition)
    wrong = [wrong_image(reader, each.image) for each in found.taskDefinition.containerDefinitions]
    return tuple(each for each in wrong if each)


def _target_health(reader: Reader, side: EcsSide) -> dict[str, list[str]]:
    arns = [lb.targetGroupArn for lb in (side.service.loadBalancers if side.service else []) if lb.targetGroupArn]
    return {
        arn: [
            each.TargetHealth.State
            for each in reader.read(
                "elbv2", "DescribeTargetHealth", TargetHealth, TargetGroupArn=arn
            ).TargetHealthDescriptions
        ]
        for arn in arns
    }
