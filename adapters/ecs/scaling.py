"""The sizes of an ECS service, and the steps that bring one side to a size or to sleep. Bounds always before counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import JsonValue

from adapters.ecs.models import Bounds, Service, Suspended
from adapters.ecs.spec import SCALABLE, SETTLED_SECONDS, STALL_SECONDS, TROUBLE
from adapters.ecs.view import EcsSide
from orchestrator.contract import Call, Member, Place, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.words import Effect, Side


@dataclass(frozen=True)
class Size:
    """Task counts: the bounds of autoscaling and the desired count between them."""

    low: int
    high: int
    desired: int


def wanted(member: Member) -> Size:
    """Return the production size: tag, then the manifest's count, then what the busier side ran at inventory time."""
    saved = member.tags.get("dr:saved-capacity", "").split("/")
    if len(saved) == 3 and all(part.isdigit() for part in saved):
        return Size(*(int(part) for part in saved))
    size = max((size_of(place) for place in (member.source, member.target)), key=lambda each: each.desired)
    configured = member.settings.get("desiredCount")
    desired = configured if isinstance(configured, int) else size.desired
    return Size(min(size.low, desired), max(size.high, desired), desired)


def size_of(place: Place) -> Size:
    """Return what a side ran when the inventory was taken; without autoscaling the bounds are the count itself."""
    desired = _count_of(place, "desired", 0)
    return Size(_count_of(place, "min", desired), _count_of(place, "max", desired), desired)


def _count_of(place: Place, name: str, otherwise: int) -> int:
    value = place.facts.get(name)
    return value if isinstance(value, int) else otherwise


def carries_production(side: EcsSide, size: Size) -> bool:
    """Say whether a side runs the production size, or what autoscaling has made of it within the bounds."""
    if side.service is None:
        return False
    floor = max(size.low if side.bounds else size.desired, 1)
    return side.service.desiredCount >= floor and side.service.runningCount >= floor


def scale(side: EcsSide, where: Side, size: Size, run: RunContext, *, down: bool = False) -> list[Step]:
    """Return the steps that bring a side to at least a size (`down`: to no more than it) and wait for its tasks."""
    service = side.service
    if service is None:
        return [blocked("scale-service", f"there is no active service {side.place.id}", "deploy it, then retry.")]
    if service.schedulingStrategy == "DAEMON" or service.deploymentController.type != "ECS":
        return [blocked("scale-service", f"{side.place.id} is not scaled by ECS", "move it by the tool that owns it.")]
    steps = [_release_bounds(side, where, size)] if side.bounds is not None else []
    seen = f"desired count is {service.desiredCount}"
    if _reached(side, service, size, run, down):
        steps.append(done("scale-service", seen, effect=Effect.REVERSIBLE))
        return [*steps, *_redeployed(side, where, service, run), _stable(side, service, run)]
    steps.append(
        todo("scale-service", _count(side, where, size.desired), Effect.REVERSIBLE, f"{seen}, expected {size.desired}")
    )
    return [*steps, busy("service-stable", f"waits for {size.desired} task(s)")]


def _reached(side: EcsSide, service: Service, size: Size, run: RunContext, down: bool) -> bool:
    """Say whether the count is reached, or was reached and autoscaling has since moved it within its bounds."""
    scaled_before = (run.seconds_since("scale-service") or 0) > SETTLED_SECONDS
    awake = side.bounds is not None and scaled_before and service.desiredCount >= max(size.low, 1)
    enough = service.desiredCount <= size.desired if down else service.desiredCount >= size.desired
    return enough or awake


def _redeployed(side: EcsSide, where: Side, service: Service, run: RunContext) -> list[Step]:
    """Begin anew after a deployment that its circuit breaker ended before this attempt: ECS starts no tasks of it any more."""
    ended = [d for d in service.deployments if d.status == "PRIMARY" and d.rolloutState == "FAILED"]
    if not ended or ended[0].updatedAt is None or ended[0].updatedAt >= run.began:
        return []
    params: dict[str, JsonValue] = {"cluster": side.cluster, "service": side.name, "forceNewDeployment": True}
    call = Call("ecs", "UpdateService", params, where)
    seen = f"the circuit breaker ended the deployment at {ended[0].updatedAt:%H:%M:%S} UTC, before this attempt"
    return [todo("new-deployment", call, Effect.REVERSIBLE, seen)]


