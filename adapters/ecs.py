"""ECS service: it exists in both Regions; the target side is scaled to the production size, the source side to zero.

instantiate  planned: hold the target side's autoscaling (application-autoscaling.RegisterScalableTarget, suspended);
             drill: ecs.RunTask of the same task definition
activate     RegisterScalableTarget (production bounds, awake), then ecs.UpdateService(desiredCount=production)
cleanup      RegisterScalableTarget(MinCapacity=0, suspended) first, then UpdateService(desiredCount=0) on the source side;
             drill: ecs.StopTask
replicate    nothing to copy: verify that the source side's service is still there, asleep

Bounds go before counts: a count below MinCapacity is raised again at the next scale-out alarm (Application Auto Scaling
user guide). It never deletes services, never changes one that CodeDeploy or an external controller owns, and refuses DAEMON
services, which have no desired count. The production size is what the source side ran when the inventory was taken, or
`dr:saved-capacity` ("min/max/desired"), or the manifest's desiredCount.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.drills import ecs as drill
from adapters.judging import ready, red, warning
from adapters.specs.ecs import SCALABLE, SPEC, STALL_SECONDS, TROUBLE
from adapters.views.ecs import Bounds, EcsSide, EcsView, Service, Services, Suspended, bounds_of, look
from orchestrator.contract import (
    Adapter,
    Call,
    Check,
    Clients,
    Finding,
    Found,
    Loss,
    Place,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    busy,
    done,
    failed,
    skip,
    todo,
)
from orchestrator.words import CheckState, Effect, Mode, Phase, Side

_ASLEEP: JsonValue = {
    "DynamicScalingInSuspended": True,
    "DynamicScalingOutSuspended": True,
    "ScheduledScalingSuspended": True,
}
_AWAKE: JsonValue = dict.fromkeys(_ASLEEP, False) if isinstance(_ASLEEP, dict) else {}
DESCRIBED_AT_ONCE = 10


class EcsAdapter(Adapter[EcsView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged services; the two sides have the same cluster and service name."""
        by_cluster: dict[str, list[str]] = {}
        for arn in arns:
            by_cluster.setdefault(arn.split("/")[-2], []).append(arn)
        found = []
        for cluster, mine in sorted(by_cluster.items()):
            for start in range(0, len(mine), DESCRIBED_AT_ONCE):
                batch: JsonValue = list(mine[start : start + DESCRIBED_AT_ONCE])
                reply = aws.read("ecs", "DescribeServices", Services, cluster=cluster, services=batch, include=["TAGS"])
                found += [self._found(aws, cluster, s) for s in reply.services if s.status == "ACTIVE"]
        return found

    def _found(self, aws: Reader, cluster: str, service: Service) -> Found:
        service_id = f"{cluster}/{service.serviceName}"
        bounds = bounds_of(aws, service_id)
        facts: dict[str, JsonValue] = {"desired": service.desiredCount, "task_definition": service.taskDefinition}
        if bounds is not None:
            facts |= {"min": bounds.MinCapacity, "max": bounds.MaxCapacity}
        place = Place(aws.account, aws.region, service_id, service.serviceArn, facts)
        return Found(service_id, service.serviceName, place, {t.key: t.value for t in service.tags}, "scale-service")

    def observe(self, target: Target, aws: Clients, run: RunContext) -> EcsView:
        """Read both sides, in an emergency only the target side."""
        return look(target, aws, run)

    def readiness(self, view: EcsView, run: RunContext) -> list[Finding]:
        """Judge whether the target side's service can be scaled, and to what size."""
        me, service, findings = view.member.resource_id, view.target.service, []
        if service is None:
            return [
                red(me, "missing", f"there is no active service {view.target.place.id} in {view.target.place.region}.")
            ]
        if service.schedulingStrategy == "DAEMON":
            findings.append(red(me, "daemon", f"{view.target.place.id} is a DAEMON service: it has no desired count."))
        if service.deploymentController.type != "ECS":
            owner = service.deploymentController.type
            findings.append(red(me, "controller", f"{view.target.place.id} is deployed by {owner}, expected ECS."))
        if wanted(view)[2] == 0:
            text = f"the production size of {view.member.name} is 0 on both sides; nothing would run."
            findings.append(
                red(me, "size", text, "set desiredCount in the manifest or dr:saved-capacity on the service.")
            )
        if any(d.rolloutState == "IN_PROGRESS" for d in service.deployments) and run.mode is not Mode.EMERGENCY:
            findings.append(warning(me, "deploying", f"{view.target.place.id} has a deployment in progress."))
        return findings or [ready(me, f"{view.target.place.id} can be scaled to {wanted(view)[2]}.")]

    def loss(self, view: EcsView, run: RunContext) -> list[Loss]:
        """Lose nothing: tasks are stateless."""
        return [Loss(view.member.resource_id, 0.0, "stateless")]

    def instantiate(self, view: EcsView, run: RunContext) -> list[Step]:
        """Keep the target side's autoscaling from interfering; in a drill, run one task."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        if view.target.bounds is None:
            return skip("the service exists and does not scale by itself")
        call = _bounds(view.target, Side.TARGET, 0, max(view.target.bounds.MaxCapacity, wanted(view)[1]), _ASLEEP)
        if view.target.bounds.SuspendedState.asleep or self._active(view):
            return [done("hold-autoscaling", "autoscaling is held", effect=Effect.REVERSIBLE)]
        return [todo("hold-autoscaling", call, Effect.REVERSIBLE, "the target side scales by itself")]

    def _active(self, view: EcsView) -> bool:
        service = view.target.service
        return service is not None and service.desiredCount >= wanted(view)[2] > 0

    def activate(self, view: EcsView, run: RunContext) -> list[Step]:
        """Scale the target side to the production size and wait for its tasks."""
        if run.mode is Mode.DRILL:
            return skip("the drill's task runs beside the service; the service itself stays as it is")
        return self._scale(view.target, Side.TARGET, wanted(view), run)

    def _scale(self, side: EcsSide, where: Side, size: tuple[int, int, int], run: RunContext) -> list[Step]:
        low, high, desired = size
        service = side.service
        if service is None:
            remedy = "deploy the service, then retry."
            return [blocked("scale-service", f"there is no active service {side.place.id}", remedy)]
        if service.schedulingStrategy == "DAEMON" or service.deploymentController.type != "ECS":
            remedy = "move it by the tool that owns it."
            return [blocked("scale-service", f"{side.place.id} is not scaled by ECS", remedy)]
        steps = [_release_bounds(side, where, low, high)] if side.bounds is not None else []
        call = _count(side, where, desired)
        if service.desiredCount == desired or (
            side.bounds is not None and low <= service.desiredCount <= high and service.desiredCount
        ):
            steps.append(done("scale-service", f"desired count is {service.desiredCount}", effect=Effect.REVERSIBLE))
        else:
            reason = f"desired count is {service.desiredCount}, expected {desired}"
            steps.append(todo("scale-service", call, Effect.REVERSIBLE, reason))
        return [*steps, self._stable(side, service, run)]

    def _stable(self, side: EcsSide, service: Service, run: RunContext) -> Step:
        name = "service-stable"
        observed = f"{service.runningCount} of {service.desiredCount} tasks run"
        rollout = [d.rolloutState for d in service.deployments]
        trouble = [
            e.message for e in service.events if e.createdAt >= run.started_at and any(t in e.message for t in TROUBLE)
        ]
        if "FAILED" in rollout:
            return failed(
                name, f"{observed}; the deployment failed (circuit breaker)", f"look at the tasks of {side.place.id}."
            )
        if side.settled:
            return done(name, observed)
        if trouble:
            return failed(
                name, f"{observed}; {trouble[0]}", "correct the cause (capacity, image, network), then retry."
            )
        if (run.seconds_since("scale-service") or 0) > STALL_SECONDS:
            return failed(
                name, f"{observed} after {STALL_SECONDS} s", f"look at the events of {side.place.id}, then retry."
            )
        return busy(name, f"{observed}, rollout {rollout}")

    def cleanup(self, view: EcsView, run: RunContext) -> list[Step]:
        """Put the source side to sleep: bounds first, then the count; in a drill, stop the task."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if not self._active(view):
            remedy = "run ACTIVATE first."
            return [blocked("sleep", "the target side does not run the production size: the source stays up", remedy)]
        return self._sleep(view.source, Side.SOURCE, run)

    def _sleep(self, side: EcsSide, where: Side, run: RunContext) -> list[Step]:
        service = side.service
        if service is None:
            return skip(f"there is no active service {side.place.id}")
        steps = []
        if side.bounds is not None:
            call = _bounds(side, where, 0, side.bounds.MaxCapacity, _ASLEEP)
            held = side.bounds.SuspendedState.asleep and side.bounds.MinCapacity == 0
            steps.append(
                done("hold-autoscaling", "autoscaling is held", effect=Effect.REVERSIBLE)
                if held
                else todo("hold-autoscaling", call, Effect.REVERSIBLE, f"MinCapacity is {side.bounds.MinCapacity}")
            )
        call = _count(side, where, 0)
        if service.desiredCount:
            steps.append(todo("scale-to-zero", call, Effect.REVERSIBLE, f"desired count is {service.desiredCount}"))
        else:
            steps.append(done("scale-to-zero", "desired count is 0", effect=Effect.REVERSIBLE))
        running = service.runningCount
        idle = done("idle", "no task runs") if not running else busy("idle", f"{running} task(s) still run")
        return [*steps, idle]

    def replicate(self, view: EcsView, run: RunContext) -> list[Step]:
        """Verify that the source side stands by."""
        if run.mode is Mode.DRILL:
            return skip("a drill changes no standby")
        if view.source.service is None:
            return [blocked("standby", f"there is no active service {view.source.place.id}", "deploy it again.")]
        return [done("standby", f"{view.source.place.id} is there with {view.source.service.desiredCount} task(s)")]

    def rollback(self, phase: Phase, view: EcsView, run: RunContext) -> list[Step]:
        """Scale back: the source side up for CLEANUP, the target side to sleep for ACTIVATE."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is Phase.CLEANUP:
            return self._scale(view.source, Side.SOURCE, wanted(view), run)
        if phase is Phase.ACTIVATE:
            return self._sleep(view.target, Side.TARGET, run)
        return skip(f"{phase} changed nothing that must be undone")

    def health(self, view: EcsView, run: RunContext) -> list[Check]:
        """Check running tasks, their health, and the load balancer's targets."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me, service = view.member.resource_id, view.target.service
        if service is None:
            return [Check(me, "service", CheckState.UNHEALTHY, f"there is no active service {view.target.place.id}")]
        enough = view.target.settled and service.runningCount > 0
        counts = f"{service.runningCount} of {service.desiredCount} tasks run"
        checks = [Check(me, "service", CheckState.HEALTHY if enough else CheckState.SETTLING, counts)]
        sick = [t.taskArn for t in view.tasks if t.healthStatus == "UNHEALTHY"]
        checks.append(
            Check(me, "tasks", CheckState.SETTLING if sick else CheckState.HEALTHY, f"{len(sick)} unhealthy task(s)")
        )
        for arn, states in view.load_balanced.items():
            well = bool(states) and all(state == "healthy" for state in states)
            detail = f"{arn.split('/')[-2] if '/' in arn else arn}: {', '.join(states) or 'no targets'}"
            checks.append(Check(me, "targets", CheckState.HEALTHY if well else CheckState.SETTLING, detail))
        return checks

    def after(self, phase: Phase, view: EcsView, run: RunContext) -> EcsView:
        """Foresee counts and bounds."""
        if run.mode is Mode.DRILL:
            return replace(view, drill_tasks=drill.foreseen() if phase is not Phase.CLEANUP else ())
        if phase is Phase.ACTIVATE:
            return replace(view, target=_sized(view.target, *wanted(view), awake=True))
        if phase is Phase.CLEANUP:
            high = view.source.bounds.MaxCapacity if view.source.bounds else 0
            return replace(view, source=_sized(view.source, 0, high, 0, awake=False))
        return view


