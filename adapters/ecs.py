"""ECS service: it exists in both Regions; the target side is scaled to the production size, the source side to zero.

instantiate  planned: hold the target side's autoscaling (application-autoscaling.RegisterScalableTarget, suspended);
             drill: ecs.RunTask of the same task definition
activate     RegisterScalableTarget (production bounds, awake), then ecs.UpdateService(desiredCount=production)
cleanup      RegisterScalableTarget(MinCapacity=0, suspended) first, then UpdateService(desiredCount=0) on the source side;
             drill: ecs.StopTask
replicate    nothing to copy: verify that the source side's service is still there, asleep

Bounds go before counts: a count below MinCapacity is raised again at the next scale-out alarm (Application Auto Scaling
user guide). It never deletes services, never changes one that CodeDeploy or an external controller owns, and refuses DAEMON
services, which have no desired count. The production size is what the busier side ran when the inventory was taken, or
`dr:saved-capacity` ("min/max/desired"), or the manifest's desiredCount. It deploys nothing: the task definition and its
images must be in the target Region already. A drill's task starts outside the load balancer, but with the production
task definition of the target side: what that makes the container do (consume a queue, for instance) it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.drills import ecs as drill
from adapters.ecs_scaling import Size, carries_production, hold_bounds, scale, size_of, sized, sleep, wanted
from adapters.judging import ready, red, warning
from adapters.specs.ecs import SPEC
from adapters.views.ecs import EcsView, Service, Services, bounds_of, look
from orchestrator.contract import (
    Adapter,
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
    done,
    skip,
)
from orchestrator.words import CheckState, Mode, Phase, Side

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
        if wanted(view.member).desired == 0:
            text = f"the production size of {view.member.name} is 0 on both sides; nothing would run."
            findings.append(
                red(me, "size", text, "set dr:saved-capacity (min/max/desired, such as 2/6/3) on the service.")
            )
        if any(d.rolloutState == "IN_PROGRESS" for d in service.deployments) and run.mode is not Mode.EMERGENCY:
            findings.append(warning(me, "deploying", f"{view.target.place.id} has a deployment in progress."))
        findings += [red(me, "image", f"{each}.", "push or replicate the image there.") for each in view.missing_images]
        return findings or [ready(me, f"{view.target.place.id} can be scaled to {wanted(view.member).desired}.")]

    def loss(self, view: EcsView, run: RunContext) -> list[Loss]:
        """Lose nothing: tasks are stateless."""
        return [Loss(view.member.resource_id, 0.0, "stateless")]

    def instantiate(self, view: EcsView, run: RunContext) -> list[Step]:
        """Keep the target side's autoscaling from interfering; in a drill, run one task."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        if view.target.bounds is None:
            return skip("the service exists and does not scale by itself")
        if view.target.service is not None and view.target.service.desiredCount:
            return skip("the target side runs tasks already: its autoscaling goes on")
        return [hold_bounds(view.target, Side.TARGET)]

    def activate(self, view: EcsView, run: RunContext) -> list[Step]:
        """Scale the target side to the production size and wait for its tasks."""
        if run.mode is Mode.DRILL:
            return skip("the drill's task runs beside the service; the service itself stays as it is")
        return scale(view.target, Side.TARGET, wanted(view.member), run)

    def cleanup(self, view: EcsView, run: RunContext) -> list[Step]:
        """Put the source side to sleep: bounds first, then the count; in a drill, stop the task."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if not carries_production(view.target, wanted(view.member)):
            seen = f"{view.target.service.runningCount if view.target.service else 0} task(s) run on the target side"
            return [blocked("sleep", f"{seen}, expected production: the source stays up", "run ACTIVATE first.")]
        return sleep(view.source, Side.SOURCE)

    def replicate(self, view: EcsView, run: RunContext) -> list[Step]:
        """Verify that the source side stands by."""
        if run.mode is Mode.DRILL:
            return skip("a drill changes no standby")
        if view.source.service is None:
            return [blocked("standby", f"there is no active service {view.source.place.id}", "deploy it again.")]
        return [done("standby", f"{view.source.place.id} is there with {view.source.service.desiredCount} task(s)")]

    def rollback(self, phase: Phase, view: EcsView, run: RunContext) -> list[Step]:
        """Scale back: the source side up for CLEANUP, the target side to what it had before for ACTIVATE."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is Phase.CLEANUP:
            return scale(view.source, Side.SOURCE, wanted(view.member), run)
        if phase is Phase.ACTIVATE:
            before = size_of(view.member.target)
            if before.desired:
                return scale(view.target, Side.TARGET, before, run, down=True)
            return sleep(view.target, Side.TARGET)
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
            return replace(view, target=sized(view.target, wanted(view.member), awake=True))
        if phase is Phase.CLEANUP:
            high = view.source.bounds.MaxCapacity if view.source.bounds else 0
            return replace(view, source=sized(view.source, Size(0, high, 0), awake=False))
        return view
