"""What is judged of an ECS service before a run. Pure."""

from __future__ import annotations

from adapters.ecs.models import Service
from adapters.ecs.scaling import wanted
from adapters.ecs.spec import DEPLOY, FARGATE_VCPUS, SCALABLE, SPEC
from adapters.ecs.view import EcsSide, EcsView
from adapters.judging import ready, red, too_slow, warning
from adapters.needed import findings as findings_of
from adapters.quotas import ask
from adapters.scaled import suspend, unseen
from orchestrator.contract import Claim, Finding, RunContext
from orchestrator.words import Mode, Undoing


def findings(view: EcsView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, service, place = view.member.resource_id, view.target.service, view.target.place
    found = too_slow(view.member, SPEC.strategy(view.strategy))
    if view.strategy == DEPLOY:
        found += _deployable(view)
    elif service is None:
        return [red(me, "missing", f"there is no active service {place.id} in {place.region}.")]
    for each in (service, view.source.service if view.strategy == DEPLOY else None):
        found += _scalable(me, each) if each is not None else []
    if wanted(view.member).desired == 0:
        text = f"the production size of {view.member.name} is 0 on both sides; nothing would run."
        remedy = "set dr:saved-capacity (min/max/desired, such as 2/6/3) on the service."
        found.append(red(me, "size", text, remedy))
    found += [*_deploying(me, view.target), *_deploying(me, view.source), *_scaling(view)]
    found += [red(me, "image", f"{each}.", "push or replicate the image there.") for each in view.missing_images]
    found += findings_of(me, view.needs.lacks)
    return found or [ready(me, f"{place.id} can be scaled to {wanted(view.member).desired}.")]


def _deploying(me: str, side: EcsSide) -> list[Finding]:
    """Tell of a deployment that goes on while the run would scale; an emergency reads the target side alone."""
    service, region = side.service, side.place.region
    if service is None or not any(each.rolloutState == "IN_PROGRESS" for each in service.deployments):
        return []
    text = f"{side.place.id} in {region} has a deployment in progress: the run would scale two versions of it."
    wait = f"aws ecs wait services-stable --region {region} --cluster {side.cluster} --services {side.name}"
    return [warning(me, Undoing.DEPLOYING, text, f"wait for its end: {wait}")]


def _scaling(view: EcsView) -> list[Finding]:
    """Tell what changes the target side's count after ACTIVATE; the source side's autoscaling CLEANUP itself holds."""
    me, place, size, rules = view.member.resource_id, view.target.place, wanted(view.member), view.rules
    held, found = ("ecs", f"service/{place.id}", SCALABLE), []
    if rules.unseen:
        found.append(unseen(me, place.id, place.region, rules.unseen))
    if rules.scheduled:
        text = f"scheduled actions of {place.id} in {place.region} change its bounds after ACTIVATE: {', '.join(rules.scheduled)}."
        command = suspend(place.region, *held, ["ScheduledScalingSuspended"])
        found.append(warning(me, Undoing.SCHEDULED, text, f"when ACTIVATE has ended: {command}"))
    if rules.scaling_in and size.low < size.desired:
        text = (
            f"{', '.join(rules.scaling_in)} may scale {place.id} in {place.region} in from {size.desired} to {size.low} "
            "after ACTIVATE, before traffic arrives."
        )
        command = suspend(place.region, *held, ["DynamicScalingInSuspended"])
        found.append(warning(me, Undoing.SCALING, text, f"when ACTIVATE has ended, until traffic has come: {command}"))
    return found


def claims(view: EcsView, run: RunContext) -> list[Claim]:
    """Return what the tasks to come take of Fargate, beside those that run there already; a drill runs one more."""
    needs, place, service = view.needs, view.target.place, view.target.service
    if not needs.vcpus:
        return []
    present = service.runningCount if service is not None else 0
    more = 1 if run.mode is Mode.DRILL else max(wanted(view.member).desired - present, 0)
    what = f"{more} {'more ' if present else ''}tasks of {needs.vcpus:g} vCPU"
    where, remedy = (place.account, place.region), ask(*FARGATE_VCPUS, place.region)
    return [needs.room.claim((view.member.resource_id,), where, "vCPUs on Fargate", what, more * needs.vcpus, remedy)]


def _scalable(me: str, service: Service) -> list[Finding]:
    found, owner = [], service.deploymentController.type
    if service.schedulingStrategy == "DAEMON":
        found.append(red(me, "daemon", f"{service.serviceName} is a DAEMON service: it has no desired count."))
    if owner != "ECS":
        found.append(red(me, "controller", f"{service.serviceName} is deployed by {owner}, expected ECS."))
    return found


def _deployable(view: EcsView) -> list[Finding]:
    """Judge what deploying to the target side takes."""
    me, place, deployment = view.member.resource_id, view.target.place, view.deployment
    if deployment is None and view.target.service is not None:
        text = (
            f"{place.id} is used as it is: the serving side is not reached, and the inventory remembers nothing of it."
        )
        return [warning(me, "as-it-is", text)]
    if deployment is None:
        text = f"the service to deploy {place.id} from is not there, and the inventory remembers none."
        return [red(me, "no-source", text, f"create it in {place.region} by hand, with the same dr:* tags.")]
    found = [
        red(me, "not-deployable", f"{each}.", "say it in the manifest or the tags, then: dr plan")
        for each in deployment.problems
    ]
    if view.draining:
        found.append(warning(me, "draining", f"an old service {place.id} still drains in {place.region}."))
    return found
