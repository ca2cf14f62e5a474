"""The steps that deploy an ECS service to the other side: a revision of its task definition, then the service, asleep.

RegisterTaskDefinition always makes a new revision, so what is there is compared first; CreateService has a client token, and
a service of the name is adopted. A service that still drains keeps its name until its tasks are gone (ECS API reference,
DeleteService). The count stays 0: ACTIVATE scales it as it does every other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue

from adapters.ecs.models import Bounds, Definition, LoadBalancer, Service
from adapters.ecs.scaling import Size, hold_bounds, size_of, sized
from adapters.ecs.view import EcsSide, EcsView
from adapters.ecs.view_deploy import Deployment
from orchestrator.contract import Call, Later, Param, Place, RunContext, Step, blocked, busy, done, todo
from orchestrator.words import Effect, Side

REGISTER, DEPLOY = "register-definition", "deploy-service"


def deploy(deployment: Deployment | None, side: EcsSide, where: Side, run: RunContext, *, draining: bool) -> list[Step]:
    """Return the steps after which a side has the service with the definition of the side that serves."""
    if deployment is None and side.service is not None:
        text = f"{side.place.id} is used as it is: what it should be deployed from is not known"
        return [done(DEPLOY, text, warning=f"{text}.")]
    if deployment is None:
        remedy = "create the service there by hand with the same dr:* tags, then retry."
        return [blocked(REGISTER, f"the service to deploy {side.place.id} from is not known", remedy)]
    if deployment.problems:
        remedy = f"say it in the manifest's regions.{side.place.region}, then: dr plan"
        return [blocked(REGISTER, "; ".join(deployment.problems), remedy)]
    definition = _right(deployment)
    register = _registered(deployment, definition, side, where, run)
    return [register, _deployed(deployment, definition, side, where, run, draining=draining)]


def _right(deployment: Deployment) -> Definition | None:
    """Return the revision that says what is wanted: the service's own, else the family's newest."""
    for each in (deployment.current, deployment.newest):
        if each is not None and _plain(each.content) == _plain(dict(deployment.wanted)):
            return each
    return None


def _plain(value: JsonValue) -> JsonValue:
    """Return what a definition means: what is empty is not said, and named things (variables, secrets) have no order."""
    if isinstance(value, Mapping):
        plain = {key: _plain(each) for key, each in value.items()}
        return {key: plain[key] for key in sorted(plain) if plain[key] not in (None, "", [], {}, 0, False)}
    if isinstance(value, list):
        items = [_plain(each) for each in value]
        named = all(isinstance(each, Mapping) and "name" in each for each in items)
        return sorted(items, key=str) if named else items
    return value


def _registered(
    deployment: Deployment, definition: Definition | None, side: EcsSide, where: Side, run: RunContext
) -> Step:
    if definition is not None:
        return done(REGISTER, f"{definition.taskDefinitionArn} says what is wanted", effect=Effect.COMPENSABLE)
    tags: JsonValue = _tags(deployment, run)
    params: dict[str, JsonValue] = {**deployment.wanted, "tags": tags}
    call = Call("ecs", "RegisterTaskDefinition", params, where)
    newest = deployment.newest.taskDefinitionArn if deployment.newest else "no revision"
    reason = f"{newest} in {side.place.region} differs from what the serving side runs"
    return todo(REGISTER, call, Effect.COMPENSABLE, reason)


def _deployed(
    deployment: Deployment,
    definition: Definition | None,
    side: EcsSide,
    where: Side,
    run: RunContext,
    *,
    draining: bool,
) -> Step:
    service = side.service
    arn: Param = definition.taskDefinitionArn if definition else Later("ARN of the new revision")
    params: dict[str, Param] = {"cluster": side.cluster}
    if service is None:
        tags: JsonValue = _tags(deployment, run)
        params |= {
            "serviceName": side.name,
            "taskDefinition": arn,
            "desiredCount": 0,
            **deployment.service,
            "tags": tags,
        }
        call = Call("ecs", "CreateService", params, where, token="clientToken")
        if draining:
            return busy(DEPLOY, f"an old service {side.place.id} is DRAINING", effect=Effect.REVERSIBLE, call=call)
        return todo(DEPLOY, call, Effect.REVERSIBLE, f"there is no service {side.place.id} in {side.place.region}")
    if definition is not None and service.taskDefinition == definition.taskDefinitionArn:
        return done(DEPLOY, f"{side.place.id} runs {definition.taskDefinitionArn}", effect=Effect.REVERSIBLE)
    call = Call("ecs", "UpdateService", {**params, "service": side.name, "taskDefinition": arn}, where)
    return todo(DEPLOY, call, Effect.REVERSIBLE, f"{side.place.id} runs {service.taskDefinition}")


def _tags(deployment: Deployment, run: RunContext) -> list[JsonValue]:
    wanted = {**deployment.tags, **run.tags}
    return [{"key": key, "value": value} for key, value in sorted(wanted.items())]


def hold(side: EcsSide, like: Place, where: Side) -> list[Step]:
    """Return the step that makes a deployed service's autoscaling and keeps it asleep, where the other side scales."""
    if side.service is not None and side.service.desiredCount:
        return []
    if side.bounds is None and "min" not in like.facts:
        return []
    size = size_of(like)
    awake = replace(side, bounds=side.bounds or Bounds(MinCapacity=size.low, MaxCapacity=size.high))
    return [hold_bounds(awake, where)]


def there(view: EcsView) -> EcsSide:
    """Return the target side as it is once the service is deployed: what is not there yet is foreseen asleep."""
    side, deployment = view.target, view.deployment
    if deployment is None:
        return side
    definition = _right(deployment)
    arn = definition.taskDefinitionArn if definition else ""
    balancers = deployment.service.get("loadBalancers")
    service = side.service or Service(
        serviceArn=side.place.arn,
        serviceName=side.name,
        status="ACTIVE",
        taskDefinition=arn,
        loadBalancers=[LoadBalancer.model_validate(each) for each in balancers] if isinstance(balancers, list) else [],
    )
    foreseen = replace(side, service=service)
    if side.bounds is not None or "min" not in view.member.source.facts:
        return foreseen
    return sized(foreseen, Size(0, size_of(view.member.source).high, 0), awake=False, scales=True)


def foreseen(view: EcsView) -> EcsView:
    """Return the view that deploying to the target side is expected to leave behind."""
    deployment = view.deployment
    if deployment is None or deployment.problems:
        return view
    side = there(view)
    definition = _right(deployment) or Definition.model_validate({**deployment.wanted, "status": "ACTIVE"})
    service = side.service.model_copy(update={"taskDefinition": definition.taskDefinitionArn}) if side.service else None
    made = replace(deployment, newest=definition, current=definition)
    source = view.source.service
    same = Definition(taskDefinitionArn=source.taskDefinition if source else "", status="ACTIVE")
    back = Deployment(wanted={}, service={}, tags={}, current=same)  # what was copied there differs in nothing
    return replace(view, target=replace(side, service=service), deployment=made, way_back=back)