def wanted(view: EcsView) -> tuple[int, int, int]:
    """Return the production size (min, max, desired): manifest, tag, then what the busier side ran at inventory time."""
    saved = view.member.tags.get("dr:saved-capacity", "").split("/")
    if len(saved) == 3 and all(part.isdigit() for part in saved):
        return int(saved[0]), int(saved[1]), int(saved[2])
    sizes = [_size(place) for place in (view.member.source, view.member.target)]
    low, high, desired = max(sizes, key=lambda size: size[2])
    configured = view.member.settings.get("desiredCount")
    if isinstance(configured, int):
        desired = configured
    return min(low, desired), max(high, desired), desired


def _size(place: Place) -> tuple[int, int, int]:
    low, high, desired = (place.facts.get(name, 0) for name in ("min", "max", "desired"))
    return (
        (low if isinstance(low, int) else 0),
        (high if isinstance(high, int) else 0),
        (desired if isinstance(desired, int) else 0),
    )


def _count(side: EcsSide, where: Side, desired: int) -> Call:
    params: dict[str, JsonValue] = {"cluster": side.cluster, "service": side.name, "desiredCount": desired}
    return Call("ecs", "UpdateService", params, where)


def _bounds(side: EcsSide, where: Side, low: int, high: int, suspended: JsonValue) -> Call:
    params: dict[str, JsonValue] = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{side.place.id}",
        "ScalableDimension": SCALABLE,
        "MinCapacity": low,
        "MaxCapacity": high,
        "SuspendedState": suspended,
    }
    return Call("application-autoscaling", "RegisterScalableTarget", params, where)


def _release_bounds(side: EcsSide, where: Side, low: int, high: int) -> Step:
    assert side.bounds is not None
    seen = f"bounds {side.bounds.MinCapacity}..{side.bounds.MaxCapacity}"
    right = (side.bounds.MinCapacity, side.bounds.MaxCapacity) == (low, high) and side.bounds.SuspendedState.awake
    if right:
        return done("release-autoscaling", f"{seen}, awake", effect=Effect.REVERSIBLE)
    return todo(
        "release-autoscaling",
        _bounds(side, where, low, high, _AWAKE),
        Effect.REVERSIBLE,
        f"{seen}, expected {low}..{high}",
    )


def _sized(side: EcsSide, low: int, high: int, desired: int, *, awake: bool) -> EcsSide:
    service = (
        side.service.model_copy(update={"desiredCount": desired, "runningCount": desired}) if side.service else None
    )
    rest = Suspended(
        DynamicScalingInSuspended=not awake, DynamicScalingOutSuspended=not awake, ScheduledScalingSuspended=not awake
    )
    bounds = Bounds(MinCapacity=low, MaxCapacity=high, SuspendedState=rest) if side.bounds else None
    return replace(side, service=service, bounds=bounds)