def _stable(side: EcsSide, service: Service, run: RunContext) -> Step:
    name, observed = "service-stable", f"{service.runningCount} of {service.desiredCount} tasks run"
    current = [d.rolloutState for d in service.deployments if d.status == "PRIMARY"]
    fresh = [event.message for event in service.events if event.createdAt >= run.began]
    trouble = [message for message in fresh if any(words in message for words in TROUBLE)]
    if "FAILED" in current:
        return failed(name, f"{observed}; the circuit breaker tripped", f"look at the tasks of {side.place.id}.")
    if side.settled:
        return done(name, observed)
    if len(trouble) > 1:  # one may come from a placement that was under way before the cause was corrected
        return failed(name, f"{observed}; {trouble[0]}", "correct the cause (capacity, image, network), then retry.")
    if (run.seconds_since("scale-service") or 0) > STALL_SECONDS:
        remedy = f"look at the events of {side.place.id}, then retry."
        return failed(name, f"{observed} after {STALL_SECONDS} s", remedy)
    return busy(name, f"{observed}, rollout {', '.join(state or 'unknown' for state in current)}")


def sleep(side: EcsSide, where: Side) -> list[Step]:
    """Return the steps that bring a side to zero and keep it there."""
    service = side.service
    if service is None:
        return skip(f"there is no active service {side.place.id}")
    steps = [hold_bounds(side, where)] if side.bounds is not None else []
    if service.desiredCount:
        reason = f"desired count is {service.desiredCount}"
        steps.append(todo("scale-to-zero", _count(side, where, 0), Effect.REVERSIBLE, reason))
    else:
        steps.append(done("scale-to-zero", "desired count is 0", effect=Effect.REVERSIBLE))
    running = service.runningCount
    return [*steps, busy("idle", f"{running} task(s) still run") if running else done("idle", "no task runs")]


def hold_bounds(side: EcsSide, where: Side) -> Step:
    """Return the step that keeps autoscaling from raising a count of zero."""
    assert side.bounds is not None
    name, bounds = "hold-autoscaling", side.bounds
    if bounds.SuspendedState.asleep and bounds.MinCapacity == 0:
        return done(name, "autoscaling is held", effect=Effect.REVERSIBLE)
    call = _bounds(side, where, 0, bounds.MaxCapacity, suspended=True)
    return todo(name, call, Effect.REVERSIBLE, f"MinCapacity is {bounds.MinCapacity}, expected 0 and held")


def _release_bounds(side: EcsSide, where: Side, size: Size) -> Step:
    assert side.bounds is not None
    name, bounds = "release-autoscaling", side.bounds
    seen = f"bounds {bounds.MinCapacity}..{bounds.MaxCapacity}"
    if (bounds.MinCapacity, bounds.MaxCapacity) == (size.low, size.high) and bounds.SuspendedState.awake:
        return done(name, f"{seen}, awake", effect=Effect.REVERSIBLE)
    call = _bounds(side, where, size.low, size.high, suspended=False)
    return todo(name, call, Effect.REVERSIBLE, f"{seen}, expected {size.low}..{size.high} and awake")


def _count(side: EcsSide, where: Side, desired: int) -> Call:
    params: dict[str, JsonValue] = {"cluster": side.cluster, "service": side.name, "desiredCount": desired}
    return Call("ecs", "UpdateService", params, where)


def _bounds(side: EcsSide, where: Side, low: int, high: int, *, suspended: bool) -> Call:
    params: dict[str, JsonValue] = {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{side.place.id}",
        "ScalableDimension": SCALABLE,
        "MinCapacity": low,
        "MaxCapacity": high,
        "SuspendedState": _rest(suspended).model_dump(),
    }
    return Call("application-autoscaling", "RegisterScalableTarget", params, where)


def _rest(suspended: bool) -> Suspended:
    return Suspended(
        DynamicScalingInSuspended=suspended,
        DynamicScalingOutSuspended=suspended,
        ScheduledScalingSuspended=suspended,
    )


def sized(side: EcsSide, size: Size, *, awake: bool, scales: bool = False) -> EcsSide:
    """Return a side as it is foreseen at a size; `scales` for one whose autoscaling is not there yet."""
    counts = {"desiredCount": size.desired, "runningCount": size.desired}
    service = side.service.model_copy(update=counts) if side.service else None
    bounds = Bounds(MinCapacity=size.low, MaxCapacity=size.high, SuspendedState=_rest(not awake))
    return replace(side, service=service, bounds=bounds if side.bounds or scales else None)
