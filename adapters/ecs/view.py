"""What is read of an ECS service: both sides' counts, the scaling bounds, the health of tasks and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from adapters.balancers import endpoints, target_states
from adapters.ecs.models import (
    Bounds,
    Definition,
    DescribedDefinition,
    ScalableTargets,
    Service,
    Services,
    Task,
    TaskArns,
    Tasks,
)
from adapters.ecs.spec import DEPLOY, SCALABLE
from adapters.ecs.view_deploy import Deployment, live, plan, remembered
from adapters.ecs.view_needs import Needs, needs
from adapters.reading import wrong_image
from adapters.scaled import Rules, rules
from orchestrator.contract import Clients, Member, Place, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


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
    strategy: str
    source: EcsSide
    target: EcsSide
    tasks: tuple[Task, ...] = ()
    load_balanced: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Target group ARN -> the states of its targets."""
    drill_tasks: tuple[Task, ...] = ()
    endpoints: tuple[tuple[str, int], ...] = ()
    """Where the load balancers in front of the target side's service listen: host and port."""
    needs: Needs = Needs()
    """What the target side's tasks need there; looked for when the run is planned."""
    missing_images: tuple[str, ...] = ()
    """What the target side's task definition names and the target Region does not hold; looked for with `needs`."""
    deployment: Deployment | None = None
    """What deploying to the target side takes (deploy-from-source)."""
    way_back: Deployment | None = None
    """What deploying to the source side takes, to make it the standby."""
    draining: bool = False
    """Whether a deleted service of that name still has tasks on the target side."""
    rules: Rules = Rules()
    """What scales the target side's service by itself; read when the run is planned."""


def look(target: Target, aws: Clients, run: RunContext) -> EcsView:
    """Read the service on the sides that can be reached; tasks and targets while and after the target side is activated."""
    member = target.only
    reader = aws.at(Side.TARGET)
    status, here = _side(member.target, reader)
    there = EcsSide(member.source, None, None)
    if aws.reaches(Side.SOURCE):
        _, there = _side(member.source, aws.at(Side.SOURCE))
    serving = run.phase is not Phase.INSTANTIATE and run.mode is not Mode.DRILL and here.settled
    groups = here.service.target_groups if serving and here.service else []
    view = EcsView(
        member=member,
        strategy=target.strategy,
        source=there,
        target=here,
        tasks=_tasks(reader, here.cluster, serviceName=here.name) if serving else (),
        load_balanced=target_states(reader, groups),
        drill_tasks=_tasks(reader, here.cluster, startedBy=f"drill-{run.short_id}") if run.mode is Mode.DRILL else (),
        endpoints=endpoints(reader, groups),
        draining=status == "DRAINING",
        rules=_rules(reader, here) if run.planning and run.mode is not Mode.DRILL and here.bounds else Rules(),
    )
    if target.strategy == DEPLOY:
        return _with_deployments(view, aws, run)
    if not run.planning or here.service is None:
        return view
    used = reader.read("ecs", "DescribeTaskDefinition", DescribedDefinition, taskDefinition=here.service.taskDefinition)
    return _with_needs(view, reader, used.taskDefinition, here.service.target_groups, run)


def _with_needs(
    view: EcsView, reader: Reader, definition: Definition, groups: Sequence[str], run: RunContext
) -> EcsView:
    """Add what the tasks of a definition need on the target side, and the target groups that they are put into."""
    found = needs(reader, view.target.cluster, view.target.service, definition, groups, run)
    return replace(view, needs=found, missing_images=missing_images(reader, definition))


def _with_deployments(view: EcsView, aws: Clients, run: RunContext) -> EcsView:
    """Add what deploying takes: to the target side at the first look of ACTIVATE and before, back for REPLICATE."""
    member, here, there = view.member, view.target, view.source
    reader = aws.at(Side.TARGET)
    model = live(aws.at(Side.SOURCE), member.source, there.service) if there.service else remembered(member.source)
    first = run.phase is Phase.INSTANTIATE or not run.called_at
    forth = plan(member, model, member.target, here.service, reader) if model else None
    back = None
    if run.mode is Mode.PLANNED and here.service is not None:
        own = live(reader, member.target, here.service)
        back = plan(member, own, member.source, there.service, aws.at(Side.SOURCE))
    wanted = Definition.model_validate(forth.wanted) if forth and first else None
    view = replace(view, deployment=forth, way_back=back)
    if wanted is None or forth is None or not run.planning:
        return view
    groups = here.service.target_groups if here.service else forth.target_groups
    return _with_needs(view, reader, wanted, groups, run)


def _side(place: Place, reader: Reader) -> tuple[str, EcsSide]:
    cluster, _, name = place.id.partition("/")
    found = reader.read("ecs", "DescribeServices", Services, cluster=cluster, services=[name], include=["TAGS"])
    shown = found.services[0] if found.services else None
    service = shown if shown and shown.status == "ACTIVE" else None
    return shown.status if shown else "", EcsSide(place, service, bounds_of(reader, place.id))


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


def _rules(reader: Reader, side: EcsSide) -> Rules:
    return rules(reader, "ecs", f"service/{side.place.id}", SCALABLE)


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


def missing_images(reader: Reader, definition: Definition) -> tuple[str, ...]:
    """Return what is wrong with a definition's ECR images, as sentences; images of other registries cannot be asked for."""
    wrong = [wrong_image(reader, each.image) for each in definition.containerDefinitions]
    return tuple(each for each in wrong if each)
