"""ECS's replies, and those of its neighbours, as far as the ECS adapter reads them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict, JsonValue


class Tag(BaseModel):
    """ECS writes tags in lower case."""

    key: str
    value: str = ""


def tag_map(tags: Iterable[Tag]) -> dict[str, str]:
    """Return tags as a mapping."""
    return {tag.key: tag.value for tag in tags}


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
    containerName: str | None = None
    containerPort: int | None = None


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
    deploymentConfiguration: dict[str, JsonValue] | None = None
    healthCheckGracePeriodSeconds: int | None = None
    propagateTags: str | None = None
    enableECSManagedTags: bool | None = None
    enableExecuteCommand: bool | None = None
    serviceRegistries: list[dict[str, JsonValue]] = []
    tags: list[Tag] = []

    @property
    def target_groups(self) -> list[str]:
        """Return the ARNs of the target groups its tasks are put into."""
        return [each.targetGroupArn for each in self.loadBalancers if each.targetGroupArn]


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


class Secret(BaseModel):
    """A value that a container gets from Secrets Manager or Parameter Store."""

    model_config = ConfigDict(extra="allow")

    name: str = ""
    valueFrom: str = ""


class LogConfiguration(BaseModel):
    """Where a container's output goes."""

    model_config = ConfigDict(extra="allow")

    options: dict[str, str] = {}
    secretOptions: list[Secret] = []


class RepositoryCredentials(BaseModel):
    """How a private registry is entered."""

    credentialsParameter: str = ""


class Container(BaseModel):
    """A container of a task definition, with everything that ECS knows of it."""

    model_config = ConfigDict(extra="allow")

    image: str = ""
    secrets: list[Secret] = []
    logConfiguration: LogConfiguration | None = None
    repositoryCredentials: RepositoryCredentials | None = None


class EfsVolume(BaseModel):
    """A volume that lies on EFS."""

    model_config = ConfigDict(extra="allow")

    fileSystemId: str = ""


class Volume(BaseModel):
    """A volume of a task definition, with everything that ECS knows of it."""

    model_config = ConfigDict(extra="allow")

    efsVolumeConfiguration: EfsVolume | None = None


REGISTERED = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
)
"""What RegisterTaskDefinition takes of what DescribeTaskDefinition shows."""


class Definition(BaseModel):
    """A revision of a task definition, with everything that ECS knows of it."""

    model_config = ConfigDict(extra="allow")

    taskDefinitionArn: str = ""
    status: str = ""
    containerDefinitions: list[Container] = []
    volumes: list[Volume] = []

    @property
    def content(self) -> dict[str, JsonValue]:
        """Return what it says, as RegisterTaskDefinition takes it."""
        shown: dict[str, JsonValue] = self.model_dump(mode="json", include=set(REGISTERED), exclude_unset=True)
        return {name: value for name, value in shown.items() if value not in (None, "", [], {})}


class DescribedDefinition(BaseModel):
    """ecs:DescribeTaskDefinition."""

    taskDefinition: Definition = Definition()
