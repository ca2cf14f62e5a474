"""ECS service: the target side is scaled to the production size, the source side to zero; what is not there is deployed first.

instantiate  planned: hold the target side's autoscaling (application-autoscaling.RegisterScalableTarget, suspended);
             deploy-from-source: before that ecs.RegisterTaskDefinition for the target Region where it differs, then
             ecs.CreateService with no tasks, or ecs.UpdateService(taskDefinition);
             drill: ecs.RunTask of the definition that is there
activate     RegisterScalableTarget (production bounds, awake), then ecs.UpdateService(desiredCount=production);
             deploy-from-source: in an emergency it deploys first, from what the inventory remembers
cleanup      RegisterScalableTarget(MinCapacity=0, suspended) first, then UpdateService(desiredCount=0) on the source side;
             drill: ecs.StopTask
replicate    verify that the source side's service is there, asleep; deploy-from-source: bring it to the same definition

Bounds go before counts: a count below MinCapacity is raised again at the next scale-out alarm (Application Auto Scaling
user guide). What it declines to do is in SPEC.refuses. The production size is what the busier side ran when the inventory
was taken, or `dr:saved-capacity` ("min/max/desired"), or the manifest's desiredCount. A service that the target side lacks
is known by the tag dr:deploy-region of the one that is there; dr:deploy-subnets, dr:deploy-security-groups and
dr:deploy-target-groups (lists with spaces), or the manifest's `regions`, say what only that Region knows. A drill's task
starts outside the load balancer, but with a definition of production: what that makes the container do (consume a queue,
for instance) it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.ecs import drill, readiness
from adapters.ecs.deploy import deploy, foreseen, hold, there
from adapters.ecs.discovery import find
from adapters.ecs.scaling import Size, carries_production, hold_bounds, scale, size_of, sized, sleep, wanted
from adapters.ecs.spec import DEPLOY, SPEC
from adapters.ecs.view import EcsView, look
from orchestrator.contract import (
    Adapter,
    Check,
    Claim,
    Clients,
    Endpoint,
    Finding,
    Found,
    Loss,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    done,
    skip,
)
from orchestrator.words import CheckState, Mode, Phase, Side, StepState


class EcsAdapter(Adapter[EcsView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged services; the two sides have the same cluster and service name."""
        return find(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> EcsView:
        """Read both sides, in an emergency only the target side."""
        return look(target, aws, run)

    def readiness(self, view: EcsView, run: RunContext) -> list[Finding]:
        """Judge whether the target side's service is there or can be deployed, and scaled, and to what size."""
        return readiness.findings(view, run)

    def claims(self, view: EcsView, run: RunContext) -> list[Claim]:
        """Count the vCPUs on Fargate that the tasks to come need."""
        return readiness.claims(view, run)

    def loss(self, view: EcsView, run: RunContext) -> list[Loss]:
        """Lose nothing: tasks are stateless."""
        return [Loss(view.member.resource_id, 0.0, "stateless")]

    def instantiate(self, view: EcsView, run: RunContext) -> list[Step]:
        """Deploy what the target side lacks, and keep its autoscaling from interfering; in a drill, run one task."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        if view.strategy == DEPLOY:
            return [*self._deployed(view, run), *hold(view.target, view.member.source, Side.TARGET)]
        if view.target.bounds is None:
            return skip("the service exists and does not scale by itself")
        if view.target.service is not None and view.target.service.desiredCount:
            return skip("the target side runs tasks already: its autoscaling goes on")
        return [hold_bounds(view.target, Side.TARGET)]

    def activate(self, view: EcsView, run: RunContext) -> list[Step]:
        """Scale the target side to the production size and wait for its tasks; deploy first what is not there."""
        if run.mode is Mode.DRILL:
            return skip("the drill's task runs beside the service; the service itself stays as it is")
        size = wanted(view.member)
        if view.strategy != DEPLOY:
            return scale(view.target, Side.TARGET, size, run)
        steps = self._deployed(view, run)
        stopped = any(step.state is StepState.BLOCKED for step in steps)
        return steps if stopped else [*steps, *scale(there(view), Side.TARGET, size, run)]

    def _deployed(self, view: EcsView, run: RunContext) -> list[Step]:
        return deploy(view.deployment, view.target, Side.TARGET, run, draining=view.draining)

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
        if view.strategy == DEPLOY:
            return self._redeployed(view, run)
        if view.source.service is None:
            return [blocked("standby", f"there is no active service {view.source.place.id}", "deploy it again.")]
        return [done("standby", f"{view.source.place.id} is there with {view.source.service.desiredCount} task(s)")]

    def _redeployed(self, view: EcsView, run: RunContext) -> list[Step]:
        """Bring the source side's service, asleep, to what the target side runs."""
        service = view.source.service
        if service is not None and service.desiredCount:
            reason = (
                f"{view.source.place.id} runs {service.desiredCount} task(s) in {view.source.place.region}, expected 0"
            )
            return [blocked("standby", reason, "run CLEANUP first.")]
        steps = deploy(view.way_back, view.source, Side.SOURCE, run, draining=False)
        return [*steps, *hold(view.source, view.member.target, Side.SOURCE)]

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
        return skip(f"what {phase} changed sleeps: nothing must be undone")

    def decommission(self, view: EcsView, run: RunContext) -> list[Step]:
        """Delete nothing: a service with no tasks costs nothing, and is the way back."""
        return skip(f"{view.source.place.id} stands by in {view.source.place.region} without tasks: it is the way back")

    def endpoints(self, view: EcsView, run: RunContext) -> list[Endpoint]:
        """Return where the load balancers in front of the target side's service listen."""
        return [Endpoint(view.member.resource_id, host, port) for host, port in view.endpoints]

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
        if view.strategy == DEPLOY and phase in {Phase.INSTANTIATE, Phase.ACTIVATE}:
            view = foreseen(view)
        if phase is Phase.ACTIVATE:
            return replace(view, target=sized(view.target, wanted(view.member), awake=True))
        if phase is Phase.CLEANUP:
            high = view.source.bounds.MaxCapacity if view.source.bounds else 0
            return replace(view, source=sized(view.source, Size(0, high, 0), awake=False))
        return view
